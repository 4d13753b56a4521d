"""What to do instead, told by what went wrong and not by its code alone."""

import anyio.to_thread
import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, done, only

from smista_mcp.core.remedies import remedy
from smista_mcp.core.task import Task
from smista_mcp.errors import Cause, Code

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")
START = "start the model server"


async def test_a_cli_that_is_not_installed_is_to_be_installed(bench: Bench) -> None:
    policy = '[providers."cli:codex"]\ntype = "cli"\n' + default("cli:codex/default") + ALLOWED
    app = bench.app(policy, PATH=str(bench.home))
    answer = await done(app, ASK)
    (told,) = (await anyio.to_thread.run_sync(app.explain, only(answer).trace_id or None, ASK)).phases
    assert only(answer).code is Code.PROVIDER_UNAVAILABLE
    for words in (answer.next or "", told.decision.reason, *told.changes):
        assert "install" in words
        assert START not in words


async def test_an_answer_that_was_cut_says_nothing_of_the_address(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="cut")) as a:
        app = bench.app(default("openai-compat:a/m") + compat("a", a.v1, local=True))
        answer = await done(app, ASK)
        (told,) = (await anyio.to_thread.run_sync(app.explain, answer.trace_id)).phases
    assert only(answer).code is Code.PROVIDER_PROTOCOL
    cut = remedy(Code.PROVIDER_PROTOCOL, cause=Cause.CUT)
    assert cut != remedy(Code.PROVIDER_PROTOCOL)
    assert cut in (answer.next or "")
    assert cut in told.changes


async def test_a_provider_that_nobody_declares_is_to_be_declared(bench: Bench) -> None:
    app = bench.app(default("ollama/m") + ALLOWED)
    answer = await done(app, ASK.model_copy(update={"model": "openai-compat:litellm/m"}))
    assert only(answer).code is Code.UNKNOWN_MODEL
    for words in (answer.next or "", only(answer).detail):
        assert '[providers."openai-compat:litellm"]' in words
        assert remedy(Code.UNKNOWN_MODEL) not in words
