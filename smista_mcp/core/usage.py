"""What work has used, grouped as asked for, and what it saved against a model that would have done all of it.

What nobody knows is counted by itself and never as 0. USD, Decimal; days are UTC.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Literal, NamedTuple

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.costing import actual_cost, plain
from smista_mcp.core.prices import Price, Rate
from smista_mcp.core.values import Value

By = Literal["model", "intent", "project", "host", "day"]
ZONE = "UTC"
_NOTHING = Decimal(0)


class Tokens(NamedTuple):
    """Tokens as providers reported them: all input, its parts that met a cache, all output, its hidden part."""

    input: int = 0
    cached: int = 0
    written: int = 0
    output: int = 0
    reasoning: int = 0


class Used(NamedTuple):
    """What requests that have all of this in common up to `pays` have used together.

    Attributes:
        day: on which they began, ISO date in UTC.
        model: as resolved.
        project: keyed hash of the workspace; None where there was none.
        host: that asked; empty where that is not on record.
        pays: who does: the `list` price, a `plan`, nobody (`local`), or by a price that is `unknown`.
        abandoned: how many of the cancelled ones may have been charged without anybody knowing how much.
        unpriced: how many completed ones have a cost that nobody knows.
        unreported: for how many completed ones no provider said how many tokens they took.
        cost: of those whose cost is known.
        held: the most that those without a known cost may cost, as far as it was set aside for them.
        tokens: whatever was reported, of requests that came to nothing too.
        served: how many completed ones are not known to have been of no use; `served_tokens` are theirs alone.
    """

    day: str
    model: str
    locality: str
    intent: str
    project: str | None
    host: str
    pays: str = "list"
    completed: int = 0
    failed: int = 0
    cancelled: int = 0
    running: int = 0
    uncertain: int = 0
    unpriced: int = 0
    unreported: int = 0
    cost: Decimal = _NOTHING
    held: Decimal = _NOTHING
    tokens: Tokens = Tokens()
    served: int = 0
    served_tokens: Tokens = Tokens()
    abandoned: int = 0

    @property
    def requests(self) -> int:
        """How many they are, however they ended."""
        return self.completed + self.failed + self.cancelled + self.running + self.uncertain


class UsageLine(Value):
    """What one group of requests has used.

    Attributes:
        key: what they have in common: a model, an intent, the keyed hash of a workspace, a host, a day; empty where
            there is no such thing on record.
        name: what a person calls it, where that is known and another.
        requests: that were begun: `completed`, `failed`, `cancelled`, `running` and `uncertain` together.
        local: how many of them a model of this machine did.
        uncertain: how many may have been charged without anybody knowing how much.
        abandoned: how many of the cancelled ones may have been, likewise.
        unpriced: how many completed ones have a cost that nobody knows.
        unreported: for how many completed ones the provider did not say the tokens.
        cost: of those whose cost is known, USD as a decimal string.
        held: what was set aside for those whose cost is not known, USD: the most that they may cost besides; those
            that run, are uncertain or abandoned, or completed at a cost that nobody knows.
        input_tokens: as providers reported them, and so the next four; requests without a report are not in them.
            What was read from a cache or written to one is part of the input, reasoning part of the output.
    """

    key: str
    name: str | None = None
    requests: int
    completed: int
    failed: int
    cancelled: int
    running: int
    uncertain: int
    abandoned: int
    local: int
    unpriced: int
    unreported: int
    cost: str
    held: str
    input_tokens: int
    cached_input_tokens: int
    cache_write_tokens: int
    output_tokens: int
    reasoning_tokens: int
    local_tokens: int

    @property
    def doubtful(self) -> int:
        """How many have a cost, or may have one, that is not in `cost`."""
        return self.unpriced + self.uncertain + self.abandoned + self.running


def line(rows: Sequence[Used], key: str = "", name: str | None = None) -> UsageLine:
    """The sums of some rows."""
    local = [row for row in rows if row.locality == "local"]
    return UsageLine(
        key=key,
        name=name,
        requests=sum(row.requests for row in rows),
        completed=sum(row.completed for row in rows),
        failed=sum(row.failed for row in rows),
        cancelled=sum(row.cancelled for row in rows),
        running=sum(row.running for row in rows),
        uncertain=sum(row.uncertain for row in rows),
        abandoned=sum(row.abandoned for row in rows),
        local=sum(row.requests for row in local),
        unpriced=sum(row.unpriced for row in rows),
        unreported=sum(row.unreported for row in rows),
        cost=plain(_cost(rows)),
        held=plain(sum((row.held for row in rows), _NOTHING)),
        input_tokens=sum(row.tokens.input for row in rows),
        cached_input_tokens=sum(row.tokens.cached for row in rows),
        cache_write_tokens=sum(row.tokens.written for row in rows),
        output_tokens=sum(row.tokens.output for row in rows),
        reasoning_tokens=sum(row.tokens.reasoning for row in rows),
        local_tokens=sum(row.tokens.input + row.tokens.output for row in local),
    )


def grouped(rows: Iterable[Used], by: By, names: Mapping[str, str] | None = None) -> tuple[UsageLine, ...]:
    """The rows by what they have in common: days in their order, all else the dearest first, then the busiest.

    Args:
        rows: what was used.
        by: what to tell apart.
        names: what people call a key.
    """
    found: dict[str, list[Used]] = {}
    for row in rows:
        found.setdefault(_key(row, by), []).append(row)
    lines = [line(group, key, (names or {}).get(key)) for key, group in found.items()]
    if by == "day":
        return tuple(sorted(lines, key=lambda one: one.key))
    return tuple(sorted(lines, key=lambda one: (-Decimal(one.cost), -one.requests, one.key)))


def _key(row: Used, by: By) -> str:
    match by:
        case "model":
            return row.model
        case "intent":
            return row.intent
        case "project":
            return row.project or ""
        case "host":
            return row.host
        case "day":
            return row.day


def _cost(rows: Iterable[Used]) -> Decimal:
    return sum((row.cost for row in rows), _NOTHING)


# -------------------------------------------------------------------------------------------------------- savings


class Reference(NamedTuple):
    """The model that would have done a piece of work if nobody had delegated it.

    Attributes:
        said: how it is called where it is named.
        by: who names it: the command line, the policy, or what is known of the host.
        facts: what is known of it; its price is that of the catalog's day.
    """

    said: str
    by: Literal["asked", "policy", "host"]
    facts: ModelFacts


class ReferenceLine(Value):
    """A reference, the host and intents for which it stood, and what it would have cost, USD.

    `by` tells who names it: the command line (`asked`), the policy, or the table of what is known of hosts (`host`).
    """

    host: str
    said: str
    model: str
    by: Literal["asked", "policy", "host"]
    intents: tuple[str, ...]
    requests: int
    cost: str


class LeftOut(Value):
    """Requests of which nobody can say what they saved, by why; a request counts once.

    `abandoned` were cancelled, and may have been charged.
    `no_reference`: nobody knows which model the host itself would have taken, or what that costs.
    """

    running: int = 0
    uncertain: int = 0
    abandoned: int = 0
    unpriced: int = 0
    unreported: int = 0
    no_reference: int = 0

    @property
    def all(self) -> int:
        """How many those are together."""
        known = self.running + self.uncertain + self.abandoned + self.unpriced
        return known + self.unreported + self.no_reference


class Saving(Value):
    """What delegating saved against the host's own model doing it all, USD as decimal strings.

    Attributes:
        reference: what the counted requests would have cost there.
        paid: what they did cost, and what tries cost that came to nothing.
        saved: the difference; below 0 where delegating cost more.
        requests: how many are counted: completed ones that are not known to have been of no use.
        references: what stood for what.
        left_out: what is not counted.
        hosts_without: hosts for which nobody knows which model they would have taken.
        method: how it is counted, in words.
        limits: what it cannot know, in words.
    """

    reference: str
    paid: str
    saved: str
    requests: int
    references: tuple[ReferenceLine, ...]
    left_out: LeftOut
    hosts_without: tuple[str, ...] = ()
    method: str
    limits: str


METHOD = (
    "the tokens that providers reported of answers that served, at the other model's list price of {day} (rates of"
    " short inputs), less what was paid, failed tries included"
)
LIMITS = (
    "how many tokens the other model would have taken, what the host spent to delegate and to read the answers, which"
    " of the answers that came whole were wrong, and whether a subscription would have paid"
)


def saving(rows: Iterable[Used], reference_of: Callable[[str, str], Reference | None], day: str) -> Saving:
    """What was saved.

    A group of requests whose price nobody knows is left out, and so is one without a reference. In any other the
    requests without known cost have no known tokens either: they count nothing on both sides, and as left out.

    Args:
        rows: what was used.
        reference_of: tells for a host and an intent which model would have done it.
        day: whose prices count, ISO date.
    """
    whole: dict[tuple[str, str, str], list[_Compared]] = {}
    left = dict.fromkeys(LeftOut.model_fields, 0)
    without: set[str] = set()
    for row in rows:
        left["running"] += row.running
        left["uncertain"] += row.uncertain
        left["abandoned"] += row.abandoned
        if row.pays == "unknown":
            left["unpriced"] += row.completed
            continue
        reference = reference_of(row.host, row.intent)
        cost = None if reference is None else _at_list_price(reference.facts, row)
        if reference is None or cost is None:
            left["no_reference"] += row.completed
            without |= {row.host} if row.completed else set()
            continue
        left["unreported"] += row.unreported
        left["unpriced"] += max(0, row.unpriced - row.unreported)
        key = (row.host, str(reference.facts.ref), reference.by)
        whole.setdefault(key, []).append(_Compared(row, cost, reference))
    counted = [one for group in whole.values() for one in group]
    would = sum((one.cost for one in counted), _NOTHING)
    paid = _cost(one.row for one in counted)
    return Saving(
        reference=plain(would),
        paid=plain(paid),
        saved=plain(would - paid),
        requests=sum(one.counted for one in counted),
        references=tuple(_reference_line(key[0], whole[key]) for key in sorted(whole)),
        left_out=LeftOut(**left),
        hosts_without=tuple(sorted(without)),
        method=METHOD.format(day=day),
        limits=LIMITS,
    )


class _Compared(NamedTuple):
    row: Used
    cost: Decimal
    reference: Reference

    @property
    def counted(self) -> int:
        return max(0, self.row.served - max(self.row.unpriced, self.row.unreported))


def _reference_line(host: str, group: Sequence[_Compared]) -> ReferenceLine:
    reference = group[0].reference
    return ReferenceLine(
        host=host,
        said=", ".join(dict.fromkeys(one.reference.said for one in group)),
        model=str(reference.facts.ref),
        by=reference.by,
        intents=tuple(sorted({one.row.intent for one in group})),
        requests=sum(one.counted for one in group),
        cost=plain(sum((one.cost for one in group), _NOTHING)),
    )


def _at_list_price(facts: ModelFacts, row: Used) -> Decimal | None:
    """What the answers of a row that served would cost on a model paid by the list; None where no list says it.

    A row may stand for many requests, of which nobody knows how long each was: the rates are those of short ones.
    """
    if facts.price is None or facts.price_kind == "local":
        return None
    short, tokens = _without_steps(facts.price), row.served_tokens
    cost = actual_cost(
        facts._replace(price=short._replace(request=_NOTHING), price_kind="list"),
        input_tokens=tokens.input,
        cached_input_tokens=tokens.cached,
        output_tokens=tokens.output,
        reasoning_tokens=tokens.reasoning,
        cache_write_tokens=tokens.written,
    )
    return None if cost is None else cost + short.request * row.served


def _without_steps(price: Price) -> Price:
    def flat(rate: Rate | None) -> Rate | None:
        return None if rate is None else Rate(rate.base)

    return price._replace(
        input=Rate(price.input.base),
        output=Rate(price.output.base),
        cached_input=flat(price.cached_input),
        cache_write=flat(price.cache_write),
        reasoning=flat(price.reasoning),
    )
