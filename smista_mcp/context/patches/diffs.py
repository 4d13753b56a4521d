"""Reads unified diffs as models write them: with wrong counts, without some of the headers, with prose behind.

Nothing of a header is believed but names. A hunk ends where its counts say if that is a border; else at the border.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.context.diffnames import NOWHERE, name_of_line, pair_of_header, undated
from smista_mcp.context.patches.changes import Change, Hunk, HunkLine

_HUNK = re.compile(r"@@ *-(?P<start>[0-9]{1,9})(?:,(?P<old>[0-9]{1,9}))? *\+[0-9]{1,9}(?:,(?P<new>[0-9]{1,9}))? *@@")
_ANY = re.compile(r"@@[^@]*(?:@@)?")
_GIT = "diff --git "
_VERSION = re.compile(r"[0-9]+(?:\.[0-9]+)+")
_LETTER = re.compile(r"\w")
_REGULAR = "100644"
BINARY = "holds a binary file; a patch can hold text alone"
MODES = "changes the mode of a file, or makes something else than a regular file"
COPIES = "copies a file; write the copy as a new file"
QUOTES = "holds a name with broken quotation marks"
_FAULTS = (
    (("GIT binary patch", "Binary files "), BINARY),
    (("old mode ", "new mode "), MODES),
    (("copy from ", "copy to "), COPIES),
)


class Read(NamedTuple):
    """A part of a diff that was read, and the line behind it."""

    change: Change
    end: int


def opens_file(lines: Sequence[str], at: int) -> bool:
    """Whether the diff of a file begins at a line."""
    line = _line(lines, at)
    if line.startswith(_GIT):
        return True
    if line.startswith("Index: "):
        return any(_line(lines, below).startswith("--- ") for below in (at + 1, at + 2))
    if line.startswith("diff ") and _line(lines, at + 1).startswith("--- "):
        return True
    return line.startswith("--- ") and _line(lines, at + 1).startswith("+++ ")


def opens_hunk(line: str) -> bool:
    """Whether a line is the header of a hunk."""
    return line.startswith("@@")


def read_file_diff(lines: Sequence[str], at: int, *, fenced: bool) -> Read:
    """Reads the diff of one file from where `opens_file` says that it begins.

    Args:
        lines: of the answer, or of a fenced block of it, without their ends.
        at: the line.
        fenced: whether the lines hold a diff and nothing else.
    """
    old, new, fault, moved = None, None, "", False
    deleted = created = False
    if _line(lines, at).startswith(_GIT):
        pair = pair_of_header(_line(lines, at).removeprefix(_GIT))
        old, new = pair or (None, None)
        at += 1
        while (
            at < len(lines) and not lines[at].startswith(("--- ", "@@", _GIT)) and lines[at][:1] not in ("", " ", "`")
        ):
            line = lines[at]
            fault = fault or next((why for starts, why in _FAULTS if line.startswith(starts)), "")
            if line.startswith(("new file mode ", "deleted file mode ")):
                created, deleted = created or line.startswith("new"), deleted or line.startswith("deleted")
                fault = fault or ("" if deleted or line.split()[-1] == _REGULAR else MODES)
            if line.startswith(("rename from ", "rename to ")):
                name, moved = name_of_line(line.split(" ", 2)[2]), True
                old, new = (name, new) if line.startswith("rename from ") else (old, name)
            elif (
                not line.startswith(("index ", "similarity ", "dissimilarity ", "new file", "deleted file"))
                and not fault
            ):
                break  # nothing that git writes
            at += 1
    while _line(lines, at).startswith(("Index: ", "=====", "diff ")) and not lines[at].startswith(_GIT):
        at += 1
    if _line(lines, at).startswith("--- ") and _line(lines, at + 1).startswith("+++ "):
        named = [name_of_line(line[4:]) for line in lines[at : at + 2]]
        fault = fault or ("" if all(named) else QUOTES)
        if not moved:
            old, new = (undated(name or "") if name != NOWHERE else None for name in named)
        at += 2
    hunks, end = read_hunks(lines, at, fenced=fenced)
    change = Change(None if created else old, None if deleted else new, hunks, moved, fault=fault)
    if change.unnamed and not fault:
        change = change._replace(fault=QUOTES)
    return Read(change, end)


def read_hunks(lines: Sequence[str], at: int, *, fenced: bool) -> tuple[tuple[Hunk, ...], int]:
    """Reads hunks in a row: what they are and the line behind the last one."""
    found: list[Hunk] = []
    if fenced and at < len(lines) and lines[at][:1] in (" ", "+", "-") and not opens_file(lines, at):
        hunk, at = _hunk(lines, at, None, fenced=True)  # without any header
        found.append(hunk)
    while opens_hunk(_line(lines, at)):
        hunk, at = _hunk(lines, at + 1, lines[at], fenced=fenced)
        found.append(hunk)
        below = at
        while _line(lines, below) == "" and below < len(lines):
            below += 1
        at = below if opens_hunk(_line(lines, below)) else at
    return tuple(hunk for hunk in found if hunk.lines), at


def _hunk(lines: Sequence[str], at: int, header: str | None, *, fenced: bool) -> tuple[Hunk, int]:
    match = _HUNK.match(header) if header is not None else None
    start, heading = None, ""
    if header is not None:
        whole = match or _ANY.match(header)
        heading = header[whole.end() :].strip() if whole else ""
        if match is None and not heading:
            heading = header.strip("@ ")
        heading = heading if _LETTER.search(heading) else ""
    end = None
    if match:
        start = int(match["start"])
        end = _by_counts(lines, at, int(match["old"] or 1), int(match["new"] or 1), fenced=fenced)
    if end is None:
        end = _by_border(lines, at, fenced=fenced)
    return Hunk(_hunk_lines(lines[at:end]), start, heading), end


def _by_counts(lines: Sequence[str], at: int, old: int, new: int, *, fenced: bool) -> int | None:
    """The end of a hunk by its counts, if a border stands there."""
    while at < len(lines) and (old > 0 or new > 0 or lines[at].startswith("\\")):
        mark = lines[at][:1] or " "
        if mark not in " +-\\":
            return None
        old -= mark in " -"
        new -= mark in " +"
        at += 1
    if old or new:
        return None
    below = at
    while below < len(lines) and not lines[below].strip():
        below += 1
    border = below == len(lines) or opens_hunk(lines[below]) or opens_file(lines, below) or _signs(lines, below)
    return at if border or (not fenced and below > at) or _line(lines, at)[:1] not in (" ", "+", "-") else None


def _by_border(lines: Sequence[str], at: int, *, fenced: bool) -> int:
    """The end of a hunk by what can be no line of one; blank lines at its end are none of it."""
    begin = at
    while at < len(lines) and not opens_hunk(lines[at]):
        if opens_file(lines, at) and (lines[at][:1] != "-" or opens_hunk(_line(lines, at + 2))):
            break
        if _signs(lines, at) or (not fenced and lines[at] and lines[at][0] not in " +-\\"):
            break
        at += 1
    while at > begin and not lines[at - 1]:
        at -= 1
    return at


def _hunk_lines(lines: Sequence[str]) -> tuple[HunkLine, ...]:
    found: list[HunkLine] = []
    for line in lines:
        if line.startswith("\\"):
            if found:
                found[-1] = found[-1]._replace(bare=True)
        elif line.startswith("+"):
            found.append(HunkLine("+", line[1:], line))
        elif line.startswith("-"):
            found.append(HunkLine("-", line[1:], line))
        else:
            found.append(HunkLine(" ", line.removeprefix(" "), line))
    return tuple(found)


def _signs(lines: Sequence[str], at: int) -> bool:
    """Whether the signature of a mail stands there, as git writes it."""
    return lines[at].rstrip() == "--" and _VERSION.match(_line(lines, at + 1)) is not None


def _line(lines: Sequence[str], at: int) -> str:
    return lines[at] if at < len(lines) else ""
