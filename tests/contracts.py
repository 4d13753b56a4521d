"""Protocols with what was recorded of them, for the laws of the contract: ours, and one of somebody else's."""

import json
from collections.abc import Sequence
from typing import Any

from plugins import parley

from smista_mcp.core.vendors import VENDORS
from smista_mcp.dispatch.connections import PROTOCOLS
from smista_mcp.errors import Code
from smista_mcp.providers.base import INTERFACE, Usage, WireProtocol
from smista_mcp.providers.contract import Answer, Contract, Failure
from smista_mcp.providers.openai_compat import OpenAiCompat

ARGUMENTS = '{"path":"src/a.py"}'
REFUSALS = (
    Failure(429, b'{"error": {"message": "slow down"}}', Code.PROVIDER_RATE_LIMITED, (("retry-after", "7"),), 7.0),
    Failure(529, b"", Code.PROVIDER_UNAVAILABLE),
    Failure(504, b"", Code.PROVIDER_TIMEOUT),
    Failure(400, b'{"error": {"message": "bad"}}', Code.PROVIDER_INVALID_REQUEST),
)


def sse(*events: Any, done: bool = False, line_end: str = "\n") -> bytes:
    said = [f"data: {json.dumps(event)}" for event in events] + (["data: [DONE]"] if done else [])
    return "".join(f"{line}{line_end * 2}" for line in said).encode()


def lines(*events: Any) -> bytes:
    return b"".join(json.dumps(event).encode() + b"\n" for event in events)


# ------------------------------------------------------------------------------------------------- chat completions


def chunk(finish: str | None = None, **delta: Any) -> dict[str, Any]:
    return {"id": "c1", "model": "m", "choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}


COUNTED: dict[str, Any] = {
    "choices": [],
    "usage": {
        "prompt_tokens": 20,
        "completion_tokens": 9,
        "total_tokens": 29,
        "prompt_tokens_details": {"cached_tokens": 16},
        "completion_tokens_details": {"reasoning_tokens": 4},
    },
}
CALL = {"index": 0, "id": "x", "type": "function", "function": {"name": "read_file", "arguments": ARGUMENTS[:9]}}
MORE = {"index": 0, "function": {"arguments": ARGUMENTS[9:]}}
CHAT = (
    Answer(
        "streamed",
        sse(chunk(role="assistant"), chunk(content="Hé"), chunk(content="llo"), chunk("stop"), COUNTED, done=True),
        "Héllo",
        usage=Usage(20, 16, 9, 4),
    ),
    Answer(
        "a call behind thoughts",
        sse(
            chunk(reasoning_content="I look"),
            chunk(content="So: "),
            chunk(tool_calls=[CALL]),
            chunk(tool_calls=[MORE]),
            chunk("tool_calls"),
            done=True,
        ),
        "So: ",
        (("read_file", ARGUMENTS),),
        "tool_calls",
    ),
    Answer(
        "whole",
        json.dumps({"choices": [{"message": {"content": "Hello"}, "finish_reason": "length"}]}, indent=1).encode(),
        "Hello",
        stop="length",
    ),
    Answer("broken off", sse(chunk(content="Hel"), {"error": {"code": 429}}), code=Code.PROVIDER_RATE_LIMITED),
)

# -------------------------------------------------------------------------------------------------------- Anthropic

STARTED = {"type": "message_start", "message": {"id": "m1", "model": "c", "usage": {"input_tokens": 9}}}
STOPPED = (
    {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"output_tokens": 5}},
    {"type": "message_stop"},
)


