"""Names without case: one character stands for all that differ from it by case alone."""

from functools import cache, lru_cache
from typing import Final

from smista_mcp.core.globs.dialect import LAST, Span, united

_ODD: Final = {0x130: 0x69, 0x1FD3: 0x390, 0x1FE3: 0x3B0, 0xFB05: 0xFB06}
"""Their other case has several characters, and yet they differ from another character by case alone."""
_BLOCK: Final = 4096


class _Table(dict[int, int]):
    def __missing__(self, point: int) -> int:
        self[point] = found = _plain(point)
        return found


def _plain(point: int) -> int:
    if point in _ODD:
        return _ODD[point]
    char = chr(point)
    upper = char.upper()
    lower = (upper if len(upper) == 1 else char).lower()
    return ord(lower) if len(lower) == 1 else point


_table: Final = _Table()


def fold(text: str) -> str:
    """The same text, each character in the form that stands for all its cases; as long as the text."""
    return text.lower() if text.isascii() else text.translate(_table)


@cache
def _families() -> dict[int, tuple[int, ...]]:
    """All characters that have cases, by the one that stands for them."""
    found: dict[int, list[int]] = {}
    for start in range(0, LAST + 1, _BLOCK):
        text = "".join(map(chr, range(start, start + _BLOCK)))
        if text.lower() == text == text.upper():
            continue
        for point in range(start, start + _BLOCK):
            plain = _table[point]
            if plain != point:
                found.setdefault(plain, [plain]).append(point)
    return {plain: tuple(points) for plain, points in found.items()}


_LETTERS: Final = tuple((ord(low), ord(low.upper())) for low in "abcdefghijklmnopqrstuvwxyz")
_FURTHER: Final = {ord("i"): (0x130, 0x131), ord("k"): (0x212A,), ord("s"): (0x17F,)}
"""Beyond ASCII, by the ASCII letter that stands for them."""


@lru_cache(maxsize=1024)
def caseless(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """All characters that fold as one of these does."""
    inside = [span for span in spans if span[0] < 0x80]
    beyond = [span for span in spans if span[1] >= 0x80]
    if beyond and (beyond[0][0] > 0x80 or beyond[0][1] != LAST):
        families = ((plain, points) for plain, points in _families().items())
        return united([*spans, *((p, p) for _, points in families if _meets(spans, points) for p in points)])
    more: list[Span] = []
    for low, high in _LETTERS:
        if _meets(tuple(inside), (low, high)) or (beyond and low in _FURTHER):
            more += [(low, low), (high, high), *((p, p) for p in _FURTHER.get(low, ()))]
    return united([*spans, *more])


def _meets(spans: tuple[Span, ...], points: tuple[int, ...]) -> bool:
    return any(low <= point <= high for point in points for low, high in spans)


def caseless_ascii(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """The ASCII part of these, and what differs from it by the case of an ASCII letter."""
    inside = [(low, min(high, 0x7F)) for low, high in spans if low < 0x80]
    more = [(p, p) for pair in _LETTERS if _meets(tuple(inside), pair) for p in pair]
    return united([*inside, *more])


def variants(char: str) -> tuple[int, ...]:
    """All characters that differ from one by case alone, itself included."""
    plain = ord(fold(char))
    if plain < 0x80:
        return tuple(dict.fromkeys((plain, ord(chr(plain).upper()), *_FURTHER.get(plain, ()))))
    return _families().get(plain, (plain,))
