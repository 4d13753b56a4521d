"""What is left of jobs for another process, and for this one after it has forgotten them."""

import os
import stat
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from anyio.lowlevel import checkpoint
from model_server import Reply, serving
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, ollama, only

from smista_mcp.app import App, Caller
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.dispatch.jobfiles import KEPT_HOURS, JobFiles
from smista_mcp.errors import Code, NotFound

pytestmark = pytest.mark.anyio

CANARY = "canary-5b1d02"
ASK = Task(text="What is a unit test?")
STEPS = Task(text="Plan the login flow, then implement it in src/login.py")
A, STRONG = "openai-compat:a/m", "openai-compat:strong/m"
MINE, OTHER = Caller("claude-code"), Caller("codex")


async def asked(app: App, task: Task = ASK, caller: Caller = MINE) -> DispatchAnswer:
    async with app.running():
        return await app.dispatch(task, caller)


async def told(app: App, answer: DispatchAnswer, caller: Caller = MINE, *, anywhere: bool = False) -> DispatchAnswer:
    """What a process that knows nothing of the job says of it."""
    async with app.running():
        return await app.join(answer.job_id or "", caller, anywhere=anywhere)


async def test_another_process_gives_the_same_answer_for_a_day(bench: Bench) -> None:
    async with serving(Reply(("a test",))) as server:
        answer = await asked(bench.app(default("ollama/m") + ollama(server.root)))
    assert await told(bench.app(), answer) == answer
    file = bench.state / f"jobs/{answer.job_id}.json"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    old = file.stat().st_mtime - KEPT_HOURS * 3600 - 1
    os.utime(file, (old, old))
    later = await told(bench.app(), answer)
    assert (later.status, later.code, later.job_id) == ("completed", None, answer.job_id)
    phase = only(later)
    assert (phase.status, phase.answer, phase.trace_id) == ("completed", None, only(answer).trace_id)
    assert phase.usage == only(answer).usage
    JobFiles(bench.state / "jobs").forget(old + 2 * KEPT_HOURS * 3600)
    assert not file.exists()


async def test_it_answers_the_same_caller_in_the_same_workspace(bench: Bench, tmp_path: Path) -> None:
    async with serving() as server:
        answer = await asked(bench.app(default("ollama/m") + ollama(server.root)))
    elsewhere = Bench(bench.home, tmp_path / "elsewhere")
    elsewhere.workspace.mkdir()
    for place, caller in ((bench, OTHER), (bench, Caller("claude-code", over_http=True)), (elsewhere, MINE)):
        with pytest.raises(NotFound) as failure:
            await told(place.app(), answer, caller)
        assert failure.value.code is Code.JOB_NOT_FOUND
    assert (await told(elsewhere.app(), answer, OTHER, anywhere=True)).job_id == answer.job_id


@pytest.mark.parametrize("given", ["", "x", "0" * 32, "../ledger", "% "])
async def test_what_is_no_job_is_told_so(bench: Bench, given: str) -> None:
    app = bench.app(default("ollama/m"))
    async with app.running():
        with pytest.raises(NotFound) as failure:
            await app.join(given)
    assert failure.value.code is Code.JOB_NOT_FOUND


