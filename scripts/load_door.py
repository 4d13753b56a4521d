#!/usr/bin/env python3
"""Lets many clients use a team's server at once, and counts what must not be: errors, growing memory.

  python scripts/load_door.py [--clients 64] [--seconds 60] [--pace 1]

One real server process with the limits that it has by itself; each client has a token of its own and a connection that
it keeps. Seven calls in ten are `route`, two `explain` the decision, one is a `dispatch` to a model on loopback; every
fourth client speaks the handshake era, in a session, with a stream open. The memory of the server is read once a
second; growth is what it has at the end over what it had after the first third, when everything is loaded.

Prints one JSON object. The exit status is 1 where a call failed or memory grew by more than a tenth.
"""

import argparse
import asyncio
import contextlib
import json
import statistics
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Generator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

import httpx  # noqa: E402
from raw_host import ENVELOPE  # noqa: E402
from team_server import NAME, Team, token_of  # noqa: E402

POLICY = '[routing.default]\nmodel = "ollama/tiny"\n[providers.ollama]\nbase_url = "{url}"\n'
ASK = {"text": "What is a mutex?"}
ACCEPT = "application/json, text/event-stream"
GROWTH = 1.10


@dataclass
class Seen:
    """What the clients have met with."""

    statuses: Counter[str] = field(default_factory=Counter[str])
    seconds: list[float] = field(default_factory=list[float])
    errors: list[str] = field(default_factory=list[str])


class Client:
    """One host with its token."""

    def __init__(self, http: httpx.AsyncClient, token: str, seen: Seen, *, modern: bool) -> None:
        self._http = http
        self._seen = seen
        self._modern = modern
        self._fields = {"Host": NAME, "Authorization": f"Bearer {token}", "Accept": ACCEPT}
        self._decision = ""

    async def work(self, until: float, pause_s: float, place: int) -> None:
        """Calls until the time is over."""
        await asyncio.sleep(pause_s * (place % 16) / 16)
        async with contextlib.AsyncExitStack() as stack:
            if not self._modern:
                await self._greet()
                get = self._http.stream("GET", "/mcp", headers=self._fields)
                await stack.enter_async_context(get)
            number = place
            while time.monotonic() < until:
                await self._one(number)
                number += 1
                await asyncio.sleep(pause_s)

    async def _one(self, number: int) -> None:
        if number % 10 == 0:
            tool, arguments = "dispatch", {"text": f"What is a mutex? {number}"}
        elif number % 5 == 1 and self._decision:
            tool, arguments = "explain", {"decision_id": self._decision}
        else:
            tool, arguments = "route", ASK
        params: dict[str, Any] = {"name": tool, "arguments": arguments}
        fields = dict(self._fields)
        if self._modern:
            params["_meta"] = ENVELOPE
            fields |= {"MCP-Protocol-Version": "2026-07-28", "Mcp-Method": "tools/call", "Mcp-Name": tool}
        message = await self._said({"jsonrpc": "2.0", "id": number, "method": "tools/call", "params": params}, fields)
        result = message.get("result", {})
        told = json.loads(result["content"][0]["text"]) if result.get("content") and not result.get("isError") else None
        if told is None or (tool == "dispatch" and told["status"] != "completed"):
            self._seen.errors.append(f"{tool}: {json.dumps(message)[:300]}")
        elif tool == "route":
            self._decision = told["decisions"][0]["decision_id"]

    async def _greet(self) -> None:
        client = {"name": "opencode", "version": "1"}
        params = {"protocolVersion": "2025-11-25", "capabilities": {}, "clientInfo": client}
        hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
        answer = await self._http.post("/mcp", json=hello, headers=self._fields)
        self._fields["Mcp-Session-Id"] = answer.headers.get("mcp-session-id", "")
        self._fields["MCP-Protocol-Version"] = "2025-11-25"
        await self._http.post(
            "/mcp", json={"jsonrpc": "2.0", "method": "notifications/initialized"}, headers=self._fields
        )

    async def _said(self, message: dict[str, Any], fields: dict[str, str]) -> dict[str, Any]:
        began = time.monotonic()
        try:
            answer = await self._http.post("/mcp", json=message, headers=fields)
        except httpx.HTTPError as error:
            self._seen.errors.append(repr(error))
            return {}
        self._seen.seconds.append(time.monotonic() - began)
        self._seen.statuses[str(answer.status_code)] += 1
        text = answer.text
        lines = [line[5:] for line in text.splitlines() if line.startswith("data:") and '"id"' in line]
        return json.loads(lines[-1] if lines else text)


