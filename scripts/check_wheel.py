"""Builds the wheel and proves that it is whole: every file of the tree is in it, and its presets pass their own tests.

The wheel is unpacked and run from an empty folder with the packages of this environment, so that nothing of the tree
can stand in for what the wheel lacks.
"""

import os
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]


def expected() -> set[str]:
    """The files that the wheel must hold, besides its metadata."""
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "smista_mcp", "policies"]
    listed = subprocess.run(command, cwd=ROOT, check=True, capture_output=True, text=True).stdout.split("\0")
    return {name if name.startswith("smista_mcp/") else f"smista_mcp/{name}" for name in listed if name}


def main() -> None:
    """Exits with a text that says what is missing or which preset fails."""
    with tempfile.TemporaryDirectory() as folder:
        work = Path(folder)
        subprocess.run([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", folder], cwd=ROOT, check=True)
        (wheel,) = work.glob("*.whl")
        with zipfile.ZipFile(wheel) as archive:
            missing = expected() - set(archive.namelist())
            archive.extractall(work / "site")
        if missing:
            sys.exit(f"the wheel lacks {', '.join(sorted(missing))}")
        empty = work / "empty"
        empty.mkdir()
        environment = {**os.environ, "PYTHONPATH": str(work / "site"), "SMISTA_HOME": str(work / "home")}
        presets = sorted(path.stem for path in (work / "site" / "smista_mcp" / "policies").glob("*.toml"))
        for preset in presets:
            command = [sys.executable, "-P", "-m", "smista_mcp", "policy", "test", "--preset", preset]
            told = subprocess.run(command, cwd=empty, env=environment, check=False, capture_output=True, text=True)
            if told.returncode:
                sys.exit(f"preset {preset} fails in the wheel:\n{told.stdout}{told.stderr}")
        print(f"{wheel.name} is whole; presets pass their tests: {', '.join(presets)}")


if __name__ == "__main__":
    main()
