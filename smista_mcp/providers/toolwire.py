"""Tool calls on the wire: what two protocols write almost alike, and what servers make of it.

Servers differ: some number every call 0, some give no number or no id, some send arguments as an object. A call that
cannot be read as JSON is still a call; whoever runs tools answers it. What we send back must be readable: servers
parse the arguments of earlier calls for their template, and fail on what a model wrote badly.
"""

import json
from collections.abc import Collection, Sequence

from smista_mcp.core.pieces import sendable
from smista_mcp.core.readtools import UNKNOWN_TOOL
from smista_mcp.providers import wirejson
from smista_mcp.providers.base import CompletionRequest, Message, ToolCall
from smista_mcp.providers.failures import not_of_protocol
from smista_mcp.providers.wirejson import member

SCHEMA_WORDS = frozenset(
    (
        "type description properties required object array string integer number boolean items enum default"
        " additionalProperties minimum maximum"
    ).split()
)
"""What may stand in the schema of a tool's arguments, besides what the tool says itself."""
MAX_CALLS = 64
MAX_CALL_BYTES = 256 * 1024
"""Calls of one answer, and what they hold together: more is no answer that anybody can act on."""


class _Open:
    """A call while its pieces come in."""

    __slots__ = ("arguments", "id", "index", "name")

    def __init__(self, index: int | None) -> None:
        self.index = index
        self.id = ""
        self.name = ""
        self.arguments: list[str] = []


class ToolCalls:
    """The calls of one answer, gathered from its pieces."""

    def __init__(self) -> None:
        self._calls: list[_Open] = []
        self._size = 0

    def __bool__(self) -> bool:
        return bool(self._calls)

    def feed(self, pieces: object) -> None:
        """Takes the `tool_calls` of a delta or a message, None included.

        Raises:
            ProviderError: `provider_protocol` where they are no list of objects, or more than any answer may hold.
        """
        if pieces is None:
            return
        calls = wirejson.items(pieces)
        if not calls and pieces != []:
            raise not_of_protocol("holds tool calls that are no list")
        for piece in calls:
            if not wirejson.pairs(piece) and piece != {}:
                raise not_of_protocol("holds a tool call that is no object")
            self._piece(piece)

    def whole(self) -> tuple[ToolCall, ...]:
        """All calls in the order in which they began."""
        return tuple(ToolCall(call.id, call.name, "".join(call.arguments)) for call in self._calls)

    def _piece(self, piece: object) -> None:
        function = member(piece, "function")
        name = wirejson.text(member(function, "name")) or ""
        arguments = member(function, "arguments")
        whole = wirejson.pairs(arguments) or arguments == {}
        text = compact(arguments) if whole else wirejson.text(arguments) or ""
        call = self._belonging(piece, name)
        call.name = call.name or name
        call.arguments.append(text)
        self._size += len(name) + len(text.encode("utf-8", "replace"))
        if len(self._calls) > MAX_CALLS or self._size > MAX_CALL_BYTES:
            raise not_of_protocol("calls more tools than an answer may")

    def _belonging(self, piece: object, name: str) -> _Open:
        """The call that a piece goes on with, or a new one: another id, or another name, is another call."""
        index = wirejson.count(member(piece, "index"))
        id_ = wirejson.text(member(piece, "id")) or ""
        for call in reversed(self._calls):
            if index is not None and call.index != index:
                continue
            if call.name and ((id_ and id_ != call.id) or (name and not id_)):
                break  # a number that is used again, or none at all
            call.id = call.id or id_
            return call
        call = _Open(index)
        call.id = id_
        self._calls.append(call)
        return call


def compact(value: object) -> str:
    """JSON without white space, its characters unescaped."""
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def specs(request: CompletionRequest) -> list[dict[str, object]]:
    """The tools of a request, as both protocols describe them."""
    return [
        {
            "type": "function",
            "function": {"name": tool.name, "description": tool.description, "parameters": dict(tool.parameters)},
        }
        for tool in request.tools
    ]


def arguments_of(call: ToolCall) -> dict[str, object] | None:
    """The arguments as an object; None where they are none. No text at all stands for no arguments."""
    if not call.arguments.strip():
        return {}
    try:
        return wirejson.parse_object(call.arguments.encode("utf-8", "replace"))
    except ValueError:
        return None


def readable(call: ToolCall, number: int, known: Collection[str]) -> ToolCall:
    """A call as it goes back to a server: an id of ours, a name that we know, arguments that are an object.

    Args:
        call: as the model made it.
        number: its place among all calls of a conversation.
        known: the names of our tools.
    """
    name = call.name if call.name in known else UNKNOWN_TOOL
    return ToolCall(f"call{number:05d}", name, sendable(compact(arguments_of(call) or {})), call.carry)


def chat_messages(messages: Sequence[Message]) -> list[dict[str, object]]:
    """Messages in the words of chat completions. Calls in them are `readable` ones."""
    found: list[dict[str, object]] = []
    for message in messages:
        turn: dict[str, object] = {"role": message.role, "content": message.content}
        if message.calls:
            turn["content"] = message.content or None
            turn["tool_calls"] = [
                {"id": call.id, "type": "function", "function": {"name": call.name, "arguments": call.arguments}}
                for call in message.calls
            ]
        elif message.answers is not None:
            turn["tool_call_id"] = message.answers.id
        found.append(turn)
    return found


def ollama_messages(messages: Sequence[Message]) -> list[dict[str, object]]:
    """Messages in Ollama's words: arguments as objects, results by the name of their tool."""
    found: list[dict[str, object]] = []
    for message in messages:
        turn: dict[str, object] = {"role": message.role, "content": message.content}
        if message.calls:
            turn["tool_calls"] = [
                {"function": {"name": call.name, "arguments": arguments_of(call) or {}}} for call in message.calls
            ]
        elif message.answers is not None:
            turn["tool_name"] = message.answers.name
        found.append(turn)
    return found
