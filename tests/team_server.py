"""A server with a door for a team, as a process of its own, and raw requests to it that no client would send."""

import json
import os
import socket
import ssl
import subprocess
import sys
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple, Self

from model_server import unused_port
from raw_host import ENVELOPE, PATIENCE_S

import smista_mcp
from smista_mcp.ledger.access import TokenBook

NAME = "smista.test"
"""By which the server is reached."""
PROGRAM = """\
import logging, os
os.dup2(os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)
_real = logging.basicConfig
logging.basicConfig = lambda **k: _real(**{{**k, "level": logging.{level}}})
{before}
from smista_mcp.cli import program
program()
"""
_MARKS = ("CLAUDE", "GEMINI", "OPENCODE", "SMISTA")


class Answer(NamedTuple):
    """What came back on a socket; status 0 where nothing did before it was closed."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    @property
    def code(self) -> str:
        """Of the guard's noes: their one word."""
        try:
            return json.loads(self.body)["error"]["data"]["code"]
        except (ValueError, KeyError, TypeError):
            return ""

    @property
    def message(self) -> dict[str, Any]:
        """The one message of the protocol in it."""
        text = self.body.decode()
        for line in text.splitlines():
            if line.startswith("data:") and len(line) > 8:
                return json.loads(line[5:])
        return json.loads(text)

    @property
    def result(self) -> dict[str, Any]:
        return self.message["result"]

    @property
    def told(self) -> str:
        """The text of a tool's answer."""
        return self.result["content"][0]["text"]


class Team:
    """A running server with tokens.

    Attributes:
        tokens: by the name that a test gives them.
    """

    def __init__(self, home: Path, port: int, log: Path, process: subprocess.Popen[bytes]) -> None:
        self.home, self.port, self.log, self.process = home, port, log, process
        self.tokens: dict[str, str] = {}

    @classmethod
    @contextmanager
    def started(
        cls, home: Path, *options: str, before: str = "", level: str = "WARNING", port: int = 0
    ) -> Generator[Self]:
        """The server over `home`, which needs a token by then; ended with the block."""
        port = port or unused_port()
        log = home / f"server-{port}.log"
        code = PROGRAM.format(log=str(log), before=before, level=level)
        env = {name: value for name, value in os.environ.items() if not name.startswith(_MARKS)}
        env |= {"SMISTA_HOME": str(home), "PYTHONPATH": str(Path(smista_mcp.__file__).parents[1])}
        named = () if "--allowed-host" in options else ("--allowed-host", NAME)
        command = [sys.executable, "-c", code, "serve-http", "--port", str(port), *named, *options]
        with subprocess.Popen(
            command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL
        ) as process:
            team = cls(home, port, log, process)
            try:
                team.await_line("listening on")
                yield team
            finally:
                if process.poll() is None:
                    process.terminate()

    def await_line(self, words: str) -> str:
        """The line of standard error that says so."""
        end = time.monotonic() + PATIENCE_S
        while time.monotonic() < end:
            lines = self.log.read_text(encoding="utf-8").splitlines() if self.log.exists() else []
            for line in lines:
                if words in line:
                    return line
            assert self.process.poll() is None, lines
            time.sleep(0.02)
        raise AssertionError(f"no line says {words!r}")

    def ask(self, raw: bytes, *, tls: ssl.SSLContext | None = None, port: int = 0, source: str = "") -> Answer:
        """Sends bytes on a connection of their own, and reads one answer.

        Args:
            raw: the bytes.
            tls: what the caller trusts; None for none.
            port: of somebody who stands before the server.
            source: the address that the caller has.
        """
        at = ("127.0.0.1", port or self.port)
        with socket.create_connection(at, timeout=PATIENCE_S, source_address=(source, 0)) as plain:
            if tls is None:
                return _asked(plain, raw)
            with tls.wrap_socket(plain, server_hostname=NAME) as wire:
                return _asked(wire, raw)

    def call(self, tool: str, arguments: Mapping[str, Any], by: str = "alice", **changes: Any) -> Answer:
        """A call of the modern era with a token of ours."""
        return self.ask(self.calling(tool, arguments, by, **changes))

    def calling(self, tool: str, arguments: Mapping[str, Any], by: str = "alice", **changes: Any) -> bytes:
        params = {"name": tool, "arguments": arguments, "_meta": ENVELOPE}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        fields = {"mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": tool}
        given: dict[str, Any] = fields | changes
        return self.request(body=body, by=by, **given)

    @contextmanager
    def streaming(self, target: str, by: str, **changes: Any) -> Generator["Stream"]:
        """A GET that stays open."""
        with socket.create_connection(("127.0.0.1", self.port), timeout=PATIENCE_S) as wire:
            wire.sendall(self.request("GET", target, by=by, accept="text/event-stream", **changes))
            yield Stream(wire)

    def legacy(self, method: str, params: Mapping[str, Any], by: str, **changes: Any) -> Answer:
        """A message of the handshake era."""
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": method, "params": params}).encode()
        return self.ask(self.request(body=body, by=by, **changes))

    def greeted(self, by: str) -> Answer:
        client = {"name": "opencode", "version": "1"}
        greeting = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        return self.legacy("initialize", greeting, by)

    def request(
        self,
        method: str = "POST",
        target: str = "/mcp",
        *,
        body: bytes = b"",
        by: str | None = "alice",
        version: str = "1.1",
        lines: tuple[str, ...] = (),
        **changes: Any,
    ) -> bytes:
        """A request as bytes.

        Args:
            method: also one that there is not.
            target: of the request line.
            body: after the head.
            by: the name of a token, for a good Authorization header; None for no such header.
            version: of HTTP.
            lines: further lines of the head, as they are.
            changes: header fields to set, or to leave out where None; `_` stands for `-`.
        """
        fields: dict[str, str | None] = {
            "host": NAME,
            "authorization": None if by is None else f"Bearer {self.tokens.get(by, by)}",
            "content-type": "application/json",
            "accept": "application/json, text/event-stream",
            "content-length": str(len(body)) if body or method == "POST" else None,
        }
        fields |= {name.replace("_", "-"): value for name, value in changes.items()}
        head = [f"{method} {target} HTTP/{version}"]
        head += [f"{name}: {value}" for name, value in fields.items() if value is not None]
        return "\r\n".join([*head, *lines, "", ""]).encode("utf-8", "surrogateescape") + body


