"""A quick look at local model servers, for a decision: what is there, how large its window is, whether it forwards.

Written on plain sockets, because a decision must not pay for an HTTP client. Only loopback addresses are ever asked.
"""

import json
import math
import socket
import threading
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smista_mcp.core.addresses import Address
from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.values import Locality
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers import livefacts, wirejson
from smista_mcp.providers.loopback import host_header, is_sendable, loopback_hosts, parse_loopback

DEADLINE_S = 0.3
_CAP = 1024 * 1024
_MAX_SHOWN = 8
_LONGEST_SIZE_LINE = 1024
"""Bytes of the line before a chunk."""
_LONGEST_FIGURE = 12
"""Digits of a length that may count."""


@dataclass(frozen=True, slots=True)
class ProbeTarget:
    """A server to look at.

    Attributes:
        kind: the protocol's word: `ollama` is asked in its own way, everything else for `/models`.
        wanted: names of models whose window and capabilities a decision needs; only Ollama is asked for each.
    """

    name: str
    kind: str
    base_url: str
    locality: Locality
    key: str | None = field(default=None, repr=False)
    wanted: tuple[str, ...] = ()


def probe_all(targets: Sequence[ProbeTarget], *, deadline_s: float = DEADLINE_S) -> dict[str, ProviderFacts]:
    """Looks at all servers at once; returns at the deadline with whatever is known by then."""
    end = time.monotonic() + deadline_s
    found: dict[str, ProviderFacts] = {}
    threads = [
        threading.Thread(target=_note, args=(found, target, end), name=f"probe {target.name}", daemon=True)
        for target in targets
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(max(0.0, end + 0.05 - time.monotonic()))
    known = dict(found)
    late = "did not answer in time"
    return {
        target.name: known.get(target.name) or ProviderFacts(target.locality, reachable=False, detail=late)
        for target in targets
    }


def probe(target: ProbeTarget, *, end: float) -> ProviderFacts:
    """Looks at one server until `end`, a time of the monotonic clock. Never raises for what it finds."""
    try:
        address = parse_loopback(target.base_url)
    except ProviderError:
        return ProviderFacts(target.locality, detail="not asked: it is not on this machine")
    caller = _Caller(address, target.key, end)
    try:
        models = _ollama(caller, target.wanted) if target.kind == "ollama" else _served(caller)
    except _Declined as refusal:
        return ProviderFacts(
            target.locality,
            reachable=True,
            credentials=refusal.status not in (401, 403),
            detail=f"answers {refusal.status} when asked for its models",
        )
    except ConnectionRefusedError:
        detail = f"nothing listens at {host_header(address)}"
    except (TimeoutError, OSError, ProviderError) as error:
        detail = "did not answer in time" if isinstance(error, TimeoutError) else "cannot be reached"
    except ValueError:
        detail = f"what answers at {host_header(address)} is no such server"
    else:
        return ProviderFacts(target.locality, reachable=True, models=models)
    return ProviderFacts(target.locality, reachable=False, detail=detail)


def passes_on(base_url: str, key: str | None, model: str, *, end: float) -> bool:
    """Whether an Ollama hands what a model is asked to another machine: asked of it anew. Blocks until `end` at most.

    Raises:
        ProviderError: it does not say, or has no such model; nothing of a task was sent.
    """
    try:
        show = _Caller(parse_loopback(base_url), key, end).ask("/api/show", {"model": model})
    except _Declined as refusal:
        if refusal.status == 404:
            fix = "fetch it with `ollama pull`, or name a model that `ollama list` shows"
            raise ProviderError(f"the server has no `{model}`", code=Code.UNKNOWN_MODEL, fix=fix) from None
        why = f"it answers {refusal.status} when asked what the model is"
    except (OSError, ValueError) as error:
        why = "it did not say in time what the model is" if isinstance(error, TimeoutError) else "it cannot be asked"
    else:
        return livefacts.forwards(model, show)
    raise ProviderError(
        f"nobody knows whether the model runs on this machine: {why}",
        code=Code.PROVIDER_UNAVAILABLE,
        fix="start the server, or check `base_url`",
    )


class _Declined(Exception):
    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


class _Caller(NamedTuple):
    """One server, asked one question after the other, all before `end`."""

    address: Address
    key: str | None
    end: float

    def ask(self, path: str, question: Mapping[str, str] | None = None) -> dict[str, object]:
        """The JSON object at a path. Raises OSError, ValueError, or `_Declined` for a status that is not 200."""
        body = b"" if question is None else json.dumps(question).encode()
        lines = [
            f"{'GET' if question is None else 'POST'} {self.address.path}{path} HTTP/1.0",
            f"Host: {host_header(self.address)}",
            "Accept: application/json",
            "Connection: close",
            *([f"Authorization: Bearer {self.key}"] if self.key and is_sendable(self.key) else []),
            *(["Content-Type: application/json", f"Content-Length: {len(body)}"] if body else []),
        ]
        request = "\r\n".join([*lines, "", ""]).encode("latin-1") + body
        status, answer = parse_answer(self._exchange(request), end=self.end)
        if status != 200:
            raise _Declined(status)
        return wirejson.parse_object(answer)

    def _exchange(self, request: bytes) -> bytes:
        answer = bytearray()
        whole: float | None = None
        with self._connected() as connection:
            connection.sendall(request)
            while whole is None or len(answer) < whole:
                connection.settimeout(self._left())
                chunk = connection.recv(65536)
                if not chunk:
                    break
                seen = len(answer)
                answer += chunk
                if len(answer) > _CAP:
                    raise ValueError("too long an answer")
                if whole is None and answer.find(b"\r\n\r\n", max(0, seen - 3)) >= 0:
                    whole = whole_size(bytes(answer))
        return bytes(answer)

    def _connected(self) -> socket.socket:
        *others, last = loopback_hosts(self.address)
        for host in others:
            try:
                return self._connected_to(host)
            except ConnectionRefusedError:  # a server may listen on one of the name's addresses only
                continue
        return self._connected_to(last)

    def _connected_to(self, host: str) -> socket.socket:
        """As `socket.create_connection`, which loads an encoding of names first, and these are numbers."""
        connection = socket.socket(socket.AF_INET6 if ":" in host else socket.AF_INET, socket.SOCK_STREAM)
        try:
            connection.settimeout(self._left())
            connection.connect((host, self.address.port))
        except OSError:
            connection.close()
            raise
        return connection

    def _left(self) -> float:
        left = self.end - time.monotonic()
        if left <= 0:
            raise TimeoutError
        return left


def whole_size(answer: bytes) -> float:
    """The bytes that an HTTP answer will have, by its headers; infinite where they do not say."""
    head, found, _ = answer.partition(b"\r\n\r\n")
    length = _headers(head).get("content-length", "")
    if not found or not (length.isascii() and length.isdigit() and len(length) < _LONGEST_FIGURE):
        return math.inf
    return len(head) + len(found) + int(length)


def parse_answer(answer: bytes, *, end: float = math.inf) -> tuple[int, bytes]:
    """Status and body of an HTTP answer that was read to its end.

    Args:
        answer: all of it.
        end: when to stop, a time of the monotonic clock.

    Raises:
        ValueError: not HTTP, or cut short.
        TimeoutError: it takes longer than that.
    """
    head, found, body = answer.partition(b"\r\n\r\n")
    version, _, rest = head.split(b"\r\n")[0].partition(b" ")
    status = rest[:3]
    if not found or not version.startswith(b"HTTP/1.") or not status.isdigit():
        raise ValueError("not HTTP")
    headers = _headers(head)
    if headers.get("transfer-encoding", "").lower() == "chunked":
        return int(status), _unchunked(body, end)
    if "content-length" in headers and len(answer) < whole_size(answer):
        raise ValueError("cut short")
    return int(status), body


def _headers(head: bytes) -> dict[str, str]:
    pairs = (line.partition(":") for line in head.decode("latin-1").split("\r\n")[1:])
    return {name.strip().lower(): value.strip() for name, _, value in pairs}


def _unchunked(body: bytes, end: float) -> bytes:
    parts: list[bytes] = []
    at = 0
    while time.monotonic() < end:
        line = body.find(b"\r\n", at, at + _LONGEST_SIZE_LINE)
        if line < 0:
            raise ValueError("cut short")
        length = int(body[at:line].partition(b";")[0], 16)
        begin = line + 2
        if length < 0 or begin + length > len(body):
            raise ValueError("cut short")
        if length == 0:
            return b"".join(parts)
        parts.append(body[begin : begin + length])
        at = begin + length + 2
    raise TimeoutError


def _ollama(caller: _Caller, wanted: Sequence[str]) -> dict[str, LiveModel]:
    models = livefacts.ollama_models(caller.ask("/api/tags"))
    asked = [name for name in models if name in wanted or name.rpartition(":")[0] in wanted]
    for name in asked[:_MAX_SHOWN]:
        try:
            models[name] = livefacts.shown_model(models[name], caller.ask("/api/show", {"model": name}))
        except (_Declined, OSError, ValueError):  # what the list said still holds
            continue
    return models


def _served(caller: _Caller) -> dict[str, LiveModel]:
    listing = caller.ask("/models")
    models = livefacts.served_models(listing)
    if not livefacts.is_llamacpp(listing):
        return models
    root = caller._replace(address=caller.address._replace(path=caller.address.path.removesuffix("/v1")))
    try:
        return livefacts.with_props(models, root.ask("/props"))
    except (_Declined, OSError, ValueError):
        return models


def _note(found: dict[str, ProviderFacts], target: ProbeTarget, end: float) -> None:
    found[target.name] = probe(target, end=end)
