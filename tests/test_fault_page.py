"""The pages that people read of faults and of the door say what the tests show."""

import subprocess
import sys
from pathlib import Path

import pytest

SCRIPTS = Path(__file__).parents[1] / "scripts"


@pytest.mark.parametrize("script", ["fault_table.py", "door_table.py"])
def test_a_page_is_made_of_the_rows(script: str) -> None:
    done = subprocess.run([sys.executable, str(SCRIPTS / script), "--check"], check=False)
    assert done.returncode == 0, f"run scripts/{script}"
