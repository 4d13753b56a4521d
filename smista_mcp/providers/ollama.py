"""Ollama's own chat: `POST {base_url}/api/chat`, streamed as one JSON object a line.

Ollama cuts the front of a prompt that does not fit and answers 200. Three things stand against it: `num_ctx` is set
from the request, `truncate` and `shift` are switched off (servers that know them answer with an error instead), and
the number of prompt tokens that the server read is compared with what was sent.
"""

import json
from collections.abc import Mapping
from dataclasses import dataclass

from smista_mcp.errors import Code, ProviderError
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
from smista_mcp.providers.failures import ErrorObject, cut_short, error_of, not_of_protocol, status_error, stream_error
from smista_mcp.providers.toolwire import SCHEMA_WORDS, ToolCalls, ollama_messages, specs
from smista_mcp.providers.windows import ROOM_FOR_TEMPLATE, context_needed, prompt_tokens
from smista_mcp.providers.wirejson import member

_CLEARLY_LESS = 0.6
"""A server that read less than this part of our estimate did not read all: the estimate is never so far too high."""
_LESS = 0.9
"""The same where the estimate alone already says that it cannot have fitted."""
_STOP_REASONS: Mapping[str, StopReason] = {"stop": "stop", "length": "length"}

_WORDS = SCHEMA_WORDS.union(
    (
        "model messages role content system user assistant stream truncate shift options num_ctx num_predict"
        " temperature think low medium high tools tool function name parameters tool_calls tool_name arguments"
    ).split()
)


@dataclass(frozen=True, slots=True)
class Ollama:
    """The protocol. `base_url` is the server's root, customarily `http://127.0.0.1:11434`."""

    @property
    def words(self) -> frozenset[str]:
        return _WORDS

    def encode(self, request: CompletionRequest) -> WireRequest:
        options: dict[str, object] = {"num_ctx": context_needed(request)}
        if request.max_output_tokens is not None:
            options["num_predict"] = request.max_output_tokens
        if request.temperature is not None:
            options["temperature"] = request.temperature
        body: dict[str, object] = {
            "model": request.model,
            "messages": ollama_messages(request.messages),
            "stream": True,
            "truncate": False,
            "shift": False,
            "options": options,
        }
        if isinstance(request.effort_as, str):
            body["think"] = request.effort_as
        if request.tools:
            body["tools"] = specs(request)
        text = json.dumps(body, ensure_ascii=False, separators=(",", ":"))
        return WireRequest(
            path="/api/chat",
            body=text.encode("utf-8", "replace"),
            headers={"content-type": "application/json", "accept": "application/x-ndjson"},
        )

    def decoder(self, request: CompletionRequest) -> Decoder:
        return OllamaDecoder(num_ctx=context_needed(request), prompt_tokens=prompt_tokens(request))

    def authorization(self, key: str) -> Mapping[str, str]:
        return {"authorization": f"Bearer {key}"}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        return _with_pull(status_error(status, headers, error_of(body), now=now))


class OllamaDecoder:
    """One answer."""

    def __init__(self, *, num_ctx: int, prompt_tokens: int) -> None:
        self._num_ctx = num_ctx
        self._prompt_tokens = prompt_tokens
        self._begun = False
        self._calls = ToolCalls()
        self._finished = False

    def feed(self, line: bytes) -> tuple[Event, ...]:
        if self._finished or not line.strip():
            return ()
        try:
            chunk = wirejson.parse_object(line)
        except ValueError:
            raise not_of_protocol("is not one JSON object a line") from None
        error = chunk.get("error")
        if error is not None:
            raise _with_pull(_stream_error(error))
        self._begun = True
        message = chunk.get("message")
        if message is None and "done" not in chunk:
            raise not_of_protocol("is not a chat of Ollama")
        text = wirejson.text(chunk.get("response") if message is None else member(message, "content"))
        self._calls.feed(member(message, "tool_calls"))
        events: tuple[Event, ...] = (TextDelta(text),) if text else ()
        return (*events, *self._calls.whole(), self._finish(chunk)) if chunk.get("done") is True else events

    def end(self) -> tuple[Event, ...]:
        if not self._finished:
            raise cut_short(begun=self._begun)
        return ()

    def _finish(self, chunk: dict[str, object]) -> Finished:
        self._finished = True
        reason = chunk.get("done_reason")
        stop: StopReason = "tool_calls" if self._calls else "unknown"
        if isinstance(reason, str) and (not self._calls or reason == "length"):
            stop = _STOP_REASONS.get(reason, "unknown")
        read = wirejson.count(chunk.get("prompt_eval_count")) or None  # one that read nothing has not counted
        return Finished(
            stop_reason=stop,
            usage=Usage(input_tokens=read, output_tokens=wirejson.count(chunk.get("eval_count"))),
            model=wirejson.text(chunk.get("model")),
            truncated=read is not None and self._was_cut(read),
        )

    def _was_cut(self, read: int) -> bool:
        """Whether `read` prompt tokens cannot be all that was sent.

        A prompt that fills the window to its edge was cut there. Cut messages and a cut to half the window leave a
        smaller count, and a server may give a smaller window than was asked for: then the count is far below ours.
        """
        expected = self._prompt_tokens * (_LESS if self._prompt_tokens > self._num_ctx else _CLEARLY_LESS)
        return read >= self._num_ctx - 1 or (read < expected and self._prompt_tokens > ROOM_FOR_TEMPLATE)


def _stream_error(error: object) -> ProviderError:
    message = wirejson.text(error) or wirejson.text(member(error, "message")) or ""
    status = 404 if "not found" in message else None
    return stream_error(ErrorObject(message, status=status))


def _with_pull(error: ProviderError) -> ProviderError:
    if error.code is Code.UNKNOWN_MODEL:
        error.fix = "fetch it with `ollama pull`, or name a model that `ollama list` shows"
    return error
