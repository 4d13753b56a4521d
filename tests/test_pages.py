"""Pages that repeat what the code says agree with it."""

import re
import subprocess
import sys
from pathlib import Path

from smista_mcp.errors import Code

ROOT = Path(__file__).parents[1]


def test_the_policy_reference_is_made_from_the_models() -> None:
    command = [sys.executable, str(ROOT / "scripts/write_reference.py"), "--check"]
    assert subprocess.run(command, cwd=ROOT, check=False).returncode == 0


def test_every_code_is_told_what_it_means() -> None:
    page = (ROOT / "docs/codes.md").read_text(encoding="utf-8")
    assert re.findall(r"^\| `(\w+)` \|", page, re.MULTILINE) == sorted(code.value for code in Code)
