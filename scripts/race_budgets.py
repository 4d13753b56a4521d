#!/usr/bin/env python3
"""Lets many callers in two processes race for one budget, again and again, and looks whether it was ever overstepped.

  python scripts/race_budgets.py [--races 1000] [--callers 64] [--processes 2] [--seed 1]
  python scripts/race_budgets.py --whole [--races 20]

Each race has a ledger to itself, and a budget of one scope and period, or two of them, that is smaller than what all
callers together want. Half of the callers of each process go through the clerk of a dispatch, which writes what comes
together in one transaction, the others write by themselves from threads. Callers want different amounts; some are
outside of the budget and must not count in it. In every second race they only hold what they want: then what is held
never shrinks, and nobody who was refused may fit into what is left at the end. In the others they settle at once, for
less or for all of it, and there is room again: then everybody who was refused tries once more when all is over, one
after the other, and is refused exactly where it does not fit. In every race what the ledger counts is at most the
budget whenever somebody looks, and at the end what was granted, to the last digit.

With `--whole` the callers are whole dispatches to a model server on loopback, which answers nobody before each of them
has come to it or was refused: what the requests may cost together must fit the budget, and one more must not.
"""

import argparse
import asyncio
import json
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

import anyio  # noqa: E402
from ledger_story import attempts_on_record  # noqa: E402
from model_server import Reply, serving  # noqa: E402
from recording import open_trace  # noqa: E402
from workbench import ALLOWED, Bench, compat, default  # noqa: E402

from smista_mcp.app.caller import Caller  # noqa: E402
from smista_mcp.app.world import period_start  # noqa: E402
from smista_mcp.core.receipt import Receipt  # noqa: E402
from smista_mcp.core.task import Task  # noqa: E402
from smista_mcp.core.values import Intent, Locality  # noqa: E402
from smista_mcp.dispatch.clerk import Clerk  # noqa: E402
from smista_mcp.errors import Code  # noqa: E402
from smista_mcp.ledger import AttemptStart, BudgetExceeded, Ledger, Settlement, SpendingLimit  # noqa: E402
from smista_mcp.ledger.entries import SettlementEntry  # noqa: E402

SCOPES = ("all", "project", "intent:edit", "model:p/*", "token:ci")
PROJECT = "77" * 32
BUSY_S = 60.0
"""On a slow disk everybody waits for everybody."""
WHOLE_USD = "100"
"""For a million tokens."""


# ------------------------------------------------------------------------------------------------------- one process


@dataclass(frozen=True)
class Racer:
    """One of the callers of a race.

    Attributes:
        wants: USD.
        inside: whether it is of every scope, or of `all` alone.
        end: how it settles; None where it only holds.
        cost: with that; None where nobody knows.
    """

    wants: Decimal
    inside: bool
    end: str | None
    cost: Decimal | None

    def start(self) -> AttemptStart:
        return AttemptStart(
            phase=0,
            intent=Intent.REFACTOR if self.inside else Intent.CHAT,
            model="p/m" if self.inside else "q/m",
            provider="p",
            locality=Locality.REMOTE,
            started_at=datetime.now(UTC),
            receipt=Receipt(body_bytes=1, body_sha256="00" * 32),
            cost_kind="list",
            reserved=self.wants,
            workspace=PROJECT if self.inside else None,
            token="ci" if self.inside else None,
        )

    def limits(self, limits: Sequence[SpendingLimit]) -> list[SpendingLimit]:
        """Those that apply to it."""
        return [one for one in limits if self.inside or one.scope == "all"]

    @property
    def counts(self) -> Decimal:
        """What it counts in the end."""
        if self.end in (None, "uncertain"):
            return self.wants
        return self.cost or Decimal(0)


