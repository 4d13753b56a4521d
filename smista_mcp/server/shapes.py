"""The few messages of which the answer is known before the protocol library is there, in exactly their usual shapes.

Whatever is odd in a line, even harmlessly, makes it none of them: then the library reads it and decides. What is taken
here the library takes too; a test draws lines to show that.
"""

import json
from collections.abc import Mapping
from typing import NamedTuple, NoReturn, TypeGuard

VERSION_KEY = "io.modelcontextprotocol/protocolVersion"
CLIENT_KEY = "io.modelcontextprotocol/clientInfo"
CAPABILITIES_KEY = "io.modelcontextprotocol/clientCapabilities"
INITIALIZED = "notifications/initialized"
LISTS = ("tools/list", "prompts/list", "resources/list", "resources/templates/list")
"""They are the same whatever happens."""
METHODS = ("initialize", "server/discover", *LISTS, "ping")
"""Requests whose answers are kept."""

LONGEST = 1 << 16
"""Bytes of a line at most; longer ones are for the library."""
_OPENERS = 200
"""Objects and lists in a line at most, so that none is too deep for any reader of JSON."""
_LARGEST_ID = 1 << 53

_Schema = Mapping[str, object]
_FLAG = bool
_CLIENT: _Schema = {"name": str, "title": str, "version": str, "description": str, "websiteUrl": str}
_TASKS: _Schema = {
    "list": {},
    "cancel": {},
    "requests": {"sampling": {"createMessage": {}}, "elicitation": {"create": {}}},
}
_CAPABILITIES: _Schema = {
    "roots": {"listChanged": _FLAG},
    "sampling": {"tools": {}, "context": {}},
    "elicitation": {"form": {}, "url": {}},
    "tasks": _TASKS,
}
_OPEN = ("experimental", "extensions")
"""Capabilities whose names are anybody's; each has an object of settings."""


class Known(NamedTuple):
    """A message whose answer is known.

    Attributes:
        id: of the request; None for the notification.
        version: the revision that the message names: the one asked for, or that of its envelope.
        message: all of it.
    """

    method: str
    id: int | str | None
    version: str | None
    message: Mapping[str, object]


def read(line: bytes) -> Known | None:
    """What a line says, if it is one of the usual messages; None for all others."""
    # an escape may stand for half a character, which Python takes and others do not; a lone return ends a line
    if len(line) > LONGEST or b"\\u" in line or b"\r" in line.removesuffix(b"\r\n") or _is_deep(line):
        return None
    try:
        message: object = json.loads(
            line.decode(), object_pairs_hook=_once, parse_float=_refused, parse_constant=_refused
        )
    except (ValueError, RecursionError):
        return None
    if not _is_object(message) or message.get("jsonrpc") != "2.0":
        return None
    return _notification(message) if "id" not in message else _request(message)


def _is_deep(line: bytes) -> bool:
    return line.count(b"{") + line.count(b"[") > _OPENERS


def _once(pairs: list[tuple[str, object]]) -> dict[str, object]:
    found = dict(pairs)
    if len(found) != len(pairs):
        raise ValueError("a key twice")
    return found


def _refused(text: str) -> NoReturn:
    raise ValueError(text)


def _notification(message: Mapping[str, object]) -> Known | None:
    usual = {"jsonrpc": "2.0", "method": INITIALIZED}
    return Known(INITIALIZED, None, None, message) if message in (usual, usual | {"params": {}}) else None


def _request(message: Mapping[str, object]) -> Known | None:
    asked, method, params = message["id"], message.get("method"), message.get("params", {})
    if not _is_id(asked) or not isinstance(method, str) or method not in METHODS or not _is_object(params):
        return None
    if not message.keys() <= {"jsonrpc", "id", "method", "params"}:
        return None
    if method == "initialize":
        usual = set(params) == {"protocolVersion", "capabilities", "clientInfo"}
        version, client, capabilities = (params.get(key) for key in ("protocolVersion", "clientInfo", "capabilities"))
        if usual and isinstance(version, str) and _is_client(client) and _are_capabilities(capabilities):
            return Known(method, asked, version, message)
        return None
    meta = params.get("_meta", {})
    if not params.keys() <= {"_meta"} or not _is_object(meta):
        return None
    if "progressToken" in meta and not _is_id(meta["progressToken"]):
        return None
    named = meta.keys() - {"progressToken"}
    if not named:
        return Known(method, asked, None, message)
    version = meta.get(VERSION_KEY)
    whole = {VERSION_KEY, CAPABILITIES_KEY} <= named <= {VERSION_KEY, CAPABILITIES_KEY, CLIENT_KEY}
    if not (whole and isinstance(version, str) and _are_capabilities(meta[CAPABILITIES_KEY])):
        return None
    return Known(method, asked, version, message) if CLIENT_KEY not in meta or _is_client(meta[CLIENT_KEY]) else None


def _is_id(value: object) -> TypeGuard[int | str]:
    # True is an int, and no id
    return isinstance(value, str) or (type(value) is int and -_LARGEST_ID < value < _LARGEST_ID)


def _is_client(value: object) -> bool:
    return _is_object(value) and {"name", "version"} <= value.keys() and _fits(value, _CLIENT)


def _are_capabilities(value: object) -> bool:
    if not _is_object(value):
        return False
    for name in _OPEN:
        settings = value.get(name, {})
        if not _is_object(settings) or not all(map(_is_object, settings.values())):
            return False
    return _fits({name: inner for name, inner in value.items() if name not in _OPEN}, _CAPABILITIES)


def _fits(value: Mapping[str, object], schema: _Schema) -> bool:
    """Whether a value has nothing but what the schema names, each of its type."""
    for name, inner in value.items():
        wanted = schema.get(name)
        if isinstance(wanted, type):
            if type(inner) is not wanted:
                return False
        elif not (_is_object(wanted) and _is_object(inner) and _fits(inner, wanted)):
            return False
    return True


def _is_object(value: object) -> TypeGuard[Mapping[str, object]]:
    return isinstance(value, dict)
