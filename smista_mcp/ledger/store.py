"""The durable record of what was decided, tried and charged."""

import os
import sqlite3
import weakref
from collections.abc import Sequence
from contextlib import AbstractContextManager
from datetime import date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar, cast

from smista_mcp.core.decision import Decision
from smista_mcp.core.redaction import redacted, redacted_json
from smista_mcp.errors import NotFound, SmistaError
from smista_mcp.ledger.database import BUSY_S, FILE, connected, reading
from smista_mcp.ledger.folder import installation_key
from smista_mcp.ledger.inputs import InputBook, keep
from smista_mcp.ledger.living import Mark, forget_dead
from smista_mcp.ledger.queries import dead_owners, find_decision, find_trace, read_decisions, read_trace
from smista_mcp.ledger.records import (
    AttemptStart,
    JobStart,
    NewTrace,
    PhaseFacts,
    RouteRecord,
    Scope,
    SpendingLimit,
    StoredDecision,
    StoredTrace,
)
from smista_mcp.ledger.spending import spent, timestamp
from smista_mcp.ledger.writer import Writer

if TYPE_CHECKING:
    from smista_mcp.ledger.answer_labels import AnswerLabels
    from smista_mcp.ledger.approvals import ApprovalBook
    from smista_mcp.ledger.entries import AttemptEntry, Entry
    from smista_mcp.ledger.history import History
    from smista_mcp.ledger.jobs import JobBook
    from smista_mcp.ledger.learned import EvidenceBook
    from smista_mcp.ledger.outcomes import OutcomeBook
    from smista_mcp.ledger.sessions import Sessions
    from smista_mcp.ledger.tallies import Tally
    from smista_mcp.ledger.upkeep import Upkeep


T = TypeVar("T")


