"""Chat completions, as OpenAI defined them and llama.cpp, vLLM, LM Studio and many gateways serve them.

`POST {base_url}/chat/completions`, streamed as server-sent events. Servers differ; taken are: data lines with and
without a space or a blank line after them, an event cut into several data lines, comments between them, chunks
without choices, content that is null or a list of parts, an end without `[DONE]` once a finish reason stood there,
and a whole JSON body although a stream was asked for. Reasoning is never part of the answer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass, field

from smista_mcp.errors import ProviderError
from smista_mcp.providers import wirejson
from smista_mcp.providers.base import (
    CompletionRequest,
    Decoder,
    Event,
    Finished,
    StopReason,
    TextDelta,
    Usage,
    WireRequest,
)
from smista_mcp.providers.failures import ErrorObject, not_of_protocol, status_error, stream_error
from smista_mcp.providers.wirejson import member

_STOP_REASONS: Mapping[str, StopReason] = {
    "stop": "stop",
    "eos": "stop",
    "end_turn": "stop",
    "length": "length",
    "max_tokens": "length",
    "tool_calls": "tool_calls",
    "function_call": "tool_calls",
    "content_filter": "content_filter",
    "refusal": "content_filter",
}
_WORDS = frozenset(
    (
        "model messages role content system user assistant stream stream_options include_usage max_tokens temperature"
        " tools tool type function name description parameters properties required object array string integer boolean"
        " items enum default additionalProperties minimum maximum tool_choice auto none tool_calls tool_call_id id"
        " arguments"
    ).split()
)
_FIELDS = (b"event", b"id", b"retry")
"""Fields of an event stream that carry nothing for us."""
_MAX_PIECES = 64
_MAX_PIECED = 256 * 1024
"""An event that comes in several data lines: at most so many, and so many bytes."""


@dataclass(frozen=True, slots=True)
class OpenAiCompat:
    """The protocol. `base_url` ends where `/chat/completions` begins, customarily with `/v1`.

    Attributes:
        sampling: further fields of the body, for a server that is known to take them.
    """

    sampling: Mapping[str, float] = field(default_factory=dict[str, float])

    @property
    def words(self) -> frozenset[str]:
        return _WORDS.union(self.sampling)

    def encode(self, request: CompletionRequest) -> WireRequest:
        body: dict[str, object] = {
            "model": request.model,
            "messages": [{"role": message.role, "content": message.content} for message in request.messages],
            "stream": True,
            "stream_options": {"include_usage": True},
            **self.sampling,
        }
        if request.max_output_tokens is not None:
            body["max_tokens"] = request.max_output_tokens
        if request.temperature is not None:
            body["temperature"] = request.temperature
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return WireRequest(
            path="/chat/completions",
            body=text.encode("utf-8", "replace"),
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )

    def decoder(self, request: CompletionRequest) -> Decoder:
        del request
        return ChatDecoder()

    def authorization(self, key: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {key}"}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        try:
            error = error_object(wirejson.parse_object(body))
        except ValueError:
            error = ErrorObject()
        return status_error(status, headers, error, now=now)


def error_object(body: Mapping[str, object]) -> ErrorObject:
    """What an error body says: `{"error": {...}}`, `{"error": "..."}`, `{"detail": "..."}` or `{"message": "..."}`."""
    error = body.get("error")
    if error is None:
        error = body.get("detail") if isinstance(body.get("detail"), str) else body
    if isinstance(error, str):
        return ErrorObject(message=error)
    code, kind = member(error, "code"), member(error, "type")
    words = {word.lower() for word in (code, kind) if isinstance(word, str)}
    status = code if isinstance(code, int) and not isinstance(code, bool) else None
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        status = int(code)
    # gateways wrap what the provider behind them said
    inner = wirejson.text(member(member(error, "metadata"), "raw"))
    message = wirejson.text(member(error, "message")) or ""
    return ErrorObject(f"{message}: {inner}" if inner else message, frozenset(words), status)


class ChatDecoder:
    """One answer. The whole state is what the last lines said."""

    def __init__(self) -> None:
        self._pending: list[bytes] = []
        self._whole: list[bytes] | None = None
        self._begun = False
        self._stop: StopReason | None = None
        self._usage = Usage()
        self._model: str | None = None
        self._request_id: str | None = None
        self._refused = False
        self._finished = False

    def feed(self, line: bytes) -> tuple[Event, ...]:
        if self._finished:
            return ()
        if self._whole is not None:
            self._whole.append(line)
            return ()
        if line.startswith(b"data:"):
            self._begun = True
            return self._data(line[5:].strip())
        if not line:
            return self._blank()
        return self._other(line)

    def end(self) -> tuple[Event, ...]:
        if self._finished:
            return ()
        if self._whole is not None:
            return self._whole_body(b"\n".join(self._whole))
        self._blank()
        if self._stop is None:
            raise not_of_protocol("ended before it was complete" if self._begun else "is empty")
        return (self._finish(),)

    def _other(self, line: bytes) -> tuple[Event, ...]:
        if not self._begun:
            line = line.removeprefix(b"\xef\xbb\xbf")
            if line.lstrip().startswith(b"{"):
                self._whole = [line]
                return ()
            if line.startswith(b"data:"):
                return self.feed(line)
        name, colon, value = line.partition(b":")
        if name == b"error" and colon:  # older llama.cpp
            self._begun = True
            return self._data(value.strip(), error=True)
        if not line.startswith(b":") and name not in _FIELDS:
            raise not_of_protocol("is not an event stream of chat completions")
        self._begun = True
        return ()

    def _blank(self) -> tuple[Event, ...]:
        if any(self._pending):
            raise not_of_protocol("holds an event that is not JSON")
        self._pending.clear()  # an empty event
        return ()

    def _data(self, payload: bytes, *, error: bool = False) -> tuple[Event, ...]:
        if self._pending:
            payload = self._joined(payload)
        elif payload == b"[DONE]":
            return (self._finish(),)
        try:
            chunk = wirejson.parse_object(payload)
        except ValueError:
            self._pending = self._pending or [payload]
            return ()  # complete only with the next data line, or never
        if self._pending:
            self._pending = []
        if error:
            raise stream_error(error_object({"error": chunk}))
        return self._chunk(chunk)

    def _joined(self, payload: bytes) -> bytes:
        self._pending.append(payload)
        joined = b"\n".join(self._pending)
        if len(self._pending) > _MAX_PIECES or len(joined) > _MAX_PIECED:
            raise not_of_protocol("holds an event that is not JSON")
        return joined

    def _chunk(self, chunk: dict[str, object]) -> tuple[Event, ...]:
        if chunk.get("error") is not None:
            raise stream_error(error_object(chunk))
        self._note(chunk)
        events: tuple[Event, ...] = ()
        for choice in wirejson.items(chunk.get("choices")):
            if not member(choice, "index"):  # we ask for one choice
                text = self._text_of(member(choice, "delta"))
                if text:
                    events = (*events, TextDelta(text))
                self._note_stop(choice)
        return events

    def _whole_body(self, body: bytes) -> tuple[Event, ...]:
        try:
            answer = wirejson.parse_object(body)
        except ValueError:
            raise not_of_protocol("is not complete JSON") from None
        if answer.get("error") is not None:
            raise stream_error(error_object(answer))
        choices = wirejson.items(answer.get("choices"))
        if not choices:
            raise not_of_protocol("holds no choice")
        self._note(answer)
        text = self._text_of(member(choices[0], "message"))
        self._note_stop(choices[0])
        return (TextDelta(text), self._finish()) if text else (self._finish(),)

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
        usage = chunk.get("usage")
        if member(usage, "prompt_tokens") is not None:
            self._usage = _usage(usage)

    def _note_stop(self, choice: object) -> None:
        reason = member(choice, "finish_reason")
        if reason == "error":  # OpenRouter, beside an error object of its own or without one
            raise stream_error(error_object({"error": member(choice, "error") or {}}))
        if isinstance(reason, str) and reason:
            self._stop = _STOP_REASONS.get(reason, "unknown")

    def _finish(self) -> Finished:
        self._finished = True
        stop = "content_filter" if self._refused else (self._stop or "unknown")
        return Finished(stop, self._usage, self._model, self._request_id)


def _joined_parts(message: object) -> str:
    parts = wirejson.items(member(message, "content"))
    return "".join(wirejson.text(member(part, "text")) or "" for part in parts if member(part, "type") == "text")


def _usage(usage: object) -> Usage:
    cached = wirejson.count(member(member(usage, "prompt_tokens_details"), "cached_tokens"))
    if cached is None:  # DeepSeek
        cached = wirejson.count(member(usage, "prompt_cache_hit_tokens"))
    return Usage(
        input_tokens=wirejson.count(member(usage, "prompt_tokens")),
        cached_input_tokens=cached,
        output_tokens=wirejson.count(member(usage, "completion_tokens")),
        reasoning_tokens=wirejson.count(member(member(usage, "completion_tokens_details"), "reasoning_tokens")),
    )
