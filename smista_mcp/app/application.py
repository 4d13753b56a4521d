"""The verbs of the product: classify, route, explain, dispatch. Everything that calls smista calls these."""

from collections.abc import AsyncGenerator, Callable, Collection
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from smista_mcp.app.caller import NOBODY, Caller, is_of_token_but
from smista_mcp.app.enclosing import enclosing
from smista_mcp.app.preparing import prepare, read, read_spans
from smista_mcp.app.world import World
from smista_mcp.context.workspace import find_root
from smista_mcp.core.answers import ClassifiedPhase, ClassifyAnswer, ReadAnswer, RouteAnswer
from smista_mcp.core.task import Task
from smista_mcp.core.values import ContextKind
from smista_mcp.errors import OrgPolicyInvalid, PolicyInvalid
from smista_mcp.loading.layers import Settings

if TYPE_CHECKING:
    from smista_mcp.app.dispatching import Dispatching
    from smista_mcp.core.dispatched import DispatchAnswer
    from smista_mcp.core.explained import ExplainAnswer
    from smista_mcp.core.replayed import ReplayAnswer
    from smista_mcp.dispatch.jobs import Leaving, Listener, Wait


class App:
    """One process's product. Methods may be called from any thread; those with `async` from one event loop."""

    def __init__(self, world: World) -> None:
        self._world = world
        self._dispatching: Dispatching | None = None

    @property
    def world(self) -> World:
        return self._world

    def classify(
        self,
        text: str,
        *,
        paths: tuple[str, ...] = (),
        skill: str | None = None,
        context: tuple[ContextKind, ...] = (),
        explain: bool = False,
    ) -> ClassifyAnswer:
        """Reads a text into phases. Nothing is looked at but policy files and the names of skills.

        Args:
            text: the work in words.
            paths: files and folders that are meant.
            skill: a named workflow.
            context: kinds of context that the caller has.
            explain: whether to tell which words decided; then the answer is a `ReadAnswer`.

        Raises:
            SmistaError: `invalid_task`, `policy_invalid` or `org_policy_invalid`.
        """
        task = Task(text=text, paths=paths, skill=skill, context=context)
        book = self._world.book()
        phases = tuple(map(ClassifiedPhase.of, read(task, book)))
        if explain:
            return ReadAnswer(phases=phases, notices=book.policy.notices, reading=read_spans(task, book))
        return ClassifyAnswer(phases=phases, notices=book.policy.notices)

    def route(self, task: Task, caller: Caller = NOBODY) -> RouteAnswer:
        """Decides every phase of a task and records the decisions. Nothing is sent anywhere.

        Raises:
            SmistaError: `invalid_task`, `unknown_model`, `policy_invalid`, `org_policy_invalid`,
                `path_outside_workspace` or `unknown_skill`.
        """
        prepared = prepare(self._world, task, caller)
        decisions = tuple(routed.decision for routed in prepared.routed)
        return RouteAnswer(decisions=decisions, notices=prepared.notices)

    def explain(
        self,
        given: str | None = None,
        task: Task | None = None,
        *,
        last: bool = False,
        caller: Caller = NOBODY,
        anywhere: bool = False,
    ) -> "ExplainAnswer":
        """Tells the whole story of a recorded decision, of a trace, of the last call, or of a task not yet dispatched.

        Args:
            given: the id of a decision (eight characters suffice), a trace, or a job.
            task: decided for this answer; recorded like any other.
            last: the latest recorded call.
            caller: who asks. Over HTTP it is told of its own calls alone.
            anywhere: whether calls from other workspaces are told too: for the user, whose ledger it is.

        Raises:
            NotFound: nothing has that id, or nothing is recorded yet.
            StateUnavailable: the ledger cannot be read, and why.
            OrgPolicyInvalid: the organisation's file cannot be applied.
            SmistaError: as for `route`.
        """
        from smista_mcp.app.explaining import (  # noqa: PLC0415  3 ms to import
            explain_job,
            explain_last,
            explain_stored,
            explained,
        )

        if task is not None:
            prepared = prepare(self._world, task, caller)
            story = explained(prepared.book, prepared.phases, prepared.contexts, prepared.routed, prepared.ledger)
            return story.model_copy(update={"reading": read_spans(task, prepared.book)})
        ledger = self._world.open_ledger()
        try:
            book = self._world.book()
        except OrgPolicyInvalid:
            raise
        except PolicyInvalid as error:  # the record can be read all the same
            book = error
        if last or given is None:
            return explain_last(ledger, book)
        known = self._dispatching.decisions_of(given, caller) if self._dispatching is not None else ()
        scope = None if anywhere else self._world.scope_of(caller)
        story = explain_job(ledger, book, given, scope)
        if story is not None:
            return story
        return explain_stored(ledger, book, known or (given,), scope)

    def replay(self, given: str | None = None, *, caller: Caller = NOBODY, anywhere: bool = False) -> "ReplayAnswer":
        """Makes recorded decisions again from what they were made from, and tells which inputs are others today.

        A policy file or preset that the settings name stands in place of the recorded policy.

        Args:
            given: the id of a decision, trace or job, as for `explain`; None for the latest call.
            caller: who asks, as for `explain`.
            anywhere: see there.

        Raises:
            NotFound: nothing has that id, nothing is recorded yet, or what it takes was not recorded.
            StateUnavailable: the ledger cannot be read, and why.
        """
        from smista_mcp.app.explaining import recorded_under  # noqa: PLC0415  few ask for it
        from smista_mcp.app.replaying import replay  # noqa: PLC0415  as above

        ledger, settings = self._world.open_ledger(), self._world.settings
        found = recorded_under(ledger, given, None if anywhere else self._world.scope_of(caller))
        own_policy = settings.policy_file is not None or settings.preset is not None
        return replay(self._world, ledger, found, own_policy=own_policy)

    async def dispatch(
        self,
        task: Task,
        caller: Caller = NOBODY,
        *,
        listener: "Listener | None" = None,
        limit_s: float | None = None,
        leaving: "Leaving | None" = None,
        begun: Callable[[str], None] | None = None,
    ) -> "DispatchAnswer":
        """Decides a task and has it done. Must be called inside `running()`.

        Args:
            task: what is to be done.
            caller: who asks.
            listener: hears of progress, at least every two seconds.
            limit_s: after so many seconds the answer is `running` with a job id; None waits for the end.
            leaving: asked when this is cancelled: a caller whose connection is lost leaves the work running.
            begun: hears the id of the job as soon as there is one.
        """
        caller.check_dispatch()
        return await self._at_work().dispatch(task, caller, _wait(listener, limit_s, leaving, begun))

    async def join(
        self,
        job_id: str,
        caller: Caller = NOBODY,
        *,
        listener: "Listener | None" = None,
        limit_s: float | None = None,
        leaving: "Leaving | None" = None,
        anywhere: bool = False,
    ) -> "DispatchAnswer":
        """Waits for a job that `dispatch` named to the same caller; of one of another process, what is on record.

        Args:
            job_id: of the job.
            caller: who asks.
            listener: as for `dispatch`, and so are the next two.
            limit_s: see there.
            leaving: see there.
            anywhere: whether jobs of all callers and workspaces count: for the user, whose ledger it is.

        Raises:
            NotFound: `job_not_found`.
        """
        caller.check_dispatch()
        return await self._at_work().join(job_id, caller, _wait(listener, limit_s, leaving), anywhere=anywhere)

    def cancel_all_but(self, active: Collection[str]) -> None:
        """Ends the running jobs of every token that is not among these ids; they are recorded as cancelled."""
        if self._dispatching is not None:
            self._dispatching.cancel(lambda owner: is_of_token_but(active, owner))

    async def kept(self, job_id: str, caller: Caller) -> "DispatchAnswer":
        """The answer of a job as it stands now, whatever people have said since: nothing goes on because of this.

        Raises:
            NotFound: `job_not_found`.
        """
        return await self._at_work().kept(job_id, caller)

    def question(self, approval_id: str, caller: Caller = NOBODY) -> str | None:
        """The question that a form of the caller's host may show about an approval; None where no form may ask it.

        Over HTTP anyone on this machine can say that it is a host with a user: no form counts there, unless the user
        has said who calls. Must be called inside `running()`, and not on an event loop; so must the next two.
        """
        if not self._world.believes(over_http=caller.over_http):
            return None
        return self._at_work().consents.question(approval_id)

    def grant(self, approval_id: str, via: str, *, session: bool = False) -> None:
        """Keeps that a person has said yes. Whoever calls this has asked one.

        Args:
            approval_id: from a dispatch.
            via: how the person was asked.
            session: whether the yes is for the provider and workspace for as long as it holds.

        Raises:
            NotFound: nothing of that id waits for an answer.
            StateUnavailable: it cannot be kept.
        """
        self._at_work().consents.grant(approval_id, via, session=session)

    def refuse(self, approval_id: str, via: str) -> None:
        """Keeps that a person has said no; as for `grant`."""
        self._at_work().consents.refuse(approval_id, via)

    def call_limit_s(self, caller: Caller) -> float:
        """Seconds that a tool call may take before the caller's host gives up, less what an answer needs. Blocks.

        The policy's `[hosts.NAME] call_limit_s` stands in place of what is known of the host.
        """
        host = self._world.host(caller.client_name)
        try:
            limit = self._world.book().policy.call_limits.get(host.name, host.call_limit_s)
        except PolicyInvalid:
            limit = host.call_limit_s
        return max(min(5.0, limit / 2), min(limit * 0.8, limit - 10.0))

    def answer_room(self, caller: Caller) -> int:
        """Bytes that an answer may have as JSON in UTF-8, so that all of it reaches the model of the caller's host."""
        return self._world.host(caller.client_name).room

    @asynccontextmanager
    async def running(self) -> AsyncGenerator[None]:
        """The time in which `dispatch` may be called; on leaving it every job and every child is ended."""
        from smista_mcp.app.dispatching import dispatching  # noqa: PLC0415  an HTTP client, which pure verbs never need

        async with dispatching(self._world) as at_work:
            self._dispatching = at_work
            try:
                yield
            finally:
                self._dispatching = None

    def _at_work(self) -> "Dispatching":
        if self._dispatching is None:
            raise RuntimeError("outside of `running()`")
        return self._dispatching


def _wait(
    listener: "Listener | None",
    limit_s: float | None,
    leaving: "Leaving | None",
    begun: Callable[[str], None] | None = None,
) -> "Wait":
    from smista_mcp.dispatch.jobs import Wait, said_so  # noqa: PLC0415  what only routes has none

    return Wait(listener, limit_s, leaving or said_so, begun)


def open_app(settings: Settings, *, cwd: Callable[[], Path] = Path.cwd, rootless: bool = False) -> App:
    """Opens the product. A broken policy is told by the calls, not here.

    Args:
        settings: `workspace` as the user named it, or None to look for one.
        cwd: gives the working directory.
        rootless: whether there is to be no workspace at all: no file is read then.

    Raises:
        InvalidTask: the named workspace cannot be one.
    """
    project = settings.environment.project_dir
    here = cwd()
    root = None if rootless else find_root(settings.workspace, str(project) if project else None, here)
    return App(World(replace(settings, workspace=root, enclosing=enclosing(root, here))))
