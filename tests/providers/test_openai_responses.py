"""OpenAI's Responses."""

import json
from typing import Any

import pytest
from decoding import a_request, decoded, heard

from smista_mcp.core.values import Effort
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Message, ToolSpec, Usage
from smista_mcp.providers.openai_responses import OpenAiResponses

PROTOCOL = OpenAiResponses()
TOOL = ToolSpec("read_file", "Reads.", {"type": "object", "properties": {}})
USAGE = {
    "input_tokens": 20,
    "input_tokens_details": {"cached_tokens": 16},
    "output_tokens": 9,
    "output_tokens_details": {"reasoning_tokens": 4},
}


def sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in events).encode()


def delta(text: str) -> dict[str, Any]:
    return {"type": "response.output_text.delta", "delta": text}


def ended(status: str = "completed", **members: object) -> dict[str, Any]:
    response = {"object": "response", "id": "resp_1", "model": "gpt-x-1", "status": status, "usage": USAGE, **members}
    return {"type": f"response.{status}", "response": response}


def said(text: str, kind: str = "output_text") -> dict[str, Any]:
    part = {"type": kind, "text" if kind == "output_text" else "refusal": text}
    return {"type": "message", "content": [part]}


PLAIN = sse({"type": "response.created", "response": {}}, delta("Hel"), delta("lo"), ended(output=[said("Hello")]))


def test_the_request_asks_for_a_stream_that_nobody_stores() -> None:
    wire = PROTOCOL.encode(a_request("héllo", model="gpt-x", max_output_tokens=5))
    assert json.loads(wire.body) == {
        "model": "gpt-x",
        "input": [{"role": "user", "content": "héllo"}],
        "stream": True,
        "store": False,
        "instructions": "Be brief.",
        "max_output_tokens": 16,
    }
    assert wire.path == "/responses"
    assert "héllo".encode() in wire.body
    assert PROTOCOL.authorization("k") == {"authorization": "Bearer k"}


def test_a_stream_becomes_its_text_its_end_and_its_usage() -> None:
    text, end = decoded(PROTOCOL, [PLAIN])
    assert (text, end.stop_reason, end.model, end.request_id) == ("Hello", "stop", "gpt-x-1", "resp_1")
    assert end.usage == Usage(input_tokens=20, cached_input_tokens=16, output_tokens=9, reasoning_tokens=4)


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(ended(output=[said("Hello")])["response"]).encode(),
        sse(ended(output=[{"type": "reasoning"}, said("Hello")])),
    ],
)
def test_the_text_at_the_end_counts_where_none_was_streamed(body: bytes) -> None:
    text, end = decoded(PROTOCOL, [body])
    assert (text, end.stop_reason) == ("Hello", "stop")


@pytest.mark.parametrize(
    ("details", "stop"),
    [
        ({"reason": "max_output_tokens"}, "length"),
        ({"reason": "content_filter"}, "content_filter"),
        ({"reason": "new"}, "length"),
        (None, "length"),
    ],
)
def test_an_answer_that_was_cut_is_never_called_complete(details: dict[str, str] | None, stop: str) -> None:
    body = sse(delta("Hel"), ended("incomplete", incomplete_details=details))
    text, end = decoded(PROTOCOL, [body])
    assert (text, end.stop_reason) == ("Hel", stop)


def test_an_answer_that_fills_its_limit_was_cut_there_whatever_its_server_calls_it() -> None:
    usage = {**USAGE, "output_tokens": 50}
    body = sse(delta("Hello"), ended(output=[said("Hello")], usage=usage))
    assert [decoded(PROTOCOL, [body], a_request(max_output_tokens=most))[1].stop_reason for most in (50, 51)] == [
        "length",
        "stop",
    ]


@pytest.mark.parametrize(
    "body",
    [
        sse({"type": "response.refusal.delta", "delta": "I cannot"}, ended(output=[said("I cannot", "refusal")])),
        json.dumps(ended(output=[said("I cannot", "refusal")])["response"]).encode(),
    ],
)
def test_a_refusal_is_told_apart(body: bytes) -> None:
    text, end = decoded(PROTOCOL, [body])
    assert (text, end.stop_reason) == ("I cannot", "content_filter")


def test_calls_go_back_with_the_reasoning_that_led_to_them() -> None:
    reasoning: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "gAAA"}
    call = {"type": "function_call", "call_id": "call_1", "name": "read_file", "arguments": '{"path":"a.py"}'}
    items = [{"type": "response.output_item.done", "item": item} for item in ({**reasoning, "status": None}, call)]
    text, calls, end = heard(PROTOCOL, [sse(*items, ended(output=[reasoning, call]))])
    assert (text, end.stop_reason) == ("", "tool_calls")
    assert [(one.id, one.name, one.arguments) for one in calls] == [("call_1", "read_file", '{"path":"a.py"}')]

    turns = (
        Message("user", "x"),
        Message("assistant", "", calls=tuple(calls)),
        Message("tool", "print(1)", answers=calls[0]),
    )
    asked = CompletionRequest("m", turns, Effort.HIGH, tools=(TOOL,), effort_as="high")
    body = json.loads(PROTOCOL.encode(asked).body)
    assert body["input"] == [
        {"role": "user", "content": "x"},
        reasoning,
        call,
        {"type": "function_call_output", "call_id": "call_1", "output": "print(1)"},
    ]
    assert (body["reasoning"], body["include"]) == ({"effort": "high"}, ["reasoning.encrypted_content"])
    assert [tool["name"] for tool in body["tools"]] == ["read_file"]


@pytest.mark.parametrize(
    ("event", "code"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "slow"}, Code.PROVIDER_RATE_LIMITED),
        (ended("failed", error={"code": "server_error", "message": "oops"}), Code.PROVIDER_UNAVAILABLE),
        (ended("completed", error={"code": "context_length_exceeded", "message": ""}), Code.CONTEXT_WINDOW_EXCEEDED),
        ({"type": "error", "error": {"type": "invalid_request_error"}}, Code.PROVIDER_INVALID_REQUEST),
    ],
)
def test_an_error_inside_a_stream_is_an_error(event: dict[str, Any], code: Code) -> None:
    with pytest.raises(ProviderError) as raised:
        decoded(PROTOCOL, [sse(delta("x"), event)])
    assert (raised.value.code, raised.value.sent) == (code, True)


@pytest.mark.parametrize("body", [b"", b"<html>", b'{"object":"list"}', b'{"obj', sse(delta("x")), b"data: {no}\n\n"])
def test_what_is_no_complete_answer_is_none(body: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        decoded(PROTOCOL, [body])
    assert raised.value.code is Code.PROVIDER_PROTOCOL


def test_a_refused_request_has_a_code() -> None:
    body = json.dumps({"error": {"code": "model_not_found", "message": "no"}}).encode()
    assert PROTOCOL.failure(404, {}, body, now=0.0).code is Code.UNKNOWN_MODEL
