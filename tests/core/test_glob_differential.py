"""What git ignores, a pattern that forbids holds too: random hostile pairs, git as it is installed."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("steps", [(), ("--steps",)])
def test_no_random_pair_leaks(steps: tuple[str, ...]) -> None:
    command = [
        sys.executable,
        str(ROOT / "scripts/glob_differential.py"),
        "--patterns",
        "3000",
        "--paths",
        "20",
        *steps,
    ]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, ""), done.stdout
    figures = re.search(r"(\d+) pairs, 3000 patterns, git matches (\d+)", done.stdout)
    assert figures
    assert int(figures[1]) >= 50_000
    assert int(figures[2]) >= 10_000
    assert "leaks: git matches, a pattern that forbids does not: 0\n" in done.stdout
