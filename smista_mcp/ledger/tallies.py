"""What attempts have used, day by day: the sums that `usage` and the evidence of outcomes are made from."""

import sqlite3
from datetime import date
from decimal import Decimal, localcontext
from functools import lru_cache
from operator import itemgetter
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
        resolved_model: the one that it stood for, as its reservation was checked by; not what the server said.
        requests: attempts; each is one of completed, failed, uncertain, cancelled or running.
        unpriced: completed ones of which nobody knows what they cost.
        abandoned: cancelled ones of which nobody knows what they cost, where somebody may pay.
        input_tokens: as the provider counted, like the other four; 0 where it did not say.
        served: completed ones of which nobody says that they were of no use; the five after it are their tokens.
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
    abandoned: int = 0
    input_tokens: int = 0
    cached_input_tokens: int = 0
    output_tokens: int = 0
    reasoning_tokens: int = 0
    cache_write_tokens: int = 0
    served: int = 0
    served_input_tokens: int = 0
    served_cached_input_tokens: int = 0
    served_output_tokens: int = 0
    served_reasoning_tokens: int = 0
    served_cache_write_tokens: int = 0
    cost: Decimal = Decimal(0)
    held: Decimal = Decimal(0)
    seconds: float = 0.0


_KEYS = 10
"""Fields of a tally that tell it from others."""
_NAMES: Final = (
    "nullif(workspace, ''), nullif(token, ''), nullif(host, ''), intent, provider, model, nullif(resolved_model, ''),"
    " locality, cost_kind"
)
_ENDED: Final = (
    f"SELECT day, {_NAMES}, completed + failed + uncertain + cancelled, completed, failed, uncertain, cancelled, 0,"  # noqa: S608  our own words
    f" {', '.join(COUNTS[COUNTS.index('unpriced') : -1])},"
    " microseconds / 1e6, cost, held FROM tally WHERE day BETWEEN ? AND ?"
)
_HELD: Final = f"SELECT substr(started_at, 1, 10) AS day, {_NAMES}, reserved FROM hold WHERE day BETWEEN ? AND ?"  # noqa: S608  as above


def read_tallies(db: sqlite3.Connection, since: date, until: date, scope: Scope | None) -> tuple[Tally, ...]:
    """The tallies of some days; as for `Ledger.tallies`."""
    whose, values = _whose(scope)
    values = (since.isoformat(), until.isoformat(), *values)
    found: dict[tuple[str | None, ...], Tally] = {}
    with localcontext(EXACT):
        for row in db.execute(f"{_ENDED}{whose}", values):
            one = Tally._make((_date(row[0]), *row[1:-3], Decimal(row[-2]), Decimal(row[-1]), row[-3]))
            there = found.get(row[:_KEYS])
            found[row[:_KEYS]] = one if there is None else _both(there, one)
        for row in db.execute(f"{_HELD}{whose}", values):
            there = found.get(row[:_KEYS]) or Tally(_date(row[0]), *row[1:_KEYS])
            held = there.held + Decimal(row[_KEYS] or 0)
            found[row[:_KEYS]] = there._replace(requests=there.requests + 1, running=there.running + 1, held=held)
    return tuple(sorted(found.values(), key=itemgetter(0)))


def _whose(scope: Scope | None) -> tuple[str, tuple[str, ...]]:
    if scope is None:
        return "", ()
    if scope.owner is None:
        return " AND workspace = ?", (scope.workspace or "",)
    return " AND workspace = ? AND caller = ?", (scope.workspace or "", scope.owner)


def _both(one: Tally, other: Tally) -> Tally:
    """The sum of two that differ in nothing but who called."""
    return one._replace(**{name: getattr(one, name) + getattr(other, name) for name in Tally._fields[_KEYS:]})


@lru_cache(maxsize=1024)
def _date(day: str) -> date:
    return date.fromisoformat(day)
