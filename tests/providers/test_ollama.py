import json
from typing import Any

import pytest
from decoding import a_request, decoded
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import Usage
from smista_mcp.providers.ollama import Ollama
from smista_mcp.providers.windows import context_needed, prompt_tokens

PROTOCOL = Ollama()


def chunk(content: str = "", **members: object) -> dict[str, Any]:
    return {"model": "llama3", "message": {"role": "assistant", "content": content}, "done": False, **members}


def last(reason: str | None = "stop", prompt: int = 12, **members: object) -> dict[str, Any]:
    counts = {"prompt_eval_count": prompt, "eval_count": 5}
    return chunk() | {"done": True, "done_reason": reason, **counts, **members}


def ndjson(*chunks: object) -> bytes:
    return "".join(f"{json.dumps(one)}\n" for one in chunks).encode()


PLAIN = ndjson(chunk("Hel"), chunk("lo ✓"), last())


def test_the_request_sets_the_window_and_forbids_to_cut() -> None:
    request = a_request(model="llama3:8b", prompt_tokens=100, max_output_tokens=200, temperature=0.0)
    wire = PROTOCOL.encode(request)
    assert wire.path == "/api/chat"
    assert json.loads(wire.body) == {
        "model": "llama3:8b",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "hello"}],
        "stream": True,
        "truncate": False,
        "shift": False,
        "options": {"num_ctx": 2048, "num_predict": 200, "temperature": 0.0},
    }


def test_what_is_not_limited_is_not_sent() -> None:
    assert json.loads(PROTOCOL.encode(a_request()).body)["options"] == {"num_ctx": 2048}


@pytest.mark.parametrize(
    ("prompt", "output", "window", "size"),
    [
        (100, 200, None, 2048),
        (2000, 200, None, 4096),
        (2000, 200, 40_960, 4096),
        (30_000, 1000, 40_960, 40_960),
        (30_000, 1000, 32_768, 32_768),
        (100_000, 1000, 8192, 8192),
        (10, 10, 512, 512),
    ],
)
def test_the_window_asked_for_is_a_power_of_two_up_to_what_the_model_takes(
    prompt: int, output: int, window: int | None, size: int
) -> None:
    request = a_request(prompt_tokens=prompt, max_output_tokens=output, context_window=window)
    assert context_needed(request) == size


@given(st.integers(1, 200_000), st.integers(1, 20_000))
def test_the_window_asked_for_holds_prompt_and_answer_with_a_margin(prompt: int, output: int) -> None:
    size = context_needed(a_request(prompt_tokens=prompt, max_output_tokens=output))
    assert size >= prompt * 1.3 + output
    assert size == 2048 or size / 2 < prompt * 1.3 + output + 130


def test_without_an_estimate_the_bytes_are_counted() -> None:
    assert prompt_tokens(a_request("x" * 291)) == 101


def test_a_stream_becomes_its_text_its_end_and_its_usage() -> None:
    text, end = decoded(PROTOCOL, [PLAIN])
    assert text == "Hello ✓"
    assert (end.stop_reason, end.model, end.truncated) == ("stop", "llama3", False)
    assert end.usage == Usage(input_tokens=12, output_tokens=5)


@pytest.mark.parametrize(
    ("reason", "known"),
    [("stop", "stop"), ("length", "length"), ("load", "unknown"), (None, "unknown"), ("x", "unknown")],
)
def test_the_reason_of_the_end_is_kept(reason: str | None, known: str) -> None:
    assert decoded(PROTOCOL, [ndjson(chunk("x"), last(reason))])[1].stop_reason == known


def test_an_answer_in_one_object_is_an_answer() -> None:
    assert decoded(PROTOCOL, [ndjson(last(message={"content": "Hello"})).rstrip(b"\n")])[0] == "Hello"


def test_thinking_is_no_part_of_the_answer() -> None:
    body = ndjson(chunk("", message={"thinking": "hm", "content": ""}), chunk("Hello"), last())
    assert decoded(PROTOCOL, [body])[0] == "Hello"


def test_a_tool_call_is_told_as_the_end() -> None:
    call: dict[str, Any] = {"content": "", "tool_calls": [{"function": {}}]}
    body = ndjson(chunk("", message=call), last())
    assert decoded(PROTOCOL, [body])[1].stop_reason == "tool_calls"


