"""What people were asked and what they said: requests and, append-only, every event about them.

Whoever reads this to let something go on gets nothing where anything is odd: an event from the future, a request past
its time, a file that cannot be read.
"""

import os
import sqlite3
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Literal, NamedTuple

from smista_mcp.core.approval import HOST_DESTINATION, VALID_S, Approved
from smista_mcp.core.asked import REQUEST, CallRequest, ReleaseRequest
from smista_mcp.core.redaction import redacted_json
from smista_mcp.errors import NotFound
from smista_mcp.ledger.database import BUSY_S, connected, reading, writing
from smista_mcp.ledger.queries import id_range
from smista_mcp.ledger.spending import timestamp

Event = Literal["requested", "shown", "granted", "refused", "used", "expired"]
Kind = Literal["call", "release"]
State = Literal["open", "granted", "used", "refused", "expired"]
_VALID = timedelta(seconds=VALID_S)
_COLUMNS = "approval_id, key, kind, workspace, host, at, body"
_Row = tuple[str, str, Kind, str | None, str, str, str]


class StoredEvent(NamedTuple):
    """Something that happened to a request.

    Attributes:
        via: through what: `terminal`, `form of HOST`, `dispatch`.
        trace_id: of a `used`, what was done with the yes; of a `requested`, what made the text that it is about.
        session: of a `granted`, whether it holds for the session.
    """

    event: Event
    at: str
    via: str
    trace_id: str | None
    session: bool


class StoredApproval(NamedTuple):
    """A request with all that happened to it, oldest first.

    Attributes:
        request: without the words of the task once its time is over; None where another version wrote it.
        state: at the moment of reading.
    """

    approval_id: str
    key: str
    kind: Kind
    workspace: str | None
    host: str
    at: str
    request: CallRequest | ReleaseRequest | None
    events: tuple[StoredEvent, ...]
    state: State

    @property
    def holds(self) -> bool:
        """Whether something may still be done because of a yes; a text may be let go as often as its yes holds."""
        return self.state == "granted" or (self.state == "used" and isinstance(self.request, ReleaseRequest))

    @property
    def session(self) -> bool:
        return any(event.event == "granted" and event.session for event in self.events)


