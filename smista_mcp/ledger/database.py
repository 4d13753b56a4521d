"""The SQLite file: how it is opened, its schema, and what its failures mean.

A connection is opened for each use and closed after it, but for the one through which a ledger writes. The journal is
a rollback journal, not a write-ahead log: SQLite before 3.51.3 can corrupt a database in WAL mode when two connections
write at once, which is what two servers with one ledger do. A newer SQLite does not help: the mode is kept in the file,
so that an older one beside it would write in it too. `synchronous = EXTRA` makes a commit survive a power cut; it takes
about 1 ms, in which the disk is waited for five times: journal, its folder, its head, the database, the head wiped.
"""

import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, Literal

from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger.approval_tables import APPROVAL_TABLES
from smista_mcp.ledger.event_tables import EVENT_TABLES
from smista_mcp.ledger.folder import prepare_file, prepare_folder
from smista_mcp.ledger.input_tables import INPUT_TABLES
from smista_mcp.ledger.job_tables import JOB_TABLES
from smista_mcp.ledger.living import CACHE_COLUMNS, FOLLOWUP_COLUMNS, OWNER_COLUMNS
from smista_mcp.ledger.outcome_tables import OUTCOME_TABLES
from smista_mcp.ledger.session_tables import SESSION_TABLES
from smista_mcp.ledger.spending import register

Journal = Literal["delete", "persist"]
FILE: Final = "ledger.db"
BUSY_S: Final = 5.0
"""Seconds to wait for others that hold the file."""

MIGRATIONS: Final[tuple[tuple[str, ...], ...]] = (
    (
        """CREATE TABLE decision (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            call_id TEXT NOT NULL,
            decision_id TEXT NOT NULL,
            phase INTEGER NOT NULL,
            at TEXT NOT NULL,
            host TEXT NOT NULL,
            workspace TEXT,
            text_digest TEXT NOT NULL,
            facts TEXT NOT NULL,
            body TEXT NOT NULL
        )""",
        "CREATE INDEX decision_by_id ON decision (decision_id)",
        "CREATE INDEX decision_by_call ON decision (call_id)",
        """CREATE TABLE trace (
            trace_id TEXT NOT NULL PRIMARY KEY,
            decision_id TEXT NOT NULL,
            decision INTEGER REFERENCES decision (sequence),
            at TEXT NOT NULL
        )""",
        "CREATE INDEX trace_by_decision ON trace (decision)",
        """CREATE TABLE attempt (
            sequence INTEGER PRIMARY KEY AUTOINCREMENT,
            attempt_id TEXT NOT NULL UNIQUE,
            trace_id TEXT NOT NULL REFERENCES trace (trace_id),
            phase INTEGER NOT NULL,
            intent TEXT NOT NULL,
            model TEXT NOT NULL,
            resolved_model TEXT,
            provider TEXT NOT NULL,
            locality TEXT NOT NULL,
            workspace TEXT,
            token TEXT,
            started_at TEXT NOT NULL,
            ended_at TEXT,
            status TEXT NOT NULL CHECK (status IN ('running', 'completed', 'failed', 'uncertain', 'cancelled')),
            code TEXT,
            input_tokens INTEGER,
            cached_input_tokens INTEGER,
            output_tokens INTEGER,
            reasoning_tokens INTEGER,
            reserved TEXT,
            cost TEXT,
            cost_kind TEXT NOT NULL,
            receipt TEXT NOT NULL
        )""",
        "CREATE INDEX attempt_by_trace ON attempt (trace_id)",
        # holds all that a sum over everything needs, so that it never touches the receipts
        "CREATE INDEX attempt_by_time ON attempt (started_at, status, cost, reserved)",
    ),
    APPROVAL_TABLES,
    SESSION_TABLES,
    OWNER_COLUMNS,
    JOB_TABLES,
    CACHE_COLUMNS,
    FOLLOWUP_COLUMNS,
    EVENT_TABLES,
    INPUT_TABLES,
    OUTCOME_TABLES,
)
"""Statements that lead from each version to the next; `user_version` counts those that were applied."""

_MOVE: Final = "move it away (with its -journal file, if there is one); a new one is started, this one is not touched"
_MEANINGS: Final = {
    sqlite3.SQLITE_BUSY: (
        "stays locked by another process",
        "try again; if it stays so, end the process that holds it",
    ),
    sqlite3.SQLITE_READONLY: ("cannot be written", "give your user write access to it and its folder"),
    sqlite3.SQLITE_CANTOPEN: ("cannot be opened", "give your user write access to it and its folder"),
    sqlite3.SQLITE_FULL: ("cannot grow: the disk is full", "free some space on this disk"),
    sqlite3.SQLITE_IOERR: (
        "cannot be read or written",
        "look whether the disk is full, over its quota or failing, and whether file sizes are limited",
    ),
    sqlite3.SQLITE_CORRUPT: ("is damaged", _MOVE),
    sqlite3.SQLITE_NOTADB: ("is not a SQLite database", _MOVE),
    sqlite3.SQLITE_ERROR: ("does not have the tables of a ledger", _MOVE),
}


