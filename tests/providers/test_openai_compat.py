import json
from typing import Any

import pytest
from decoding import a_request, decoded

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import Usage
from smista_mcp.providers.openai_compat import OpenAiCompat

PROTOCOL = OpenAiCompat()


def delta(content: object = None, *, finish: str | None = None, **members: object) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"content": content, **members}, "finish_reason": finish}
    return {"id": "chatcmpl-1", "model": "served-model", "choices": [choice]}


def sse(*chunks: object, done: bool = True, line_end: str = "\n") -> bytes:
    events = [f"data: {json.dumps(chunk)}" for chunk in chunks] + (["data: [DONE]"] if done else [])
    return "".join(f"{event}{line_end * 2}" for event in events).encode()


USAGE: dict[str, Any] = {
    "id": "chatcmpl-1",
    "choices": [],
    "usage": {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "prompt_tokens_details": {"cached_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
}
PLAIN = sse(delta(None, role="assistant"), delta("Hel"), delta("lo"), delta(finish="stop"), USAGE)


def test_the_request_asks_for_a_stream_with_usage_and_for_nothing_it_need_not() -> None:
    wire = PROTOCOL.encode(a_request("héllo", model="qwen"))
    assert json.loads(wire.body) == {
        "model": "qwen",
        "messages": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "héllo"}],
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert wire.path == "/chat/completions"
    assert "héllo".encode() in wire.body  # unescaped, so that a scan of the body sees what was written


def test_limits_are_sent_where_they_are_set() -> None:
    body = json.loads(PROTOCOL.encode(a_request(max_output_tokens=160, temperature=0.0)).body)
    assert (body["max_tokens"], body["temperature"]) == (160, 0.0)


def test_half_a_character_does_not_stop_a_request() -> None:
    assert b"?" in PROTOCOL.encode(a_request("\ud800")).body


def test_the_key_travels_in_the_authorization_header() -> None:
    assert PROTOCOL.authorization("k") == {"authorization": "Bearer k"}


def test_a_stream_becomes_its_text_its_end_and_its_usage() -> None:
    text, end = decoded(PROTOCOL, [PLAIN])
    assert text == "Hello"
    assert end.stop_reason == "stop"
    assert end.usage == Usage(input_tokens=20, cached_input_tokens=16, output_tokens=9, reasoning_tokens=4)
    assert (end.model, end.request_id, end.truncated) == ("served-model", "chatcmpl-1", False)


@pytest.mark.parametrize(
    "body",
    [
        sse(delta("Hello"), delta(finish="stop"), line_end="\r\n"),
        sse(delta("Hello"), delta(finish="stop"), done=False),
        sse(delta("Hello"), delta(finish="stop")).replace(b"data: ", b"data:"),
        sse(delta("Hello"), delta(finish="stop")).replace(b"\n\n", b"\n"),
        b": OPENROUTER PROCESSING\n\n"
        + sse(delta("Hel")).replace(b"data: [DONE]\n\n", b": ping\n\n")
        + sse(delta("lo"), delta(finish="stop")),
        b"\xef\xbb\xbf" + sse(delta("Hello"), delta(finish="stop")),
        b"event: message\nid: 1\nretry: 10\n" + sse(delta("Hello"), delta(finish="stop")),
        b'data: {"choices": [{"index": 0,\ndata: "delta": {"content": "Hello"}}]}\n\n' + sse(delta(finish="stop")),
        b"data:\n\n" + sse(delta("Hello"), delta(finish="stop")),
        sse(delta("Hello", finish="stop")),
        sse(
            delta(
                [{"type": "text", "text": "Hel"}, {"type": "thinking"}, {"type": "text", "text": "lo"}], finish="stop"
            )
        ),
        sse({"choices": [{"delta": {"content": "Hello"}, "finish_reason": "eos"}]}),
        sse(delta("Hello"), {"choices": [{"index": 1, "delta": {"content": "other"}}]}, delta(finish="stop")),
        sse(delta("Hello"), delta(finish="stop")) + b"data: {not json}\n\n",
    ],
)
def test_servers_may_differ_in_form(body: bytes) -> None:
    text, end = decoded(PROTOCOL, [body])
    assert (text, end.stop_reason) == ("Hello", "stop")


@pytest.mark.parametrize("field", ["reasoning_content", "reasoning", "thinking"])
def test_reasoning_is_no_part_of_the_answer(field: str) -> None:
    body = sse(delta(None, **{field: "let me think"}), delta("Hello"), delta(finish="stop"))
    assert decoded(PROTOCOL, [body])[0] == "Hello"


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("something_new", "unknown"),
    ],
)
def test_the_reason_of_the_end_is_kept(finish: str, reason: str) -> None:
    assert decoded(PROTOCOL, [sse(delta("x"), delta(finish=finish))])[1].stop_reason == reason


