"""Whom `explain` tells of a recorded call: of this workspace, and over HTTP its own caller alone."""

from pathlib import Path

import pytest
from model_server import serving
from workbench import Bench, default, ollama, only

from smista_mcp.app import App, Caller
from smista_mcp.core.task import Task
from smista_mcp.errors import Code, NotFound

pytestmark = pytest.mark.anyio

ASK = Task(text="explain src/a.py")
MINE, OTHER = Caller("codex", over_http=True), Caller("cursor", over_http=True)


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
