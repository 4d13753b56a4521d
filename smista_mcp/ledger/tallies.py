"""What attempts that have a key in common have used together, by the UTC day on which they began."""

import sqlite3
from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from typing import Any, NamedTuple

from smista_mcp.ledger.queries import within
from smista_mcp.ledger.records import Scope


class Tally(NamedTuple):
    """Sums of attempts. Amounts are USD."""

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
    requests: int
    completed: int
    failed: int
    uncertain: int
    cancelled: int
    running: int
    unpriced: int
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int
    cache_write_tokens: int
    cost: Decimal
    held: Decimal
    seconds: float
    unreported: int = 0


def read_tallies(db: sqlite3.Connection, since: date, until: date, scope: Scope | None) -> Iterator[Tally]:
    """One for each attempt."""
    condition, values = within(scope)
    own = f" AND d.sequence IN (SELECT sequence FROM decision WHERE TRUE{condition})" if condition else ""  # noqa: S608
    rows = db.execute(
        "SELECT a.started_at, a.workspace, a.token, d.host, a.intent, a.provider, a.model, a.resolved_model,"  # noqa: S608
        " a.locality, a.cost_kind, a.status, a.input_tokens, a.cached_input_tokens, a.output_tokens, a.reasoning_tokens,"
        " a.cache_write_tokens, a.cost, a.reserved FROM attempt a LEFT JOIN trace t ON t.trace_id = a.trace_id"
        " LEFT JOIN decision d ON d.sequence = t.decision WHERE substr(a.started_at, 1, 10) BETWEEN ? AND ?"
        f"{own} ORDER BY a.sequence",
        (since.isoformat(), until.isoformat(), *values),
    )
    for row in rows:
        status, tokens, cost, reserved = row[10], row[11:16], row[16], row[17]
        counts = [status == one for one in ("completed", "failed", "uncertain", "cancelled", "running")]
        values: list[Any] = [date.fromisoformat(row[0][:10]), *row[1:10], 1, *map(int, counts)]
        values += [int(status == "completed" and cost is None), *(count or 0 for count in tokens), Decimal(cost or 0)]
        values += [Decimal(reserved or 0) if cost is None and status != "failed" else Decimal(0), 0.0]
        yield Tally(*values, int(status == "completed" and tokens[0] is None and tokens[2] is None))
