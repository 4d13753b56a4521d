"""The bench of a large ledger fills a real one: its rows are what a dispatch writes, however often repeated."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]


def test_a_small_one_is_filled_and_answers(tmp_path: Path) -> None:
    command = [sys.executable, str(ROOT / "scripts/bench_ledger.py"), "--rows", "200", "--samples", "2"]
    done = subprocess.run([*command, "--folder", str(tmp_path)], capture_output=True, text=True, check=False)
    found = json.loads(done.stdout)
    assert (found["rows"], found["projections_equal_events"]) == (200, True)
    assert set(found["met"]) == {"usage", "explain", "append"}
    assert list(tmp_path.iterdir()) == []
