"""A local server that repeats or inflates what it was sent: what of it may reach the host and the ledger."""

import json
from collections.abc import Mapping, Sequence

import pytest
from scripted_server import scripted
from workbench import Bench, default, ollama, only, reports

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.explained import AttemptReport
from smista_mcp.core.task import Task

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
RESTRICTED = Task(text="explain secrets/pin.txt")
FREE = Task(text="What is a mutex?")
DONE = {"done": True, "done_reason": "stop", "prompt_eval_count": 400, "eval_count": 1}
RETURNED = '[privacy]\nhost_answers = "return"\n'


def whole(body: object, status: str = "200 OK") -> bytes:
    text = json.dumps(body).encode() + b"\n"
    return f"HTTP/1.1 {status}\r\nContent-Length: {len(text)}\r\nConnection: close\r\n\r\n".encode() + text


def said(text: str, **more: object) -> bytes:
    return whole({"message": {"role": "assistant", "content": text}, **DONE, **more})


def routes(chat: Sequence[bytes]) -> Mapping[str, Sequence[bytes]]:
    return {"/api/tags": [whole({"models": [{"name": "m"}]})], "/api/show": [whole({})], "/api/chat": chat}


async def asked(bench: Bench, task: Task, *chat: bytes, policy: str = "") -> tuple[DispatchAnswer, list[AttemptReport]]:
    bench.write("secrets/pin.txt", "PIN=4711\n")
    async with scripted(routes=routes(chat)) as server:
        app = bench.app(default("ollama/m") + ollama(server.base_url) + policy)
        async with app.running():
            answer = await app.dispatch(task)
        return answer, reports(app, answer)


@pytest.mark.parametrize(
    "chat",
    [
        whole({"error": f"cannot parse near: {CANARY}"}, "400 no"),
        whole({"error": f"cannot parse near: {CANARY}"}, "500 no"),
        whole({"error": f"cannot parse near: {CANARY}"}),
        f"HTTP/1.1 200 OK\r\n{CANARY}\r\n\r\n".encode(),
    ],
)
async def test_the_words_of_a_failure_that_may_hold_restricted_content_stay_here(bench: Bench, chat: bytes) -> None:
    answer, told = await asked(bench, RESTRICTED, chat)
    assert answer.status == "failed"
    assert told[0].code is not None
    assert told[0].code in only(answer).detail
    assert CANARY not in answer.model_dump_json() + "".join(one.model_dump_json() for one in told)


async def test_the_words_of_a_failure_are_told_where_the_host_may_see_the_answer(bench: Bench) -> None:
    chat = whole({"error": f"cannot parse near: {CANARY}"}, "400 no")
    free, _ = await asked(bench, FREE, chat)
    returned, _ = await asked(bench, RESTRICTED, chat, policy=RETURNED)
    assert CANARY in only(free).detail
    assert CANARY in only(returned).detail


async def test_the_name_that_a_server_gives_itself_is_not_repeated_for_restricted_content(bench: Bench) -> None:
    answer, told = await asked(bench, RESTRICTED, said("fine", model=CANARY))
    assert answer.status == "completed"
    assert [one.resolved_model for one in told] == ["ollama/m"]
    assert CANARY.encode() not in (bench.state / "ledger.db").read_bytes()


async def test_hashes_of_restricted_content_are_keyed(bench: Bench) -> None:
    _, told = await asked(bench, RESTRICTED, said("fine"))
    receipt = told[0].receipt
    assert receipt is not None
    shown = [receipt.body_sha256, *(item.sha256 for item in receipt.sent)]
    assert len(shown) == 2
    assert all(one.startswith("keyed:") and len(one) == 6 + 64 for one in shown)


async def test_equal_restricted_content_has_equal_hashes(bench: Bench) -> None:
    (_, first), (_, again) = [await asked(bench, RESTRICTED, said("fine")) for _ in range(2)]
    assert first[0].receipt is not None
    assert again[0].receipt is not None
    assert first[0].receipt.sent == again[0].receipt.sent


async def test_hashes_of_free_content_are_plain(bench: Bench) -> None:
    _, told = await asked(bench, FREE, said("fine"))
    assert told[0].receipt is not None
    assert [len(item.sha256) for item in told[0].receipt.sent] == [64] * len(told[0].receipt.sent)
    assert told[0].receipt.body_sha256.startswith("keyed:")


async def test_an_answer_far_longer_than_was_asked_for_is_cut(bench: Bench) -> None:
    line = json.dumps({"message": {"content": "ü" * 10_000}}).encode() + b"\n"
    head = b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
    answer, _ = await asked(bench, FREE, head, *[line] * 200, json.dumps({"message": {}, **DONE}).encode())
    phase = only(answer)
    assert (answer.status, phase.usage.output_tokens) == ("completed", None)
    assert "cut" in phase.detail
    assert phase.answer is not None
    assert len(phase.answer.encode()) == 64 * 1024
    assert bench.attempts(answer) == [("ollama/m", "completed", None)]
