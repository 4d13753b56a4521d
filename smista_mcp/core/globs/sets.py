"""Lists of patterns, asked for the first that matches a path."""

import re
from collections.abc import Callable, Iterable, Sequence

from smista_mcp.core.globs.dialect import Glob, meanings, octet_meanings, octets
from smista_mcp.core.globs.expression import by_octets, expression, without_case
from smista_mcp.core.globs.folding import fold, fold_ascii

Matcher = Callable[[str], object]
"""True to a relative path that one of the patterns matches; a directory ends with `/`."""


def matcher(patterns: Iterable[str], *, ignore_case: bool = False) -> Matcher:
    """Compiles patterns into one question; without case they forbid, and mean all that `meanings` says."""
    patterns = tuple(patterns)
    globs = [glob for pattern in patterns for glob in meanings(pattern, forbidding=ignore_case)]
    if not ignore_case:
        return re.compile(expression(globs), re.DOTALL).fullmatch
    whole = re.compile(expression(globs, without_case), re.DOTALL).fullmatch
    blunt: Matcher | None = None

    def hits(path: str) -> object:
        if path.isascii():
            return whole(path.lower())
        nonlocal blunt
        blunt = blunt or _by_octets(patterns)
        return whole(fold(path)) or blunt(fold_ascii(octets(path)))

    return hits


def _by_octets(patterns: Iterable[str]) -> Matcher:
    globs = [glob for pattern in patterns for glob in octet_meanings(pattern)]
    return re.compile(expression(globs, by_octets), re.DOTALL).fullmatch


def literal_segments(patterns: Iterable[str], *, ignore_case: bool = False) -> frozenset[str] | None:
    """Path segments of which every match of any of the patterns holds one; None where that cannot be said.

    Without case, they are folded, and stand in the folded path.
    """
    found: set[str] = set()
    for pattern in patterns:
        for glob in meanings(pattern, forbidding=ignore_case):
            literal = _literal(glob)
            if literal is None:
                return None
            found.add(fold(literal) if ignore_case else literal)
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

    __slots__ = ("_by_extension", "_by_segment", "_each", "_fold", "_indexed", "_rest", "_rest_hits", "patterns")

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        self._fold = ignore_case
        self._each: dict[int, Matcher] = {}
        self._by_segment: dict[str, list[int]] = {}
        self._by_extension: dict[str, list[int]] = {}
        self._rest: Sequence[int] = range(len(self.patterns))
        self._rest_hits: Matcher | None = None
        self._indexed = len(self.patterns) > _SMALL
        if self._indexed:
            self._rest = [i for i, pattern in enumerate(self.patterns) if not self._found_by_part(i, pattern)]

    def _found_by_part(self, i: int, pattern: str) -> bool:
        parts: list[tuple[dict[str, list[int]], str]] = []
        for glob in meanings(pattern, forbidding=self._fold):
            if (part := _literal(glob)) is not None:
                parts.append((self._by_segment, part))
            elif (part := _extension(glob)) is not None:
                parts.append((self._by_extension, part))
            else:
                return False
        for index, part in parts:
            index.setdefault(fold(part) if self._fold else part, []).append(i)
        return True

    def _compile(self, i: int) -> Matcher:
        made = self._each[i] = matcher(self.patterns[i : i + 1], ignore_case=self._fold)
        return made

    def _hits(self, i: int, path: str) -> object:
        return (self._each.get(i) or self._compile(i))(path)

    def _candidates(self, path: str) -> list[int]:
        """Those of the indexed patterns of which a part stands in the path."""
        found: list[int] = []
        by_segment, by_extension = self._by_segment, self._by_extension
        if self._fold:
            path = path.lower() if path.isascii() else fold(path)
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
        if self._indexed:
            for i in self._candidates(path):
                if (self._each.get(i) or self._compile(i))(path):
                    return True
        return bool(self._rest and self._among_rest(path))

    def _among_rest(self, path: str) -> object:
        hits = self._rest_hits
        if hits is None:
            hits = self._rest_hits = matcher((self.patterns[i] for i in self._rest), ignore_case=self._fold)
        return hits(path)

    def first(self, path: str) -> str | None:
        """The first pattern in the list that matches, as written."""
        best = len(self.patterns)
        if self._indexed:
            best = next((i for i in sorted(self._candidates(path)) if self._hits(i, path)), best)
        if self._rest and self._among_rest(path):
            best = min(best, next(i for i in self._rest if self._hits(i, path)))
        return self.patterns[best] if best < len(self.patterns) else None
