"""Tokens of the HTTP door: who may come in, until when and for what. Of a token itself only its hash is kept.

They have a file of their own beside the ledger. It changes only when somebody makes or revokes a token, so that a
look at the file tells whether what was read of it still holds.
"""

import hashlib
import hmac
import os
import re
import sqlite3
from collections.abc import Callable, Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple, get_args

from smista_mcp.core.redaction import shown
from smista_mcp.errors import InvalidTask, NotFound, StateUnavailable
from smista_mcp.ledger.database import BUSY_S, reported_database
from smista_mcp.ledger.folder import prepare_file, prepare_folder
from smista_mcp.ledger.spending import timestamp

AccessScope = Literal["route", "dispatch"]
"""`route`: classify, route and explain; `dispatch`: these and dispatch."""
SCOPES: Final[tuple[AccessScope, ...]] = get_args(AccessScope)
PREFIX: Final = "smista_tk_"
"""How every token begins, so that scanners know one where they see one."""
DAYS: Final = 90
"""How long a token holds where nobody says."""
MAX_DAYS: Final = 3650
_FILE: Final = "tokens.db"
_VERSION: Final = 1
_BYTES: Final = 32
_FRESH_S: Final = 2.0
"""Seconds; no file system that we know has a coarser clock."""
_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_SHAPE: Final = re.compile(rf"{PREFIX}[A-Za-z0-9_-]{{43}}")
_TABLE: Final = (
    "CREATE TABLE token (token_id TEXT NOT NULL PRIMARY KEY, name TEXT NOT NULL, digest TEXT NOT NULL UNIQUE,"
    " scope TEXT NOT NULL, created_at TEXT NOT NULL, expires_at TEXT, revoked_at TEXT)"
)


class AccessToken(NamedTuple):
    """A token as it is kept. Times are UTC, ISO 8601.

    Attributes:
        token_id: of this very token; a later one of the same name has another, and owns nothing of this one's.
        name: whose calls they are in the ledger, and in budgets.
        digest: SHA-256 of the token, in hex. It has 256 random bits: nothing slower is needed.
        expires_at: None where it does not end by itself.
    """

    token_id: str
    name: str
    digest: str
    scope: AccessScope
    created_at: str
    expires_at: str | None
    revoked_at: str | None

    def state(self, now: datetime) -> Literal["active", "expired", "revoked"]:
        if self.revoked_at is not None:
            return "revoked"
        return "expired" if self.expires_at is not None and self.expires_at <= timestamp(now) else "active"


class Signature(NamedTuple):
    """What changes with a file."""

    device: int
    inode: int
    size: int
    modified_ns: int
    changed_ns: int


def digest_of(secret: str) -> str:
    """What is kept of a token."""
    return hashlib.sha256(secret.encode()).hexdigest()


def is_shaped(text: str) -> bool:
    """Whether a text has the form of a token."""
    return _SHAPE.fullmatch(text) is not None


def holds_one(text: str) -> bool:
    """Whether a token stands somewhere in a text, or the beginning of one."""
    return PREFIX in text


