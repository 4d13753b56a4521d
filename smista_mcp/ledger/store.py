"""The durable record of what was decided, tried and charged."""

import os
import sqlite3
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from smista_mcp.core.decision import Decision
from smista_mcp.core.redaction import redacted, redacted_json
from smista_mcp.errors import Code, NotFound
from smista_mcp.ledger.database import BUSY_S, FILE, connected, reading, writing
from smista_mcp.ledger.folder import installation_key
from smista_mcp.ledger.living import Mark
from smista_mcp.ledger.queries import bury, dead_owners, find_decision, find_trace, read_decisions, read_trace
from smista_mcp.ledger.records import (
    AttemptStart,
    BudgetExceeded,
    PhaseFacts,
    RouteRecord,
    Scope,
    Settlement,
    SpendingLimit,
    StoredDecision,
    StoredTrace,
)
from smista_mcp.ledger.spending import amount, spent, timestamp

if TYPE_CHECKING:
    from smista_mcp.ledger.answer_labels import AnswerLabels
    from smista_mcp.ledger.approvals import ApprovalBook
    from smista_mcp.ledger.sessions import Sessions


class Ledger:
    """The ledger of one state folder, shared by all threads and processes that open it.

    Every method may be called from any thread: it opens its own connection and closes it. A method that writes is done
    when it returns: what it wrote survives a crash of the process and of the machine.

    Every method raises `StateUnavailable` where the ledger cannot be read or written; nothing is half-written then.
    """

    __slots__ = ("_busy_s", "_folder", "_mark")

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s
        self._mark: Mark | None = None

    @classmethod
    def open(cls, state: Path, *, busy_s: float = BUSY_S) -> "Ledger":
        """The ledger of a state folder; folder (0700) and file (0600) are made where they are missing.

        Attempts that run in no process any more are uncertain from then on.

        Args:
            state: the folder.
            busy_s: seconds that each method waits for others that hold the file.

        Raises:
            StateUnavailable: it cannot be used, and why: no right to write, disk full, no database, newer schema.
        """
        folder = state.absolute()
        with connected(folder, busy_s) as db:
            left = dead_owners(db, folder)
        if left:
            with writing(folder, busy_s) as db:
                bury(db, left)
        return cls(folder, busy_s)

    @staticmethod
    def is_there(state: Path) -> bool:
        """Whether a state folder has a ledger, whatever it is worth: `open` would make one."""
        return (state / FILE).exists()

    def installation_key(self) -> bytes:
        """The 32 random bytes that keyed hashes of this installation use; made at the first call."""
        return installation_key(self._folder)

    @property
    def sessions(self) -> "Sessions":
        """The sessions in it."""
        from smista_mcp.ledger.sessions import Sessions  # noqa: PLC0415  few calls have one

        return Sessions(self._folder, self._busy_s, self.installation_key())

    @property
    def answer_labels(self) -> "AnswerLabels":
        """The labels of answers in it, and where they come from."""
        from smista_mcp.ledger.answer_labels import AnswerLabels  # noqa: PLC0415  what only routes has none

        return AnswerLabels(self._folder, self._busy_s)

    @property
    def approvals(self) -> "ApprovalBook":
        """What people were asked, and what they said."""
        from smista_mcp.ledger.approvals import ApprovalBook  # noqa: PLC0415  most calls ask nobody

        return ApprovalBook(self._folder, self._busy_s)

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return reading(self._folder, self._busy_s)

    def _writing(self) -> AbstractContextManager[sqlite3.Connection]:
        return writing(self._folder, self._busy_s)

    # ------------------------------------------------------------------------------------------------- decisions

    def record_route(self, answer: RouteRecord) -> None:
        """Records all decisions of a call, or none; they say `recorded` and lack the prompt of a handoff."""
        call_id = _new_id()
        at = timestamp(answer.at)
        rows = [
            (call_id, one.decision_id, one.phase, at, host, answer.workspace, answer.text_digest, facts, _body(one))
            for one, facts, host in zip(answer.decisions, _facts(answer), _hosts(answer), strict=True)
        ]
        with self._writing() as db:
            db.executemany(
                "INSERT INTO decision (call_id, decision_id, phase, at, host, workspace, text_digest, facts, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
                rows,
            )

    def decision(self, decision_id: str, scope: Scope | None = None) -> StoredDecision:
        """The newest recording of a decision.

        Args:
            decision_id: whole, or its first characters (8 or more) where they stand for one decision only.
            scope: whose it has to be; None for whatever stands in the ledger.

        Raises:
            NotFound: no such decision, or several.
        """
        with self._reading() as db:
            return find_decision(db, decision_id, scope)

    def last(self) -> StoredDecision:
        """The decision that was recorded last: of a call with several phases, the one of the last phase.

        Raises:
            NotFound: nothing has been recorded yet.
        """
        newest = self.recent(1)
        if not newest:
            raise NotFound("no decision has been recorded yet", fix="ask for one with `route`")
        return newest[0]

    def recent(self, limit: int) -> tuple[StoredDecision, ...]:
        """The decisions that were recorded last, newest first."""
        with self._reading() as db:
            return read_decisions(db, "ORDER BY sequence DESC LIMIT ?", max(limit, 0))

    def call(self, call_id: str) -> tuple[StoredDecision, ...]:
        """All decisions that were recorded together, in the order of their phases."""
        with self._reading() as db:
            return read_decisions(db, "WHERE call_id = ? ORDER BY sequence", call_id)

    # ---------------------------------------------------------------------------------------- traces and attempts

    def open_trace(self, decision_id: str, at: datetime) -> str:
        """Begins the record of what is done with a decision, and returns its id.

        It belongs to the newest recording of that decision; to none where the decision could not be recorded.
        """
        trace_id = _new_id()
        with self._writing() as db:
            db.execute(
                "INSERT INTO trace (trace_id, decision_id, decision, at)"
                " VALUES (:trace, :decision, (SELECT max(sequence) FROM decision WHERE decision_id = :decision), :at)",
                {"trace": trace_id, "decision": decision_id, "at": timestamp(at)},
            )
        return trace_id

    def begin_attempt(self, trace_id: str, start: AttemptStart, limits: Sequence[SpendingLimit] = ()) -> str:
        """Records an attempt before its request leaves, reserves its cost, and returns its id.

        The limits are checked and the cost is reserved in one step: attempts of other threads and processes cannot
        come between, so that no number of them together oversteps a limit.

        Args:
            trace_id: from `open_trace`.
            start: what is known before the request leaves.
            limits: the budgets that apply to this attempt.

        Raises:
            BudgetExceeded: a limit has less left than the attempt may cost (`budget_exceeded`), or nobody knows what
                it may cost (`price_unknown`). Nothing is recorded.
            NotFound: no such trace.
        """
        attempt_id = _new_id()
        if self._mark is None:
            self._mark = Mark(self._folder)
        row = (
            *(attempt_id, trace_id, start.phase, start.intent.value, redacted(start.model)),
            *(_name(start.resolved_model), redacted(start.provider), start.locality.value, start.workspace),
            *(_name(start.token), timestamp(start.started_at), amount(start.reserved), start.cost_kind),
            *(redacted_json(start.receipt.model_dump_json()), self._mark.name),
        )
        with self._writing() as db:
            find_trace(db, trace_id)
            for limit in limits:
                _check(db, limit, start)
            db.execute(
                "INSERT INTO attempt (attempt_id, trace_id, phase, intent, model, resolved_model, provider, locality,"
                " workspace, token, started_at, status, reserved, cost_kind, receipt, owner)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'running', ?, ?, ?, ?)",
                row,
            )
        return attempt_id

    def settle_attempt(self, attempt_id: str, end: Settlement) -> bool:
        """Records how an attempt ended; the first settlement stands, a later one changes nothing.

        Returns:
            whether this settlement is the one that stands.

        Raises:
            NotFound: no such attempt.
        """
        usage = end.usage
        values = (
            *(end.status, timestamp(end.ended_at), None if end.code is None else end.code.value),
            *usage,
            *(amount(end.cost), _name(end.resolved_model), int(end.unsent)),
            *(*(end.partial or (None, None)), attempt_id),
        )
        with self._writing() as db:
            changed = db.execute(
                "UPDATE attempt SET status = ?, ended_at = ?, code = ?, input_tokens = ?, cached_input_tokens = ?,"
                " output_tokens = ?, reasoning_tokens = ?, cache_write_tokens = ?, cost = ?,"
                " resolved_model = coalesce(?, resolved_model),"
                " receipt = CASE WHEN ? THEN json_set(receipt, '$.departed', json('false')) ELSE receipt END,"
                " partial_bytes = ?, partial_sha256 = ?"
                " WHERE attempt_id = ? AND status = 'running'",
                values,
            )
            if changed.rowcount:
                return True
            if db.execute("SELECT 1 FROM attempt WHERE attempt_id = ?", (attempt_id,)).fetchone() is None:
                raise NotFound(f"there is no attempt `{attempt_id}`")
        return False

    def trace(self, trace_id: str, scope: Scope | None = None) -> StoredTrace:
        """A trace: the decision that it carries out, and every attempt.

        Args:
            trace_id: whole, or its first characters (8 or more) where they stand for one trace only.
            scope: whose it has to be; None for whatever stands in the ledger.

        Raises:
            NotFound: no such trace, or several.
        """
        with self._reading() as db:
            return read_trace(db, find_trace(db, trace_id, scope))

    def traces_of(self, decision: StoredDecision) -> tuple[StoredTrace, ...]:
        """What was done with one recording of a decision, oldest first."""
        with self._reading() as db:
            rows = db.execute(
                "SELECT trace_id, decision_id, decision, at FROM trace WHERE decision = ? ORDER BY rowid",
                (decision.sequence,),
            ).fetchall()
            return tuple(read_trace(db, row) for row in rows)

    # ----------------------------------------------------------------------------------------------------- money

    def spent(self, scope: str, since: datetime, workspace: str | None = None) -> Decimal:
        """What has been spent since a moment, reservations of running and uncertain attempts included; USD.

        Args:
            scope: `all`, `project`, `intent:NAME` (with its refinements), `model:GLOB` or `token:NAME`.
            since: attempts that started then or later count.
            workspace: keyed hash of the workspace root; needed for `project` alone.

        Raises:
            ValueError: there is no such scope.
        """
        with self._reading() as db:
            return spent(db, scope, since, workspace)


def _new_id() -> str:
    return os.urandom(16).hex()


def _facts(answer: RouteRecord) -> list[str]:
    facts = answer.facts or (PhaseFacts(),) * len(answer.decisions)
    return [redacted_json(one.model_dump_json(exclude_defaults=True)) for one in facts]


def _hosts(answer: RouteRecord) -> list[str]:
    return [redacted(one.host) for one in answer.decisions]


def _name(text: str | None) -> str | None:
    return None if text is None else redacted(text)


def _body(decision: Decision) -> str:
    """The decision as it is kept: recorded, without words of the task that only the host needs, without secrets."""
    handoff = None if decision.handoff is None else decision.handoff.model_copy(update={"prompt": ""})
    kept = decision.model_copy(update={"recorded": True, "handoff": handoff})
    return redacted_json(kept.model_dump_json(by_alias=True))


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
            f"an attempt at `{start.model}` may cost {start.reserved:f} USD; budget `{limit.scope}` has {left:f} left",
            scope=limit.scope,
            fix="raise the budget, wait for its next period, or route to a cheaper model",
        )
