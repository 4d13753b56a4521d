"""How rows are found and read back as values."""

import re
import sqlite3
from pathlib import Path
from typing import Final

from smista_mcp.errors import NotFound
from smista_mcp.ledger.living import is_alive
from smista_mcp.ledger.records import Partial, Scope, StoredAttempt, StoredDecision, StoredTrace, TokenCounts

_ID: Final = re.compile(r"[0-9a-f]{8,64}")
_PAST_HEX: Final = "g"
"""Sorts behind every hexadecimal digit: all ids that begin with `x` lie between `x` and `x` + this."""

DECISIONS: Final = (
    "SELECT sequence, call_id, decision_id, phase, at, host, workspace, text_digest, facts, body FROM decision"
)

TraceRow = tuple[str, str, int | None, str]
"""Id, id of the decision, its sequence number where it was recorded, time."""


def read_decisions(db: sqlite3.Connection, clause: str, value: str | int) -> tuple[StoredDecision, ...]:
    """Decisions, by the end of a query with one place for a value."""
    return tuple(StoredDecision(*row) for row in db.execute(f"{DECISIONS} {clause}", (value,)))


def find_decision(db: sqlite3.Connection, given: str, scope: Scope | None = None) -> StoredDecision:
    """The newest recording of the decision that an id, or the beginning of one, stands for, in a scope.

    Raises:
        NotFound: none, or several.
    """
    condition, values = within(scope)
    found: list[tuple[str]] = db.execute(
        f"SELECT DISTINCT decision_id FROM decision WHERE decision_id >= ? AND decision_id < ?{condition} LIMIT 2",  # noqa: S608  our own words
        (*id_range(given), *values),
    ).fetchall()
    _expect_one("decision", given, len(found))
    newest: list[tuple[int]] = db.execute(
        f"SELECT max(sequence) FROM decision WHERE decision_id = ?{condition}",  # noqa: S608  our own words
        (found[0][0], *values),
    ).fetchall()
    return read_decisions(db, "WHERE sequence = ?", newest[0][0])[0]


def within(scope: Scope | None) -> tuple[str, tuple[str | None, ...]]:
    """The end of a condition on decisions, and its values."""
    if scope is None:
        return "", ()
    if scope.owner is None:
        return " AND workspace IS ?", (scope.workspace,)
    return " AND workspace IS ? AND json_extract(facts, '$.owner') = ?", (scope.workspace, scope.owner)


def find_trace(db: sqlite3.Connection, given: str, scope: Scope | None = None) -> TraceRow:
    """The trace that an id, or the beginning of one, stands for; in a scope, if one is given.

    Raises:
        NotFound: none, or several.
    """
    own, values = within(scope)
    owned = f" AND decision IN (SELECT sequence FROM decision WHERE TRUE{own})" if own else ""  # noqa: S608  our own words
    found: list[TraceRow] = db.execute(
        f"SELECT trace_id, decision_id, decision, at FROM trace WHERE trace_id >= ? AND trace_id < ?{owned} LIMIT 2",  # noqa: S608  our own words
        (*id_range(given), *values),
    ).fetchall()
    _expect_one("trace", given, len(found))
    return found[0]


def read_trace(db: sqlite3.Connection, row: TraceRow) -> StoredTrace:
    """A trace with its decision and its attempts."""
    from smista_mcp.core.receipt import Receipt  # noqa: PLC0415  what only routes has none

    trace_id, decision_id, sequence, at = row
    decision = None if sequence is None else read_decisions(db, "WHERE sequence = ?", sequence)[0]
    rows = db.execute(
        "SELECT attempt_id, trace_id, phase, intent, model, coalesce(said_model, resolved_model), provider, locality,"
        " workspace, token,"
        " started_at, ended_at, status, code, reserved, cost, cost_kind,"
        " input_tokens, cached_input_tokens, output_tokens, reasoning_tokens, cache_write_tokens,"
        " CASE WHEN unsent THEN json_set(receipt, '$.departed', json('false')) ELSE receipt END,"
        " partial_bytes, partial_sha256, cause, http_status,"
        " (SELECT f.followup FROM followed_up f WHERE f.attempt = attempt.sequence AND f.followup IS NOT NULL"
        " ORDER BY f.number DESC LIMIT 1), (SELECT f.wait_s FROM followed_up f"
        " WHERE f.attempt = attempt.sequence AND f.wait_s IS NOT NULL ORDER BY f.number DESC LIMIT 1)"
        " FROM attempt WHERE trace_id = ? ORDER BY sequence",
        (trace_id,),
    )
    attempts = tuple(
        StoredAttempt(
            *row[:17],
            usage=TokenCounts(*row[17:22]),
            receipt=Receipt.model_validate_json(row[22]),
            partial=None if row[23] is None else Partial(*row[23:25]),
            cause=row[25],
            http_status=row[26],
            followup=row[27],
            wait_s=row[28],
        )
        for row in rows
    )
    return StoredTrace(trace_id, decision_id, at, decision, attempts)


def dead_owners(db: sqlite3.Connection, folder: Path) -> tuple[str | None, ...]:
    """The owners of running attempts and jobs that live no more; None stands for rows of versions that had no owners.

    Raises:
        StateUnavailable: that cannot be told.
    """
    owners: list[tuple[str | None]] = db.execute(
        "SELECT owner FROM hold UNION SELECT keeper FROM job INDEXED BY job_running WHERE status = 'running'"
    ).fetchall()
    return tuple(name for (name,) in owners if name is None or not is_alive(folder, name))


def id_range(given: str) -> tuple[str, str]:
    """The bounds between which ids that begin so lie.

    Raises:
        NotFound: it cannot be the beginning of an id.
    """
    start = given.strip().lower()
    if not _ID.fullmatch(start):
        fix = "write the id as it was shown, or at least its first 8 characters"
        raise NotFound(f"`{given[:80]}` is no id: that is 8 characters or more of 0-9 and a-f", fix=fix)
    return start, start + _PAST_HEX


def _expect_one(kind: str, given: str, found: int) -> None:
    if found == 0:
        raise NotFound(f"there is no {kind} `{given}`", fix="look whether it was recorded under another SMISTA_HOME")
    if found > 1:
        raise NotFound(f"`{given}` stands for more than one {kind}", fix="write more of its characters")
