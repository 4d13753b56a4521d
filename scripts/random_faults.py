#!/usr/bin/env python3
"""Dispatches many tasks under random faults, and counts what must not be: hangs, lost answers, open descriptors.

  python scripts/random_faults.py [--calls 1000] [--processes 2] [--kills 3] [--seed 1] [--width 8]

Servers of five protocols give every fault of tests/faults.py, and a sound answer as often, in random order; a fallback
answers always. Sound answers are words, tools to look around with, patches that apply and patches that do not, so that
repetitions, rounds, repairs and escalations happen. The calls come from several processes over one ledger; further
ones are killed in the middle. Every call ends, and no step of one takes longer than the deadline and a second, or
`--slack` seconds on a busy machine, which also waits before it asks. Each has an answer or a code; whatever arrived at
a server has its row; nothing runs in the ledger at the end; descriptors are as many as before.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from answers_said import PROTOCOLS, Protocol, Said, sse, streamed  # noqa: E402
from faults import FAULTS  # noqa: E402
from loopback import listening  # noqa: E402
from scripted_server import Step, again_and_again, answer  # noqa: E402
from workbench import ALLOWED, Bench, compat  # noqa: E402

from smista_mcp.app import App  # noqa: E402
from smista_mcp.core.task import Task  # noqa: E402
from smista_mcp.ledger import Ledger  # noqa: E402

DEADLINE_S = 5.0
QUICK = f"[dispatch]\nfirst_byte_s = 0.2\nidle_s = 0.2\ndeadline_s = {DEADLINE_S}\n"
MODELS: dict[Protocol, str] = {
    "chat": "openai-compat:a/m",
    "responses": "openai/gpt-5.5",
    "anthropic": "anthropic/claude-opus-5",
    "gemini": "gemini/gemini-3.5-flash",
    "ollama": "ollama/m",
}
B, STRONG = "openai-compat:b/m", "openai-compat:c/m"
KEYS = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"), "vendor-key")
BEFORE = "def one():\n    return 1\n"
FILE = re.compile(rf"(?:{'|'.join(PROTOCOLS)})/x\.py")
FACTS = {
    "/v1/models": {"data": [{"id": "m", "max_model_len": 32768}]},
    "/api/tags": {"models": [{"name": "m", "model": "m"}]},
    "/api/show": {"model_info": {"x.context_length": 32768}, "capabilities": ["completion", "tools"]},
}
SCRIPTS = {protocol: [fault.script for fault in FAULTS if fault.protocol == protocol] for protocol in PROTOCOLS}
Script = Sequence[bytes | Step]


@dataclass
class Servers:
    """What arrived, and what comes next."""

    chance: random.Random
    heard: int = 0

    async def talk(
        self, protocol: Protocol, share: float, reader: asyncio.StreamReader, writer: asyncio.StreamWriter
    ) -> None:
        """Holds one talk with whoever comes to the server of a protocol; this share of its answers is sound."""
        try:
            head = await reader.readuntil(b"\r\n\r\n")
            sizes = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length")]
            body = await reader.readexactly(int(sizes[0]) if sizes else 0)
            facts = FACTS.get(head.split(b" ")[1].decode())
            if facts is not None:
                script: Script = answer(json.dumps(facts).encode())
            else:
                self.heard += 1
                fine = self.chance.random() < share
                script = self.sound(protocol, body.decode()) if fine else self.chance.choice(SCRIPTS[protocol])
            await say(script, reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def sound(self, protocol: Protocol, body: str) -> Script:
        """An answer to what was asked: a look at a file, a change, or words."""
        named = FILE.search(body)
        file = named[0] if named else "chat/x.py"
        if protocol == "chat" and '"tools"' in body and '"role":"tool"' not in body and self.chance.random() < 0.7:
            function = {"name": "read_file", "arguments": json.dumps({"path": file})}
            call: Any = {"index": 0, "id": "x", "type": "function", "function": function}
            asks = {"choices": [{"index": 0, "delta": {"tool_calls": [call]}, "finish_reason": "tool_calls"}]}
            return answer(sse(asks, {"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 5}}, b"[DONE]"))
        text = "sound"
        if "unified diff" in body:
            line = "    return 1" if self.chance.random() < 0.7 else "    return what was never there"
            text = f"```diff\n--- a/{file}\n+++ b/{file}\n@@ -1,2 +1,2 @@\n def one():\n-{line}\n+    return 2\n```"
        return answer(*streamed(protocol, Said(text, end="length" if self.chance.random() < 0.1 else "stop")))


async def say(script: Script, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Says what a script says."""
    said = b""
    for step in script:
        if step in (Step.FOREVER, Step.DRIP):
            await again_and_again(writer, said, 0.02 if step is Step.DRIP else 0)
        elif step is Step.STALL:
            await reader.read()
        elif step is Step.RESET:
            writer.transport.abort()
        else:
            said = step
            writer.write(step)
            await writer.drain()


