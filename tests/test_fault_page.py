"""The page that people read of faults says what the tests show."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[1] / "scripts" / "fault_table.py"


def test_the_page_is_made_of_the_rows() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False)
    assert done.returncode == 0, "run scripts/fault_table.py"
