"""A parsed pattern as steps over a path, each taken from all its places at once: for paths that are long.

A place is a count of characters read. Those that a step reaches are the bits of one integer, so it costs a few
operations on integers as long as the path, whatever pattern and path hold; there are no more steps than characters in
the pattern. A regular expression is far faster on a short path, and on a long one can take the product of both.
"""

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Final, NamedTuple

from smista_mcp.core.globs.dialect import DOUBLE, CharClass, Glob, Segment, Wild
from smista_mcp.core.globs.folding import caseless, caseless_octets, fold, fold_ascii


class Form(NamedTuple):
    """The form of a path in which a pattern is compared with it: what its runs and classes are in that form."""

    run: Callable[[str], str]
    members: Callable[[CharClass], CharClass]


def _run(run: str) -> str:
    return run


def _members(spans: CharClass) -> CharClass:
    return spans


AS_WRITTEN: Final = Form(_run, _members)
WITHOUT_CASE: Final = Form(fold, caseless)
BY_OCTETS: Final = Form(fold_ascii, caseless_octets)

_STAR, _STAR_SLASH = -1, -2
"""Steps besides those over one character, which are numbers of a symbol."""
_SLASH: Final[CharClass] = ((0x2F, 0x2F),)
_SEGMENT: Final = -3
"""From here on down: the number of a segment that stands more than once in the pattern."""
_SOME: Final = 64
"""After so many steps it is seen which part of the path still counts."""
_WORTH: Final = 256
"""So many bits must go before all integers are made shorter."""
_NEAR: Final = 512
"""In so many characters a few segments behind `**` are looked for, before they are in all the rest of the path."""
_BITS: Final = tuple(bytes(48 + (octet >> bit & 1) for octet in range(256)) for bit in range(8))
"""What a byte becomes, by the number of a bit: `0` or `1`."""


class _Text:
    """A path, turned on its side: for each bit of its characters, where it is set.

    Attributes:
        size: how many characters there are.
        planes: by the number of the bit, the places of the characters that have it.
        slashes: the places of all `/`.
        named: those of all other characters.
    """

    __slots__ = ("named", "planes", "size", "slashes", "whole")

    def __init__(self, path: str) -> None:
        self.size = len(path)
        self.whole = (1 << self.size) - 1
        if path.isascii():
            rows = [path[::-1].encode()]
        else:
            points = path[::-1].encode("utf-32-le", "surrogatepass")
            rows = [points[place::4] for place in range(3)]
        planes = [int(row.translate(bit), 2) for row in rows for bit in _BITS] if path else []
        while planes and not planes[-1]:
            planes.pop()
        self.planes = tuple(planes)
        self.slashes = self.one_of(_SLASH)
        self.named = self.whole ^ self.slashes

    def one_of(self, spans: CharClass) -> int:
        """The places of all characters that lie in one of the spans."""
        found = 0
        for low, high in spans:
            below, same = self._below(low)
            found |= same if low == high else self._below(high + 1)[0] ^ below
        return found

    def _below(self, point: int) -> tuple[int, int]:
        """The places of the characters before one, and of that one."""
        if point >> len(self.planes):
            return self.whole, 0
        below, same = 0, self.whole
        for bit in range(len(self.planes) - 1, -1, -1):
            has = same & self.planes[bit]
            if point >> bit & 1:
                below |= same ^ has
                same = has
            else:
                same ^= has
        return below, same


turned = lru_cache(maxsize=16)(_Text)
"""The same path is asked for by many patterns."""


@dataclass(frozen=True, slots=True)
class _Segment:
    """A segment that a pattern has more than once: its steps, the last one over its slash."""

    steps: tuple[int, ...]


_Symbol = CharClass | _Segment


