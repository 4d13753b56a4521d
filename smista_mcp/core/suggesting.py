"""Which routes of a policy the evidence speaks against, with the figures and what to write instead. Pure.

It says what a person may change; nothing is changed by it. Evidence is counted over the family of an intent, and for
one host at a time, as where a policy lets it decide by itself.
"""

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from smista_mcp.core.effective import Origin, Policy
from smista_mcp.core.evidence import Count, Evidence, is_better
from smista_mcp.core.explained import Figures
from smista_mcp.core.matching import further_conditions, request_for
from smista_mcp.core.snapshot import Rulebook
from smista_mcp.core.values import FAMILY, Intent, Layer, Locality, Value

HALF = Decimal("0.5")
"""A model is weak by itself where, at best, less than so many of its attempts are good."""
Kind = Literal["order", "elsewhere", "weak"]
"""`order`: a later model of the route does better. `elsewhere`: one that the route does not name. `weak`: the first
fails more often than not, and nobody is shown to do better."""


class Place(Value):
    """A route: the name of its rule, None for the default route, and where it stands, as far as that is known."""

    rule: str | None
    layer: Layer
    file: str | None
    line: int | None


class Suggestion(Value):
    """A route that the evidence speaks against.

    Attributes:
        intent: the family.
        better: None where nobody is shown to do better.
        toml: what to write in place of what stands there; empty where there is nothing to write.
        leaves: whether work that stays on this machine would leave it.
    """

    kind: Kind
    place: Place
    intent: str
    host: str
    weak: Figures
    better: Figures | None
    toml: str
    leaves: bool = False


class Missing(Value):
    """A route of which too little is known.

    Attributes:
        first: what was counted of its first model; `missing` is how many judged attempts more are needed of it.
        others: of those after it of which anything is known; each needs as many good attempts.
    """

    place: Place
    intent: str
    host: str
    first: Figures
    missing: int
    others: tuple[Figures, ...]


class Suggestions(Value):
    """All that the evidence says of the routes of a policy.

    Attributes:
        judged: attempts that were judged, of all models.
        least: how many are enough.
    """

    judged: int
    least: int
    window_days: int
    suggestions: tuple[Suggestion, ...]
    missing: tuple[Missing, ...]


class _Route(NamedTuple):
    """A route, and of which families tasks can come to it."""

    place: Place
    families: frozenset[str]
    targets: tuple[str, ...]
    bound: bool


def suggestions(book: Rulebook, evidence: Evidence) -> Suggestions:
    """What the evidence says of every route of a policy."""
    policy = book.policy
    found: list[Suggestion] = []
    missing: list[Missing] = []
    kinds = sorted({(host, family) for _, family, host in evidence.sums})
    for route in _routes(book):
        for host, family in kinds:
            if family not in route.families:
                continue
            counts = {m: c for (m, of, by), c in evidence.sums.items() if (of, by) == (family, host)}
            one = _judged(route, family, host, counts, policy)
            found += [one] if isinstance(one, Suggestion) else []
            missing += [one] if isinstance(one, Missing) else []
    return Suggestions(
        judged=sum(count.judged for count in evidence.sums.values()),
        least=policy.adaptive.min_attempts,
        window_days=policy.adaptive.window_days,
        suggestions=tuple(found),
        missing=tuple(missing),
    )


def _routes(book: Rulebook) -> Iterator[_Route]:
    policy = book.policy
    plain = {intent: book.ranking.first(request_for(intent, None, (), 0)) for intent in Intent}
    for position, placed in enumerate(book.rules):
        rule = placed.rule
        further = bool(rule.skill or rule.paths or further_conditions(rule))
        led = frozenset(
            FAMILY[intent].value
            for intent in Intent
            if plain[intent] == position or (further and {intent, FAMILY[intent]} & set(rule.intent or Intent))
        )
        bound = rule.local_only or rule.only_models is not None
        yield _Route(_place(rule.name, placed.origin), led, (rule.model, *rule.fallbacks), bound)
    if policy.default is not None and policy.default_origin is not None:
        targets = (policy.default.model, *policy.default.fallbacks)
        led = frozenset(FAMILY[intent].value for intent in Intent if plain[intent] is None)
        yield _Route(_place(None, policy.default_origin), led, targets, bound=False)


