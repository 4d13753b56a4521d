"""Anthropic's Messages."""

import json
from typing import Any

import pytest
from decoding import a_request, decoded, heard

from smista_mcp.core.values import Effort
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.anthropic import Anthropic
from smista_mcp.providers.base import CompletionRequest, Message, ToolCall, ToolSpec, Usage

PROTOCOL = Anthropic()
TOOL = ToolSpec("read_file", "Reads.", {"type": "object", "properties": {"path": {"type": "string"}}})


def sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def begins(**usage: int) -> dict[str, Any]:
    return {"type": "message_start", "message": {"id": "msg_1", "model": "claude-x-1", "usage": usage}}


def block(index: int, content: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": content},
        {"type": "ping"},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


def ends(reason: str, **usage: int) -> list[dict[str, Any]]:
    return [{"type": "message_delta", "delta": {"stop_reason": reason}, "usage": usage}, {"type": "message_stop"}]


def words(*pieces: str, index: int = 0) -> list[dict[str, Any]]:
    return block(index, {"type": "text", "text": ""}, *({"type": "text_delta", "text": piece} for piece in pieces))


PLAIN = sse(
    begins(input_tokens=4, cache_read_input_tokens=90, cache_creation_input_tokens=6, output_tokens=1),
    *block(
        0,
        {"type": "thinking", "thinking": "", "signature": ""},
        {"type": "thinking_delta", "thinking": "hm"},
        {"type": "signature_delta", "signature": "c2ln"},
    ),
    *words("Hel", "lo", index=1),
    *ends("end_turn", output_tokens=9),
)


def test_the_request_has_what_the_protocol_needs_and_nothing_else() -> None:
    wire = PROTOCOL.encode(a_request("héllo", model="claude-x", max_output_tokens=500, temperature=0.0))
    assert json.loads(wire.body) == {
        "model": "claude-x",
        "max_tokens": 500,
        "messages": [{"role": "user", "content": "héllo"}],
        "stream": True,
        "system": "Be brief.",
        "temperature": 0.0,
    }
    assert wire.path == "/v1/messages"
    assert "héllo".encode() in wire.body
    assert PROTOCOL.authorization("k") == {"x-api-key": "k"}


@pytest.mark.parametrize(("temperature", "version"), [(None, "2026-10-21"), (0.0, "2023-06-01")])
def test_the_version_of_the_api_is_one_that_takes_the_request(temperature: float | None, version: str) -> None:
    wire = PROTOCOL.encode(a_request(temperature=temperature))
    assert wire.headers["anthropic-version"] == version
    assert ("temperature" in json.loads(wire.body)) is (temperature is not None)


@pytest.mark.parametrize(
    ("told", "most", "sent"),
    [
        ("xhigh", 9000, {"thinking": {"type": "adaptive"}, "output_config": {"effort": "xhigh"}}),
        (4096, 9000, {"thinking": {"type": "enabled", "budget_tokens": 4096}}),
        (1024, 1424, {"thinking": {"type": "enabled", "budget_tokens": 1024}}),
        (16000, 9000, {}),
        (1000, 9000, {}),
        (None, 9000, {}),
    ],
)
def test_effort_is_a_word_or_a_budget_below_the_limit_of_the_answer(
    told: str | int | None, most: int, sent: dict[str, object]
) -> None:
    asked = CompletionRequest("m", (Message("user", "x"),), Effort.HIGH, most, effort_as=told)
    body = json.loads(PROTOCOL.encode(asked).body)
    assert {name: body[name] for name in ("thinking", "output_config") if name in body} == sent


def test_a_stream_becomes_its_text_its_end_and_all_that_was_read() -> None:
    text, end = decoded(PROTOCOL, [PLAIN])
    assert (text, end.stop_reason, end.model, end.request_id) == ("Hello", "stop", "claude-x-1", "msg_1")
    assert end.usage == Usage(100, cached_input_tokens=90, output_tokens=9, cache_write_tokens=6)


def test_a_whole_body_is_taken_like_a_stream() -> None:
    body = {
        "type": "message",
        "id": "msg_1",
        "model": "claude-x-1",
        "content": [{"type": "thinking", "thinking": "hm", "signature": "s"}, {"type": "text", "text": "Hello"}],
        "stop_reason": "end_turn",
        "usage": {"input_tokens": 3, "output_tokens": 2, "output_tokens_details": {"thinking_tokens": 1}},
    }
    text, end = decoded(PROTOCOL, [json.dumps(body, indent=1).encode()])
    assert (text, end.stop_reason) == ("Hello", "stop")
    assert end.usage == Usage(input_tokens=3, output_tokens=2, reasoning_tokens=1)


@pytest.mark.parametrize(
    ("reason", "stop"),
    [
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("refusal", "content_filter"),
        ("content_filter", "content_filter"),
        ("pause_turn", "unknown"),
    ],
)
def test_every_end_has_its_reason(reason: str, stop: str) -> None:
    assert decoded(PROTOCOL, [sse(begins(), *words("x"), *ends(reason))])[1].stop_reason == stop


def test_calls_go_back_with_the_thinking_that_led_to_them() -> None:
    redacted = {"type": "redacted_thinking", "data": "b64"}
    use: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {}}
    pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in ("", '{"path":', '"a.py"}')]
    text, calls, end = heard(
        PROTOCOL,
        [sse(begins(), *block(0, redacted), *words("I look", index=1), *block(2, use, *pieces), *ends("tool_use"))],
    )
    assert (text, end.stop_reason) == ("I look", "tool_calls")
    assert [(call.id, call.name, call.arguments) for call in calls] == [("toolu_1", "read_file", '{"path":"a.py"}')]

    turns = (
        Message("user", "x"),
        Message("assistant", text, calls=tuple(calls)),
        Message("tool", "print(1)", answers=calls[0]),
        Message("user", "go on"),
    )
    asked = CompletionRequest("m", turns, Effort.LOW, tools=(TOOL,))
    body = json.loads(PROTOCOL.encode(asked).body)
    assert body["messages"] == [
        {"role": "user", "content": "x"},
        {
            "role": "assistant",
            "content": [
                redacted,
                {"type": "text", "text": "I look"},
                {"type": "tool_use", "id": "toolu_1", "name": "read_file", "input": {"path": "a.py"}},
            ],
        },
        {
            "role": "user",
            "content": [
                {"type": "tool_result", "tool_use_id": "toolu_1", "content": "print(1)"},
                {"type": "text", "text": "go on"},
            ],
        },
    ]
    assert body["tools"] == [{"name": "read_file", "description": "Reads.", "input_schema": dict(TOOL.parameters)}]


