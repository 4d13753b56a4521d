"""A change of a file as a diff for people: short, and without the secrets of those who have entries beside ours."""

import difflib
from collections.abc import Iterator, Sequence

from smista_mcp.cli.printing import shown_path
from smista_mcp.core.redaction import redacted
from smista_mcp.hostfiles.changes import Change
from smista_mcp.hostfiles.neighbours import without_values

_LONG = 400
_AROUND = 60


def diff(change: Change, command: Sequence[str]) -> str:
    """What a change does to its file; empty where nothing changes.

    Args:
        change: of a file.
        command: our own words, in which nothing is a secret.
    """
    name = shown_path(str(change.file.path))
    before, after = (without_values(text, change.shape) for text in (change.file.text, change.after or ""))
    lines = list(difflib.unified_diff(before.splitlines(), after.splitlines(), name, name, lineterm="", n=2))
    return "\n".join(_plain(line, command) for line in _short(lines))


def _short(lines: Sequence[str]) -> Iterator[str]:
    """The lines, long ones cut to what differs."""
    for at, line in enumerate(lines):
        if len(line) <= _LONG:
            yield line
            continue
        other = _other(lines, at)
        if other is None:
            yield f"{line[:_LONG]}…"
            continue
        same = _shared(line[1:], other[1:])
        tail = _shared(line[:0:-1], other[:0:-1])
        start = max(1, same + 1 - _AROUND)
        end = max(start, min(len(line), len(line) - tail + _AROUND))
        yield f"{line[0]}{'…' if start > 1 else ''}{line[start:end]}{'…' if end < len(line) else ''}"


def _shared(one: str, other: str) -> int:
    """How many characters two texts begin with alike."""
    return next((at for at, (a, b) in enumerate(zip(one, other, strict=False)) if a != b), min(len(one), len(other)))


def _other(lines: Sequence[str], at: int) -> str | None:
    """The line that takes the place of this one, or whose place it takes."""
    step, mark = (1, "+") if lines[at].startswith("-") else (-1, "-")
    near = lines[at + step] if 0 <= at + step < len(lines) else ""
    return near if lines[at][0] in "+-" and near.startswith(mark) else None


def _plain(line: str, command: Sequence[str]) -> str:
    return command[0].join(redacted(part) for part in line.split(command[0])) if command else redacted(line)
