"""The short form of `scripts/fuzz_reader.py`, which reads 100,000 texts under twenty hash seeds."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_hostile_texts_are_read_alike_under_every_hash_seed() -> None:
    command = [sys.executable, str(ROOT / "scripts/fuzz_reader.py"), "--texts", "1500", "--seeds", "3", "--all"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