def test_results_in_a_row_share_one_turn() -> None:
    one, two = ToolCall("a", "read_file", "{}"), ToolCall("", "read_file", "no json")
    turns = (
        Message("assistant", "", calls=(one, two)),
        Message("tool", "1", answers=one),
        Message("tool", "2", answers=two),
    )
    called, results = json.loads(PROTOCOL.encode(CompletionRequest("m", turns, Effort.LOW)).body)["messages"]
    named = [use["id"] for use in called["content"]]
    assert [result["tool_use_id"] for result in results["content"]] == named
    assert len(set(named)) == 2


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        ("overloaded_error", Code.PROVIDER_UNAVAILABLE),
        ("rate_limit_error", Code.PROVIDER_RATE_LIMITED),
        ("authentication_error", Code.PROVIDER_AUTH),
        ("invalid_request_error", Code.PROVIDER_INVALID_REQUEST),
        ("timeout_error", Code.PROVIDER_TIMEOUT),
    ],
)
def test_an_error_inside_a_stream_is_an_error(kind: str, code: Code) -> None:
    body = sse(begins(), *words("x"), {"type": "error", "error": {"type": kind, "message": "no"}})
    with pytest.raises(ProviderError) as raised:
        decoded(PROTOCOL, [body])
    assert (raised.value.code, raised.value.sent) == (code, True)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        b'{"type":"list"}',
        b'{"type":"mess',
        sse(begins(), *words("x")),
        sse(begins(), *words("x"), {"type": "message_stop"}),
        sse(begins(), {"type": "content_block_delta", "index": 3, "delta": {"type": "input_json_delta"}}),
        b"data: {not json}\n\n",
    ],
)
def test_what_is_no_complete_answer_is_none(body: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        decoded(PROTOCOL, [body])
    assert raised.value.code is Code.PROVIDER_PROTOCOL


@pytest.mark.parametrize(
    ("status", "kind", "message", "code"),
    [
        (404, "not_found_error", "model: claude-sonet", Code.UNKNOWN_MODEL),
        (400, "invalid_request_error", "prompt is too long: 9 tokens", Code.CONTEXT_WINDOW_EXCEEDED),
        (413, "request_too_large", "", Code.CONTEXT_WINDOW_EXCEEDED),
        (529, "overloaded_error", "", Code.PROVIDER_UNAVAILABLE),
        (429, "rate_limit_error", "", Code.PROVIDER_RATE_LIMITED),
        (403, "permission_error", "", Code.PROVIDER_AUTH),
    ],
)
def test_refusals_have_the_codes_that_dispatch_knows(status: int, kind: str, message: str, code: Code) -> None:
    body = json.dumps({"type": "error", "error": {"type": kind, "message": message}}).encode()
    error = PROTOCOL.failure(status, {"retry-after": "7"}, body, now=0.0)
    assert (error.code, error.status, error.retry_after_s) == (code, status, 7.0)
