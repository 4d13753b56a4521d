#!/usr/bin/env python3
"""Dispatches many tasks under random faults, and counts what must not be: hangs, lost answers, open descriptors.

  python scripts/random_faults.py [--calls 1000] [--seed 1] [--width 8]

Every fault of tests/faults.py, and a sound answer as often, comes in random order from loopback servers; a fallback
answers always. No call may take longer than its deadline and a second; each has an answer or a code; whatever arrived
at a server has its row; nothing runs in the ledger at the end.
"""

import argparse
import asyncio
import json
import os
import random
import sqlite3
import sys
import tempfile
import time
from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from faults import FAULTS, sse  # noqa: E402
from loopback import listening  # noqa: E402
from scripted_server import Step, answer  # noqa: E402
from workbench import ALLOWED, Bench, compat, default  # noqa: E402

from smista_mcp.app import App  # noqa: E402
from smista_mcp.core.task import Task  # noqa: E402

DEADLINE_S = 5.0
QUICK = f"[dispatch]\nfirst_byte_s = 0.2\nidle_s = 0.2\ndeadline_s = {DEADLINE_S}\n"
FINE = answer(
    sse(
        {"choices": [{"index": 0, "delta": {"content": "sound"}}]},
        {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]},
        {"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 5}},
        b"[DONE]",
    )
)
MODELS = answer(json.dumps({"data": [{"id": "m", "max_model_len": 32768}]}).encode())
CHAT = [fault.script for fault in FAULTS if fault.protocol == "chat"]


@dataclass
class Servers:
    """What arrived, and what comes next."""

    chance: random.Random
    heard: int = 0

    async def faulty(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._talk(reader, writer, fine=False)

    async def sound(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._talk(reader, writer, fine=True)

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, fine: bool) -> None:
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
            await reader.readexactly(int(sizes[0]) if sizes else 0)
            if head.startswith(b"GET"):
                script = MODELS
            else:
                self.heard += 1
                script = FINE if fine or self.chance.random() < 0.5 else self.chance.choice(CHAT)
            for step in script:
                if step is Step.STALL:
                    await reader.read()
                elif step is Step.RESET:
                    writer.transport.abort()
                else:
                    writer.write(step)
                    await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@dataclass
class Found:
    """What came of the calls."""

    statuses: Counter[str] = field(default_factory=Counter[str])
    codes: Counter[str] = field(default_factory=Counter[str])
    hangs: int = 0
    lost: int = 0
    longest_s: float = 0.0


async def call(app: App, number: int, found: Found) -> None:
    """Dispatches one task and notes what came of it."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(DEADLINE_S + 10):
            told = await app.dispatch(Task(text=f"What is unit test number {number}?"))
    except TimeoutError:
        found.hangs += 1
        return
    took = time.monotonic() - began
    found.longest_s = max(found.longest_s, took)
    found.hangs += took > DEADLINE_S + 1
    (phase,) = told.phases
    found.statuses[told.status] += 1
    found.codes[told.code or "-"] += 1
    found.lost += not (phase.answer or phase.code) or (told.status == "completed" and not phase.answer)


def descriptors() -> int:
    """Open ones of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  names alone


def rows(state: Path) -> Counter[str]:
    """Attempts in the ledger, by status."""
    db = sqlite3.connect(state / "ledger.db")
    try:
        return Counter(dict(db.execute("SELECT status, count(*) FROM attempt GROUP BY status").fetchall()))
    finally:
        db.close()


async def run(calls: int, seed: int, width: int, folder: Path) -> bool:
    """Runs them all and prints what was counted; whether nothing was that must not be."""
    servers, found = Servers(random.Random(seed)), Found()  # noqa: S311  faults, no secrets
    bench = Bench(folder / "home", folder / "work")
    for made in (bench.home, bench.workspace):
        made.mkdir()
    async with AsyncExitStack() as stack:
        a = await stack.enter_async_context(listening(servers.faulty))
        b = await stack.enter_async_context(listening(servers.sound))
        providers = compat("a", f"http://127.0.0.1:{a}/v1", price="1") + compat(
            "b", f"http://127.0.0.1:{b}/v1", price="1"
        )
        app = bench.app(default("openai-compat:a/m", "openai-compat:b/m") + providers + ALLOWED + QUICK)
        app.world.ticks = lambda: time.monotonic() * 1000  # a rest of 30 ms, so that faults go on coming
        app.world.draw = lambda: 0.0
        async with app.running():
            await call(app, -1, Found())
        before, heard = descriptors(), servers.heard
        before_rows = rows(bench.state).total()
        async with app.running():
            left = iter(range(calls))

            async def work() -> None:
                for number in left:
                    await call(app, number, found)

            await asyncio.gather(*(work() for _ in range(width)))
        await asyncio.sleep(0.2)
        after = descriptors()
    kept = rows(bench.state)
    print(f"{calls} calls, seed {seed}: {dict(found.statuses)}, codes {dict(found.codes)}")
    print(f"hangs {found.hangs}, lost answers {found.lost}")
    print(f"longest call {found.longest_s:.2f} s, deadline {DEADLINE_S:.0f} s")
    print(f"requests {servers.heard - heard}, rows {kept.total() - before_rows}: {dict(kept)}")
    print(f"descriptors before {before}, after {after}")
    even = servers.heard - heard == kept.total() - before_rows and not kept["running"]
    return not found.hangs and not found.lost and even and after <= before


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=8)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        good = asyncio.run(run(options.calls, options.seed, options.width, Path(folder)))
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
