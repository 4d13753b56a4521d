"""Facts about models: what a name stands for, its window, capabilities and price, each from a dated source or unknown.

Three sources, the later first: the policy's own `[catalog]` entries, our small table of families, and the extract of
genai-prices. Prices are those of one day, so that a decision is a function of its inputs.
"""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Literal, NamedTuple, cast

from smista_mcp.core.caching import CacheFacts
from smista_mcp.core.modelref import ModelRef, parse_target
from smista_mcp.core.names import Names, Resolved, Row, is_version, read_rows, undated
from smista_mcp.core.policy import CatalogEntry
from smista_mcp.core.prices import Price, Rate, dearer, price_on
from smista_mcp.core.values import Locality

PriceKind = Literal["list", "plan", "local", "unknown"]

EXTRACT_IDS = {"anthropic": "anthropic", "openai": "openai", "gemini": "google"}
"""The extract's provider for each kind of ours that always means the same one."""
LOCAL_KINDS = ("ollama", "llamacpp")
"""Kinds whose models run on this machine and cost nothing, unless their name or locality says otherwise."""
_CLOUD_MARKS = (":cloud", "-cloud")
_COMPAT = "openai-compat"
_POLICY = "policy"
_FREE = Price(Rate(Decimal(0)), Rate(Decimal(0)))
_NO_ENTRY = CatalogEntry.model_construct()
_UNTOLD: Mapping[str, str | int] = MappingProxyType({})


class HeldEntry(CatalogEntry):
    """An entry that can make a model dearer and never cheaper, because somebody else's limit counts what it costs."""

    held: Literal[True] = True

    @classmethod
    def of(cls, entry: CatalogEntry) -> "HeldEntry":
        """What an entry states, held."""
        stated = {name: getattr(entry, name) for name in CatalogEntry.model_fields}
        return cls.model_construct(entry.model_fields_set, **stated)


class ModelFacts(NamedTuple):
    """What is known of a model. Absent means unknown.

    Attributes:
        ref: as resolved: its `model` goes to the wire.
        known: false where it stands in no catalog and is used as written.
        context_window: tokens, input and output together where the provider counts so.
        price: what it costs on the catalog's day; 0 for a local one.
        source: where the price comes from; where there is none, where one was looked for.
        nearest: up to three ids of that provider that look like an unknown name.
        token_factor: tokens of this model for one token of `count_tokens`.
        row: the catalog's id whose facts these are; it differs from `ref` for dated names and the provider's aliases.
        effort: how the model is told to work hard, by `Effort`: a word of its protocol, or tokens to think.
        cache: how its provider is asked to keep a prompt; None where it is not.
        bounded: whether a request can say how much may be written at most: without that no limit could hold.
    """

    ref: ModelRef
    known: bool
    context_window: int | None
    max_output_tokens: int | None
    capabilities: Mapping[str, bool]
    price: Price | None
    price_kind: PriceKind
    source: str
    nearest: tuple[str, ...]
    token_factor: float
    row: str | None = None
    effort: Mapping[str, str | int] = _UNTOLD
    cache: CacheFacts | None = None
    bounded: bool = True


class Linked(NamedTuple):
    """Names that our own data takes for names of one model; no entry of a policy has a part in it.

    Attributes:
        same: as given and as it goes to the wire.
        dates: the id of which the name is one dated state and nothing else.
        related: the id whose facts it has, and the name without date: enough to forbid it, not to permit it.
    """

    same: tuple[str, ...]
    dates: tuple[str, ...] = ()
    related: tuple[str, ...] = ()


class _Family(NamedTuple):
    """What the rows of families.json that match a model say together; a later row wins."""

    capabilities: Mapping[str, bool]
    context_window: int | None = None
    max_output_tokens: int | None = None
    token_factor: float = 1.0
    writes_cache_unasked: bool = False
    effort: Mapping[str, str | int] = _UNTOLD
    cache: CacheFacts | None = None


