#!/usr/bin/env python3
"""Lets the disk fail under the ledger, at every single step that it takes, and looks for what is damaged or unsaid.

  python scripts/fail_ledger.py [--errors EIO,ENOSPC,KILL] [--calls openat,...] [--programs story,dispatch]
                                [--lasting] [--step 1] [--jobs 2]
  python scripts/fail_ledger.py --full [--step 1]

Needs `strace`, which makes system calls fail, and a system that lets it (Linux with ptrace).

Two programs work on a ledger: one takes every step that a ledger knows (a route and a job, attempts, approvals, a
session, their ends, a vacuum), the other dispatches two tasks to a model server on loopback. They run again and again;
each time the next one of their writes, syncs, opens, truncations and removals of the ledger's file, its journal and its
folder fails, once, or from then on with `--lasting`; `KILL` kills the process there instead. Afterwards the file has to
be sound, and its holds those of open attempts; what a program said that it had done has to be there, whole; whatever it
could not do it has to have said so in the words of `StateUnavailable`, and where the failure was one alone it has to
succeed at the second try; and every request that came to the server has to be on record.

With `--full` the programs run on a disk of a few kilobytes (a tmpfs in a namespace of its own, with `unshare`), a page
larger each time, until everything fits.
"""

import argparse
import asyncio
import ctypes
import gc
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import traceback
from collections import Counter
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from ledger_story import Told, attempts_on_record, integrity, missing, steps, unrecorded  # noqa: E402
from model_server import Heard, Reply, serving  # noqa: E402
from workbench import ALLOWED, Bench, compat, default  # noqa: E402

from smista_mcp.core.task import Task  # noqa: E402
from smista_mcp.errors import StateUnavailable  # noqa: E402
from smista_mcp.ledger import Ledger  # noqa: E402

PROGRAMS = ("story", "dispatch")
CALLS = ("openat", "pwrite64", "fdatasync", "ftruncate", "unlink", "link", "mkdir")
"""What SQLite and we do to the file, its journal and their folder; it never renames, and syncs with this call alone."""
ERRORS = ("EIO", "ENOSPC", "KILL")
BUDGET = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "100"\n'
PAGE = 4096
_MAY_BE_TRACED, _BY_ANYONE = 0x59616D61, -1
"""`PR_SET_PTRACER` of `prctl`, for systems where only a parent may."""


# ------------------------------------------------------------------------------------------------------ the programs


def story(folder: Path) -> None:
    """Every step that a ledger knows, each tried a second time where it fails."""
    ledger = None
    for _ in range(2):
        try:
            ledger = Ledger.open(bench_in(folder).state)
            break
        except StateUnavailable:
            say(folder, "failed", "open")
    if ledger is None:
        return
    for number, step in enumerate(steps(ledger, "one", vacuums=True)):
        for _ in range(2):
            try:
                say(folder, *step())
                break
            except StateUnavailable:
                say(folder, "failed", str(number))
        else:
            return  # what follows builds on it


def dispatch(folder: Path) -> None:
    """Two tasks, one after the other."""

    async def both() -> None:
        app = bench_in(folder).app()
        async with app.running():
            for number in range(2):
                answer = await app.dispatch(Task(text=f"What is unit test {number}?"))
                for phase in answer.phases:
                    if phase.status != "completed":
                        say(folder, "failed", str(phase.code))
                    elif phase.trace_id is not None:
                        say(folder, "begun", phase.trace_id)

    asyncio.run(both())


def say(folder: Path, *told: str) -> None:
    """One line, in a file that nothing fails for."""
    with (folder / "told").open("a", encoding="utf-8") as file:
        file.write(json.dumps(told) + "\n")


# --------------------------------------------------------------------------------------------------------- one run


@dataclass
class Found:
    """What was seen over all runs."""

    runs: Counter[str] = field(default_factory=Counter[str])
    failed: Counter[str] = field(default_factory=Counter[str])
    wrong: list[str] = field(default_factory=list[str])
    requests: int = 0

    def add(self, other: "Found") -> None:
        self.runs += other.runs
        self.failed += other.failed
        self.wrong += other.wrong
        self.requests += other.requests


@dataclass(frozen=True)
class Fault:
    """A call that fails.

    Attributes:
        number: which of the calls of that name.
        lasting: whether all after it fail too.
    """

    call: str
    number: int
    error: str
    lasting: bool

    def command(self, state: Path, log: Path, process: int) -> list[str]:
        """What makes it happen in a process that is there."""
        how = "signal=SIGKILL" if self.error == "KILL" else f"error={self.error}"
        when = f"when={self.number}{'+' if self.lasting else ''}"
        places = (state, state / "ledger.db", state / "ledger.db-journal", state / "running")
        within = [word for place in places for word in ("-P", str(place))]
        inject = ["-e", f"trace={self.call}", "-e", f"inject={self.call}:{how}:{when}"]
        return ["strace", "-f", "-o", str(log), *within, *inject, "-p", str(process)]


