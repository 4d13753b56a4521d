"""Jobs beyond the process that carries them out: how they ended, and what is left to say of them."""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from decimal import Decimal

import anyio
import anyio.to_thread

from smista_mcp.app.caller import Caller
from smista_mcp.app.jobcalls import decisions_of
from smista_mcp.app.outcome import has_labels, without_labelled
from smista_mcp.app.world import World, utc_now
from smista_mcp.core.costing import plain, usd
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.core.explained import UsageReport
from smista_mcp.core.values import JobStatus, Status
from smista_mcp.dispatch.answerfiles import AnswerFiles
from smista_mcp.dispatch.jobfiles import KEPT_HOURS, JobFiles
from smista_mcp.dispatch.jobs import Wait, no_such_job, running
from smista_mcp.dispatch.keepable import keepable
from smista_mcp.dispatch.releases import Done
from smista_mcp.dispatch.standing import Progress, Spent, dearest
from smista_mcp.errors import Code, NotFound, PolicyInvalid, StateUnavailable
from smista_mcp.ledger import CostKind, Ledger, StoredAttempt, StoredDecision
from smista_mcp.ledger.jobs import StoredJob

LOOK_S = 1.0
"""Seconds between two looks at a job that another process carries out."""
_ELSEWHERE = "carried out by another process of smista-mcp"
_DUPLICATE = "possible_duplicate_charge: the request may have been charged"
_GONE = (
    "the process that carried this job out has ended, and so has what it waited for: dispatch the same task again; a"
    " yes of your user counts for it"
)
_STAYS = (
    "the process that carried this job out still runs and may go on with it after a yes of your user; here dispatch the"
    " same task again, for which the yes counts just as well"
)
_AGAIN = (
    "the job did not come to an end of its own: dispatch the task again; what was asked and charged is in `explain`"
)
_PAST = f"an answer is kept for {KEPT_HOURS} hours: dispatch the task again"
_UNDONE: Mapping[Status, JobStatus] = {
    Status.REFUSED: "refused",
    Status.APPROVAL_REQUIRED: "approval_required",
    Status.HANDOFF: "handoff",
}


class JobRecords:
    """The jobs of this installation, whoever carries them out. Methods without `async` block."""

    def __init__(self, world: World) -> None:
        self._world = world

    @property
    def files(self) -> JobFiles:
        return JobFiles(self._world.state / "jobs", self._world.state_refusal)

    def begun(self, job_id: str) -> None:
        """That a job is carried out from now on: what was kept of it, where it goes on, stands no longer."""
        self.files.drop(job_id)

    def ended(self, job_id: str, answer: DispatchAnswer | None, kept: Mapping[int, Done]) -> None:
        """Puts on record how a job ended; None for one that broke. What cannot be written is lost."""
        if answer is not None:
            files = self.files
            files.forget(utc_now().timestamp())
            withheld = AnswerFiles(self._world.state / "answers", self._world.state_refusal)
            files.keep(job_id, keepable(answer, kept, withheld))
        status, code = ("failed", None) if answer is None else (answer.status, answer.code)
        with suppress(StateUnavailable):
            self._world.open_ledger().jobs.end(job_id, status, code, utc_now())

    async def joined(self, job_id: str, caller: Caller, wait: Wait, *, anywhere: bool) -> DispatchAnswer:
        """Waits for a job of another process, or tells what is left of one that has ended.

        Args:
            job_id: or the beginning of it.
            caller: whose it has to be.
            wait: how long, and who hears of it.
            anywhere: whether it may be of any caller and workspace.

        Raises:
            NotFound: `job_not_found`.
        """
        began = anyio.current_time()
        while True:
            job = await anyio.to_thread.run_sync(self._found, job_id, caller, anywhere)
            if job.status != "running":
                return await anyio.to_thread.run_sync(self._told, job)
            waited = anyio.current_time() - began
            left = LOOK_S if wait.limit_s is None else min(LOOK_S, wait.limit_s - waited)
            if left <= 0:
                return running(job.job_id, await anyio.to_thread.run_sync(self._so_far, job))
            await anyio.sleep(left)
            if wait.listener is not None:
                await wait.listener(await anyio.to_thread.run_sync(self._so_far, job))

    def _so_far(self, job: StoredJob) -> Progress:
        """How far a job of another process is, as far as that is on record: whom it asked last, and what it cost."""
        ledger = self._world.open_ledger()
        decisions = decisions_of(ledger, job.calls)
        asked = [(one.phase, a) for one in decisions for t in ledger.traces_of(one) for a in t.attempts]
        seconds = (utc_now() - datetime.fromisoformat(job.began_at)).total_seconds()
        if not asked:
            return Progress(0, max(len(decisions), 1), _ELSEWHERE, 0, seconds)
        phase, last = asked[-1]
        settled = [one for _, one in asked if one.status != "running"]
        costs = [Decimal(one.cost) for one in settled if one.cost is not None]
        kinds: list[CostKind] = ["unknown"] if len(costs) < len(settled) else [one.cost_kind for _, one in asked]
        spent = Spent(plain(sum(costs, Decimal(0))), dearest(kinds))
        message = f"{last.intent} with {last.resolved_model or last.model}, {_ELSEWHERE}"
        return Progress(phase, len(decisions), message, 0, seconds, spent)

    def _found(self, given: str, caller: Caller, anywhere: bool) -> StoredJob:  # noqa: FBT001  for a thread
        scope = None if anywhere else self._world.scope(caller.owner)
        try:
            ledger = self._world.open_ledger()
            job = ledger.jobs.find(given, scope)
            if job.status == "running":
                ledger.bury_dead()
                job = ledger.jobs.find(given, scope)
        except NotFound:
            raise no_such_job(given) from None
        except StateUnavailable as error:
            message = f"no job `{given[:80]}` of yours is known here, and there is no record: {error.message}"
            raise NotFound(message, fix=error.fix, code=Code.JOB_NOT_FOUND) from None
        return job

    def _told(self, job: StoredJob) -> DispatchAnswer:
        ledger = self._world.open_ledger()
        answer = self.files.read(job.job_id, utc_now().timestamp())
        if answer is None or job.ended_at is None or (answer.status, answer.code) != (job.status, job.code):
            return told_from(ledger, job)  # what may lie there is of an earlier time that it was carried out
        if has_labels(answer) and not self._still_holds(job.revision):
            answer = without_labelled(answer)
        waits = answer.approval_id is not None or any(phase.withheld is not None for phase in answer.phases)
        there = (_STAYS if ledger.jobs.is_carried(job) else _GONE) if waits else None
        steps = [step for step in (answer.next, there) if step]
        return answer.model_copy(update={"job_id": job.job_id, "next": "\n".join(steps) or None})

    def _still_holds(self, revision: str) -> bool:
        try:
            return self._world.book().policy.revision == revision
        except PolicyInvalid:
            return False


