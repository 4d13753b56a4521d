"""The places that a scan has found so far, and how much it may still judge."""

from bisect import bisect_left
from collections.abc import Iterable

from smista_mcp.core.secretscan.rules import Hit

Span = tuple[str, int, int]
"""Kind, start and end of a secret."""

MOST_HITS = 2_000
"""A text with more of them is one secret as a whole: nobody wants the rest one by one."""

_SPARE = 50_000
_JUDGED = 0.5
"""So often may each character be judged, on average: in what people write it is a hundredth. A text whose secrets
could begin anywhere and reach over each other needs more; what is left of it then counts as secret unjudged."""


_SHORTEST_ASSIGNMENT = 10
"""A name, a sign, a value that can be a secret, and what ends it: where there are more names, they overlap."""


class Found:
    """The places found so far; the first that takes a place keeps it.

    Args:
        text: that is searched.
    """

    def __init__(self, text: str) -> None:
        self._text = text
        self._spans: list[tuple[int, int, str]] = []
        self._left = int(_JUDGED * len(text)) + _SPARE
        self._names = len(text) // _SHORTEST_ASSIGNMENT + 1000

    @property
    def is_full(self) -> bool:
        """Whether there are so many that the text is one secret as a whole."""
        return len(self._spans) > MOST_HITS

    def is_free(self, start: int, end: int) -> bool:
        """Whether nothing was found there so far."""
        spans = self._spans
        if not spans:
            return True
        place = bisect_left(spans, (start, end))
        return (place == 0 or spans[place - 1][1] <= start) and (place == len(spans) or spans[place][0] >= end)

    def is_worn_out(self, size: int) -> bool:
        """Whether so many characters more cannot be judged: they count as secret. Else they are counted as judged."""
        self._left -= size
        return self._left < 0

    def is_tired(self) -> bool:
        """Whether no more names can be judged, as values then count as secret. Else one more is counted as judged."""
        self._names -= 1
        return self._names < 0

    def take(self, spans: Iterable[Span]) -> None:
        """Keeps the places that are free, as long as there are not too many."""
        for kind, start, end in spans:
            if end > start and self.is_free(start, end):
                self._spans.insert(bisect_left(self._spans, (start, end)), (start, end, kind))
                if self.is_full:
                    return

    def hits(self) -> tuple[Hit, ...]:
        """The places in their order."""
        if not self._spans:
            return ()
        if self.is_full:
            return (Hit("too_many_secrets", 1, 0, len(self._text)),)
        hits: list[Hit] = []
        line, at = 1, 0
        for start, end, kind in self._spans:
            line += self._text.count("\n", at, start)
            at = start
            hits.append(Hit(kind, line, start, end))
        return tuple(hits)
