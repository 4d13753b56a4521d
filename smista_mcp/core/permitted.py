"""Which models may serve, by their names: `[models]` of every layer, and `only_models` of the rules that bind.

What is **denied** is denied under each of its names: as written, every name that `same_as` leads through, as resolved,
as it goes to the wire, the id whose facts it has, without date, all with and without provider, without a folder before
the name and, at Ollama, without the tag. What is **allowed**, or named by `only_models`, must be the model that goes to
the wire: names that our own catalog takes for one (a family and its newest model, another spelling, `:latest`) count as
one, and a name permits its dated states, though none of these the others. A `same_as` of the policy links nothing: the
name after it has to be permitted itself. So whoever may write a synonym cannot widen what somebody else allows, nor put
another model in the place of one that the organisation's own rule, default route or class names.
"""

from collections.abc import Iterator, Sequence
from functools import lru_cache
from itertools import takewhile

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.effective import Policy
from smista_mcp.core.globs import NamePatterns
from smista_mcp.core.modelref import ClassRef, ModelRef, parse_target
from smista_mcp.core.policy import dotted
from smista_mcp.core.redaction import shown
from smista_mcp.core.values import Layer

_SHOWN_TARGETS = 8


@lru_cache(maxsize=64)
def _compiled(patterns: tuple[str, ...]) -> NamePatterns:
    return NamePatterns(patterns)


class Permits:
    """The check, for one policy and the rules that bind one phase. Lists are read once, and only when asked for."""

    def __init__(
        self,
        policy: Policy,
        catalog: Catalog,
        only_models: Sequence[tuple[str, ...]] = (),
        pinned: Sequence[str] = (),
    ) -> None:
        """Takes the lists of the rules that bind, and the targets of a route of the organisation, as it wrote them."""
        self._policy = policy
        self._catalog = catalog
        self._only = tuple(dict.fromkeys(only_models))
        self._pinned = frozenset(pinned) | {model for name in pinned for model in self._own_class(name)}
        self._bars = bool(policy.denied or policy.allowed or only_models or pinned)
        self._meant: dict[int, frozenset[str]] = {}

    def refusal(self, written: str, named: ModelRef, kind: str) -> str | None:
        """Why a model of a provider may not serve; None where it may.

        Args:
            written: as the route or the call names it.
            named: the model that its server takes that for, before `same_as`.
            kind: of its provider.
        """
        if not self._bars:
            return None
        chain = self._catalog.synonyms(named)
        steps = list(takewhile(lambda ref: ref.provider == named.provider, chain))
        sent = steps[-1]
        if written in self._pinned and any(self._foreign("catalog", str(ref)) for ref in steps[:-1]):
            return f"the organisation names it, and a `same_as` that is not its own makes `{shown(str(sent))}` of it"
        linked = self._catalog.linked(sent, kind)
        names = (*linked.same, *linked.dates, *((written,) if sent == named else ()))
        return self._refusal(names, dict.fromkeys((written, *self._all_names(chain, kind))))

    def refusal_of_host(self, written: str) -> str | None:
        """Why `host/MODEL` may not serve; None where it may."""
        return self._refusal((written,), (written, written.partition("/")[2])) if self._bars else None

    def _refusal(self, names: Sequence[str], every: Sequence[str] | dict[str, None]) -> str | None:
        policy = self._policy
        if policy.denied and (pattern := _compiled(policy.denied).first(every)) is not None:
            return f"`[models] denied` has `{shown(pattern)}`"
        for allowed in policy.allowed:
            if _compiled(allowed).first(names) is None:
                return "`[models] allowed` does not name it"
        for place, targets in enumerate(self._only):
            if self._meant_by(place).isdisjoint(names):
                more = ", …" if len(targets) > _SHOWN_TARGETS else ""
                return f"a binding rule allows only {_listed(targets)}{more}"
        return None

    def _own_class(self, target: str) -> Sequence[str]:
        """The models of a class that the organisation has defined; another's class is another's choice."""
        name = target.removeprefix("class:")
        definition = self._policy.classes.get(name) if name != target else None
        return () if definition is None or self._foreign("classes", name) else definition.models

    def _foreign(self, table: str, name: str) -> bool:
        origin = self._policy.provenance.get(f"{table}.{dotted([name])}")
        return origin is None or origin.layer is not Layer.ORGANISATION

    def _all_names(self, chain: Sequence[ModelRef], kind: str) -> Iterator[str]:
        for ref in chain:
            own = kind if ref.provider == chain[0].provider else ref.provider.partition(":")[0]
            linked = self._catalog.linked(ref, own)
            for name in dict.fromkeys((*linked.same, *linked.related)):
                provider, _, model = name.partition("/")
                last = model.rpartition("/")[2]
                yield from (name, model, f"{provider}/{last}", last)
                if own == "ollama":
                    base = last.partition(":")[0]
                    yield from (f"{provider}/{model.removesuffix(last)}{base}", f"{provider}/{base}", base)

    def _meant_by(self, place: int) -> frozenset[str]:
        found = self._meant.get(place)
        if found is None:
            found = self._meant[place] = frozenset(self._names_of(self._only[place]))
        return found

    def _names_of(self, targets: Sequence[str]) -> Iterator[str]:
        """All names that a list of targets stands for by the built-in catalog."""
        for written in targets:
            target = parse_target(written)
            if isinstance(target, ClassRef):
                definition = self._policy.classes.get(target.name)
                if definition is not None:
                    yield from self._names_of([m for m in definition.models if not m.startswith("class:")])
                continue
            yield written
            spec = self._policy.providers.get(target.provider)
            if spec is not None:
                yield from self._catalog.linked(target, spec.kind).same


def _listed(targets: Sequence[str]) -> str:
    return ", ".join(f"`{shown(target)}`" for target in targets[:_SHOWN_TARGETS])
