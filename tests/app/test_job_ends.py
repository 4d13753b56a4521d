"""How jobs end on record: killed, cancelled at any moment, broken, or where the ledger cannot be written."""

import os
import sqlite3
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app import App, Caller
from smista_mcp.app.jobrecords import JobRecords
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

CANARY = "canary-9c40e7"
ASK = Task(text="What is a unit test?")
A = "openai-compat:a/m"
MINE = Caller("claude-code")
SERVER = """
import sys
from pathlib import Path

import anyio
import anyio.to_thread

from smista_mcp.app import Caller, open_app
from smista_mcp.core.task import Task
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings


async def main() -> None:
    known = {"SMISTA_HOME": sys.argv[1], "HOME": sys.argv[1], "PATH": "/usr/bin:/bin"}
    app = open_app(Settings(environment=Environment.read(known), workspace=Path(sys.argv[2])))
    async with app.running():
        answer = await app.dispatch(Task(text="What is a unit test?"), Caller("claude-code"))
        print(answer.job_id, flush=True)
        await anyio.to_thread.run_sync(sys.stdin.readline)
        await app.join(answer.job_id or "", Caller("claude-code"))


anyio.run(main)
"""


async def told(app: App, job_id: str | None) -> DispatchAnswer:
    """What a process that does not hold the job says of it."""
    async with app.running():
        return await app.join(job_id or "", MINE)


async def test_a_job_that_was_killed_while_it_went_on_is_not_told_from_before(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="stall")) as remote:
        bench.write_policy(default(A) + compat("a", remote.v1, price="100"))
        command = [sys.executable, "-c", SERVER, str(bench.home), str(bench.workspace)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdin is not None
            assert child.stdout is not None
            job_id = (await anyio.to_thread.run_sync(child.stdout.readline)).strip()
            asked = await told(bench.app(), job_id)
            assert asked.status == "approval_required"
            app = bench.app()
            async with app.running():
                await anyio.to_thread.run_sync(app.grant, asked.approval_id or "", "a test")
            child.stdin.write("\n")
            child.stdin.flush()
            await remote.asked.wait()
            child.kill()
    later = await told(bench.app(), job_id)
    assert (later.status, later.code, later.approval_id) == ("failed", Code.CANCELLED, None)
    assert "possible_duplicate_charge" in only(later).detail
    assert only(later).cost is None
    assert [(status, code) for _, status, code in bench.attempts(later)] == [("uncertain", Code.CANCELLED)]


async def test_what_is_said_of_a_job_that_waits_tells_whether_its_process_lives(bench: Bench) -> None:
    async with serving() as remote:
        bench.write_policy(default(A) + compat("a", remote.v1))
        command = [sys.executable, "-c", SERVER, str(bench.home), str(bench.workspace)]
        with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            job_id = (await anyio.to_thread.run_sync(child.stdout.readline)).strip()
            alive = await told(bench.app(), job_id)
            child.kill()
        dead = await told(bench.app(), job_id)
    assert alive.approval_id == dead.approval_id is not None
    assert "has ended" not in (alive.next or "")
    assert "has ended" in (dead.next or "")


async def test_the_beginning_of_an_id_lets_a_job_go_on(bench: Bench) -> None:
    async with serving(Reply(("a test",))) as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(ASK, MINE)
            assert first.job_id is not None
            short = first.job_id[:8]
            assert await app.join(f" {short.upper()}", MINE) == first
            await anyio.to_thread.run_sync(app.grant, first.approval_id or "", "a test")
            answer = await app.join(short, MINE)
    assert (answer.job_id, only(answer).answer, len(remote.heard)) == (first.job_id, "a test", 1)


async def test_what_was_kept_of_a_job_is_gone_while_it_goes_on(bench: Bench) -> None:
    hold = anyio.Event()
    async with serving(Reply(("a test",), hold=hold)) as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(ASK, MINE)
            file = bench.state / f"jobs/{first.job_id}.json"
            assert file.exists()
            await anyio.to_thread.run_sync(app.grant, first.approval_id or "", "a test")
            await app.join(first.job_id or "", MINE, limit_s=0)
            await remote.asked.wait()
            assert not file.exists()
            hold.set()
            answer = await app.join(first.job_id or "", MINE)
        assert file.exists()
        assert await told(bench.app(), first.job_id) == answer


async def test_a_job_that_broke_is_not_told_from_a_file_of_before(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(ASK, MINE)
    assert first.approval_id is not None
    JobRecords(app.world).ended(first.job_id or "", None, {})
    later = await told(bench.app(), first.job_id)
    assert (later.status, later.code, later.approval_id) == ("failed", None, None)


async def test_a_job_that_is_cancelled_while_it_is_decided_has_ended_on_record(bench: Bench, tmp_path: Path) -> None:
    tools, started, gate = tmp_path / "tools", tmp_path / "started", tmp_path / "gate"
    tools.mkdir()
    os.mkfifo(gate)
    git = tools / "git"
    git.write_text(f'#!/bin/sh\n: > "{started}"\nread _ < "{gate}"\nexec /usr/bin/git "$@"\n', encoding="utf-8")
    git.chmod(0o755)
    subprocess.run(["/usr/bin/git", "init", "-q", str(bench.workspace)], check=True)
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root), PATH=f"{tools}:/usr/bin:/bin")
        async with app.running():
            begun = await app.dispatch(Task(text="review the changes"), MINE, limit_s=0)
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: app.join(begun.job_id or "", MINE))
                while not started.exists():
                    await checkpoint()
                group.cancel_scope.cancel()
            opened = os.open(gate, os.O_RDWR)  # does not wait for whoever reads
            os.write(opened, b"\n" * 100)
            answer = await app.join(begun.job_id or "", MINE)
        os.close(opened)
    assert (answer.status, answer.code) == ("failed", Code.CANCELLED)
    assert server.heard == []
    with sqlite3.connect(bench.state / "ledger.db") as db:
        ((status, code, ended_at),) = db.execute("SELECT status, code, ended_at FROM job").fetchall()
    assert (status, code, ended_at is None) == ("failed", "cancelled", False)
    assert await told(bench.app(), begun.job_id) == answer


