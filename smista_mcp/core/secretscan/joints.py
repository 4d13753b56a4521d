"""A text without what stands in the middle of its keys: ends of lines, quotation marks that are joined, escapes."""

import re
from bisect import bisect_left, bisect_right
from collections.abc import Callable

from smista_mcp.core.secretscan.rules import Lazy

WRAP = Lazy(
    r"(?<=[A-Za-z0-9_/+=.-])(?:"
    r"[\"'`][ \t]{0,20}+(?:[+.&][ \t]{0,20}+)?\\?(?:\r?\n[ \t]{0,80}+(?:[+.&][ \t]{0,20}+)?)?[\"'`]"
    r"|(?:\\|=)?\r?\n(?:[+>|#*][ \t]|[ \t]{0,80}+)"
    r")(?=[A-Za-z0-9_/+=.-])"
)
"""The end of a line, or of a quotation that is joined to the next, in the middle of a key."""

ESCAPE = Lazy(r"\\(?:/|u00[2-7][0-9A-Fa-f])")
"""Of JSON, in the middle of a key or of an address."""


def char_of(escape: re.Match[str]) -> str:
    """The character that an escape stands for."""
    return "/" if escape[0] == "\\/" else bytes.fromhex(escape[0][-2:]).decode("ascii")


class Joined:
    """A text in which places of a pattern are left out, or replaced by one character each.

    Args:
        text: as it was.
        pattern: of these places.
        instead: what makes the character of a place; without it the places are left out.
    """

    def __init__(self, text: str, pattern: Lazy, instead: Callable[[re.Match[str]], str] | None = None) -> None:
        self.text = pattern().sub(instead or "", text)
        self._original, self._pattern = text, pattern
        self._width = 1 if instead else 0
        self._cuts: tuple[list[int], list[int]] | None = None

    def origin(self, start: int, end: int) -> tuple[int, int] | None:
        """Where a piece stood in the text; None where nothing is left out or replaced in it."""
        places, _ = self._found()
        first, last = bisect_right(places, start), bisect_left(places, end + self._width)
        return (self._place(start, first), self._place(end, last)) if first < last else None

    def place(self, place: int) -> int:
        """Where a place was in the text."""
        return self._place(place, bisect_right(self._found()[0], place))

    def _place(self, place: int, count: int) -> int:
        places, ends = self._found()
        return place - places[count - 1] + ends[count - 1] if count else place

    def _found(self) -> tuple[list[int], list[int]]:
        """The places behind each cut, in what is joined and in the text; looked for when they are first needed."""
        if self._cuts is None:
            places: list[int] = []
            ends: list[int] = []
            gone = 0
            for cut in self._pattern().finditer(self._original):
                start, end = cut.span()
                gone += end - start - self._width
                places.append(end - gone)
                ends.append(end)
            self._cuts = places, ends
        return self._cuts