def test_a_refusal_is_shown_and_marked() -> None:
    text, end = decoded(
        PROTOCOL, [sse(delta(None, refusal="I can't "), delta(None, refusal="do that."), delta(finish="stop"))]
    )
    assert (text, end.stop_reason) == ("I can't do that.", "content_filter")


def test_a_done_without_any_reason_ends_the_answer_for_an_unknown_one() -> None:
    assert decoded(PROTOCOL, [sse(delta("x"))])[1].stop_reason == "unknown"


def test_a_whole_body_is_taken_though_a_stream_was_asked_for() -> None:
    message = {"role": "assistant", "content": "Hello", "reasoning_content": "hm"}
    usage = {"prompt_tokens": 3, "completion_tokens": 2, "prompt_cache_hit_tokens": 1}
    body = {"model": "m", "choices": [{"message": message, "finish_reason": "stop"}], "usage": usage}
    text, end = decoded(PROTOCOL, [json.dumps(body, indent=2).encode()])
    assert (text, end.stop_reason) == ("Hello", "stop")
    assert end.usage == Usage(input_tokens=3, cached_input_tokens=1, output_tokens=2)


def test_a_whole_body_with_a_tool_call_has_no_text() -> None:
    body: dict[str, Any] = {
        "choices": [{"message": {"content": None, "tool_calls": [{}]}, "finish_reason": "tool_calls"}]
    }
    text, end = decoded(PROTOCOL, [json.dumps(body).encode()])
    assert (text, end.stop_reason) == ("", "tool_calls")


@pytest.mark.parametrize(
    ("said", "usage"),
    [
        # xAI counts reasoning beside the completion, and shows it in the sum
        (
            {"completion_tokens": 1499, "total_tokens": 14428, "completion_tokens_details": {"reasoning_tokens": 2809}},
            Usage(10120, None, 4308, 2809),
        ),
        ({"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 20}}, Usage(10120, None, 29, 20)),
        # OpenRouter and LiteLLM tell what was written to a cache
        (
            {"completion_tokens": 9, "prompt_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 5}},
            Usage(10120, 4, 9, None, 5),
        ),
        ({"completion_tokens": 9, "cache_creation_input_tokens": 7}, Usage(10120, None, 9, None, 7)),
    ],
)
def test_what_a_vendor_counts_beside_the_rest_is_counted(said: dict[str, Any], usage: Usage) -> None:
    last: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 10120, **said}}
    assert decoded(PROTOCOL, [sse(delta("x"), delta(finish="stop"), last)])[1].usage == usage


def test_the_last_usage_of_a_stream_counts() -> None:
    first = {**delta("x"), "usage": {"prompt_tokens": 5, "completion_tokens": 1}}
    last = {**delta(finish="stop"), "usage": {"prompt_tokens": 5, "completion_tokens": 2}}
    assert decoded(PROTOCOL, [sse(first, last)])[1].usage == Usage(input_tokens=5, output_tokens=2)


@pytest.mark.parametrize("figure", [-1, 1.5, True, "7", None, [], float("nan")])
def test_a_figure_that_cannot_be_a_count_is_none(figure: object) -> None:
    usage: dict[str, Any] = {"choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": figure}}
    assert decoded(PROTOCOL, [sse(delta(finish="stop"), usage)])[1].usage == Usage(input_tokens=3)


def test_half_a_character_becomes_a_replacement() -> None:
    text, _ = decoded(
        PROTOCOL, [b'data: {"choices":[{"delta":{"content":"a\\ud800b"}}]}\n\n' + sse(delta(finish="stop"))]
    )
    assert text == "a\ufffdb"


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"\n\n",
        sse(delta("Hel"), done=False),
        sse(delta("Hello"), done=False) + b'data: {"choices": [{"ind',
        sse(delta("Hello"), done=False) + b"data: {not json}\n\n" + sse(delta(finish="stop")),
        b"data: [1, 2]\n\n",
        b"data: " + b"[" * 5000 + b"\n\n",
        b'data: {"choices":[{"delta":{"content":"\xff"}}]}\n\n',
        b"data: {\n" * 100,
        b"data: " + b"x" * 300_000 + b"\ndata: x\n",
        b"<html><body>Bad gateway</body></html>",
        b"Internal error\n",
        b'{"choices": [',
        b'{"choices": []}',
        b'{"object": "list"}',
    ],
)
def test_an_answer_that_is_cut_or_of_another_kind_is_no_answer(body: bytes) -> None:
    with pytest.raises(ProviderError) as failure:
        decoded(PROTOCOL, [body])
    assert failure.value.code is Code.PROVIDER_PROTOCOL
    assert failure.value.sent