@contextmanager
def connected(folder: Path, busy_s: float) -> Generator[sqlite3.Connection]:
    """An open ledger, made where it is missing; what was not committed when the block ends is undone.

    Args:
        folder: the state folder, absolute.
        busy_s: seconds to wait for others that hold the file.

    Raises:
        StateUnavailable: it cannot be opened, read or written, or is no ledger that this version knows.
    """
    file = folder / FILE
    prepare_folder(folder)
    prepare_file(file)
    with reported_database(file):
        db = open_database(file, busy_s)
        try:
            yield db
        finally:
            db.close()


@contextmanager
def reported_database(file: Path) -> Generator[None]:
    """Turns a failure of the file into one that names it and says what to do.

    Raises:
        StateUnavailable: in place of what SQLite raised.
    """
    try:
        yield
    except sqlite3.Error as error:
        refusal = _explained(error, file)
        if refusal is None:
            raise  # an error in our use of it
        raise refusal from error


def open_database(file: Path, busy_s: float, *, journal: Journal = "delete") -> sqlite3.Connection:
    """A connection to the ledger's file, which is there; any thread may use it, one at a time.

    Args:
        file: the ledger's.
        busy_s: seconds to wait for others that hold it.
        journal: what becomes of the journal when a transaction ends; connections may differ in that.

    Raises:
        sqlite3.Error: it cannot be opened or read.
        StateUnavailable: it is no ledger that this version knows.
    """
    # mode=rw: should the file vanish now, SQLite must not make one that others can read
    db = sqlite3.connect(
        f"{file.as_uri()}?mode=rw", uri=True, timeout=busy_s, isolation_level=None, check_same_thread=False
    )
    try:
        _configure(db, file, journal)
        _migrate(db, file)
    except BaseException:
        db.close()
        raise
    return db


def is_as_opened(db: sqlite3.Connection, journal: Journal) -> bool:
    """Whether the file is still of this version, and nobody has changed its journal mode."""
    mode: tuple[str] = db.execute("PRAGMA journal_mode").fetchone()
    return mode == (journal,) and _version(db) == len(MIGRATIONS)


@contextmanager
def writing(folder: Path, busy_s: float) -> Generator[sqlite3.Connection]:
    """A transaction that holds the write lock from its start: all of it is on the disk at the end, or nothing."""
    with connected(folder, busy_s) as db:
        db.execute("BEGIN IMMEDIATE")
        yield db
        db.execute("COMMIT")


@contextmanager
def reading(folder: Path, busy_s: float) -> Generator[sqlite3.Connection]:
    """A transaction in which all reads see the same state."""
    with connected(folder, busy_s) as db:
        db.execute("BEGIN")
        yield db
        db.execute("COMMIT")


def _configure(db: sqlite3.Connection, file: Path, journal: Journal) -> None:
    register(db)
    db.execute("PRAGMA foreign_keys = ON")
    db.execute("PRAGMA synchronous = EXTRA")
    db.execute("PRAGMA secure_delete = ON")  # what a request for approval said is gone when its time is over
    mode: tuple[str] = db.execute(f"PRAGMA journal_mode = {journal}").fetchone()
    if mode != (journal,):
        message = f"`{file}` is kept in journal mode {mode[0]} by another program"
        raise StateUnavailable(message, fix="close that program, then try again")


def _version(db: sqlite3.Connection) -> int:
    row: tuple[int] = db.execute("PRAGMA user_version").fetchone()
    return row[0]


def _migrate(db: sqlite3.Connection, file: Path) -> None:
    known = len(MIGRATIONS)
    version = _version(db)
    if version < known:
        db.execute("BEGIN IMMEDIATE")
        version = _version(db)  # another process may have been faster
        tables = {name for (name,) in db.execute("SELECT name FROM sqlite_master")}
        if tables if version == 0 else "decision" not in tables:  # other programs count versions too
            raise StateUnavailable(f"`{file}` holds tables of another program", fix=_MOVE)
        for statements in MIGRATIONS[version:]:
            for statement in statements:
                db.execute(statement)
        version = max(version, known)
        db.execute(f"PRAGMA user_version = {version}")
        db.execute("COMMIT")
    if version > known:
        message = f"`{file}` has schema version {version}; this version of smista-mcp knows {known}"
        raise StateUnavailable(message, fix="update smista-mcp, or let SMISTA_HOME name another folder")


def _explained(error: sqlite3.Error, file: Path) -> StateUnavailable | None:
    """What a failure of SQLite means; None where it is no failure of the file."""
    meaning = _MEANINGS.get(getattr(error, "sqlite_errorcode", 0) & 0xFF)  # the low byte is the kind
    if meaning is not None:
        return StateUnavailable(f"`{file}` {meaning[0]}", fix=meaning[1])
    if isinstance(error, sqlite3.OperationalError):
        name = getattr(error, "sqlite_errorname", "an operational error")
        return StateUnavailable(f"`{file}` cannot be used: SQLite reports {name}", fix=_MOVE)
    return None
