"""Dispatches that outlive a call: joined, asked for again, cancelled, ended with the process."""

import itertools
import logging

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app import App, Caller
from smista_mcp.core.task import Task
from smista_mcp.dispatch.standing import Progress
from smista_mcp.errors import Code, InvalidTask, NotFound, PolicyInvalid

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")


async def cancelled_later(app: App, task: Task, scope: anyio.CancelScope) -> None:
    with scope:
        await app.dispatch(task)


async def test_a_call_that_may_not_wait_gets_a_job_and_joining_gets_the_answer(bench: Bench) -> None:
    hold = anyio.Event()
    async with serving(Reply(("at last",), hold=hold)) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            running = await app.dispatch(ASK, limit_s=0.1)
            assert (running.status, running.code, running.phases) == ("running", None, ())
            assert running.job_id is not None
            assert running.job_id in (running.next or "")
            still = await app.join(running.job_id, limit_s=0.05)
            assert (still.status, still.job_id) == ("running", running.job_id)
            await server.asked.wait()
            now = (await app.join(running.job_id, limit_s=0.05)).progress
            assert now is not None
            assert (now.phase, now.phases, now.cost, now.cost_kind) == (0, 1, "0", "local")
            assert "ollama/m" in now.message
            elsewhere = bench.app()
            async with elsewhere.running():
                told = (await elsewhere.join(running.job_id, limit_s=0.0)).progress
            assert told is not None
            assert (told.phase, told.phases, told.cost, told.cost_kind) == (0, 1, "0", "local")
            assert "ollama/m" in told.message
            hold.set()
            answer = await app.join(running.job_id)
            assert (answer.status, only(answer).answer, answer.job_id) == ("completed", "at last", running.job_id)
            assert answer.progress is None
            again = await app.join(running.job_id)
            assert again == answer
        assert len(server.heard) == 1


def test_a_call_ends_before_its_host_gives_up(bench: Bench) -> None:
    app = bench.app("[hosts.codex]\ncall_limit_s = 900\n[hosts.zed]\ncall_limit_s = 4\n")
    known = {host: app.call_limit_s(Caller(host)) for host in ("claude-code", "codex", "Zed", "opencode", "x", None)}
    assert known == {"claude-code": 1440, "codex": 720, "Zed": 2, "opencode": 48, "x": 48, None: 48}
    bench.write_policy("nonsense = 1\n")
    assert app.call_limit_s(Caller("codex")) == 240


async def test_a_running_job_can_be_explained(bench: Bench) -> None:
    async with serving(Reply(hold=anyio.Event())) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            running = await app.dispatch(ASK, limit_s=0.05)
            await server.asked.wait()
            (phase,) = (await anyio.to_thread.run_sync(app.explain, running.job_id)).phases
            assert [attempt.status for attempt in phase.attempts] == ["running"]


async def test_the_same_call_joins_the_same_job(bench: Bench) -> None:
    hold = anyio.Event()
    async with serving(Reply(hold=hold)) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            first = await app.dispatch(ASK, Caller("a"), limit_s=0)
            same = await app.dispatch(ASK, Caller("a"), limit_s=0)
            others = [
                await app.dispatch(ASK, Caller("b"), limit_s=0),
                await app.dispatch(ASK.model_copy(update={"text": "What is a type?"}), Caller("a"), limit_s=0),
            ]
            assert first.job_id == same.job_id
            assert len({first.job_id, *(other.job_id for other in others)}) == 3
            hold.set()
            assert first.job_id is not None
            await app.join(first.job_id, Caller("a"))
            later = await app.dispatch(ASK, Caller("a"))
            assert later.job_id != first.job_id  # it had ended, and a new answer may differ


async def test_an_unknown_job_is_told_so(bench: Bench) -> None:
    app = bench.app(default("ollama/m"))
    async with app.running():
        with pytest.raises(NotFound) as failure:
            await app.join("0" * 32)
    assert failure.value.code is Code.JOB_NOT_FOUND
    assert failure.value.fix


