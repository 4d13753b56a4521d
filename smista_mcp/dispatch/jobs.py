"""Work that may outlive a call: each dispatch is a job, and a caller waits for it as long as its host lets it."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb

import anyio
from anyio.abc import TaskGroup

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.dispatch import spans
from smista_mcp.errors import Code, NotFound, SmistaError
from smista_mcp.tracing import door

KEPT = 200
"""Ended jobs that can still be asked for; the oldest go first."""
MAX_RUNNING = 16
"""Jobs that may run at once; each holds its context, and most a connection."""
BEAT_S = 1.0
"""Seconds between two reports to a waiting caller."""
_LOGGER = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Progress:
    """How far a job is.

    Attributes:
        phase: the one under way, from 0; `phases` is how many there are.
        tokens: what its model has written so far, as we count it.
        seconds: since the job began.
    """

    phase: int
    phases: int
    message: str
    tokens: int
    seconds: float


@dataclass(slots=True)
class Standing:
    """The same as the work itself keeps it: set often, read when somebody wants to know."""

    phase: int = 0
    phases: int = 1
    message: str = "reading the task"
    tokens: int = 0


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work.

    Attributes:
        key: the same for calls that ask for the same thing.
        owner: who started it; it answers nobody else.
        decisions: ids of the decisions that it carries out, once they are made.
        waiting: callers that wait for it right now.
        work: what it does; once more where it can go on after a person's yes.
        asked: ids of what people were asked because of it.
        revision: of the policy that it last went by.
        place: of its span in a trace, where somebody listens.
    """

    job_id: str
    key: str
    started: float
    owner: str = ""
    standing: Standing = field(default_factory=Standing)
    decisions: tuple[str, ...] = ()
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    ended: anyio.Event = field(default_factory=anyio.Event)
    answer: DispatchAnswer | None = None
    error: Exception | None = None
    waiting: int = 0
    work: "Work | None" = None
    asked: set[str] = field(default_factory=set[str])
    revision: str = ""
    place: object | None = None

    @property
    def lives(self) -> bool:
        """Whether it will come to an end of its own."""
        return not self.ended.is_set() and not self.scope.cancel_called

    def progress(self) -> Progress:
        at = self.standing
        return Progress(at.phase, at.phases, at.message, at.tokens, anyio.current_time() - self.started)


Listener = Callable[[Progress], Awaitable[None]]
"""Called for a waiting caller, every second."""
Work = Callable[[Job], Awaitable[DispatchAnswer]]


