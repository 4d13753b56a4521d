"""A wire protocol that nobody else speaks, offered by a distribution of its own: one JSON object a line, both ways.

-> {"to": MODEL, "talk": [{"who": ROLE, "says": TEXT, "wants": [...], "got": ID}], "most": N, "care": WORD, "can"}
<- {"say": TEXT} ... {"want": {"id", "do", "with": {...}}} ... {"bye": WHY, "spent": {"in", "kept", "out", "mused"}}
<- {"oops": CODE, "why": TEXT}
"""

import json
from collections.abc import Mapping
from typing import Any, cast

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import (
    CompletionRequest,
    Event,
    Finished,
    Message,
    StopReason,
    TextDelta,
    ToolCall,
    Usage,
    WireRequest,
)
from smista_mcp.providers.failures import ErrorObject, cut_short, not_of_protocol, status_error, stream_error
from smista_mcp.providers.toolwire import SCHEMA_WORDS

_ENDS: Mapping[str, StopReason] = {"done": "stop", "full": "length", "wants": "tool_calls", "no": "content_filter"}
_STATUSES = {"busy": 429, "who": 401, "broken": 500}


class Parley:
    """The protocol, in version 2 of its server."""

    interface = 1
    words = SCHEMA_WORDS.union(
        "to talk who says system user assistant tool wants id do with got most care calm keen can what takes".split()
    )

    def encode(self, request: CompletionRequest) -> WireRequest:
        body: dict[str, object] = {"to": request.model, "talk": [_said(message) for message in request.messages]}
        if request.max_output_tokens is not None:
            body["most"] = request.max_output_tokens
        if request.effort_as is not None:
            body["care"] = request.effort_as
        if request.tools:
            body["can"] = [
                {"do": tool.name, "what": tool.description, "takes": dict(tool.parameters)} for tool in request.tools
            ]
        text = json.dumps(body, ensure_ascii=False).encode("utf-8", "replace")
        return WireRequest("/parley/2", text, {"content-type": "application/json", "x-parley": "2"})

    def decoder(self, request: CompletionRequest) -> "Listener":
        del request
        return Listener()

    def authorization(self, key: str) -> Mapping[str, str]:
        return {"x-parley-pass": key}

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        said = _object(body) or {}
        kind, why = said.get("oops"), said.get("why")
        error = ErrorObject(why if isinstance(why, str) else "")
        if kind == "full-up":
            return ProviderError(
                "the parley is full", code=Code.PROVIDER_RATE_LIMITED, status=status, retry_after_s=3.0
            )
        return status_error(status, headers, error, now=now)


PROTOCOL = Parley()


class Listener:
    """One answer."""

    def __init__(self) -> None:
        self._begun = False
        self._done = False

    def feed(self, line: bytes) -> tuple[Event, ...]:
        if self._done or not line.strip():
            return ()
        said = _object(line)
        if said is None:
            raise not_of_protocol("holds a line that is no JSON object")
        self._begun = True
        if "oops" in said:
            status = _STATUSES.get(str(said["oops"]), 500)
            raise stream_error(ErrorObject(str(said.get("why", "")), status=status))
        if isinstance(said.get("say"), str):
            return (TextDelta(said["say"]),)
        if "want" in said:
            want = _members(said["want"])
            return (ToolCall(str(want.get("id", "")), str(want.get("do", "")), json.dumps(want.get("with", {}))),)
        if "bye" in said:
            self._done = True
            return (Finished(_ENDS.get(str(said["bye"]), "unknown"), _spent(said.get("spent")), "parley-model"),)
        raise not_of_protocol("is no parley")

    def end(self) -> tuple[Event, ...]:
        raise cut_short(begun=self._begun)


def _object(text: bytes) -> dict[str, Any] | None:
    try:
        value = json.loads(text.decode("utf-8"))
    except (ValueError, RecursionError):
        return None
    return cast("dict[str, Any]", value) if isinstance(value, dict) else None


def _members(value: object) -> dict[str, Any]:
    return cast("dict[str, Any]", value) if isinstance(value, dict) else {}


def _said(message: Message) -> dict[str, object]:
    said: dict[str, object] = {"who": message.role, "says": message.content}
    if message.calls:
        said["wants"] = [{"id": c.id, "do": c.name, "with": json.loads(c.arguments)} for c in message.calls]
    if message.answers is not None:
        said["got"] = message.answers.id
    return said


def _spent(told: object) -> Usage:
    def count(name: str) -> int | None:
        value = _members(told).get(name)
        return value if type(value) is int and 0 <= value < 10**9 else None

    return Usage(count("in"), count("kept"), count("out"), count("mused"))