class Stream:
    """An answer that has no end of its own."""

    def __init__(self, wire: socket.socket) -> None:
        self._wire = wire
        self._data = b""

    def until(self, words: str) -> str:
        """All that was heard until a line that has these words was whole."""
        while words.encode() not in self._data or b"\n" not in self._data.partition(words.encode())[2]:
            more = self._wire.recv(65536)
            assert more, self._data
            self._data += more
        return self._data.decode()

    def ended(self) -> bool:
        """Waits for the end; whether the server has closed it in order."""
        while more := self._wire.recv(65536):
            self._data += more
            if self._data.endswith(b"0\r\n\r\n"):
                return True
        return False


def token_of(home: Path, name: str, scope: str = "dispatch", *, age_days: int = 0, days: int | None = 90) -> str:
    """Makes a token, as if some days ago."""
    return TokenBook(home / "state").create(name, scope, datetime.now(UTC) - timedelta(days=age_days), days)[0]


def _asked(wire: socket.socket, raw: bytes) -> Answer:
    with suppress(OSError):  # refused before all of it was sent
        wire.sendall(raw)
    return heard(wire)


def heard(wire: socket.socket) -> Answer:
    """Reads one answer to its end, or to the end of the connection."""
    data = b""
    try:
        while b"\r\n\r\n" not in data:
            if not (more := wire.recv(65536)):
                return Answer(0, {}, data)
            data += more
        head, _, body = data.partition(b"\r\n\r\n")
        first, *rest = head.decode("latin-1").split("\r\n")
        headers = {line.partition(":")[0].lower(): line.partition(":")[2].strip() for line in rest}
        body = _body(wire, headers, body)
    except ConnectionResetError:
        return Answer(0, {}, data)
    return Answer(int(first.split(" ")[1]), headers, body)


def _body(wire: socket.socket, headers: Mapping[str, str], body: bytes) -> bytes:
    if headers.get("transfer-encoding") == "chunked":
        while not body.endswith(b"0\r\n\r\n"):
            if not (more := wire.recv(65536)):
                break
            body += more
        return b"".join(_chunks(body))
    length = int(headers.get("content-length", "0"))
    while len(body) < length:
        if not (more := wire.recv(65536)):
            break
        body += more
    return body[:length]  # what follows answers another request


def _chunks(body: bytes) -> Generator[bytes]:
    while body:
        size, _, rest = body.partition(b"\r\n")
        yield rest[: int(size or b"0", 16)]
        body = rest[int(size or b"0", 16) + 2 :]
