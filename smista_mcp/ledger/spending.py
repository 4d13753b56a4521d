"""How much has been spent in a scope. Amounts are exact decimals, as text in the database and as `Decimal` here.

What has ended is found in totals of days and months, what runs in its hold. An attempt counts with its cost. Without
one it counts with what was reserved for it: it runs, or it may have been charged. Only an attempt that failed counts
nothing then: it was refused before anybody could charge it.
"""

import sqlite3
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from decimal import Context, Decimal, localcontext
from typing import Final, NamedTuple

from smista_mcp.core.costing import plain
from smista_mcp.core.globs import name_matches
from smista_mcp.core.values import FAMILY, Intent

EXACT: Final = Context(prec=100)
"""More digits than any sum of amounts has, so that nothing is rounded."""


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

    From the first moment of a UTC day on this takes as long in a large ledger as in a small one; from another moment
    the attempts of that day are looked at one by one.

    Raises:
        ValueError: there is no such scope.
    """
    kind, _, name = scope.partition(":")
    wanted = _wanted(kind, name, workspace)
    if wanted is None:
        raise ValueError(f"there is no scope `{scope}`")
    start = timestamp(since)
    day, whole = start[:10], start[10:].startswith("T00:00:00.000000")
    with localcontext(EXACT):
        total = sum((Decimal(found) for found in _kept(db, wanted, day, later=not whole)), Decimal(0))
        for counted in _open(db, start) if whole else (*_open(db, start), *_ended(db, start)):
            if counted[0] is not None and wanted.takes_in(*counted[1:]):
                total += Decimal(counted[0])
    return total


class _Wanted(NamedTuple):
    """What a scope counts: attempts whose name, of some kind, is one of these."""

    kind: str
    names: frozenset[str] = frozenset({""})
    pattern: str = ""

    def takes_in(self, workspace: str | None, token: str | None, intent: str, *models: str | None) -> bool:
        """Whether an attempt counts; `models` are the names that its model goes by."""
        match self.kind:
            case "all":
                return True
            case "model":
                return any(one and name_matches(self.pattern, one) for one in models)
            case _:
                return ({"project": workspace, "token": token, "intent": intent}[self.kind] or "") in self.names


def _wanted(kind: str, name: str, workspace: str | None) -> _Wanted | None:
    match kind:
        case "all":
            return _Wanted(kind)
        case "project":
            return _Wanted(kind, frozenset({workspace or ""}))
        case "token":
            return _Wanted(kind, frozenset({name}))
        case "intent":  # a family takes in its refinements, as in a rule
            wanted = Intent(name)
            return _Wanted(kind, frozenset(one.value for one in Intent if wanted in (one, FAMILY[one])))
        case "model":
            return _Wanted(kind, pattern=name)
        case _:
            return None


_DAYS: Final = (
    "WITH RECURSIVE days (day) AS (SELECT min(day) FROM spending WHERE day {} ?"
    " UNION ALL SELECT (SELECT min(s.day) FROM spending s WHERE s.day > days.day) FROM days WHERE day IS NOT NULL)"
    " SELECT amount, name, resolved_model, said_model FROM days JOIN spending USING (day) WHERE kind = ?"
)
"""From day to day, and of each day what is wanted alone."""


def _kept(db: sqlite3.Connection, wanted: _Wanted, first: str, *, later: bool) -> Iterator[str]:
    """The totals of whole days; `later` without the first."""
    query, values = _DAYS.format(">" if later else ">="), [first, wanted.kind]
    if wanted.kind != "model":
        query += f" AND name IN ({', '.join('?' * len(wanted.names))})"
        values += sorted(wanted.names)
    rows: Iterable[tuple[str, *tuple[str, ...]]] = db.execute(query, values)
    known: dict[tuple[str, ...], bool] = {}
    for found, *names in rows:
        key = tuple(names)
        if key not in known:
            known[key] = wanted.kind != "model" or wanted.takes_in("", "", "", *names)
        if known[key]:
            yield found


_Counted = tuple[str | None, str | None, str | None, str, *tuple[str | None, ...]]
"""Amount; workspace, token, intent, and the names of the model: as written, as resolved, as the server says it."""


def _open(db: sqlite3.Connection, start: str) -> Iterable[_Counted]:
    return db.execute(
        "SELECT reserved, workspace, token, intent, model, resolved_model FROM hold WHERE started_at >= ?", (start,)
    )


def _ended(db: sqlite3.Connection, start: str) -> Iterable[_Counted]:
    """What ended of the day of a moment, from then on."""
    return db.execute(
        "SELECT CASE WHEN cost IS NOT NULL OR status = 'failed' THEN cost ELSE reserved END, workspace, token, intent,"
        " model, resolved_model, said_model FROM attempt"
        " WHERE status != 'running' AND started_at >= ? AND substr(started_at, 1, 10) = ?",
        (start, start[:10]),
    )


# --------------------------------------------------------------------------------------------- what SQL cannot do


def register(db: sqlite3.Connection) -> None:
    """Gives a connection the functions that statements of the ledger call."""
    db.create_function("exact_added", 2, exact_added, deterministic=True)
    db.create_function("canonical", 1, canonical, deterministic=True)
    db.create_function("microseconds", 2, microseconds, deterministic=True)
    db.create_aggregate("exact_sum", 1, _ExactSum)  # pyright: ignore[reportArgumentType]  its step takes what the column holds


def canonical(amount: str) -> str:
    """An amount written so that equal ones are equal texts."""
    return format(Decimal(amount).normalize(EXACT), "f")


def exact_added(one: str, other: str) -> str:
    """The sum of two amounts."""
    return format(EXACT.add(Decimal(one), Decimal(other)), "f")


def microseconds(start: str, end: str | None) -> int:
    """How long it took; 0 where the end is not known, or the clock was set back meanwhile."""
    if end is None:
        return 0
    took = datetime.fromisoformat(end) - datetime.fromisoformat(start)
    return max((took.days * 86_400 + took.seconds) * 1_000_000 + took.microseconds, 0)


class _ExactSum:
    def __init__(self) -> None:
        self._sum = Decimal(0)

    def step(self, amount: str | None) -> None:
        if amount is not None:
            self._sum = EXACT.add(self._sum, Decimal(amount))

    def finalize(self) -> str:
        return canonical(str(self._sum))
