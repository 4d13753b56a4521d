"""A parsed pattern as an automaton without determinism: its states are the bits of one integer.

A character takes each state to the next one, or leaves it where it is; so a step is a shift. Only paths of files that
can be are read: without empty segments, and not ending in `/`.
"""

from collections.abc import Iterable
from typing import Final

from smista_mcp.core.globs.dialect import (
    ANY,
    DOUBLE,
    LAST,
    CharClass,
    Glob,
    Segment,
    Span,
    Wild,
    meanings,
    octet_meanings,
    united,
)
from smista_mcp.core.globs.folding import caseless, caseless_octets, variants


class Automaton:
    """Several patterns side by side, as masks of states.

    Attributes:
        size: how many states there are.
        start: where a path begins.
        accept: where a file's path may end.
        done: states that accept whatever follows.
        points: states that the character moves to the next one.
        classes: states that any character of the spans moves to the next one.
        slash: states that `/` moves to the next one.
        stay: states that every other character leaves where they are.
        always: states that every character leaves where they are.
        skip: states before `**`: at `/` the next one is reached with them.
        octets: states that read a character outside ASCII byte by byte.
        high: those of them that a byte outside ASCII moves to the next one.
        outdone: by a state, those that add nothing once it is reached.
    """

    __slots__ = (
        "accept",
        "always",
        "classes",
        "done",
        "high",
        "octets",
        "outdone",
        "points",
        "size",
        "skip",
        "slash",
        "start",
        "stay",
    )

    def __init__(self) -> None:
        self.size = self.start = self.accept = self.done = 0
        self.slash = self.stay = self.always = self.skip = self.octets = self.high = 0
        self.points: dict[int, int] = {}
        self.classes: dict[tuple[Span, ...], int] = {}
        self.outdone: dict[int, int] = {}

    def add(self, glob: Glob, *, fold_case: bool = False, octets: bool = False) -> None:
        """Adds a pattern; `octets` reads it byte by byte, without the case of ASCII letters."""
        _Building(self, fold_case=fold_case, octets=octets).glob(glob)

    def add_files(self, name: Segment) -> None:
        """Adds the files of that name in any folder, without what is below a directory of that name."""
        _Building(self, fold_case=False, octets=False).files(name)

    def placed(self, other: "Automaton") -> None:
        """Adds the states of another automaton behind those of this one."""
        by = self.size
        for name in _MASKS:
            setattr(self, name, getattr(self, name) | getattr(other, name) << by)
        points, classes = self.points, self.classes
        for point, mask in other.points.items():
            points[point] = points.get(point, 0) | mask << by
        for spans, mask in other.classes.items():
            classes[spans] = classes.get(spans, 0) | mask << by
        for state, mask in other.outdone.items():
            self.outdone[state << by] = mask << by
        self.size += other.size


_MASKS: Final = ("start", "accept", "done", "slash", "stay", "always", "skip", "octets", "high")


class _Building:
    """One pattern on its way into an automaton."""

    def __init__(self, automaton: Automaton, *, fold_case: bool, octets: bool) -> None:
        self._made = automaton
        self._fold = fold_case
        self._octets = octets
        self._first = self._at = 1 << automaton.size

    def glob(self, glob: Glob) -> None:
        made = self._made
        made.start |= self._first
        if glob.floating:
            self._skip()
        last = len(glob.segments) - 1
        for place, segment in enumerate(glob.segments[:last]):
            if segment != DOUBLE:
                self._segment(segment)
                made.slash |= self._at
                self._at <<= 1
            elif glob.segments[place + 1] != DOUBLE:
                self._skip()
        self._last(glob.segments[last], directories=glob.directories)
        made.size = (self._at << 1).bit_length() - 1
        if self._octets:
            made.octets |= (self._at << 1) - self._first

    def files(self, name: Segment) -> None:
        made = self._made
        made.start |= self._first
        self._skip()
        self._segment(name)
        made.accept |= self._at
        made.size = (self._at << 1).bit_length() - 1

    def _last(self, segment: Segment, *, directories: bool) -> None:
        """The last segment, and all that is below."""
        made = self._made
        if segment == DOUBLE and directories:
            made.stay |= self._at
        self._segment(segment)
        if segment != DOUBLE or directories:
            made.accept |= 0 if directories else self._at
            made.slash |= self._at
            self._at <<= 1
        made.always |= self._at
        made.done |= self._at
        made.accept |= self._at
        self._outdo(self._first)

    def _outdo(self, since: int) -> None:
        if since < self._at:
            self._made.outdone[self._at] = self._at - since

    def _skip(self) -> None:
        made = self._made
        made.skip |= self._at
        made.always |= self._at
        self._outdo(self._first)
        self._at <<= 1
        if self._at >> 1 == self._first:
            made.start |= self._at  # it is the first: a path may begin behind it

    def _segment(self, segment: Segment) -> None:
        made, since = self._made, self._at
        for atom in segment:
            if isinstance(atom, Wild):
                made.stay |= self._at
                self._outdo(since)
                continue
            if isinstance(atom, tuple):
                self._one_of(atom)
                continue
            for char in _characters(atom) if self._octets else atom:
                for point in self._points(char):
                    made.points[point] = made.points.get(point, 0) | self._at
                self._at <<= 1

    def _one_of(self, spans: CharClass) -> None:
        made = self._made
        if self._octets:
            spans = caseless_octets(spans)
            if spans and spans[-1][1] == LAST:
                made.high |= self._at
                spans = tuple((low, min(high, 0x7F)) for low, high in spans if low < 0x80)
        elif self._fold:
            spans = caseless(spans)
        made.classes[spans] = made.classes.get(spans, 0) | self._at
        self._at <<= 1

    def _points(self, char: str) -> tuple[int, ...]:
        if self._octets:
            return (ord(char.lower()), ord(char.upper())) if char.isascii() else (ord(char),)
        return variants(char) if self._fold else (ord(char),)


def automaton_of(patterns: Iterable[str], *, forbidding: bool) -> Automaton:
    """The automaton of all patterns, `forbidding` with everything that `meanings` adds."""
    made = Automaton()
    for pattern in patterns:
        for glob in meanings(pattern, forbidding=forbidding):
            made.add(glob, fold_case=forbidding)
        for glob in octet_meanings(pattern) if forbidding else ():
            made.add(glob, octets=True)
    return made


def _characters(octets: str) -> str:
    return octets.encode("latin-1").decode("utf-8", "surrogateescape")


def automaton_of_extensions(extensions: Iterable[str]) -> Automaton:
    """The automaton of all files with one of these extensions (small letters) behind a name, whatever its case."""
    made = Automaton()
    for extension in extensions:
        # as `str.lower` has it, which knows one capital of an ASCII letter outside ASCII
        cases = ([ord(c) for c in (char, char.upper(), "\u212a") if c.lower() == char] for char in extension)
        atoms = [united([(point, point) for point in points]) for points in cases]
        made.add_files((ANY, Wild.STAR, ".", *atoms))
    return made
