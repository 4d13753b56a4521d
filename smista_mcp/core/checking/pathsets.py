"""Sets of paths as rules and restrictions name them, and the search for one path, remembered.

Paths are those of files: a directory counts by the files below it.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from smista_mcp.core.globs.search import PathSet, SearchTooLarge, find_path
from smista_mcp.core.languages import BY_EXTENSION

TooLarge = SearchTooLarge
_MOST_STATES = 50_000
"""Ordinary patterns, dozens at once, need some thousand."""
_FEW_STATES = 2_000
_PATIENCE = 10
"""Searches that may be given up before all others are kept short: a file that nobody trusts is checked too."""


class PathKey(NamedTuple):
    """What names a set of paths: patterns, or languages (in small letters).

    Attributes:
        ignore_case: patterns as those that forbid are read.
    """

    globs: tuple[str, ...] = ()
    languages: frozenset[str] = frozenset()
    ignore_case: bool = False


class Paths:
    """Answers which path lies in some sets and in none of others. Sets and answers are kept."""

    def __init__(self) -> None:
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

    def _searched(self, inside: Iterable[PathKey], outside: Iterable[PathKey]) -> str | TooLarge | None:
        within = [self._set(key) for key in _ordered(inside)] or [self._set(EVERYWHERE)]
        limit = _MOST_STATES if self._given_up < _PATIENCE else _FEW_STATES
        try:
            return find_path(within, [self._set(key) for key in _ordered(outside)], most_states=limit)
        except TooLarge as error:
            self._given_up += 1
            return error

    def _set(self, key: PathKey) -> PathSet:
        known = self._sets.get(key)
        if known is None:
            known = PathSet(key.globs, ignore_case=key.ignore_case) if key.globs else _of_languages(key.languages)
            self._sets[key] = known
        return known


EVERYWHERE = PathKey(globs=("*",))
"""Every path."""


def _ordered(keys: Iterable[PathKey]) -> Sequence[PathKey]:
    """Always in the same order, so that the same path is found on every machine."""
    return sorted(keys, key=lambda key: (key.globs, sorted(key.languages), key.ignore_case))


def _of_languages(languages: frozenset[str]) -> PathSet:
    return PathSet.of_extensions(extension for extension, name in BY_EXTENSION.items() if name in languages)
