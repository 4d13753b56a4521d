"""OpenAI's Responses: `POST {base_url}/responses`, streamed as server-sent events.

As documented at developers.openai.com/api/docs/guides (reasoning, function calling, migrate to Responses; read
2026-11-20). Nothing is stored at the provider; reasoning comes encrypted and goes back with the calls that follow it.
What may be kept in its cache is said as its guide to prompt caching has it (read 2026-11-20).
What the model thinks is never part of the answer.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

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
from smista_mcp.providers.eventstream import EventDecoder
from smista_mcp.providers.failures import cut_short, error_object, error_of, not_of_protocol, status_error, stream_error
from smista_mcp.providers.toolwire import MAX_CALLS, SCHEMA_WORDS, compact
from smista_mcp.providers.wirejson import member

_WORDS = SCHEMA_WORDS.union(
    (
        "model input stream store instructions max_output_tokens temperature reasoning effort low medium high"
        " xhigh tools function name parameters strict include reasoning.encrypted_content role content user"
        " assistant function_call function_call_output call_id output arguments id summary encrypted_content"
        " summary_text text prompt_cache_key prompt_cache_options prompt_cache_breakpoint mode explicit input_text"
    ).split()
)
_LEAST_OUTPUT = 16
"""Tokens below which the API refuses `max_output_tokens`."""
_ENDS = ("response.completed", "response.incomplete")
_FINAL = ("completed", "incomplete")
"""What an answer's status is once nothing more is written to it."""
_CUT: Mapping[str, StopReason] = {"max_output_tokens": "length", "content_filter": "content_filter"}
"""Why an answer is incomplete."""


