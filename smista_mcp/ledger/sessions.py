"""Sessions: the turns that later calls may build on, kept for one caller and one workspace."""

import hashlib
import hmac
import json
import os
import sqlite3
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, NamedTuple

from smista_mcp.core.origins import Chain, Link
from smista_mcp.core.redaction import redacted, redacted_json
from smista_mcp.core.turns import BODY_DAYS, MAX_TURNS, SESSION_DAYS, Turn
from smista_mcp.core.values import Label
from smista_mcp.errors import InvalidTask
from smista_mcp.ledger.database import reading, writing
from smista_mcp.ledger.spending import timestamp

MAX_BODY: Final = 256 * 1024
"""Characters of words or of an answer that a turn keeps."""
_CUT: Final = "\n[the rest was not kept]"


class SessionKey(NamedTuple):
    """A session as a call names it: none of the three parts is worth anything without the others.

    Attributes:
        session_id: as `begin` gave it.
        owner: who calls.
        workspace: keyed hash of the root; None where there is none.
    """

    session_id: str
    owner: str
    workspace: str | None


class NewTurn(NamedTuple):
    """A completed phase, to be kept.

    Attributes:
        trace_id: None where no trace could be opened.
        forms: every form of the paths that the answer was made from.
        opening: as in `Turn`.
    """

    decision_id: str
    trace_id: str | None
    phase: int
    model: str
    words: str
    answer: str
    label: Label | None
    origin: Chain
    forms: tuple[str, ...]
    opening: str | None = None


class Sessions:
    """The sessions of one ledger. Threads and processes may share it, as they do the ledger.

    An id is 128 random bits, and only its hash is kept: whoever reads the file cannot go on with a session. Of words
    and answers every secret is taken out before they are kept. Both are erased after seven days, a session with all of
    its turns 30 days after its last use; what is older is not given out, whether or not it is erased yet.

    Every method raises `StateUnavailable` where the ledger cannot be read or written.

    Args:
        folder: the state folder, absolute.
        busy_s: seconds to wait for others that hold the file.
        key: for hashes of what is kept for a while only.
    """

    def __init__(self, folder: Path, busy_s: float, key: bytes) -> None:
        self._folder = folder
        self._busy_s = busy_s
        self._key = key

    def begin(self, owner: str, workspace: str | None, at: datetime) -> SessionKey:
        """A new session without turns."""
        key = SessionKey(os.urandom(16).hex(), owner, workspace)
        with self._erasing() as db:
            _forget(db, at)
            db.execute(
                "INSERT INTO session (id_digest, owner, workspace, began_at, used_at) VALUES (?, ?, ?, ?, ?)",
                (*self._row(key), timestamp(at), timestamp(at)),
            )
        return key

    def turns(self, key: SessionKey, at: datetime) -> tuple[Turn, ...]:
        """The newest turns, oldest first; nothing is written.

        Raises:
            InvalidTask: no such session of this caller in this workspace, or not any more.
        """
        with reading(self._folder, self._busy_s) as db:
            session = self._found(db, key, at)
            rows = db.execute(
                "SELECT number, at, label, origin, forms, words, answer, model, opening FROM turn WHERE session = ?"
                " ORDER BY number DESC LIMIT ?",
                (session, MAX_TURNS + 1),  # one more, so that whoever reads knows that there are more
            ).fetchall()
        oldest = _before(at, BODY_DAYS)
        return tuple(_turn(_Row(*row), oldest) for row in reversed(rows))

    def touch(self, key: SessionKey, at: datetime) -> None:
        """Notes a use of the session: its days count from here.

        Raises:
            InvalidTask: as for `turns`.
        """
        with self._erasing() as db:
            session = self._found(db, key, at)
            db.execute("UPDATE session SET used_at = max(used_at, ?) WHERE sequence = ?", (timestamp(at), session))
            _forget(db, at)

    def add(self, key: SessionKey, turn: NewTurn, at: datetime) -> int:
        """Keeps a turn and returns its number.

        Raises:
            InvalidTask: as for `turns`.
        """
        origin = _json([link.model_dump() for link in turn.origin])
        forms = _json(turn.forms)
        kept = (_kept(turn.words), _kept(turn.answer))
        with self._erasing() as db:
            session = self._found(db, key, at)
            number: int = db.execute(
                "SELECT coalesce(max(number), 0) + 1 FROM turn WHERE session = ?", (session,)
            ).fetchone()[0]
            row = (
                *(session, number, timestamp(at), turn.decision_id, turn.trace_id, turn.phase, redacted(turn.model)),
                *(turn.label, origin, forms, self._digest(turn.words), self._digest(turn.answer), *kept, turn.opening),
            )
            db.execute(
                "INSERT INTO turn (session, number, at, decision_id, trace_id, phase, model, label, origin, forms,"
                " words_digest, answer_digest, words, answer, opening)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
                row,
            )
            db.execute("UPDATE session SET used_at = max(used_at, ?) WHERE sequence = ?", (timestamp(at), session))
            _forget(db, at)
        return number

    def forget(self, at: datetime) -> None:
        """Erases what is kept no longer; writes only where there is something to erase."""
        with reading(self._folder, self._busy_s) as db:
            due = db.execute(
                "SELECT EXISTS (SELECT 1 FROM session WHERE used_at < ?)"
                " OR EXISTS (SELECT 1 FROM turn WHERE at < ? AND answer IS NOT NULL)",
                (_before(at, SESSION_DAYS), _before(at, BODY_DAYS)),
            ).fetchone()[0]
        if due:
            with self._erasing() as db:
                _forget(db, at)

    @contextmanager
    def _erasing(self) -> Generator[sqlite3.Connection]:
        """A transaction in which the bytes of what is erased go too."""
        with writing(self._folder, self._busy_s) as db:
            db.execute("PRAGMA secure_delete = ON")
            yield db

    def _row(self, key: SessionKey) -> tuple[str, str, str | None]:
        return hashlib.sha256(key.session_id.encode()).hexdigest(), self._digest(key.owner), key.workspace

    def _found(self, db: sqlite3.Connection, key: SessionKey, at: datetime) -> int:
        row = db.execute(
            "SELECT sequence FROM session WHERE id_digest = ? AND owner = ? AND workspace IS ? AND used_at >= ?",
            (*self._row(key), _before(at, SESSION_DAYS)),
        ).fetchone()
        if row is None:
            raise InvalidTask(
                f"there is no such `session` of yours here: one belongs to the caller and the workspace that it began"
                f" with, and ends {SESSION_DAYS} days after its last use",
                fix='write `"new"` to begin one, then the id that the answer of dispatch gives; or leave it out',
            )
        return row[0]

    def _digest(self, text: str) -> str:
        return hmac.digest(self._key, text.encode("utf-8", "surrogatepass"), "sha256").hex()


