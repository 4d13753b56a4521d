"""Reads the other shapes in which models write changes: `*** Begin Patch`, and blocks to be found and replaced."""

import re
from collections.abc import Sequence

from smista_mcp.context.patches.changes import Change, Hunk, HunkLine
from smista_mcp.context.patches.diffs import Read, read_hunks

_SEARCH = re.compile(r"<{5,9} ?(?:SEARCH|ORIGINAL)\b")
_MIDDLE = re.compile(r"={5,9}\Z")
_REPLACE = re.compile(r">{5,9} ?(?:REPLACE|UPDATED)\b")
_BEGIN = "*** Begin Patch"
_END = "*** End Patch"
_MOVE = "*** Move to: "
_OPENS = ("*** Update File: ", "*** Add File: ", "*** Delete File: ")
_UNENDED = "breaks off inside a block that is to be found and replaced"


def opens_listed(line: str) -> bool:
    """Whether a line begins a file, or all of them, as `*** Begin Patch` writes them."""
    return line.startswith((_BEGIN, *_OPENS))


def read_listed(lines: Sequence[str], at: int) -> tuple[tuple[Change, ...], int]:
    """Reads such files in a row, up to the end mark: the changes and the line behind them."""
    found: list[Change] = []
    at += lines[at].startswith(_BEGIN)
    while at < len(lines) and lines[at].startswith(_OPENS):
        read = _listed_file(lines, at)
        found.append(read.change)
        at = read.end
    return tuple(found), at + (at < len(lines) and lines[at].startswith(_END))


def _listed_file(lines: Sequence[str], at: int) -> Read:
    kind, _, name = lines[at].partition(": ")
    name = name.strip()
    at += 1
    moved = at < len(lines) and lines[at].startswith(_MOVE)
    new = lines[at].removeprefix(_MOVE).strip() if moved else name
    at += moved
    end = at
    while end < len(lines) and not lines[end].startswith((*_OPENS, _END)):
        end += 1
    body = [line for line in lines[at:end] if line != "*** End of File"]
    if kind.endswith("Delete File"):
        return Read(Change(name, None), end)
    if kind.endswith("Add File"):
        text = tuple(HunkLine("+", line.removeprefix("+"), line) for line in body)
        return Read(Change(None, name, (Hunk(text),) if text else ()), end)
    hunks, _ = read_hunks(body, 0, fenced=True)
    return Read(Change(name, new, hunks, moved), end)


def opens_search(line: str) -> bool:
    """Whether a line begins a block that is to be found and replaced."""
    return _SEARCH.match(line) is not None


def read_search(lines: Sequence[str], at: int, name: str | None) -> Read:
    """Reads one block.

    Args:
        lines: of the answer.
        at: the line that begins it.
        name: of the file that it is about; None where nothing before it says.
    """
    middle = next((n for n in range(at + 1, len(lines)) if _MIDDLE.match(lines[n])), len(lines))
    end = next((n for n in range(middle + 1, len(lines)) if _REPLACE.match(lines[n])), len(lines))
    if end >= len(lines):
        return Read(Change(name, name, fault=_UNENDED), len(lines))
    old, new = lines[at + 1 : middle], lines[middle + 1 : end]
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    text = [
        *(HunkLine(" ", line, line) for line in old[:head]),
        *(HunkLine("-", line, line) for line in old[head : len(old) - tail]),
        *(HunkLine("+", line, line) for line in new[head : len(new) - tail]),
        *(HunkLine(" ", line, line) for line in old[len(old) - tail :]),
    ]
    hunk = Hunk(tuple(text))
    return Read(Change(name if old else None, name, (hunk,)), end + 1)
