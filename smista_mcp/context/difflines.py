"""Where in a file stands what was found in a difference: people look there, not at a line of the difference."""

import re
from collections.abc import Sequence
from itertools import accumulate

from smista_mcp.context.diff import hunks
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.secretscan import SecretFact

Placed = tuple[SecretFact, int, int]
"""A secret, where it begins, the place behind its end."""
_RANGES = re.compile(r"@@+((?: [-+]\d+(?:,\d+)?){2,64}) @@+")
_REMOVED = " (as it was)"


def in_file(text: str, found: Sequence[Placed]) -> tuple[Placed, ...]:
    """What was found in the part of one file, each with its line of that file.

    Args:
        text: the part, as `split` gives it.
        found: with lines of this part.
    """
    return tuple((fact._replace(line=_place(text, start)[0]), start, end) for fact, start, end in found)


def in_files(parts: Sequence[tuple[str, str]], found: Sequence[Placed]) -> tuple[SecretFact, ...]:
    """What was found in a difference, each with its file and its line of that.

    Args:
        parts: name and text of each part; the texts, joined, are the difference.
        found: with lines of the difference.
    """
    ends = list(accumulate(len(text) for _, text in parts))
    facts: dict[SecretFact, None] = {}
    for fact, start, _ in found:
        at = next(place for place, end in enumerate(ends) if start < end)
        name, text = parts[at]
        line, removed = _place(text, start - (ends[at] - len(text)))
        facts[fact._replace(line=line, file=f"{as_file(name)}{_REMOVED}" if removed else as_file(name))] = None
    return tuple(facts)


def as_file(name: str) -> str:
    """A name as it may stand in what is told of a secret."""
    return f"`{shown(redacted(name))}`"


def _place(text: str, offset: int) -> tuple[int, bool]:
    """The line of the file that a place in a part is of, and whether only the old file has it; 0 above the hunks."""
    head, each = hunks(text)
    at = len(head)
    if offset < at:
        return 0, False
    for hunk in each:
        if offset < at + len(hunk):
            return _line(hunk, offset - at)
        at += len(hunk)
    return 0, False


def _line(hunk: str, offset: int) -> tuple[int, bool]:
    lines = hunk[: offset + 1].split("\n")
    ranges = _RANGES.match(lines[0])
    if ranges is None or len(lines) == 1:
        return 0, False
    firsts = [int(one) for one in re.findall(r" [-+](\d+)", ranges[1])]
    old, new, sides = firsts[0] - 1, firsts[-1] - 1, len(firsts) - 1
    removed = False
    for line in lines[1:]:
        marks = line[:sides]
        if marks.startswith("\\"):
            continue
        removed = "-" in marks
        old += "+" not in marks[:1]
        new += not removed
    return (old, True) if removed else (new, False)
