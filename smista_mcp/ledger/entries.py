"""What a dispatch writes: each entry is one step of a transaction, and several may share one."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from smista_mcp.core.costing import plain
from smista_mcp.core.redaction import redacted, redacted_json
from smista_mcp.errors import Cause, Code, NotFound
from smista_mcp.ledger.event_tables import FILL_HOLDS
from smista_mcp.ledger.projections import take_back
from smista_mcp.ledger.queries import find_trace
from smista_mcp.ledger.records import AttemptStart, BudgetExceeded, Followup, NewTrace, Settlement, SpendingLimit
from smista_mcp.ledger.settling import Outcome, settle
from smista_mcp.ledger.spending import amount, spent, timestamp

if TYPE_CHECKING:
    from smista_mcp.core.receipt import Receipt

T_co = TypeVar("T_co", covariant=True)
_PLACE: Final = 10
"""Hexadecimal digits at the end of an attempt's id that say where it stands."""


class Entry(Protocol[T_co]):
    """One step."""

    def write(self, db: sqlite3.Connection) -> T_co:
        """Does it inside a transaction.

        Raises:
            SmistaError: it may not be done; of this step nothing is written then.
        """
        ...


@dataclass(frozen=True, slots=True)
class TraceEntry:
    """The beginning of a trace; one that stands there stays as it is."""

    trace: NewTrace

    def write(self, db: sqlite3.Connection) -> None:
        db.execute(
            "INSERT INTO trace (trace_id, decision_id, decision, at)"
            " VALUES (:trace, :id, (SELECT sequence FROM decision WHERE sequence = :place AND decision_id = :id), :at)"
            " ON CONFLICT DO NOTHING",
            {
                "trace": self.trace.trace_id,
                "id": self.trace.decision_id,
                "place": self.trace.decision,  # removed meanwhile, it may be another's
                "at": timestamp(self.trace.at),
            },
        )


class AttemptEntry:
    """The beginning of an attempt, with its reservation: gives its id.

    Args:
        trace: to which it belongs; a new one begins with it.
        start: what is known before the request leaves.
        limits: the budgets that apply to it.
        owner: the mark of whoever makes it.
    """

    __slots__ = ("_attempt_id", "_cost", "_kind", "_limits", "_place", "_start", "_tail", "_trace", "_trace_id")

    def __init__(self, trace: NewTrace | str, start: AttemptStart, limits: Sequence[SpendingLimit], owner: str) -> None:
        trace_id = trace if isinstance(trace, str) else trace.trace_id
        self._trace, self._start, self._limits, self._trace_id = trace, start, limits, trace_id
        self._attempt_id = os.urandom(11).hex()
        self._kind = (start.intent.value, _name(start.model), _name(start.resolved_model), _name(start.provider))
        self._place = (start.locality.value, start.workspace, _name(start.token), timestamp(start.started_at))
        self._cost = (amount(start.reserved), start.cost_kind)
        self._tail = (owner, _receipt(start.receipt))

    def write(self, db: sqlite3.Connection) -> str:
        if isinstance(self._trace, str):
            find_trace(db, self._trace)
        else:
            TraceEntry(self._trace).write(db)
        for limit in self._limits:
            _check(db, limit, self._start)
        sequence: int = db.execute("SELECT coalesce(max(sequence), 0) + 1 FROM begun").fetchone()[0]
        attempt_id = f"{self._attempt_id}{sequence:0{_PLACE}x}"
        db.execute(
            "INSERT INTO begun (sequence, attempt_id, trace_id, phase, intent, model, resolved_model, provider,"
            " locality, workspace, token, started_at, reserved, cost_kind, owner, receipt)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
            (
                sequence,
                attempt_id,
                self._trace_id,
                self._start.phase,
                *self._kind,
                *self._place,
                *self._cost,
                *self._tail,
            ),
        )
        db.execute(f"{FILL_HOLDS} AND b.sequence = ?", (sequence,))
        return attempt_id


