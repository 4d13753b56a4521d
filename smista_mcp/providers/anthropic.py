"""Anthropic's Messages: `POST {base_url}/v1/messages`, streamed as server-sent events.

As documented at platform.claude.com/docs/en/api/messages and /api/versioning (read 2026-11-20). An effort that is a
word goes to `output_config` beside adaptive thinking; one that is a number of tokens is the budget of the older
extended thinking. A message that is to be kept ends in a `cache_control`; messages of one role that follow each other
are blocks of one. What the model thinks is never part of the answer; signed thinking goes back with the tool calls that
follow it.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from smista_mcp.errors import Cause, ProviderError
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
from smista_mcp.providers.toolwire import MAX_CALLS, SCHEMA_WORDS, arguments_of, compact
from smista_mcp.providers.wirejson import member

_WORDS = SCHEMA_WORDS.union(
    (
        "model max_tokens messages stream system temperature thinking adaptive enabled budget_tokens"
        " output_config effort low medium high xhigh tools name input_schema role content user assistant text"
        " tool_use tool_result tool_use_id id input signature redacted_thinking data cache_control type ephemeral"
    ).split()
)
_VERSION, _OLDER_VERSION = "2026-10-21", "2023-06-01"
"""Of the API. The newer takes no temperature, and its vendor calls the older deprecated."""
_MOST_OUTPUT = 8192
"""Sent where nobody says how much may be written: the field is required."""
_LEAST_BUDGET = 1024
"""Tokens of thinking below which a budget is refused."""
_STOP_REASONS: Mapping[str, StopReason] = {
    "end_turn": "stop",
    "stop_sequence": "stop",
    "max_tokens": "length",
    "model_context_window_exceeded": "length",
    "tool_use": "tool_calls",
    "refusal": "content_filter",
    "content_filter": "content_filter",  # gateways that hand on what another protocol says
}
_THINKING = ("thinking", "redacted_thinking")
_MARK: Mapping[str, object] = {"cache_control": {"type": "ephemeral"}}
"""Asks to keep the request up to the block that it stands in, for five minutes from its last use."""
_MOST_MARKS = 4
_MOST_KEPT = 4 * 1024 * 1024
"""Characters of thinking and of calls together: more than any model writes."""


@dataclass(frozen=True, slots=True)
class Anthropic:
    """The protocol. `base_url` is the root, customarily `https://api.anthropic.com`."""

    @property
    def words(self) -> frozenset[str]:
        return _WORDS

    def encode(self, request: CompletionRequest) -> WireRequest:
        most = request.max_output_tokens or _MOST_OUTPUT
        body: dict[str, object] = {
            "model": request.model,
            "max_tokens": most,
            "messages": _turns(request.messages),
            "stream": True,
            **_effort(request.effort_as, most),
        }
        if request.system:
            body["system"] = request.system
        if request.temperature is not None and "thinking" not in body:
            body["temperature"] = request.temperature
        if request.tools:
            body["tools"] = [
                {"name": tool.name, "description": tool.description, "input_schema": dict(tool.parameters)}
                for tool in request.tools
            ]
        return WireRequest(
            path="/v1/messages",
            body=compact(body).encode("utf-8", "replace"),
            headers={
                "content-type": "application/json",
                "accept": "text/event-stream",
                "anthropic-version": _OLDER_VERSION if "temperature" in body else _VERSION,
            },
        )

    def decoder(self, request: CompletionRequest) -> Decoder:
        del request
        return MessagesDecoder()

    def authorization(self, key: str) -> Mapping[str, str]:
        return {"x-api-key": key}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        return status_error(status, headers, error_of(body), now=now)


def _effort(told: str | int | None, most: int) -> dict[str, object]:
    if isinstance(told, str):
        return {"thinking": {"type": "adaptive"}, "output_config": {"effort": told}}
    budget = told or 0
    fits = _LEAST_BUDGET <= budget < most
    return {"thinking": {"type": "enabled", "budget_tokens": budget}} if fits else {}


def _turns(messages: tuple[Message, ...]) -> list[dict[str, object]]:
    """Turns of user and assistant by turns; messages of one role that stand in a row share one turn."""
    said = [message for message in messages if message.role != "system"]
    marked = [place for place, message in enumerate(said) if message.kept][-_MOST_MARKS:]
    found: list[dict[str, object]] = []
    blocks: list[dict[str, object]] = []
    for place, message in enumerate(said):
        role = "assistant" if message.role == "assistant" else "user"
        if not found or found[-1]["role"] != role:
            blocks = []
            found.append({"role": role, "content": blocks})
        blocks += _blocks(message)
        if place in marked:
            blocks[-1] = {**blocks[-1], **_MARK}
    return [{**turn, "content": _plain(turn["content"])} for turn in found]


def _plain(content: object) -> object:
    """A text alone needs no block."""
    blocks = wirejson.items(content)
    alone = dict(wirejson.pairs(blocks[0])) if len(blocks) == 1 else {}
    return alone["text"] if alone.keys() == {"type", "text"} else content


def _blocks(message: Message) -> list[dict[str, object]]:
    if message.answers is not None:
        return [{"type": "tool_result", "tool_use_id": message.answers.id, "content": message.content}]
    return _called(message) if message.calls else [{"type": "text", "text": message.content}]


def _called(message: Message) -> list[dict[str, object]]:
    blocks: list[dict[str, object]] = []
    for call in message.calls:
        blocks += _carried(call)
    if message.content:
        blocks.append({"type": "text", "text": message.content})
    for call in message.calls:
        use: dict[str, object] = {"type": "tool_use", "id": call.id, "name": call.name}
        use["input"] = arguments_of(call) or {}
        blocks.append(use)
    return blocks


def _carried(call: ToolCall) -> list[dict[str, object]]:
    """The blocks of thinking that came before a call."""
    return [dict(wirejson.pairs(one)) for one in wirejson.items(json.loads(call.carry))] if call.carry else []


class _Block:
    """A block of content while its pieces come in."""

    __slots__ = ("given", "kind", "pieces", "signature")

    def __init__(self, kind: str, given: object) -> None:
        self.kind = kind
        self.given = given
        self.pieces: list[str] = []
        self.signature: list[str] = []


class MessagesDecoder(EventDecoder):
    """One answer."""

    def __init__(self) -> None:
        super().__init__("Anthropic's Messages")
        self._open: dict[int, _Block] = {}
        self._thinking: list[object] = []
        self._calls: list[ToolCall] = []
        self._size = 0
        self._usage: dict[str, object] = {}
        self._model: str | None = None
        self._request_id: str | None = None
        self._stop: StopReason | None = None

    def _ended(self, whole: dict[str, object] | None) -> tuple[Event, ...]:
        if whole is not None:
            return self._whole(whole)
        raise cut_short(begun=self._events.begun)  # a stream ends with `message_stop`, whatever stood before

    def _event(self, event: dict[str, object]) -> tuple[Event, ...]:
        kind = event.get("type")
        if kind == "content_block_delta":
            return self._delta(event)
        if kind == "error" or event.get("error") is not None:
            raise stream_error(error_object(event))
        if kind == "message_start":
            self._note(event.get("message"))
        elif kind == "content_block_start":
            block = event.get("content_block")
            opened = _Block(wirejson.text(member(block, "type")) or "", block)
            self._open[wirejson.count(event.get("index")) or 0] = opened
            text = wirejson.text(member(block, "text")) if opened.kind == "text" else None
            return (TextDelta(text),) if text else ()
        elif kind == "content_block_stop":
            self._close(self._open.pop(wirejson.count(event.get("index")) or 0, None))
        elif kind == "message_delta":
            self._note_end(event.get("delta"), event.get("usage"))
        elif kind == "message_stop":
            return self._finish()
        return ()  # pings, and what is to come

    def _delta(self, event: dict[str, object]) -> tuple[Event, ...]:
        delta = event.get("delta")
        kind = member(delta, "type")
        if kind == "text_delta":
            text = wirejson.text(member(delta, "text"))
            return (TextDelta(text),) if text else ()
        block = self._open.get(wirejson.count(event.get("index")) or 0)
        if block is None:
            raise not_of_protocol("goes on with a block that never began")
        if kind == "input_json_delta":
            self._keep(block.pieces, member(delta, "partial_json"))
        elif kind == "thinking_delta":
            self._keep(block.pieces, member(delta, "thinking"))
        elif kind == "signature_delta":
            self._keep(block.signature, member(delta, "signature"))
        return ()

    def _keep(self, into: list[str], piece: object) -> None:
        text = wirejson.text(piece) or ""
        self._size += len(text)
        if self._size > _MOST_KEPT:
            raise not_of_protocol("thinks or calls more than an answer may")
        into.append(text)

    def _close(self, block: _Block | None) -> None:
        if block is None:
            return
        if block.kind in _THINKING:
            said = dict(wirejson.pairs(block.given))
            if block.kind == "thinking":
                said["thinking"] = f"{wirejson.text(said.get('thinking')) or ''}{''.join(block.pieces)}"
                said["signature"] = f"{wirejson.text(said.get('signature')) or ''}{''.join(block.signature)}"
            self._thinking.append(said)
        elif block.kind == "tool_use":
            self._call(block.given, "".join(block.pieces))

    def _call(self, block: object, pieces: str) -> None:
        given = member(block, "input")
        carry = compact(self._thinking) if self._thinking else ""
        self._thinking = []
        self._calls.append(
            ToolCall(
                id=wirejson.text(member(block, "id")) or "",
                name=wirejson.text(member(block, "name")) or "",
                arguments=pieces or (compact(given) if wirejson.pairs(given) else ""),
                carry=carry,
            )
        )
        if len(self._calls) > MAX_CALLS:
            raise not_of_protocol("calls more tools than an answer may")

    def _whole(self, answer: dict[str, object]) -> tuple[Event, ...]:
        if answer.get("error") is not None:
            raise stream_error(error_object(answer))
        if answer.get("type") != "message":
            raise not_of_protocol("is no message of Anthropic's")
        self._note(answer)
        texts: list[Event] = []
        for block in wirejson.items(answer.get("content")):
            kind = wirejson.text(member(block, "type")) or ""
            text = wirejson.text(member(block, "text")) if kind == "text" else None
            if text:
                texts.append(TextDelta(text))
            self._close(_Block(kind, block))
        self._note_end(answer, answer.get("usage"))
        return (*texts, *self._finish())

    def _note(self, message: object) -> None:
        self._model = wirejson.text(member(message, "model")) or self._model
        self._request_id = wirejson.text(member(message, "id")) or self._request_id
        self._usage.update(wirejson.pairs(member(message, "usage")))

    def _note_end(self, said: object, usage: object) -> None:
        """The counts at the end replace those at the beginning; the end repeats some of them, and not all."""
        reason = member(said, "stop_reason")
        if isinstance(reason, str) and reason:
            self._stop = _STOP_REASONS.get(reason, "unknown")
        self._usage.update((name, value) for name, value in wirejson.pairs(usage) if value is not None)

    def _finish(self) -> tuple[Event, ...]:
        self._finished = True
        if self._stop is None:
            raise not_of_protocol("ended without saying why")
        if any(block.kind == "tool_use" for block in self._open.values()):
            raise not_of_protocol("ended inside a call", cause=Cause.CUT)
        return (*self._calls, Finished(self._stop, _usage(self._usage), self._model, self._request_id))


def _usage(usage: Mapping[str, object]) -> Usage:
    """Anthropic counts what it read from its cache, or wrote there, beside `input_tokens` and not in it."""
    fresh = wirejson.count(usage.get("input_tokens"))
    read = wirejson.count(usage.get("cache_read_input_tokens"))
    written = wirejson.count(usage.get("cache_creation_input_tokens"))
    return Usage(
        input_tokens=None if fresh is None else fresh + (read or 0) + (written or 0),
        cached_input_tokens=read,
        output_tokens=wirejson.count(usage.get("output_tokens")),
        reasoning_tokens=wirejson.count(member(usage.get("output_tokens_details"), "thinking_tokens")),
        cache_write_tokens=written,
    )
