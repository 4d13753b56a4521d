#!/usr/bin/env python3
"""Writes docs/door.md: what is tried at the HTTP door with what comes of it, made from the rows of the tests.

python scripts/door_table.py [--check]
"""

import argparse
import ast
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests" / "server"
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from door_rows import BODIES, LENGTHS, NAMES, PATHS, PROBES, WHO, Probe  # noqa: E402

PAGE = ROOT / "docs" / "door.md"
SECTIONS = {
    "Who comes in": WHO,
    "By which name, and from whose page": NAMES,
    "Where a request ends": LENGTHS,
    "Methods and paths": PATHS,
    "What is in it": BODIES,
}
OTHERS = ("test_door_process.py", "test_door_owners.py", "test_load_door.py")
HEAD = f"""# The door, tried

Made by `scripts/door_table.py` from the rows in `tests/door_rows.py`: {len(PROBES)} requests, each over a
socket of its own to a real server process with tokens, behind the name `smista.test`. The status is HTTP's; `closed`
means that the connection ends without an answer. The code is the guard's one word in `error.data.code`; where there is
none, the web server or the protocol library says no. After each row the server answers `/healthz` as before.
"""


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *_tables(), *_behaviour()))


def _tables() -> Iterator[str]:
    for title, probes in SECTIONS.items():
        yield f"## {title}\n\n| what comes | status | code |\n| --- | --- | --- |"
        yield from map(_row, probes)
        yield ""


def _row(probe: Probe) -> str:
    statuses = (probe.status,) if isinstance(probe.status, int) else probe.status
    shown = " or ".join("closed" if status == 0 else str(status) for status in statuses)
    return f"| {probe.name} | {shown} | {f'`{probe.code}`' if probe.code else ''} |"


def _behaviour() -> Iterator[str]:
    """What one request cannot show, by the names of its tests."""
    yield "## What one request cannot show\n"
    yield "Floods of 1,000, the slow, tokens of others, scopes, streams, revocation, an end in order:\n"
    for name in OTHERS:
        tree = ast.parse((TESTS / name).read_text(encoding="utf-8"))
        names = [node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)]
        told = [one.removeprefix("test_").replace("_", " ") for one in names if one.startswith("test_")]
        yield from (f"- {one}" for one in told)
    yield ""


def main() -> int:
    """Writes the page, or says whether it is as it should be."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--check", action="store_true", help="only say whether the page is up to date")
    if parser.parse_args().check:
        return int(PAGE.read_text(encoding="utf-8") != page())
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