@dataclass(frozen=True, slots=True)
class OpenAiResponses:
    """The protocol. `base_url` ends where `/responses` begins, customarily `https://api.openai.com/v1`."""

    @property
    def words(self) -> frozenset[str]:
        return _WORDS

    def encode(self, request: CompletionRequest) -> WireRequest:
        body: dict[str, object] = {
            "model": request.model,
            "input": _items(request),
            "stream": True,
            "store": False,
        }
        if request.system:
            body["instructions"] = request.system
        if request.max_output_tokens is not None:
            body["max_output_tokens"] = _limit(request)
        if request.temperature is not None:
            body["temperature"] = request.temperature
        if isinstance(request.effort_as, str):
            body["reasoning"] = {"effort": request.effort_as}
        body |= _kept(request)
        if request.tools:
            body["tools"] = [
                {
                    "type": "function",
                    "name": tool.name,
                    "description": tool.description,
                    "parameters": dict(tool.parameters),
                    "strict": False,
                }
                for tool in request.tools
            ]
            if "reasoning" in body:
                body["include"] = ["reasoning.encrypted_content"]
        return WireRequest(
            path="/responses",
            body=compact(body).encode("utf-8", "replace"),
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )

    def decoder(self, request: CompletionRequest) -> Decoder:
        return ResponsesDecoder(_limit(request))

    def authorization(self, key: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {key}"}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        return status_error(status, headers, error_of(body), now=now)


def _limit(request: CompletionRequest) -> int | None:
    """Tokens that an answer may have."""
    return None if request.max_output_tokens is None else max(request.max_output_tokens, _LEAST_OUTPUT)


def _kept(request: CompletionRequest) -> dict[str, object]:
    """What is said of the cache: by which key to find it again, and to keep nothing but what is marked."""
    keeping = request.keeping
    if keeping is None:
        return {}
    said: dict[str, object] = {"prompt_cache_key": keeping.key} if keeping.key else {}
    return {**said, **_BY_MARKS} if keeping.how == "options" and not keeping.grows else said


_BY_MARKS: Mapping[str, object] = {"prompt_cache_options": {"mode": "explicit"}}
_MARK: Mapping[str, object] = {"prompt_cache_breakpoint": {"mode": "explicit"}}


def _content(message: Message, *, marks: bool) -> object:
    if not (marks and message.kept):
        return message.content
    return [{"type": "input_text", "text": message.content, **_MARK}]


def _items(request: CompletionRequest) -> list[object]:
    found: list[object] = []
    marks = request.keeping is not None and request.keeping.how == "options"
    for message in request.messages:
        if message.answers is not None:
            found.append({"type": "function_call_output", "call_id": message.answers.id, "output": message.content})
            continue
        if message.calls and message.content:
            found.append({"role": "assistant", "content": message.content})
        for call in message.calls:
            found += wirejson.items(json.loads(call.carry)) if call.carry else []
            told = {"call_id": call.id, "name": call.name, "arguments": call.arguments}
            found.append({"type": "function_call", **told})
        if not message.calls and message.role != "system":
            found.append({"role": message.role, "content": _content(message, marks=marks)})
    return found


class ResponsesDecoder(EventDecoder):
    """One answer.

    Args:
        limit: tokens that it may have; None where nobody said. llama.cpp calls an answer that was cut there completed.
    """

    def __init__(self, limit: int | None = None) -> None:
        super().__init__("OpenAI's Responses")
        self._limit = limit
        self._reasoning: list[object] = []
        self._calls: list[ToolCall] = []
        self._spoke = False
        self._refused = False

    def _ended(self, whole: dict[str, object] | None) -> tuple[Event, ...]:
        if whole is None:
            raise cut_short(begun=self._events.begun)
        if whole.get("object") != "response" and whole.get("error") is None:
            raise not_of_protocol("is no response of OpenAI's")
        if whole.get("status") is None and whole.get("error") is None:
            raise cut_short(begun=True)
        return self._finish(whole)

    def _event(self, event: dict[str, object]) -> tuple[Event, ...]:
        kind = event.get("type")
        if kind == "response.output_text.delta":
            return self._text(event.get("delta"))
        if kind == "response.refusal.delta":
            self._refused = True
            return self._text(event.get("delta"))
        if kind == "response.output_item.done":
            self._item(event.get("item"))
        elif kind in _ENDS:
            return self._finish(event.get("response"))
        elif kind == "response.failed":
            raise stream_error(error_object({"error": member(event.get("response"), "error") or {}}))
        elif kind == "error" or event.get("error") is not None:
            raise stream_error(error_object(event))
        return ()  # what is being done meanwhile

    def _text(self, delta: object) -> tuple[Event, ...]:
        text = wirejson.text(delta)
        self._spoke = self._spoke or bool(text)
        return (TextDelta(text),) if text else ()

    def _item(self, item: object) -> None:
        kind = member(item, "type")
        if kind == "reasoning" and member(item, "encrypted_content"):
            kept = ("type", "id", "summary", "encrypted_content")
            self._reasoning.append({name: value for name, value in wirejson.pairs(item) if name in kept})
        elif kind == "function_call":
            carry = compact(self._reasoning) if self._reasoning else ""
            self._reasoning = []
            self._calls.append(
                ToolCall(
                    id=wirejson.text(member(item, "call_id")) or "",
                    name=wirejson.text(member(item, "name")) or "",
                    arguments=wirejson.text(member(item, "arguments")) or "",
                    carry=carry,
                )
            )
            if len(self._calls) > MAX_CALLS:
                raise not_of_protocol("calls more tools than an answer may")

    def _finish(self, response: object) -> tuple[Event, ...]:
        self._finished = True
        error = member(response, "error")
        if error is not None or member(response, "status") == "failed":
            raise stream_error(error_object({"error": error or {}}))
        if member(response, "status") not in (None, *_FINAL):  # of a stream, its last event says that it is final
            raise cut_short(begun=True)
        texts: list[Event] = []
        known = bool(self._calls)
        for item in wirejson.items(member(response, "output")):
            if member(item, "type") == "message" and not self._spoke:
                texts += [delta for part in wirejson.items(member(item, "content")) for delta in self._part(part)]
            elif not known:  # a whole body, or a server that streams no items
                self._item(item)
        return (*texts, *self._calls, self._end(response))

    def _part(self, part: object) -> tuple[Event, ...]:
        if member(part, "type") == "refusal":
            self._refused = True
            return self._text(member(part, "refusal"))
        return self._text(member(part, "text")) if member(part, "type") == "output_text" else ()

    def _end(self, response: object) -> Finished:
        stop: StopReason = "tool_calls" if self._calls else "stop"
        written = wirejson.count(member(member(response, "usage"), "output_tokens"))
        if stop == "stop" and self._limit is not None and written is not None and written >= self._limit:
            stop = "length"
        if member(response, "status") == "incomplete":
            reason = wirejson.text(member(member(response, "incomplete_details"), "reason")) or ""
            stop = _CUT.get(reason, "length")  # for whatever reason it was cut
        if self._refused:
            stop = "content_filter"
        usage = member(response, "usage")
        return Finished(
            stop_reason=stop,
            usage=Usage(
                input_tokens=wirejson.count(member(usage, "input_tokens")),
                cached_input_tokens=wirejson.count(member(member(usage, "input_tokens_details"), "cached_tokens")),
                output_tokens=wirejson.count(member(usage, "output_tokens")),
                reasoning_tokens=wirejson.count(member(member(usage, "output_tokens_details"), "reasoning_tokens")),
                cache_write_tokens=wirejson.count(member(member(usage, "input_tokens_details"), "cache_write_tokens")),
            ),
            model=wirejson.text(member(response, "model")),
            request_id=wirejson.text(member(response, "id")),
        )
