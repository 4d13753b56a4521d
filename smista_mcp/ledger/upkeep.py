"""How the ledger stays small and right: what is too old goes, totals stay, and what follows from events is checked."""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from smista_mcp.ledger.database import FILE, MIGRATIONS, connected
from smista_mcp.ledger.guards import KEYS, held_again, let_go
from smista_mcp.ledger.projections import differing, rebuild
from smista_mcp.ledger.spending import timestamp

_DAY: Final = len("2026-11-20")
_LIGHT: Final = 500
"""Attempts, and decisions, that go in one transaction where others may be waiting for it."""
_ROUNDS: Final = 10
_STEPS: Final = (
    (
        "attempts",
        "SELECT s.attempt AS one FROM settled s JOIN begun b ON b.sequence = s.attempt WHERE b.started_at < :day"
        " ORDER BY 1 LIMIT :most",
        (
            "DELETE FROM followed_up WHERE attempt IN gone",
            "DELETE FROM settled WHERE attempt IN gone",
            "DELETE FROM begun WHERE sequence IN gone",
        ),
    ),
    (
        "traces",
        "SELECT trace_id AS one FROM trace t WHERE at < :day"
        " AND NOT EXISTS (SELECT 1 FROM begun b WHERE b.trace_id = t.trace_id) LIMIT :most",
        (
            "DELETE FROM answer_label WHERE trace_id IN gone",
            "DELETE FROM outcome WHERE trace_id IN gone",
            "DELETE FROM trace WHERE trace_id IN gone",
        ),
    ),
    (
        "jobs",
        "SELECT job_id AS one FROM job WHERE status != 'running' AND began_at < :day AND coalesce(ended_at, '') < :day"
        " AND NOT EXISTS (SELECT 1 FROM job_event e WHERE e.job_id = job.job_id AND e.at >= :day) LIMIT :most",
        (
            "DELETE FROM job_call WHERE job_id IN gone",
            "DELETE FROM job_event WHERE job_id IN gone",
            "DELETE FROM job WHERE job_id IN gone",
        ),
    ),
    (
        "decisions",
        "SELECT sequence AS one FROM decision d WHERE at < :day AND sequence < (SELECT max(sequence) FROM decision)"
        " AND NOT EXISTS (SELECT 1 FROM trace t WHERE t.decision = d.sequence)"
        " AND NOT EXISTS (SELECT 1 FROM job_call c WHERE c.call_id = d.call_id) ORDER BY 1 LIMIT :most",
        ("DELETE FROM decision WHERE sequence IN gone",),
    ),
    (
        "inputs",
        "SELECT rowid AS one FROM input i WHERE used_on < :day AND NOT EXISTS (SELECT 1 FROM decision d,"
        " json_each(d.body, '$.inputs') e WHERE d.at < :day AND e.key = i.name AND e.value = i.digest) LIMIT :most",
        ("DELETE FROM input WHERE rowid IN gone",),
    ),
    (
        "evidence",
        "SELECT rowid AS one FROM evidence_day WHERE until < :day LIMIT :most",
        (
            "DELETE FROM evidence_day WHERE rowid IN gone",
            "DELETE FROM evidence WHERE digest NOT IN (SELECT digest FROM evidence_day)"
            " AND digest NOT IN (SELECT digest FROM evidence_event WHERE digest IS NOT NULL)",
        ),
    ),
    (
        "approvals",
        "SELECT approval_id AS one FROM approval a WHERE at < :day AND NOT EXISTS"
        " (SELECT 1 FROM approval_event e WHERE e.approval_id = a.approval_id AND e.at >= :day) LIMIT :most",
        (
            "DELETE FROM approval_event WHERE approval_id IN gone",
            "DELETE FROM approval WHERE approval_id IN gone",
        ),
    ),
)
"""What goes, the dependent before what they depend on."""


class Swept(NamedTuple):
    """What a vacuum took away.

    Attributes:
        before: the first day that is kept, UTC; of days before it the totals are.
        rows: how many of what went.
        size: bytes of the file before it, and `left` after it.
    """

    before: str
    rows: dict[str, int]
    size: int
    left: int


class Checked(NamedTuple):
    """How a ledger is.

    Attributes:
        faults: what SQLite's own check found; empty where the file is whole.
        dangling: rows that refer to what is not there.
        differing: projections that are not what the events say.
        open: attempts that have not ended, each with its hold.
    """

    version: int
    faults: tuple[str, ...]
    dangling: int
    differing: tuple[str, ...]
    open: int

    @property
    def well(self) -> bool:
        return not (self.faults or self.dangling or self.differing)


