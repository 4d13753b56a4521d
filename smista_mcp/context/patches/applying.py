"""Applies the diffs that `writing` writes, strictly: nothing is looked for, every line has to stand where it says.

Whoever has no git has this as the proof; everybody else has it besides.
"""

import re
from collections.abc import Sequence

from smista_mcp.context.patches.sheets import split_lines

_HUNK = re.compile(r"@@ -([0-9]+),([0-9]+) \+([0-9]+),([0-9]+) @@\n")


class Broken(Exception):
    """A diff that does not apply."""


def applied(old: str, diff: str) -> str:
    """The text of a file behind the diff of this one file.

    Args:
        old: its text before; empty where it is new.
        diff: as `file_diff` writes it.

    Raises:
        Broken: it does not apply.
    """
    lines, rows = split_lines(old), split_lines(diff)
    found: list[str] = []
    done = 0
    at = next((place for place, row in enumerate(rows) if row.startswith("@@")), len(rows))
    while at < len(rows):
        match = _HUNK.fullmatch(rows[at])
        if match is None:
            raise Broken
        start, count, first, most = map(int, match.groups())
        at, removed, added = _hunk(rows, at + 1, count, most)
        begin = start - 1 if count else start
        found += lines[done:begin]
        if begin < done or lines[begin : begin + count] != removed or len(found) != (first - 1 if most else first):
            raise Broken
        found += added
        done = begin + count
    return "".join([*found, *lines[done:]])


def _hunk(rows: Sequence[str], at: int, old: int, new: int) -> tuple[int, list[str], list[str]]:
    """The line behind a hunk, what stands on its old side and what on its new one."""
    removed: list[str] = []
    added: list[str] = []
    while len(removed) < old or len(added) < new:
        if at >= len(rows) or rows[at][0] not in " +-":
            raise Broken
        mark, line = rows[at][0], rows[at][1:]
        at += 1
        if at < len(rows) and rows[at].startswith("\\"):
            line = line.removesuffix("\n")
            at += 1
        removed += [line] if mark in " -" else []
        added += [line] if mark in " +" else []
    if len(removed) != old or len(added) != new:
        raise Broken
    return at, removed, added