class Catalog:
    """Everything that is known about models on one day. Answers are remembered; nothing else changes."""

    def __init__(
        self,
        extract: Mapping[str, object],
        families: Sequence[Mapping[str, object]],
        entries: Mapping[str, CatalogEntry],
        as_of: str,
    ) -> None:
        """Takes the parsed data files of the package and the policy's entries.

        Args:
            extract: catalog.json, as scripts/extract_catalog.py describes it.
            families: the rows of families.json.
            entries: `[catalog]` of the policy, by `provider/model`. What those that are `HeldEntry` say of prices
                counts as far as it is not below what is known without them.
            as_of: the day whose prices count, ISO date in UTC.
        """
        self._providers = cast("Mapping[str, Mapping[str, object]]", extract["providers"])
        self._families = families
        self._entries = entries
        self._as_of = as_of
        self._source = f"{extract['package']} {extract['version']}"
        self._names: dict[str, Names] = {}
        self._known: dict[tuple[ModelRef, str, Locality | None], ModelFacts] = {}
        firm = {name: entry for name, entry in entries.items() if not isinstance(entry, HeldEntry)}
        self._firm = Catalog(extract, families, firm, as_of) if len(firm) < len(entries) else None
        self._linked: dict[tuple[ModelRef, str], Linked] = {}
        self.digest = _digest(extract, families, entries, as_of)
        self.identity = (self._source, as_of)

    def facts(self, ref: ModelRef, kind: str, locality: Locality | None = None) -> ModelFacts:
        """What is known of a model.

        Args:
            ref: as written.
            kind: the provider's kind, such as `anthropic` or `openai-compat`.
            locality: where it runs, if that is known better than by its kind: a local model costs nothing.
        """
        key = (ref, kind, locality)
        facts = self._known.get(key)
        if facts is None:
            facts = self._facts(ref, kind, locality, frozenset())
            if self._firm is not None:
                facts = _no_cheaper(facts, self._firm.facts(ref, kind, locality))
            self._known[key] = facts
        return facts

    def linked(self, ref: ModelRef, kind: str) -> Linked:
        """The names that mean the same model as `ref` by the built-in catalog and the rules of its provider alone."""
        key = (ref, kind)
        linked = self._linked.get(key)
        if linked is None:
            linked = self._linked[key] = self._links(ref, kind)
        return linked

    def _links(self, ref: ModelRef, kind: str) -> Linked:
        if kind == "ollama":
            name, colon, tag = ref.model.rpartition(":")
            untagged = not colon or "/" in tag
            other = f"{ref}:latest" if untagged else f"{ref.provider}/{name}" if tag == "latest" else str(ref)
            return Linked(tuple(dict.fromkeys((str(ref), other))))
        found = self._resolve(ref, kind)
        bare = f"{ref.provider}/{undated(ref.model)}"
        if found is None:
            return Linked((str(ref),), related=(bare,))
        row = f"{ref.provider}/{found.row.id}"
        same = tuple(dict.fromkeys((str(ref), f"{ref.provider}/{found.wire}")))
        return Linked(same, (row,) if is_version(found.wire, found.row) else (), (row, bare))

    def synonyms(self, ref: ModelRef) -> tuple[ModelRef, ...]:
        """`ref`, and what `same_as` of the policy leads to, step by step."""
        chain = (ref,)
        while (same := _synonym(self._entries.get(str(chain[-1]), _NO_ENTRY), frozenset(chain))) is not None:
            chain = (*chain, same)
        return chain

    def _facts(self, ref: ModelRef, kind: str, locality: Locality | None, seen: frozenset[ModelRef]) -> ModelFacts:
        entry = self._entries.get(str(ref), _NO_ENTRY)
        same = _synonym(entry, seen | {ref})
        if same is None:
            return self._own_facts(ref, kind, locality)
        if same.provider == ref.provider:
            return _overlaid(self._facts(same, kind, locality, seen | {ref}), entry)
        # The same model at another provider: its facts, but neither its address, nor that it costs nothing there, nor
        # how that provider is asked to keep a prompt.
        facts = self._facts(same, same.provider.partition(":")[0], Locality.REMOTE, seen | {ref})
        # Nor the words for an effort: those are of the protocol that it is spoken to in.
        facts = facts._replace(ref=ref, known=True, nearest=(), effort=_UNTOLD, cache=None)
        return _overlaid(_priced_locally(facts, kind, locality), entry)

    def _own_facts(self, ref: ModelRef, kind: str, locality: Locality | None) -> ModelFacts:
        found = self._resolve(ref, kind)
        row = found.row if found else None
        wire = ModelRef(ref.provider, found.wire if found else ref.model)
        has_table = self._tables(ref, kind) != ()
        # A name that its own provider's list does not know belongs to no family: nothing is guessed about it.
        family = self._family((kind, ref.provider), row.id if row else ref.model)
        if row is None and has_table:
            family = _Family({})
        price = self._price(row, family)
        facts = ModelFacts(
            ref=wire,
            known=row is not None,
            context_window=(row.context_window if row else None) or family.context_window,
            max_output_tokens=family.max_output_tokens,
            capabilities=MappingProxyType(dict(family.capabilities)),
            price=price,
            price_kind="list" if price else "unknown",
            source=self._source,
            nearest=() if row else self._nearest(ref, kind),
            token_factor=family.token_factor,
            row=row.id if row else None,
            effort=family.effort,
            cache=family.cache,
        )
        facts = _priced_locally(facts, kind, locality)
        for name in dict.fromkeys((str(wire), str(ref))):
            facts = _overlaid(facts, self._entries.get(name, _NO_ENTRY))
        return facts

    def _tables(self, ref: ModelRef, kind: str) -> tuple[str, ...]:
        """The extract's providers that may know a model, the nearest first."""
        name = ref.provider.partition(":")[2] if kind == _COMPAT else EXTRACT_IDS.get(kind, "")
        provider = self._providers.get(name)
        if provider is None:
            return ()
        return (name, *cast("Sequence[str]", provider.get("fallback", ())))

    def _names_of(self, provider: str) -> Names:
        names = self._names.get(provider)
        if names is None:
            models = cast("Sequence[object]", self._providers[provider]["models"])
            names = self._names[provider] = Names(read_rows(models))
        return names

    def _resolve(self, ref: ModelRef, kind: str) -> Resolved | None:
        for provider in self._tables(ref, kind):
            found = self._names_of(provider).resolve(ref.model)
            if found is not None:
                return found
        return None

    def _nearest(self, ref: ModelRef, kind: str) -> tuple[str, ...]:
        tables = self._tables(ref, kind)
        return self._names_of(tables[0]).nearest(ref.model) if tables else ()

    def _price(self, row: Row | None, family: _Family) -> Price | None:
        if row is None:
            return None
        return price_on(row.variants, self._as_of, writes_unasked=family.writes_cache_unasked)

    def _family(self, of: tuple[str, str], model: str) -> _Family:
        """Joins the rows for that kind or that provider of which a pattern fits the name's last segment."""
        name = model.lower().rpartition("/")[2].replace(".", "-")
        said: dict[str, object] = {}
        capabilities: dict[str, bool] = {}
        for row in self._families:
            kinds = cast("Sequence[str]", row.get("kinds", of))
            if any(one in kinds for one in of) and any(
                _matches(pattern, name) for pattern in cast("Sequence[str]", row["match"])
            ):
                said.update(row)
                capabilities.update(cast("Mapping[str, bool]", row.get("capabilities", {})))
        return _Family(
            capabilities,
            cast("int | None", said.get("context_window")),
            cast("int | None", said.get("max_output_tokens")),
            cast("float", said.get("token_factor", 1.0)),
            bool(said.get("writes_cache_unasked")),
            cast("Mapping[str, str | int]", said.get("effort", _UNTOLD)),
            CacheFacts(**cast("Mapping[str, Any]", said["cache"])) if "cache" in said else None,
        )