class Upkeep:
    """Upkeep of one ledger. Every method raises `StateUnavailable` where it cannot be read or written.

    Args:
        folder: the state folder, absolute.
        busy_s: seconds to wait for others that hold the file.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def vacuum(self, keep_days: int, now: datetime, *, dry_run: bool = False) -> Swept:
        """Removes what is older than so many days, and gives its space back to the disk.

        What is open stays, whatever its age, and so does what it refers to. Totals stay for good.

        Args:
            keep_days: UTC days that are kept before today, or before the day of the newest row where that is earlier.
            now: the time.
            dry_run: only tell what would go; the file is as large after it as before.
        """
        size = (self._folder / FILE).stat().st_size
        with connected(self._folder, self._busy_s) as db:
            db.execute("BEGIN IMMEDIATE")
            before = _first_day(db, keep_days, now)
            rows = _sweep(db, before, now, most=-1)
            if dry_run:
                db.execute("ROLLBACK")
                return Swept(before, rows, size, size)
            db.execute("COMMIT")
            db.execute("VACUUM")
        return Swept(before, rows, size, (self._folder / FILE).stat().st_size)

    def tidy(self, keep_days: int, now: datetime) -> int:
        """Removes some of what is too old, at most once a day and little at a time; the file keeps its size.

        Returns:
            how many attempts and decisions went.
        """
        gone = 0
        with connected(self._folder, self._busy_s) as db:
            before = _first_day(db, keep_days, now)
            for number in range(_ROUNDS):
                if not _is_due(db, before, None if number else now):
                    break
                db.execute("BEGIN IMMEDIATE")
                rows = _sweep(db, before, now, most=_LIGHT)
                db.execute("COMMIT")
                gone += rows["attempts"] + rows["decisions"]
                if not any(rows.values()):
                    break
        return gone

    def check(self) -> Checked:
        """Looks at everything: the file, what refers to what, and whether totals and holds are what the events say."""
        with connected(self._folder, self._busy_s) as db:
            db.execute("BEGIN")
            faults = tuple(row[0] for row in db.execute("PRAGMA integrity_check") if row[0] != "ok")
            dangling = len(db.execute("PRAGMA foreign_key_check").fetchall())
            held: tuple[int] = db.execute("SELECT count(*) FROM hold").fetchone()
            found = Checked(len(MIGRATIONS), faults, dangling, () if faults else differing(db), held[0])
            db.execute("COMMIT")
        return found

    def mend(self) -> None:
        """Makes holds, totals and the standing of jobs anew from the events."""
        with connected(self._folder, self._busy_s) as db:
            db.execute("BEGIN IMMEDIATE")
            rebuild(db)
            db.execute("COMMIT")


def _first_day(db: sqlite3.Connection, keep_days: int, now: datetime) -> str:
    """The first day that is kept, counted from the newest row where the clock is ahead of it.

    A clock that is years ahead for an hour would else take everything away, and leave days of which nobody can tell
    any more whether their totals are right.
    """
    newest: tuple[str] = db.execute(
        "SELECT max(coalesce((SELECT at FROM decision ORDER BY sequence DESC LIMIT 1), ''),"
        " coalesce((SELECT started_at FROM begun ORDER BY sequence DESC LIMIT 1), ''))"
    ).fetchone()
    latest = min(now, datetime.fromisoformat(newest[0])) if newest[0] else now
    return timestamp(latest - timedelta(days=keep_days))[:_DAY]


def _is_due(db: sqlite3.Connection, before: str, now: datetime | None) -> bool:
    """Whether something is older than that, and with a time: whether nothing was removed since the day before."""
    old: tuple[int] = db.execute(
        "SELECT EXISTS (SELECT 1 FROM (SELECT at FROM decision ORDER BY sequence LIMIT 1) WHERE at < ?)"
        " OR EXISTS (SELECT 1 FROM (SELECT started_at FROM begun ORDER BY sequence LIMIT 1) WHERE started_at < ?)",
        (before, before),
    ).fetchone()
    last: tuple[str | None] = db.execute("SELECT max(at) FROM vacuumed").fetchone()
    waited = now is None or last[0] is None or last[0] <= timestamp(now - timedelta(days=1))
    return bool(old[0]) and waited


def _sweep(db: sqlite3.Connection, before: str, now: datetime, *, most: int) -> dict[str, int]:
    rows: dict[str, int] = {}
    db.execute("INSERT INTO vacuumed VALUES (?, ?)", (timestamp(now), before))
    with _unguarded(db):
        for name, which, statements in _STEPS:
            db.execute("CREATE TEMP TABLE gone (one PRIMARY KEY) WITHOUT ROWID")
            rows[name] = db.execute(f"INSERT INTO gone {which}", {"day": before, "most": most}).rowcount
            for statement in statements if rows[name] else ():
                db.execute(statement)
            db.execute("DROP TABLE gone")
    return rows


@contextmanager
def _unguarded(db: sqlite3.Connection) -> Generator[None]:
    """Lets events be removed inside the transaction that is open, and in nobody else's."""
    for table in KEYS:
        db.execute(let_go(table))
    yield
    for table in KEYS:
        db.execute(held_again(table))
