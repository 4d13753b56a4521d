"""The user's classification rules, compiled: which rule the words of a phase meet first."""

from collections.abc import Iterable
from typing import Final, NamedTuple

from smista_mcp.core.policy import ClassificationRule
from smista_mcp.core.reading.vocabulary import inflections
from smista_mcp.core.values import ContextKind

_EDGE: Final = ".,;:!?()[]{}\"'“”«»"


def _forms(word: str) -> frozenset[str]:
    """A keyword's own word with its inflections."""
    if not word.isalpha() or len(word) < 3:
        return frozenset((word,))
    return frozenset((word, *(form for row in inflections(word) for form in row)))


def _is_unspaced(keyword: str) -> bool:
    return any("\u3040" <= c <= "\ud7ff" for c in keyword)


class Met(NamedTuple):
    """A rule that was met: its number from 1 as written, and the words that met its keyword (none without keywords)."""

    number: int
    rule: ClassificationRule
    start: int
    end: int


class RuleIndex(NamedTuple):
    """Rules by the words that can meet them.

    Attributes:
        order: for each rule, in the order in which they are tried, its number from 1 as written, and the rule.
        by_word: form of a keyword's first word to (place in `order`, forms of the words after it).
        unspaced: keywords of scripts without spaces, with their place.
        always: places of the rules without keywords.
    """

    order: tuple[tuple[int, ClassificationRule], ...]
    by_word: dict[str, tuple[tuple[int, tuple[frozenset[str], ...]], ...]]
    unspaced: tuple[tuple[str, int], ...]
    always: tuple[int, ...]

    def first(self, lows: list[str], kinds: frozenset[ContextKind]) -> Met | None:
        """The first rule that `lows` (words in lower case) and the kinds of context meet."""
        best, met = len(self.order), (0, 0)
        for place in self.always:
            if place < best and self._context(place, kinds):
                best, met = place, (0, 0)
        by_word = self.by_word
        for i, low in enumerate(lows):
            for place, rest in by_word.get(low, ()):
                if place < best and self._follows(lows, i + 1, rest) and self._context(place, kinds):
                    best, met = place, (i, i + 1 + len(rest))
        for keyword, place in self.unspaced:
            at = next((i for i, low in enumerate(lows) if keyword in low), -1) if place < best else -1
            if at >= 0 and self._context(place, kinds):
                best, met = place, (at, at + 1)
        return None if best == len(self.order) else Met(*self.order[best], *met)

    def _context(self, place: int, kinds: frozenset[ContextKind]) -> bool:
        needed = self.order[place][1].requires_any_context
        return not needed or not kinds.isdisjoint(needed)

    @staticmethod
    def _follows(lows: list[str], i: int, rest: tuple[frozenset[str], ...]) -> bool:
        return len(lows) >= i + len(rest) and all(lows[i + k] in forms for k, forms in enumerate(rest))


def forms_of(keyword: str) -> tuple[frozenset[str], ...]:
    """What stands for each word of a keyword, in order; one of a script without spaces stands for itself alone."""
    low = keyword.lower()
    if _is_unspaced(low):
        return (frozenset((low.strip(),)),)
    return tuple(_forms(word) for word in (part.strip(_EDGE) for part in low.split()) if word)


def indexed(rules: Iterable[ClassificationRule], first: int = 0) -> RuleIndex:
    """The rules, compiled. They are tried by ascending priority, then as written; the `first` ones before the rest."""
    order = tuple(sorted(enumerate(rules, 1), key=lambda one: (one[0] > first, one[1].priority, one[0])))
    by_word: dict[str, list[tuple[int, tuple[frozenset[str], ...]]]] = {}
    unspaced: list[tuple[str, int]] = []
    always: list[int] = []
    for place, (_, rule) in enumerate(order):
        if not rule.keywords:
            always.append(place)
        for keyword in rule.keywords:
            words = forms_of(keyword)
            if _is_unspaced(keyword.lower()):
                unspaced.append((keyword.lower().strip(), place))
                continue
            for form in sorted(words[0]) if words else ():
                by_word.setdefault(form, []).append((place, words[1:]))
    return RuleIndex(order, {form: tuple(rows) for form, rows in by_word.items()}, tuple(unspaced), tuple(always))
