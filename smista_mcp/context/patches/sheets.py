"""A file while changes are laid on it: its lines, each with where it comes from.

Lines are compared without their ends, so that a model need not know how a file ends its lines. What is added gets the
line end that most lines of the file have.
"""

from bisect import bisect_left
from collections import Counter
from collections.abc import Sequence
from difflib import SequenceMatcher
from itertools import accumulate
from typing import NamedTuple

from smista_mcp.context.patches.changes import Hunk, HunkLine

_MOST_PLACES = 1_000
_MOST_PAIRS = 300_000
"""Equal lines of two texts that are compared one by one; beyond it the middle is replaced as a whole."""
NOT_THERE = "does not stand in the file as the lines are now"
TWICE = "fits more than one place of the file"
NO_LINE = "holds no line of the file, so that nobody knows where it belongs"
PARTIAL = "may be an excerpt of the file: write a diff, or the whole file with nothing left out"


class Unfit(Exception):
    """A change that cannot be laid on a file. The text repeats nothing of either.

    Attributes:
        hunk: its number, from 1; 0 for the whole.
        line: of the file, from 1, about where it would belong; 0 where nobody knows.
    """

    def __init__(self, why: str, hunk: int = 0, line: int = 0) -> None:
        super().__init__(why)
        self.hunk = hunk
        self.line = line


class Entry(NamedTuple):
    """A line.

    Attributes:
        text: without its end.
        end: its line end; None where it was added and gets the usual one.
        origin: its place in the old file, from 0; None where it was added.
    """

    text: str
    end: str | None
    origin: int | None


class Sheet:
    """One file.

    Args:
        old: the text as it is; None where there is no file.
    """

    def __init__(self, old: str | None) -> None:
        self.old = split_lines(old or "")
        self._new = [Entry(*parted(line), place) for place, line in enumerate(self.old)]
        crlf = sum(line.endswith("\r\n") for line in self.old)
        self._usual = "\r\n" if crlf * 2 > sum(line.endswith("\n") for line in self.old) else "\n"
        self._bare = bool(self.old) and not self.old[-1].endswith("\n")

    @property
    def new(self) -> list[tuple[str, int | None]]:
        """The lines as they are to be, each with its place in the old file where it is untouched."""
        found: list[tuple[str, int | None]] = []
        last = len(self._new) - 1
        for place, (text, end, origin) in enumerate(self._new):
            if place == last:
                told = end if end is not None else "" if self._bare else self._usual
            else:
                told = end or self._usual
            line = text + told
            found.append((line, origin if origin is not None and self.old[origin] == line else None))
        return found

    def text(self) -> str:
        """The text as it is to be."""
        return "".join(line for line, _ in self.new)

    def lay(self, hunks: Sequence[Hunk]) -> None:
        """Lays hunks on the file, in their order.

        Raises:
            Unfit: one of them has no place, or more than one.
        """
        after = 0
        for number, hunk in enumerate(hunks, 1):
            try:
                place, lines = self._place(hunk, after)
            except Unfit as unfit:
                raise Unfit(str(unfit), number, self._about(hunk)) from None
            after = self._laid(place, lines)

    def rewrite(self, content: str, *, shown: bool) -> None:
        """Puts a whole text in the place of the file.

        Args:
            content: with line feeds as line ends.
            shown: whether the model has seen the whole file.

        Raises:
            Unfit: it may be a part of the file only.
        """
        old, new = [entry.text for entry in self._new], [parted(line)[0] for line in split_lines(content)]
        steps = _steps(old, new)
        if self.old and not (shown and _is_whole(old, new, steps)):
            raise Unfit(PARTIAL)
        found: list[Entry] = []
        for kind, begin, end, first, last in steps:
            if kind == "equal":
                found += self._new[begin:end]
            else:
                found += [Entry(text, None, None) for text in new[first:last]]
        self._new = found

    def empty(self) -> None:
        """Takes every line away."""
        self._new = []

    # --------------------------------------------------------------------------------------------------------- places

    def _place(self, hunk: Hunk, after: int) -> tuple[int, Sequence[HunkLine]]:
        """Where a hunk belongs, and its lines as they are to be read there."""
        if all(line.mark == "+" for line in hunk.lines):
            if self._new and hunk.start not in (0, len(self.old)):
                raise Unfit(NO_LINE)
            return (0 if hunk.start == 0 else len(self._new)), hunk.lines
        places = self._places([line.text for line in hunk.lines if line.mark != "+"])
        lines: Sequence[HunkLine] = hunk.lines
        if not places:  # perhaps the marks of the lines around were left out
            lines = [line._replace(text=line.raw) if line.mark == " " else line for line in hunk.lines]
            places = self._places([line.text for line in lines if line.mark != "+"])
        if not places:
            raise Unfit(NOT_THERE)
        return self._chosen(places, hunk, after), lines

    def _places(self, wanted: Sequence[str]) -> list[int]:
        """Every place where these lines stand in a row, up to some number."""
        texts = [entry.text for entry in self._new]
        if not texts:
            return []
        starts = list(accumulate((len(text) + 1 for text in texts), initial=0))
        whole, part = "\n" + "\n".join(texts) + "\n", "\n" + "\n".join(wanted) + "\n"
        found: list[int] = []
        at = whole.find(part)
        while at >= 0 and len(found) < _MOST_PLACES:
            found.append(bisect_left(starts, at))
            at = whole.find(part, at + 1)
        return found

    def _chosen(self, places: Sequence[int], hunk: Hunk, after: int) -> int:
        """The one place that is meant: the only one, the one that the header names, the one behind what came before."""
        if len(places) == 1:
            return places[0]
        told = (
            None if not hunk.start else next((n for n, e in enumerate(self._new) if e.origin == hunk.start - 1), None)
        )
        if told in places and told is not None and told >= after:
            return told
        later = [place for place in places if place >= after]
        if len(later) == 1:
            return later[0]
        heading = hunk.heading.strip()
        heads = [n for n, entry in enumerate(self._new) if heading and entry.text.strip().startswith(heading)]
        if len(heads) == 1:
            below = next((place for place in later if place >= heads[0]), None)
            if below is not None:
                return below
        raise Unfit(TWICE)

    def _about(self, hunk: Hunk) -> int:
        """The line of the old file about which a hunk without a place may belong."""
        texts = {entry.text: entry.origin for entry in reversed(self._new) if entry.text.strip()}
        known = (texts.get(line.text) for line in hunk.lines if line.mark != "+")
        place = next((origin for origin in known if origin is not None), None)
        return min(hunk.start or 1, max(1, len(self.old))) if place is None else place + 1

    def _laid(self, place: int, lines: Sequence[HunkLine]) -> int:
        """Lays the lines of a hunk on a place of their own; the place behind them."""
        found: list[Entry] = []
        at = place
        for line in lines:
            if line.mark == "+":
                found.append(Entry(line.text, "" if line.bare else None, None))
                continue
            if line.mark == " ":
                found.append(self._new[at])
            elif line.bare:
                self._bare = False  # it says itself how the file is to end
            at += 1
        self._new[place:at] = found
        return place + len(found)


