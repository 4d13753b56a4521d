"""Whether a difference that git wrote tells of the files that stand below the root, and of no others.

git opens the files of a working tree by name. Whoever puts a link in place of a folder meanwhile makes it write what
other files hold under names that policy lets go. So the new side of every part is compared with a reading of our own.
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

_HUNK = re.compile(r"@@ -[0-9]+(?:,(?P<old>[0-9]+))? \+(?P<first>[0-9]+)(?:,(?P<new>[0-9]+))? @@")
_MODE = re.compile(r"(?:new file mode|new mode|index [0-9a-f]+\.\.[0-9a-f]+) ([0-7]{6})\r?\Z")
_SUBMODULE = re.compile(r"Subproject commit [0-9a-f]{40,64}(?:-dirty)?\Z")
_IDENT = re.compile(r"\$Id:[^$\n]*\$")
"""What git shortens on its way in where a file has the attribute `ident`."""
LINK, SUBMODULE = "120000", "160000"


class NewSide(NamedTuple):
    """What a part says that its file holds now.

    Attributes:
        mode: of the file, as git has it; empty where it is not said.
        runs: lines without their ends, with the number of the first.
    """

    mode: str
    runs: tuple[tuple[int, tuple[str, ...]], ...]


def new_side(part: str) -> NewSide:
    """Reads one part of a difference as git writes it of two sides."""
    lines = part.split("\n")
    mode = ""
    runs: list[tuple[int, tuple[str, ...]]] = []
    at = 0
    while at < len(lines):
        match = _HUNK.match(lines[at])
        at += 1
        if match:
            run, at = _run(lines, at, int(match["old"] or 1), int(match["new"] or 1))
            if run:
                runs.append((int(match["first"]), run))
        elif not runs and (said := _MODE.match(lines[at - 1])):
            mode = said[1]
    return NewSide(mode, tuple(runs))


def _run(lines: Sequence[str], at: int, old: int, new: int) -> tuple[tuple[str, ...], int]:
    found: list[str] = []
    while at < len(lines) and (old > 0 or new > 0):
        mark, line = lines[at][:1], lines[at][1:]
        at += 1
        if mark == "\\":
            continue
        if mark != "+":
            old -= 1
        if mark != "-":
            new -= 1
            found.append(line)
    return tuple(found), at


def is_of_file(side: NewSide, data: bytes) -> bool:
    """Whether all lines stand in a file where the difference says; ends of lines do not count."""
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    return all(list(_plain(run)) == list(_plain(lines[first - 1 : first - 1 + len(run)])) for first, run in side.runs)


def is_of_link(side: NewSide, target: str) -> bool:
    """Whether it says nothing but where a link leads."""
    return all("\n".join(run) == target for _, run in side.runs)


def is_of_submodule(side: NewSide) -> bool:
    """Whether it says nothing but which commit a submodule is at."""
    return all(len(run) == 1 and _SUBMODULE.match(run[0]) for _, run in side.runs)


def _plain(lines: Sequence[str]) -> Iterator[str]:
    return (_IDENT.sub("$Id$", line.removesuffix("\r")) for line in lines)
