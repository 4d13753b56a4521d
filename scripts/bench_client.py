#!/usr/bin/env python3
"""A client for benches of streams that speak its line protocol: each stream is a dispatch, with all that belongs to it.

  python scripts/bench_client.py [--whole] [--git] [--budget] BASE_URL

On stdin one JSON line a job, {"n": streams, "width": at once, "spec": "chunks=200"}; on stdout one a job, {"ttft":
[ms], "total": [ms], "chunks": [counts], "wall": s, "cpu": s, "rss": MB}. BASE_URL is a server for chat completions
that takes a spec in the path, `/~SPEC/v1/chat/completions`, and has a model `fake`.

Without --whole the task is decided once, and each stream is what follows a decision: a trace, the payload through both
gates with the scan for secrets, tokens counted, cost reserved and settled in a ledger on the disk, receipt, answer
scanned. With --whole each stream is a call of the application, its decision included; a server carries out 16 of them
at a time, the others wait for their turn. --git works in a git workspace, else in an empty one; --budget sets one.
"""

import argparse
import asyncio
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping, MutableMapping, Sequence
from contextvars import ContextVar
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import NamedTuple
from urllib.parse import quote

sys.path.insert(0, str(Path(__file__).parents[1]))

from smista_mcp.app import App, dispatching, open_app
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.secretscan.memory import Scans
from smista_mcp.core.task import Task
from smista_mcp.dispatch.allowance import Allowance
from smista_mcp.dispatch.attempts import Tools
from smista_mcp.dispatch.jobs import MAX_RUNNING, Standing
from smista_mcp.dispatch.phases import Delivery, PhaseWork, carry_out
from smista_mcp.dispatch.releases import Done
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

WORDS = "hello"
POLICY = """[privacy.remote]
mode = "allow"
[providers."openai-compat:bench"]
base_url = "{address}"
[catalog."openai-compat:bench/fake"]
input_price = "1.00"
output_price = "2.00"
context_window = 32768
[routing.default]
model = "openai-compat:bench/fake"
"""
BUDGET = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "1000000"\n'


class Clocked(Standing):
    """Is told, as a job is, how many pieces have come; notes when the first did."""

    def __init__(self) -> None:
        self.heard = 0
        self.first: float | None = None
        super().__init__()

    @property
    def tokens(self) -> int:
        return self.heard

    @tokens.setter
    def tokens(self, value: int) -> None:  # pyright: ignore[reportIncompatibleVariableOverride]
        if value:
            self.heard += 1
            self.first = self.first or time.perf_counter()


class Stream(NamedTuple):
    """What one stream took."""

    first_ms: float
    total_ms: float
    pieces: int


class Decided(NamedTuple):
    """What a dispatch hands over to be carried out."""

    tools: Tools
    phases: Sequence[PhaseWork]
    delivery: Delivery


_CLOCK: ContextVar[Clocked] = ContextVar("clock")