@pytest.mark.parametrize("policy", ["", '[privacy]\nhost_answers = "return"\n'])
async def test_what_is_restricted_lies_in_a_file_of_its_own(bench: Bench, policy: str) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    async with serving(Reply((f"it says {CANARY}",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root) + policy)
        answer = await asked(app, Task(text="explain secrets/plan.txt"))
    assert (CANARY in answer.model_dump_json()) == bool(policy)
    later = await told(bench.app(), answer)
    assert CANARY not in later.model_dump_json()
    phase = only(later)
    assert (phase.status, phase.code, phase.label) == ("completed", Code.ANSWER_WITHHELD, "restricted")
    assert phase.withheld is not None
    assert Path(phase.withheld.path).read_text(encoding="utf-8") == f"it says {CANARY}\n"
    kept = [file for file in bench.state.rglob("*") if file.is_file() and CANARY.encode() in file.read_bytes()]
    assert [file.parent.name for file in kept] == ["answers"]


async def test_what_a_rule_keeps_here_is_told_again_under_the_same_policy_alone(bench: Bench) -> None:
    policy = '[[routing.rules]]\nname = "r"\nintent = "chat"\nmodel = "ollama/m"\nlocal_only = true\n'
    async with serving(Reply(("a test",))) as server:
        policy += ollama(server.root)
        answer = await asked(bench.app(policy))
        assert only(answer).label == "local"
        assert await told(bench.app(), answer) == answer
        later = await told(bench.app(policy + ALLOWED), answer)
    assert (only(later).answer, only(later).code) == (None, Code.ANSWER_WITHHELD)


async def test_neither_the_words_of_a_handoff_nor_a_session_can_be_read_from_the_record(bench: Bench) -> None:
    words = "Explain what a mutex is, then write a README"
    rule = '[[routing.rules]]\nname = "docs"\nintent = "document"\nmodel = "host/current"\n'
    async with serving(Reply(("a lock",))) as server:
        app = bench.app(rule + default("ollama/m") + ollama(server.root))
        answer = await asked(app, Task(text=words, session="new"))
    assert answer.session is not None
    assert answer.status == "handoff"
    later = await told(bench.app(), answer)
    assert (later.status, later.session, later.phases[0].answer) == ("handoff", None, "a lock")
    kept = (bench.state / f"jobs/{answer.job_id}.json").read_text(encoding="utf-8")
    assert answer.session not in kept
    assert "README" not in kept


async def test_a_job_that_waits_for_a_person_says_what_to_do_when_its_process_is_gone(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        answer = await asked(app)
        assert answer.status == "approval_required"
        later = await told(bench.app(), answer)
        assert (later.status, later.approval_id) == ("approval_required", answer.approval_id)
        assert (later.next or "").startswith(answer.next or "-")
        assert later.next != answer.next
        again = bench.app()
        async with again.running():
            await anyio.to_thread.run_sync(again.grant, answer.approval_id or "", "a test")
            assert (await again.dispatch(ASK, MINE)).status == "completed"  # as it says


async def test_a_job_that_goes_on_is_one_story_and_forgets_nothing(bench: Bench) -> None:
    rules = f"""
[[routing.rules]]
name = "plans"
intent = "plan"
model = "ollama/m"
escalate = {{ on = ["empty_completion"], to = "{STRONG}" }}
"""
    async with serving(Reply(())) as weak, serving(Reply(("the plan",))) as strong, serving(Reply(("done",))) as remote:
        providers = ollama(weak.root) + compat("strong", strong.v1, local=True) + compat("a", remote.v1)
        app = bench.app(rules + default(A) + providers + NO_PATCHES)
        async with app.running():
            first = await app.dispatch(STEPS, MINE)
            assert [phase.status for phase in first.phases] == ["completed", "approval_required"]
            await anyio.to_thread.run_sync(app.grant, first.approval_id or "", "a test")
            second = await app.join(first.job_id or "", MINE)
        assert [phase.status for phase in second.phases] == ["completed", "completed"]
        assert [(phase.answer, phase.escalated) for phase in second.phases] == [("the plan", True), ("done", False)]
        assert len(strong.heard) == 1
    for story in (bench.app().explain(last=True), bench.app().explain(first.job_id)):
        attempts = [[attempt.status for attempt in phase.attempts] for phase in story.phases]
        assert attempts == [["failed", "completed"], ["completed"]]
        assert any(str(first.job_id) in notice for notice in story.notices)


async def test_what_was_done_of_a_job_that_is_cancelled_is_kept(bench: Bench) -> None:
    async with serving(Reply(("the plan",)), Reply(("half",), ending="stall")) as server:
        app = bench.app(default("ollama/m") + ollama(server.root) + NO_PATCHES)
        async with app.running():
            begun = await app.dispatch(STEPS, MINE, limit_s=0)
            async with anyio.create_task_group() as group:
                group.start_soon(lambda: app.join(begun.job_id or "", MINE))
                while len(server.heard) < 2:
                    await checkpoint()
                group.cancel_scope.cancel()
            with anyio.fail_after(2):
                await server.left.wait()
            assert (await app.join(begun.job_id or "", MINE)).phases[0].answer == "the plan"
    later = await told(bench.app(), begun)
    assert (later.status, later.code) == ("failed", Code.CANCELLED)
    assert [(phase.status, phase.answer) for phase in later.phases] == [("completed", "the plan"), ("failed", None)]
    (first, second) = bench.app().explain(begun.job_id).phases
    assert [attempt.status for attempt in (*first.attempts, *second.attempts)] == ["completed", "cancelled"]