@pytest.mark.parametrize(
    ("sent", "window", "read", "cut"),
    [
        (1000, None, 1012, False),
        (1000, None, 850, False),  # our estimate was a little too high
        (1000, None, None, False),  # servers of old leave it out when the prompt was in the cache
        (1000, None, 0, False),  # nobody counted
        (3000, 4096, 4096, True),  # at the edge: filled to the last token
        (3000, 4096, 4095, True),
        (9000, 4096, 3500, True),  # whole messages were dropped
        (9000, 4096, 2050, True),  # cut to half the window
        (20_000, None, 8192, True),  # the server gave a smaller window than it was asked for
        (20, None, 1, False),  # too short to judge
    ],
)
def test_a_prompt_that_was_cut_in_silence_is_noticed(
    sent: int, window: int | None, read: int | None, cut: bool
) -> None:
    request = a_request(prompt_tokens=sent, context_window=window, max_output_tokens=100)
    end = decoded(PROTOCOL, [ndjson(chunk("x"), last() | {"prompt_eval_count": read})], request)[1]
    assert end.truncated is cut


@pytest.mark.parametrize(
    "body",
    [
        b"",
        ndjson(chunk("Hel")),
        ndjson(chunk("Hel")) + b'{"model": "lla',
        ndjson(chunk("Hel")) + b"oops\n" + ndjson(last()),
        b"<html></html>\n",
        b"[]\n",
        b'{"status": "ok"}\n',
        b'data: {"choices": []}\n\n',
    ],
)
def test_an_answer_that_is_cut_or_of_another_kind_is_no_answer(body: bytes) -> None:
    with pytest.raises(ProviderError) as failure:
        decoded(PROTOCOL, [body])
    assert failure.value.code is Code.PROVIDER_PROTOCOL
    assert failure.value.sent


def test_what_follows_the_end_is_not_read() -> None:
    assert decoded(PROTOCOL, [PLAIN + b"oops\n"])[0] == "Hello ✓"


@pytest.mark.parametrize(
    ("error", "code"),
    [
        ("model runner has unexpectedly stopped", Code.PROVIDER_UNAVAILABLE),
        ("model 'x' not found", Code.UNKNOWN_MODEL),
        ("the input length exceeds the context length", Code.CONTEXT_WINDOW_EXCEEDED),
        ({"message": "odd"}, Code.PROVIDER_UNAVAILABLE),
    ],
)
def test_an_error_inside_a_stream_is_an_error(error: object, code: Code) -> None:
    with pytest.raises(ProviderError) as failure:
        decoded(PROTOCOL, [ndjson(chunk("Hel"), {"error": error})])
    assert failure.value.code is code
    assert failure.value.sent


@pytest.mark.parametrize(
    ("status", "said", "code"),
    [
        (404, "model 'nope' not found", Code.UNKNOWN_MODEL),
        (404, "404 page not found", Code.PROVIDER_INVALID_REQUEST),
        (400, "'nomic-embed-text' does not support chat", Code.PROVIDER_INVALID_REQUEST),
        (400, "the input length exceeds the context length", Code.CONTEXT_WINDOW_EXCEEDED),
        (500, "llama runner process has terminated", Code.PROVIDER_UNAVAILABLE),
        (503, "server busy, please try again", Code.PROVIDER_UNAVAILABLE),
        (401, "unauthorized", Code.PROVIDER_AUTH),
        (400, {"message": "the input length exceeds the context length"}, Code.CONTEXT_WINDOW_EXCEEDED),
    ],
)
def test_a_status_has_one_meaning(status: int, said: object, code: Code) -> None:
    failure = PROTOCOL.failure(status, {}, json.dumps({"error": said}).encode(), now=0)
    assert failure.code is code
    assert not failure.sent


def test_a_model_that_is_missing_is_to_be_pulled() -> None:
    failure = PROTOCOL.failure(404, {}, b'{"error": "model \'nope\' not found"}', now=0)
    assert "ollama pull" in failure.fix


def test_a_status_without_words_has_its_meaning_too() -> None:
    assert PROTOCOL.failure(502, {}, b"<html>", now=0).code is Code.PROVIDER_UNAVAILABLE


def test_the_key_of_a_guarded_server_travels_in_the_authorization_header() -> None:
    assert PROTOCOL.authorization("k") == {"authorization": "Bearer k"}