@dataclass
class Race:
    """What one process does in a race, and what came of it."""

    ledger: Ledger
    limits: Sequence[SpendingLimit]
    callers: Sequence[Racer]
    chance: random.Random
    refused: list[Racer] = field(default_factory=list[Racer])
    granted: list[Racer] = field(default_factory=list[Racer])
    wrong: list[str] = field(default_factory=list[str])

    async def run(self, trace: str) -> None:
        """All callers at once: every second one through the clerk."""
        clerk, limiter = Clerk(self.ledger), anyio.CapacityLimiter(len(self.callers))
        async with anyio.create_task_group() as group:
            for number, caller in enumerate(self.callers):
                if number % 2:
                    group.start_soon(self._through, clerk, trace, caller)
                else:
                    alone = partial(anyio.to_thread.run_sync, self._alone, limiter=limiter)
                    group.start_soon(alone, trace, caller)

    async def _through(self, clerk: Clerk, trace: str, caller: Racer) -> None:
        try:
            attempt_id = await clerk.begin(trace, caller.start(), caller.limits(self.limits))
        except BudgetExceeded:
            self.refused.append(caller)
            return
        self.granted.append(caller)
        if caller.end is not None:
            await clerk.settle(attempt_id, _settlement(caller))

    def _alone(self, trace: str, caller: Racer) -> bool:
        ledger = self.ledger
        try:
            attempt_id = ledger.write(ledger.attempt(trace, caller.start(), caller.limits(self.limits)))
        except BudgetExceeded:
            self.refused.append(caller)
            return False
        self.granted.append(caller)
        if self.chance.random() < 0.1:
            self._look()
        if caller.end is not None:
            ledger.write(SettlementEntry(attempt_id, _settlement(caller)))
        return True

    def _look(self) -> None:
        for limit in self.limits:
            spent = self.ledger.spent(limit.scope, limit.since, PROJECT)
            if spent > limit.limit:
                self.wrong.append(f"{spent} of {limit.limit} for {limit.scope}")

    def again(self, trace: str) -> None:
        """Everybody who was refused tries once more, alone."""
        refused, self.refused = self.refused, []
        for caller in refused:
            limits = caller.limits(self.limits)
            left = [one.limit - self.ledger.spent(one.scope, one.since, PROJECT) for one in limits]
            fits = caller.wants <= min(left)
            if self._alone(trace, caller) != fits:
                self.wrong.append(f"{caller.wants} of {left} left: {'refused' if fits else 'granted'}")


def _settlement(caller: Racer) -> Settlement:
    end: Any = caller.end
    return Settlement(end, datetime.now(UTC), cost=caller.cost)


def callers_of(chance: random.Random, count: int, *, settles: bool) -> list[Racer]:
    """Some callers."""
    found: list[Racer] = []
    for _ in range(count):
        wants = Decimal(chance.randrange(1, 2000)) / 10_000
        end = chance.choice(("completed", "completed", "failed", "uncertain", "cancelled")) if settles else None
        cost = wants * chance.randrange(4) / 3 if end in ("completed", "cancelled") else None
        cost = None if cost is None else cost.quantize(Decimal("0.000001"), "ROUND_DOWN")
        found.append(Racer(wants, chance.random() < 0.875, end, cost))
    return found