def _digest(
    extract: Mapping[str, object],
    families: Sequence[Mapping[str, object]],
    entries: Mapping[str, CatalogEntry],
    as_of: str,
) -> str:
    """Of the facts in force: it changes on a day on which a price does, and not with every date."""
    parts = [
        [extract["package"], extract["version"], extract["sha256"]],
        families,
        {name: entries[name].model_dump(mode="json") for name in sorted(entries)},
        max((day for day in cast("Sequence[str]", extract["days"]) if day <= as_of), default=""),
    ]
    return hashlib.sha256(json.dumps(parts, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _synonym(entry: CatalogEntry, seen: frozenset[ModelRef]) -> ModelRef | None:
    """What `same_as` names; None for a class, and for a name on a circle."""
    if entry.same_as is None:
        return None
    target = parse_target(entry.same_as)
    return target if isinstance(target, ModelRef) and target not in seen else None


def _matches(pattern: str, name: str) -> bool:
    wanted = pattern.replace(".", "-")
    if wanted.endswith("*"):
        return name.startswith(wanted[:-1])
    return name.endswith(wanted[1:]) if wanted.startswith("*") else name == wanted


def _priced_locally(facts: ModelFacts, kind: str, locality: Locality | None) -> ModelFacts:
    local = locality is Locality.LOCAL or (locality is None and kind in LOCAL_KINDS)
    if not local or facts.ref.model.endswith(_CLOUD_MARKS):
        return facts
    return facts._replace(price=_FREE, price_kind="local", source="local", cache=None)


def _overlaid(facts: ModelFacts, entry: CatalogEntry) -> ModelFacts:
    """The facts with what a policy entry states in their place."""
    if entry is _NO_ENTRY:
        return facts
    price, price_kind, source = _stated_price(facts, entry)
    return facts._replace(
        known=True,
        nearest=(),
        context_window=entry.context_window or facts.context_window,
        max_output_tokens=entry.max_output_tokens or facts.max_output_tokens,
        capabilities=MappingProxyType({**facts.capabilities, **entry.capabilities}),
        price=price,
        price_kind=price_kind,
        source=source,
        effort=MappingProxyType({effort.value: told for effort, told in entry.effort.items()}) or facts.effort,
    )


def _no_cheaper(facts: ModelFacts, firm: ModelFacts) -> ModelFacts:
    """The facts, with a price of which nothing is below that of others: a plan does not make a listed model free."""
    if firm.price is None or firm.price_kind != "list":
        return facts
    if facts.price is None or facts.price_kind != "list":
        return facts._replace(price=firm.price, price_kind="list", source=firm.source)
    price = dearer(facts.price, firm.price)
    return facts if price == facts.price else facts._replace(price=price, source=firm.source)


def _stated_price(facts: ModelFacts, entry: CatalogEntry) -> tuple[Price | None, PriceKind, str]:
    old = facts.price
    prices = (entry.input_price, entry.output_price, entry.cached_input_price, entry.cache_write_price)
    stated = any(price is not None for price in prices)
    if entry.price_kind == "plan":
        return _merged_price(old, entry), "plan", _POLICY
    if not stated:
        return old, facts.price_kind, facts.source
    price = _merged_price(old, entry)
    return price, "list" if price else "unknown", _POLICY


def _merged_price(old: Price | None, entry: CatalogEntry) -> Price | None:
    """A price needs both input and output; a stated input price replaces whatever the list says of the cache."""
    given = Rate(entry.input_price) if entry.input_price is not None else old and old.input
    output = Rate(entry.output_price) if entry.output_price is not None else old and old.output
    if given is None or output is None:
        return None
    price = old._replace(input=given, output=output) if old else Price(given, output)
    if entry.input_price is not None:
        price = price._replace(cached_input=None, cache_write=None, writes_unasked=False)
    if entry.output_price is not None:
        price = price._replace(reasoning=None)
    if entry.cached_input_price is not None:
        price = price._replace(cached_input=Rate(entry.cached_input_price))
    if entry.cache_write_price is not None:
        price = price._replace(cache_write=Rate(entry.cache_write_price))
    return price
