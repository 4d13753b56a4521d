"""Patterns and paths that are written to make matching work hard."""

import random
from collections.abc import Mapping
from typing import NamedTuple


class Shape(NamedTuple):
    """A pattern and a path for a number of bytes each: what is repeated, what stands before it and behind it."""

    piece: str
    path_piece: str
    before: str = ""
    end: str = ""
    path_end: str = ""

    def pattern(self, size: int) -> str:
        """A pattern of so many bytes."""
        return self.before + _filled(self.piece, size - len(self.before), self.end)

    def path(self, size: int) -> str:
        """A path of so many bytes."""
        return _filled(self.path_piece, size, self.path_end)


def _filled(piece: str, size: int, end: str) -> str:
    return piece * max(1, (size - len(end)) // len(piece.encode())) + end


SHAPES: Mapping[str, Shape] = {
    "letters": Shape("a", "a"),
    "a star behind each letter": Shape("a*", "a", end="b"),
    "stars and questions": Shape("*?", "a", end="b"),
    "a long piece between stars": Shape("a", "a", "*", "b*"),
    "segments": Shape("a/", "a/", end="b", path_end="a"),
    "two stars for each segment": Shape("**/a/", "a/", end="b", path_end="a"),
    "a long piece behind two stars": Shape("a/", "a/", "**/", "b", "a"),
    "stars in segments behind two stars": Shape("*a*/", "a/", "**/", "b", "a"),
    "classes": Shape("[!b]*", "a", end="b"),
    "one large class": Shape("a-c", "a", "*[", "]b"),
    "letters beyond ASCII": Shape("ä*", "ä", end="b"),
    "letters of several cases": Shape("\u017f*", "ß", end="b"),
    "stars in segments, read in many ways": Shape("*a*/", "a/", "**/", "a*a**/[!k]*/", "ac"),
    "two stars and a name": Shape("**/a*/", "a/", "a***/", "[ab]a**/*?", "aba///a"),
    "half a pattern of escapes": Shape("\\a", "a", "*", "b*"),
    "classes between names": Shape("a*", "a", "[a-é]", "*/a/a**/[!k]", "/aé"),
    "bytes of letters": Shape("*?", "a", "a*\\a[!k]", "**/b", "é/a/"),
}

_PIECES = [*"ab*?/k", "[ab]", "[!b]", "**/", "*/", "a/", "é", "\u017f", "[a-é]", "*a", "a*", "/**/", "\\a", "a**/"]
_PARTS = [*"ab/kK", "a/", "ab", "é", "\u017f", "ba", "aa/", "/a", "\U0001f511"]


def mutated(rng: random.Random, shape: Shape) -> Shape:
    """The shape with one of its five parts changed."""
    parts = list(shape)
    place = rng.randrange(len(parts))
    text = parts[place]
    more = rng.choice(_PARTS if place in (1, 4) else _PIECES)
    at = rng.randint(0, len(text))
    parts[place] = text[:at] + more + text[at:] if rng.random() < 0.6 or len(text) < 2 else text[:at] + text[at + 1 :]
    return Shape(*parts) if parts[0] and parts[1] else shape
