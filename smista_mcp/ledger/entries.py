"""What a dispatch writes: each entry is one step of a transaction, and several may share one."""

import os
import sqlite3
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Protocol, TypeVar

from smista_mcp.core.costing import plain
from smista_mcp.core.redaction import redacted, redacted_json
from smista_mcp.errors import Cause, Code, NotFound
from smista_mcp.ledger.queries import find_trace
from smista_mcp.ledger.records import AttemptStart, BudgetExceeded, Followup, NewTrace, Settlement, SpendingLimit
from smista_mcp.ledger.spending import amount, spent, timestamp

if TYPE_CHECKING:
    from smista_mcp.core.receipt import Receipt

T_co = TypeVar("T_co", covariant=True)


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
            "INSERT OR IGNORE INTO trace (trace_id, decision_id, decision, at)"
            " VALUES (:trace, :decision, (SELECT max(sequence) FROM decision WHERE decision_id = :decision), :at)",
            {"trace": self.trace.trace_id, "decision": self.trace.decision_id, "at": timestamp(self.trace.at)},
        )


class AttemptEntry:
    """The beginning of an attempt, with its reservation: gives its id.

    Args:
        trace: to which it belongs; a new one begins with it.
        start: what is known before the request leaves.
        limits: the budgets that apply to it.
        owner: the mark of whoever makes it.
    """

    __slots__ = ("_attempt_id", "_limits", "_row", "_start", "_trace")

    def __init__(self, trace: NewTrace | str, start: AttemptStart, limits: Sequence[SpendingLimit], owner: str) -> None:
        trace_id = trace if isinstance(trace, str) else trace.trace_id
        self._trace, self._start, self._limits = trace, start, limits
        self._attempt_id = os.urandom(16).hex()
        self._row = (
            *(self._attempt_id, trace_id, start.phase, start.intent.value, _name(start.model)),
            *(_name(start.resolved_model), _name(start.provider), start.locality.value, start.workspace),
            *(_name(start.token), timestamp(start.started_at), amount(start.reserved), start.cost_kind),
            *(_receipt(start.receipt), owner),
        )

    def write(self, db: sqlite3.Connection) -> str:
        if isinstance(self._trace, str):
            find_trace(db, self._trace)
        else:
            TraceEntry(self._trace).write(db)
        for limit in self._limits:
            _check(db, limit, self._start)
        db.execute(
            "INSERT INTO attempt (attempt_id, trace_id, phase, intent, model, resolved_model, provider, locality,"
            " workspace, token, started_at, status, reserved, cost_kind, receipt, owner)"
            " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, ?, ?)",
            self._row,
        )
        return self._attempt_id


@dataclass(frozen=True, slots=True)
class SettlementEntry:
    """The end of an attempt: gives whether this settlement is the one that stands."""

    attempt_id: str
    end: Settlement

    def write(self, db: sqlite3.Connection) -> bool:
        end, usage = self.end, self.end.usage
        values = (
            *(end.status, timestamp(end.ended_at), None if end.code is None else end.code.value),
            *usage,
            *(amount(end.cost), _name(end.resolved_model), int(end.unsent)),
            *(*(end.partial or (None, None)), end.cause and end.cause.value, end.http_status, self.attempt_id),
        )
        changed = db.execute(
            "UPDATE attempt SET status = ?, ended_at = ?, code = ?, input_tokens = ?, cached_input_tokens = ?,"
            " output_tokens = ?, reasoning_tokens = ?, cache_write_tokens = ?, cost = ?,"
            " resolved_model = coalesce(?, resolved_model),"
            " receipt = CASE WHEN ? THEN json_set(receipt, '$.departed', json('false')) ELSE receipt END,"
            " partial_bytes = ?, partial_sha256 = ?, cause = ?, http_status = ?"
            " WHERE attempt_id = ? AND status = 'running'",
            values,
        )
        if changed.rowcount:
            return True
        if db.execute("SELECT 1 FROM attempt WHERE attempt_id = ?", (self.attempt_id,)).fetchone() is None:
            raise NotFound(f"there is no attempt `{self.attempt_id}`")
        return False


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
        db.execute(
            "UPDATE attempt SET followup = coalesce(?, followup), wait_s = coalesce(?, wait_s),"
            " cause = coalesce(cause, ?) WHERE attempt_id = ?",
            (self.followup, self.wait_s, self.cause and self.cause.value, self.attempt_id),
        )


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
    return text if redacted(said) == said else redacted_json(text)


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
            fix="raise the budget, wait for its next period, or route to a cheaper model",
        )
