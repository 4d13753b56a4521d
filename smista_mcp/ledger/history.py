"""What was done lately and what it used, for one scope."""

import sqlite3
from collections.abc import Iterable
from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from smista_mcp.ledger.database import reading
from smista_mcp.ledger.queries import DECISIONS, within
from smista_mcp.ledger.records import Scope, StoredDecision, TokenCounts
from smista_mcp.ledger.spending import timestamp


class UsedAttempt(NamedTuple):
    """What an attempt has used. Amounts are decimal strings; times UTC, ISO 8601."""

    model: str
    locality: str
    status: str
    cost: str | None
    started_at: str
    usage: TokenCounts


_Row = tuple[str, str, str, str | None, str, int | None, int | None, int | None, int | None]


class History:
    """The past of one ledger.

    Every method raises `StateUnavailable` where the ledger cannot be read.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def decisions(self, scope: Scope, most: int) -> tuple[StoredDecision, ...]:
        """The decisions of a scope that were recorded last, newest first."""
        condition, values = within(scope)
        query = f"{DECISIONS} WHERE TRUE{condition} ORDER BY sequence DESC LIMIT ?"
        with reading(self._folder, self._busy_s) as db:
            return tuple(StoredDecision(*row) for row in db.execute(query, (*values, max(most, 0))))

    def attempts(self, scope: Scope, since: datetime) -> tuple[UsedAttempt, ...]:
        """The attempts of a scope that began at `since` or later, oldest first.

        Of a scope with an owner those alone whose decision is on record: nobody knows whose the others are.
        """
        with reading(self._folder, self._busy_s) as db:
            return tuple(
                UsedAttempt(*row[:5], usage=TokenCounts(*row[5:9])) for row in _attempts(db, scope, timestamp(since))
            )


def _attempts(db: sqlite3.Connection, scope: Scope, since: str) -> Iterable[_Row]:
    query = (
        "SELECT coalesce(resolved_model, model), locality, status, cost, started_at,"
        " input_tokens, cached_input_tokens, output_tokens, reasoning_tokens"
        " FROM attempt WHERE started_at >= ? AND workspace IS ?"
    )
    if scope.owner is None:
        return db.execute(f"{query} ORDER BY sequence", (since, scope.workspace))
    condition, values = within(scope)
    own = f"SELECT trace_id FROM trace WHERE decision IN (SELECT sequence FROM decision WHERE TRUE{condition})"  # noqa: S608  our own words
    return db.execute(f"{query} AND trace_id IN ({own}) ORDER BY sequence", (since, scope.workspace, *values))
