"""Where nothing can be recorded: decisions are still made, local models still answer, nothing that costs is sent."""

import asyncio
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.core.task import Task
from smista_mcp.core.values import Status
from smista_mcp.errors import Code, StateUnavailable
from smista_mcp.ledger import Ledger

pytestmark = pytest.mark.anyio

ROOT = Path(__file__).parents[2]
ASK = Task(text="What is a unit test?")
A = "openai-compat:a/m"


@pytest.fixture
def unwritable(bench: Bench) -> Bench:
    """A home in which no state folder can be made, whoever runs the tests."""
    bench.state.write_text("a file where the folder should be", encoding="utf-8")
    return bench


def test_a_decision_is_made_and_says_that_it_was_not_recorded(unwritable: Bench) -> None:
    app = unwritable.app(default("anthropic/claude-sonnet") + ALLOWED, ANTHROPIC_API_KEY="none")
    (first,), (second,) = app.route(ASK).decisions, app.route(ASK).decisions
    assert (first.status, first.recorded) == (Status.ROUTED, False)
    assert first == second
    with pytest.raises(StateUnavailable) as failure:
        app.explain(first.decision_id)
    assert str(unwritable.state) in failure.value.message
    unwritable.state.unlink()
    assert app.route(ASK).decisions[0].recorded  # the same process, once it can


def test_a_database_that_is_none_is_left_alone(bench: Bench) -> None:
    bench.state.mkdir()
    (bench.state / "ledger.db").write_text("these are my notes, not a database", encoding="utf-8")
    (decision,) = bench.app(default("host/current")).route(ASK).decisions
    assert not decision.recorded
    assert (bench.state / "ledger.db").read_text(encoding="utf-8").startswith("these are my notes")


def test_a_ledger_that_breaks_while_we_run_is_noticed(bench: Bench) -> None:
    app = bench.app(default("host/current"))
    assert app.route(ASK).decisions[0].recorded
    (bench.state / "ledger.db").write_text("no database at all", encoding="utf-8")
    assert not app.route(ASK).decisions[0].recorded


async def test_a_local_model_answers_without_a_trace(unwritable: Bench) -> None:
    async with serving() as server:
        app = unwritable.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            answer = await app.dispatch(ASK)
    assert (answer.status, only(answer).answer) == ("completed", "done")
    assert (answer.trace_id, answer.receipt_id, only(answer).trace_id) == (None, None, None)


async def test_a_remote_model_is_not_asked(unwritable: Bench) -> None:
    async with serving() as server:
        app = unwritable.app(default(A) + compat("a", server.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
        assert server.heard == []
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_UNAVAILABLE)


async def test_a_local_model_behind_it_is_asked(unwritable: Bench) -> None:
    async with serving() as remote, serving() as local:
        app = unwritable.app(default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
        assert (remote.heard, only(answer).answer) == ([], "done")


@pytest.mark.parametrize("way", ["vanishes", "breaks"])
async def test_a_ledger_that_is_lost_in_the_middle_does_not_lose_the_answer(bench: Bench, way: str) -> None:
    async with serving(Reply(("the plan",)), Reply(("the code",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        task = Task(text="Plan the login flow, then implement it")
        async with app.running():
            running = await app.dispatch(task, limit_s=0)
            await server.asked.wait()
            (bench.state / "ledger.db").unlink()
            if way == "breaks":
                (bench.state / "ledger.db").write_text("no database at all", encoding="utf-8")
            assert running.job_id is not None
            answer = await app.join(running.job_id)
    assert [phase.answer for phase in answer.phases] == ["the plan", "the code"]


def test_no_budget_is_left_where_nobody_can_tell(unwritable: Bench) -> None:
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "1000"\n'
    app = unwritable.app(default("anthropic/claude-sonnet") + budget + ALLOWED, ANTHROPIC_API_KEY="none")
    (decision,) = app.route(ASK).decisions
    assert (decision.status, decision.code) == (Status.REFUSED, Code.BUDGET_EXCEEDED)


CHILD = """
import sys
import anyio
from pathlib import Path
from smista_mcp.app import open_app
from smista_mcp.core.task import Task
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

app = open_app(Settings(environment=Environment.read({"SMISTA_HOME": sys.argv[1], "HOME": sys.argv[1]})))

async def main():
    async with app.running():
        await app.dispatch(Task(text="What is a unit test?"))

anyio.run(main)
"""


async def test_what_a_killed_process_left_running_blocks_nobody_and_counts_as_spent(bench: Bench) -> None:
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "2.00"\n'
    stalled = Reply(("half",), ending="stall")
    async with serving(stalled, Reply(("free",))) as server, serving(Reply(("local",))) as local:
        providers = compat("a", server.v1, price="100") + ollama(local.root)
        app = bench.app(default(A, "ollama/m") + providers + ALLOWED + budget)
        command = [sys.executable, "-c", CHILD, str(bench.home)]
        with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as child:
            try:
                await server.asked.wait()
            finally:
                os.kill(child.pid, signal.SIGKILL)
        async with app.running():
            answer = await app.dispatch(ASK)
    assert only(answer).answer == "local"  # one answer may cost 1.03 USD, and that much is reserved already
    ledger = Ledger.open(bench.state)
    statuses = [
        attempt.status
        for decision in ledger.recent(10)
        for trace in ledger.traces_of(decision)
        for attempt in trace.attempts
    ]
    assert sorted(statuses) == ["completed", "uncertain"]


@pytest.mark.parametrize("session", [None, "new"])
async def test_a_key_that_cannot_be_made_keeps_no_local_model_from_answering(bench: Bench, session: str | None) -> None:
    (bench.state / "key").mkdir(parents=True)
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            answer = await app.dispatch(Task(text="What is a unit test?", session=session))
    assert (answer.status, answer.session) == ("completed", None)
    assert bench.attempts(answer) == [("ollama/m", "completed", None)]


FULL = """
import asyncio, resource, sys
from pathlib import Path

sys.path[:0] = ["tests"]
from workbench import ALLOWED, Bench, compat, default, done

from smista_mcp.core.task import Task
from smista_mcp.ledger import Ledger

_, most = resource.getrlimit(resource.RLIMIT_FSIZE)
size = None
for limit in (0, 20_000, size, most):
    bench = Bench(Path(sys.argv[1]) / f"home {limit}", Path(sys.argv[1]) / f"work {limit}")
    bench.home.mkdir()
    bench.workspace.mkdir()
    app = bench.app(default("openai-compat:a/m") + compat("a", sys.argv[2], price="1") + ALLOWED)
    if limit is None:  # the ledger is there, and half of it cannot be written
        Ledger.open(bench.state).installation_key()
        limit = (bench.state / "ledger.db").stat().st_size // 2
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, most))
    answer = asyncio.run(done(app, Task(text="What is a unit test?")))
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    print(answer.status, answer.code)
"""


async def test_on_a_full_disk_nothing_that_costs_is_sent(tmp_path: Path) -> None:
    async with serving() as a:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", FULL, str(tmp_path), a.v1), cwd=ROOT, stdout=asyncio.subprocess.PIPE
        )
        out, _ = await process.communicate()
    *full, fits = out.decode().splitlines()
    assert (full, fits, len(a.heard)) == (["failed provider_unavailable"] * 3, "completed None", 1)
