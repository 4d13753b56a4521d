"""Lists of patterns, asked for the first that matches a path."""

import re
from collections.abc import Callable, Iterable, Sequence

from smista_mcp.core.globs.dialect import Glob, meanings, octet_meanings, octets
from smista_mcp.core.globs.expression import as_written, by_octets, expression, without_case
from smista_mcp.core.globs.folding import fold, fold_ascii
from smista_mcp.core.globs.places import AS_WRITTEN, BY_OCTETS, WITHOUT_CASE, Steps

Matcher = Callable[[str], object]
"""True to a path that one of the patterns matches."""
NEAR = 200
"""Paths of more characters are matched in steps: a regular expression may take the product of pattern and path."""


def folded(path: str) -> str:
    """The form of a path in which patterns without case are compared with it."""
    return path.lower() if path.isascii() else fold(path)


def folded_octets(path: str) -> str:
    """The bytes of a path, one character each, as patterns without case are compared with them too."""
    return path.lower() if path.isascii() else fold_ascii(octets(path))


class Compiled:
    """Patterns as one regular expression, and without case, when they forbid, as a second one for bytes.

    Attributes:
        text: takes a path of at most `NEAR` characters, without case a `folded` one.
        odd: even a path of ASCII has to be asked for by bytes, because a class names letters beyond it.
    """

    __slots__ = ("_far", "_far_octets", "_fold", "_octets", "_patterns", "odd", "text")

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        self._patterns = tuple(patterns)
        self._fold = ignore_case
        globs = [glob for pattern in self._patterns for glob in meanings(pattern, forbidding=ignore_case)]
        write = without_case if ignore_case else as_written
        self.text: Matcher = re.compile(expression(globs, write), re.DOTALL).fullmatch
        self.odd = ignore_case and any(map(_is_odd, self._patterns))
        self._octets: Matcher | None = None
        self._far: list[Steps] | None = None
        self._far_octets: list[Steps] | None = None

    def octets(self, path: str) -> bool:
        """Takes the `folded_octets` of a path; names outside ASCII are rare, so this is compiled at the first one."""
        if len(path) > NEAR:
            if self._far_octets is None:
                globs = [glob for pattern in self._patterns for glob in octet_meanings(pattern)]
                self._far_octets = [Steps(glob, BY_OCTETS) for glob in globs]
            return any(steps.matches(path) for steps in self._far_octets)
        if self._octets is None:
            globs = [glob for pattern in self._patterns for glob in octet_meanings(pattern)]
            self._octets = re.compile(expression(globs, by_octets), re.DOTALL).fullmatch
        return self._octets(path) is not None

    def far(self, path: str) -> bool:
        """Takes what `text` takes, of any length, in time that is linear in pattern and path."""
        if self._far is None:
            form = WITHOUT_CASE if self._fold else AS_WRITTEN
            globs = [glob for pattern in self._patterns for glob in meanings(pattern, forbidding=self._fold)]
            self._far = [Steps(glob, form) for glob in globs]
        return any(steps.matches(path) for steps in self._far)


def _is_odd(pattern: str) -> bool:
    return not pattern.isascii() and bool(octet_meanings(pattern))


def literal_segments(patterns: Iterable[str], *, ignore_case: bool = False) -> frozenset[str] | None:
    """Path segments of which every match of any of the patterns holds one; None where that cannot be said.

    Without case, they are folded, and stand in the folded path.
    """
    found: set[str] = set()
    for pattern in patterns:
        if ignore_case and _is_odd(pattern):
            return None
        for glob in meanings(pattern, forbidding=ignore_case):
            literal = _literal(glob)
            if literal is None:
                return None
            found.add(folded(literal) if ignore_case else literal)
    return frozenset(found)


def _literal(glob: Glob) -> str | None:
    literals = (segment[0] for segment in glob.segments if len(segment) == 1 and isinstance(segment[0], str))
    return max(literals, key=_telling, default=None)