class ApprovalBook:
    """The approvals of one state folder, shared by all threads and processes that open it.

    Every method opens its own connection; one that writes is done when it returns. Every method raises
    `StateUnavailable` where the file cannot be read or written.
    """

    __slots__ = ("_busy_s", "_folder")

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    @classmethod
    def open(cls, state: Path, *, busy_s: float = BUSY_S) -> "ApprovalBook":
        """The book of a state folder, made where it is missing."""
        folder = state.absolute()
        with connected(folder, busy_s):
            return cls(folder, busy_s)

    def request(
        self,
        key: str,
        asked: CallRequest | ReleaseRequest,
        *,
        workspace: str | None,
        host: str,
        now: datetime,
        trace_id: str | None = None,
    ) -> str:
        """Records what a person has to be asked, and returns its id.

        The same call asks under the same id for as long as nobody has said no and its yes is not spent.
        """
        body = redacted_json(asked.model_dump_json())
        with writing(self._folder, self._busy_s) as db:
            _expire(db, now)
            for one in _read(db, now, "WHERE key = ? ORDER BY at DESC", (key,)):
                if one.state in ("open", "granted") and one.workspace == workspace:
                    if trace_id is not None and all(event.trace_id != trace_id for event in one.events):
                        _note(db, one.approval_id, _Note("requested", "dispatch", now, trace_id))
                    return one.approval_id
            approval_id = os.urandom(16).hex()
            db.execute(
                f"INSERT INTO approval ({_COLUMNS}, has_words) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608  our own columns
                (approval_id, key, asked.kind, workspace, host, timestamp(now), body, int(asked.kind == "call")),
            )
            _note(db, approval_id, _Note("requested", "dispatch", now, trace_id))
        return approval_id

    def stored(self, given: str, now: datetime) -> StoredApproval:
        """A request by its id, or the beginning of one (8 characters or more).

        Raises:
            NotFound: there is none, or several.
        """
        with reading(self._folder, self._busy_s) as db:
            return _find(db, given, now)

    def requests(self, now: datetime) -> tuple[StoredApproval, ...]:
        """Everything that was ever asked for, oldest first, as it stands now."""
        with reading(self._folder, self._busy_s) as db:
            return tuple(_read(db, now, "ORDER BY at"))

    def shown(self, approval_id: str, via: str, now: datetime) -> None:
        """Records that a person has seen a request in full."""
        with writing(self._folder, self._busy_s) as db:
            _note(db, approval_id, _Note("shown", via, now))

    def grant(self, approval_id: str, via: str, now: datetime, *, session: bool = False) -> None:
        """Records a yes.

        Raises:
            NotFound: nothing of that id waits for an answer.
        """
        with writing(self._folder, self._busy_s) as db:
            _expire(db, now)
            one = _find(db, approval_id, now)
            if one.state not in ("open", "granted") or one.request is None:
                raise NotFound(f"`{one.approval_id}` is {one.state}", fix="dispatch the task again; it asks anew")
            _note(db, one.approval_id, _Note("granted", via, now, session=session))

    def refuse(self, approval_id: str, via: str, now: datetime) -> None:
        """Records a no; it ends the request, also where it was granted and not used."""
        with writing(self._folder, self._busy_s) as db:
            _note(db, _find(db, approval_id, now).approval_id, _Note("refused", via, now))

    def granted(self, workspace: str | None, now: datetime, owner: str = "") -> tuple[Approved, ...]:
        """Every yes for a call of this caller in this workspace that holds now; for a session it needs a workspace."""
        found: list[Approved] = []
        with reading(self._folder, self._busy_s) as db:
            for one in _read(db, now, "WHERE workspace IS ? ORDER BY at", (workspace,)):
                own = isinstance(one.request, CallRequest) and one.request.owner == owner
                if one.state == "granted" and own and isinstance(one.request, CallRequest):
                    for_session = one.session and workspace is not None
                    found.append(Approved(one.approval_id, one.key, one.request.marks if for_session else ()))
        return tuple(found)

    def released(self, host: str, now: datetime, owner: str = "") -> dict[str, frozenset[str]]:
        """Keyed hash of a text -> the destinations to which it may go; `host` only where it was for this one.

        Of what was asked for somebody, that counts alone which was asked for `owner`.
        """
        found: dict[str, frozenset[str]] = {}
        with reading(self._folder, self._busy_s) as db:
            for one in _read(db, now, "ORDER BY at"):
                asked = one.request
                if not isinstance(asked, ReleaseRequest) or one.state not in ("granted", "used"):
                    continue
                if asked.owner not in ("", owner):
                    continue
                allowed = set(asked.destinations) - ({HOST_DESTINATION} if asked.host != host else set[str]())
                found[asked.text_hash] = found.get(asked.text_hash, frozenset()) | allowed
        return found

    def use(self, approval_id: str, trace_id: str | None, now: datetime) -> bool:
        """Spends a yes; of several that try at once exactly one gets it. One for a session is not spent."""
        with writing(self._folder, self._busy_s) as db:
            _expire(db, now)
            one = _find(db, approval_id, now)
            release = isinstance(one.request, ReleaseRequest) and one.state == "used"
            if one.state != "granted" and not release:
                return False
            _note(db, one.approval_id, _Note("used", "dispatch", now, trace_id))
        return True

    def of_traces(self, trace_ids: Iterable[str], now: datetime) -> tuple[StoredApproval, ...]:
        """The approvals that were used for these traces, or asked for because of them."""
        with reading(self._folder, self._busy_s) as db:
            found: dict[str, StoredApproval] = {}
            for trace_id in trace_ids:
                clause = "WHERE approval_id IN (SELECT approval_id FROM approval_event WHERE trace_id = ?)"
                found |= {one.approval_id: one for one in _read(db, now, clause, (trace_id,))}
        return tuple(found.values())


