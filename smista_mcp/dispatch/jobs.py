"""Work that may outlive a call: each dispatch is a job, and a caller waits for it as long as its host lets it."""

import logging
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from pathlib import Path
from traceback import extract_tb
from typing import Literal

import anyio
from anyio.abc import TaskGroup

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.dispatch import spans
from smista_mcp.dispatch.allowance import Spent
from smista_mcp.dispatch.standing import Progress, Standing
from smista_mcp.errors import Code, NotFound, SmistaError
from smista_mcp.tracing import door

KEPT = 200
"""Ended jobs that are held in memory; the oldest go first."""
KEPT_S = 24 * 3600.0
"""Seconds for which they are held at most."""
MAX_RUNNING = 16
"""Jobs of one caller that may run at once; each holds its context, and most a connection."""
MAX_OF_ALL = 64
"""Jobs of all callers together."""
SHORTEST = 8
"""Characters by which a job can be named at least."""
BEAT_S = 1.0
"""Seconds between two reports to a waiting caller."""
Leave = Literal["cancelled", "dropped", "closed"]
"""Why a caller waits no more: it said so; its connection is gone; it closed its connection, which some hosts do to say
so, and which looks like the former."""
Leaving = Callable[[], Leave]
_LOGGER = logging.getLogger(__name__)


@dataclass(slots=True, eq=False)
class Job:
    """One piece of work.

    Attributes:
        key: the same for calls that ask for the same thing.
        owner: who started it; it answers nobody else.
        decisions: ids of the decisions that it carries out, once they are made.
        waiting: callers that wait for it right now.
        named: whether a caller has been told its id, to come back with.
        work: what it does; once more where it can go on after a person's yes.
        asked: ids of what people were asked because of it.
        spent: by its attempts so far, also before it had to stop for a person.
        revision: of the policy that it last went by.
        until: when it is forgotten, once it has ended.
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
    named: bool = False
    until: float = 0.0
    work: "Work | None" = None
    asked: set[str] = field(default_factory=set[str])
    spent: list[Spent] = field(default_factory=list[Spent])
    revision: str = ""
    place: object | None = None

    @property
    def lives(self) -> bool:
        """Whether it will come to an end of its own."""
        return not self.ended.is_set() and not self.scope.cancel_called

    def progress(self) -> Progress:
        return self.standing.progress(anyio.current_time() - self.started)


Listener = Callable[[Progress], Awaitable[None]]
"""Called for a waiting caller, every second."""


def said_so() -> Leave:
    """That of a caller who leaves in no other way."""
    return "cancelled"


@dataclass(frozen=True, slots=True)
class Wait:
    """How a caller waits.

    Attributes:
        listener: hears of progress.
        limit_s: after so many seconds the answer is `running`; None waits for the end.
        leaving: asked once its wait was cut off.
        begun: hears at once for which job it waits.
    """

    listener: Listener | None = None
    limit_s: float | None = None
    leaving: Leaving = said_so
    begun: Callable[[str], None] | None = None


TO_THE_END = Wait()
AT_ONCE = Wait(limit_s=0.0)
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

    async def run(self, key: str, work: Work, wait: Wait = TO_THE_END, *, owner: str = "") -> DispatchAnswer:
        """Starts the work, or joins the job that does the same right now, and waits for it.

        A caller that leaves while nobody else waits ends the job, unless its connection was lost and somebody can come
        back: with the id, or with the same call. One whose time is up leaves it running. Where too many jobs run,
        nothing is started and the answer is `refused`.
        """
        job = next((j for j in self._jobs.values() if (j.key, j.owner) == (key, owner) and j.lives), None)
        if job is None:
            self._forget_old()
            if self._is_full(owner):
                return _too_many()
            job = Job(self._new_id(), key, anyio.current_time(), owner, work=work)
            self._jobs[job.job_id] = job
            self._group.start_soon(_carry_out, job, work)
        return await self._wait(job, wait)

    async def join(self, job_id: str, wait: Wait = TO_THE_END, *, owner: str = "") -> DispatchAnswer:
        """Waits for a job that runs, or gives the answer of one that has ended.

        Raises:
            NotFound: `job_not_found`, also for a job of another owner.
        """
        job = self.find(job_id, owner)
        if job is None:
            raise no_such_job(job_id)
        return await self._wait(job, wait)

    def _is_full(self, owner: str) -> bool:
        """Whether no further job of this caller may begin."""
        running = [known.owner for known in self._jobs.values() if not known.ended.is_set()]
        return len(running) >= MAX_OF_ALL or running.count(owner) >= MAX_RUNNING

    async def again(self, job: Job, wait: Wait = TO_THE_END) -> DispatchAnswer:
        """Lets a job that has ended go on with what it keeps, or joins it where somebody was faster."""
        if job.ended.is_set() and job.work is not None:
            if self._is_full(job.owner):
                return _too_many()
            job.scope, job.ended, job.answer, job.error = anyio.CancelScope(), anyio.Event(), None, None
            job.started = anyio.current_time()
            self._group.start_soon(_carry_out, job, job.work)
        return await self._wait(job, wait)

    def asking(self, key: str, owner: str = "") -> Job | None:
        """The latest job of that key that has ended and waits for a person's yes."""
        found = (j for j in self._jobs.values() if (j.key, j.owner) == (key, owner) and j.ended.is_set() and j.asked)
        return next(reversed(list(found)), None)

    def find(self, job_id: str, owner: str = "") -> Job | None:
        """A job of the owner by its id, or by the beginning of it where that stands for one job alone."""
        given = job_id.strip().lower()
        found = [job for known, job in self._jobs.items() if job.owner == owner and known.startswith(given)]
        exact = next((job for job in found if job.job_id == given), None)
        return exact or (found[0] if len(found) == 1 and len(given) >= SHORTEST else None)

    def cancel(self, theirs: Callable[[str], bool]) -> None:
        """Ends every running job of the owners that this says; each is recorded as cancelled."""
        for job in self._jobs.values():
            if job.lives and theirs(job.owner):
                job.scope.cancel()

    async def _wait(self, job: Job, wait: Wait) -> DispatchAnswer:
        deadline = None if wait.limit_s is None else anyio.current_time() + wait.limit_s
        job.waiting += 1
        if wait.begun is not None:
            wait.begun(job.job_id)
        door.current().follows(job.place)  # a call that joins it: the job belongs to the trace of the first
        try:
            while not job.ended.is_set():
                left = self._beat_s if deadline is None else min(self._beat_s, deadline - anyio.current_time())
                if left <= 0:
                    job.named = True
                    return running(job.job_id, job.progress())
                with anyio.move_on_after(left):
                    await job.ended.wait()
                if wait.listener is not None and not job.ended.is_set():
                    await wait.listener(job.progress())
        except anyio.get_cancelled_exc_class():
            if job.waiting == 1 and not _comes_back(job, wait.leaving()):
                job.scope.cancel()
            raise
        finally:
            job.waiting -= 1
        return _ended(job)

    def _forget_old(self) -> None:
        now = anyio.current_time()
        ended = [job for job in self._jobs.values() if job.ended.is_set()]
        for place, job in enumerate(ended):
            if job.until < now or place < len(ended) - KEPT:
                del self._jobs[job.job_id]


