"""Everything that is injected, as a table: what a server does, in the words of each protocol, and what must follow."""

import json
from typing import Any

from answer_faults import ANSWERS
from answers_said import Protocol, sse
from fault_rows import AUTH, BUSY, EMPTY, INVALID, NO_MODEL, PROTOCOL, TIMEOUT, UNAVAILABLE, WINDOW, Fault
from scripted_server import Step, answer
from transport_faults import TRANSPORT

from smista_mcp.errors import Code


def _status(protocol: Protocol, status: int, code: Code, word: str, body: Any, **more: bool) -> Fault:
    told = body if isinstance(body, str) else json.dumps(body)
    script = answer(told.encode(), status=f"{status} x", headers=["Retry-After: 0"] if more.get("again") else [])
    return Fault(f"{protocol} {status} {word}".strip(), protocol, script, code, at="status", **more)


def _openai(protocol: Protocol, status: int, code: Code, word: str = "", **more: bool) -> Fault:
    return _status(protocol, status, code, word, {"error": {"code": word, "message": "no", "type": "error"}}, **more)


def _anthropic(
    status: int,
    code: Code,
    word: str,
    *,
    message: str = "no",
    again: bool = False,
    charged: bool = False,
    stop: bool = False,
) -> Fault:
    body = {"error": {"type": word, "message": message}, "type": "error"}
    return _status("anthropic", status, code, f"{word} {message}", body, again=again, charged=charged, next=not stop)


def _gemini(status: int, code: Code, word: str, **more: bool) -> Fault:
    return _status("gemini", status, code, word, {"error": {"status": word, "code": status, "message": "no"}}, **more)


def _ollama(status: int, code: Code, message: str, **more: bool) -> Fault:
    return _status("ollama", status, code, message, {"error": message}, **more)