class _Marks:
    """Where the symbols of a pattern stand in a path: a character's place, or where the slash behind a segment ends."""

    __slots__ = ("_found", "_symbols", "_whole", "text")

    def __init__(self, text: _Text, symbols: Sequence[_Symbol]) -> None:
        self.text = text
        self._symbols = symbols
        self._found: list[int | None] = [None] * len(symbols)
        self._whole: _Window | None = None

    def __len__(self) -> int:
        return len(self._symbols)

    def of(self, number: int) -> int:
        """All places of a symbol, by its number."""
        found = self._found[number]
        if found is None:
            symbol = self._symbols[number]
            if isinstance(symbol, _Segment):
                if self._whole is None:
                    self._whole = _Window(self, self.text.size)
                found = taken(symbol.steps, self._whole.starts, self._whole)
            else:
                found = self.text.one_of(symbol)
            self._found[number] = found
        return found


class _Window:
    """The part of a path that counts: where the characters of each symbol stand, from one place on, over a width.

    Attributes:
        base: the place that its own places count from.
        width: how many characters it has; there may be more.
        starts: the places where a segment starts.
    """

    __slots__ = ("_marks", "_ones", "base", "masks", "named", "slashes", "starts", "width")

    def __init__(self, marks: _Marks, width: int) -> None:
        self._marks = marks
        self.place(0, width)

    def place(self, base: int, width: int) -> None:
        """Moves it, not beyond the end of the path."""
        text = self._marks.text
        self.base = base
        self.width = width = min(width, text.size - base)
        self._ones = (2 << width) - 1
        self.named = text.named >> base & self._ones >> 1
        self.slashes = text.slashes >> base & self._ones >> 1
        self.starts = (text.slashes << 1 | 1) >> base & self._ones
        self.masks: list[int | None] = [None] * len(self._marks)

    def fit(self, at: int, part: "_Part") -> bool:
        """Moves it where that is worth it, so that it holds all that a part may read from one place of the path on.

        False where too few characters follow. What is read from places with too few behind them need not be held.
        """
        rest = self._marks.text.size - at
        if rest < part.need:
            return False
        width, past = rest - part.later, at - self.base
        if past >= _WORTH or not width <= self.width - past <= width + 2 * _WORTH:
            self.place(at, width + _WORTH)
        return True

    def starts_from(self, at: int) -> int:
        """The places where a segment starts, from one place of the path on."""
        past = at - self.base
        return self.starts >> past << past

    def mask(self, number: int) -> int:
        """Where a symbol stands."""
        mask = self.masks[number] = self._marks.of(number) >> self.base & self._ones
        return mask


class _Part(NamedTuple):
    """Some steps.

    Attributes:
        need: how many characters these and all later steps of the pattern read at least.
        later: how many of them the later ones read.
    """

    steps: list[int]
    need: int
    later: int


class Steps:
    """One pattern, matching the same paths as its `expression`.

    Attributes:
        count: how many steps there are.
    """

    __slots__ = ("_directories", "_first", "_last", "_middle", "_symbols", "count")

    def __init__(self, glob: Glob, form: Form) -> None:
        groups, self._symbols = _written(glob, form)
        self.count = sum(map(len, groups))
        self._directories = glob.directories
        first, *others = _in_parts(groups, self._symbols)
        ends_open = glob.segments[-1] == DOUBLE
        self._last = None if ends_open else others.pop() if others else []
        self._first = first
        self._middle = others

    def matches(self, path: str) -> bool:
        """Whether the pattern matches a path, given in the pattern's form."""
        text = turned(path)
        marks = _Marks(text, self._symbols)
        window = _Window(marks, text.size)
        reached = _through(self._first, 1, window)
        if reached and self._last != []:
            at: int | None = window.base + _lowest(reached)
            near = _Window(marks, _NEAR)
            for group in self._middle:
                at = _first_end(group, at, near, window)
                if at is None:
                    return False
            if self._last is None:
                return not self._directories or bool(text.slashes >> at)
            reached = _behind(self._last, at, window)
        ends = window.slashes if self._directories else window.slashes | 1 << text.size - window.base
        return bool(reached & ends)


def _first_end(group: Sequence[_Part], at: int, near: _Window, window: _Window) -> int | None:
    """Where what stands between two `**` ends first, from one place on; from there most of the path is left."""
    if len(group) == 1:
        if at - near.base > _NEAR // 2:
            near.place(at, _NEAR)
        reached = taken(group[0].steps, near.starts_from(at), near)
        if reached:
            return near.base + _lowest(reached)
    reached = _behind(group, at, window)
    return window.base + _lowest(reached) if reached else None