def _before(at: datetime, days: int) -> str:
    return timestamp(at - timedelta(days=days))


def _forget(db: sqlite3.Connection, at: datetime) -> None:
    db.execute("DELETE FROM session WHERE used_at < ?", (_before(at, SESSION_DAYS),))
    db.execute(
        "UPDATE turn SET words = NULL, answer = NULL WHERE at < ? AND answer IS NOT NULL", (_before(at, BODY_DAYS),)
    )


def _json(value: object) -> str:
    """A value without secrets. Names may hold bytes that are no UTF-8, which only ASCII can carry."""
    return json.dumps(json.loads(redacted_json(json.dumps(value))))


def _kept(text: str) -> str:
    """A text as it is kept: without secrets, which must go before it is cut."""
    clean = redacted(text.encode("utf-8", "replace").decode())
    return clean if len(clean) <= MAX_BODY else f"{clean[:MAX_BODY]}{_CUT}"


class _Row(NamedTuple):
    number: int
    at: str
    label: Label | None
    origin: str
    forms: str
    words: str | None
    answer: str | None
    model: str
    opening: str | None


def _turn(row: _Row, oldest: str) -> Turn:
    words, answer = (row.words, row.answer) if row.at >= oldest else (None, None)
    chain = tuple(Link.model_validate(link) for link in json.loads(row.origin))
    forms, at = tuple(json.loads(row.forms)), datetime.fromisoformat(row.at).timestamp()
    return Turn(row.number, words, answer, row.label, chain, forms, row.model, at, row.opening)