STOP: dict[str, bool] = {"next": False}
AGAIN: dict[str, bool] = {"again": True}
MAYBE: dict[str, bool] = {"charged": True}
_STATUSES = (
    _openai("chat", 400, INVALID, "invalid_request_error", **STOP),
    _openai("chat", 400, WINDOW, "context_length_exceeded"),
    _openai("chat", 400, PROTOCOL, "tool_use_failed"),
    _openai("chat", 401, AUTH, "invalid_api_key", **STOP),
    _openai("chat", 402, BUSY, "insufficient_balance"),
    _openai("chat", 403, AUTH, "permission_denied", **STOP),
    _openai("chat", 404, NO_MODEL, "model_not_found"),
    _openai("chat", 404, INVALID, "", **STOP),
    _openai("chat", 405, INVALID, "", **STOP),
    _openai("chat", 408, TIMEOUT, "", **AGAIN),
    _openai("chat", 407, INVALID, "", **STOP),
    _openai("chat", 409, INVALID, "", **STOP),
    _openai("chat", 410, INVALID, "", **STOP),
    _openai("chat", 413, WINDOW),
    _openai("chat", 415, INVALID, "", **STOP),
    _openai("chat", 422, INVALID, "", **STOP),
    _openai("chat", 424, INVALID, "", **STOP),
    _openai("chat", 429, BUSY, "rate_limit_exceeded", **AGAIN),
    _openai("chat", 429, BUSY, "slow_down", **AGAIN),
    _openai("chat", 429, BUSY, "insufficient_quota"),
    _openai("chat", 429, BUSY, "credit_balance_exhausted"),
    _openai("chat", 429, BUSY, "organization_spend_limit_exceeded"),
    _openai("chat", 429, BUSY, "project_spend_limit_exceeded"),
    _openai("chat", 429, BUSY, "organization_usage_limit_exceeded"),
    _openai("chat", 451, INVALID, "", **STOP),
    _openai("chat", 498, UNAVAILABLE, "capacity_exceeded", **AGAIN),
    _openai("chat", 499, INVALID, "", **STOP),
    _openai("chat", 400, INVALID, "content_filter", **STOP),
    _status("chat", 403, INVALID, "flagged", {"error": {"code": 403, "metadata": {"flagged_input": "x"}}}, **STOP),
    _status("chat", 400, BUSY, "no credits", {"error": {"message": "Insufficient credits"}}),
    _openai("chat", 500, UNAVAILABLE, "server_error", **AGAIN),
    _openai("chat", 502, UNAVAILABLE, "", **AGAIN),
    _openai("chat", 503, UNAVAILABLE, "service_unavailable", **AGAIN),
    _openai("chat", 504, TIMEOUT, "", **MAYBE),
    _openai("chat", 520, UNAVAILABLE, "", **AGAIN),
    *(_openai("chat", status, UNAVAILABLE, "", **AGAIN) for status in (501, 507, 521, 522, 523, 525, 526, 530)),
    _openai("chat", 524, TIMEOUT, "", **MAYBE),
    _openai("chat", 529, UNAVAILABLE, "", **AGAIN),
    _status("chat", 503, UNAVAILABLE, "a page", "<html>busy</html>", **AGAIN),
    _status("chat", 500, UNAVAILABLE, "a huge body", "x" * 1_000_000, **AGAIN),
    _openai("responses", 400, INVALID, "invalid_prompt", **STOP),
    _openai("responses", 401, AUTH, "invalid_api_key", **STOP),
    _openai("responses", 403, AUTH, "unsupported_country_region_territory", **STOP),
    _openai("responses", 404, NO_MODEL, "model_not_found"),
    _openai("responses", 429, BUSY, "rate_limit_exceeded", **AGAIN),
    _openai("responses", 429, BUSY, "insufficient_quota"),
    _openai("responses", 500, UNAVAILABLE, "server_error", **AGAIN),
    _openai("responses", 503, UNAVAILABLE, "slow_down", **AGAIN),
    _anthropic(400, INVALID, "invalid_request_error", stop=True),
    _anthropic(400, WINDOW, "invalid_request_error", message="prompt is too long: 9 tokens > 8 maximum"),
    _anthropic(400, BUSY, "invalid_request_error", message="Your credit balance is too low to access the API"),
    _anthropic(400, BUSY, "invalid_request_error", message="You have reached your specified API usage limits"),
    _anthropic(401, AUTH, "authentication_error", stop=True),
    _anthropic(402, BUSY, "billing_error"),
    _anthropic(403, AUTH, "permission_error", stop=True),
    _anthropic(404, NO_MODEL, "not_found_error", message="model: claude-none"),
    _anthropic(409, INVALID, "conflict_error", stop=True),
    _anthropic(413, WINDOW, "request_too_large"),
    _anthropic(429, BUSY, "rate_limit_error", again=True),
    _anthropic(429, BUSY, "enforced_spend_limit_reached"),
    _anthropic(500, UNAVAILABLE, "api_error", again=True),
    _anthropic(504, TIMEOUT, "timeout_error", charged=True),
    _anthropic(529, UNAVAILABLE, "overloaded_error", again=True),
    _gemini(400, INVALID, "INVALID_ARGUMENT", **STOP),
    _gemini(400, INVALID, "FAILED_PRECONDITION", **STOP),
    _status("gemini", 400, AUTH, "a wrong key", {"error": {"details": [{"reason": "API_KEY_INVALID"}]}}, **STOP),
    _gemini(401, AUTH, "UNAUTHENTICATED", **STOP),
    _gemini(402, BUSY, "RESOURCE_EXHAUSTED"),
    _gemini(403, AUTH, "PERMISSION_DENIED", **STOP),
    _gemini(404, INVALID, "NOT_FOUND", **STOP),
    _gemini(429, BUSY, "RESOURCE_EXHAUSTED", **AGAIN),
    _gemini(499, INVALID, "CANCELLED", **STOP),
    _gemini(500, UNAVAILABLE, "INTERNAL", **AGAIN),
    _gemini(503, UNAVAILABLE, "UNAVAILABLE", **AGAIN),
    _gemini(504, TIMEOUT, "DEADLINE_EXCEEDED", **MAYBE),
    _ollama(400, INVALID, "invalid options", **STOP),
    _ollama(401, AUTH, "unauthorized", **STOP),
    _ollama(402, BUSY, "requires a subscription"),
    _ollama(404, NO_MODEL, "model 'm' not found"),
    _ollama(413, WINDOW, "too large"),
    _ollama(429, BUSY, "too many requests", **AGAIN),
    _ollama(500, UNAVAILABLE, "llama runner process has terminated", **AGAIN),
    _ollama(502, UNAVAILABLE, "upstream", **AGAIN),
    _ollama(503, UNAVAILABLE, "server busy, please try again", **AGAIN),
)
"""What providers document of refusals, each in its own words."""


