"""One answer in the words of every protocol, streamed and whole, as the vendors document them.

What the decoders are held against; that the words are right is shown by the vendors' own clients, which read them too.
"""

import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from smista_mcp.providers.anthropic import Anthropic
from smista_mcp.providers.base import StopReason, Usage, WireProtocol
from smista_mcp.providers.gemini import Gemini
from smista_mcp.providers.ollama import Ollama
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.openai_responses import OpenAiResponses

NOW = 1_790_000_000
SIGNATURE = "c2lnbmF0dXJl"
"""What comes with reasoning and goes back with the calls that follow it."""
Event = dict[str, Any]


class Call(NamedTuple):
    """A tool that the model calls."""

    name: str
    arguments: dict[str, Any]


@dataclass(frozen=True)
class Said:
    """What a model answers.

    Attributes:
        pieces: of its text.
        thought: pieces of its reasoning, which is no part of the answer.
        refused: the text is a refusal, marked as one where a protocol can.
        used: tokens; the cached ones are among the input, the reasoning ones among the output.
    """

    pieces: tuple[str, ...] = ("Hel", "lo")
    thought: tuple[str, ...] = ()
    calls: tuple[Call, ...] = ()
    stop: StopReason = "stop"
    refused: bool = False
    used: Usage = field(default_factory=lambda: Usage(100, 90, 10, 4))
    model: str = "model-1"
    id: str = "answer_1"

    @property
    def text(self) -> str:
        return "".join(self.pieces)

    @property
    def thinking(self) -> str:
        return "".join(self.thought)

    @property
    def total(self) -> int:
        return (self.used.input_tokens or 0) + (self.used.output_tokens or 0)


def _all_counts(used: Usage) -> Usage:
    return used


def _two_counts(used: Usage) -> Usage:
    return Usage(input_tokens=used.input_tokens, output_tokens=used.output_tokens)


class Words(NamedTuple):
    """A protocol as a server speaks it.

    Attributes:
        events: a stream, event by event.
        ends: the place of the event that says why the answer ended, counted from the last one.
        whole: the answer in one object.
        broken: the event that stands for an overloaded server in the middle of a stream.
        framed: an event as bytes.
        stops: the reasons that it can tell.
        counts: the token counts that it tells.
        identified: whether an answer, and each call in it, has an id.
    """

    name: str
    protocol: WireProtocol
    events: Callable[[Said], list[Event]]
    ends: int
    whole: Callable[[Said], Event]
    broken: Event
    framed: Callable[[Event], bytes]
    stops: tuple[StopReason, ...] = ("stop", "length", "content_filter")
    counts: Callable[[Usage], Usage] = _all_counts
    identified: bool = True

    def streamed(self, said: Said) -> bytes:
        return b"".join(map(self.framed, self.events(said)))


def sse(*events: Event) -> bytes:
    """Events of a stream, without names."""
    return b"".join(map(_data, events))


def _data(event: Event) -> bytes:
    text = "[DONE]" if event == DONE else json.dumps(event, ensure_ascii=False)
    return f"data: {text}\n\n".encode()


def _named(event: Event) -> bytes:
    return f"event: {event['type']}\n".encode() + _data(event)


def _line(event: Event) -> bytes:
    return json.dumps(event, ensure_ascii=False).encode() + b"\n"


# ------------------------------------------------------------------------------------------------- chat completions

DONE: Event = {"": "[DONE]"}
_CHAT_STOPS = {"stop": "stop", "length": "length", "content_filter": "content_filter", "tool_calls": "tool_calls"}


def _stop_of(said: Said) -> str:
    return "tool_calls" if said.calls and said.stop == "stop" else said.stop


def _chat_usage(said: Said) -> Event:
    used = said.used
    return {
        "prompt_tokens": used.input_tokens,
        "completion_tokens": used.output_tokens,
        "total_tokens": said.total,
        "prompt_tokens_details": {"cached_tokens": used.cached_input_tokens},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
    }


def _chat_base(said: Said, kind: str) -> Event:
    return {"id": said.id, "object": kind, "created": NOW, "model": said.model}


