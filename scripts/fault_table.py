#!/usr/bin/env python3
"""Writes docs/faults.md: every fault of the tests with what follows, made from the rows that the tests run.

python scripts/fault_table.py [--check]
"""

import argparse
import ast
import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from fault_rows import Fault  # noqa: E402
from faults import FAULTS  # noqa: E402

PAGE = ROOT / "docs" / "faults.md"
TESTS = ROOT / "tests" / "app" / "test_faults.py"
SECTIONS = {
    "status": "Refused with a status",
    "stream": "Gone wrong in a stream that began well",
    "whole": "An answer as one object that is none",
    "transport": "Gone wrong with HTTP itself",
}
CHARGES = {"none": "nothing", "uncertain": "nobody knows", "counted": "by the server's count"}
HEAD = f"""# What goes wrong, and what follows

Made by `scripts/fault_table.py` from the rows in `tests/*faults.py`: {len(FAULTS)} faults, each over a real socket.
Asked are A, which fails, and then B, which answers. Again: whether A is asked once more, where `max_retries` is 1.
Next: whether B is asked; not where the deadline is over. Row: what the ledger keeps of an attempt at A; `uncertain`
comes with `possible_duplicate_charge` in the answer, and `on_uncertain = "stop"` ends there. Charge: what may have been
charged for it; of a local model (`ollama` here) nothing.
"""


def cell(fault: Fault) -> str:
    """A fault as it is named in a list."""
    return fault.name.replace("|", "\\|")


def outcome(fault: Fault) -> tuple[str, ...]:
    """What follows, as the columns of the table."""
    code = f"`{fault.code}`" if fault.code else "the answer, `possibly_incomplete`" if fault.doubtful else "the answer"
    told = "answer of A" if fault.code is None else "answer of B" if fault.goes_on else "`failed`"
    charge = CHARGES[fault.charge] if fault.code or fault.counted else "not told"
    return (told, code, "yes" if fault.again else "no", "yes" if fault.goes_on else "no", fault.row, charge)


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *(line for at, title in SECTIONS.items() for line in _section(at, title)), *_others()))


def _section(at: str, title: str) -> Iterator[str]:
    rows: dict[tuple[str, ...], list[str]] = defaultdict(list)
    for fault in FAULTS:
        if fault.at == at:
            rows[outcome(fault)].append(cell(fault))
    yield from (f"## {title}", "", "| injected | host gets | code | again | next | row | charge |", f"|{' --- |' * 7}")
    yield from (f"| {'; '.join(names)} | {' | '.join(columns)} |" for columns, names in rows.items())
    yield ""


def _others() -> Iterator[str]:
    """What has no row because it needs more than a server that fails, by the names of its tests."""
    yield from ("## Tests of their own", "")
    for node in ast.parse(TESTS.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef) and node.name.startswith("test_"):
            yield f"- {node.name.removeprefix('test_').replace('_', ' ')}"
    yield ""


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true", help="only say whether the page is as it should be")
    if parser.parse_args().check:
        return 0 if PAGE.read_text(encoding="utf-8") == page() else 1
    PAGE.parent.mkdir(exist_ok=True)
    PAGE.write_text(page(), encoding="utf-8")
    return 0


if __name__ == "__main__":
    sys.exit(main())
