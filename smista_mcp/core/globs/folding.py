"""Names without case: one character stands for all that differ from it by case alone."""

from functools import cache, lru_cache
from typing import Final

from smista_mcp.core.globs.dialect import LAST, CharClass, united

_ODD: Final = {0x130: 0x69, 0x1FD3: 0x390, 0x1FE3: 0x3B0, 0xFB05: 0xFB06}
"""Their other case has several characters, and yet they differ from another character by case alone."""
_BLOCK: Final = 256
_CASED: Final = 0x20000
"""No character from here on has cases."""


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


def fold_ascii(octets: str) -> str:
    """The same octets, ASCII letters small."""
    return octets.encode("latin-1").lower().decode("latin-1")


@cache
def _families() -> dict[int, tuple[int, ...]]:
    """All characters that have cases, by the one that stands for them."""
    found: dict[int, list[int]] = {}
    for start in range(0, _CASED, _BLOCK):
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
def caseless(spans: CharClass) -> CharClass:
    """All characters that fold as one of these does."""
    beyond = [span for span in spans if span[1] >= 0x80]
    if beyond and (beyond[0][0] > 0x80 or beyond[0][1] != LAST):
        more = [(p, p) for points in _families().values() if _meets(spans, points) for p in points]
    else:
        letters = (letter for letter in _LETTERS if _meets(spans, letter) or (beyond and letter[0] in _FURTHER))
        more = [(p, p) for letter in letters for p in (*letter, *_FURTHER.get(letter[0], ()))]
    return united([*spans, *more])


@lru_cache(maxsize=1024)
def caseless_octets(spans: CharClass) -> CharClass:
    """All bytes that differ from one of these by the case of an ASCII letter.

    One byte outside ASCII stands for all of them: this forbids a little more, and a character is known by its length.
    """
    inside = tuple((low, min(high, 0x7F)) for low, high in spans if low < 0x80)
    more = [(p, p) for letter in _LETTERS if _meets(inside, letter) for p in letter]
    beyond = [(0x80, LAST)] if any(high >= 0x80 for _, high in spans) else []
    return united([*inside, *more, *beyond])


def _meets(spans: CharClass, points: tuple[int, ...]) -> bool:
    return any(low <= point <= high for point in points for low, high in spans)


def variants(char: str) -> tuple[int, ...]:
    """All characters that differ from one by case alone, itself included."""
    plain = ord(fold(char))
    if plain < 0x80:
        return tuple(dict.fromkeys((plain, ord(chr(plain).upper()), *_FURTHER.get(plain, ()))))
    return _families().get(plain, (plain,))
