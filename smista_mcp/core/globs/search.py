"""Questions about sets of paths that no single path answers: do they meet, does one hold the other?

The automata of all sets, side by side in one integer, are made deterministic step by step, breadth first; so the first
path found is a shortest one, and where the search ends without one there is none.
"""

from collections.abc import Iterable, Sequence
from itertools import pairwise
from typing import Final, NamedTuple

from smista_mcp.core.globs.automaton import Automaton, automaton_of, automaton_of_extensions
from smista_mcp.core.globs.folding import fold

MOST_STATES: Final = 200_000
"""A search gives up beyond; ordinary patterns need some hundred."""
_SLASH, _DOT = 0x2F, 0x2E
_FRESH, _ONE_DOT, _TWO_DOTS, _NAMED = range(4)
"""What the segment at hand is so far: nothing, `.`, `..`, a name. It stands in the lowest bits of a state."""
_BITS: Final = 2
_UNFIT: Final = ((0, 0), (0xD800, 0xDC7F), (0xDD00, 0xDFFF))
"""No path holds them: NUL, and surrogates that stand for no byte."""
_HARD_TO_READ: Final = 4
_SETTING_UP: Final = 200
"""What it takes to begin a search, in units of an allowance."""
_NO_LIMIT: Final = 1 << 62
_WIDE: Final = 1024
"""States for which a letter counts once more."""
_NOTHING: Final = (0, 0, 0, 0, 0)


class SearchTooLarge(Exception):
    """The patterns are so entangled that the search was given up: the answer is not known."""


class Allowance:
    """Work that several searches may do together.

    Attributes:
        left: how much of it is left; a unit is one letter tried in one state of ordinary patterns.
    """

    __slots__ = ("left",)

    def __init__(self, left: int) -> None:
        self.left = left


class PathSet:
    """The relative paths of files that at least one of the patterns matches.

    Without case, the patterns forbid, and mean all that they mean to a `GlobSet` without case.
    """

    __slots__ = ("_automaton", "ignore_case", "patterns")

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        self.ignore_case = ignore_case
        self._automaton: Automaton | None = None

    @classmethod
    def of_extensions(cls, extensions: Iterable[str]) -> "PathSet":
        """The files with one of these extensions (small letters) behind a name, whatever the case in the path."""
        found = cls(())
        found._automaton = automaton_of_extensions(extensions)
        return found

    @property
    def automaton(self) -> Automaton:
        """Built at first need."""
        if self._automaton is None:
            self._automaton = automaton_of(self.patterns, forbidding=self.ignore_case)
        return self._automaton


class _Letter(NamedTuple):
    """All characters that no pattern tells apart, and the most readable of them.

    Attributes:
        moves: the states that it moves.
        octets: how many bytes it takes.
    """

    rank: int
    point: int
    moves: int
    octets: int


class _Side(NamedTuple):
    """The states of one set: all of them, those that accept here, those that accept whatever follows."""

    states: int
    accept: int
    done: int


def find_path(
    inside: Sequence[PathSet],
    outside: Sequence[PathSet] = (),
    *,
    most_states: int = MOST_STATES,
    allowance: Allowance | None = None,
) -> str | None:
    """A path of a file that lies in all sets of `inside` and in none of `outside`; None where there is none.

    It is a shortest one of those that hold only printable characters of ASCII and of the patterns, and of these the
    most readable: letters a to z, then those of the patterns, then others. Where there is none, a shortest of all.

    Raises:
        SearchTooLarge: neither is known after that many states, or once nothing of the allowance is left.
    """
    search = _Search(inside, outside, allowance or Allowance(_NO_LIMIT))
    plain = [letter for letter in search.letters if letter.rank < _HARD_TO_READ]
    found = search.run(plain, most_states)
    if found is None and len(plain) < len(search.letters):
        return search.run(search.letters, most_states)
    return found


def includes(outer: PathSet, inner: PathSet) -> bool:
    """Whether every path of `inner` lies in `outer`.

    Raises:
        SearchTooLarge: it is not known.
    """
    return find_path([inner], [outer]) is None