class Ledger:
    """The ledger of one state folder, shared by all threads and processes that open it.

    Every method may be called from any thread: one that reads opens its own connection and closes it, those that write
    take turns on one. A method that writes is done when it returns: what it wrote survives a crash of the process and
    of the machine.

    Every method raises `StateUnavailable` where the ledger cannot be read or written; nothing is half-written then.
    """

    __slots__ = ("__weakref__", "_busy_s", "_folder", "_mark", "_writer")

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s
        self._mark: Mark | None = None
        self._writer = Writer(folder, busy_s)
        weakref.finalize(self, self._writer.close)

    @classmethod
    def open(cls, state: Path, *, busy_s: float = BUSY_S) -> "Ledger":
        """The ledger of a state folder; folder (0700) and file (0600) are made where they are missing.

        Attempts that run in no process any more are uncertain from then on, and jobs failed.

        Args:
            state: the folder.
            busy_s: seconds that each method waits for others that hold the file.

        Raises:
            StateUnavailable: it cannot be used, and why: no right to write, disk full, no database, newer schema.
        """
        folder = state.absolute()
        ledger = cls(folder, busy_s)
        ledger.bury_dead()
        return ledger

    def bury_dead(self) -> None:
        """Makes uncertain the attempts, and failed the jobs, of processes that are gone."""
        with connected(self._folder, self._busy_s) as db:
            left = dead_owners(db, self._folder)
        if left:
            from smista_mcp.ledger.settling import bury  # noqa: PLC0415  few processes die

            with self._writer.transaction() as db:
                bury(db, left)
        forget_dead(self._folder)

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
    def jobs(self) -> "JobBook":
        """The jobs in it."""
        from smista_mcp.ledger.jobs import JobBook  # noqa: PLC0415  what only routes has none

        return JobBook(self._folder, self._busy_s, self._writer)

    @property
    def approvals(self) -> "ApprovalBook":
        """What people were asked, and what they said."""
        from smista_mcp.ledger.approvals import ApprovalBook  # noqa: PLC0415  most calls ask nobody

        return ApprovalBook(self._folder, self._busy_s)

    @property
    def history(self) -> "History":
        """What was decided lately."""
        from smista_mcp.ledger.history import History  # noqa: PLC0415  what only routes looks at nothing past

        return History(self._folder, self._busy_s)

    @property
    def inputs(self) -> InputBook:
        """What decisions were made from."""
        return InputBook(self._folder, self._busy_s)

    @property
    def outcomes(self) -> "OutcomeBook":
        """How attempts turned out."""
        from smista_mcp.ledger.outcomes import OutcomeBook  # noqa: PLC0415  few policies learn

        return OutcomeBook(self._folder, self._busy_s)

    @property
    def evidence(self) -> "EvidenceBook":
        """What decisions see of that."""
        from smista_mcp.ledger.learned import EvidenceBook  # noqa: PLC0415  as above

        return EvidenceBook(self._folder, self._busy_s)

    @property
    def upkeep(self) -> "Upkeep":
        """What keeps it small and right."""
        from smista_mcp.ledger.upkeep import Upkeep  # noqa: PLC0415  that is seldom done

        return Upkeep(self._folder, self._busy_s)

    def _reading(self) -> AbstractContextManager[sqlite3.Connection]:
        return reading(self._folder, self._busy_s)

    # ------------------------------------------------------------------------------------------------- decisions

    def record_route(self, answer: RouteRecord) -> tuple[int, ...]:
        """Records all decisions of a call, or none; they say `recorded` and lack the prompt of a handoff.

        Returns:
            their places in the ledger, in order.
        """
        call_id = new_id()
        at = timestamp(answer.at)
        rows = [
            (call_id, one.decision_id, one.phase, at, host, answer.workspace, answer.text_digest, facts, kept_body(one))
            for one, facts, host in zip(answer.decisions, _facts(answer), _hosts(answer), strict=True)
        ]
        with self._writer.transaction() as db:
            insert = (
                "INSERT INTO decision (call_id, decision_id, phase, at, host, workspace, text_digest, facts, body)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)"
            )
            places = tuple(cast("int", db.execute(insert, row).lastrowid) for row in rows)
            keep(db, answer.kept, answer.at)
            if answer.job is not None:
                self._note_job(db, answer.job, answer.workspace, at)
                db.execute("INSERT INTO job_call (job_id, call_id) VALUES (?, ?)", (answer.job.job_id, call_id))
        return places

    def _note_job(self, db: sqlite3.Connection, job: JobStart, workspace: str | None, at: str) -> None:
        keeper = self._mark_name()
        db.execute(
            "INSERT INTO job (job_id, owner, workspace, keeper, revision, began_at, status)"
            " VALUES (?, ?, ?, ?, ?, ?, 'running')"
            " ON CONFLICT (job_id) DO UPDATE SET keeper = excluded.keeper, revision = excluded.revision,"
            " ended_at = NULL, status = 'running', code = NULL",
            (job.job_id, job.owner, workspace, keeper, job.revision, at),
        )
        db.execute(
            "INSERT INTO job_event (job_id, event, at, owner, workspace, keeper, revision)"
            " VALUES (?, 'begun', ?, ?, ?, ?, ?)",
            (job.job_id, at, job.owner, workspace, keeper, job.revision),
        )

    def _mark_name(self) -> str:
        """By which others know that this process lives."""
        if self._mark is None:
            self._mark = Mark(self._folder)
        return self._mark.name

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

    def attempt(self, trace: NewTrace | str, start: AttemptStart, limits: Sequence[SpendingLimit]) -> "AttemptEntry":
        """The entry that records an attempt of this process and reserves its cost.

        Args:
            trace: the id of one that is recorded; or a new one, which is begun in the same step.
            start: what is known before the request leaves.
            limits: the budgets that apply to this attempt; checked and reserved for in one step.
        """
        from smista_mcp.ledger.entries import AttemptEntry  # noqa: PLC0415  what only routes attempts nothing

        return AttemptEntry(trace, start, limits, self._mark_name())

    def write(self, entry: "Entry[T]") -> T:
        """Writes one entry.

        Raises:
            SmistaError: it may not be written; nothing is then.
        """
        with self._writer.transaction() as db:
            return entry.write(db)

    def write_together(self, entries: "Sequence[Entry[object]]") -> list[object]:
        """Writes several entries in one transaction, in order; each sees what those before it have done.

        Returns:
            What each gives, or the `SmistaError` for which nothing of it is written; the others are.
        """
        found: list[object] = []
        with self._writer.transaction() as db:
            for entry in entries:
                db.execute("SAVEPOINT entry")
                try:
                    found.append(entry.write(db))
                except SmistaError as error:
                    db.execute("ROLLBACK TO entry")
                    found.append(error)
                db.execute("RELEASE entry")
        return found

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
                "SELECT trace_id, decision_id, decision, at FROM trace WHERE decision = ? ORDER BY at,"
                " (SELECT min(sequence) FROM begun WHERE begun.trace_id = trace.trace_id)",
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

    def tallies(self, since: date, until: date, scope: Scope | None = None) -> "tuple[Tally, ...]":
        """What attempts have used, day by day, in the order of days.

        Args:
            since: the first day, UTC.
            until: the last day; it counts.
            scope: whose; None for everybody's. Of a scope with an owner those alone count whose decision is on record:
                nobody knows whose the others are.
        """
        from smista_mcp.ledger.tallies import read_tallies  # noqa: PLC0415  what only routes sums nothing

        with self._reading() as db:
            return read_tallies(db, since, until, scope)


def new_id() -> str:
    """The id of a call or a trace."""
    return os.urandom(16).hex()


def _facts(answer: RouteRecord) -> list[str]:
    facts = answer.facts or (PhaseFacts(),) * len(answer.decisions)
    return list(map(_kept_facts, facts))


def _kept_facts(facts: PhaseFacts) -> str:
    text = facts.model_dump_json(exclude_defaults=True)
    kept = redacted_json(text)
    if kept == text or facts.hashed_by is None:
        return kept
    return _kept_facts(facts.model_copy(update={"hashed_by": None}))


def _hosts(answer: RouteRecord) -> list[str]:
    return [redacted(one.host) for one in answer.decisions]


def kept_body(decision: Decision) -> str:
    """The decision as it is kept: recorded, without words of the task that only the host needs, without secrets."""
    handoff = None if decision.handoff is None else decision.handoff.model_copy(update={"prompt": ""})
    kept = decision.model_copy(update={"recorded": True, "handoff": handoff})
    return redacted_json(kept.model_dump_json(by_alias=True))