async def drive(team: Team, clients: int, seconds: float, pace: float) -> tuple[Seen, list[float]]:
    """The clients at work, and the memory of the server in MiB, second by second."""
    seen, memory = Seen(), list[float]()
    until = time.monotonic() + seconds
    async with contextlib.AsyncExitStack() as stack, asyncio.TaskGroup() as group:
        for place in range(clients):
            http = await stack.enter_async_context(
                httpx.AsyncClient(base_url=f"http://127.0.0.1:{team.port}", timeout=60, trust_env=False)
            )
            client = Client(http, team.tokens[f"c{place}"], seen, modern=place % 4 != 3)
            group.create_task(client.work(until, 1 / pace, place))
        while time.monotonic() < until:
            memory.append(resident_mib(team.process.pid))
            await asyncio.sleep(1)
    return seen, memory


@contextlib.contextmanager
def model_elsewhere() -> Generator[str]:
    """The address of a model in a process of its own, so that it does not wait for the clients."""
    program = (
        "import sys\nfrom fake_ollama import FakeOllama\n"
        "with FakeOllama.serving() as fake:\n    print(fake.base_url, flush=True)\n    sys.stdin.read()"
    )
    pipe = subprocess.PIPE
    tests = {"PYTHONPATH": str(Path(__file__).parents[1] / "tests")}
    with subprocess.Popen([sys.executable, "-c", program], env=tests, stdin=pipe, stdout=pipe) as process:
        if process.stdout and process.stdin:
            yield process.stdout.readline().decode().strip()
            process.stdin.close()


def resident_mib(pid: int) -> float:
    """The memory that a process holds."""
    status = Path(f"/proc/{pid}/status").read_text(encoding="utf-8")
    return int(status.partition("VmRSS:")[2].split()[0]) / 1024


def main() -> int:
    """Runs it, and prints what was seen."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--clients", type=int, default=64)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--pace", type=float, default=1, help="calls a second that a client tries to make")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, model_elsewhere() as address:
        home = Path(folder)
        (home / "config.toml").write_text(POLICY.format(url=address), encoding="utf-8")
        tokens = {f"c{place}": token_of(home, f"c{place}") for place in range(given.clients)}
        with Team.started(home) as team:
            team.tokens |= tokens
            seen, memory = asyncio.run(drive(team, given.clients, given.seconds, given.pace))
            log = team.log.read_text(encoding="utf-8").splitlines()[1:]
    settled, last = max(memory[: len(memory) // 3 + 1]), statistics.fmean(memory[-5:])
    report = {
        "clients": given.clients,
        "seconds": given.seconds,
        "calls": len(seen.seconds),
        "statuses": dict(seen.statuses),
        "errors": len(seen.errors),
        "first_errors": seen.errors[:3],
        "p50_ms": round(statistics.median(seen.seconds) * 1000) if seen.seconds else None,
        "p99_ms": round(sorted(seen.seconds)[int(len(seen.seconds) * 0.99)] * 1000) if seen.seconds else None,
        "memory_mib": {"first": round(memory[0]), "after_a_third": round(settled), "last": round(last)},
        "memory_every_10_s": [round(one) for one in memory[::10]],
        "log_lines": log[:3],
    }
    print(json.dumps(report, indent=1))
    return int(bool(seen.errors) or set(seen.statuses) != {"200"} or last > settled * GROWTH)


if __name__ == "__main__":
    sys.exit(main())
