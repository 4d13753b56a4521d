#!/usr/bin/env python3
"""Writes docs/door.md: what is tried at the HTTP door with what comes of it, made from the rows of the tests.

python scripts/door_table.py [--check]
"""

import argparse
import sys
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
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
HEAD = f"""# The door, tried

Made by `scripts/door_table.py` from the rows in `tests/door_rows.py`: {len(PROBES)} requests, each over a
socket of its own to a real server process with tokens, behind the name `smista.test`. The status is HTTP's; `closed`
means that the connection ends without an answer. The code is the guard's one word in `error.data.code`; where there is
none, the web server or the protocol library says no. After each row the server answers `/healthz` as before.
"""

REST = """## What one request cannot show

| what comes | what follows | test |
| --- | --- | --- |
| 1,000 calls of one token | told to wait (429, `too_often`); others are served | `test_door_process.py` |
| 1,000 calls without a token, of forged addresses | told to wait (429); a good token is served | the same |
| more calls of a token at the same time than `--at-once` | 429 | the same |
| a head, or a second one, that never ends | hung up on | the same |
| a body that never ends | 408 | the same |
| a second request hidden behind a length | is none | the same |
| callers that hang up, on every transport, at every moment | nothing is logged, the server goes on | the same |
| a stream whose token is revoked | ends within two seconds | the same |
| tokens that cannot be read | nobody comes in (503) | the same |
| a file of tokens that another process writes | nobody notices | `test_door_tokens.py` |
| one that stays locked | 503, others are served; what is open goes on for 30 seconds | the same |
| more sessions of one token than 32, at once, under any head | 429 (`too_many_sessions`) | the same |
| sessions and running jobs of a token that is revoked | end within two seconds; jobs count as cancelled | the same |
| bodies of one token that are never whole | 429 (`too_much_at_once`); others are served | the same |
| the session of another token, tried again and again | nothing is logged | the same |
| a signal | calls under way are carried through, nobody else comes in | the same |
| session, decision, trace, job, talk or yes of another token | there is no such thing | `test_door_owners.py` |
| `dispatch` with a token of the scope `route` | refused, nothing is asked | the same |
| 64 clients at once for a minute | 0 errors, memory flat | `scripts/load_door.py` |
"""


def page() -> str:
    """The whole page."""
    return "\n".join((HEAD, *_tables(), REST))


def _tables() -> Iterator[str]:
    for title, probes in SECTIONS.items():
        yield f"## {title}\n\n| what comes | status | code |\n| --- | --- | --- |"
        yield from map(_row, probes)
        yield ""


def _row(probe: Probe) -> str:
    statuses = (probe.status,) if isinstance(probe.status, int) else probe.status
    shown = " or ".join("closed" if status == 0 else str(status) for status in statuses)
    return f"| {probe.name} | {shown} | {f'`{probe.code}`' if probe.code else ''} |"


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
