"""The short form of scripts/load_door.py: some clients of both eras at once, and nothing that must not be."""

import json
import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).parents[2] / "scripts" / "load_door.py"


def test_clients_of_both_eras_at_once_meet_with_no_error() -> None:
    command = [sys.executable, str(SCRIPT), "--clients", "8", "--seconds", "3", "--pace", "20"]
    done = subprocess.run(command, capture_output=True, timeout=55, check=False)
    told = json.loads(done.stdout)
    assert (told["errors"], told["first_errors"], set(told["statuses"]), told["log_lines"]) == (0, [], {"200"}, [])
    assert told["calls"] >= 8
