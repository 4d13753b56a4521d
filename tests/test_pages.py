"""Pages that are made from the code are what the code says."""

import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]


def test_the_policy_reference_is_made_from_the_models() -> None:
    command = [sys.executable, str(ROOT / "scripts/write_reference.py"), "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0
