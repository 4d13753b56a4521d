"""How attempts turned out: what people and hosts said of answers, and the counts that evidence is made of.

Attempts themselves are recorded elsewhere; here they are only read. A try is all that one model did in one trace: its
requests while it looked around, repeated, or mended its change. What became of its last request is what the provider
reported of it.
"""

import sqlite3
from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final, Literal, NamedTuple

from smista_mcp.core.evidence import Cell, reported
from smista_mcp.core.redaction import redacted
from smista_mcp.errors import InvalidTask
from smista_mcp.ledger.database import reading, writing
from smista_mcp.ledger.queries import find_trace
from smista_mcp.ledger.spending import timestamp

Source = Literal["person", "host"]
Saying = Literal["good", "bad"]
MAX_NOTE: Final = 500
UNKNOWN_HOST: Final = "unknown"
"""Who called where the decision is not on record."""
_COLUMNS: Final = "at, source, via, verdict, trace_id, model, note"


class Outcome(NamedTuple):
    """What somebody said of the answer in a trace.

    Attributes:
        at: UTC, ISO 8601.
        source: whose word it is; a host's counts for nothing.
        via: through what it was said: `terminal` or `command line`.
        model: whose answer it is, as the policy writes it.
        note: in their own words, without what looks like a secret.
    """

    at: str
    source: Source
    via: str
    verdict: Saying
    trace_id: str
    model: str
    note: str = ""


class Tried(NamedTuple):
    """How tries of one kind turned out.

    Attributes:
        good: by a person's word, or else as the provider reported them; `bad` likewise.
        unjudged: what ended for reasons that say nothing of the model: a server, a network, an account, a cancellation.
        said: how many of the good and bad ones a person has judged.
        host_good: what the host said of them, which counts for nothing; `host_bad` likewise.
    """

    host: str
    intent: str
    model: str
    good: int = 0
    bad: int = 0
    unjudged: int = 0
    said: int = 0
    host_good: int = 0
    host_bad: int = 0

    @property
    def cell(self) -> Cell:
        return Cell(self.model, self.intent, self.host, self.good, self.bad, self.said)


class OutcomeBook:
    """The outcomes of one ledger.

    Every method raises `StateUnavailable` where the ledger cannot be read or written.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def say(self, trace_id: str, verdict: Saying, source: Source, via: str, at: datetime, note: str = "") -> Outcome:
        """Records what somebody says of the answer in a trace; a later word replaces an earlier one of the same source.

        Raises:
            NotFound: there is no such trace, or several.
            InvalidTask: no model gave an answer in it.
        """
        with writing(self._folder, self._busy_s) as db:
            trace = find_trace(db, trace_id)[0]
            model = _answered(db, trace)
            if model is None:
                raise InvalidTask(
                    f"in trace `{trace}` no model gave an answer, so there is nothing to judge",
                    fix="what providers reported of attempts that failed counts already",
                )
            said = Outcome(timestamp(at), source, via, verdict, trace, model, redacted(note[:MAX_NOTE]))
            db.execute(f"INSERT INTO outcome ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?)", said)  # noqa: S608  our own columns
        return said

    def of_traces(self, trace_ids: Iterable[str]) -> tuple[Outcome, ...]:
        """Every word about the answers in these traces, oldest first, those that were replaced too."""
        query = f"SELECT {_COLUMNS} FROM outcome WHERE trace_id = ? ORDER BY sequence"  # noqa: S608  our own columns
        with reading(self._folder, self._busy_s) as db:
            rows = [row for trace in dict.fromkeys(trace_ids) for row in db.execute(query, (trace,))]
        return tuple(sorted((Outcome(*row) for row in rows), key=lambda one: one.at))

    def tried(self, since: datetime, until: datetime) -> tuple[Tried, ...]:
        """How the tries turned out that began at `since` or later and before `until`, by what was said before `until`.

        In order of host, intent and model.
        """
        with reading(self._folder, self._busy_s) as db:
            return read_tried(db, timestamp(since), timestamp(until))


def read_tried(db: sqlite3.Connection, since: str, until: str) -> tuple[Tried, ...]:
    """As `OutcomeBook.tried`, in a transaction."""
    found: dict[tuple[str, str, str], Tried] = {}
    for host, intent, model, status, cause, cut, said, told, times in _kinds(db, since, until):
        key = host, intent, model
        judged = said or reported(status, cause, cut)
        changed = {judged or "unjudged": times, "said": times if said else 0}
        if told:
            changed[f"host_{told}"] = times
        one = found.get(key) or Tried(*key)
        found[key] = one._replace(**{name: getattr(one, name) + more for name, more in changed.items()})
    return tuple(found[key] for key in sorted(found))


_Kind = tuple[str, str, str, str, str | None, str | None, Saying | None, Saying | None, int]


def _kinds(db: sqlite3.Connection, since: str, until: str) -> Iterator[_Kind]:
    """Tries that ended alike, counted: of each the last request, and the last word of each source."""
    yield from db.execute(
        "WITH last AS (SELECT trace_id, model, intent, status, cause, cut, max(sequence) AS sequence FROM attempt"
        "  WHERE sequence >= :first AND started_at >= :since AND started_at < :until GROUP BY trace_id, model),"
        " word AS (SELECT source, trace_id, model, verdict, max(sequence) FROM outcome"
        "  WHERE at < :until GROUP BY source, trace_id, model)"
        " SELECT coalesce(d.host, :unknown), l.intent, l.model, l.status,"
        " coalesce(l.cause, (SELECT f.cause FROM followed_up f WHERE f.attempt = l.sequence AND f.cause IS NOT NULL"
        "  ORDER BY f.number LIMIT 1)), l.cut, p.verdict, h.verdict, count(*)"
        " FROM last l JOIN trace t ON t.trace_id = l.trace_id LEFT JOIN decision d ON d.sequence = t.decision"
        " LEFT JOIN word p ON p.source = 'person' AND p.trace_id = l.trace_id AND p.model = l.model"
        " LEFT JOIN word h ON h.source = 'host' AND h.trace_id = l.trace_id AND h.model = l.model"
        " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8",
        {"since": since, "until": until, "unknown": UNKNOWN_HOST, "first": _first(db, since)},
    )


def _first(db: sqlite3.Connection, since: str) -> int:
    """A number before which no attempt began so late: their numbers grow with time, but for clocks that are set back.

    What a clock that was set back by more than a day put among older attempts may be left out.
    """
    day = timestamp(datetime.fromisoformat(since) - timedelta(days=1))
    ends: tuple[int | None, int | None] = db.execute("SELECT min(sequence), max(sequence) FROM attempt").fetchone()
    low, high = ends[0] or 0, ends[1] or 0
    while low < high:
        middle = (low + high) // 2
        query = "SELECT started_at FROM attempt WHERE sequence >= ? ORDER BY sequence LIMIT 1"
        began: tuple[str] = db.execute(query, (middle,)).fetchone()
        low, high = (middle + 1, high) if began[0] < day else (low, middle)
    return low


def _answered(db: sqlite3.Connection, trace_id: str) -> str | None:
    """Whose answer there is in a trace: that of the last model that completed."""
    rows: Sequence[tuple[str]] = db.execute(
        "SELECT model FROM attempt WHERE trace_id = ? AND status = 'completed' ORDER BY sequence DESC LIMIT 1",
        (trace_id,),
    ).fetchall()
    return rows[0][0] if rows else None