class Client:
    """The application over a home and a workspace of its own.

    Args:
        base_url: of the server.
        folder: for both.
        git: whether the workspace is a repository with files.
        budget: whether the policy has one.
    """

    def __init__(self, base_url: str, folder: Path, *, git: bool, budget: bool) -> None:
        self._base_url = base_url
        self._home, self._workspace = folder / "home", folder / "workspace"
        self._home.mkdir()
        self._workspace.mkdir()
        self._budget = BUDGET if budget else ""
        if git:
            _make_repository(self._workspace)
        environ = {"SMISTA_HOME": str(self._home), "HOME": str(self._home), "PATH": os.environ["PATH"]}
        self.app: App = open_app(Settings(environment=Environment.read(environ), workspace=self._workspace))
        self._numbers = count()
        self._turns = asyncio.Semaphore(MAX_RUNNING)
        self._decided: Decided | None = None
        dispatching.carry_out = self._clocked  # the one place where the application's own standing can be replaced

    def at(self, spec: str) -> None:
        """Lets the policy name the server as it behaves under a spec."""
        text = POLICY.format(address=f"{self._base_url}/~{quote(spec, safe='')}/v1") + self._budget
        file = self._home / "config.toml"
        if not file.exists() or file.read_text(encoding="utf-8") != text:
            file.write_text(text, encoding="utf-8")
            self._decided = None

    async def whole(self) -> Stream:
        """One call of the application."""
        async with self._turns:
            clock = Clocked()
            _CLOCK.set(clock)
            began = time.perf_counter()
            answer = await self.app.dispatch(Task(text=f"{WORDS} {next(self._numbers)}"))  # equal ones would be one job
            if answer.status != "completed":
                raise RuntimeError(answer.model_dump_json())
            return _stream(clock, began, answer.status)

    async def decided(self) -> Stream:
        """What follows a decision."""
        while self._decided is None:
            await self.whole()
        tools, phases, delivery = self._decided
        clock = Clocked()
        began = time.perf_counter()
        bounds = tools.bounds._replace(scans=Scans(tools.bounds.scans.allowed))  # nothing is searched yet
        fresh = replace(tools, bounds=bounds, known=[*tools.known], allowance=Allowance((), []))
        (phase,) = await carry_out(fresh, phases, delivery, clock, {})
        return _stream(clock, began, phase.status)

    async def _clocked(
        self,
        tools: Tools,
        phases: Sequence[PhaseWork],
        delivery: Delivery,
        standing: Standing,
        kept: MutableMapping[int, Done] | None = None,
    ) -> tuple[DispatchedPhase, ...]:
        del standing
        self._decided = Decided(tools, phases, delivery)
        return await carry_out(tools, phases, delivery, _CLOCK.get(), kept)


def _stream(clock: Clocked, began: float, status: str) -> Stream:
    ended = time.perf_counter()
    if clock.first is None or status != "completed":
        raise RuntimeError(status)
    return Stream((clock.first - began) * 1e3, (ended - began) * 1e3, clock.heard)


def _make_repository(folder: Path) -> None:
    for number in range(200):
        file = folder / "src" / f"part{number % 20}" / f"module_{number}.py"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(f"VALUE_{number} = {number}\n" * 20, encoding="utf-8")
    who = ("-c", "user.name=bench", "-c", "user.email=bench@example.invalid")
    for command in (("init", "-q"), ("add", "."), (*who, "commit", "-q", "-m", "files")):
        subprocess.run(("git", *command), cwd=folder, check=True, stdout=subprocess.DEVNULL)


def _resident_mb() -> float:
    with Path("/proc/self/status").open(encoding="ascii") as status:
        return next(int(line.split()[1]) / 1024 for line in status if line.startswith("VmRSS"))


async def _done(job: Mapping[str, object], stream: Callable[[], Awaitable[Stream]]) -> dict[str, object]:
    """What the streams of one job took."""
    left = iter(range(int(str(job["n"]))))
    streams: list[Stream] = []

    async def worker() -> None:
        for _ in left:
            streams.append(await stream())  # noqa: PERF401  several append to it

    cpu, wall = time.process_time(), time.perf_counter()
    await asyncio.gather(*(worker() for _ in range(int(str(job["width"])))))
    return {
        "ttft": [one.first_ms for one in streams],
        "total": [one.total_ms for one in streams],
        "chunks": [one.pieces for one in streams],
        "wall": time.perf_counter() - wall,
        "cpu": time.process_time() - cpu,
        "rss": _resident_mb(),
    }


async def serve(client: Client, *, whole: bool) -> None:
    """Does the jobs that come on stdin, until it ends."""
    async with client.app.running():
        while line := await asyncio.to_thread(sys.stdin.readline):
            job: dict[str, object] = json.loads(line)
            client.at(str(job["spec"]))
            print(json.dumps(await _done(job, client.whole if whole else client.decided)), flush=True)


def main() -> None:
    """Reads the arguments."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("base_url")
    parser.add_argument("--whole", action="store_true", help="the decision too")
    parser.add_argument("--git", action="store_true", help="in a git workspace")
    parser.add_argument("--budget", action="store_true", help="under a budget of the day")
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="bench-") as folder:
        asyncio.run(serve(Client(asked.base_url, Path(folder), git=asked.git, budget=asked.budget), whole=asked.whole))


if __name__ == "__main__":
    main()
