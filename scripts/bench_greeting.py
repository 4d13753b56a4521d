"""Measure how soon a host knows the tools: from the start of the process to the answers of initialize and tools/list.

    python scripts/bench_greeting.py [-n 15] [--busy 6] [--without-byte-code]

The program as hosts start it, and the same server without its front, in turn, in both eras; milliseconds of the wall
clock (median, and the best of all rounds, which other work on the machine disturbs least) and of the processor up to
the second answer. --busy runs so many processes beside it that do nothing but count. --without-byte-code starts a copy
of the package that Python has never compiled, and lets it keep nothing, as after an installation by uv.
"""

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import NamedTuple

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from raw_host import ENVELOPE, SERVE  # noqa: E402

ROOT = Path(__file__).parents[1]
PROGRAM = ("-m", "smista_mcp", "serve-stdio")
PLAIN = ("-c", SERVE.format(module="stdio", function="serve_stdio", arguments=(), before=""))
CLIENT = {"name": "opencode", "version": "1"}
GREETING = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": CLIENT}
OPENINGS: Mapping[str, list[tuple[str, object]]] = {
    "handshake": [("initialize", GREETING), ("tools/list", {})],
    "modern": [("server/discover", {"_meta": ENVELOPE}), ("tools/list", {"_meta": ENVELOPE})],
}
TICKS = os.sysconf("SC_CLK_TCK")


class Start(NamedTuple):
    """One start, in milliseconds."""

    greeted: float
    listed: float
    cpu: float


def started(command: tuple[str, ...], environ: Mapping[str, str], opening: list[tuple[str, object]]) -> Start:
    """Starts a server and asks it the two questions."""
    began = time.perf_counter()
    pipe = subprocess.PIPE
    with subprocess.Popen(
        [sys.executable, *command], env=environ, stdin=pipe, stdout=pipe, stderr=subprocess.DEVNULL
    ) as server:
        assert server.stdin  # noqa: S101  of a pipe
        assert server.stdout  # noqa: S101
        times: list[float] = []
        for number, (method, params) in enumerate(opening):
            message = {"jsonrpc": "2.0", "id": number, "method": method, "params": params}
            server.stdin.write(json.dumps(message).encode() + b"\n")
            server.stdin.flush()
            answer = json.loads(server.stdout.readline())
            if "result" not in answer:
                raise RuntimeError(f"{method}: {answer}")
            times.append((time.perf_counter() - began) * 1000)
        fields = Path(f"/proc/{server.pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
        cpu = (int(fields[11]) + int(fields[12])) * 1000 / TICKS
        server.terminate()
    return Start(times[0], times[1], cpu)


@contextmanager
def counting(number: int) -> Generator[None]:
    """Keeps so many processes busy; they are ended with the block."""
    busy = [subprocess.Popen([sys.executable, "-c", "while True: pass"]) for _ in range(number)]
    try:
        yield
    finally:
        for one in busy:
            one.kill()
            one.wait()


def main() -> int:
    """Measures, and prints a row for each server and era."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("-n", "--rounds", type=int, default=15)
    parser.add_argument("--busy", type=int, default=0, help="processes that count beside it")
    parser.add_argument("--without-byte-code", action="store_true")
    given = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder, counting(given.busy):
        home, package = Path(folder) / "home", ROOT
        home.mkdir()
        variables = {"SMISTA_HOME": str(home)}
        if given.without_byte_code:
            package = Path(folder) / "package"
            shutil.copytree(ROOT / "smista_mcp", package / "smista_mcp", ignore=shutil.ignore_patterns("__pycache__"))
            variables["PYTHONDONTWRITEBYTECODE"] = "1"
        environ = {**os.environ, **variables, "PYTHONPATH": str(package)}
        os.chdir(home)
        cases = [
            (name, era, command) for era in OPENINGS for name, command in (("smista", PROGRAM), ("no front", PLAIN))
        ]
        found: dict[tuple[str, str], list[Start]] = {}
        for turn in range(given.rounds + 1):
            for name, era, command in cases:
                one = started(command, environ, OPENINGS[era])
                if turn:  # the first one writes byte code, and reads files that are in no cache
                    found.setdefault((name, era), []).append(one)
        print(f"rounds {given.rounds}, busy {given.busy}, load {os.getloadavg()[0]:.1f}, cores {os.cpu_count()}")
    print(f"{'server':10}{'era':11}{'greeted: median':>16}{'best':>7}{'listed: median':>16}{'best':>7}{'cpu':>7}")
    for (name, era), starts in found.items():
        greeted, listed, cpu = ([one[column] for one in starts] for column in range(3))
        row = (statistics.median(greeted), min(greeted), statistics.median(listed), min(listed), statistics.median(cpu))
        print(f"{name:10}{era:11}{row[0]:16.0f}{row[1]:7.0f}{row[2]:16.0f}{row[3]:7.0f}{row[4]:7.0f}")
    return 0


if __name__ == "__main__":
    sys.exit(main())
