#!/usr/bin/env python3
"""Kills processes in the middle of their work on one ledger, and looks for what is lost, damaged or held for nothing.

  python scripts/kill_ledger.py [--kills 200] [--processes 2] [--every 25] [--width 3] [--seed 1]

Each process dispatches tasks to a model server on loopback, and writes everything else that a ledger holds beside it;
it says over a pipe what it has done, once that is done. At a random moment one of them is killed with signal 9, while
the others go on, and another takes its place. Afterwards everything that was said has to be there, whole; the file has
to be sound; what the dead had under way has to be uncertain; and every request that came to the server has to be on
record. After every `--every` kills all of them are killed and a new ledger is begun: then nothing may run, and budgets
have to count exactly what attempts cost or may have cost. Told, not judged: how long a new process takes until its
first row is written (a kill leaves a journal behind, which it rolls back), and how long of that the ledger takes.
"""

import argparse
import asyncio
import contextlib
import json
import os
import random
import signal
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import dataclass, field
from itertools import count
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from ledger_story import BEGINNING, Tell, Told, attempts_on_record, counted, integrity, missing, now, steps, unrecorded  # noqa: E402
from model_server import ModelServer, Reply, serving  # noqa: E402
from workbench import ALLOWED, Bench, compat, default  # noqa: E402

from smista_mcp.core.task import Task  # noqa: E402
from smista_mcp.errors import StateUnavailable  # noqa: E402
from smista_mcp.ledger import Ledger, NewTrace  # noqa: E402
from smista_mcp.ledger.entries import TraceEntry  # noqa: E402

LONGEST_S = 0.4
"""How long after its first row a process lives at most."""
_LATEST = 8
"""Steps whose presence is looked at right after a kill."""
_BUSY_S = 60.0
"""How long whoever looks afterwards waits for the others: on a slow disk that is long."""
_VACUUMED = 20
"""One in so many stories ends with a vacuum."""
BUDGET = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "100000"\n'


# ------------------------------------------------------------------------------------------------------- one process


def work(folder: Path, name: str, width: int) -> None:
    """Works until it is killed, or whoever started it is gone."""
    lock = threading.Lock()
    threading.Thread(target=_outlive_nobody, daemon=True).start()

    def tell(told: Told) -> None:
        with lock:  # a line is on its way at once or not at all
            os.write(1, (json.dumps(told) + "\n").encode())

    began = time.perf_counter()
    state = bench_in(folder).state
    ledger = Ledger.open(state, busy_s=_BUSY_S)
    ledger.write(TraceEntry(NewTrace(os.urandom(16).hex(), "ab" * 32, now())))
    tell(["up", f"{time.perf_counter() - began:.4f}"])
    threading.Thread(target=_write, args=(ledger, name, tell), daemon=True).start()
    asyncio.run(_dispatch(folder, name, tell, width))


def _outlive_nobody() -> None:
    os.read(0, 1)  # the other end of the pipe is held by whoever started it, who writes nothing
    os._exit(1)


def _write(ledger: Ledger, name: str, tell: Tell) -> None:
    for number in count():
        with contextlib.suppress(StateUnavailable):  # others held the file for too long: nothing was said
            for step in steps(ledger, f"{name} {number}", vacuums=number % _VACUUMED == 1):
                tell(step())


async def _dispatch(folder: Path, name: str, tell: Tell, width: int) -> None:
    app, numbers = bench_in(folder).app(), count()

    async def one_after_the_other() -> None:
        for number in numbers:
            answer = await app.dispatch(Task(text=f"What is a unit test? ({name}, {number})"))
            for phase in answer.phases:
                if phase.status == "completed" and phase.trace_id is not None:
                    tell(["answered", phase.trace_id, str(phase.cost)])

    async with app.running():
        for number in range(3):
            decisions = app.route(Task(text=f"What is a module? ({name}, {number})")).decisions
            for one in decisions:
                if one.recorded:
                    tell(["decision", one.decision_id])
        await asyncio.gather(*(one_after_the_other() for _ in range(width)))


# --------------------------------------------------------------------------------------------------------------- all


@dataclass
class Found:
    """What was seen over all kills."""

    kills: int = 0
    told: Counter[str] = field(default_factory=Counter[str])
    lost: list[Told] = field(default_factory=list[Told])
    damaged: int = 0
    astray: int = 0
    marks: int = 0
    uneven: int = 0
    requests: int = 0
    unrecorded: int = 0
    statuses: Counter[str] = field(default_factory=Counter[str])
    started_s: list[float] = field(default_factory=list[float])
    opened_s: list[float] = field(default_factory=list[float])

    @property
    def good(self) -> bool:
        return not (self.lost or self.damaged or self.astray or self.marks or self.uneven or self.unrecorded)


