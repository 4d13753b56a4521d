"""The dialect of path patterns, gitignore's: a pattern's one parsed form, from which all that matches is made.

`*` and `?` stop at `/`, `**` crosses it, a pattern without `/` matches at any depth, and what matches a directory
matches all below it.
"""

import unicodedata
from collections.abc import Iterable
from enum import Enum
from typing import Final, NamedTuple

Span = tuple[int, int]
"""Code points from the first to the second, both included."""

LAST: Final = 0x10FFFF
_SLASH: Final = 0x2F
_POSIX = {
    "alnum": "09AZaz",
    "alpha": "AZaz",
    "blank": "\t\t  ",
    "cntrl": "\x00\x1f\x7f\x7f",
    "digit": "09",
    "graph": "!~",
    "lower": "az",
    "print": " ~",
    "punct": "!/:@[`{~",
    "space": "\t\n\r\r  ",
    "upper": "AZ",
    "xdigit": "09AFaf",
}
"""First and last character of each run; the two further blanks of C are none to git."""


class Wild(Enum):
    """What stands in a segment besides characters.

    `GLUED` is a `**` behind other characters of its segment and before a `/`: by the book it is a `*`, but some
    releases of git let it cross `/`.
    """

    STAR = "*"
    GLUED = "**"


CharClass = tuple[Span, ...]
"""One character of several, never `/`: ascending, with a gap between each two spans."""
Atom = str | CharClass | Wild
"""A run of characters as they are, one of a class, or any number of characters."""
Segment = tuple[Atom, ...]
DOUBLE: Final[Segment] = ()
"""The segment `**`: any number of segments."""


class Glob(NamedTuple):
    """A pattern that can match.

    Attributes:
        segments: what stands between the slashes; at least one.
        floating: it holds one segment and matches at any depth.
        directories: it matches directories alone, and so all files below them.
    """

    segments: tuple[Segment, ...]
    floating: bool
    directories: bool


ANY: Final[CharClass] = ((0, _SLASH - 1), (_SLASH + 1, LAST))


def parse(pattern: str) -> Glob | None:
    """Reads an accepted pattern; None where it can match nothing."""
    glob = _read(pattern)
    return glob if glob is not None and _possible(glob) else None


def _read(pattern: str) -> Glob | None:
    directories = pattern.endswith("/")
    body = pattern[:-1] if directories else pattern
    segments = _segments(body)
    if segments is None or "/" in body:
        return None if segments is None else Glob(segments, floating=False, directories=directories)
    return Glob(((Wild.STAR,),) if segments == (DOUBLE,) else segments, floating=True, directories=directories)


def has_classes(glob: Glob) -> bool:
    """Whether it names a character without naming which; only there do letters and bytes differ."""
    return any(isinstance(atom, tuple) for segment in glob.segments for atom in segment)


def _possible(glob: Glob) -> bool:
    """No path has an empty segment."""
    return not any("" in segment for segment in glob.segments)


def _segments(body: str) -> tuple[Segment, ...] | None:
    found: list[Segment] = []
    atoms: list[Atom] = []
    double = False
    i = 0
    while i < len(body):
        if body[i] == "/" or body.startswith("\\/", i):
            found.append(_closed(atoms, double=double))
            atoms, double = [], False
            i += 1 if body[i] == "/" else 2
        elif body[i] == "*":
            start = i
            i = len(body) - len(body[i:].lstrip("*"))
            crosses = i - start > 1 and (i == len(body) or body.startswith(("/", "\\/"), i))
            double = crosses and (start == 0 or body[start - 1] == "/")
            atoms.append(Wild.GLUED if crosses and not double else Wild.STAR)
        else:
            atom, i = _atom(body, i)
            if atom is None:
                return None
            _add(atoms, atom)
    found.append(_closed(atoms, double=double))
    return tuple(found)


def _atom(body: str, i: int) -> tuple[Atom | None, int]:
    """What stands at an index, and the index behind it; None where git gives up."""
    if body[i] == "[":
        return _bracket(body, i + 1)
    if body[i] == "?":
        return ANY, i + 1
    if body[i] == "\\":
        return body[i + 1 : i + 2] or None, i + 2
    end = i + 1
    while end < len(body) and body[end] not in "*?[\\/":
        end += 1
    return body[i:end], end


def _add(atoms: list[Atom], atom: Atom) -> None:
    """Adds to a segment; what is only written in two parts becomes one run of characters."""
    if isinstance(atom, str) and atoms and isinstance(before := atoms[-1], str):
        atoms[-1] = before + atom
    elif atom != "":
        atoms.append(atom)


def _closed(atoms: list[Atom], *, double: bool) -> Segment:
    """An empty segment, which no path has, is one of no characters."""
    return DOUBLE if double else tuple(atoms) or ("",)


