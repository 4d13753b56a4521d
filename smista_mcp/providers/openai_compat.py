"""Chat completions, as OpenAI defined them and llama.cpp, vLLM, LM Studio and many gateways serve them.

`POST {base_url}/chat/completions`, streamed as server-sent events. Servers differ; taken are: chunks without choices,
content that is null or a list of parts, an end without `[DONE]` once a finish reason stood there, and whatever
`eventstream` takes. In what a vendor differs says its row in `core.vendors`. Reasoning is never part of the answer;
where a vendor wants it back with the calls that followed it, it goes back.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from smista_mcp.core.vendors import PLAIN, Vendor
from smista_mcp.errors import ProviderError
from smista_mcp.providers import wirejson
from smista_mcp.providers.base import (
    CompletionRequest,
    Decoder,
    Event,
    Finished,
    Message,
    StopReason,
    TextDelta,
    ToolCall,
    Usage,
    WireRequest,
)
from smista_mcp.providers.eventstream import EventStream
from smista_mcp.providers.failures import cut_short, error_object, error_of, not_of_protocol, status_error, stream_error
from smista_mcp.providers.toolwire import SCHEMA_WORDS, ToolCalls, chat_messages, specs
from smista_mcp.providers.wirejson import member

_STOP_REASONS: Mapping[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "model_length": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
_BROKEN_OFF: Mapping[str, int] = {"error": 500, "abort": 500, "insufficient_system_resource": 503}
"""Finish reasons of an answer that its server gave up, with the status that says the same."""
_WORDS = SCHEMA_WORDS.union(
    (
        "model messages role content system user assistant stream stream_options include_usage temperature"
        " tools tool function name parameters tool_calls tool_call_id id arguments"
        " none minimal low medium high xhigh max default"
    ).split()
)
_MOST_KEPT = 4 * 1024 * 1024
"""Characters of what a model thinks before it calls a tool: more than any writes."""


@dataclass(frozen=True, slots=True)
class OpenAiCompat:
    """The protocol. `base_url` ends where `/chat/completions` begins, customarily with `/v1`.

    Attributes:
        sampling: further fields of the body, for a server that is known to take them.
        vendor: in what the server differs from others.
    """

    sampling: Mapping[str, float] = field(default_factory=dict[str, float])
    vendor: Vendor = PLAIN

    @property
    def words(self) -> frozenset[str]:
        carries = (self.vendor.carries,) if self.vendor.carries else ()
        return _WORDS.union(self.sampling, self.vendor.effort, carries, (self.vendor.most,))

    def encode(self, request: CompletionRequest) -> WireRequest:
        body: dict[str, object] = {
            "model": request.model,
            "messages": _turns(request.messages, self.vendor.carries),
            "stream": True,
            **({"stream_options": {"include_usage": True}} if self.vendor.counts else {}),
            **self.sampling,
        }
        if request.max_output_tokens is not None:
            body[self.vendor.most] = request.max_output_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if isinstance(request.effort_as, str) and self.vendor.effort:
            told: object = request.effort_as
            *outer, last = self.vendor.effort
            for name in (last, *reversed(outer)):
                told = {name: told}
            body.update(wirejson.pairs(told))
        if request.tools:
            body["tools"] = specs(request)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return WireRequest(
            path="/chat/completions",
            body=text.encode("utf-8", "replace"),
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )

    def decoder(self, request: CompletionRequest) -> Decoder:
        del request
        return ChatDecoder(self.vendor.carries)

    def authorization(self, key: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {key}"}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        return status_error(status, headers, error_of(body), now=now)


def _turns(messages: Sequence[Message], carries: str | None) -> list[dict[str, object]]:
    """The messages; beside calls, in the field that carries it, what the model thought before it made them."""
    turns = chat_messages(messages)
    for message, turn in zip(messages, turns, strict=True):
        thought = "".join(call.carry for call in message.calls)
        if carries and thought:
            turn[carries] = thought
    return turns


class ChatDecoder:
    """One answer. The whole state is what the last lines said.

    Args:
        carries: the field of what is thought, where that has to come back with calls.
    """

    def __init__(self, carries: str | None = None) -> None:
        self._carries = carries
        self._thought: list[str] = []
        self._kept = 0
        self._events = EventStream("chat completions")
        self._stop: StopReason | None = None
        self._usage = Usage()
        self._model: str | None = None
        self._request_id: str | None = None
        self._refused = False
        self._finished = False
        self._calls = ToolCalls()

    def feed(self, line: bytes) -> tuple[Event, ...]:
        if self._finished:
            return ()
        chunk = self._events.feed(line)
        if chunk is not None:
            return self._chunk(chunk)
        return self._finish() if self._events.done else ()

    def end(self) -> tuple[Event, ...]:
        if self._finished:
            return ()
        whole = self._events.end()
        if whole is not None:
            return self._whole_body(whole)
        if self._stop is None:
            raise cut_short(begun=self._events.begun)
        return self._finish()

    def _chunk(self, chunk: dict[str, object]) -> tuple[Event, ...]:
        if chunk.get("error") is not None:
            raise stream_error(error_object(chunk))
        usage = chunk.get("usage") or chunk.get("x_groq")
        if usage is not None or self._model is None or self._request_id is None:
            self._note(chunk)
        events: tuple[Event, ...] = ()
        for choice in wirejson.items(chunk.get("choices")):
            if not member(choice, "index"):  # we ask for one choice
                delta = member(choice, "delta")
                self._think(delta)
                self._calls.feed(member(delta, "tool_calls"))
                text = self._text_of(delta)
                if text:
                    events += (TextDelta(text),)
                self._note_stop(choice)
        return events

    def _whole_body(self, answer: dict[str, object]) -> tuple[Event, ...]:
        if answer.get("error") is not None:
            raise stream_error(error_object(answer))
        choices = wirejson.items(answer.get("choices"))
        if not choices:
            raise not_of_protocol("holds no choice")
        self._note(answer)
        message = member(choices[0], "message")
        self._think(message)
        self._calls.feed(member(message, "tool_calls"))
        text = self._text_of(message)
        self._note_stop(choices[0])
        return (TextDelta(text), *self._finish()) if text else self._finish()

    def _text_of(self, message: object) -> str:
        content = member(message, "content")
        refusal = member(message, "refusal")
        if isinstance(refusal, str) and refusal:
            self._refused = True
            content = content or refusal
        if isinstance(content, list):
            return _joined_parts(message)
        return wirejson.text(content) or ""

    def _note(self, chunk: dict[str, object]) -> None:
        if self._model is None:
            self._model = wirejson.text(chunk.get("model"))
        if self._request_id is None:
            self._request_id = wirejson.text(chunk.get("id"))
        usage = chunk.get("usage") or member(chunk.get("x_groq"), "usage")
        if member(usage, "prompt_tokens") is not None:
            self._usage = _usage(usage)

    def _note_stop(self, choice: object) -> None:
        reason = member(choice, "finish_reason")
        if isinstance(reason, str) and reason in _BROKEN_OFF:  # OpenRouter puts an error object beside it
            raise stream_error(error_object({"error": member(choice, "error") or {"code": _BROKEN_OFF[reason]}}))
        if isinstance(reason, str) and reason:
            self._stop = _STOP_REASONS.get(reason, "unknown")

    def _finish(self) -> tuple[Event, ...]:
        self._finished = True
        stop = "content_filter" if self._refused else (self._stop or "unknown")
        if self._calls and stop in ("stop", "unknown"):
            stop = "tool_calls"  # some servers call tools and say that they stopped
        return (*self._called(), Finished(stop, self._usage, self._model, self._request_id))

    def _think(self, message: object) -> None:
        thought = wirejson.text(member(message, self._carries)) if self._carries else None
        if thought:
            self._kept += len(thought)
            if self._kept > _MOST_KEPT:
                raise not_of_protocol("thinks more than an answer may")
            self._thought.append(thought)

    def _called(self) -> tuple[ToolCall, ...]:
        calls = self._calls.whole()
        if not calls or not self._thought:
            return calls
        first = calls[0]
        return (ToolCall(first.id, first.name, first.arguments, "".join(self._thought)), *calls[1:])


def _joined_parts(message: object) -> str:
    parts = wirejson.items(member(message, "content"))
    return "".join(wirejson.text(member(part, "text")) or "" for part in parts if member(part, "type") == "text")


def _usage(usage: object) -> Usage:
    """Cached tokens are part of the prompt's everywhere. Reasoning is part of the completion's, but not at xAI."""
    asked, said = (wirejson.count(member(usage, f"{name}_tokens")) for name in ("prompt", "completion"))
    details = member(usage, "prompt_tokens_details")
    cached, written = (wirejson.count(member(details, name)) for name in ("cached_tokens", "cache_write_tokens"))
    if cached is None:  # DeepSeek
        cached = wirejson.count(member(usage, "prompt_cache_hit_tokens"))
    if written is None:  # LiteLLM
        written = wirejson.count(member(usage, "cache_creation_input_tokens"))
    thought = wirejson.count(member(member(usage, "completion_tokens_details"), "reasoning_tokens"))
    if said is not None and thought and _stands_apart(usage, (asked or 0) + said, thought, said):
        said += thought
    return Usage(
        input_tokens=asked,
        cached_input_tokens=cached,
        output_tokens=said,
        reasoning_tokens=thought,
        cache_write_tokens=written,
    )


def _stands_apart(usage: object, counted: int, thought: int, said: int) -> bool:
    """Whether reasoning is counted beside the completion: the sum says so, or there is more of it than of all."""
    return thought > said or wirejson.count(member(usage, "total_tokens")) == counted + thought
