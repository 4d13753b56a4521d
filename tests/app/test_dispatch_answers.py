"""One phase, asked of one model: the answer, what it cost, what was sent, and that all of it is found again."""

import hashlib
import hmac
from decimal import Decimal

import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only, reports

from smista_mcp.app import Caller
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent, Locality
from smista_mcp.dispatch.payloads import keyed_hash
from smista_mcp.errors import Code, NotFound

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")


def sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


async def test_a_local_model_answers_and_everything_is_found_again_by_id(bench: Bench) -> None:
    used = {"prompt_tokens": 41, "completion_tokens": 5}
    async with serving(Reply(("It is ", "small."), used=used)) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            answer = await app.dispatch(ASK, Caller("claude-code"))
        (heard,) = server.heard
    phase = only(answer)
    assert (answer.status, answer.code, phase.answer) == ("completed", None, "It is small.")
    assert (phase.model, phase.cost, phase.label) == ("ollama/m", "0", None)
    assert (phase.usage.input_tokens, phase.usage.output_tokens) == (41, 5)
    assert answer.trace_id == answer.receipt_id == phase.trace_id

    trace = bench.trace(phase.trace_id)
    (attempt,) = trace.attempts
    assert (attempt.status, attempt.code, attempt.cost, attempt.cost_kind) == ("completed", None, "0", "local")
    assert (attempt.usage.input_tokens, attempt.usage.output_tokens) == (41, 5)
    key, digest = (bench.state / "key").read_bytes(), hashlib.sha256(heard.body).hexdigest()
    assert attempt.receipt.body_sha256 == keyed_hash(key, digest)
    assert attempt.receipt.body_bytes == len(heard.body)
    assert trace.decision is not None
    assert trace.decision.host == "claude-code"

    later = bench.app()
    for given in (phase.trace_id, trace.decision_id, trace.decision_id[:8]):
        (story,) = later.explain(given).phases
        assert story.decision.decision_id == trace.decision_id
        assert [one.trace_id for one in story.attempts] == [phase.trace_id]


async def test_the_receipt_lists_exactly_what_was_sent_and_what_was_not(bench: Bench) -> None:
    code, notes, text = "def add(a, b):\n    return a + b  \n\n", "``` tricky ```\n````\n", "summarize these files"
    bench.write("src/add.py", code)
    bench.write(".env", "TOKEN=abc\n")
    async with serving() as server:
        app = bench.app(default("openai-compat:a/m") + compat("a", server.v1) + ALLOWED)
        async with app.running():
            task = Task(text=text, paths=("src/add.py",), attachments=(Attachment(path="notes.md", content=notes),))
            answer = await app.dispatch(task)
        (heard,) = server.heard
    (attempt,) = reports(app, answer)
    assert attempt.receipt is not None
    sent = {item.path: (item.sha256, item.reason) for item in attempt.receipt.sent}
    key = (bench.state / "key").read_bytes()
    assert sent == {
        "src/add.py": (sha256(code), "required"),
        "notes.md": (f"keyed:{hmac.digest(key, sha256(notes).encode(), 'sha256').hex()}", "required"),
    }
    assert {(item.path, item.reason) for item in attempt.receipt.withheld} == {(".env", "restricted by `.env`")}
    user = heard.asked["messages"][1]["content"]
    assert f"src/add.py:\n```\n{code}\n```" in user
    assert f"notes.md:\n`````\n{notes}\n`````" in user
    assert "TOKEN" not in heard.text