def _bracket(pattern: str, i: int) -> tuple[CharClass | None, int]:
    """Reads a class from behind its `[`; also returns the index behind its end. None where git gives up."""
    negated = pattern[i : i + 1] in ("!", "^")
    i += negated
    spans: list[Span] = []
    before: str | None = None
    start = i
    while True:
        char = pattern[i : i + 1]
        if char == "]" and i > start:
            break
        if char == "[" and pattern[i + 1 : i + 2] == ":":
            end = pattern.find("]", i + 2)
            if end < 0:
                return None, i
            if end > i + 2 and pattern[end - 1] == ":":
                runs = _POSIX.get(pattern[i + 2 : end - 1])
                if runs is None:
                    return None, i
                spans += [(ord(a), ord(b)) for a, b in zip(runs[::2], runs[1::2], strict=True)]
                i, before = end + 1, None
                continue
        ranged = char == "-" and before is not None and pattern[i + 1 : i + 2] not in ("", "]")
        i += ranged
        i += pattern[i : i + 1] == "\\"
        char = pattern[i : i + 1]
        if not char:
            return None, i
        i += 1
        # git has tried the start of a range before it sees the range, even one that runs backwards
        spans.append((ord(before), ord(char)) if ranged and before is not None else (ord(char), ord(char)))
        before = None if ranged else char
    found = united(spans)
    return _without_slash(complement(found) if negated else found), i + 1


def united(spans: list[Span]) -> tuple[Span, ...]:
    """The same code points, ascending and with a gap between each two spans."""
    found: list[Span] = []
    for low, high in sorted(span for span in spans if span[0] <= span[1]):
        if found and low <= found[-1][1] + 1:
            found[-1] = (found[-1][0], max(high, found[-1][1]))
        else:
            found.append((low, high))
    return tuple(found)


def complement(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    """All other code points."""
    lows = [0, *(high + 1 for _, high in spans)]
    highs = [*(low - 1 for low, _ in spans), LAST]
    return tuple((low, high) for low, high in zip(lows, highs, strict=True) if low <= high)


def _without_slash(spans: tuple[Span, ...]) -> tuple[Span, ...]:
    return complement(united([*complement(spans), (_SLASH, _SLASH)]))


_EXPANDED: Final = 3
"""Each `GLUED` doubles the meanings; from the next one on a pattern is read as forbidding whatever follows."""


def meanings(pattern: str, *, forbidding: bool) -> tuple[Glob, ...]:
    """What a pattern says; one that forbids holds in every way in which it may be meant, each one more prohibition.

    It holds as written, without spaces at its end (git leaves them out), in NFC, and with each `GLUED` crossing.
    """
    if forbidding:
        return _crossed(_texts(pattern))
    glob = parse(pattern)
    return () if glob is None else (glob,)


def octet_meanings(pattern: str) -> tuple[Glob, ...]:
    """What a pattern that forbids says where each byte counts as a character, as git has it.

    The characters of these are bytes. Without classes it says no more than `meanings`, and is left out.
    """
    if "?" not in pattern and "[" not in pattern:
        return ()
    return tuple(filter(has_classes, _crossed(map(octets, _texts(pattern)))))


def octets(text: str) -> str:
    """The bytes of a text, as the file system holds it, as one character each."""
    if text.isascii():
        return text
    try:
        return text.encode("utf-8", "surrogateescape").decode("latin-1")
    except UnicodeEncodeError:  # half a character, as Windows allows it
        return text.encode("utf-8", "surrogatepass").decode("latin-1")


def _texts(pattern: str) -> Iterable[str]:
    texts = {pattern: None}
    if pattern.endswith(" "):
        texts[_trimmed(pattern)] = None
    if not pattern.isascii():
        texts |= {unicodedata.normalize("NFC", text): None for text in tuple(texts)}
    return texts


def _crossed(texts: Iterable[str]) -> tuple[Glob, ...]:
    found: dict[Glob, None] = {}
    for text in texts:
        glob = _read(text)
        if glob is not None:
            found |= dict.fromkeys(_crossing(glob) if "**" in text and not glob.floating else (glob,))
    return tuple(filter(_possible, found))


def _trimmed(pattern: str) -> str:
    kept = pattern.rstrip(" ")
    escapes = len(kept) - len(kept.rstrip("\\"))
    return pattern[: len(kept) + escapes % 2]


def _crossing(glob: Glob) -> list[Glob]:
    """`a**/b` as git may take it: `a*/**/b` and `ab`."""
    found: list[Glob] = []
    waiting = [(glob, 0)]
    while waiting:
        one, depth = waiting.pop()
        at = next((i for i, segment in enumerate(one.segments) if Wild.GLUED in segment), None)
        if at is None:
            found.append(one)
            continue
        before, after = one.segments[:at], one.segments[at + 1 :]
        segment = one.segments[at]
        cut = segment.index(Wild.GLUED)
        starred = (*segment[:cut], Wild.STAR)
        if depth == _EXPANDED:
            found.append(Glob((*before, starred), floating=False, directories=False))
            continue
        through = (DOUBLE,) if after else ()
        waiting.append((one._replace(segments=(*before, starred, *through, *after)), depth + 1))
        if after:
            joined: list[Atom] = list(segment[:cut])
            for atom in after[0] or (Wild.GLUED,):
                _add(joined, atom)
            waiting.append((one._replace(segments=(*before, tuple(joined), *after[1:])), depth + 1))
    return found
