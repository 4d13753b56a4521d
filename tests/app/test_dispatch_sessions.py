"""Sessions: later calls build on earlier answers, and labels travel through them."""

from pathlib import Path

import anyio.to_thread
import pytest
from canaries import CANARIES
from model_server import ModelServer, Reply, serving
from workbench import Bench, default, ollama, only

from smista_mcp.app import App, Caller
from smista_mcp.core.decision import Decision
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
A = "openai-compat:a/m"
ASK = Task(text="What is a mutex?", session="new")
SECRET = Task(text="explain secrets/plan.txt", session="new")
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")


@pytest.fixture
def secret(bench: Bench) -> Path:
    return bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")


async def told(app: App, *tasks: Task, caller: Caller = Caller()) -> list[DispatchAnswer]:
    """The answers to tasks, each in the session of the first."""
    answers: list[DispatchAnswer] = []
    async with app.running():
        for task in tasks:
            session = answers[0].session if answers else task.session
            answers.append(await app.dispatch(task.model_copy(update={"session": session}), caller))
    return answers


async def decided(app: App, text: str, session: str | None, caller: Caller = Caller()) -> Decision:
    task = Task(text=text, session=session)
    (decision,) = (await anyio.to_thread.run_sync(app.route, task, caller)).decisions
    return decision


def prompts(server: ModelServer) -> list[str]:
    return [heard.text for heard in server.heard]


async def test_a_later_call_is_told_what_was_asked_and_answered(bench: Bench) -> None:
    async with serving(Reply(("a lock with one holder",)), Reply(("one holder",)), Reply(("ja",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        answers = await told(app, ASK, Task(text="Now shorten that"), Task(text="And in German?"))
    assert len({answer.session for answer in answers}) == 1
    assert answers[0].session is not None
    assert len(answers[0].session) == 32
    first, second, third = prompts(server)
    assert "mutex" not in first.replace(ASK.text, "")
    assert "a lock with one holder" in second
    assert ASK.text in second
    assert third.index("one holder") < third.index("a lock with one holder")  # the newest first
    assert [only(answer).label for answer in answers] == [None] * 3
