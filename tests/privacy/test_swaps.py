"""Files exchanged for links while they are judged and read; `scripts/swap_files.py` plays ten thousand rounds."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@pytest.mark.timeout(180)
@pytest.mark.parametrize("way", [(), ("--checked",)], ids=["segment by segment", "as elsewhere"])
def test_no_exchange_lets_anything_out(way: tuple[str, ...]) -> None:
    command = [sys.executable, str(ROOT / "scripts/swap_files.py"), "--rounds", "600", *way]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    found = json.loads(done.stdout)
    assert (done.returncode, done.stderr, found["leaks"]) == (0, "", 0)
    assert found["rounds"] >= 600
    assert all(found["refused"].values())  # every kind of exchange was met