def chat_events(said: Said) -> list[Event]:
    """Chunks of a chat completion, the last of them its usage."""
    deltas: list[Event] = [{"role": "assistant", "content": ""}]
    deltas += [{"reasoning_content": piece} for piece in said.thought]
    deltas += [{"refusal": piece} if said.refused else {"content": piece} for piece in said.pieces]
    for index, call in enumerate(said.calls):
        text = json.dumps(call.arguments)
        function = {"name": call.name, "arguments": ""}
        deltas.append(
            {"tool_calls": [{"index": index, "id": f"call_{index}", "type": "function", "function": function}]}
        )
        deltas += [
            {"tool_calls": [{"index": index, "function": {"arguments": part}}]} for part in (text[:5], text[5:]) if part
        ]
    base = _chat_base(said, "chat.completion.chunk")
    chunks: list[Event] = [
        {**base, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]} for delta in deltas
    ]
    end: Event = {"index": 0, "delta": {}, "finish_reason": _CHAT_STOPS[_stop_of(said)]}
    return [*chunks, {**base, "choices": [end]}, {**base, "choices": [], "usage": _chat_usage(said)}, DONE]


def chat_whole(said: Said) -> Event:
    message: Event = {"role": "assistant", "content": None if said.refused or said.calls else said.text}
    if said.calls and said.pieces:
        message["content"] = said.text
    message["refusal"] = said.text if said.refused else None
    if said.thought:
        message["reasoning_content"] = said.thinking
    if said.calls:
        message["tool_calls"] = [
            {
                "id": f"call_{index}",
                "type": "function",
                "function": {"name": call.name, "arguments": json.dumps(call.arguments)},
            }
            for index, call in enumerate(said.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": _CHAT_STOPS[_stop_of(said)], "logprobs": None}
    return {**_chat_base(said, "chat.completion"), "choices": [choice], "usage": _chat_usage(said)}


# -------------------------------------------------------------------------------------------------------- Responses


def _responses_items(said: Said) -> list[Event]:
    items: list[Event] = []
    if said.thought:
        summary = [{"type": "summary_text", "text": said.thinking}]
        items.append({"type": "reasoning", "id": "rs_1", "summary": summary, "encrypted_content": SIGNATURE})
    if said.pieces:
        part: Event = {"type": "output_text", "text": said.text, "annotations": []}
        if said.refused:
            part = {"type": "refusal", "refusal": said.text}
        message = {"type": "message", "id": "msg_1", "role": "assistant", "status": "completed", "content": [part]}
        items.append(message)
    for index, call in enumerate(said.calls):
        items.append(
            {
                "type": "function_call",
                "id": f"fc_{index}",
                "call_id": f"call_{index}",
                "name": call.name,
                "arguments": json.dumps(call.arguments),
                "status": "completed",
            }
        )
    return items


def responses_whole(said: Said) -> Event:
    cut = said.stop in ("length", "content_filter") and not said.refused
    reason = {"length": "max_output_tokens", "content_filter": "content_filter"}.get(said.stop)
    used = said.used
    return {
        "id": said.id,
        "object": "response",
        "created_at": NOW,
        "status": "incomplete" if cut else "completed",
        "error": None,
        "incomplete_details": {"reason": reason} if cut else None,
        "instructions": None,
        "model": said.model,
        "output": _responses_items(said),
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "metadata": {},
        "usage": {
            "input_tokens": used.input_tokens,
            "input_tokens_details": {"cached_tokens": used.cached_input_tokens, "cache_write_tokens": 0},
            "output_tokens": used.output_tokens,
            "output_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
            "total_tokens": said.total,
        },
    }


def responses_events(said: Said) -> list[Event]:
    """All that happens to a response, numbered; whatever was told piece by piece is told whole again."""
    whole = responses_whole(said)
    begun: Event = {**whole, "status": "in_progress", "output": [], "usage": None, "incomplete_details": None}
    events: list[Event] = [{"type": f"response.{kind}", "response": begun} for kind in ("created", "in_progress")]
    for index, item in enumerate(whole["output"]):
        place = {"output_index": index, "item_id": item["id"]}
        inner = {"reasoning": _summarised, "message": _written, "function_call": _called}[item["type"]]
        empty: Event = {
            **item,
            **{name: [] for name in ("content", "summary") if name in item},
            **({"arguments": ""} if "arguments" in item else {}),
            **({"status": "in_progress"} if "status" in item else {}),
        }
        events.append({"type": "response.output_item.added", "output_index": index, "item": empty})
        events += [{**event, **place} for event in inner(said, item)]
        events.append({"type": "response.output_item.done", "output_index": index, "item": item})
    events.append({"type": f"response.{whole['status']}", "response": whole})
    return [{**event, "sequence_number": number} for number, event in enumerate(events)]


def _summarised(said: Said, item: Event) -> list[Event]:
    kind, place = "response.reasoning_summary", {"summary_index": 0}
    empty = {"type": "summary_text", "text": ""}
    return [
        {"type": f"{kind}_part.added", "part": empty, **place},
        *({"type": f"{kind}_text.delta", "delta": piece, **place} for piece in said.thought),
        {"type": f"{kind}_text.done", "text": said.thinking, **place},
        {"type": f"{kind}_part.done", "part": item["summary"][0], **place},
    ]


def _written(said: Said, item: Event) -> list[Event]:
    (part,) = item["content"]
    kind, name = ("refusal", "refusal") if said.refused else ("output_text", "text")
    place: Event = {"content_index": 0}
    logged: Event = {} if said.refused else {"logprobs": []}
    return [
        {"type": "response.content_part.added", "part": {**part, name: ""}, **place},
        *({"type": f"response.{kind}.delta", "delta": piece, **logged, **place} for piece in said.pieces),
        {"type": f"response.{kind}.done", name: said.text, **logged, **place},
        {"type": "response.content_part.done", "part": part, **place},
    ]


def _called(said: Said, item: Event) -> list[Event]:
    del said
    text, kind = item["arguments"], "response.function_call_arguments"
    deltas = [{"type": f"{kind}.delta", "delta": part} for part in (text[:5], text[5:]) if part]
    return [*deltas, {"type": f"{kind}.done", "name": item["name"], "arguments": text}]


# -------------------------------------------------------------------------------------------------------- Anthropic

_ANTHROPIC_STOPS = {
    "stop": "end_turn",
    "length": "max_tokens",
    "content_filter": "refusal",
    "tool_calls": "tool_use",
}


def _anthropic_usage(said: Said) -> Event:
    used = said.used
    cached = used.cached_input_tokens or 0
    return {
        "input_tokens": (used.input_tokens or 0) - cached,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": cached,
        "output_tokens": used.output_tokens,
        "output_tokens_details": {"thinking_tokens": used.reasoning_tokens},
    }


def anthropic_whole(said: Said) -> Event:
    content: list[Event] = []
    if said.thought:
        content.append({"type": "thinking", "thinking": said.thinking, "signature": SIGNATURE})
    if said.pieces:
        content.append({"type": "text", "text": said.text, "citations": None})
    content += [
        {"type": "tool_use", "id": f"toolu_{index}", "name": call.name, "input": call.arguments}
        for index, call in enumerate(said.calls)
    ]
    return {
        "id": said.id,
        "type": "message",
        "role": "assistant",
        "model": said.model,
        "content": content,
        "stop_reason": _ANTHROPIC_STOPS[_stop_of(said)],
        "stop_sequence": None,
        "usage": _anthropic_usage(said),
    }


def anthropic_events(said: Said) -> list[Event]:
    """Named events; the counts of the output stand at the end."""
    whole = anthropic_whole(said)
    usage = whole["usage"]
    at_first = {**{n: v for n, v in usage.items() if n != "output_tokens_details"}, "output_tokens": 1}
    begun: Event = {**whole, "content": [], "stop_reason": None, "usage": at_first}
    events: list[Event] = [{"type": "message_start", "message": begun}]
    for index, block in enumerate(whole["content"]):
        empty, deltas = _block(said, block)
        events.append({"type": "content_block_start", "index": index, "content_block": empty})
        events += [{"type": "ping"}] if index == 0 else []
        events += [{"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas]
        events.append({"type": "content_block_stop", "index": index})
    end = {"stop_reason": whole["stop_reason"], "stop_sequence": None}
    at_last = {name: usage[name] for name in ("output_tokens", "output_tokens_details")}
    return [*events, {"type": "message_delta", "delta": end, "usage": at_last}, {"type": "message_stop"}]


def _block(said: Said, block: Event) -> tuple[Event, list[Event]]:
    if block["type"] == "thinking":
        deltas: list[Event] = [{"type": "thinking_delta", "thinking": piece} for piece in said.thought]
        return {**block, "thinking": "", "signature": ""}, [
            *deltas,
            {"type": "signature_delta", "signature": block["signature"]},
        ]
    if block["type"] == "text":
        return {**block, "text": ""}, [{"type": "text_delta", "text": piece} for piece in said.pieces]
    text = json.dumps(block["input"])
    parts = ("", text[:5], text[5:]) if block["input"] else ("",)
    return {**block, "input": {}}, [{"type": "input_json_delta", "partial_json": part} for part in parts]


# ----------------------------------------------------------------------------------------------------------- Gemini

_GEMINI_STOPS = {"stop": "STOP", "tool_calls": "STOP", "length": "MAX_TOKENS", "content_filter": "SAFETY"}


def _gemini_parts(said: Said) -> list[Event]:
    parts: list[Event] = [{"text": piece, "thought": True} for piece in said.thought]
    parts += [{"text": piece} for piece in said.pieces]
    for index, call in enumerate(said.calls):
        part: Event = {"functionCall": {"name": call.name, "args": call.arguments, "id": f"call_{index}"}}
        parts.append({**part, "thoughtSignature": SIGNATURE} if index == 0 and said.thought else part)
    return parts


def _gemini_chunk(said: Said, parts: Sequence[Event], *, last: bool) -> Event:
    candidate: Event = {"content": {"role": "model", "parts": list(parts)}, "index": 0}
    used = said.used
    counts: Event = {"promptTokenCount": used.input_tokens, "cachedContentTokenCount": used.cached_input_tokens}
    if last:
        candidate["finishReason"] = _GEMINI_STOPS[_stop_of(said)]
        written = (used.output_tokens or 0) - (used.reasoning_tokens or 0)
        counts |= {"candidatesTokenCount": written, "thoughtsTokenCount": used.reasoning_tokens}
    return {
        "candidates": [candidate],
        "usageMetadata": {**counts, "totalTokenCount": said.total},
        "modelVersion": said.model,
        "responseId": said.id,
    }


def gemini_events(said: Said) -> list[Event]:
    """Chunks; the last holds the finish reason and the counts of the output."""
    return [
        *(_gemini_chunk(said, [part], last=False) for part in _gemini_parts(said)),
        _gemini_chunk(said, [{"text": ""}], last=True),
    ]


def gemini_whole(said: Said) -> Event:
    return _gemini_chunk(said, _gemini_parts(said), last=True)


def gemini_list(said: Said) -> bytes:
    """The stream as it comes where no events were asked for: the chunks as one list."""
    return json.dumps(gemini_events(said), indent=2, ensure_ascii=False).encode()


# ----------------------------------------------------------------------------------------------------------- Ollama


def _ollama_chunk(said: Said, message: Event, **end: object) -> Event:
    stamp = {"model": said.model, "created_at": "2026-11-20T14:00:00.123456Z"}
    return {**stamp, "message": {"role": "assistant", "content": "", **message}, "done": bool(end), **end}


def _ollama_end(said: Said) -> Event:
    times = dict.fromkeys(("total_duration", "load_duration", "prompt_eval_duration", "eval_duration"), 1000)
    counts = {"prompt_eval_count": said.used.input_tokens, "eval_count": said.used.output_tokens}
    return {"done_reason": said.stop, **times, **counts}


def _ollama_calls(said: Said) -> list[Event]:
    return [
        {"function": {"index": index, "name": call.name, "arguments": call.arguments}}
        for index, call in enumerate(said.calls)
    ]


def ollama_events(said: Said) -> list[Event]:
    """A line each; calls come whole, each in a line of its own."""
    return [
        *(_ollama_chunk(said, {"thinking": piece}) for piece in said.thought),
        *(_ollama_chunk(said, {"content": piece}) for piece in said.pieces),
        *(_ollama_chunk(said, {"tool_calls": [call]}) for call in _ollama_calls(said)),
        {**_ollama_chunk(said, {}), "done": True, **_ollama_end(said)},
    ]


def ollama_whole(said: Said) -> Event:
    message: Event = {"content": said.text}
    if said.thought:
        message["thinking"] = said.thinking
    if said.calls:
        message["tool_calls"] = _ollama_calls(said)
    return {**_ollama_chunk(said, message), "done": True, **_ollama_end(said)}


# ----------------------------------------------------------------------------------------------------------- all

_FULL = {"code": "server_error", "message": "busy"}
CHAT = Words("chat", OpenAiCompat(), chat_events, 3, chat_whole, {"error": {**_FULL, "type": "server_error"}}, _data)
RESPONSES = Words(
    "responses",
    OpenAiResponses(),
    responses_events,
    1,
    responses_whole,
    {"type": "error", **_FULL, "param": None, "sequence_number": 9},
    _named,
)
ANTHROPIC = Words(
    "anthropic",
    Anthropic(),
    anthropic_events,
    2,
    anthropic_whole,
    {"type": "error", "error": {"type": "overloaded_error", "message": "busy"}},
    _named,
)
GEMINI = Words(
    "gemini",
    Gemini(),
    gemini_events,
    1,
    gemini_whole,
    {"error": {"code": 503, "message": "busy", "status": "UNAVAILABLE"}},
    _data,
)
OLLAMA = Words(
    "ollama",
    Ollama(),
    ollama_events,
    1,
    ollama_whole,
    {"error": "the runner has stopped"},
    _line,
    stops=("stop", "length"),
    counts=_two_counts,
    identified=False,
)
ALL = (CHAT, RESPONSES, ANTHROPIC, GEMINI, OLLAMA)
