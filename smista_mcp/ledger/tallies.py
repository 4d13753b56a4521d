"""What attempts have used, day by day: the sums that `usage` and the evidence of outcomes are made from."""

import sqlite3
from collections.abc import Iterable
from datetime import date, datetime
from decimal import Decimal, localcontext
from typing import NamedTuple

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
_TOKENS = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "cache_write_tokens")


class _Used(NamedTuple):
    status: str
    started_at: str
    ended_at: str | None
    cost: str | None
    reserved: str | None
    tokens: tuple[int | None, ...]


def read_tallies(db: sqlite3.Connection, since: date, until: date, scope: Scope | None) -> tuple[Tally, ...]:
    """The tallies of some days; as for `Ledger.tallies`."""
    query = (
        "SELECT substr(started_at, 1, 10), a.workspace, token, d.host, intent, provider, model, resolved_model,"
        " locality, cost_kind, a.status, started_at, ended_at, cost, reserved,"
        " input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cache_write_tokens"
        " FROM attempt a JOIN trace t USING (trace_id) LEFT JOIN decision d ON d.sequence = t.decision"
        " WHERE started_at >= ? AND substr(started_at, 1, 10) <= ?"
    )
    values: list[str | None] = [since.isoformat(), until.isoformat()]
    if scope is not None:
        query += " AND a.workspace IS ?"
        values.append(scope.workspace)
        if scope.owner is not None:
            query += " AND json_extract(d.facts, '$.owner') = ?"
            values.append(scope.owner)
    found: dict[tuple[str | None, ...], Tally] = {}
    with localcontext(EXACT):
        for row in db.execute(query, values):
            key = row[:_KEYS]
            one = found.get(key) or Tally(date.fromisoformat(row[0]), *row[1:_KEYS])
            found[key] = _with(one, _Used(*row[_KEYS : _KEYS + 5], tokens=row[_KEYS + 5 :]))
    return in_order(found.values())


def in_order(found: Iterable[Tally]) -> tuple[Tally, ...]:
    """By their keys; what is None comes first."""
    return tuple(sorted(found, key=lambda one: (one.day, *(field or "" for field in one[1:_KEYS]))))


def _with(one: Tally, used: _Used) -> Tally:
    counted: dict[str, object] = {used.status: getattr(one, used.status) + 1, "requests": one.requests + 1}
    for name, more in zip(_TOKENS, used.tokens, strict=True):
        counted[name] = getattr(one, name) + (more or 0)
    if used.cost is not None:
        counted["cost"] = one.cost + Decimal(used.cost)
    elif used.status != "failed":
        counted["held"] = one.held + Decimal(used.reserved or 0)
        counted["unpriced"] = one.unpriced + (used.status == "completed")
    if used.ended_at is not None:
        took = datetime.fromisoformat(used.ended_at) - datetime.fromisoformat(used.started_at)
        counted["seconds"] = one.seconds + max(took.total_seconds(), 0.0)
    return one._replace(**counted)