async def test_a_task_on_a_model_of_another_provider_costs_what_its_usage_says(bench: Bench) -> None:
    used = {"prompt_tokens": 1000, "completion_tokens": 500}
    async with serving(Reply(used=used)) as server:
        app = bench.app(default("openai-compat:a/m") + compat("a", server.v1, price="2") + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
    (attempt,) = bench.trace(answer.trace_id).attempts
    assert only(answer).cost == "0.003"
    assert attempt.cost is not None
    assert attempt.reserved is not None
    assert Decimal("0.003") == Decimal(attempt.cost) < Decimal(attempt.reserved)
    assert (attempt.cost_kind, attempt.locality) == ("list", Locality.REMOTE)
    assert [report.cost for report in reports(app, answer)] == ["0.003"]


async def test_a_cost_that_nobody_knows_is_not_zero(bench: Bench) -> None:
    async with serving() as server:
        app = bench.app(default("openai-compat:a/m") + compat("a", server.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
    (attempt,) = bench.trace(answer.trace_id).attempts
    assert (only(answer).cost, attempt.cost, attempt.cost_kind) == (None, None, "unknown")


async def test_the_key_goes_to_its_provider_and_into_nothing_else(bench: Bench) -> None:
    provider = '[providers."openai-compat:a"]\napi_key = "${secret:MY_KEY}"\nbase_url = '
    async with serving() as server:
        app = bench.app(f'{default("openai-compat:a/m")}{provider}"{server.v1}"\n{ALLOWED}', MY_KEY="hush-hush")
        async with app.running():
            answer = await app.dispatch(ASK)
        (heard,) = server.heard
    assert "Bearer hush-hush" in heard.head
    story = app.explain(answer.trace_id).model_dump_json()
    assert "hush-hush" not in answer.model_dump_json() + story + repr(app.world)
    assert b"hush-hush" not in (bench.state / "ledger.db").read_bytes()


@pytest.mark.parametrize(("stop", "told"), [("length", "length limit"), ("content_filter", "content filter")])
async def test_an_answer_that_ended_early_says_so(bench: Bench, stop: str, told: str) -> None:
    async with serving(Reply(stop=stop)) as server:
        app = bench.app(default("openai-compat:a/m") + compat("a", server.v1, local=True))
        async with app.running():
            phase = only(await app.dispatch(ASK))
    assert (phase.status, phase.answer) == ("completed", "done")
    assert told in phase.detail


async def test_an_answer_with_half_a_character_can_still_be_told(bench: Bench) -> None:
    async with serving(Reply(("\ud83d", "\ude00", " and \ud800"))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            answer = await app.dispatch(ASK)
    assert (only(answer).answer or "").endswith(" and \ufffd")
    assert answer.model_dump_json()


async def test_a_change_is_asked_for_as_a_patch_only_where_files_may_be_written(bench: Bench) -> None:
    bench.write("a.py", "x = 1\n")
    task = Task(text="rename x to y in a.py", intent=Intent.EDIT)
    async with serving() as server:
        policy = default("ollama/m") + ollama(server.root)
        for told in ("", '[tools.permissions]\nfile_write = "deny"\n'):
            app = bench.app(policy + told)
            async with app.running():
                await app.dispatch(task)
        asked = [heard.asked["messages"][0]["content"] for heard in server.heard]
    assert ["unified diff" in text for text in asked] == [True, True, False]  # asked once more for want of one


async def test_the_model_is_told_how_large_the_prompt_is_and_not_to_be_creative(bench: Bench) -> None:
    async with serving(window=4096) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            await app.dispatch(ASK)
        options = server.heard[0].asked["options"]
    assert options["temperature"] == 0
    assert 0 < options["num_predict"] < options["num_ctx"] <= 4096


async def test_what_the_server_says_it_used_is_recorded(bench: Bench) -> None:
    async with serving(Reply(model="m-2026")) as server:
        app = bench.app(default("openai-compat:a/m") + compat("a", server.v1, local=True))
        async with app.running():
            answer = await app.dispatch(ASK)
    (attempt,) = bench.trace(answer.trace_id).attempts
    assert (attempt.model, attempt.resolved_model) == ("openai-compat:a/m", "openai-compat:a/m-2026")


async def test_an_id_that_means_nothing_is_told_so(bench: Bench) -> None:
    app = bench.app(default("ollama/m"))
    with pytest.raises(NotFound) as nothing:
        app.explain(last=True)
    assert nothing.value.code is Code.TRACE_NOT_FOUND
    for given in ("0" * 64, "12345678", "no id", ""):
        with pytest.raises(NotFound) as failure:
            app.explain(given)
        assert failure.value.code is Code.TRACE_NOT_FOUND
        assert failure.value.fix


@pytest.mark.parametrize("text", ["Summarize NOFILE.md", "review ../outside/a.py"])
async def test_what_cannot_be_read_is_refused_and_never_made_up(text: str, bench: Bench) -> None:
    async with serving(Reply(("made up",))) as server:
        policy = default("ollama/m") + ollama(server.root)
        app = bench.app(policy)
        async with app.running():
            answer = await app.dispatch(Task(text=text))
    assert server.heard == []
    assert (answer.status, answer.code) == ("refused", Code.INVALID_TASK)
    assert answer.trace_id is None