@pytest.mark.parametrize(
    ("chunk", "code"),
    [
        ({"error": {"message": "Rate limited", "code": 429}}, Code.PROVIDER_RATE_LIMITED),
        ({"error": {"message": "Slow down", "type": "rate_limit_error"}}, Code.PROVIDER_RATE_LIMITED),
        ({"error": {"message": "x", "code": "502"}, "choices": []}, Code.PROVIDER_UNAVAILABLE),
        ({"error": {"message": "boom", "type": "server_error"}}, Code.PROVIDER_UNAVAILABLE),
        ({"error": "boom"}, Code.PROVIDER_UNAVAILABLE),
        ({"error": {"message": "x", "type": "exceed_context_size_error", "code": 400}}, Code.CONTEXT_WINDOW_EXCEEDED),
        ({"error": {"message": "x", "type": "invalid_request_error"}}, Code.PROVIDER_INVALID_REQUEST),
        ({"error": {"message": "x", "code": "invalid_api_key"}}, Code.PROVIDER_AUTH),
    ],
)
def test_an_error_inside_an_answer_has_the_code_that_its_status_would_have(chunk: object, code: Code) -> None:
    for body in (sse(delta("Hel"), chunk), json.dumps(chunk).encode()):
        with pytest.raises(ProviderError) as failure:
            decoded(PROTOCOL, [body])
        assert failure.value.code is code
        assert failure.value.sent


def test_a_choice_that_ends_for_an_error_is_an_error() -> None:
    with pytest.raises(ProviderError) as failure:
        decoded(PROTOCOL, [sse(delta("Hel"), delta(finish="error"))])
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE


def test_an_error_line_of_an_older_server_is_an_error() -> None:
    with pytest.raises(ProviderError) as failure:
        decoded(PROTOCOL, [sse(delta("Hel"), done=False) + b'error: {"code": 503, "message": "Loading model"}\n\n'])
    assert failure.value.code is Code.PROVIDER_UNAVAILABLE
    assert "Loading model" in failure.value.message


@pytest.mark.parametrize(
    ("status", "body", "code"),
    [
        (401, {"error": {"message": "Incorrect API key"}}, Code.PROVIDER_AUTH),
        (403, {"error": "forbidden"}, Code.PROVIDER_AUTH),
        (404, {"error": {"message": "The model `x` does not exist", "code": "model_not_found"}}, Code.UNKNOWN_MODEL),
        (404, {"message": "The model `x` does not exist."}, Code.UNKNOWN_MODEL),
        (
            404,
            {"error": {"message": "File Not Found", "type": "not_found_error", "code": 404}},
            Code.PROVIDER_INVALID_REQUEST,
        ),
        (404, {"detail": "Not Found"}, Code.PROVIDER_INVALID_REQUEST),
        (400, {"error": {"message": "x", "code": "model_not_found"}}, Code.UNKNOWN_MODEL),
        (400, {"error": {"type": "exceed_context_size_error", "n_ctx": 512}}, Code.CONTEXT_WINDOW_EXCEEDED),
        (400, {"error": {"message": "This model's maximum context length is 4096"}}, Code.CONTEXT_WINDOW_EXCEEDED),
        (400, {"error": {"message": "x", "code": "context_length_exceeded"}}, Code.CONTEXT_WINDOW_EXCEEDED),
        (413, None, Code.CONTEXT_WINDOW_EXCEEDED),
        (400, {"error": {"message": "bad temperature"}}, Code.PROVIDER_INVALID_REQUEST),
        (422, {"detail": [{"msg": "field required"}]}, Code.PROVIDER_INVALID_REQUEST),
        (402, {"error": {"message": "Insufficient credits", "code": 402}}, Code.PROVIDER_RATE_LIMITED),
        (429, {"error": {"code": "insufficient_quota"}}, Code.PROVIDER_RATE_LIMITED),
        (408, None, Code.PROVIDER_TIMEOUT),
        (504, None, Code.PROVIDER_TIMEOUT),
        (500, {"error": {"message": "oops"}}, Code.PROVIDER_UNAVAILABLE),
        (503, {"error": {"message": "Loading model", "code": 503}}, Code.PROVIDER_UNAVAILABLE),
        (529, None, Code.PROVIDER_UNAVAILABLE),
        (302, None, Code.PROVIDER_PROTOCOL),
    ],
)
def test_a_status_has_one_meaning(status: int, body: object, code: Code) -> None:
    text = b"<html>" if body is None else json.dumps(body).encode()
    failure = PROTOCOL.failure(status, {}, text, now=0)
    assert failure.code is code
    assert failure.status == status
    assert failure.sent is (code is Code.PROVIDER_TIMEOUT)