async def test_cancelling_the_only_caller_stops_the_request_and_records_it(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="stall")) as server:
        app = bench.app(default("openai-compat:a/m") + compat("a", server.v1, price="1") + ALLOWED)
        async with app.running(), anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(cancelled_later, app, ASK, scope)
            await server.asked.wait()
            scope.cancel()
            with anyio.fail_after(2):
                await server.left.wait()
        trace_id = app.explain(last=True).phases[0].attempts[0].trace_id
    (attempt,) = bench.trace(trace_id).attempts
    assert (attempt.status, attempt.code, attempt.cost) == ("cancelled", Code.CANCELLED, None)
    assert attempt.reserved is not None  # it may have been charged, so the reservation stays


async def test_another_caller_keeps_the_job_alive(bench: Bench) -> None:
    hold = anyio.Event()
    statuses: list[str] = []
    async with serving(Reply(hold=hold)) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))

        async def stay() -> None:
            statuses.append((await app.dispatch(ASK)).status)

        async with app.running(), anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(cancelled_later, app, ASK, scope)
            group.start_soon(stay)
            await server.asked.wait()
            scope.cancel()
            await checkpoint()
            hold.set()
        assert len(server.heard) == 1
    assert statuses == ["completed"]


async def test_a_cancelled_job_is_not_joined(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="stall"), Reply(("anew",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running(), anyio.create_task_group() as group:
            scope = anyio.CancelScope()
            group.start_soon(cancelled_later, app, ASK, scope)
            await server.asked.wait()
            scope.cancel()
            await checkpoint()
            assert only(await app.dispatch(ASK)).answer == "anew"


async def test_a_waiting_caller_hears_a_sign_of_life_every_two_seconds(bench: Bench) -> None:
    told: list[tuple[float, Progress]] = []
    enough = anyio.Event()
    began = anyio.current_time()

    async def listener(progress: Progress) -> None:
        told.append((anyio.current_time(), progress))
        if len(told) == 2:
            enough.set()

    async with serving(Reply(("a ", "b"), ending="stall")) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running(), anyio.create_task_group() as group:
            group.start_soon(lambda: app.dispatch(ASK, listener=listener))
            with anyio.fail_after(5):
                await enough.wait()
            group.cancel_scope.cancel()
    times = [began, *(at for at, _ in told)]
    assert max(later - earlier for earlier, later in itertools.pairwise(times)) < 2
    last = told[-1][1]
    assert (last.phase, last.phases, last.tokens) == (0, 1, 2)
    assert "ollama/m" in last.message
    assert 1 < last.seconds < 4


async def test_leaving_ends_what_runs_at_once(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="stall")) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        with anyio.fail_after(5):
            async with app.running():
                await app.dispatch(ASK, limit_s=0)
                await server.asked.wait()
                began = anyio.current_time()
            assert anyio.current_time() - began < 1
            await server.left.wait()
        (phase,) = app.explain(last=True).phases
    assert [attempt.status for attempt in phase.attempts] == ["cancelled"]


async def test_a_failure_passes_through_as_it_is(bench: Bench) -> None:
    app = bench.app("nonsense = 1\n")
    async with app.running():
        with pytest.raises(PolicyInvalid):
            await app.dispatch(ASK)
    with pytest.raises(InvalidTask, match="mine"):
        async with app.running():
            raise InvalidTask("mine")


async def test_a_defect_reaches_its_caller_and_no_other(bench: Bench, caplog: pytest.LogCaptureFixture) -> None:
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        broken = ASK.model_copy(update={"paths": 7})  # no caller can build it
        async with app.running():
            with pytest.raises(TypeError), pytest.warns(UserWarning, match="serializ"):
                await app.dispatch(broken)
            assert (await app.dispatch(ASK)).status == "completed"
    (record,) = [record for record in caplog.records if record.name.startswith("smista_mcp")]
    assert (record.levelno, record.exc_info) == (logging.ERROR, None)
    assert "TypeError" in record.getMessage()
    assert ASK.text not in caplog.text


async def test_jobs_run_only_while_the_product_runs(bench: Bench) -> None:
    app = bench.app(default("ollama/m"))
    with pytest.raises(RuntimeError):
        await app.dispatch(ASK)
