"""Every way by which a labelled text could come to a remote model or to the host, with a canary on each.

| way | what must hold |
| --- | --- |
| the result of a job, fetched later, twice, by its id or by `explain` | as withheld as at first |
| the same call while the job runs | the same answer, no more |
| local model fails, a remote one follows | built anew without it, and the answer is free |
| remote model fails, a local one follows | the answer carries the label |
| every model fails, the host takes over | it is told neither the text nor what a server said |
| a server's error repeats what it was sent | its words are not told |
| a report of progress | names and numbers |
| an answer that breaks off | gone, and no turn of the session |
| an answer that is cut at its length | withheld like a whole one |
| a cancelled job | nothing of what came by then |
"""

import json
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass

import anyio
import anyio.to_thread
import pytest
from canaries import Parrot
from model_server import ModelServer, Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app import App
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent
from smista_mcp.dispatch.standing import Progress
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
A = "openai-compat:a/m"
SECRET = Task(text="explain secrets/plan.txt", session="new")
OTHER = Task(text="What is a mutex?")
FOLLOW = Task(text="now shorten that")
SECRETS_STAY = '[[routing.rules]]\nname = "s"\npaths = ["secrets/**"]\nmodel = "ollama/m"\n'
HANDOFF = '[routing]\nhandoff = "when_unavailable"\n'


@dataclass(frozen=True)
class Stage:
    """A session with one restricted turn, and the servers of later calls."""

    app: App
    session: str | None
    remote: ModelServer
    local: ModelServer

    def task(self, task: Task) -> Task:
        return task.model_copy(update={"session": self.session})

    async def done(self, task: Task) -> DispatchAnswer:
        return await self.app.dispatch(self.task(task))


@asynccontextmanager
async def stage(
    bench: Bench, *targets: str, local: tuple[Reply, ...] = (), remote: tuple[Reply, ...] = (), policy: str = ""
) -> AsyncGenerator[Stage]:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    async with serving(*remote) as there, serving(Reply((f"it says {CANARY}",)), *local) as here:
        providers = compat("a", there.v1) + ollama(here.root) + ALLOWED
        app = bench.app(policy + default(*targets) + SECRETS_STAY + providers)
        async with app.running():
            first = await app.dispatch(SECRET)
            assert only(first).label == "restricted"
            yield Stage(app, first.session, there, here)


def free_of_it(*values: DispatchAnswer | object) -> bool:
    return CANARY not in json.dumps([str(value) for value in values])


async def test_the_result_of_a_job_is_as_withheld_later_as_at_first(bench: Bench) -> None:
    hold = anyio.Event()
    async with stage(bench, "ollama/m", local=(Reply((CANARY,), hold=hold),)) as on:
        started = await on.app.dispatch(on.task(FOLLOW), limit_s=0)
        joined = await on.app.dispatch(on.task(FOLLOW), limit_s=0)
        assert (started.status, joined.job_id) == ("running", started.job_id)
        assert started.job_id is not None
        hold.set()
        ended = [await on.app.join(started.job_id) for _ in range(2)]
        explained = await anyio.to_thread.run_sync(on.app.explain, started.job_id)
        last = await anyio.to_thread.run_sync(lambda: on.app.explain(last=True))
    assert ended[0] == ended[1]
    assert (only(ended[0]).label, only(ended[0]).code) == ("restricted", Code.ANSWER_WITHHELD)
    assert free_of_it(started, joined, *ended, explained, last)
    assert [label.label for phase in explained.phases for label in phase.labels] == ["restricted"]


async def test_falling_back_to_a_remote_model_leaves_the_turn_behind(bench: Bench) -> None:
    async with stage(bench, "ollama/m", A, local=(Reply(status=402),)) as on:
        answer = await on.done(OTHER)
        (phase,) = (await anyio.to_thread.run_sync(on.app.explain, only(answer).trace_id)).phases
    assert (only(answer).status, only(answer).label, only(answer).answer) == ("completed", None, "done")
    assert CANARY in on.local.heard[1].text
    assert (len(on.remote.heard), CANARY in on.remote.heard_text) == (1, False)
    assert [attempt.locality for attempt in phase.attempts] == ["local", "remote"]
    assert phase.labels == ()


async def test_a_follow_up_has_no_remote_model_to_fall_back_to(bench: Bench) -> None:
    async with stage(bench, "ollama/m", A, local=(Reply(status=402),), policy=HANDOFF) as on:
        answer = await on.done(FOLLOW)
    assert (answer.status, on.remote.heard, only(answer).handoff) == ("failed", [], None)
    assert free_of_it(answer)


async def test_falling_back_to_a_local_model_labels_the_answer(bench: Bench) -> None:
    async with stage(bench, A, "ollama/m", local=(Reply((CANARY,)),), remote=(Reply(status=402),)) as on:
        answer = await on.done(OTHER)
    assert (only(answer).label, only(answer).code, only(answer).answer) == ("restricted", Code.ANSWER_WITHHELD, None)
    assert CANARY not in on.remote.heard_text
    assert free_of_it(answer)