class Jobs:
    """The jobs of one process. They die with it; what they did is in the ledger.

    Args:
        group: where they run.
        new_id: gives each its id.
        beat_s: seconds between two reports to a waiting caller.
    """

    def __init__(self, group: TaskGroup, new_id: Callable[[], str], *, beat_s: float = BEAT_S) -> None:
        self._group = group
        self._new_id = new_id
        self._beat_s = beat_s
        self._jobs: dict[str, Job] = {}

    async def run(
        self, key: str, work: Work, *, listener: Listener | None, limit_s: float | None, owner: str = ""
    ) -> DispatchAnswer:
        """Starts the work, or joins the job that does the same right now, and waits for it up to `limit_s` seconds.

        A caller that is cancelled while nobody else waits cancels the job; one whose time is up leaves it running.
        Where too many jobs run, nothing is started and the answer is `refused`.
        """
        job = next((j for j in self._jobs.values() if (j.key, j.owner) == (key, owner) and j.lives), None)
        if job is None:
            self._forget_old()
            if sum(not known.ended.is_set() for known in self._jobs.values()) >= MAX_RUNNING:
                return _too_many()
            job = Job(self._new_id(), key, anyio.current_time(), owner, work=work)
            self._jobs[job.job_id] = job
            self._group.start_soon(_carry_out, job, work)
        return await self._wait(job, listener, limit_s)

    async def join(
        self, job_id: str, *, listener: Listener | None, limit_s: float | None, owner: str = ""
    ) -> DispatchAnswer:
        """Waits for a job that runs, or gives the answer of one that has ended.

        Raises:
            NotFound: `job_not_found`, also for a job of another owner.
        """
        job = self.find(job_id, owner)
        if job is None:
            raise NotFound(
                f"no job `{job_id[:80]}` of yours in this server; a job ends with the server that ran it",
                fix="dispatch the task again; what was done before is in `explain`",
                code=Code.JOB_NOT_FOUND,
            )
        return await self._wait(job, listener, limit_s)

    async def again(self, job: Job, *, listener: Listener | None, limit_s: float | None) -> DispatchAnswer:
        """Lets a job that has ended go on with what it keeps, or joins it where somebody was faster."""
        if job.ended.is_set() and job.work is not None:
            if sum(not known.ended.is_set() for known in self._jobs.values()) >= MAX_RUNNING:
                return _too_many()
            job.scope, job.ended, job.answer, job.error = anyio.CancelScope(), anyio.Event(), None, None
            job.started = anyio.current_time()
            self._group.start_soon(_carry_out, job, job.work)
        return await self._wait(job, listener, limit_s)

    def asking(self, key: str, owner: str = "") -> Job | None:
        """The latest job of that key that has ended and waits for a person's yes."""
        found = (j for j in self._jobs.values() if (j.key, j.owner) == (key, owner) and j.ended.is_set() and j.asked)
        return next(reversed(list(found)), None)

    def find(self, job_id: str, owner: str = "") -> Job | None:
        job = self._jobs.get(job_id)
        return job if job is not None and job.owner == owner else None

    async def _wait(self, job: Job, listener: Listener | None, limit_s: float | None) -> DispatchAnswer:
        deadline = None if limit_s is None else anyio.current_time() + limit_s
        job.waiting += 1
        door.current().follows(job.place)  # a call that joins it: the job belongs to the trace of the first
        try:
            while not job.ended.is_set():
                left = self._beat_s if deadline is None else min(self._beat_s, deadline - anyio.current_time())
                if left <= 0:
                    return _running(job)
                with anyio.move_on_after(left):
                    await job.ended.wait()
                if listener is not None and not job.ended.is_set():
                    await listener(job.progress())
        except anyio.get_cancelled_exc_class():
            if job.waiting == 1:
                job.scope.cancel()
            raise
        finally:
            job.waiting -= 1
        return _ended(job)

    def _forget_old(self) -> None:
        ended = [job_id for job_id, job in self._jobs.items() if job.ended.is_set()]
        for job_id in ended[: max(0, len(ended) - KEPT)]:
            del self._jobs[job_id]


async def _carry_out(job: Job, work: Work) -> None:
    try:
        with spans.dispatch_span() as span:
            job.place = span.place
            with job.scope:
                job.answer = await work(job)
            spans.note_answer(span, job.answer)
    except Exception as error:  # noqa: BLE001  whoever waits for the job gets it; no other job may end for it
        job.error = error
        _note(error)
    finally:
        job.ended.set()


def _note(error: Exception) -> None:
    """Logs a defect of ours: of what kind and where in the code, and nothing of what it worked on."""
    if isinstance(error, SmistaError):
        return
    frames = extract_tb(error.__traceback__)
    place = f"{Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else "an unknown place"
    _LOGGER.error("a job failed: %s at %s", type(error).__name__, place)


def _too_many() -> DispatchAnswer:
    return DispatchAnswer(
        status="refused",
        code=Code.PROVIDER_RATE_LIMITED,
        phases=(),
        next=f"this server carries out {MAX_RUNNING} tasks already; wait until one has ended, then dispatch this again",
    )


def _running(job: Job) -> DispatchAnswer:
    return DispatchAnswer(
        status="running",
        code=None,
        phases=(),
        next=f'call dispatch with job_id "{job.job_id}" to wait for the answer',
        job_id=job.job_id,
    )


def _ended(job: Job) -> DispatchAnswer:
    if job.error is not None:
        raise job.error
    if job.answer is None:
        return DispatchAnswer(status="failed", code=Code.CANCELLED, phases=(), job_id=job.job_id)
    return job.answer.model_copy(update={"job_id": job.job_id})
