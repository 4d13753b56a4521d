"""Whom `explain` tells of a recorded call: of this workspace, and over HTTP its own caller alone."""

from pathlib import Path
from typing import TYPE_CHECKING

import anyio
import anyio.to_thread
import pytest
from model_server import Reply, serving
from workbench import NO_PATCHES, Bench, default, ollama, only

from smista_mcp.app import App, Caller
from smista_mcp.app.caller import Badge
from smista_mcp.core.task import Task
from smista_mcp.errors import Code, NotFound

if TYPE_CHECKING:
    from smista_mcp.core.dispatched import DispatchAnswer

pytestmark = pytest.mark.anyio

ASK = Task(text="explain src/a.py")
MINE, OTHER = Caller("codex", over_http=True), Caller("cursor", over_http=True)
ALICE, BOB = (MINE._replace(badge=Badge(name, name, "dispatch")) for name in ("alice", "bob"))


def told(app: App, given: str | None, caller: Caller, *, anywhere: bool = False) -> bool:
    try:
        return bool(app.explain(given, caller=caller, anywhere=anywhere).phases)
    except NotFound as error:
        if error.code != Code.TRACE_NOT_FOUND or "there is no" not in error.message:
            raise
        return False


async def test_a_call_is_told_to_its_caller_in_its_workspace(bench: Bench, tmp_path: Path) -> None:
    bench.write("src/a.py", "x = 1\n")
    other = Bench(bench.home, tmp_path / "other")
    other.workspace.mkdir()
    async with serving() as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        elsewhere = other.app()
        async with app.running(), elsewhere.running():
            answer = await app.dispatch(ASK, MINE)
            trace = only(answer).trace_id or ""
            (phase,) = app.explain(trace, caller=MINE).phases
            ids = (trace, trace[:8], phase.decision.decision_id, answer.job_id or "")
            for given in ids[:3]:
                assert told(app, given, MINE)
                assert told(app, given, Caller("codex"))  # the user's own host: the ledger is theirs
                assert not told(app, given, OTHER)
                assert not told(elsewhere, given, MINE)
                assert not told(elsewhere, given, Caller("codex"))
                assert told(elsewhere, given, Caller(), anywhere=True)
            assert told(app, ids[3], MINE)
            assert not told(app, "0" * 32, MINE)
            with pytest.raises(NotFound):
                app.explain(ids[3], caller=OTHER)


async def test_the_same_decision_of_another_caller_hides_none_of_ones_own(bench: Bench) -> None:
    app = bench.app(default("ollama/m") + ollama("http://127.0.0.1:9"))
    (first,) = app.route(Task(text="What is a mutex?"), MINE).decisions
    (second,) = app.route(Task(text="What is a mutex?"), OTHER).decisions
    for decision, caller in ((first, MINE), (second, OTHER)):
        assert told(app, decision.decision_id, caller)
        assert told(app, decision.decision_id[:8], caller)


async def test_a_trace_hangs_on_the_decision_of_its_own_caller(bench: Bench) -> None:
    """One decision has one id whoever asked: another caller's is recorded before the second trace begins."""
    steps, held = Task(text="Plan the login flow, then implement it"), anyio.Event()
    async with serving(Reply(("a plan",), hold=held), Reply(("done",))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root) + NO_PATCHES)
        answers: list[DispatchAnswer] = []

        async def ask() -> None:
            answers.append(await app.dispatch(steps, ALICE))

        async with app.running(), anyio.create_task_group() as group:
            group.start_soon(ask)
            await local.asked.wait()
            assert len((await anyio.to_thread.run_sync(app.route, steps, BOB)).decisions) == 2
            held.set()
    traces = [phase.trace_id for answer in answers for phase in answer.phases]
    assert len(traces) == 2
    for trace in traces:
        assert told(app, trace, ALICE)
        assert not told(app, trace, BOB)
