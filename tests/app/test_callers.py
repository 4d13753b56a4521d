"""Who calls decides what a name is worth, whose a job is, and how much one task may hold."""

import anyio
import pytest
from model_server import Reply, serving
from workbench import Bench, default, ollama, only

from smista_mcp.app import Caller
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Locality
from smista_mcp.errors import Code, InvalidTask, NotFound

pytestmark = pytest.mark.anyio

SECRET = Task(text="explain secrets/plan.txt")
TRUSTED = '[hosts.claude-code]\nlocality = "local"\n'
PIPE, WEB = Caller("claude-code"), Caller("claude-code", over_http=True)


@pytest.mark.parametrize(("caller", "told"), [(PIPE, True), (WEB, False), (Caller("other"), False)])
async def test_a_name_given_over_http_opens_no_restricted_answer(bench: Bench, caller: Caller, *, told: bool) -> None:
    bench.write("secrets/plan.txt", "the plan\n")
    async with serving(Reply(("in short",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root) + TRUSTED)
        async with app.running():
            answer = await app.dispatch(SECRET, caller)
    assert (only(answer).answer is not None, only(answer).code is None) == (told, told)


@pytest.mark.parametrize(("named", "locality"), [("", Locality.REMOTE), ("claude-code", Locality.LOCAL)])
def test_over_http_the_servers_own_setting_says_which_host_calls(bench: Bench, named: str, locality: Locality) -> None:
    app = bench.app(default("host/current") + TRUSTED, **({"SMISTA_HOST": named} if named else {}))
    (decision,) = app.route(Task(text="What is a mutex?"), WEB).decisions
    assert decision.locality is locality


async def test_a_job_is_not_there_for_another_caller(bench: Bench) -> None:
    ask = Task(text="What is a mutex?")
    async with serving(Reply(hold=anyio.Event())) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            running = await app.dispatch(ask, PIPE, limit_s=0.05)
            await server.asked.wait()
            assert running.job_id is not None
            for other in (WEB, Caller("codex"), Caller()):
                with pytest.raises(NotFound) as failure:
                    await app.join(running.job_id, other, limit_s=0)
                assert failure.value.code is Code.JOB_NOT_FOUND
            with pytest.raises(NotFound):
                await anyio.to_thread.run_sync(lambda: app.explain(running.job_id, caller=WEB))
            assert (await app.join(running.job_id, PIPE, limit_s=0)).status == "running"


def test_what_a_task_holds_by_itself_is_limited_as_a_whole(bench: Bench) -> None:
    app = bench.app(default("host/current"))
    part = Attachment(path="notes.md", content="x" * 1_000_000)
    with pytest.raises(InvalidTask):
        app.route(Task(text="explain this", attachments=(part,) * 17))
    wide = Attachment(path="notes.md", content="ü" * 1_000_000)
    with pytest.raises(InvalidTask):
        app.route(Task(text="explain this", attachments=(wide,) * 9))