def run(program: str, folder: Path, port: int, fault: Fault | None = None) -> int:
    """Runs a program once, in a process that has everything loaded; how it ended."""
    bench = bench_in(folder)
    v1 = f"http://127.0.0.1:{port}/v1"
    bench.write_policy(default("openai-compat:a/m") + compat("a", v1, price="100") + ALLOWED + BUDGET)
    process = os.fork()
    if process == 0:
        _worked(program, folder, stops=fault is not None)
    if fault is None:
        return os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
    os.waitpid(process, os.WUNTRACED)
    command = fault.command(bench.state, folder / "calls", process)
    with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as tracer:
        assert tracer.stderr is not None  # noqa: S101  a pipe
        if "attached" not in (said := tracer.stderr.readline()):
            os.kill(process, signal.SIGKILL)
            raise RuntimeError(f"strace cannot trace: {said}")
        os.kill(process, signal.SIGCONT)
        ended = os.waitstatus_to_exitcode(os.waitpid(process, 0)[1])
        tracer.communicate()
    return ended


def _worked(program: str, folder: Path, *, stops: bool) -> None:
    """What the new process does."""
    code = 1
    try:
        if stops:
            ctypes.CDLL(None).prctl(_MAY_BE_TRACED, _BY_ANYONE, 0, 0, 0)
            os.kill(os.getpid(), signal.SIGSTOP)
        {"story": story, "dispatch": dispatch}[program](folder)
        gc.collect()  # a ledger lets its mark go
        code = 0
    except BaseException:
        (folder / "broken").write_text(traceback.format_exc(), encoding="utf-8")
        raise
    finally:
        os._exit(code)


def judged(program: str, folder: Path, ended: int, fault: Fault | None, heard: list[str], found: Found) -> bool:
    """Judges what a run has left behind, once nothing fails any more; whether the fault has happened."""
    killed = ended == -signal.SIGKILL and fault is not None and fault.error == "KILL"
    calls = (folder / "calls").read_text(encoding="utf-8", errors="replace") if fault is not None else ""
    met = killed or "(INJECTED" in calls
    lines = (folder / "told").read_text(encoding="utf-8") if (folder / "told").exists() else ""
    told: list[Told] = [json.loads(line) for line in lines.splitlines()]
    failed = [one[1] for one in told if one[0] == "failed"]
    wrong: list[str] = []
    if ended != (-signal.SIGKILL if killed else 0):
        why = (folder / "broken").read_text(encoding="utf-8") if (folder / "broken").exists() else ""
        wrong.append(f"ended with {ended}: {why[-6000:]}")
    if fault is not None and not fault.lasting and program == "story" and len(failed) > 1:
        wrong.append(f"failed again at the second try: {failed}")
    wrong += _left(bench_in(folder).state, told, heard)
    found.failed.update(failed)
    found.requests += len(heard)
    found.wrong += [f"{program}, {fault}: {one}" for one in wrong]
    return met


def _left(state: Path, told: list[Told], heard: list[str]) -> list[str]:
    if not (state / "ledger.db").exists():
        return ["requests without a ledger"] if heard else []
    ledger = Ledger.open(state)
    if (said := integrity(ledger)) != "ok":
        return [f"damaged: {said}"]
    wrong = [f"lost: {one}" for one in missing(ledger, [one for one in told if one[0] not in ("failed", "begun")])]
    wrong += [f"lost: {one}" for one in told if one[0] == "begun" and not ledger.trace(one[1]).attempts]
    attempts = attempts_on_record(ledger, state)
    wrong += ["something runs for ever"] * any(one.status == "running" for one in attempts)
    lacking = unrecorded(heard, attempts, ledger.installation_key())
    return [*wrong, f"{lacking} requests are not on record"] if lacking else wrong


# --------------------------------------------------------------------------------------------------------------- all


class Listed(list[Heard]):
    """What a server heard, as lines of a file too."""

    def __init__(self, file: Path) -> None:
        super().__init__()
        self._file = file

    def append(self, one: Heard) -> None:
        with self._file.open("a", encoding="utf-8") as file:
            file.write(json.dumps(one.body.decode()) + "\n")
        super().append(one)


async def serve(file: Path) -> None:
    """A model server until nobody holds its standard input any more."""
    async with serving(Reply()) as server:
        server.heard = Listed(file)
        print(server.port, flush=True)
        await asyncio.to_thread(sys.stdin.read)