# ------------------------------------------------------------------------------------------------------- one process


@dataclass
class Found:
    """What came of the calls of a process."""

    statuses: Counter[str] = field(default_factory=Counter[str])
    codes: Counter[str] = field(default_factory=Counter[str])
    seen: Counter[str] = field(default_factory=Counter[str])
    hangs: int = 0
    late: int = 0
    lost: int = 0
    longest_s: float = 0.0
    before: int = 0
    after: int = 0


async def call(app: App, task: Task, found: Found, slack_s: float = 1) -> None:
    """Dispatches one task and notes what came of it."""
    began = time.monotonic()
    try:
        async with asyncio.timeout(DEADLINE_S * 10):
            told = await app.dispatch(task)
    except TimeoutError:
        found.hangs += 1
        return
    took = time.monotonic() - began
    found.longest_s = max(found.longest_s, took)
    found.late += took > DEADLINE_S * len(told.phases) + slack_s
    found.statuses[told.status] += 1
    found.codes[told.code or "-"] += 1
    for phase in told.phases:
        found.seen["phases"] += 1
        found.seen["patches"] += phase.patch is not None
        found.seen["escalated"] += phase.escalated
        there = phase.answer or phase.patch or phase.withheld
        found.lost += not (there or phase.code) or (phase.status == "completed" and not there)


def task(chance: random.Random, number: int) -> Task:
    """One of the tasks."""
    file = f"{chance.choice(PROTOCOLS)}/x.py"
    words = chance.choice(("Explain {file}, call {n}", "Fix the bug in {file}, call {n}", "Review {file}, call {n}"))
    return Task(text=words.format(file=file, n=number), paths=(file,))


async def work(bench: Bench, calls: int, seed: int, width: int, slack_s: float) -> Found:
    """The calls of one process."""
    found, chance = Found(), random.Random(seed)  # noqa: S311  faults, no secrets
    app = bench.app(**KEYS)
    app.world.ticks = lambda: time.monotonic() * 1000  # a rest of 30 ms, so that faults go on coming
    app.world.draw = lambda: 0.0
    async with app.running():
        await call(app, task(chance, -seed), Found())
    found.before = descriptors()
    async with app.running():
        left = iter(range(calls))

        async def one_after_the_other() -> None:
            for number in left:
                await call(app, task(chance, seed * 1_000_000 + number), found, slack_s)

        await asyncio.gather(*(one_after_the_other() for _ in range(width)))
    await asyncio.sleep(0.2)
    found.after = descriptors()
    return found


def descriptors() -> int:
    """Open ones of this process."""
    return len(os.listdir("/proc/self/fd"))  # noqa: PTH208  names alone


# --------------------------------------------------------------------------------------------------------------- all


def rows(state: Path) -> Counter[str]:
    """Attempts in the ledger, by status, once whoever is dead counts as dead."""
    Ledger.open(state)
    db = sqlite3.connect(state / "ledger.db")
    try:
        found: list[tuple[str, int]] = db.execute("SELECT status, count(*) FROM attempt GROUP BY status").fetchall()
        return Counter(dict(found))
    finally:
        db.close()