def limits_of(chance: random.Random, number: int) -> list[SpendingLimit]:
    """The budgets of a race: each scope in turn, of a day or a month, and in some another one over everything."""
    now = datetime.now(UTC)
    period = ("day", "month")[number // len(SCOPES) % 2]
    limits = [(SCOPES[number % len(SCOPES)], Decimal(chance.randrange(5000, 40_000)) / 10_000)]
    if number % 3 == 2:
        limits.append(("all", Decimal(chance.randrange(5000, 60_000)) / 10_000))
    return [SpendingLimit(scope, period_start(period, now), limit) for scope, limit in limits]


def work(options: argparse.Namespace) -> None:
    """Races as often as it is told to."""
    for line in sys.stdin:
        folder, number = json.loads(line)
        chance = random.Random(f"{options.seed} {number}")  # noqa: S311  amounts, no secrets
        limits, settles = limits_of(chance, number), number % 2 == 1
        own = random.Random(f"{options.seed} {number} {options.work}")  # noqa: S311  likewise
        ledger = Ledger.open(Path(folder), busy_s=BUSY_S)
        trace = open_trace(ledger, "ab" * 32, datetime.now(UTC))
        callers = callers_of(own, options.callers // options.processes, settles=settles)
        race = Race(ledger, limits, callers, own)
        print("ready", flush=True)
        sys.stdin.readline()
        anyio.run(race.run, trace)
        print("raced", flush=True)
        sys.stdin.readline()
        if settles:
            race.again(trace)
        said = {
            "granted": [[str(one.counts), one.inside] for one in race.granted],
            "refused": [[str(one.wants), one.inside] for one in race.refused],
            "wrong": race.wrong,
        }
        print(json.dumps(said), flush=True)


async def dispatch(folder: Path, callers: int, name: str) -> None:
    """Dispatches at once; each refusal is told when it comes, and what each may cost at most."""
    app = bench_in(folder).app()

    async def one(number: int) -> None:
        caller = Caller(f"host {number % 4}")  # one may have no more than 16 jobs at once
        answer = await app.dispatch(Task(text=f"What is unit test {number:04} of {name}?"), caller)
        code = None if answer.status == "completed" else str(answer.code)
        print(json.dumps(["ended", code]), flush=True)

    async with app.running(), anyio.create_task_group() as group:
        (decision,) = app.route(Task(text=f"What is unit test 9999 of {name}?")).decisions
        print(json.dumps(["most", decision.cost.max if decision.cost else None]), flush=True)
        await asyncio.to_thread(sys.stdin.readline)
        for number in range(callers):
            group.start_soon(one, number)


# --------------------------------------------------------------------------------------------------------------- all


@dataclass
class Found:
    """What was seen over all races."""

    races: int = 0
    granted: int = 0
    refused: int = 0
    wrong: list[str] = field(default_factory=list[str])

    def add(self, *, granted: int, refused: int) -> None:
        self.races, self.granted, self.refused = self.races + 1, self.granted + granted, self.refused + refused


def race(folder: Path, number: int, options: argparse.Namespace, children: Sequence[Any], found: Found) -> None:
    """One race."""
    state = folder / f"{number}"
    for child in children:  # one after the other, so that exactly one makes the file
        _tell(child, json.dumps([str(state), number]))
        _heard(child, "ready")
    for child in children:
        _tell(child, "go")
    for child in children:
        _heard(child, "raced")
    told: list[dict[str, Any]] = []
    for child in children:
        _tell(child, "end")
        told.append(json.loads(child.stdout.readline()))
    limits = limits_of(random.Random(f"{options.seed} {number}"), number)  # noqa: S311  as above
    granted = [(Decimal(wants), inside) for one in told for wants, inside in one["granted"]]
    refused = [(Decimal(wants), inside) for one in told for wants, inside in one["refused"]]
    ledger = Ledger.open(state)
    left: list[tuple[SpendingLimit, Decimal]] = []
    for limit in limits:
        spent = ledger.spent(limit.scope, limit.since, PROJECT)
        counted = sum((wants for wants, inside in granted if inside or limit.scope == "all"), Decimal(0))
        if spent > limit.limit or spent != counted:
            found.wrong.append(f"race {number}: {spent} of {limit.limit} for {limit.scope}, granted was {counted}")
        left.append((limit, limit.limit - spent))
    for wants, inside in refused:
        if not any(wants > rest for limit, rest in left if inside or limit.scope == "all"):
            found.wrong.append(f"race {number}: {wants} was refused, and {left} is left")
    found.wrong += [f"race {number}: {wrong}" for one in told for wrong in one["wrong"]]
    found.add(granted=len(granted), refused=len(refused))


def _tell(child: "subprocess.Popen[str]", line: str) -> None:
    assert child.stdin is not None  # noqa: S101  a pipe
    child.stdin.write(f"{line}\n")
    child.stdin.flush()


def _heard(child: "subprocess.Popen[str]", expected: str) -> None:
    assert child.stdout is not None  # noqa: S101  a pipe
    if (line := child.stdout.readline()) != f"{expected}\n":
        raise RuntimeError(f"a process said {line!r} for {expected}")


def races(options: argparse.Namespace, folder: Path, found: Found) -> None:
    """All races, in the same processes."""
    command = [sys.executable, __file__, *sys.argv[1:]]
    pipe = subprocess.PIPE
    with ExitStack() as stack:
        children: list[subprocess.Popen[str]] = []
        for number in range(options.processes):
            process = subprocess.Popen([*command, "--work", f"{number}"], stdin=pipe, stdout=pipe, text=True)
            children.append(stack.enter_context(process))
        for number in range(options.races):
            race(folder, number, options, children, found)
            shutil.rmtree(folder / f"{number}")
        for child in children:
            assert child.stdin is not None  # noqa: S101  a pipe
            child.stdin.close()


async def whole_race(options: argparse.Namespace, folder: Path, number: int, found: Found) -> None:
    """One race of dispatches."""
    chance, hold = random.Random(f"{options.seed} {number}"), asyncio.Event()  # noqa: S311  as above
    period = ("day", "month")[number % 2]
    limit = Decimal(chance.randrange(200, 3000)) / 100
    scope = chance.choice(("all", "project", "intent:chat", "model:openai-compat*"))
    budgets = f'[[budgets]]\nscope = "{scope}"\nperiod = "{period}"\nlimit = "{limit}"\n'
    refused = Counter[str]()
    async with serving(Reply(hold=hold)) as server:  # pyright: ignore[reportArgumentType]  the same interface
        bench = bench_in(folder)
        bench.write_policy(default("openai-compat:a/m") + compat("a", server.v1, price=WHOLE_USD) + ALLOWED + budgets)

        processes = [await _dispatching(folder, place, options) for place in range(options.processes)]
        most = max([Decimal(json.loads(await one.stdout.readline())[1]) for one in processes if one.stdout])

        async def listen(process: asyncio.subprocess.Process) -> None:
            assert process.stdin is not None  # noqa: S101  a pipe
            assert process.stdout is not None  # noqa: S101  a pipe
            process.stdin.write(b"go\n")
            async for line in process.stdout:
                code = json.loads(line)[1]
                refused.update([code] if code is not None else [])

        async def let_go() -> None:
            while len(server.heard) + refused.total() < options.callers:  # noqa: ASYNC110  two things to wait for
                await asyncio.sleep(0.02)
            hold.set()

        await asyncio.wait_for(asyncio.gather(let_go(), *map(listen, processes)), 300)
        heard = len(server.heard)
    rows = attempts_on_record(Ledger.open(bench.state), bench.state)
    held = sum((Decimal(one.reserved or 0) for one in rows), Decimal(0))
    if heard != len(rows) or held > limit:
        found.wrong.append(f"race {number}: {heard} requests, {len(rows)} rows that held {held} of {limit}")
    if limit - held >= most or set(refused) - {str(Code.BUDGET_EXCEEDED)}:
        found.wrong.append(f"race {number}: {refused}, where {limit - held} was left and {most} needed")
    found.add(granted=heard, refused=refused.total())


async def _dispatching(folder: Path, place: int, options: argparse.Namespace) -> asyncio.subprocess.Process:
    command = [sys.executable, __file__, "--dispatch", str(folder), "--work", str(place)]
    command += ["--callers", str(options.callers // options.processes)]
    pipe = asyncio.subprocess.PIPE
    return await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)


async def whole_races(options: argparse.Namespace, folder: Path, found: Found) -> None:
    """All races of dispatches."""
    for number in range(options.races):
        await whole_race(options, folder / f"{number}", number, found)
        await asyncio.to_thread(shutil.rmtree, folder / f"{number}")


def bench_in(folder: Path) -> Bench:
    """Home and workspace of a race of dispatches."""
    bench = Bench(folder / "home", folder / "work")
    for made in (bench.home, bench.workspace):
        made.mkdir(parents=True, exist_ok=True)
    return bench


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--races", type=int)
    parser.add_argument("--callers", type=int, default=64, help="of all processes together")
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--whole", action="store_true")
    parser.add_argument("--work", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--dispatch", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.dispatch is not None:
        asyncio.run(dispatch(options.dispatch, options.callers, str(options.work)))
        return 0
    if options.work is not None:
        work(options)
        return 0
    options.races = options.races or (20 if options.whole else 1000)
    found = Found()
    with tempfile.TemporaryDirectory() as folder:
        if options.whole:
            asyncio.run(whole_races(options, Path(folder), found))
        else:
            races(options, Path(folder), found)
    print(f"{found.races} races of {options.callers} callers in {options.processes} processes")
    print(f"granted {found.granted}, refused {found.refused}; wrong {len(found.wrong)}")
    print(*found.wrong[:20], sep="\n")
    good = not found.wrong and bool(found.granted) and bool(found.refused)
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
