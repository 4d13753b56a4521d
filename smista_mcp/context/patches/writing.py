"""Writes the diff of a file as git writes it, from its old lines and the new ones with their places in the old."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smista_mcp.context.diffnames import NOWHERE

_AROUND = 3
_NO_END = "\\ No newline at end of file\n"
_QUOTED = {"\a": "a", "\b": "b", "\t": "t", "\n": "n", "\v": "v", "\f": "f", "\r": "r", '"': '"', "\\": "\\"}
_REGULAR = "100644"
_EXECUTABLE = "100755"


class Side(NamedTuple):
    """A file before or after.

    Attributes:
        name: as the diff is to call it, without a prefix.
    """

    name: str
    executable: bool = False


Numbered = Sequence[tuple[str, int | None]]


def file_diff(before: Side | None, after: Side | None, old: Sequence[str], new: Numbered) -> str:
    """The diff of one file; empty where nothing changes.

    Args:
        before: None where the file is new.
        after: None where it is deleted.
        old: lines with their ends.
        new: lines with their ends, each with its place in `old` where it is one of these.
    """
    names = [side.name for side in (before, after) if side]
    hunks = "".join(_hunks(old, new))
    if before and after and not hunks and before.name == after.name:
        return ""
    head = [f"diff --git {_name('a', names[0])} {_name('b', names[-1])}"]
    if before is None:
        head.append(f"new file mode {_REGULAR}")
    elif after is None:
        head.append(f"deleted file mode {_EXECUTABLE if before.executable else _REGULAR}")
    elif before.name != after.name:
        head += [f"rename from {_name('', before.name)}", f"rename to {_name('', after.name)}"]
    if hunks:
        head.append(f"--- {_titled('a', before)}")
        head.append(f"+++ {_titled('b', after)}")
    return "\n".join(head) + "\n" + hunks


def _titled(letter: str, side: Side | None) -> str:
    if side is None:
        return NOWHERE
    name = _name(letter, side.name)
    return f"{name}\t" if " " in name and not name.startswith('"') else name


def _name(letter: str, name: str) -> str:
    """A name with its prefix, quoted as git quotes it where it has to be."""
    whole = f"{letter}/{name}" if letter else name
    if not any(char < " " or char in '"\\\x7f' for char in whole):
        return whole
    plain = "".join(
        f"\\{_QUOTED[c]}" if c in _QUOTED else f"\\{ord(c):03o}" if c < " " or c == "\x7f" else c for c in whole
    )
    return f'"{plain}"'


_Row = tuple[str, str]


def _rows(old: Sequence[str], new: Numbered) -> list[_Row]:
    """All lines of both sides with their marks; in a run of changes what is removed comes first."""
    found: list[_Row] = []
    at = 0
    added: list[str] = []

    def flush(end: int) -> None:
        removed = list(old[at:end])
        head = 0
        while head < min(len(removed), len(added)) and removed[head] == added[head]:
            head += 1
        tail = 0
        while tail < min(len(removed), len(added)) - head and removed[-1 - tail] == added[-1 - tail]:
            tail += 1
        found.extend((" ", line) for line in removed[:head])
        found.extend(("-", line) for line in removed[head : len(removed) - tail])
        found.extend(("+", line) for line in added[head : len(added) - tail])
        found.extend((" ", line) for line in removed[len(removed) - tail :])
        added.clear()

    for line, origin in new:
        if origin is None or origin < at:
            added.append(line)
            continue
        flush(origin)
        found.append((" ", line))
        at = origin + 1
    flush(len(old))
    return found


def _hunks(old: Sequence[str], new: Numbered) -> Iterator[str]:
    rows = _rows(old, new)
    changed = [place for place, (mark, _) in enumerate(rows) if mark != " "]
    before = [0, 0]
    done = 0
    at = 0
    while at < len(changed):
        begin = max(0, changed[at] - _AROUND)
        while at + 1 < len(changed) and changed[at + 1] - changed[at] <= 2 * _AROUND:
            at += 1
        end = min(len(rows), changed[at] + _AROUND + 1)
        at += 1
        for mark, _ in rows[done:begin]:
            before[0] += mark != "+"
            before[1] += mark != "-"
        counts = [sum(mark != "+" for mark, _ in rows[begin:end]), sum(mark != "-" for mark, _ in rows[begin:end])]
        told = (f"{start + bool(count)},{count}" for start, count in zip(before, counts, strict=True))
        yield "@@ -{} +{} @@\n".format(*told)
        for mark, line in rows[begin:end]:
            yield f"{mark}{line}" if line.endswith("\n") else f"{mark}{line}\n{_NO_END}"
        before = [start + count for start, count in zip(before, counts, strict=True)]
        done = end