@contextmanager
def served(folder: Path) -> Generator[tuple[int, Path]]:
    """The port of a server in a process of its own, and the file of what it heard."""
    file = folder / "heard"
    file.touch()
    command = [sys.executable, __file__, "--serve", str(file)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None  # noqa: S101  a pipe
        assert process.stdout is not None  # noqa: S101  a pipe
        yield int(process.stdout.readline()), file
        process.stdin.close()


def taken(file: Path) -> list[str]:
    """The bodies that were heard since the last time."""
    lines = file.read_text(encoding="utf-8").splitlines()
    file.write_text("", encoding="utf-8")
    return [json.loads(line) for line in lines]


def every_call(options: argparse.Namespace, folder: Path, found: Found) -> None:
    """The faults of this share, each kind of call until a program is done before it comes."""
    with served(folder) as (port, heard):
        warm(folder / "warm", port, heard)
        for program in options.programs:
            for call in options.calls:
                for error in options.errors:
                    number, met = 1 + options.share * options.step, True
                    while met:
                        fault = Fault(call, number, error, options.lasting)
                        own = folder / "run"
                        ended = run(program, own, port, fault)
                        met = judged(program, own, ended, fault, taken(heard), found)
                        found.runs[f"{program} {call} {error}"] += met
                        shutil.rmtree(own)
                        number += options.step * options.jobs


def every_size(options: argparse.Namespace, folder: Path, found: Found) -> None:
    """Disks that are some pages larger each time, until everything fits."""
    with served(folder) as (port, heard):
        warm(folder / "warm", port, heard)
        for program in options.programs:
            pages, full = 2, True
            while full:
                own = folder / "run"
                with disk(bench_in(own).state, pages) as enlarge:
                    ended = run(program, own, port)
                    enlarge()
                    before = found.failed.total()
                    judged(program, own, ended, None, taken(heard), found)
                full = found.failed.total() > before
                found.runs[f"{program} full disk"] += full
                pages += options.step
                shutil.rmtree(own)


@contextmanager
def disk(place: Path, pages: int) -> Generator[Callable[[], None]]:
    """A disk of so many pages, until the block ends; gives what makes it large."""
    place.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o"]
    subprocess.run([*mount, f"size={pages * PAGE},mode=0700", "smista", place], check=True)
    try:
        yield lambda: subprocess.run([*mount, "remount,size=100m", "smista", place], check=True) and None
    finally:
        subprocess.run(["umount", place], check=True)


def warm(folder: Path, port: int, heard: Path) -> None:
    """Runs both programs here once, so that every process that is made of this one has loaded what they need."""
    bench = bench_in(folder)
    v1 = f"http://127.0.0.1:{port}/v1"
    bench.write_policy(default("openai-compat:a/m") + compat("a", v1, price="100") + ALLOWED + BUDGET)
    story(folder)
    dispatch(folder)
    gc.collect()
    taken(heard)


def bench_in(folder: Path) -> Bench:
    """Home and workspace of one run."""
    bench = Bench(folder / "home", folder / "work")
    for made in (bench.home, bench.workspace):
        made.mkdir(parents=True, exist_ok=True)
    return bench


def shares(options: argparse.Namespace) -> Found:
    """What all shares together have found, each in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:]]
    pipe = subprocess.PIPE
    each = [subprocess.Popen([*command, "--share", f"{n}"], stdout=pipe, text=True) for n in range(options.jobs)]
    found = Found()
    for one in each:
        out, _ = one.communicate()
        if one.returncode:
            found.wrong.append(f"a share ended with {one.returncode}")
            continue
        said = json.loads(out)
        found.add(Found(Counter(said["runs"]), Counter(said["failed"]), said["wrong"], said["requests"]))
    return found


def told(found: Found) -> bool:
    """Prints what was seen; whether all is well."""
    for kind, runs in sorted(found.runs.items()):
        print(f"{kind}: {runs} faults")
    print(f"{found.runs.total()} faults; said to be not done: {dict(sorted(found.failed.items()))}")
    print(f"requests {found.requests}; wrong {len(found.wrong)}")
    print(*found.wrong[:20], sep="\n")
    good = not found.wrong and bool(found.runs.total())
    print("good" if good else "NOT GOOD")
    return good


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--errors", type=lambda text: text.split(","), default=list(ERRORS))
    parser.add_argument("--calls", type=lambda text: text.split(","), default=list(CALLS))
    parser.add_argument("--programs", type=lambda text: text.split(","), default=list(PROGRAMS))
    parser.add_argument("--lasting", action="store_true")
    parser.add_argument("--step", type=int, default=1, help="every so many calls only, or pages more each time")
    parser.add_argument("--jobs", type=int, default=2, help="runs at a time")
    parser.add_argument("--full", action="store_true")
    parser.add_argument("--share", type=int, help=argparse.SUPPRESS)
    parser.add_argument("--serve", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.serve is not None:
        asyncio.run(serve(options.serve))
        return 0
    if options.full and options.share is None:
        alone = ["unshare", "--user", "--map-root-user", "--mount", sys.executable, __file__, "--share", "0"]
        return subprocess.run([*alone, *sys.argv[1:]], check=False).returncode
    if not options.full and shutil.which("strace") is None:
        print("strace is not here: install it, for nothing else makes the calls fail", file=sys.stderr)
        return 2
    if options.share is None:
        return 0 if told(shares(options)) else 1
    found = Found()
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        if options.full:
            every_size(options, folder, found)
            return 0 if told(found) else 1
        every_call(options, folder, found)
    print(json.dumps(vars(found)))
    return 0


if __name__ == "__main__":
    sys.exit(main())
