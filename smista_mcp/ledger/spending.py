"""How much has been spent in a scope. Amounts are exact decimals, as text in the database and as `Decimal` here.

An attempt counts with its cost. Without one it counts with what was reserved for it: it runs, or it may have been
charged. Only an attempt that failed counts nothing then: it was refused before anybody could charge it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from typing import Final

from smista_mcp.core.costing import plain
from smista_mcp.core.globs import name_matches
from smista_mcp.core.values import FAMILY, Intent

EXACT: Final = Context(prec=100)
"""More digits than any sum of amounts has, so that nothing is rounded."""

_Amounts = tuple[str, str | None, str | None]
"""Status, cost, reservation."""


def timestamp(moment: datetime) -> str:
    """UTC as ISO 8601 with microseconds, so that text sorts like time.

    Raises:
        ValueError: the moment has no time zone.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")


def amount(value: Decimal | None) -> str | None:
    """An amount as it is stored.

    Raises:
        ValueError: it is negative, infinite or no number.
    """
    if value is None:
        return None
    if not value.is_finite() or value < 0:
        raise ValueError("an amount is a finite number of at least 0")
    return plain(value)


def spent(db: sqlite3.Connection, scope: str, since: datetime, workspace: str | None) -> Decimal:
    """What attempts of `scope` that started at `since` or later have cost, or may still cost.

    Raises:
        ValueError: there is no such scope.
    """
    kind, _, name = scope.partition(":")
    start = timestamp(since)
    match kind:
        case "all":
            sql = "SELECT status, cost, reserved FROM attempt WHERE started_at >= ?"
            rows: Iterable[_Amounts] = db.execute(sql, (start,))
        case "project":
            sql = "SELECT status, cost, reserved FROM attempt WHERE started_at >= ? AND workspace IS ?"
            rows = db.execute(sql, (start, workspace))
        case "token":
            sql = "SELECT status, cost, reserved FROM attempt WHERE started_at >= ? AND token = ?"
            rows = db.execute(sql, (start, name))
        case "intent":
            rows = _of_intent(db, Intent(name), start)
        case "model":
            rows = _of_models(db, name, start)
        case _:
            raise ValueError(f"there is no scope `{scope}`")
    with localcontext(EXACT):
        return sum(_counted(rows), Decimal(0))


def _counted(rows: Iterable[_Amounts]) -> Iterator[Decimal]:
    for status, cost, reserved in rows:
        counted = cost if cost is not None or status == "failed" else reserved
        if counted is not None:
            yield Decimal(counted)


def _of_intent(db: sqlite3.Connection, wanted: Intent, start: str) -> Iterator[_Amounts]:
    """Attempts of an intent; a family takes in its refinements, as in a rule."""
    names = {intent.value for intent in Intent if wanted in (intent, FAMILY[intent])}
    rows: Iterable[tuple[str, str, str | None, str | None]] = db.execute(
        "SELECT intent, status, cost, reserved FROM attempt WHERE started_at >= ?", (start,)
    )
    return ((status, cost, reserved) for intent, status, cost, reserved in rows if intent in names)


def _of_models(db: sqlite3.Connection, pattern: str, start: str) -> Iterator[_Amounts]:
    """Attempts at models whose name, as written or resolved, matches a pattern."""
    names: Iterable[tuple[str, str | None]] = db.execute(
        "SELECT DISTINCT model, resolved_model FROM attempt WHERE started_at >= ?", (start,)
    )
    wanted = {pair for pair in names if any(name and name_matches(pattern, name) for name in pair)}
    rows: Iterable[tuple[str, str | None, str, str | None, str | None]] = db.execute(
        "SELECT model, resolved_model, status, cost, reserved FROM attempt WHERE started_at >= ?", (start,)
    )
    return ((status, cost, reserved) for model, resolved, status, cost, reserved in rows if (model, resolved) in wanted)