@pytest.mark.parametrize("again", [True, False])
async def test_the_end_of_an_attempt_is_recorded_once_the_ledger_can_be_written(
    bench: Bench, tmp_path: Path, *, again: bool
) -> None:
    """The first attempt costs next to nothing, and reserves nearly all that the budget has."""
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "1.00"\n'
    hold = anyio.Event()
    async with serving(Reply(("a test",), hold=hold), Reply(("two",))) as remote:
        app = bench.app(default(A) + compat("a", remote.v1, price="200") + ALLOWED + budget)
        answers: list[DispatchAnswer] = []
        async with app.running():

            async def dispatch(text: str) -> None:
                answers.append(await app.dispatch(Task(text=text, effort=Effort.LOW), MINE))

            file, aside = bench.state / "ledger.db", tmp_path / "ledger.db"
            async with anyio.create_task_group() as group:
                group.start_soon(dispatch, ASK.text)
                await remote.asked.wait()
                file.rename(aside)
                file.mkdir()
                hold.set()
            file.rmdir()
            aside.rename(file)
            (first,) = answers
            assert (only(first).answer, bench.attempts(first)) == ("a test", [(A, "running", None)])
            if again:
                await dispatch("What is a test of two units?")
                assert [only(answer).answer for answer in answers] == ["a test", "two"]
    assert bench.attempts(first) == [(A, "completed", None)]
    (cost,) = [row.cost for row in bench.trace(first.trace_id).attempts]
    assert Decimal(cost or 0) == Decimal(only(first).cost or 1)


RETURNED = '[privacy]\nhost_answers = "return"\n[dispatch]\nmax_retries = 0\n'


def echoed(bench: Bench) -> list[str]:
    """Where something of the canary lies below the state."""
    files = [file for file in bench.state.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()]
    return sorted(file.parent.name for file in files)


@pytest.mark.parametrize("others", [(), ("openai-compat:b/m",), ("openai-compat:worse/m",), ("host/current",)])
async def test_words_of_a_server_about_restricted_content_are_not_kept(bench: Bench, others: tuple[str, ...]) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    policy = default("ollama/m", *others) + RETURNED + '[hosts.claude-code]\nlocality = "local"\n'
    async with serving(Reply(status=500, said=f"cannot do {CANARY}")) as server, serving(Reply(("fine",))) as second:
        policy += ollama(server.root) + compat("b", second.v1, local=True) + compat("worse", server.v1, local=True)
        app = bench.app(policy)
        async with app.running():
            answer = await app.dispatch(Task(text="explain secrets/plan.txt"), MINE)
            assert CANARY in only(answer).detail
            assert CANARY not in (answer.next or "")
            assert await app.join(answer.job_id or "", MINE) == answer
            assert echoed(bench) == []
            bench.write_policy(policy.replace("return", "file"))
            tightened = await app.join(answer.job_id or "", MINE)
    for later in (tightened, await told(bench.app(), answer.job_id)):
        assert CANARY not in later.model_dump_json()
        assert (later.status, only(later).status) == (answer.status, only(answer).status)
        assert only(later).detail