@dataclass
class Child:
    """A process that works, and all that it has said."""

    process: asyncio.subprocess.Process
    began: float
    told: list[Told] = field(default_factory=list[Told])

    @classmethod
    async def start(cls, folder: Path, name: str, width: int) -> "Child":
        command = [sys.executable, __file__, "--work", str(folder), "--name", name, "--width", str(width)]
        began = time.perf_counter()
        pipe = asyncio.subprocess.PIPE
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        return cls(process, began)

    async def up(self, found: Found) -> None:
        """Waits for its first row."""
        assert self.process.stdout is not None  # noqa: S101  a pipe
        line = await self.process.stdout.readline()
        if not line:
            raise RuntimeError("a process ended by itself")
        self.told.append(json.loads(line))
        found.started_s.append(time.perf_counter() - self.began)
        found.opened_s.append(float(self.told[-1][1]))

    async def killed(self) -> None:
        """Kills it and hears the last of it; a line without an end was not said."""
        self.process.send_signal(signal.SIGKILL)
        assert self.process.stdout is not None  # noqa: S101  a pipe
        heard = await self.process.stdout.read()
        await self.process.wait()
        self.told += [json.loads(line) for line in heard.split(b"\n")[:-1]]


async def run(options: argparse.Namespace, folder: Path, found: Found) -> None:
    """All kills."""
    chance = random.Random(options.seed)  # noqa: S311  moments, no secrets
    while found.kills < options.kills:
        home = folder / str(found.kills)
        async with serving(Reply(used={"prompt_tokens": 40, "completion_tokens": 5})) as server:
            bench = bench_in(home)
            bench.write_policy(default("openai-compat:a/m") + compat("a", server.v1, price="100") + ALLOWED + BUDGET)
            await _one_ledger(home, server, options, found, chance)


async def _one_ledger(
    home: Path, server: ModelServer, options: argparse.Namespace, found: Found, chance: random.Random
) -> None:
    state = bench_in(home).state
    names = (f"{options.seed} {number}" for number in count())
    children = [await Child.start(home, next(names), options.width) for _ in range(options.processes)]
    for child in children:
        await child.up(found)
    everything: list[Told] = []
    for number in range(min(options.every, options.kills - found.kills)):
        await asyncio.sleep(chance.uniform(0, LONGEST_S))
        place = chance.randrange(len(children))
        await children[place].killed()
        found.kills += 1
        await asyncio.to_thread(_judge_one, state, children[place].told, found)
        everything += children[place].told
        if number + 1 < options.every and found.kills < options.kills:
            children[place] = await Child.start(home, next(names), options.width)
            await children[place].up(found)
        else:
            del children[place]
    for child in children:
        await child.killed()
        everything += child.told
    await asyncio.to_thread(_judge_all, state, everything, server, found)


def _judge_one(state: Path, told: list[Told], found: Found) -> None:
    """While the others go on: what was said last, for what is lost is lost at the end."""
    ledger = Ledger.open(state, busy_s=_BUSY_S)
    found.damaged += integrity(ledger) != "ok"
    found.lost += missing(ledger, told[-_LATEST:])


def _judge_all(state: Path, told: list[Told], server: ModelServer, found: Found) -> None:
    """Once nobody is left."""
    ledger = Ledger.open(state, busy_s=_BUSY_S)
    found.damaged += integrity(ledger) != "ok"
    attempts = attempts_on_record(ledger, state)
    found.lost += missing(ledger, told)
    status = {one.attempt_id: one.status for one in attempts}
    ended = {one[2] for one in told if one[0] == "settled"}
    begun = {one[2] for one in told if one[0] == "attempt"} - ended
    found.astray += sum(status.get(one) not in ("uncertain", "completed") for one in begun)  # an end may be unsaid
    found.astray += sum(one.status == "running" for one in attempts)
    found.marks += len(list((state / "running").iterdir()))
    found.uneven += ledger.spent("all", BEGINNING) != counted(attempts)
    found.requests += len(server.heard)
    found.unrecorded += unrecorded((one.body.decode() for one in server.heard), attempts, ledger.installation_key())
    found.told.update(one[0] for one in told)
    found.statuses.update(one.status for one in attempts)


def bench_in(folder: Path) -> Bench:
    """Home and workspace of all processes."""
    bench = Bench(folder / "home", folder / "work")
    for made in (bench.home, bench.workspace):
        made.mkdir(parents=True, exist_ok=True)
    return bench


def _spread(seconds: list[float]) -> str:
    by_size = sorted(seconds)
    return f"median {by_size[len(by_size) // 2]:.3f} s, longest {by_size[-1]:.3f} s"


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--every", type=int, default=25, help="kills on one ledger")
    parser.add_argument("--width", type=int, default=3, help="tasks that a process dispatches at once")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--work", type=Path, help=argparse.SUPPRESS)
    parser.add_argument("--name", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.work is not None:
        work(options.work, options.name, options.width)
        return 0
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        asyncio.run(run(options, Path(folder), found))
    print(f"{found.kills} kills in {options.processes} processes; told {dict(sorted(found.told.items()))}")
    print(f"lost {len(found.lost)} {found.lost[:9]}, damaged {found.damaged}")
    print(f"held for nobody or not at all {found.astray}, marks of the dead {found.marks}")
    print(f"ledgers whose sums differ {found.uneven}; attempts {dict(sorted(found.statuses.items()))}")
    print(f"requests {found.requests}, not on record {found.unrecorded}")
    print(f"from start of a process to its first row: {_spread(found.started_s)}")
    print(f"of that in the ledger: {_spread(found.opened_s)}")
    print("good" if found.good else "NOT GOOD")
    return 0 if found.good else 1


if __name__ == "__main__":
    sys.exit(main())
