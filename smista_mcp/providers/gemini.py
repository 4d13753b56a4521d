"""Google's Gemini: `POST {base_url}/v1beta/models/MODEL:streamGenerateContent?alt=sse`.

As documented at ai.google.dev/api/generate-content and ai.google.dev/gemini-api/docs/thinking (read 2026-11-20). An
effort that is a word is a thinking level, one that is a number a thinking budget. What the model thinks is never part
of the answer; the signature of a thought goes back with the call that it led to, as newer models demand.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import quote

from smista_mcp.errors import Code, ProviderError
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
from smista_mcp.providers.failures import (
    ErrorObject,
    cut_short,
    error_object,
    not_of_protocol,
    status_error,
    stream_error,
)
from smista_mcp.providers.toolwire import MAX_CALLS, SCHEMA_WORDS, arguments_of, compact
from smista_mcp.providers.wirejson import member

_WORDS = SCHEMA_WORDS.union(
    (
        "contents role user model parts text systemInstruction generationConfig maxOutputTokens temperature"
        " thinkingConfig low medium high thinkingLevel thinkingBudget tools functionDeclarations name"
        " parametersJsonSchema functionCall args id thoughtSignature functionResponse response output"
    ).split()
)
_FOLDERS = ("models/", "tunedModels/")
_STOP_REASONS: Mapping[str, StopReason] = {
    "STOP": "stop",
    "MAX_TOKENS": "length",
    **dict.fromkeys(
        ("SAFETY", "RECITATION", "BLOCKLIST", "PROHIBITED_CONTENT", "SPII", "LANGUAGE", "MODEL_ARMOR"),
        "content_filter",
    ),
}
_BROKEN = frozenset({"MALFORMED_FUNCTION_CALL", "UNEXPECTED_TOOL_CALL", "MALFORMED_RESPONSE"})
"""The model wrote what its own server could not read."""


@dataclass(frozen=True, slots=True)
class Gemini:
    """The protocol. `base_url` is the root, customarily `https://generativelanguage.googleapis.com`."""

    @property
    def words(self) -> frozenset[str]:
        return _WORDS

    def encode(self, request: CompletionRequest) -> WireRequest:
        settings: dict[str, object] = {}
        if request.max_output_tokens is not None:
            settings["maxOutputTokens"] = request.max_output_tokens
        if request.temperature is not None:
            settings["temperature"] = request.temperature
        if request.effort_as is not None:
            name = "thinkingLevel" if isinstance(request.effort_as, str) else "thinkingBudget"
            settings["thinkingConfig"] = {name: request.effort_as}
        body: dict[str, object] = {"contents": _contents(request.messages)}
        if request.system:
            body["systemInstruction"] = {"parts": [{"text": request.system}]}
        if settings:
            body["generationConfig"] = settings
        if request.tools:
            told = [
                {"name": tool.name, "description": tool.description, "parametersJsonSchema": dict(tool.parameters)}
                for tool in request.tools
            ]
            body["tools"] = [{"functionDeclarations": told}]
        model = request.model if request.model.startswith(_FOLDERS) else f"models/{request.model}"
        if {".", ".."} & set(model.split("/")):
            raise ProviderError(
                "the model's name leads to another address", fix="name a model of Gemini's", code=Code.UNKNOWN_MODEL
            )
        return WireRequest(
            path=f"/v1beta/{quote(model)}:streamGenerateContent?alt=sse",
            body=compact(body).encode("utf-8", "replace"),
            headers={"content-type": "application/json", "accept": "text/event-stream"},
        )

    def decoder(self, request: CompletionRequest) -> Decoder:
        del request
        return GeminiDecoder()

    def authorization(self, key: str) -> Mapping[str, str]:
        return {"x-goog-api-key": key}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        said = _said(body)
        wait = _wait(said)
        if wait and "retry-after" not in headers:
            headers = {**headers, "retry-after": wait}
        return status_error(status, headers, _error(said), now=now)


def _said(body: bytes) -> object:
    """The error object of a body, which may stand in a list."""
    text = body.strip()
    if text.startswith(b"[") and text.endswith(b"]"):
        text = text[1:-1].strip()
    try:
        return wirejson.parse_object(text)
    except ValueError:
        return {}


def _error(said: object) -> ErrorObject:
    found = error_object(dict(wirejson.pairs(said)))
    status = wirejson.text(member(member(said, "error"), "status"))
    return ErrorObject(found.message, found.words | {status.lower()} if status else found.words, found.status)


def _wait(said: object) -> str:
    """The seconds of a `RetryInfo`, as a header says them."""
    for detail in wirejson.items(member(member(said, "error"), "details")):
        delay = wirejson.text(member(detail, "retryDelay"))
        seconds = re.fullmatch(r"([0-9]{1,9}(?:\.[0-9]{1,3})?)[0-9]*s", delay or "")
        if seconds:
            return seconds[1]
    return ""


def _contents(messages: Sequence[Message]) -> list[object]:
    """Turns of user and model; results of functions that stand in a row share one turn."""
    found: list[object] = []
    results: list[object] = []
    for message in messages:
        if message.answers is not None:
            call = message.answers
            told: dict[str, object] = {"name": call.name, "response": {"output": message.content}}
            results.append({"functionResponse": {**told, "id": call.id} if call.id else told})
            if len(results) == 1:
                found.append({"role": "user", "parts": results})
            continue
        results = []
        if message.role == "system":
            continue
        parts: list[object] = [{"text": message.content}] if message.content or not message.calls else []
        parts += map(_called, message.calls)
        found.append({"role": "user" if message.role == "user" else "model", "parts": parts})
    return found


def _called(call: ToolCall) -> dict[str, object]:
    told: dict[str, object] = {"name": call.name, "args": arguments_of(call) or {}}
    if call.id:
        told["id"] = call.id
    return {"functionCall": told, "thoughtSignature": call.carry} if call.carry else {"functionCall": told}


class GeminiDecoder(EventDecoder):
    """One answer. Google sends no last event: an answer is complete once a finish reason stood in it."""

    def __init__(self) -> None:
        super().__init__("Gemini")
        self._calls: list[ToolCall] = []
        self._usage: object = None
        self._model: str | None = None
        self._request_id: str | None = None
        self._stop: StopReason | None = None

    def end(self) -> tuple[Event, ...]:
        """As in `Decoder`. Servers that were not asked for events, or do not know them, send the chunks as one list."""
        chunks = None if self._finished else self._events.listed()
        return super().end() if chunks is None else self._ended_with(chunks)

    def _ended(self, whole: dict[str, object] | None) -> tuple[Event, ...]:
        return self._ended_with([] if whole is None else [whole])

    def _ended_with(self, chunks: Sequence[dict[str, object]]) -> tuple[Event, ...]:
        texts = [event for chunk in chunks for event in self._event(chunk)]
        if self._stop is None:
            raise cut_short(begun=self._events.begun or bool(chunks))
        return (*texts, *self._finish())

    def _event(self, chunk: dict[str, object]) -> tuple[Event, ...]:
        if chunk.get("error") is not None:
            raise stream_error(_error(chunk))
        self._model = wirejson.text(chunk.get("modelVersion")) or self._model
        self._request_id = wirejson.text(chunk.get("responseId")) or self._request_id
        self._usage = chunk.get("usageMetadata") or self._usage
        if member(chunk.get("promptFeedback"), "blockReason"):
            self._stop = "content_filter"
        texts: tuple[Event, ...] = ()
        for candidate in wirejson.items(chunk.get("candidates")):
            if not member(candidate, "index"):  # we ask for one
                for part in wirejson.items(member(member(candidate, "content"), "parts")):
                    texts = (*texts, *self._part(part))
                self._note_stop(member(candidate, "finishReason"))
        return texts

    def _part(self, part: object) -> tuple[Event, ...]:
        call = member(part, "functionCall")
        if call is not None:
            self._calls.append(
                ToolCall(
                    id=wirejson.text(member(call, "id")) or "",
                    name=wirejson.text(member(call, "name")) or "",
                    arguments=compact(member(call, "args") or {}),
                    carry=wirejson.text(member(part, "thoughtSignature")) or "",
                )
            )
            if len(self._calls) > MAX_CALLS:
                raise not_of_protocol("calls more tools than an answer may")
            return ()
        text = wirejson.text(member(part, "text"))
        return (TextDelta(text),) if text and member(part, "thought") is not True else ()

    def _note_stop(self, reason: object) -> None:
        if not isinstance(reason, str) or reason == "FINISH_REASON_UNSPECIFIED":
            return
        if reason in _BROKEN:
            raise not_of_protocol("holds a function call that its own server could not read")
        self._stop = _STOP_REASONS.get(reason, "unknown")

    def _finish(self) -> tuple[Event, ...]:
        self._finished = True
        stop = self._stop or "unknown"
        if self._calls and stop in ("stop", "unknown"):
            stop = "tool_calls"
        return (*self._calls, Finished(stop, _usage(self._usage), self._model, self._request_id))


def _usage(usage: object) -> Usage:
    """Gemini counts thoughts beside the answer's tokens, and pays them alike."""
    asked, tools = (wirejson.count(member(usage, f"{name}TokenCount")) for name in ("prompt", "toolUsePrompt"))
    said, thought = (wirejson.count(member(usage, f"{name}TokenCount")) for name in ("candidates", "thoughts"))
    return Usage(
        input_tokens=None if asked is None else asked + (tools or 0),
        cached_input_tokens=wirejson.count(member(usage, "cachedContentTokenCount")),
        output_tokens=None if said is None and thought is None else (said or 0) + (thought or 0),
        reasoning_tokens=thought,
    )