def _asks_to_wait(name: str, status: int, *headers: str, code: Code = BUSY, again: bool = True) -> Fault:
    script = answer(b'{"error": {"message": "no"}}', status=f"{status} x", headers=headers)
    return Fault(f"chat {status}, {name}", "chat", script, code, again=again, at="status")


_PAST, _FAR = "Mon, 06 Nov 2023 08:49:37 GMT", "Fri, 31 Dec 2199 23:59:59 GMT"
WAITS = (
    _asks_to_wait("wait 0 s", 429, "Retry-After: 0"),
    _asks_to_wait("wait 10 ms", 429, "retry-after-ms: 10"),
    _asks_to_wait("wait until a time that is over", 429, f"Retry-After: {_PAST}"),
    _asks_to_wait("wait until a time by its own clock", 503, f"Retry-After: {_FAR}", f"Date: {_FAR}", code=UNAVAILABLE),
    _asks_to_wait("wait longer than we may", 429, "Retry-After: 86400", again=False),
    _asks_to_wait("wait until long after", 429, f"Retry-After: {_FAR}", again=False),
    _asks_to_wait("wait nonsense", 429, "Retry-After: soon"),
    _asks_to_wait("wait less than nothing", 429, "Retry-After: -5"),
    _asks_to_wait("wait, the account is in use", 402, "Retry-After: 0"),
)
"""How long they ask us to wait."""
STATUSES = (*_STATUSES, *WAITS)

HEAD = answer(b"x")[0]
_PIECE = {"choices": [{"index": 0, "delta": {"content": "half an ans"}}]}
_END: Any = ({"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}, b"[DONE]")


def _ended_for(reason: str) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {}, "finish_reason": reason}]}