class _Search:
    def __init__(self, inside: Sequence[PathSet], outside: Sequence[PathSet], allowance: Allowance) -> None:
        self._allowance = allowance
        whole = Automaton()
        whole.size = _BITS
        self._inside = [_placed(whole, one) for one in inside]
        outer = [_placed(whole, one) for one in outside]
        self._beyond_accept = sum(side.accept for side in outer)
        self._beyond_done = sum(side.done for side in outer)
        self._whole = whole
        self._outdoing = sum(whole.outdone)
        self._dot = _moved_by(whole, _DOT)
        self.letters = _letters(whole)
        allowance.left -= _SETTING_UP

    def run(self, letters: Sequence[_Letter], most_states: int) -> str | None:
        start = self._whole.start
        if any(not start & side.states for side in self._inside):
            return None
        if start & self._beyond_done:
            return None
        allowance, cost = self._allowance, len(letters) * (1 + self._whole.size // _WIDE)
        came: dict[int, tuple[int, int]] = {start: (-1, 0)}
        level = [start]
        while level:
            following: list[int] = []
            for state in level:
                for point, after in self._steps(state, letters):
                    if after in came:
                        continue
                    came[after] = (state, point)
                    if after & 3 == _NAMED and self._accepts(after):
                        return _path(came, after)
                    following.append(after)
                allowance.left -= cost
                if len(came) > most_states:
                    raise SearchTooLarge(f"given up after {len(came)} states")
                if allowance.left < 0:
                    raise SearchTooLarge("given up, for there is too much to compare")
            level = following
        return None

    def _accepts(self, state: int) -> bool:
        if state & self._beyond_accept:
            return False
        return all(state & side.accept for side in self._inside)

    def _steps(self, state: int, letters: Sequence[_Letter]) -> list[tuple[int, int]]:
        whole = self._whole
        shape = state & 3
        state -= shape
        still = state & (whole.stay | whole.always)
        octets = state & whole.octets
        beyond = self._by_octets(octets) if octets & whole.high else _NOTHING
        found: list[tuple[int, int]] = []
        tried: set[int] = set()
        for _, point, moves, count in letters:
            after = (state & moves) << 1 | still | beyond[count]
            if after not in tried:
                tried.add(after)
                self._keep(found, state, point, after, _NAMED)
        self._keep(found, state, _DOT, (state & self._dot) << 1 | still, min(shape + 1, _NAMED))
        if shape == _NAMED:
            after = (state & whole.slash) << 1 | state & whole.always
            self._keep(found, state, _SLASH, after | (after & whole.skip) << 1, _FRESH)
        return found

    def _by_octets(self, octets: int) -> tuple[int, ...]:
        """What the bytes of a character lead to, by how many they are; one alone is a letter's own move."""
        still = self._whole.stay | self._whole.always
        found = [0, 0]
        for _ in range(4):
            octets = (octets & self._whole.high) << 1 | octets & still
            found.append(octets)
        return (0, 0, *found[3:])

    def _keep(self, found: list[tuple[int, int]], before: int, point: int, after: int, shape: int) -> None:
        """Leaves out what leads nowhere, and of what it leads to all that another state there outdoes."""
        if after & self._beyond_done:
            return
        fresh = after & self._outdoing & ~before
        while fresh:
            state = fresh & -fresh
            fresh -= state
            after &= ~self._whole.outdone[state]
        for side in self._inside:
            if not after & side.states:
                return
        found.append((point, after | shape))


def _placed(whole: Automaton, one: PathSet) -> _Side:
    automaton, by = one.automaton, whole.size
    whole.placed(automaton)
    return _Side(((1 << automaton.size) - 1) << by, automaton.accept << by, automaton.done << by)


def _path(came: dict[int, tuple[int, int]], state: int) -> str:
    points: list[int] = []
    while (step := came[state])[0] >= 0:
        points.append(step[1])
        state = step[0]
    return "".join(map(chr, reversed(points)))


def _moved_by(whole: Automaton, point: int) -> int:
    moves = whole.points.get(point, 0)
    for spans, mask in whole.classes.items():
        if any(low <= point <= high for low, high in spans):
            moves |= mask
    return moves


def _letters(whole: Automaton) -> list[_Letter]:
    """One letter for each set of characters that move the same states; without `/` and `.`, the most readable first."""
    cuts = {0, 1, _DOT, _DOT + 1, _SLASH, _SLASH + 1, 0x80, 0xD800, 0xDC80, 0xDD00, 0xE000, 0x110000}
    if whole.octets:
        cuts |= {0x800, 0x10000}
    for point in whole.points:
        cuts |= {point, point + 1}
    for spans in whole.classes:
        for low, high in spans:
            cuts |= {low, high + 1}
    ordered = sorted(cuts)
    best: dict[tuple[int, int], _Letter] = {}
    for low, following in pairwise(ordered):
        if low in (_SLASH, _DOT) or any(first <= low <= last for first, last in _UNFIT):
            continue
        count = _octets(low)
        moves = _moved_by(whole, low) | (whole.high if low >= 0x80 and count == 1 else 0)
        key = (moves, count if whole.octets else 1)
        had = best.get(key)
        if had is None or had.rank > 0:
            rank, point = _most_readable(low, following, whole.points)
            if had is None or rank < had.rank:
                best[key] = _Letter(rank, point, moves, count)
    return sorted(best.values())


def _octets(point: int) -> int:
    if point < 0x80 or 0xDC80 <= point <= 0xDCFF:
        return 1
    return 2 if point < 0x800 else 3 if point < 0x10000 else 4


_RUNS: Final = ((0x30, 0x39, 2), (0x41, 0x5A, 2), (0x21, 0x7E, 3), (0x20, 0x20, 3))
"""ASCII behind a to z, by how well it reads."""


def _most_readable(low: int, end: int, named: dict[int, int]) -> tuple[int, int]:
    """How badly the most readable of these characters reads, and which it is."""
    if low <= 0x7A and end > 0x61:
        return 0, max(low, 0x61)
    if low in named and chr(low).isprintable() and (low < 0x80 or not fold(chr(low)).isascii()):
        return 1, low
    for first, last, rank in _RUNS:
        if low <= last and end > first:
            return rank, max(low, first)
    if low >= 0x80 and _octets(low) == 1:
        return 7, low
    found = next((point for point in range(low, end) if chr(point).isprintable()), None)
    if found is not None:
        return _HARD_TO_READ, found
    return (6, low) if chr(low).isspace() else (5, low)