class TokenBook:
    """The tokens of one state folder; any thread or process may use it.

    Every method raises `StateUnavailable` where the file cannot be read or written.
    """

    def __init__(self, state: Path) -> None:
        self._folder = state.absolute()
        self._file = self._folder / _FILE

    def create(self, name: str, scope: str, now: datetime, days: int | None = DAYS) -> tuple[str, AccessToken]:
        """Makes a token.

        Args:
            name: whose it is; letters, digits, `.`, `_` and `-`.
            scope: what it opens.
            now: the time.
            days: how long it holds; None for no end.

        Returns:
            The token, which is kept nowhere and never shown again, and what is kept.

        Raises:
            InvalidTask: the name, scope or days are none, or there is a token of that name that still holds.
        """
        if not _NAME.fullmatch(name):
            raise InvalidTask(
                f"`{shown(name)}` cannot be the name of a token",
                fix="use letters, digits, `.`, `_` and `-`; at most 64",
            )
        if scope not in SCOPES:
            raise InvalidTask(f"`{shown(scope)}` is no scope", fix="write `route` or `dispatch`")
        if days is not None and not 1 <= days <= MAX_DAYS:
            raise InvalidTask(f"a token cannot hold {days} days", fix=f"write 1 to {MAX_DAYS}, or --no-expiry")
        import secrets  # noqa: PLC0415  to make a token is rare

        secret = f"{PREFIX}{secrets.token_urlsafe(_BYTES)}"
        ends = None if days is None else timestamp(now + timedelta(days=days))
        made = AccessToken(os.urandom(8).hex(), name, digest_of(secret), scope, timestamp(now), ends, None)
        with self._open() as db:
            if any(one.name == name and one.state(now) == "active" for one in _rows(db)):
                fix = f"`smista-mcp token revoke {name}` ends it; then make a new one, or choose another name"
                raise InvalidTask(f"there is a token `{name}` already", fix=fix)
            db.execute("INSERT INTO token VALUES (?, ?, ?, ?, ?, ?, ?)", made)
        return secret, made

    def revoke(self, name: str, now: datetime) -> int:
        """Ends every token of a name, from now on and for good.

        Returns:
            How many that were.

        Raises:
            NotFound: there is none of that name that is not revoked yet.
        """
        with self._open() as db:
            ended = db.execute(
                "UPDATE token SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", (timestamp(now), name)
            ).rowcount
        if not ended:
            raise NotFound(f"there is no token `{shown(name)}`", fix="`smista-mcp token list` shows all")
        return ended

    def all(self) -> tuple[AccessToken, ...]:
        """Every token that was ever made, oldest first; nothing is made where there is no file."""
        if not os.path.lexists(self._file):
            return ()
        with self._connected() as db:
            db.execute("BEGIN")  # a look asks for no write lock: who writes meanwhile holds up nobody who only looks
            return _rows(db) if self._version(db) else ()

    def signature(self) -> Signature | None:
        """What changes whenever the tokens do; None where there is no file.

        Raises:
            StateUnavailable: the file cannot be looked at.
        """
        try:
            info = self._file.lstat()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StateUnavailable(f"`{self._file}` cannot be read: {error.strerror}") from error
        return Signature(info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)

    @contextmanager
    def _connected(self) -> Generator[sqlite3.Connection]:
        """The file, open; able to write also for a look, so that what a crash has left half written is undone."""
        prepare_folder(self._folder)
        prepare_file(self._file)
        with reported_database(self._file):
            db = sqlite3.connect(f"{self._file.as_uri()}?mode=rw", uri=True, timeout=BUSY_S, isolation_level=None)
            try:
                yield db
            finally:
                db.close()

    @contextmanager
    def _open(self) -> Generator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start."""
        with self._connected() as db:
            db.execute("PRAGMA synchronous = EXTRA")
            db.execute("BEGIN IMMEDIATE")
            if not self._version(db):
                db.execute(_TABLE)
                db.execute(f"PRAGMA user_version = {_VERSION}")
            yield db
            db.execute("COMMIT")

    def _version(self, db: sqlite3.Connection) -> int:
        """The version of the file; 0 where nothing has been written yet."""
        row: tuple[int] = db.execute("PRAGMA user_version").fetchone()
        if row[0] not in (0, _VERSION):
            message = f"`{self._file}` has version {row[0]}; this version of smista-mcp knows {_VERSION}"
            raise StateUnavailable(message, fix="update smista-mcp, or let SMISTA_HOME name another folder")
        return row[0]


def _rows(db: sqlite3.Connection) -> tuple[AccessToken, ...]:
    columns = "token_id, name, digest, scope, created_at, expires_at, revoked_at"
    return tuple(AccessToken(*row) for row in db.execute(f"SELECT {columns} FROM token ORDER BY rowid"))  # noqa: S608  our own words


class _Seen(NamedTuple):
    """One look at the tokens.

    Attributes:
        settled: whether a file that still looks the same holds the same.
    """

    signature: Signature | None
    settled: bool
    tokens: tuple[AccessToken, ...]


class Keyring:
    """The tokens as a server knows them: read anew whenever their file has changed. Any thread may use it.

    Args:
        book: the tokens.
        now: gives aware times in UTC.
    """

    def __init__(self, book: TokenBook, now: Callable[[], datetime]) -> None:
        self._book = book
        self._now = now
        self._seen = _Seen(None, settled=False, tokens=())

    def known(self) -> tuple[AccessToken, ...]:
        """All tokens as they are now. Blocks: for seconds, where another process keeps the file locked.

        Raises:
            StateUnavailable: nobody can tell: then nobody may come in.
        """
        tokens = self.unchanged()
        if tokens is not None:
            return tokens
        there = self._book.signature()  # before the tokens: what changes in between is read again
        tokens = () if there is None else self._book.all()
        # two changes in one tick of the file system's clock look the same: what is that fresh is read again
        self._seen = _Seen(there, there is None or self._is_old(there), tokens)
        return tokens

    def unchanged(self) -> tuple[AccessToken, ...] | None:
        """All tokens, where one look at the file tells that they still are what was read; None where it does not.

        Raises:
            StateUnavailable: the file cannot be looked at.
        """
        seen = self._seen
        return seen.tokens if seen.settled and self._book.signature() == seen.signature else None

    def find(self, secret: str) -> AccessToken | None:
        """The token that a caller shows, if it is good now; see `among`.

        Raises:
            StateUnavailable: as for `known`.
        """
        return self.among(self.known(), secret)

    def among(self, tokens: tuple[AccessToken, ...], secret: str) -> AccessToken | None:
        """Of some tokens the one that a caller shows, if it is good now; None where it is none of them, or is over.

        Takes the same time for each: every digest is compared, and compared to its end.
        """
        given, found = digest_of(secret), None
        for one in tokens:
            if hmac.compare_digest(one.digest, given):
                found = one
        return found if found is not None and found.state(self._now()) == "active" else None

    def active(self, tokens: tuple[AccessToken, ...]) -> frozenset[str]:
        """The ids of those that are good now."""
        now = self._now()
        return frozenset(one.token_id for one in tokens if one.state(now) == "active")

    def any_active(self) -> bool:
        """Whether anybody could come in now."""
        return bool(self.active(self.known()))

    def _is_old(self, there: Signature) -> bool:
        changed = max(there.modified_ns, there.changed_ns) / 1e9
        return self._now().timestamp() - changed > _FRESH_S