_USED: Any = {"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 5}}
_BEGUN = {"message": {"content": "half"}, "done": False}


def _chat(
    name: str,
    *pieces: bytes,
    code: Code | None = PROTOCOL,
    charged: bool = True,
    counted: bool = False,
    next: bool = True,  # noqa: A002  as in a row
    doubtful: bool = False,
) -> Fault:
    sure = charged and code is not None
    return Fault(name, "chat", answer(*pieces), code, charged=sure, counted=counted, next=next, doubtful=doubtful)


def _stop(protocol: Protocol, name: str, *pieces: bytes, code: Code = PROTOCOL, charged: bool = True) -> Fault:
    return Fault(f"{protocol}: {name}", protocol, answer(*pieces), code, charged=charged)


def _doubtful(protocol: Protocol, name: str, *pieces: bytes) -> Fault:
    return Fault(f"{protocol}: {name}", protocol, answer(*pieces), None, doubtful=True, counted=protocol != "ollama")


def _count(kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": kind, "usage": {"input_tokens": 40, "output_tokens": 5}, **fields}


def _block(index: int, kind: str, **fields: Any) -> dict[str, Any]:
    return {"type": "content_block_start", "index": index, "content_block": {"type": kind, **fields}}


_MESSAGE = {"type": "message_start", "message": {"usage": {"input_tokens": 40}}}
_MESSAGE_STOP = {"type": "message_stop"}


def _gives(text: str, reason: str) -> dict[str, Any]:
    told = {"promptTokenCount": 40, "candidatesTokenCount": 5}
    candidate = {"content": {"parts": [{"text": text}]}, "finishReason": reason}
    return {"candidates": [candidate], "usageMetadata": told}


def _response(status: str | None) -> bytes:
    """A whole response that has a text, although it is in the middle of it."""
    item = {"type": "message", "status": "incomplete", "content": [{"type": "output_text", "text": "half an ans"}]}
    told = {"object": "response", "status": status, "output": [item], "usage": {"input_tokens": 40, "output_tokens": 5}}
    return json.dumps({name: value for name, value in told.items() if value is not None}).encode()


def _unfinished(status: str | None) -> Fault:
    name = f"responses, whole: {status or 'no status'}"
    return Fault(name, "responses", answer(_response(status)), PROTOCOL, charged=True, at="whole")


_KEEP = b": keep-alive\n\n"
STREAMS = (
    Fault("slow headers", "chat", [Step.STALL], TIMEOUT, charged=True),
    Fault("slow first byte", "chat", [HEAD, Step.STALL], TIMEOUT, charged=True),
    Fault("slow body", "chat", [*answer(sse(_PIECE))[:2], Step.STALL], TIMEOUT, charged=True),
    Fault("silence behind comments", "chat", [*answer(_KEEP * 3)[:2], Step.STALL], TIMEOUT, charged=True),
    Fault("reset before the headers", "chat", [Step.RESET], PROTOCOL, charged=True),
    Fault("reset before the first token", "chat", [HEAD, Step.RESET], PROTOCOL, charged=True),
    Fault("reset after the first token", "chat", [*answer(sse(_PIECE))[:2], Step.RESET], PROTOCOL, charged=True),
    Fault("no HTTP at all", "chat", [b"garbage\r\n\r\n"], PROTOCOL, charged=True),
    Fault("a chunk that lies", "chat", [HEAD, b"fffff\r\nhalf"], PROTOCOL, charged=True),
    _chat("no body"),
    _chat("no terminal event", sse(_PIECE)),
    _chat("an end without a reason", sse(_PIECE, b"[DONE]"), code=None, doubtful=True),
    _chat("an end for a new reason", sse(_PIECE, _ended_for("weary"), b"[DONE]"), code=None, doubtful=True),
    _chat("an end for a call, without a call", sse(_PIECE, _ended_for("tool_calls")), code=None, doubtful=True),
    _chat("whole JSON, cut", b'{"choices": [{"message": {"conte'),
    _chat("an event that is no JSON", sse(_PIECE, b'{"choices": [{')),
    _chat("an event that is a list", sse(_PIECE, [1, 2])),
    _chat("bytes that are no UTF-8", sse(b'{"choices": [{"delta": {"content": "\xff\xfe"}}]}')),
    _chat("a page in place of an answer", b"<html><body>log in</body></html>"),
    _chat("a line without an end", b"data: " + b"x" * 4_300_000),
    _chat("an error inside", sse(_PIECE, {"error": {"message": "no", "type": "server_error"}}), code=UNAVAILABLE),
    _chat("too busy inside", sse(_PIECE, {"error": {"type": "rate_limit_error", "message": "no"}}), code=BUSY),
    _chat("a wrong request inside", sse({"error": {"type": "invalid_request_error"}}), code=INVALID, next=False),
    _chat("nothing answered", sse(*_END), code=EMPTY),
    _chat(
        "nothing answered, and counted",
        sse(_END[0], _USED, _END[1]),
        code=EMPTY,
        charged=False,
        counted=True,
    ),
    _chat(
        "blank",
        sse({"choices": [{"delta": {"content": " \n"}}]}, _END[0], _USED, _END[1]),
        code=EMPTY,
        charged=False,
        counted=True,
    ),
    _chat("only thought", sse({"choices": [{"delta": {"reasoning_content": "hm"}}]}, *_END), code=EMPTY),
    _chat("length, and nothing", sse({"choices": [{"delta": {}, "finish_reason": "length"}]}, b"[DONE]"), code=EMPTY),
    _chat("declined", sse({"choices": [{"delta": {}, "finish_reason": "content_filter"}]}), code=INVALID, next=False),
    _chat("comments before and between", _KEEP * 50, sse(_PIECE), _KEEP, sse(*_END), code=None),
    _chat("an answer without an end", sse(*[{"choices": [{"delta": {"content": "x" * 9000}}]}] * 20), code=None),
    Fault("compressed", "chat", answer(b"\x1f\x8b\x08\0", headers=["Content-Encoding: gzip"]), PROTOCOL, charged=True),
    Fault("moved", "chat", answer(b"", status="307 x", headers=["Location: /v1/elsewhere"]), PROTOCOL),
    Fault("moved for ever", "chat", answer(b"", status="301 x", headers=["Location: http://127.0.0.1:1/"]), PROTOCOL),
    _stop("responses", "no terminal event", sse({"type": "response.output_text.delta", "delta": "half"})),
    _stop(
        "responses",
        "failed",
        sse({"type": "response.failed", "response": {"error": {"code": "server_error"}}}),
        code=UNAVAILABLE,
    ),
    _stop(
        "responses",
        "completed, and still in progress",
        sse({"type": "response.output_text.delta", "delta": "half"})
        + sse({"type": "response.completed", "response": json.loads(_response("in_progress"))}),
    ),
    *map(_unfinished, ("in_progress", "queued", "cancelled", None)),
    _stop("responses", "no JSON", sse({"type": "response.created"}, b"{")),
    _stop("anthropic", "no terminal event", sse({"type": "message_start", "message": {}})),
    _stop(
        "anthropic",
        "overloaded inside",
        sse({"type": "error", "error": {"type": "overloaded_error"}}),
        code=UNAVAILABLE,
    ),
    _stop(
        "anthropic",
        "a reason to end, and no end",
        sse(_MESSAGE, _block(0, "text", text="half"), _count("message_delta", delta={"stop_reason": "end_turn"})),
    ),
    _stop(
        "anthropic",
        "ended inside a call",
        sse(_MESSAGE, _block(0, "text", text="I look"), _block(1, "tool_use", id="t", name="read_file", input={}))
        + sse(_count("message_delta", delta={"stop_reason": "tool_use"}), _MESSAGE_STOP),
    ),
    _doubtful(
        "anthropic",
        "paused",
        sse(_MESSAGE, _block(0, "text", text="half"), {"type": "content_block_stop", "index": 0})
        + sse(_count("message_delta", delta={"stop_reason": "pause_turn"}), _MESSAGE_STOP),
    ),
    _stop("anthropic", "no JSON", sse({"type": "message_start", "message": {}}, b"{")),
    _stop("gemini", "no end", sse({"candidates": [{"content": {"parts": [{"text": "half"}]}}]})),
    _stop("gemini", "error inside", sse({"error": {"code": 503, "status": "UNAVAILABLE"}}), code=UNAVAILABLE),
    _stop("gemini", "no JSON", sse(b"{")),
    *(
        _doubtful("gemini", reason, sse(_gives("half", reason)))
        for reason in ("OTHER", "TOO_MANY_TOOL_CALLS", "MISSING_THOUGHT_SIGNATURE")
    ),
    _doubtful(
        "ollama",
        "unloaded",
        *(json.dumps(line).encode() + b"\n" for line in (_BEGUN, {"done": True, "done_reason": "unload"})),
    ),
    _stop("ollama", "no end", json.dumps(_BEGUN).encode() + b"\n", charged=False),
    _stop(
        "ollama",
        "error inside",
        json.dumps(_BEGUN).encode() + b'\n{"error": "out of memory"}\n',
        code=UNAVAILABLE,
        charged=False,
    ),
    _stop("ollama", "no JSON", b"half\n", charged=False),
)
"""What goes wrong behind a status of 200, or before one."""


FAULTS = (*STATUSES, *STREAMS, *ANSWERS, *TRANSPORT)
"""All of them."""
