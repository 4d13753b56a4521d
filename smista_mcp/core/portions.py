"""Long texts in portions that fit into an answer: whole characters, whole lines where that is possible.

Portions follow each other without a gap and without an overlap: put together they are the text.
"""

import json
import unicodedata
from typing import Final

_NO_CUT_BEFORE: Final = frozenset("\u200d\ufe0e\ufe0f")
"""Joiner and variation selectors: they belong to the character before them."""
_LONGEST: Final = 40
"""Code points of the longest character that is kept in one piece."""
_JOINER: Final = "\u200d"
_TURNS: Final = (("\n\n", 2), ("\n", 1), (" ", 1))
"""Where a text may end without hurting, best first, and how much of that still belongs to the end."""
_PATCH_TURNS: Final = (("\ndiff --git ", 1), ("\n@@ ", 1), ("\n", 1))


def size(text: str) -> int:
    """Bytes that a text takes inside an answer: as a JSON string in UTF-8, without its quotes."""
    return len(json.dumps(text, ensure_ascii=False).encode("utf-8", "surrogatepass")) - 2


def portion(text: str, start: int, room: int, *, patch: bool = False) -> int:
    """The character before which the portion of a text that begins at `start` ends.

    Args:
        text: all of it.
        start: from 0; not behind the end.
        room: bytes that the portion may take, as `size` counts them.
        patch: whether the text is one: it is cut before a file, a hunk or a line, in this order.

    Returns:
        At least one character further than `start` where there is one, however small the room: reading comes to an end.
    """
    if start >= len(text):
        return len(text)
    most = _furthest(text, start, room)
    if most >= len(text):
        return len(text)
    if most <= start:
        return start + 1
    return _turn(text, start, most, _PATCH_TURNS if patch else _TURNS)


def _furthest(text: str, start: int, room: int) -> int:
    """The end of the longest portion that fits."""
    low, high = start, min(len(text), start + max(room, 0))  # no character takes less than a byte
    while low < high:
        middle = (low + high + 1) // 2
        if size(text[start:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return low


def _turn(text: str, start: int, most: int, turns: tuple[tuple[str, int], ...]) -> int:
    """A good end at `most` or before it: in the second half a turn of the text, else between two whole characters."""
    half = start + (most - start) // 2
    for words, kept in turns:
        begun = text.rfind(words, half, most - kept + len(words))
        if begun >= half:
            return begun + kept
    end = most
    while end > start and most - end < _LONGEST and not _is_whole(text, end):
        end -= 1
    return end if end > start and _is_whole(text, end) else most


def _is_whole(text: str, end: int) -> bool:
    """Whether a whole character ends there."""
    after, before = text[end], text[end - 1]
    if unicodedata.combining(after) or after in _NO_CUT_BEFORE or before == _JOINER:
        return False
    return not (before == "\r" and after == "\n")
