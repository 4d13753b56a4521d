"""What attempts have used, day by day: the sums that `usage` and the evidence of outcomes are made from."""

import sqlite3
from collections.abc import Iterable, Sequence
from datetime import date
from decimal import Decimal, localcontext
from functools import lru_cache
from typing import Final, NamedTuple

from smista_mcp.ledger.event_tables import COUNTS
from smista_mcp.ledger.records import Scope
from smista_mcp.ledger.spending import EXACT


class Tally(NamedTuple):
    """What the attempts of one kind used that started on one day.

    Attributes:
        day: of their start, UTC.
        workspace: keyed hash of the root; None for what was recorded without one.
        token: name of the access token that the calls came with; None over stdio.
        host: who called; None where the decision is not on record.
        model: the name as the decisions write it.
        resolved_model: the one that it stood for; what the server said counts before what was known.
        requests: attempts; each is one of completed, failed, uncertain, cancelled or running.
        unpriced: completed ones of which nobody knows what they cost.
        input_tokens: as the provider counted, like the other four; 0 where it did not say.
        cost: USD, of those whose cost is known.
        held: USD that were reserved for those whose cost is not known; those that failed hold nothing. A budget counts
            `cost` and `held`.
        seconds: from start to end, summed, of those that have ended.
    """

    day: date
    workspace: str | None
    token: str | None
    host: str | None
    intent: str
    provider: str
    model: str
    resolved_model: str | None
    locality: str
    cost_kind: str
    requests: int = 0
    completed: int = 0
    failed: int = 0
    uncertain: int = 0
    cancelled: int = 0
    running: int = 0
    unpriced: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    cost: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    seconds: float = 0.0


_KEYS = 10
"""Fields of a tally that tell it from others."""
_NAMES: Final = "workspace, token, host, intent, provider, model, resolved_model, locality, cost_kind"
_ENDED: Final = f"SELECT day, {_NAMES}, {', '.join(COUNTS)}, cost, held FROM tally WHERE day BETWEEN ? AND ?"  # noqa: S608  our own words
_HELD: Final = f"SELECT substr(started_at, 1, 10) AS day, {_NAMES}, reserved FROM hold WHERE day BETWEEN ? AND ?"  # noqa: S608  as above


def read_tallies(db: sqlite3.Connection, since: date, until: date, scope: Scope | None) -> tuple[Tally, ...]:
    """The tallies of some days; as for `Ledger.tallies`."""
    whose, values = _whose(scope)
    values = (since.isoformat(), until.isoformat(), *values)
    found: dict[tuple[str, ...], Tally] = {}
    with localcontext(EXACT):
        for row in db.execute(f"{_ENDED}{whose}", values):
            one, there = _ended(row[:_KEYS], row[_KEYS:-2], *row[-2:]), found.get(row[:_KEYS])
            found[row[:_KEYS]] = one if there is None else _both(there, one)
        for row in db.execute(f"{_HELD}{whose}", values):
            there = found.get(row[:_KEYS]) or _key(row[:_KEYS])
            held = there.held + Decimal(row[_KEYS] or 0)
            found[row[:_KEYS]] = there._replace(requests=there.requests + 1, running=there.running + 1, held=held)
    return in_order(found.values())


def _whose(scope: Scope | None) -> tuple[str, tuple[str, ...]]:
    if scope is None:
        return "", ()
    if scope.owner is None:
        return " AND workspace = ?", (scope.workspace or "",)
    return " AND workspace = ? AND caller = ?", (scope.workspace or "", scope.owner)


def _key(row: Sequence[str]) -> Tally:
    """A tally of nothing yet."""
    day, workspace, token, host, intent, provider, model, resolved, locality, cost_kind = row
    names = (workspace or None, token or None, host or None, intent, provider, model, resolved or None)
    return Tally(_date(day), *names, locality, cost_kind)


def _ended(key: Sequence[str], counts: Sequence[int], cost: str, held: str) -> Tally:
    completed, failed, uncertain, cancelled, unpriced, given, cached, out, reasoned, written, microseconds = counts
    return _key(key)._replace(
        requests=completed + failed + uncertain + cancelled,
        completed=completed,
        failed=failed,
        uncertain=uncertain,
        cancelled=cancelled,
        unpriced=unpriced,
        input_tokens=given,
        cached_input_tokens=cached,
        output_tokens=out,
        reasoning_tokens=reasoned,
        cache_write_tokens=written,
        cost=Decimal(cost),
        held=Decimal(held),
        seconds=microseconds / 1e6,
    )


def _both(one: Tally, other: Tally) -> Tally:
    """The sum of two that differ in nothing but who called."""
    return one._replace(**{name: getattr(one, name) + getattr(other, name) for name in Tally._fields[_KEYS:]})


@lru_cache(maxsize=1024)
def _date(day: str) -> date:
    return date.fromisoformat(day)


def in_order(found: Iterable[Tally]) -> tuple[Tally, ...]:
    """By their keys; what is None comes first."""
    return tuple(sorted(found, key=lambda one: (one.day, *(field or "" for field in one[1:_KEYS]))))
