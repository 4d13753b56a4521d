"""Kills, failing disks and races, in small; `scripts/*_ledger.py` and `scripts/race_budgets.py` go on for longer."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from subprocess import Popen

import pytest

from smista_mcp.ledger.living import Mark, forget_dead

Child = Callable[..., Popen[str]]
ROOT = Path(__file__).parents[2]
SCRIPTS = ROOT / "scripts"
STRACE = shutil.which("strace")


def proved(script: str, *options: str) -> None:
    command = [sys.executable, str(SCRIPTS / script), *options]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stdout.splitlines()[-1:]) == (0, ["good"]), done.stdout + done.stderr


def test_what_killed_processes_said_is_there_and_what_they_had_begun_counts() -> None:
    proved("kill_ledger.py", "--kills", "3", "--every", "3", "--width", "2")


def test_callers_of_two_processes_never_overstep_a_budget_together() -> None:
    proved("race_budgets.py", "--races", "6", "--callers", "24")


@pytest.mark.skipif(STRACE is None, reason="nothing but strace makes single system calls fail")
@pytest.mark.parametrize("program", ["story", "dispatch"])
def test_a_disk_that_fails_damages_nothing_and_lets_no_request_go_unrecorded(program: str) -> None:
    options = ("--errors", "EIO,KILL", "--calls", "pwrite64,fdatasync", "--step", "67", "--jobs", "1")
    proved("fail_ledger.py", "--programs", program, *options)


def test_a_file_that_cannot_grow_at_any_length_damages_nothing(state: Path, child: Child) -> None:
    program = """
from ledger_story import integrity, missing, steps

state = Path(sys.argv[1])
ledger = Ledger.open(state)
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
told, failed, longest = [], 0, (state / "ledger.db").stat().st_size + 5 * 4096
for limit in range(0, longest, 3000):
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, hard))
    try:
        for step in steps(ledger, str(limit)):
            told.append(step())
    except StateUnavailable:
        failed += 1
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
print(integrity(ledger), missing(ledger, told), failed > 20, len(told) > 0)
"""
    printed, _ = child(program, str(state)).communicate()
    assert printed == "ok [] True True\n"


def test_the_mark_of_a_dead_process_goes_also_where_it_left_nothing_else(state: Path) -> None:
    lives, (dead, other) = Mark(state), (state / "running" / name for name in ("0123456789abcdef", "notes"))
    dead.touch()
    other.touch()
    forget_dead(state)
    assert sorted(file.name for file in (state / "running").iterdir()) == sorted([lives.name, "notes"])
