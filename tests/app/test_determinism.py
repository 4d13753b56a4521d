"""The same tasks are decided alike in processes that differ in hash seed, locale and time zone."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)  # twelve processes
def test_decisions_are_the_same_bytes_in_every_process() -> None:
    command = [sys.executable, str(ROOT / "scripts/determinism.py"), "--tasks", "40", "--seeds", "3"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert "12 processes" in done.stdout
    assert "1 distinct SHA-256" in done.stdout
