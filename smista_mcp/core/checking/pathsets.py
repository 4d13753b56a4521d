"""Sets of paths as rules and restrictions name them, and the search for one path, remembered.

Paths are those of files: a directory counts by the files below it.
"""

import re
from collections.abc import Collection, Iterable, Sequence
from itertools import combinations
from typing import NamedTuple

from smista_mcp.core.globs.search import Allowance, PathSet, SearchTooLarge, find_path
from smista_mcp.core.languages import BY_EXTENSION

TooLarge = SearchTooLarge
_MOST_STATES = 50_000
"""Ordinary patterns, dozens at once, need some thousand."""
_FEW_STATES = 2_000
_PATIENCE = 10
"""Searches that may be given up before all others are kept short: a file that nobody trusts is checked too."""
_WORK_PER_RULE = 40_000
_LEAST_WORK, _MOST_WORK = 3_000_000, 24_000_000
"""What all searches of one check may take together; a thousand rules over folders of their own need less."""


class PathKey(NamedTuple):
    """What names a set of paths: patterns, or languages (in small letters).

    Attributes:
        ignore_case: patterns as those that forbid are read.
    """

    globs: tuple[str, ...] = ()
    languages: frozenset[str] = frozenset()
    ignore_case: bool = False


class Paths:
    """Answers which path lies in some sets and in none of others. Sets and answers are kept.

    Args:
        rules: how many rules there are; the more, the more work all searches may take together.
    """

    def __init__(self, rules: int) -> None:
        self._allowance = Allowance(min(max(rules * _WORK_PER_RULE, _LEAST_WORK), _MOST_WORK))
        self._heads: dict[PathKey, tuple[str, ...]] = {}
        self._sets: dict[PathKey, PathSet] = {}
        self._found: dict[tuple[frozenset[PathKey], frozenset[PathKey]], str | TooLarge | None] = {}
        self._given_up = 0

    def find(self, inside: Iterable[PathKey], outside: Iterable[PathKey] = ()) -> str | None:
        """A shortest path in all of `inside` and none of `outside`; None where there is none.

        Raises:
            TooLarge: that cannot be said with reasonable effort.
        """
        asked = frozenset(inside), frozenset(outside)
        if asked not in self._found:
            self._found[asked] = self._searched(*asked)
        found = self._found[asked]
        if isinstance(found, TooLarge):
            raise found
        return found

    def _searched(self, inside: Collection[PathKey], outside: Collection[PathKey]) -> str | TooLarge | None:
        if self._apart([self._head(key) for key in inside]):
            return None
        alone = not outside and len(inside) < 2  # one for each rule, and bounded by itself
        if self._allowance.left < 0 and not alone:
            return TooLarge("given up, for there is too much to compare")
        within = [self._set(key) for key in _ordered(inside)] or [self._set(EVERYWHERE)]
        limit = _MOST_STATES if self._given_up < _PATIENCE else _FEW_STATES
        beyond = [self._set(key) for key in _ordered(outside)]
        try:
            return find_path(within, beyond, most_states=limit, allowance=None if alone else self._allowance)
        except TooLarge as error:
            self._given_up += 1
            return error

    def _head(self, key: PathKey) -> tuple[str, ...]:
        """How the paths of a set begin, one text for each pattern."""
        known = self._heads.get(key)
        if known is None:
            known = self._heads[key] = _heads_of(key)
        return known

    @staticmethod
    def _apart(heads: Sequence[tuple[str, ...]]) -> bool:
        """Whether two of the sets begin so differently that no path can lie in both."""
        return any(
            not any(left.startswith(right) or right.startswith(left) for left in one for right in other)
            for one, other in combinations(heads, 2)
        )

    def _set(self, key: PathKey) -> PathSet:
        known = self._sets.get(key)
        if known is None:
            known = PathSet(key.globs, ignore_case=key.ignore_case) if key.globs else _of_languages(key.languages)
            self._sets[key] = known
        return known


EVERYWHERE = PathKey(globs=("*",))
"""Every path."""


def _heads_of(key: PathKey) -> tuple[str, ...]:
    """What stands before the first character that may mean more than itself; nothing where a pattern holds anywhere."""
    if key.ignore_case or not key.globs:
        return ("",)
    anchored = ("/" in glob.rstrip("/") for glob in key.globs)
    return tuple(
        re.split(r"[*?\[\\]|[^\x00-\x7f]", glob, maxsplit=1)[0] if at_root else ""
        for glob, at_root in zip(key.globs, anchored, strict=True)
    )


def _ordered(keys: Iterable[PathKey]) -> Sequence[PathKey]:
    """Always in the same order, so that the same path is found on every machine."""
    return sorted(keys, key=lambda key: (key.globs, sorted(key.languages), key.ignore_case))


def _of_languages(languages: frozenset[str]) -> PathSet:
    return PathSet.of_extensions(extension for extension, name in BY_EXTENSION.items() if name in languages)
