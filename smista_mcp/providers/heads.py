"""What a request that somebody else's code has made may look like, apart from its words: those are for the gate.

A head holds no credential, says nothing of where the request goes or how it is framed, and nothing of the task. The
body is one JSON text, of bounded size, that says the limits which were asked for.
"""

import json
import re
from collections.abc import Iterator, Mapping
from types import MappingProxyType
from typing import cast
from urllib.parse import unquote

from smista_mcp.providers.base import CompletionRequest, WireRequest

STAND_IN = "Stand.In-For_the_Key-7f3a"
"""Goes to a protocol in place of a key, which is then put where this stands."""
MAX_REQUEST = 32 * 1024 * 1024
"""Bytes of a body: more than the largest window takes."""
_MAX_HEADERS = 16
_MAX_PATH = 2000
_PATH = re.compile(r"/[A-Za-z0-9._~!$&'()*+,;=:@%/-]*(?:\?[A-Za-z0-9._~!$&'()*+,;=:@%/?-]*)?")
_NAME = re.compile(r"[a-z0-9](?:[a-z0-9-]{0,62}[a-z0-9])?")
_VALUE = re.compile(r"[\x21-\x7e](?:[\x20-\x7e]{0,254}[\x21-\x7e])?")
_OURS = frozenset(
    (
        "host connection keep-alive proxy-connection content-length transfer-encoding te trailer upgrade expect"
        " accept-encoding content-encoding user-agent cookie cookie2 forwarded via referer origin http2-settings range"
    ).split()
)
"""What only the sender says of a request."""
_CREDENTIAL = re.compile(r"auth|key|token|secret|passw|cookie|session|signature|credential")
_FORWARDS = re.compile(r"x-forwarded-|proxy-|x-http-method|x-original-|x-rewrite-")


def still_headers(headers: object) -> object:
    """Headers that say the same whenever they are asked: a copy. Made where other people's code may run, for it may."""
    if type(headers) is not dict and type(headers) is not MappingProxyType:  # no headers, which is said later
        return headers
    return dict(cast("Mapping[object, object]", headers))


def still_wire(wire: object) -> object:
    """A request that nobody else holds, with headers as above."""
    if type(wire) is not WireRequest:
        return wire
    return WireRequest(wire.path, wire.body, cast("Mapping[str, str]", still_headers(wire.headers)), wire.method)


def head_fault(wire: object) -> str | None:
    """Why this is no request with a head that may leave, as what follows `a request that`; None where it is one."""
    if type(wire) is not WireRequest:
        return "is no `WireRequest`"
    if type(wire.method) is not str or wire.method != "POST":
        return "is no POST"
    path: object = wire.path
    if type(path) is not str or len(path) > _MAX_PATH or not _PATH.fullmatch(path) or path.startswith("//"):
        return "has a path that is no relative one, such as `/v1/ask`"
    steps = unquote(path.partition("?")[0]).replace("\\", "/").split("/")
    if "." in steps or ".." in steps:
        return "has a path that leads upwards"
    if not _is_headers(wire.headers):
        return "has headers that are none: names in lower case, values in printable ASCII"
    for name in wire.headers:
        if _is_ours(name):
            return f"says `{name}`, which is the sender's to say"
        if _CREDENTIAL.search(name):
            return f"says `{name}`, which is a name for a credential"
    body: object = wire.body
    if type(body) is not bytes or not body:
        return "has a body that is no bytes"
    return f"has a body of more than {MAX_REQUEST} bytes" if len(body) > MAX_REQUEST else None


def key_headers(headers: object) -> Mapping[str, str] | str:
    """The headers that carry a key, from those made for `STAND_IN`; what is wrong with them where they are none."""
    if not _is_headers(headers):
        return "are none: names in lower case, values in printable ASCII"
    found = cast("Mapping[str, str]", headers)
    if not found or any(value.count(STAND_IN) != 1 for value in found.values()):
        return "do not hold the key as it is, once in each"
    if any(_is_ours(name) or name in ("content-type", "accept") for name in found):
        return "are the sender's to say"
    return dict(found)


def body_fault(body: bytes, request: CompletionRequest) -> str | None:
    """Why this is no body for a request, as what follows `a request that`; None where it is one.

    What its texts are is looked at right before it leaves; here only what nobody else could notice.
    """
    try:
        value: object = json.loads(str(body, "utf-8"))
    except (ValueError, RecursionError):
        return "has a body that is no JSON"
    if not isinstance(value, dict):
        return "has a body that is no JSON object"
    leaves = list(_leaves(cast("object", value)))
    if request.max_output_tokens is not None and not _holds(leaves, request.max_output_tokens):
        return "does not say how long its answer may be (`max_output_tokens`)"
    if request.effort_as is not None and not _holds(leaves, request.effort_as):
        return "does not say the effort that it was given (`effort_as`); take `effort` out of its `[catalog]` entry"
    return None


def _holds(leaves: list[object], wanted: str | int) -> bool:
    return any(type(leaf) is type(wanted) and leaf == wanted for leaf in leaves)


def _leaves(value: object) -> Iterator[object]:
    """Everything in a JSON value that is neither an object nor an array; names of fields are left out."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, dict):
            pending.extend(cast("dict[str, object]", value).values())
        elif isinstance(value, list):
            pending.extend(cast("list[object]", value))
        else:
            yield value


def _is_headers(headers: object) -> bool:
    if type(headers) is not dict:  # others, a read-only view of one too, could do anything when asked
        return False
    found = list(cast("dict[object, object]", headers).items())
    return len(found) <= _MAX_HEADERS and all(
        type(name) is str and type(value) is str and _NAME.fullmatch(name) and _VALUE.fullmatch(value)
        for name, value in found
    )


def _is_ours(name: str) -> bool:
    return name in _OURS or _FORWARDS.match(name) is not None
