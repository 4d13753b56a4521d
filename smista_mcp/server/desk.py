"""Calls of the tools: arguments in, the application's answer out, and no failure that is not told."""

import json
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

import anyio
from anyio import CapacityLimiter, to_thread
from mcp_types import CallToolResult, InputRequiredResult, TextContent

from smista_mcp.app import App, Caller
from smista_mcp.core.task import Task
from smista_mcp.core.values import Value
from smista_mcp.errors import Code, NotFound, SmistaError
from smista_mcp.server.arguments import read_task, read_task_or_id
from smista_mcp.server.delegating import Delegation
from smista_mcp.server.errors import told, unknown_tool, withheld
from smista_mcp.server.library import Library
from smista_mcp.server.progress import ProgressRelay, Report
from smista_mcp.server.questions import Person, Questions
from smista_mcp.server.schemas import ToolName
from smista_mcp.server.sizing import fitted
from smista_mcp.server.workshop import Workshop
from smista_mcp.tracing import door

if TYPE_CHECKING:
    from smista_mcp.core.explained import ExplainAnswer

Result = CallToolResult | InputRequiredResult
THREADS = 16
"""Calls that may block at once (git, a probe of a local server); standard input is read by a thread of its own."""


@dataclass(frozen=True, slots=True)
class Incoming:
    """One call of a tool.

    Attributes:
        report: tells of progress, or does nothing where the caller did not ask for that.
        person: the user of the host, who may have to be asked.
    """

    arguments: Mapping[str, object]
    caller: Caller
    report: Report
    person: Person


class Desk:
    """Answers calls of the tools by asking the application."""

    def __init__(self, app: App, workshop: Workshop, library: Library) -> None:
        self._app = app
        self._workshop = workshop
        self._library = library
        self._threads = CapacityLimiter(THREADS)
        self._questions = Questions()
        self._answers: dict[ToolName, Callable[[Incoming], Awaitable[Result]]] = {
            "classify": self._classify,
            "route": self._route,
            "explain": self._explain,
            "dispatch": self._dispatch,
        }

    async def answer(self, name: str, incoming: Incoming) -> Result:
        """What the tool `name` says, a failure included."""
        for tool, answer in self._answers.items():
            if tool == name:
                return await _kept(tool, answer(incoming))
        return unknown_tool()

    async def _classify(self, incoming: Incoming) -> CallToolResult:
        task = read_task("classify", incoming.arguments)
        return await self._in_thread(
            incoming.caller,
            lambda: self._app.classify(task.text, paths=task.paths, skill=task.skill, context=task.context),
        )

    async def _route(self, incoming: Incoming) -> CallToolResult:
        task = read_task("route", incoming.arguments)
        return await self._in_thread(incoming.caller, lambda: self._app.route(task, incoming.caller))

    async def _explain(self, incoming: Incoming) -> CallToolResult:
        asked = read_task_or_id("explain", incoming.arguments)
        if isinstance(asked, Task):
            return await self._in_thread(incoming.caller, lambda: self._app.explain(task=asked, caller=incoming.caller))
        if incoming.arguments.get("uri") is not None:
            return given(await self._library.portion(asked, incoming.caller))
        job = incoming.arguments.get("job_id") is not None
        return await self._in_thread(incoming.caller, lambda: self._told(asked, incoming.caller, job=job))

    def _told(self, given: str, caller: Caller, *, job: bool) -> "ExplainAnswer":
        try:
            return self._app.explain(given, caller=caller)
        except NotFound as error:
            code = Code.JOB_NOT_FOUND if job else error.code
            raise NotFound(error.message, fix=error.fix, code=code) from None

    async def _in_thread(self, caller: Caller, ask: Callable[[], Value]) -> CallToolResult:
        """A slow answer stalls no other; a cancelled one is left to end unheard, for it changes nothing."""

        def in_size() -> Value:
            return fitted(ask(), self._app.answer_room(caller))

        return given(await to_thread.run_sync(in_size, abandon_on_cancel=True, limiter=self._threads))

    async def _dispatch(self, incoming: Incoming) -> Result:
        asked = read_task_or_id("dispatch", incoming.arguments)
        relay = ProgressRelay(incoming.report)

        async def work() -> Result:
            app, caller = await self._workshop.open(), incoming.caller
            limit_s = await to_thread.run_sync(self._app.call_limit_s, caller)
            call = Delegation(app, caller, incoming.person, self._questions, relay, limit_s)
            done = await call.carried_out(asked)
            if isinstance(done, InputRequiredResult):
                return done
            door.current().note(lambda: {"smista.status": done.status, "smista.code": done.code})
            room = await to_thread.run_sync(self._app.answer_room, caller)
            return given(fitted(done, room))

        results: list[Result] = []
        async with anyio.create_task_group() as group:
            group.start_soon(relay.run)
            results.append(await _kept("dispatch", work()))  # in here: a task group would wrap what is raised
            group.cancel_scope.cancel()
        return results[0]


def given(answer: Value) -> CallToolResult:
    """An answer as the host gets it: some hosts read the text alone, some the object alone, so both say all."""
    text = answer.model_dump_json(by_alias=True)
    return CallToolResult(content=[TextContent(type="text", text=text)], structured_content=json.loads(text))


async def _kept(tool: ToolName, work: Awaitable[Result]) -> Result:
    """The outcome of `work`, whatever it is: no failure of a call may end the server or show its insides."""
    try:
        return await work
    except SmistaError as error:
        return told(error)
    except Exception as error:  # noqa: BLE001 - the border to the host, the only one; cancellation passes
        return withheld(tool, error)
