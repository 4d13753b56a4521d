"""Google's Gemini."""

import json
from typing import Any

import pytest
from decoding import a_request, decoded, heard

from smista_mcp.core.values import Effort
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Message, ToolSpec, Usage
from smista_mcp.providers.gemini import Gemini

PROTOCOL = Gemini()
TOOL = ToolSpec("read_file", "Reads.", {"type": "object", "properties": {}})
COUNTS = {"promptTokenCount": 20, "cachedContentTokenCount": 16, "candidatesTokenCount": 5, "thoughtsTokenCount": 4}


def chunk(*parts: dict[str, Any], finish: str | None = None, **members: object) -> dict[str, Any]:
    candidate: dict[str, Any] = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    if finish:
        candidate["finishReason"] = finish
    return {"candidates": [candidate], "modelVersion": "gemini-x-1", "responseId": "r1", **members}


def sse(*chunks: dict[str, Any]) -> bytes:
    return "".join(f"data: {json.dumps(one)}\r\n\r\n" for one in chunks).encode()


PLAIN = sse(
    chunk({"text": "hm", "thought": True}),
    chunk({"text": "Hel"}),
    chunk({"text": "lo"}, finish="STOP", usageMetadata=COUNTS),
)


def test_the_request_has_what_the_protocol_needs_and_nothing_else() -> None:
    wire = PROTOCOL.encode(a_request("héllo", model="gemini-x", max_output_tokens=500))
    assert json.loads(wire.body) == {
        "contents": [{"role": "user", "parts": [{"text": "héllo"}]}],
        "systemInstruction": {"parts": [{"text": "Be brief."}]},
        "generationConfig": {"maxOutputTokens": 500},
    }
    assert wire.path == "/v1beta/models/gemini-x:streamGenerateContent?alt=sse"
    assert "héllo".encode() in wire.body
    assert PROTOCOL.authorization("k") == {"x-goog-api-key": "k"}


@pytest.mark.parametrize(
    ("model", "path"),
    [
        ("models/gemini-x", "/v1beta/models/gemini-x:"),
        ("tunedModels/mine", "/v1beta/tunedModels/mine:"),
        ("a?b#c%2e", "/v1beta/models/a%3Fb%23c%252e:"),
    ],
)
def test_a_model_stays_in_its_place_of_the_address(model: str, path: str) -> None:
    assert PROTOCOL.encode(a_request(model=model)).path == f"{path}streamGenerateContent?alt=sse"


@pytest.mark.parametrize(("told", "sent"), [("low", {"thinkingLevel": "low"}), (0, {"thinkingBudget": 0})])
def test_effort_is_a_level_or_a_budget(told: str | int, sent: dict[str, object]) -> None:
    asked = CompletionRequest("m", (Message("user", "x"),), Effort.LOW, effort_as=told)
    assert json.loads(PROTOCOL.encode(asked).body)["generationConfig"] == {"thinkingConfig": sent}


def test_a_stream_becomes_its_text_its_end_and_its_usage() -> None:
    text, end = decoded(PROTOCOL, [PLAIN])
    assert (text, end.stop_reason, end.model, end.request_id) == ("Hello", "stop", "gemini-x-1", "r1")
    assert end.usage == Usage(input_tokens=20, cached_input_tokens=16, output_tokens=9, reasoning_tokens=4)


def test_a_whole_body_is_taken_like_a_stream() -> None:
    body = json.dumps(chunk({"text": "Hello"}, finish="STOP"), indent=1).encode()
    text, end = decoded(PROTOCOL, [body])
    assert (text, end.stop_reason) == ("Hello", "stop")


@pytest.mark.parametrize(
    ("finish", "stop"),
    [("MAX_TOKENS", "length"), ("SAFETY", "content_filter"), ("RECITATION", "content_filter"), ("OTHER", "unknown")],
)
def test_every_end_has_its_reason(finish: str, stop: str) -> None:
    assert decoded(PROTOCOL, [sse(chunk({"text": "x"}, finish=finish))])[1].stop_reason == stop


