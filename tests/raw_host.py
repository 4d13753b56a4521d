"""A host that speaks to a server process in raw JSON lines, so that nothing between a test and the wire is polite."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Self

import httpx
from model_server import unused_port

import smista_mcp

PATIENCE_S = 30.0
SERVE = """\
import sys
from pathlib import Path
from smista_mcp.app import open_app
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings
from smista_mcp.server.{module} import {function}
{before}
sys.exit({function}(open_app(Settings(environment=Environment.read(), workspace=Path.cwd())), *{arguments!r}))
"""
FRONTED = """\
import sys
{before}
from smista_mcp.cli import program
sys.argv[1:] = {arguments!r}
program()
"""
LOGGED = """
import logging, os
os.dup2(os.open({log!r}, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), 2)  # a pipe that nobody reads would fill
_real = logging.basicConfig
logging.basicConfig = lambda **k: _real(**{{**k, "level": logging.DEBUG}})
"""
"""Put before a server, it logs at DEBUG into a file."""
ENVELOPE: dict[str, Any] = {
    "io.modelcontextprotocol/protocolVersion": "2026-07-28",
    "io.modelcontextprotocol/clientInfo": {"name": "opencode", "version": "1"},
    "io.modelcontextprotocol/clientCapabilities": {},
}


class RawHost:
    """One server process on pipes. Every wait is bounded."""

    def __init__(self, process: subprocess.Popen[bytes]) -> None:
        self.process = process
        self.noted: list[dict[str, Any]] = []
        self._read = {"out": b"", "err": b""}

    @classmethod
    @contextmanager
    def started(
        cls, home: Path, workspace: Path, *, module: str = "stdio", arguments: tuple[object, ...] = (), before: str = ""
    ) -> Generator[Self]:
        """Starts the server alone, or with `module` "front" the program as hosts start it."""
        program = (
            FRONTED.format(arguments=arguments or ["serve-stdio"], before=before)
            if module == "front"
            else SERVE.format(module=module, function=f"serve_{module}", arguments=arguments, before=before)
        )
        marks = ("CLAUDE", "GEMINI", "OPENCODE", "SMISTA")
        env = {name: value for name, value in os.environ.items() if not name.startswith(marks)}
        env |= {"SMISTA_HOME": str(home), "PYTHONPATH": str(Path(smista_mcp.__file__).parents[1])}
        pipe = subprocess.PIPE
        with subprocess.Popen(
            [sys.executable, "-c", program], cwd=workspace, env=env, stdin=pipe, stdout=pipe, stderr=pipe
        ) as process:
            try:
                yield cls(process)
            finally:
                process.terminate()  # not killed: what a process covers of the code is written when it ends

    def say(self, message: object) -> None:
        line = message if isinstance(message, str) else json.dumps(message)
        assert self.process.stdin
        self.process.stdin.write(line.encode() + b"\n")
        self.process.stdin.flush()

    def hear(self) -> dict[str, Any]:
        """The next message; a line that is none fails."""
        return json.loads(self.line("out"))

    def line(self, where: str) -> str:
        """The next line of `out` or `err`."""
        stream = self.process.stdout if where == "out" else self.process.stderr
        assert stream
        end = time.monotonic() + PATIENCE_S
        while b"\n" not in self._read[where]:
            ready, _, _ = select.select([stream], [], [], max(0, end - time.monotonic()))
            assert ready, "the server says nothing"
            piece = os.read(stream.fileno(), 1 << 16)
            assert piece, "the server has ended"
            self._read[where] += piece
        line, _, self._read[where] = self._read[where].partition(b"\n")
        return line.decode()

    def ask(self, request_id: object, method: str, params: dict[str, Any] | None = None) -> dict[str, Any]:
        """The answer to a request; what comes before it is noted."""
        self.say({"jsonrpc": "2.0", "id": request_id, "method": method, "params": params or {}})
        return self.answer(request_id)

    def answer(self, request_id: object) -> dict[str, Any]:
        while (message := self.hear()).get("id") != request_id:
            self.noted.append(message)
        return message

    def greet(self, version: str = "2025-11-25", name: str = "opencode") -> dict[str, Any]:
        client = {"name": name, "version": "1"}
        answer = self.ask(0, "initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": client})
        self.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
        return answer["result"]

    def call(self, tool: str, arguments: dict[str, Any], *, request_id: object = 1, **params: Any) -> dict[str, Any]:
        return self.ask(request_id, "tools/call", {"name": tool, "arguments": arguments, **params})["result"]

    def end_input(self) -> None:
        assert self.process.stdin
        self.process.stdin.close()

    def interrupt(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def exit(self) -> int:
        """The status, once it has ended."""
        return self.process.wait(PATIENCE_S)

    def rest(self, where: str) -> str:
        """All that is left of `out` or `err` after the end."""
        stream = self.process.stdout if where == "out" else self.process.stderr
        assert stream
        return (self._read[where] + stream.read()).decode()


class WebHost:
    """A host that calls a server process over HTTP, without a session; what the process logs goes to a file."""

    def __init__(self, port: int) -> None:
        self.url = f"http://127.0.0.1:{port}/mcp"

    @classmethod
    @contextmanager
    def started(cls, home: Path, workspace: Path, log: Path) -> Generator[Self]:
        port = unused_port()
        before = LOGGED.format(log=str(log))
        with RawHost.started(home, workspace, module="http", arguments=("127.0.0.1", port), before=before) as process:
            end = time.monotonic() + PATIENCE_S
            while "listening on" not in (log.read_text(encoding="utf-8") if log.exists() else ""):
                assert time.monotonic() < end, "the server does not listen"
                time.sleep(0.02)
            yield cls(port)
            process.process.terminate()
            process.exit()

    def call(self, tool: str, arguments: dict[str, Any]) -> str:
        """The whole text of an answer that is none about the request itself."""
        body, fields = self._request(tool, arguments)
        answer = httpx.post(self.url, json=body, headers=fields, timeout=PATIENCE_S, trust_env=False)
        assert '"result":' in answer.text, answer.text
        return answer.text

    def hang_up(self, tool: str, arguments: dict[str, Any]) -> None:
        """Calls, waits for the first sign of life, and closes the connection."""
        body, fields = self._request(tool, arguments)
        with httpx.stream("POST", self.url, json=body, headers=fields, timeout=PATIENCE_S, trust_env=False) as answer:
            assert any("notifications/progress" in line for line in answer.iter_lines())

    def _request(self, tool: str, arguments: dict[str, Any]) -> tuple[dict[str, Any], dict[str, str]]:
        params = {"name": tool, "arguments": arguments, "_meta": ENVELOPE | {"progressToken": "t"}}
        body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
        fields = {
            "Accept": "application/json, text/event-stream",
            "MCP-Protocol-Version": "2026-07-28",
            "Mcp-Method": "tools/call",
            "Mcp-Name": tool,
        }
        return body, fields


def children_of(pid: int) -> list[int]:
    """Children of a process, of all its threads (Linux)."""
    tasks = Path(f"/proc/{pid}/task")
    return [int(child) for task in tasks.iterdir() for child in (task / "children").read_text().split()]


def is_running(pid: int) -> bool:
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return re.sub(r".*\) ", "", stat)[0] != "Z"