def _comes_back(job: Job, leave: Leave) -> bool:
    """Whether a caller that waits no more may come back for the answer."""
    return leave == "dropped" or (leave == "closed" and job.named)


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
        job.until = anyio.current_time() + KEPT_S
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
        next=f"this server carries out {MAX_RUNNING} tasks of yours already, or {MAX_OF_ALL} of all; wait until one has"
        " ended, then dispatch this again",
    )


def no_such_job(job_id: str) -> NotFound:
    """That nobody knows a job."""
    return NotFound(
        f"no job `{job_id[:80]}` of yours is known here",
        fix="dispatch the task again; what was done before is in `explain`",
        code=Code.JOB_NOT_FOUND,
    )


def running(job_id: str, progress: Progress) -> DispatchAnswer:
    """The answer about a job that is still at work, and how far it is."""
    return DispatchAnswer(
        status="running",
        code=None,
        phases=(),
        next=f'call dispatch with job_id "{job_id}" to wait for the answer',
        job_id=job_id,
        progress=progress.report(),
    )


def _ended(job: Job) -> DispatchAnswer:
    if job.error is not None:
        raise job.error
    if job.answer is None:
        return DispatchAnswer(status="failed", code=Code.CANCELLED, phases=(), job_id=job.job_id)
    return job.answer.model_copy(update={"job_id": job.job_id})
