"""The evidence that decisions see: counted once a UTC day, kept under its hash, held or begun anew as people say.

What a day's decisions see is counted from attempts that began before that day, by what was said of them before it; the
first who asks counts, and all others of the day see the same. Nothing changes within a day but by a word of a person:
`freeze` holds what is in force until `thaw`, and `reset` lets only what begins after it count.
"""

import sqlite3
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple

from smista_mcp.core.evidence import Evidence
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger.database import reading, writing
from smista_mcp.ledger.outcomes import read_tried
from smista_mcp.ledger.spending import timestamp

Event = Literal["frozen", "thawed", "reset"]
_DAY: Final = len("2026-11-20")


class Standing(NamedTuple):
    """What holds now.

    Attributes:
        frozen: hash of the evidence that is held; None where none is.
        frozen_at: since when, UTC, ISO 8601.
        reset: number of the last reset; 0 where there was none.
        reset_at: when that was.
    """

    frozen: str | None = None
    frozen_at: str | None = None
    reset: int = 0
    reset_at: str | None = None


class EvidenceBook:
    """The evidence of one ledger.

    Every method raises `StateUnavailable` where the ledger cannot be read or written.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def current(self, now: datetime, window_days: int, *, keep: bool = True) -> Evidence:
        """What decisions see now: what is held, or else what was counted for this day, which is done if need be.

        Args:
            now: the time.
            window_days: how many days before this one count.
            keep: whether a count is written down, so that it stands for the rest of the day.
        """
        day = timestamp(now)[:_DAY]
        with reading(self._folder, self._busy_s) as db:
            held = _standing(db)
            body = _kept(db, held, day, window_days)
            if body is None and not keep:
                return _counted(db, held, day, window_days)
        if body is not None:
            return _read(body)
        with writing(self._folder, self._busy_s) as db:
            held = _standing(db)
            body = _kept(db, held, day, window_days)
            if body is not None:  # another process was faster
                return _read(body)
            found = _counted(db, held, day, window_days)
            _keep(db, held, found, now)
        return found

    def standing(self) -> Standing:
        """Whether evidence is held, and when it was last begun anew."""
        with reading(self._folder, self._busy_s) as db:
            return _standing(db)

    def since(self, now: datetime, window_days: int) -> datetime:
        """From when on attempts count now."""
        start = now - timedelta(days=window_days)
        reset_at = self.standing().reset_at
        return start if reset_at is None else max(start, datetime.fromisoformat(reset_at))

    def body(self, digest: str) -> Evidence | None:
        """Evidence by its hash; None where it is not kept."""
        with reading(self._folder, self._busy_s) as db:
            row = db.execute("SELECT body FROM evidence WHERE digest = ?", (digest,)).fetchone()
        return None if row is None else _read(row[0])

    def freeze(self, now: datetime, window_days: int) -> Evidence:
        """Holds what is in force, until `thaw`."""
        held = self.current(now, window_days)
        self._note("frozen", now, held.digest)
        return held

    def thaw(self, now: datetime) -> None:
        """From now on what is counted each day is in force again."""
        self._note("thawed", now)

    def reset(self, now: datetime) -> None:
        """From now on only attempts that begin later count, and nothing is held; the record itself stays."""
        self._note("reset", now)

    def _note(self, event: Event, now: datetime, digest: str | None = None) -> None:
        with writing(self._folder, self._busy_s) as db:
            db.execute(
                "INSERT INTO evidence_event (at, event, digest) VALUES (?, ?, ?)", (timestamp(now), event, digest)
            )


def _standing(db: sqlite3.Connection) -> Standing:
    held = Standing()
    for number, at, event, digest in db.execute("SELECT sequence, at, event, digest FROM evidence_event ORDER BY 1"):
        if event == "frozen":
            held = held._replace(frozen=digest, frozen_at=at)
        elif event == "thawed":
            held = held._replace(frozen=None, frozen_at=None)
        else:
            held = Standing(reset=number, reset_at=at)
    return held


def _kept(db: sqlite3.Connection, held: Standing, day: str, window_days: int) -> str | None:
    if held.frozen is not None:
        row = db.execute("SELECT body FROM evidence WHERE digest = ?", (held.frozen,)).fetchone()
    else:
        row = db.execute(
            "SELECT body FROM evidence_day JOIN evidence USING (digest)"
            " WHERE until = ? AND window_days = ? AND epoch = ?",
            (day, window_days, held.reset),
        ).fetchone()
    return None if row is None else row[0]


def _counted(db: sqlite3.Connection, held: Standing, day: str, window_days: int) -> Evidence:
    first = date.fromisoformat(day) - timedelta(days=window_days)
    since = timestamp(datetime(first.year, first.month, first.day, tzinfo=UTC))
    tried = read_tried(db, max(since, held.reset_at or since), day)
    return Evidence.of(day, window_days, (one.cell for one in tried if one.good or one.bad))


def _keep(db: sqlite3.Connection, held: Standing, found: Evidence, now: datetime) -> None:
    """Writes down what this day sees."""
    db.execute(
        "INSERT INTO evidence (digest, body) SELECT ?1, ?2 WHERE NOT EXISTS (SELECT 1 FROM evidence WHERE digest = ?1)",
        (found.digest, found.body),
    )
    db.execute(
        "INSERT INTO evidence_day (until, window_days, epoch, taken_at, digest) VALUES (?, ?, ?, ?, ?)",
        (found.until, found.window_days, held.reset, timestamp(now), found.digest),
    )


def _read(body: str) -> Evidence:
    try:
        return Evidence.read(body)
    except ValueError as error:
        raise StateUnavailable("the evidence was counted by another version", fix="update smista-mcp") from error