@dataclass(frozen=True, slots=True)
class SettlementEntry:
    """The end of an attempt: gives whether this settlement is the one that stands."""

    attempt_id: str
    end: Settlement

    def write(self, db: sqlite3.Connection) -> bool:
        end, sequence = self.end, _sequence(self.attempt_id)
        found = settle(
            db,
            "attempt = ? AND attempt_id = ?",
            (sequence, self.attempt_id),
            Outcome(
                status=end.status,
                ended_at=timestamp(end.ended_at),
                code=None if end.code is None else end.code.value,
                usage=end.usage,
                cost=amount(end.cost),
                resolved_model=_name(end.resolved_model),
                unsent=int(end.unsent),
                partial_bytes=None if end.partial is None else end.partial.bytes,
                partial_sha256=None if end.partial is None else end.partial.sha256,
                cause=end.cause and end.cause.value,
                http_status=end.http_status,
                cut=end.cut,
            ),
        )
        if not found and not _is_there(db, sequence, self.attempt_id):
            raise NotFound(f"there is no attempt `{self.attempt_id}`")
        return bool(found)


@dataclass(frozen=True, slots=True)
class FollowupEntry:
    """What was done about an attempt that was no good, known once it has ended. What is None stays as it was.

    Attributes:
        wait_s: seconds before the same model was asked again.
        cause: why it was no good, where its end says nothing of that.
    """

    attempt_id: str
    followup: Followup | None = None
    wait_s: float | None = None
    cause: Cause | None = None

    def write(self, db: sqlite3.Connection) -> None:
        sequence = _sequence(self.attempt_id)
        if _is_there(db, sequence, self.attempt_id):
            if self.cause is not None:
                take_back(db, sequence)
            db.execute(
                "INSERT INTO followed_up SELECT ?, coalesce(max(number), 0) + 1, ?, ?, ? FROM followed_up"
                " WHERE attempt = ?",
                (sequence, self.followup, self.wait_s, self.cause and self.cause.value, sequence),
            )


class NoEntry:
    """A step that does nothing: for what only waits to be written before it."""

    def write(self, db: sqlite3.Connection) -> None:
        del db


def _sequence(attempt_id: str) -> int:
    """The place of an attempt: its id ends with it, so that no index of ids is needed. -1 where it is no id."""
    try:
        return int(attempt_id[-_PLACE:], 16)
    except ValueError:
        return -1


def _is_there(db: sqlite3.Connection, sequence: int, attempt_id: str) -> bool:
    found = db.execute("SELECT 1 FROM begun WHERE sequence = ? AND attempt_id = ?", (sequence, attempt_id)).fetchone()
    return found is not None


@lru_cache(maxsize=256)
def _name(text: str | None) -> str | None:
    """A name as it is kept; few have many."""
    return None if text is None else redacted(text)


def _receipt(receipt: "Receipt") -> str:
    """A receipt as it is kept. Its hashes are ours; whatever else it says somebody may have chosen."""
    text = receipt.model_dump_json()
    chosen = [
        part for item in (*receipt.sent, *receipt.written, *receipt.withheld) for part in (item.path, item.reason)
    ]
    said = "\n".join((receipt.address, receipt.path, *chosen))
    return text if _is_clean(said) else redacted_json(text)


@lru_cache(maxsize=64)
def _is_clean(said: str) -> bool:
    """Whether nothing in it looks like a secret; the attempts of a task, and tasks alike, say the same."""
    return redacted(said) == said


def _check(db: sqlite3.Connection, limit: SpendingLimit, start: AttemptStart) -> None:
    if start.reserved is None:
        raise BudgetExceeded(
            f"nobody knows what an attempt at `{start.model}` may cost, and the budget `{limit.scope}` applies to it",
            scope=limit.scope,
            fix='state its price in [catalog."provider/model"], or route to a model with a known price',
            code=Code.PRICE_UNKNOWN,
        )
    left = limit.limit - spent(db, limit.scope, limit.since, start.workspace)
    if start.reserved > left:
        raise BudgetExceeded(
            f"an attempt at `{start.model}` may cost {plain(start.reserved)} USD; budget `{limit.scope}` has"
            f" {plain(left)} left",
            scope=limit.scope,
            fix="raise the budget, wait for its next period (in UTC), or route to a cheaper model",
        )