def split_lines(text: str) -> list[str]:
    """Lines with their ends, as git ends them: with a line feed and nothing else."""
    pieces = text.split("\n")
    lines = [f"{piece}\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines


def parted(line: str) -> tuple[str, str]:
    """A line and its end."""
    for end in ("\r\n", "\n"):
        if line.endswith(end):
            return line[: -len(end)], end
    return line, ""


_Step = tuple[str, int, int, int, int]


def _steps(old: Sequence[str], new: Sequence[str]) -> list[_Step]:
    """How one list of lines becomes the other, in the words of `difflib`."""
    head = 0
    while head < min(len(old), len(new)) and old[head] == new[head]:
        head += 1
    tail = 0
    while tail < min(len(old), len(new)) - head and old[-1 - tail] == new[-1 - tail]:
        tail += 1
    first, second = old[head : len(old) - tail], new[head : len(new) - tail]
    counts = Counter(second)
    if sum(counts[line] for line in first) <= _MOST_PAIRS:
        inner: list[_Step] = [(k, a + head, b + head, c + head, d + head) for k, a, b, c, d in _opcodes(first, second)]
    else:
        inner = [("replace", head, len(old) - tail, head, len(new) - tail)]
    ends = ("equal", len(old) - tail, len(old), len(new) - tail, len(new))
    return [("equal", 0, head, 0, head), *inner, ends]


def _opcodes(first: Sequence[str], second: Sequence[str]) -> list[_Step]:
    return [tuple(code) for code in SequenceMatcher(None, first, second).get_opcodes()]  # pyright: ignore[reportReturnType]


def _is_whole(old: Sequence[str], new: Sequence[str], steps: Sequence[_Step]) -> bool:
    """Whether a text is a file and no excerpt of it: half of it is still there, and neither end is only missing."""
    real = [step for step in steps if step[1] < step[2] or step[3] < step[4]]
    kept = sum(bool(line.strip()) for kind, a, b, _, _ in real for line in old[a:b] if kind == "equal")
    if kept * 2 < sum(bool(line.strip()) for line in old):
        return False
    for kind, a, b, c, d in (real[0], real[-1]) if real else ():
        lost = sum(bool(line.strip()) for line in old[a:b])
        if kind != "equal" and lost > sum(bool(line.strip()) for line in new[c:d]):
            return False
    known = set(old)
    return not any(line not in known and is_elision(line) for line in new)


def is_elision(line: str) -> bool:
    """Whether a line stands for what was left out: `# ... rest of the code`, `// existing code unchanged ...`."""
    plain = line.strip().lstrip("#/*-;<!% ").rstrip("*/-> ").strip().casefold()
    dots = plain.startswith(("...", "…", "[...")) or plain.endswith(("...", "…", "...]"))
    told = any(word in plain for word in ("rest of", "existing", "unchanged", "remaining", "same as", "omitted"))
    return line.strip()[:1] in "#/*-;<!%.…[" and (plain in ("...", "…") or (dots and (told or plain[:1] in ".…")))
