"""Lists of patterns, asked for the first that matches a path."""

import re
from collections.abc import Callable, Iterable, Sequence

from smista_mcp.core.globs.dialect import Glob, meanings, octet_meanings, octets
from smista_mcp.core.globs.expression import by_octets, expression, translate, without_case
from smista_mcp.core.globs.folding import fold, fold_ascii

Matcher = Callable[[str], object]
"""True to a relative path that one of the patterns matches; a directory ends with `/`."""


def matcher(patterns: Iterable[str], *, ignore_case: bool = False) -> Matcher:
    """Compiles patterns into one question; without case they forbid, and mean all that `meanings` says."""
    if not ignore_case:
        return re.compile("|".join(f"(?:{translate(p)})" for p in patterns), re.DOTALL).fullmatch
    patterns = tuple(patterns)
    whole = _compiled([expression(glob, without_case) for p in patterns for glob in meanings(p, forbidding=True)])
    blunt = [expression(glob, by_octets) for p in patterns for glob in octet_meanings(p)]
    by_bytes = _compiled(blunt) if blunt else None

    def hits(path: str) -> object:
        if path.isascii():
            return whole(path.lower())
        return whole(fold(path)) or (by_bytes is not None and by_bytes(fold_ascii(octets(path))))

    return hits


def _compiled(expressions: list[str]) -> Matcher:
    return re.compile("|".join(f"(?:{e})" for e in expressions) if expressions else "(?!)", re.DOTALL).fullmatch


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

    __slots__ = ("_by_extension", "_by_segment", "_each", "_fold", "_rest", "_rest_hits", "patterns")

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        self._fold = ignore_case
        self._each: dict[int, Matcher] = {}
        self._by_segment: dict[str, list[int]] = {}
        self._by_extension: dict[str, list[int]] = {}
        self._rest: Sequence[int] = range(len(self.patterns))
        self._rest_hits: Matcher | None = None
        if len(self.patterns) > _SMALL:
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

    def _hits(self, i: int, path: str) -> object:
        hits = self._each.get(i)
        if hits is None:
            hits = self._each[i] = matcher(self.patterns[i : i + 1], ignore_case=self._fold)
        return hits(path)

    def _among_rest(self, path: str) -> object:
        if not self._rest:
            return False
        if self._rest_hits is None:
            self._rest_hits = matcher((self.patterns[i] for i in self._rest), ignore_case=self._fold)
        return self._rest_hits(path)

    def _candidates(self, path: str) -> list[int]:
        """Those of the indexed patterns of which a part stands in the path."""
        found: list[int] = []
        by_segment, by_extension = self._by_segment, self._by_extension
        for segment in (fold(path) if self._fold else path).split("/"):
            if segment in by_segment:
                found += by_segment[segment]
            if "." in segment:
                found += by_extension.get(segment[segment.rindex(".") + 1 :], ())
        return found

    def hits(self, path: str) -> bool:
        """Whether any pattern matches."""
        for i in self._candidates(path):
            if self._hits(i, path):
                return True
        return bool(self._among_rest(path))

    def first(self, path: str) -> str | None:
        """The first pattern in the list that matches, as written."""
        best = next((i for i in sorted(self._candidates(path)) if self._hits(i, path)), len(self.patterns))
        if self._among_rest(path):
            best = next((i for i in self._rest if i > best or self._hits(i, path)), best)
        return self.patterns[best] if best < len(self.patterns) else None