def policy(ports: dict[Protocol, int], sound: int) -> str:
    """Every protocol's model for the files of its folder, the sound one behind it, and escalation to that."""
    rules = "".join(
        f'[[routing.rules]]\nname = "{protocol}"\npaths = ["{protocol}/**"]\nmodel = "{model}"\n'
        f'fallbacks = ["{B}"]\nescalate = {{ on = ["length", "patch_does_not_apply", "refusal"], to = "{STRONG}" }}\n'
        for protocol, model in MODELS.items()
    )
    paths: dict[Protocol, str] = {
        "responses": "openai",
        "anthropic": "anthropic",
        "gemini": "gemini",
        "ollama": "ollama",
    }
    providers = compat("a", f"http://127.0.0.1:{ports['chat']}/v1", price="1")
    providers += "capabilities = { tools = true }\n"
    providers += "".join(compat(name, f"http://127.0.0.1:{sound}/v1", price="1") for name in "bc")
    for protocol, name in paths.items():
        providers += f'[providers.{name}]\nbase_url = "http://127.0.0.1:{ports[protocol]}"\n'
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "100000"\n'
    return f'[routing.default]\nmodel = "{B}"\n{rules}{providers}{budget}{ALLOWED}{QUICK}'


async def child(
    folder: Path, given: argparse.Namespace, calls: int, number: int, *, kill_after_s: float | None = None
) -> Found | None:
    """Another process that works; None where it was killed."""
    options = ("--work", str(folder), "--calls", str(calls), "--seed", str(given.seed + number))
    options += ("--width", str(given.width), "--slack", str(given.slack))
    process = await asyncio.create_subprocess_exec(sys.executable, __file__, *options, stdout=asyncio.subprocess.PIPE)
    if kill_after_s is not None:
        await asyncio.sleep(kill_after_s)
        process.send_signal(signal.SIGKILL)
    out, _ = await process.communicate()
    return None if kill_after_s is not None else Found(**json.loads(out))


async def run(options: argparse.Namespace, folder: Path) -> bool:
    """Runs them all and prints what was counted; whether nothing was that must not be."""
    servers = Servers(random.Random(options.seed))  # noqa: S311  faults, no secrets
    bench = bench_in(folder)
    async with AsyncExitStack() as stack:
        ports: dict[Protocol, int] = {
            one: await stack.enter_async_context(listening(partial(servers.talk, one, 0.5))) for one in PROTOCOLS
        }
        sound = await stack.enter_async_context(listening(partial(servers.talk, "chat", 1.0)))
        bench.write_policy(policy(ports, sound))
        each = -(-options.calls // options.processes)
        working = [child(folder, options, each, n) for n in range(options.processes)]
        killed = [child(folder, options, 10_000, 50 + n, kill_after_s=6.0 + n) for n in range(options.kills)]
        outcomes = [found for found in await asyncio.gather(*working, *killed) if found is not None]
    kept = rows(bench.state)
    print(
        f"{each * options.processes} calls, {options.processes} processes, {options.kills} killed, {len(FAULTS)} faults"
    )
    for found in outcomes:
        print(f"{dict(found.statuses)}, {dict(found.seen)}, codes {dict(found.codes)}")
        print(f"  hangs {found.hangs}, late {found.late}, lost answers {found.lost}, longest {found.longest_s:.2f} s")
        print(f"  descriptors before {found.before}, after {found.after}")
    print(f"requests {servers.heard}, rows {kept.total()}: {dict(kept)}")
    even = servers.heard <= kept.total()  # a row is written before anything leaves, and perhaps nothing does
    fine = all(not one.hangs and not one.late and not one.lost and one.after <= one.before for one in outcomes)
    return fine and even and not kept["running"] and len(outcomes) == options.processes


def bench_in(folder: Path) -> Bench:
    """Home and workspace of all processes."""
    bench = Bench(folder / "home", folder / "work")
    for made in (bench.home, bench.workspace):
        made.mkdir(exist_ok=True)
    return bench


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--calls", type=int, default=1000)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--kills", type=int, default=0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--width", type=int, default=8)
    parser.add_argument("--slack", type=float, default=1)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        found = asyncio.run(work(bench_in(options.work), options.calls, options.seed, options.width, options.slack))
        print(json.dumps(vars(found)))
        return 0
    with tempfile.TemporaryDirectory() as folder:
        bench = bench_in(Path(folder))
        for protocol in PROTOCOLS:
            bench.write(f"{protocol}/x.py", BEFORE)
        subprocess.run(["git", "init", "--quiet", str(bench.workspace)], check=True)
        good = asyncio.run(run(options, Path(folder)))
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