def _behind(group: Sequence[_Part], at: int, window: _Window) -> int:
    """The places reached from the start of any segment from one place on."""
    if not window.fit(at, group[0]):
        return 0
    return _through(group, window.starts_from(at), window)


def _through(group: Sequence[_Part], reached: int, window: _Window) -> int:
    """The places of the window reached after all steps of a group; it may move."""
    for part in group:
        base = window.base
        if not window.fit(base + _lowest(reached), part):
            return 0
        reached = taken(part.steps, reached >> window.base - base, window)
        if not reached:
            break
    return reached


def _lowest(reached: int) -> int:
    return (reached & -reached).bit_length() - 1


def taken(steps: Iterable[int], reached: int, window: _Window) -> int:
    """The places of the window reached after some steps."""
    named, slashes, masks = window.named, window.slashes, window.masks
    for step in steps:
        if step >= 0:
            mask = masks[step]
            if mask is None:
                mask = window.mask(step)
            reached = (reached & mask) << 1
        elif step == _STAR:  # the sum carries through the rest of each segment that is reached, to its end
            reached |= (reached & named) + named ^ named
        else:
            reached = (((reached & named) + named | reached) & slashes) << 1
            if step <= _SEGMENT:
                mask = masks[_SEGMENT - step]
                if mask is None:
                    mask = window.mask(_SEGMENT - step)
                reached &= mask
        if not reached:
            break
    return reached


def _written(glob: Glob, form: Form) -> tuple[list[list[int]], list[_Symbol]]:
    """The steps between each two `**`, and the symbols that they read. Only the first group may be empty.

    Each segment ends with the step over its slash, but the pattern's last, behind which the path may end.
    """
    numbers: dict[_Symbol, int] = {}
    segments = [tuple(_steps(segment, form, numbers)) if segment != DOUBLE else () for segment in glob.segments]
    times = Counter(segments[:-1])
    groups: list[list[int]] = [[], []] if glob.floating else [[]]
    for steps in segments[:-1]:
        if steps:
            often = times[steps] > 1 and len(steps) > 2
            groups[-1] += [_SEGMENT - numbers.setdefault(_Segment(steps), len(numbers))] if often else steps
        elif groups[-1] or len(groups) == 1:
            groups.append([])
    *before, end = segments[-1] or (_STAR,)
    if segments[-1]:
        groups[-1] += [*before, _STAR] if end == _STAR_SLASH else before
    elif len(groups) > 1 and not groups[-1]:
        groups.pop()
    return groups, list(numbers)


def _steps(segment: Segment, form: Form, numbers: dict[_Symbol, int]) -> Iterator[int]:
    """The steps over one segment and its slash; a symbol that is new gets a number."""
    star = False
    for atom in segment:
        if isinstance(atom, Wild):
            star = True
            continue
        symbols = (
            [((ord(char), ord(char)),) for char in form.run(atom)] if isinstance(atom, str) else [form.members(atom)]
        )
        for spans in symbols:
            if star:
                yield _STAR
            star = False
            yield numbers.setdefault(spans, len(numbers))
    yield _STAR_SLASH if star else numbers.setdefault(_SLASH, len(numbers))


def _in_parts(groups: Sequence[Sequence[int]], symbols: Sequence[_Symbol]) -> list[list[_Part]]:
    found: list[list[_Part]] = []
    need = 0
    for group in reversed(groups):
        parts: list[_Part] = []
        for at in reversed(range(0, len(group), _SOME)):
            steps = list(group[at : at + _SOME])
            later, need = need, need + sum(_least(step, symbols) for step in steps)
            parts.append(_Part(steps, need, later))
        found.append(parts[::-1])
    return found[::-1]


def _least(step: int, symbols: Sequence[_Symbol]) -> int:
    """How many characters a step reads at least."""
    symbol = symbols[_SEGMENT - step] if step <= _SEGMENT else None
    return sum(one != _STAR for one in symbol.steps) if isinstance(symbol, _Segment) else step != _STAR
