"""The short form of scripts/load_door.py: some clients of both eras at once, and nothing that must not be."""

import json
import os
import platform
import subprocess
import sys
from pathlib import Path

import pytest

SCRIPT = Path(__file__).parents[2] / "scripts" / "load_door.py"


def test_clients_of_both_eras_at_once_meet_with_no_error() -> None:
    command = [sys.executable, str(SCRIPT), "--clients", "8", "--seconds", "3", "--pace", "20"]
    done = subprocess.run(command, capture_output=True, timeout=55, check=False)
    told = json.loads(done.stdout)
    assert (told["errors"], told["first_errors"], set(told["statuses"]), told["log_lines"]) == (0, [], {"200"}, [])
    assert told["calls"] >= 8


MANY_THREADS = """
import os, sys, threading
if sys.argv[1] == "shared":
    from smista_mcp.server.startup import share_heaps
    share_heaps()
together = threading.Barrier(12)
def work():
    for _ in range(20):
        together.wait()
        bytes(100_000)
        kept.append([bytearray(5000) for _ in range(50)])
kept, threads = [], [threading.Thread(target=work) for _ in range(12)]
for one in threads: one.start()
for one in threads: one.join()
starts = [int(line.split("-")[0], 16) for line in open("/proc/self/maps") if line.rstrip().endswith(" 0")]
print(sum(start % (1 << 26) == 0 for start in starts))
"""


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="heaps of threads are glibc's")
def test_threads_share_their_heaps() -> None:
    environ = {name: value for name, value in os.environ.items() if name != "MALLOC_ARENA_MAX"}
    alone, shared = (
        int(subprocess.run([sys.executable, "-c", MANY_THREADS, how], env=environ, stdout=-1, check=True).stdout)
        for how in ("alone", "shared")
    )
    assert alone > shared
    assert shared <= 1  # beside the main one