def _telling(literal: str) -> tuple[int, int]:
    return sum(c.isdigit() for c in literal), len(literal)


def _extension(glob: Glob) -> str | None:
    """What stands behind the last dot of some segment of every match."""
    for segment in glob.segments:
        if segment and isinstance(end := segment[-1], str):
            _, dot, extension = end.rpartition(".")
            if dot and extension:
                return extension
    return None


_SMALL = 8
"""Up to here one alternation of all patterns is faster than the index."""


class GlobSet:
    """A list of patterns, asked for the first that matches a path. Compiled at first need.

    Many patterns are found through the segments or extensions that a match must hold, so that the cost of a path does
    not grow with the list. Without case, the patterns forbid, and each holds in every way in which git may take it.
    """

    __slots__ = ("_by_extension", "_by_segment", "_each", "_fold", "_indexed", "_rest", "_whole_rest", "patterns")

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        self._fold = ignore_case
        self._each: dict[int, Compiled] = {}
        self._by_segment: dict[str, list[int]] = {}
        self._by_extension: dict[str, list[int]] = {}
        self._rest: Sequence[int] = range(len(self.patterns))
        self._whole_rest: Compiled | None = None
        self._indexed = len(self.patterns) > _SMALL
        if self._indexed:
            self._rest = [i for i, pattern in enumerate(self.patterns) if not self._found_by_part(i, pattern)]

    def _found_by_part(self, i: int, pattern: str) -> bool:
        if self._fold and _is_odd(pattern):
            return False
        parts: list[tuple[dict[str, list[int]], str]] = []
        for glob in meanings(pattern, forbidding=self._fold):
            if (part := _literal(glob)) is not None:
                parts.append((self._by_segment, part))
            elif (part := _extension(glob)) is not None:
                parts.append((self._by_extension, part))
            else:
                return False
        for index, part in parts:
            index.setdefault(folded(part) if self._fold else part, []).append(i)
        return True

    def _one(self, i: int) -> Compiled:
        one = self._each.get(i)
        if one is None:
            one = self._each[i] = Compiled(self.patterns[i : i + 1], ignore_case=self._fold)
        return one

    def _of_rest(self) -> Compiled:
        if self._whole_rest is None:
            self._whole_rest = Compiled((self.patterns[i] for i in self._rest), ignore_case=self._fold)
        return self._whole_rest

    def _candidates(self, path: str) -> list[int]:
        """Those of the indexed patterns of which a part stands in the path, in the form that is compared."""
        found: list[int] = []
        by_segment, by_extension = self._by_segment, self._by_extension
        for segment in path.split("/"):
            if segment in by_segment:
                found += by_segment[segment]
            if "." in segment:
                extension = segment[segment.rindex(".") + 1 :]
                if extension in by_extension:
                    found += by_extension[extension]
        return found

    def hits(self, path: str) -> bool:
        """Whether any pattern matches."""
        blunt = folded_octets(path) if self._fold and not path.isascii() else None
        path = folded(path) if self._fold else path
        if self._indexed:
            for i in self._candidates(path):
                if _meets(self._one(i), path, blunt):
                    return True
        return bool(self._rest) and _meets(self._of_rest(), path, blunt)

    def first(self, path: str) -> str | None:
        """The first pattern in the list that matches, as written."""
        blunt = folded_octets(path) if self._fold and not path.isascii() else None
        path = folded(path) if self._fold else path
        best = len(self.patterns)
        if self._indexed:
            best = next((i for i in sorted(self._candidates(path)) if _meets(self._one(i), path, blunt)), best)
        if self._rest and _meets(self._of_rest(), path, blunt):
            best = min(best, next(i for i in self._rest if _meets(self._one(i), path, blunt)))
        return self.patterns[best] if best < len(self.patterns) else None


def _meets(one: Compiled, path: str, blunt: str | None) -> bool:
    if one.far(path) if len(path) > NEAR else one.text(path) is not None:
        return True
    if blunt is None:
        return one.odd and one.octets(path)
    return one.octets(blunt)
