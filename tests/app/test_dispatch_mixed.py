"""Tasks of several phases: order, what each is told of the others, and what is left of the task where one fails."""

import pytest
from model_server import Reply, serving
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, ollama

from smista_mcp.app import App
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

STEPS = Task(text="Plan the login flow, implement it in src/login.py, then write the docs")
RULES = """
[[routing.rules]]
name = "plans"
intent = "plan"
model = "{plan}"
[[routing.rules]]
name = "code"
intent = "edit"
model = "{edit}"
[[routing.rules]]
name = "docs"
intent = "document"
model = "{document}"
"""
A, B = "openai-compat:a/m", "openai-compat:b/m"


def rules(plan: str, edit: str, document: str) -> str:
    return RULES.format(plan=plan, edit=edit, document=document)


async def done(app: App, task: Task = STEPS) -> DispatchAnswer:
    async with app.running():
        return await app.dispatch(task)


def statuses(answer: DispatchAnswer) -> list[str]:
    return [phase.status for phase in answer.phases]


async def test_phases_run_in_order_and_each_is_told_what_it_waits_for(bench: Bench) -> None:
    replies = [Reply((f"answer {number}",)) for number in range(3)]
    async with serving(*replies) as server:
        policy = rules("ollama/m", "ollama/m", "ollama/m") + ollama(server.root) + NO_PATCHES
        answer = await done(bench.app(policy))
        asked = [heard.text for heard in server.heard]
    assert [phase.answer for phase in answer.phases] == ["answer 0", "answer 1", "answer 2"]
    assert [phase.intent for phase in answer.phases] == ["plan", "edit", "document"]
    assert answer.status == "completed"
    assert "answer" not in asked[0].split("Plan the login flow")[1]
    assert "answer 0" in asked[1]
    assert "answer 1" in asked[2]
    assert len({phase.trace_id for phase in answer.phases}) == 3
    assert answer.trace_id == answer.phases[0].trace_id
    story = bench.app().explain(last=True)
    assert [len(phase.attempts) for phase in story.phases] == [1, 1, 1]


async def test_a_failed_phase_stops_what_waits_for_it_and_keeps_what_was_done(bench: Bench) -> None:
    async with serving(Reply(("the plan",)), Reply(status=402)) as server:
        answer = await done(bench.app(rules("ollama/m", "ollama/m", "ollama/m") + ollama(server.root)))
        asked = len(server.heard)
    assert statuses(answer) == ["completed", "failed", "failed"]
    assert (answer.status, answer.code, asked) == ("failed", Code.PROVIDER_RATE_LIMITED, 2)
    assert answer.phases[0].answer == "the plan"
    assert "phase 1" in answer.phases[2].detail
    assert answer.phases[2].trace_id is None


async def test_what_waits_for_the_host_says_so(bench: Bench) -> None:
    async with serving(Reply(("the plan",))) as server:
        answer = await done(bench.app(rules("ollama/m", "host/current", "ollama/m") + ollama(server.root)))
    assert statuses(answer) == ["completed", "handoff", "handoff"]
    assert (answer.status, answer.code) == ("handoff", None)
    assert answer.phases[1].handoff is not None
    assert answer.phases[2].handoff is None
    assert "phase 1" in answer.phases[2].detail
    assert answer.next is not None
    assert len(answer.next.splitlines()) == 2


async def test_what_waits_for_a_person_says_so(bench: Bench) -> None:
    async with serving() as server, serving() as remote:
        providers = ollama(server.root) + compat("a", remote.v1)
        answer = await done(bench.app(rules(A, "ollama/m", "ollama/m") + providers))
        assert (server.heard, remote.heard) == ([], [])
    assert statuses(answer) == ["approval_required"] * 3
    assert (answer.status, answer.code) == ("approval_required", Code.APPROVAL_REQUIRED)


async def test_what_waits_for_a_refused_phase_is_refused(bench: Bench) -> None:
    async with serving() as server:
        policy = rules("ollama/m", "ollama/nothing", "ollama/m") + ollama(server.root)
        answer = await done(bench.app(policy))
    assert statuses(answer) == ["completed", "refused", "refused"]
    assert (answer.status, answer.code) == ("refused", Code.UNKNOWN_MODEL)


@pytest.mark.parametrize(
    ("documents", "status"),
    [
        ("ollama/m", "completed"),
        ("host/current", "handoff"),
        ("ollama/nothing", "refused"),
        (A, "approval_required"),
        (B, "failed"),
    ],
)
async def test_the_status_of_a_task_is_that_of_its_most_telling_phase(
    bench: Bench, documents: str, status: str
) -> None:
    async with serving() as server, serving(Reply(status=402)) as bad, serving() as remote:
        providers = ollama(server.root) + compat("b", bad.v1, local=True) + compat("a", remote.v1)
        answer = await done(bench.app(rules("ollama/m", "ollama/m", documents) + providers + NO_PATCHES))
    assert answer.status == status
    assert statuses(answer)[:2] == ["completed", "completed"]


async def test_each_phase_falls_back_by_itself(bench: Bench) -> None:
    route = default(A, B)
    async with serving(Reply(status=402), Reply(("plan of a",)), Reply(status=402)) as a, serving() as b:
        answer = await done(bench.app(route + compat("a", a.v1) + compat("b", b.v1) + ALLOWED + NO_PATCHES))
        assert (len(a.heard), len(b.heard)) == (3, 2)
    assert [phase.model for phase in answer.phases] == [B, A, B]


async def test_an_answer_too_long_for_the_next_window_leads_to_a_larger_one(bench: Bench) -> None:
    long = " ".join(f"word{number}" for number in range(3000))
    async with serving(Reply((long,))) as server, serving(window=512) as small:
        providers = ollama(server.root) + compat("a", small.v1, local=True)
        route = rules("ollama/m", A, "ollama/m").replace(f'"{A}"', f'"{A}"\nfallbacks = ["ollama/m"]')
        answer = await done(bench.app(route + providers + NO_PATCHES))
    assert statuses(answer) == ["completed"] * 3
    assert answer.phases[1].model == "ollama/m"
    assert Code.CONTEXT_WINDOW_EXCEEDED in answer.phases[1].detail
    assert small.heard == []


async def test_helpful_context_gives_way_to_an_answer_that_is_needed(bench: Bench) -> None:
    bench.write("AGENTS.md", "use small functions. " * 250)
    long = " ".join(f"word{number}" for number in range(500))
    async with serving(Reply((long,)), window=2000) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        answer = await done(app, Task(text="Plan the login flow, then implement it"))
        first, second = (heard.text for heard in server.heard)
    assert statuses(answer) == ["completed", "completed"]
    assert ("small functions" in first, "small functions" in second) == (True, False)
    (attempt,) = bench.trace(answer.phases[1].trace_id).attempts
    assert ("AGENTS.md", "does not fit beside the rest") in {(i.path, i.reason) for i in attempt.receipt.withheld}
