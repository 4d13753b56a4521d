"""A look at the state folder that makes, mends and migrates nothing: what `doctor` tells of the ledger."""

import os
import shutil
import sqlite3
import stat
import sys
import time
from collections.abc import Callable
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import TypeVar

from smista_mcp.core.diagnosis.ledgers import Held, LedgerFacts
from smista_mcp.core.diagnosis.marks import place
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger.database import FILE, MIGRATIONS, reported_database
from smista_mcp.ledger.projections import differing
from smista_mcp.ledger.spending import register

T = TypeVar("T")

_BUSY_S = 0.5
_STEPS = 10_000
"""Steps of SQLite's machine between two looks at the time."""


def inspect(state: Path, limit_s: float) -> LedgerFacts:
    """What there is in a state folder.

    Args:
        state: the folder, which need not be there.
        limit_s: seconds that SQLite's check of the file may take.
    """
    folder = state.absolute()
    seen = LedgerFacts(str(folder), folder=_held(folder, stat.S_ISDIR), known=len(MIGRATIONS))
    if seen.folder is None:
        return seen
    file, key = folder / FILE, folder / "key"
    seen = seen._replace(file=_held(file, stat.S_ISREG), key=_held(key, stat.S_ISREG), free=_free(folder))
    if seen.file is None or not seen.file.plain or not seen.file.size:
        return seen
    try:
        with reported_database(file):
            return _looked_into(file, seen, limit_s)
    except StateUnavailable as unusable:
        message = unusable.message.replace(f"`{file}`", place(str(file)))
        return seen._replace(failure=(message, unusable.fix))


def _held(path: Path, kind: Callable[[int], bool]) -> Held | None:
    try:
        info = path.lstat()
    except OSError:
        return None
    foreign = sys.platform != "win32" and info.st_uid != os.geteuid()
    mode = 0 if sys.platform == "win32" else stat.S_IMODE(info.st_mode)
    return Held(str(path), mode, foreign, kind(info.st_mode), info.st_size)


def _free(folder: Path) -> int | None:
    try:
        return shutil.disk_usage(folder).free
    except OSError:
        return None


def _looked_into(file: Path, seen: LedgerFacts, limit_s: float) -> LedgerFacts:
    # mode=rw and not ro: a journal that a crash left behind has to be played back before anything can be read
    with closing(sqlite3.connect(f"{file.as_uri()}?mode=rw", uri=True, timeout=_BUSY_S, isolation_level=None)) as db:
        journal: tuple[str] = db.execute("PRAGMA journal_mode").fetchone()
        version: tuple[int] = db.execute("PRAGMA user_version").fetchone()
        seen = seen._replace(journal=journal[0], version=version[0])
        if _is_held(db):
            return seen._replace(locked=True)
        if seen.version > seen.known:
            return seen
        end = time.monotonic() + limit_s
        db.set_progress_handler(lambda: int(time.monotonic() > end), _STEPS)
        seen = seen._replace(whole=_finished(lambda: _checked(db)))
        if seen.whole not in ("ok", None):
            return seen
        if seen.version == seen.known:
            seen = seen._replace(differing=_finished(lambda: _compared(db)))
        db.set_progress_handler(None, 0)
        count: tuple[int, str | None] = db.execute("SELECT count(*), max(at) FROM decision").fetchone()
        return seen._replace(decisions=count[0], latest=_seconds(count[1]))


def _is_held(db: sqlite3.Connection) -> bool:
    """Whether nobody can write now; the lock that is taken to find out is let go at once."""
    try:
        db.execute("BEGIN IMMEDIATE")
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_BUSY:
            return True
        raise
    db.execute("ROLLBACK")
    return False


def _checked(db: sqlite3.Connection) -> str:
    """What SQLite's own check says."""
    row: tuple[str] = db.execute("PRAGMA integrity_check(1)").fetchone()
    return row[0]


def _compared(db: sqlite3.Connection) -> tuple[str, ...]:
    """What is kept beside the events and is not what they say."""
    register(db)
    return differing(db)


def _finished(look: Callable[[], T]) -> T | None:
    """What a look finds; None where it was not finished in time."""
    try:
        return look()
    except sqlite3.OperationalError as error:
        if error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_INTERRUPT:
            return None
        raise


def _seconds(at: str | None) -> float | None:
    try:
        return datetime.fromisoformat(at).timestamp() if at else None
    except ValueError:
        return None