def _place(rule: str | None, origin: Origin) -> Place:
    return Place(rule=rule, layer=origin.layer, file=origin.file, line=origin.line)


def _judged(
    route: _Route, family: str, host: str, counts: Mapping[str, Count], policy: Policy
) -> Suggestion | Missing | None:
    models = _models(route.targets, policy)
    known = [(name, counts[name]) for name in models if name in counts]
    if not known:
        return None
    least = policy.adaptive.min_attempts

    def suggestion(kind: Kind, weak: str, better: str | None, toml: str) -> Suggestion:
        leaves = better is not None and _is_local(weak, policy) and not _is_local(better, policy)
        figures = None if better is None else Figures.of(better, counts[better])
        given = Figures.of(weak, counts[weak])
        return Suggestion(
            kind=kind,
            place=route.place,
            intent=family,
            host=host,
            weak=given,
            better=figures,
            toml=toml,
            leaves=leaves,
        )

    for at, (weak, count) in enumerate(known):
        better = _best((pair for pair in known[at + 1 :]), count, least)
        if better is not None:
            return suggestion("order", weak, better, _reordered(route, weak, better, policy))
    first, count = models[0], counts.get(models[0], Count())
    if count.judged < least:
        others = tuple(Figures.of(name, one) for name, one in known if name != first)
        short = least - count.judged
        figures = Figures.of(first, count)
        return Missing(place=route.place, intent=family, host=host, first=figures, missing=short, others=others)
    elsewhere = _best(((name, one) for name, one in sorted(counts.items()) if name not in models), count, least)
    if elsewhere is not None and not route.bound:
        return suggestion("elsewhere", first, elsewhere, _route_text(route, (elsewhere, *route.targets)))
    if count.bounds.upper < HALF:
        return suggestion("weak", first, None, "")
    return None


def _best(others: Iterable[tuple[str, Count]], count: Count, least: int) -> str | None:
    """Who does best of those that do better; of equals the first."""
    better = [(name, one) for name, one in others if is_better(one, count, least)]
    return max(better, key=lambda pair: pair[1].bounds.lower)[0] if better else None


def _models(targets: Sequence[str], policy: Policy) -> tuple[str, ...]:
    """The models of a route in the order in which they are written; classes spelled out."""
    spelled = (name for target in targets for name in _spelled(target, policy))
    return tuple(dict.fromkeys(spelled))


def _spelled(target: str, policy: Policy) -> tuple[str, ...]:
    definition = policy.classes.get(target.removeprefix("class:")) if target.startswith("class:") else None
    return (target,) if definition is None else definition.models


def _is_local(model: str, policy: Policy) -> bool:
    spec = policy.providers.get(model.partition("/")[0])
    return spec is not None and spec.locality is Locality.LOCAL


def _reordered(route: _Route, weak: str, better: str, policy: Policy) -> str:
    """The route with the better model in front of the weak one: in the class that holds both, or in the route."""
    holder = next(target for target in route.targets if weak in _spelled(target, policy))
    if holder.startswith("class:") and better in _spelled(holder, policy):
        name = holder.removeprefix("class:")
        models = _in_front(_spelled(holder, policy), weak, better)
        return f"[classes.{_key(name)}]\nmodels = {_list(models)}"
    return _route_text(route, _in_front(route.targets, holder, better))


def _in_front(names: Sequence[str], weak: str, better: str) -> tuple[str, ...]:
    rest = [name for name in names if name != better]
    at = rest.index(weak)
    return (*rest[:at], better, *rest[at:])


def _route_text(route: _Route, targets: Sequence[str]) -> str:
    """The two lines to change; of a rule without its head, because under it they would be a rule of no conditions."""
    lines = [f"model = {_text(targets[0])}", f"fallbacks = {_list(targets[1:])}"]
    return "\n".join(lines if route.place.rule is not None else ("[routing.default]", *lines))


def _list(names: Sequence[str]) -> str:
    return f"[{', '.join(map(_text, names))}]"


def _text(name: str) -> str:
    """A TOML basic string: what JSON escapes is escaped there in the same way."""
    return json.dumps(name, ensure_ascii=False).replace("\x7f", "\\u007f")


def _key(name: str) -> str:
    return name if name.replace("-", "").replace("_", "").isalnum() and name.isascii() else _text(name)