def block(index: int, start: dict[str, Any], *deltas: dict[str, Any]) -> list[dict[str, Any]]:
    return [
        {"type": "content_block_start", "index": index, "content_block": start},
        *({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": index},
    ]


MESSAGES = (
    Answer(
        "streamed",
        sse(
            STARTED,
            *block(
                0,
                {"type": "text", "text": ""},
                {"type": "text_delta", "text": "Hé"},
                {"type": "text_delta", "text": "llo"},
            ),
            *STOPPED,
        ),
        "Héllo",
        usage=Usage(9, None, 5),
    ),
    Answer(
        "a call behind signed thoughts",
        sse(
            STARTED,
            *block(
                0,
                {"type": "thinking", "thinking": ""},
                {"type": "thinking_delta", "thinking": "I look"},
                {"type": "signature_delta", "signature": "c2ln"},
            ),
            *block(
                1,
                {"type": "tool_use", "id": "t1", "name": "read_file", "input": {}},
                {"type": "input_json_delta", "partial_json": ARGUMENTS[:9]},
                {"type": "input_json_delta", "partial_json": ARGUMENTS[9:]},
            ),
            {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
            {"type": "message_stop"},
        ),
        calls=(("read_file", ARGUMENTS),),
        stop="tool_calls",
    ),
    Answer(
        "whole",
        json.dumps(
            {"type": "message", "content": [{"type": "text", "text": "Hello"}], "stop_reason": "refusal"}
        ).encode(),
        "Hello",
        stop="content_filter",
    ),
    Answer(
        "overloaded",
        sse(STARTED, {"type": "error", "error": {"type": "overloaded_error", "message": "x"}}),
        code=Code.PROVIDER_UNAVAILABLE,
    ),
)

# ------------------------------------------------------------------------------------------------- OpenAI Responses

REASONED: dict[str, Any] = {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Z0FB"}
WANTED = {"type": "function_call", "call_id": "x", "name": "read_file", "arguments": ARGUMENTS}


def response(*output: Any, **members: Any) -> dict[str, Any]:
    return {"object": "response", "id": "r1", "model": "g", "status": "completed", "output": list(output), **members}


RESPONSES = (
    Answer(
        "streamed",
        sse(
            {"type": "response.created"},
            {"type": "response.output_text.delta", "delta": "Hé"},
            {"type": "response.output_text.delta", "delta": "llo"},
            {
                "type": "response.completed",
                "response": response(
                    usage={
                        "input_tokens": 20,
                        "input_tokens_details": {"cached_tokens": 16},
                        "output_tokens": 9,
                        "output_tokens_details": {"reasoning_tokens": 4},
                    }
                ),
            },
        ),
        "Héllo",
        usage=Usage(20, 16, 9, 4),
    ),
    Answer(
        "a call behind sealed thoughts",
        sse(
            {"type": "response.output_item.done", "item": REASONED},
            {"type": "response.output_item.done", "item": WANTED},
            {"type": "response.completed", "response": response(REASONED, WANTED)},
        ),
        calls=(("read_file", ARGUMENTS),),
        stop="tool_calls",
    ),
    Answer(
        "whole and cut",
        json.dumps(
            response(
                {"type": "message", "content": [{"type": "output_text", "text": "Hello"}]},
                status="incomplete",
                incomplete_details={"reason": "max_output_tokens"},
            )
        ).encode(),
        "Hello",
        stop="length",
    ),
    Answer(
        "failed",
        sse({"type": "response.failed", "response": {"error": {"code": "server_error", "message": "x"}}}),
        code=Code.PROVIDER_UNAVAILABLE,
    ),
)

# ----------------------------------------------------------------------------------------------------------- Gemini


def said(*parts: Any, **members: Any) -> dict[str, Any]:
    return {"candidates": [{"content": {"parts": list(parts)}, **members}], "modelVersion": "g"}


GENERATED = (
    Answer(
        "streamed",
        sse(
            said({"text": "I think", "thought": True}),
            said({"text": "Hé"}),
            {
                **said({"text": "llo"}, finishReason="STOP"),
                "usageMetadata": {
                    "promptTokenCount": 20,
                    "cachedContentTokenCount": 16,
                    "candidatesTokenCount": 5,
                    "thoughtsTokenCount": 4,
                },
            },
        ),
        "Héllo",
        usage=Usage(20, 16, 9, 4),
    ),
    Answer(
        "a signed call",
        sse(
            said(
                {"functionCall": {"name": "read_file", "args": {"path": "src/a.py"}}, "thoughtSignature": "c2ln"},
                finishReason="STOP",
            )
        ),
        calls=(("read_file", ARGUMENTS),),
        stop="tool_calls",
    ),
    Answer("whole", json.dumps(said({"text": "Hello"}, finishReason="MAX_TOKENS")).encode(), "Hello", stop="length"),
    Answer("an error", sse({"error": {"code": 503, "status": "UNAVAILABLE"}}), code=Code.PROVIDER_UNAVAILABLE),
)

# ----------------------------------------------------------------------------------------------------------- Ollama

OLLAMA = (
    Answer(
        "streamed",
        lines(
            {"model": "q", "message": {"content": "Hé"}},
            {"model": "q", "message": {"content": "llo"}},
            {"model": "q", "message": {"content": ""}, "done": True, "done_reason": "stop", "eval_count": 9},
        ),
        "Héllo",
        usage=Usage(output_tokens=9),
    ),
    Answer(
        "a call",
        lines(
            {"message": {"tool_calls": [{"function": {"name": "read_file", "arguments": {"path": "src/a.py"}}}]}},
            {"message": {"content": ""}, "done": True, "done_reason": "stop"},
        ),
        calls=(("read_file", ARGUMENTS),),
        stop="tool_calls",
    ),
    Answer("gone", lines({"error": "model not found"}), code=Code.UNKNOWN_MODEL),
)

# ----------------------------------------------------------------------------------------------------------- Parley

PARLEY = (
    Answer(
        "streamed",
        lines({"say": "Hé"}, {"say": "llo"}, {"bye": "done", "spent": {"in": 20, "kept": 16, "out": 9, "mused": 4}}),
        "Héllo",
        usage=Usage(20, 16, 9, 4),
    ),
    Answer(
        "a call",
        lines({"want": {"id": "w", "do": "read_file", "with": {"path": "src/a.py"}}}, {"bye": "wants"}),
        calls=(("read_file", ARGUMENTS),),
        stop="tool_calls",
    ),
    Answer("busy", lines({"say": "He"}, {"oops": "busy", "why": "x"}), code=Code.PROVIDER_RATE_LIMITED),
)
PARLEYS_REFUSALS = (Failure(418, b'{"oops": "full-up"}', Code.PROVIDER_RATE_LIMITED, (), 3.0), *REFUSALS)


def offered(protocol: WireProtocol) -> Any:
    """One of ours as a distribution would offer it."""

    made: Any = type("Offered", (type(protocol),), {"__slots__": (), "interface": INTERFACE})
    members = {name: getattr(protocol, name) for name in getattr(protocol, "__dataclass_fields__", {})}
    return made(**members)


def contract(kind: str, answers: Sequence[Answer], *efforts: str | int, model: str = "m1") -> Contract:
    return Contract(offered(PROTOCOLS[kind]), answers, REFUSALS, efforts, model)


WORDS = ("low", "medium", "high", "xhigh")
CONTRACTS = {
    "anthropic": contract("anthropic", MESSAGES, *WORDS, 1024, 32_768),
    "openai": contract("openai", RESPONSES, *WORDS),
    "gemini": contract("gemini", GENERATED, "low", "medium", "high", 1024, 24_576),
    "ollama": contract("ollama", OLLAMA, "low", "medium", "high"),
    "openai-compat": contract("openai-compat", CHAT, *WORDS, "none", "max"),
    "llamacpp": contract("llamacpp", CHAT),
    **{
        name: Contract(offered(OpenAiCompat(vendor=row)), CHAT, REFUSALS, WORDS)
        for name, row in VENDORS.items()
        if row.effort != ("reasoning_effort",) or not row.counts or row.carries or row.most != "max_tokens"
    },
    "parley": Contract(parley.PROTOCOL, PARLEY, PARLEYS_REFUSALS, ("calm", "keen")),
}
