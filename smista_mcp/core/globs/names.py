"""Patterns on the names of models: `*` matches anything, case does not count."""

from collections.abc import Iterable


class NamePatterns:
    """Several patterns, taken apart once. Asks strings and no regular expression: thousands cost no time to compile."""

    def __init__(self, patterns: Iterable[str]) -> None:
        self._plain: dict[str, str] = {}
        self._starred: list[tuple[str, str, list[str], str]] = []
        for pattern in patterns:
            head, *rest = pattern.casefold().split("*")
            if rest:
                self._starred.append((pattern, head, rest[:-1], rest[-1]))
            else:
                self._plain.setdefault(head, pattern)

    def first(self, names: Iterable[str]) -> str | None:
        """A pattern that matches one of the names: one without `*` if there is one, else the first; None for none."""
        folded = [name.casefold() for name in names]
        for name in folded:
            if name in self._plain:
                return self._plain[name]
        for pattern, head, middle, tail in self._starred:
            for name in folded:
                if name.startswith(head) and name.endswith(tail) and _holds_between(name, head, middle, tail):
                    return pattern
        return None


def name_matches(pattern: str, name: str) -> bool:
    """Whether a pattern on model names (`*` matches anything, case does not count) matches a name."""
    return NamePatterns((pattern,)).first((name,)) is not None


def _holds_between(name: str, head: str, middle: list[str], tail: str) -> bool:
    """Whether the pieces stand in order between head and tail. The leftmost place of each leaves most room."""
    at, end = len(head), len(name) - len(tail)
    for piece in middle:
        found = name.find(piece, at, end)
        if found < 0:
            return False
        at = found + len(piece)
    return at <= end
