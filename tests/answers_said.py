"""One answer in the words of every protocol, streamed or whole: of a sound server, or of one that says too little."""

import json
from dataclasses import dataclass
from typing import Any, Literal

Protocol = Literal["chat", "responses", "anthropic", "gemini", "ollama"]
PROTOCOLS: tuple[Protocol, ...] = ("chat", "responses", "anthropic", "gemini", "ollama")
End = Literal["stop", "length", "declined"]
_ENDS: dict[Protocol, dict[End, str]] = {
    "chat": {"stop": "stop", "length": "length", "declined": "content_filter"},
    "responses": {"stop": "stop", "length": "max_output_tokens", "declined": "content_filter"},
    "anthropic": {"stop": "end_turn", "length": "max_tokens", "declined": "refusal"},
    "gemini": {"stop": "STOP", "length": "MAX_TOKENS", "declined": "SAFETY"},
    "ollama": {"stop": "stop", "length": "length", "declined": "stop"},
}
IN, OUT = 40, 5


@dataclass(frozen=True)
class Said:
    """An answer.

    Attributes:
        text: what the model writes; `thought` is what it keeps to itself.
        used: whether the server tells what it counted.
    """

    text: str = ""
    thought: str = ""
    end: End = "stop"
    used: bool = True


def sse(*events: Any) -> bytes:
    """Server-sent events: objects, or bytes as they are."""
    return b"".join(b"data: " + (e if isinstance(e, bytes) else json.dumps(e).encode()) + b"\n\n" for e in events)


def streamed(protocol: Protocol, said: Said) -> list[bytes]:
    """The body as pieces."""
    if protocol == "ollama":
        return [json.dumps(line).encode() + b"\n" for line in _ollama(said)]
    events = {"chat": _chat, "responses": _responses, "anthropic": _anthropic, "gemini": _gemini}[protocol](said)
    return [sse(event) for event in events]


def whole(protocol: Protocol, said: Said) -> bytes:
    """The body as one object, although a stream was asked for."""
    return json.dumps(_whole(protocol, said)).encode()


def _reason(protocol: Protocol, said: Said) -> str:
    return _ENDS[protocol][said.end]


def _chat(said: Said) -> list[Any]:
    deltas = [{"reasoning_content": said.thought}] if said.thought else []
    deltas += [{"content": said.text}] if said.text else []
    used = {"prompt_tokens": IN, "completion_tokens": OUT}
    return [
        *({"choices": [{"index": 0, "delta": delta}]} for delta in deltas),
        {"choices": [{"index": 0, "delta": {}, "finish_reason": _reason("chat", said)}]},
        *([{"choices": [], "usage": used}] if said.used else []),
        b"[DONE]",
    ]


def _response(said: Said) -> dict[str, Any]:
    cut = said.end != "stop"
    content = [{"type": "output_text", "text": said.text}]
    return {
        "object": "response",
        "status": "incomplete" if cut else "completed",
        "incomplete_details": {"reason": _reason("responses", said)} if cut else None,
        "output": [{"type": "message", "content": content}] if said.text else [],
        **({"usage": {"input_tokens": IN, "output_tokens": OUT}} if said.used else {}),
    }


def _responses(said: Said) -> list[Any]:
    kind = "response.completed" if said.end == "stop" else "response.incomplete"
    thought = {"type": "response.reasoning_summary_text.delta", "delta": said.thought}
    return [
        *([thought] if said.thought else []),
        *([{"type": "response.output_text.delta", "delta": said.text}] if said.text else []),
        {"type": kind, "response": _response(said)},
    ]


def _anthropic(said: Said) -> list[Any]:
    events: list[Any] = [{"type": "message_start", "message": {"usage": {"input_tokens": IN}} if said.used else {}}]
    for index, (kind, text) in enumerate((("thinking", said.thought), ("text", said.text))):
        if text:
            block = {"type": kind, kind: ""}
            delta = {"type": f"{kind}_delta", kind: text}
            events.append({"type": "content_block_start", "index": index, "content_block": block})
            events.append({"type": "content_block_delta", "index": index, "delta": delta})
            events.append({"type": "content_block_stop", "index": index})
    end: dict[str, Any] = {"type": "message_delta", "delta": {"stop_reason": _reason("anthropic", said)}}
    return [*events, {**end, **({"usage": {"output_tokens": OUT}} if said.used else {})}, {"type": "message_stop"}]


def _gemini(said: Said) -> list[Any]:
    parts = [{"text": said.thought, "thought": True}] if said.thought else []
    parts += [{"text": said.text}] if said.text else []
    used = {"promptTokenCount": IN, "candidatesTokenCount": OUT}
    end = {"content": {"parts": parts}, "finishReason": _reason("gemini", said)}
    return [{"candidates": [end], **({"usageMetadata": used} if said.used else {})}]


def _ollama(said: Said) -> list[Any]:
    message = {"content": said.text, **({"thinking": said.thought} if said.thought else {})}
    used = {"prompt_eval_count": IN, "eval_count": OUT} if said.used else {}
    return [
        {"message": message, "done": False},
        {"message": {"content": ""}, "done": True, "done_reason": _reason("ollama", said), **used},
    ]


def _whole(protocol: Protocol, said: Said) -> dict[str, Any]:
    if protocol == "chat":
        message = {"content": said.text or None, **({"reasoning_content": said.thought} if said.thought else {})}
        used = {"usage": {"prompt_tokens": IN, "completion_tokens": OUT}} if said.used else {}
        return {"choices": [{"index": 0, "message": message, "finish_reason": _reason("chat", said)}], **used}
    if protocol == "responses":
        return _response(said)
    if protocol == "anthropic":
        content = [{"type": "thinking", "thinking": said.thought}] if said.thought else []
        content += [{"type": "text", "text": said.text}] if said.text else []
        used = {"usage": {"input_tokens": IN, "output_tokens": OUT}} if said.used else {}
        return {"type": "message", "content": content, "stop_reason": _reason("anthropic", said), **used}
    if protocol == "gemini":
        return _gemini(said)[0]
    first, last = _ollama(said)
    return {**last, "message": first["message"]}