def told_from(ledger: Ledger, job: StoredJob) -> DispatchAnswer:
    """What the ledger alone knows of a job that has ended: models, tokens and costs, and no answers."""
    died = job.ended_at is None
    phases = tuple(_phase(ledger, decision, died=died) for decision in decisions_of(ledger, job.calls))
    traces = [phase.trace_id for phase in phases if phase.trace_id]
    return DispatchAnswer(
        status=job.status,
        code=None if job.code is None else Code(job.code),
        phases=phases,
        next=_AGAIN if died or (job.status, job.code) == ("failed", None) else _PAST,
        job_id=job.job_id,
        receipt_id=traces[0] if traces else None,
        trace_id=traces[0] if traces else None,
    )


def _phase(ledger: Ledger, stored: StoredDecision, *, died: bool) -> DispatchedPhase:
    decision = stored.decision
    attempts = [attempt for trace in ledger.traces_of(stored) for attempt in trace.attempts]
    status, code, detail = _ending(decision.status, attempts, died=died)
    last = attempts[-1] if attempts else None
    return DispatchedPhase(
        phase=decision.phase,
        intent=decision.intent.name,
        status=status,
        code=decision.code if code is None else code,
        model=decision.model if last is None else last.resolved_model or last.model,
        answer=None,
        patch=None,
        label=None,
        usage=UsageReport() if last is None else UsageReport(**last.usage._asdict()),
        cost=_cost(attempts),
        trace_id=None if last is None else last.trace_id,
        effort=decision.effort,
        detail=detail or decision.reason,
    )


def _ending(decided: Status, attempts: Sequence[StoredAttempt], *, died: bool) -> tuple[JobStatus, Code | None, str]:
    """Status, code and words for a phase of which only the record is left."""
    if not attempts:
        undone = _UNDONE.get(decided)
        return (undone, None, "") if undone else ("failed", Code.CANCELLED, "not begun when the job ended")
    last = attempts[-1]
    if last.status == "completed":
        lost = "it was answered, and the answer went with the server" if died else _PAST
        return ("failed", Code.CANCELLED, lost) if died else ("completed", None, lost)
    code = Code(last.code) if last.code in set(Code) else Code.CANCELLED
    uncertain = any(attempt.status in ("uncertain", "running") for attempt in attempts)
    what = f"{last.model}: {last.status}"
    return "failed", code, f"{what}; {_DUPLICATE}" if uncertain else what


def _cost(attempts: Sequence[StoredAttempt]) -> str | None:
    costs = [Decimal(attempt.cost) for attempt in attempts if attempt.cost is not None]
    return usd(sum(costs, Decimal(0))) if costs and len(costs) == len(attempts) else None
