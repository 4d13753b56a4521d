"""How what was reserved for an attempt ends: one row more, its hold gone, and totals that know of it."""

import sqlite3
from collections.abc import Sequence
from typing import Final, NamedTuple

from smista_mcp.errors import Code
from smista_mcp.ledger.projections import Ended, add, key_of
from smista_mcp.ledger.records import TokenCounts
from smista_mcp.ledger.spending import microseconds

_KEY: Final = "workspace, caller, token, host, intent, provider, model, resolved_model, locality, cost_kind"
_SETTLED: Final = "INSERT INTO settled VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)"


class Outcome(NamedTuple):
    """An end as its row has it.

    Attributes:
        ended_at: None where nobody knows.
        resolved_model: what the server said.
    """

    status: str
    ended_at: str | None
    code: str | None
    usage: TokenCounts = TokenCounts()
    cost: str | None = None
    resolved_model: str | None = None
    unsent: int = 0
    partial_bytes: int | None = None
    partial_sha256: str | None = None
    cause: str | None = None
    http_status: int | None = None
    cut: str | None = None


def settle(db: sqlite3.Connection, which: str, values: Sequence[object], end: Outcome) -> int:
    """Ends open attempts in the transaction that is open: the first end of each stands.

    Args:
        db: where they are.
        which: a condition on their holds.
        values: for its places.
        end: the same for all of them.

    Returns:
        how many were open.
    """
    query = f"SELECT attempt, reserved, started_at, {_KEY} FROM hold WHERE {which}"  # noqa: S608  conditions of this package
    holds: list[tuple[int, str | None, str, *tuple[str, ...]]] = db.execute(query, tuple(values)).fetchall()
    row = (end.status, end.ended_at, end.code, *end.usage, *end[4:])
    for attempt, reserved, *key in holds:
        db.execute(_SETTLED, (attempt, *row))
        db.execute("DELETE FROM hold WHERE attempt = ?", (attempt,))
        took = microseconds(key[0], end.ended_at)
        held = reserved if end.cost is None and end.status != "failed" else None
        serves = end.status == "completed" and end.cause is None and not _is_useless(db, attempt)
        add(db, Ended(key_of(key, end.resolved_model), end.status, end.usage, took, end.cost, held, serves))
    return len(holds)


def _is_useless(db: sqlite3.Connection, attempt: int) -> bool:
    """Whether somebody said so before it ended on record."""
    known = db.execute("SELECT 1 FROM followed_up WHERE attempt = ? AND cause IS NOT NULL", (attempt,)).fetchone()
    return known is not None


def bury(db: sqlite3.Connection, owners: Sequence[str | None]) -> None:
    """Makes uncertain what the dead have left running: it may have been charged. When it ended nobody knows.

    Their jobs have failed: nobody will ever answer them.
    """
    for name in owners:
        settle(db, "owner IS ?", (name,), Outcome("uncertain", None, Code.CANCELLED.value))
        jobs = db.execute("SELECT job_id FROM job WHERE status = 'running' AND keeper = ?", (name,)).fetchall()
        for (job_id,) in jobs:
            end_job(db, job_id, "failed", Code.CANCELLED.value, None)


def end_job(db: sqlite3.Connection, job_id: str, status: str, code: str | None, at: str | None) -> None:
    """Ends a job in the transaction that is open; nothing where it is not on record."""
    changed = db.execute(
        "UPDATE job SET status = ?, code = ?, ended_at = ? WHERE job_id = ?", (status, code, at, job_id)
    )
    if changed.rowcount:
        db.execute(
            "INSERT INTO job_event (job_id, event, at, status, code) VALUES (?, 'ended', ?, ?, ?)",
            (job_id, at, status, code),
        )