async def test_the_host_that_takes_over_is_told_nothing_of_it(bench: Bench) -> None:
    async with stage(bench, "ollama/m", local=(Reply(status=402),), policy=HANDOFF) as on:
        answer = await on.done(OTHER)
    assert answer.status == "handoff"
    assert only(answer).handoff is not None
    assert free_of_it(answer)


class Complaining(Parrot):
    """A parrot whose error repeats what it was sent around the canary."""

    def write(self, question: str, send: Callable[[object], None]) -> None:
        if "break off" in question:
            at = question.index(CANARY)
            send({"error": f"cannot read {question[at - 20 : at + 40]}"})
        else:
            super().write(question, send)


@pytest.mark.parametrize("policy", ["", HANDOFF])
async def test_what_a_server_repeats_in_its_error_is_not_told(bench: Bench, policy: str) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    with Complaining.serving() as fake:
        app = bench.app(policy + default("ollama/tiny") + ollama(fake.base_url))
        async with app.running():
            first = await app.dispatch(SECRET)
            answer = await app.dispatch(Task(text="What is the meaning of break off?", session=first.session))
    assert only(first).label == "restricted"
    assert answer.status == ("handoff" if policy else "failed")
    assert Code.PROVIDER_UNAVAILABLE in only(answer).detail
    assert free_of_it(first, answer)


async def test_reports_of_progress_hold_nothing_of_it(bench: Bench) -> None:
    told: list[Progress] = []
    enough = anyio.Event()

    async def listener(progress: Progress) -> None:
        told.append(progress)
        if progress.tokens:
            enough.set()

    replies = (Reply((CANARY, CANARY), ending="stall"),)
    async with stage(bench, "ollama/m", local=replies) as on, anyio.create_task_group() as group:
        task = on.task(FOLLOW)
        group.start_soon(lambda: on.app.dispatch(task, listener=listener))
        with anyio.fail_after(10):
            await enough.wait()
        group.cancel_scope.cancel()
    assert told[-1].tokens > 0
    assert free_of_it(*told)


@pytest.mark.parametrize("ending", ["cut", "reset"])
async def test_an_answer_that_breaks_off_is_gone(bench: Bench, ending: str) -> None:
    async with stage(bench, "ollama/m", local=(Reply((CANARY,), ending=ending), Reply(("fine",)))) as on:
        broken = await on.done(FOLLOW)
        await on.done(FOLLOW)
        explained = await anyio.to_thread.run_sync(lambda: on.app.explain(last=True))
    assert broken.status == "failed"
    assert free_of_it(broken)
    entries = explained.phases[0].decision.context.included
    assert [entry.path for entry in entries] == ["turn 1 of the session"]


async def test_an_answer_that_is_cut_at_its_length_is_withheld_too(bench: Bench) -> None:
    async with stage(bench, "ollama/m", local=(Reply((CANARY,), stop="length"),)) as on:
        answer = await on.done(FOLLOW)
    assert (only(answer).label, only(answer).answer) == ("restricted", None)
    assert free_of_it(answer)


async def test_a_cancelled_job_leaves_nothing(bench: Bench) -> None:
    async with stage(bench, "ollama/m", local=(Reply((CANARY,), ending="stall"), Reply(("fine",)))) as on:
        on.local.asked.clear()
        async with anyio.create_task_group() as group:
            task = on.task(FOLLOW)
            group.start_soon(lambda: on.app.dispatch(task))
            await on.local.asked.wait()
            group.cancel_scope.cancel()
        explained = await anyio.to_thread.run_sync(lambda: on.app.explain(last=True))
        answer = await on.done(FOLLOW)
    assert free_of_it(explained, answer)
    assert explained.phases[0].labels == ()


async def test_a_step_of_a_mixed_task_is_judged_by_the_session_and_by_the_steps_before(bench: Bench) -> None:
    steps = Task(text="Explain what a mutex is, then write a README, then review your last answer")
    async with stage(bench, A, "ollama/m", local=(Reply((CANARY,)),)) as on:
        answer = await on.done(steps)
    assert CANARY not in on.remote.heard_text
    assert free_of_it(answer)
    assert [(phase.status, phase.label) for phase in answer.phases[:2]] == [("completed", None)] * 2
    assert (answer.phases[2].status, answer.phases[2].label) == ("completed", "restricted")


async def test_what_a_delegate_looked_at_itself_is_where_the_label_comes_from(bench: Bench) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    look = Reply((), calls=(("read_file", {"path": "secrets/plan.txt"}),))
    replies = (look, Reply((f"it says {CANARY}",)), Reply(("short",)))
    async with serving() as remote, serving(*replies, tools=True) as local:
        app = bench.app(default("ollama/m", A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        async with app.running():
            first = await app.dispatch(Task(text="review the code", intent=Intent.REVIEW, session="new"))
            later = await app.dispatch(FOLLOW.model_copy(update={"session": first.session}))
        stories = [app.explain(only(answer).trace_id).phases[0].labels for answer in (first, later)]
    assert [only(answer).label for answer in (first, later)] == ["restricted"] * 2
    assert remote.heard == []
    first_end, later_end = (labels[0].origin[-1] for labels in stories)
    assert first_end == later_end
    assert "secrets/plan.txt" in str(first_end)
    assert free_of_it(first, later, *stories)