def test_thinking_that_takes_all_the_room_leaves_an_answer_without_a_text() -> None:
    counts = {"promptTokenCount": 15, "thoughtsTokenCount": 2, "totalTokenCount": 17}
    candidate = {"content": {"role": "model"}, "finishReason": "MAX_TOKENS", "index": 0}
    text, end = decoded(PROTOCOL, [json.dumps({"candidates": [candidate], "usageMetadata": counts}).encode()])
    assert (text, end.stop_reason) == ("", "length")
    assert end.usage == Usage(input_tokens=15, output_tokens=2, reasoning_tokens=2)


@pytest.mark.parametrize("body", [b"[", b"[1]", b"[]", b'[{"candidates": []}]', b'{"error": 1}]'])
def test_a_list_that_is_no_answer_is_none(body: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        decoded(PROTOCOL, [body])
    assert raised.value.code is Code.PROVIDER_PROTOCOL


def test_a_prompt_that_is_blocked_has_no_answer() -> None:
    text, end = decoded(PROTOCOL, [sse({"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": COUNTS})])
    assert (text, end.stop_reason) == ("", "content_filter")


def test_calls_go_back_with_the_signature_of_their_thought() -> None:
    call = {"functionCall": {"name": "read_file", "args": {"path": "a.py"}}, "thoughtSignature": "c2ln"}
    text, calls, end = heard(PROTOCOL, [sse(chunk(call), chunk({"text": ""}, finish="STOP"))])
    assert (text, end.stop_reason) == ("", "tool_calls")

    turns = (
        Message("user", "x"),
        Message("assistant", "", calls=tuple(calls)),
        Message("tool", "print(1)", answers=calls[0]),
    )
    body = json.loads(PROTOCOL.encode(CompletionRequest("m", turns, Effort.LOW, tools=(TOOL,))).body)
    assert body["contents"] == [
        {"role": "user", "parts": [{"text": "x"}]},
        {"role": "model", "parts": [call]},
        {
            "role": "user",
            "parts": [{"functionResponse": {"name": "read_file", "response": {"output": "print(1)"}}}],
        },
    ]
    assert body["tools"] == [
        {
            "functionDeclarations": [
                {"name": "read_file", "description": "Reads.", "parametersJsonSchema": dict(TOOL.parameters)}
            ]
        }
    ]


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>",
        sse(chunk({"text": "x"})),
        sse(chunk(finish="MALFORMED_FUNCTION_CALL")),
        b"data: {no}\n\n",
        json.dumps(chunk({"text": "x"})).encode(),
    ],
)
def test_what_is_no_complete_answer_is_none(body: bytes) -> None:
    with pytest.raises(ProviderError) as raised:
        decoded(PROTOCOL, [body])
    assert raised.value.code is Code.PROVIDER_PROTOCOL


def test_an_error_inside_a_stream_is_an_error() -> None:
    error = {"error": {"code": 503, "message": "overloaded", "status": "UNAVAILABLE"}}
    with pytest.raises(ProviderError) as raised:
        decoded(PROTOCOL, [sse(chunk({"text": "x"}), error)])
    assert raised.value.code is Code.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize("listed", [False, True])
def test_a_quota_says_when_to_come_back(*, listed: bool) -> None:
    details = [{"@type": "type.googleapis.com/google.rpc.RetryInfo", "retryDelay": "34.074824224s"}]
    error = {"error": {"code": 429, "message": "quota", "status": "RESOURCE_EXHAUSTED", "details": details}}
    body = json.dumps([error] if listed else error).encode()
    found = PROTOCOL.failure(429, {}, body, now=0.0)
    assert (found.code, found.retry_after_s) == (Code.PROVIDER_RATE_LIMITED, 34.074)


@pytest.mark.parametrize("model", ["..", "../../v1/x", "models/../x", "tunedModels/.", "a/../b"])
def test_a_models_name_leads_to_no_other_address(model: str) -> None:
    with pytest.raises(ProviderError) as raised:
        PROTOCOL.encode(a_request("hello", model=model))
    assert (raised.value.code, raised.value.sent) == (Code.UNKNOWN_MODEL, False)
    assert PROTOCOL.encode(a_request("hello", model="a..b")).path == "/v1beta/models/a..b:streamGenerateContent?alt=sse"