def _expire(db: sqlite3.Connection, now: datetime) -> None:
    """Notes which requests are over, and forgets the words of tasks in those that are."""
    for one in _read(db, now, "WHERE has_words = 1"):
        if one.state == "expired":
            if max(one.at, *(event.at for event in one.events)) > timestamp(now):
                continue  # asked or granted after `now`, while whoever took that time waited for the file
            _note(db, one.approval_id, _Note("expired", "time", now))
        elif one.state in ("open", "granted") or one.at > timestamp(now - _VALID):
            continue
        body = ""
        if isinstance(one.request, CallRequest):
            phases = tuple(phase.model_copy(update={"words": ""}) for phase in one.request.phases)
            body = one.request.model_copy(update={"phases": phases, "root": ""}).model_dump_json()
        db.execute("UPDATE approval SET body = ?, has_words = 0 WHERE approval_id = ?", (body, one.approval_id))


def _find(db: sqlite3.Connection, given: str, now: datetime) -> StoredApproval:
    found = _read(db, now, "WHERE approval_id >= ? AND approval_id < ? LIMIT 2", id_range(given))
    if len(found) != 1:
        which = "is no approval that was asked for here" if not found else "stands for more than one approval"
        raise NotFound(f"`{given[:80]}` {which}", fix="`smista-mcp approve` lists what waits for an answer")
    return found[0]


def _read(
    db: sqlite3.Connection, now: datetime, clause: str, values: Sequence[str | None] = ()
) -> list[StoredApproval]:
    rows: list[_Row] = db.execute(
        f"SELECT {_COLUMNS} FROM approval {clause}",  # noqa: S608  clauses of this module
        tuple(values),
    ).fetchall()
    return [_stored(db, row, now) for row in rows]


def _stored(db: sqlite3.Connection, row: _Row, now: datetime) -> StoredApproval:
    approval_id, key, kind, workspace, host, at, body = row
    events = tuple(
        StoredEvent(event, when, via, trace_id, bool(session))
        for event, when, via, trace_id, session in db.execute(
            "SELECT event, at, via, trace_id, session FROM approval_event WHERE approval_id = ? ORDER BY sequence",
            (approval_id,),
        )
    )
    request = None
    if body:
        try:
            request = REQUEST.validate_json(body)
        except ValueError:  # written by another version: it cannot be shown, so nobody can say yes to it
            request = None
    return StoredApproval(
        approval_id, key, kind, workspace, host, at, request, events, _state(at, events, request, now)
    )


def _state(at: str, events: Sequence[StoredEvent], request: object, now: datetime) -> State:
    """What holds now. The last word counts; a yes holds for `VALID_S` from its own moment."""
    earliest, latest = timestamp(now - _VALID), timestamp(now)
    said = [event for event in events if event.event in ("granted", "refused", "used", "expired")]
    last = said[-1] if said else None
    if last is not None and last.event == "refused":
        return "refused"
    if last is not None and last.event == "expired":
        return "expired"
    yes = next((event for event in reversed(events) if event.event == "granted"), None)
    if yes is not None:
        holds = earliest < yes.at <= latest and request is not None
        if last is not None and last.event == "used" and not (yes.session and holds):
            return "used" if not isinstance(request, ReleaseRequest) or holds else "expired"
        return "granted" if holds else "expired"
    return "open" if earliest < at <= latest and request is not None else "expired"


class _Note(NamedTuple):
    """An event as it is added."""

    event: Event
    via: str
    at: datetime
    trace_id: str | None = None
    session: bool = False


def _note(db: sqlite3.Connection, approval_id: str, what: _Note) -> None:
    db.execute(
        "INSERT INTO approval_event (approval_id, event, at, via, trace_id, session) VALUES (?, ?, ?, ?, ?, ?)",
        (approval_id, what.event, timestamp(what.at), what.via, what.trace_id, int(what.session)),
    )
