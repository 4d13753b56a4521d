"""The names in the headers of a unified diff: quoted or not, with the prefixes that tools put before them."""

import re
from collections.abc import Sequence
from typing import NamedTuple

NOWHERE = "/dev/null"
_ESCAPES = {"a": "\a", "b": "\b", "t": "\t", "n": "\n", "v": "\v", "f": "\f", "r": "\r", '"': '"', "\\": "\\"}
_DATED = re.compile(r" +(?:\((?=\w)|[0-9]{4}-[0-9]{2}-[0-9]{2}\b|(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)\b)")
_LONGEST_GLUED = 64
_OCTAL = re.compile(r"[0-3][0-7]{2}")
_PREFIXES = "abciwo12"
"""First letters of the prefixes that git writes: old and new, commit, index, working tree, object, stages."""


class Names(NamedTuple):
    """The names that a header gives.

    Attributes:
        best: old and new name, one where they are equal, without prefixes.
        forms: every way to read them, `best` included.
    """

    best: tuple[str, ...]
    forms: tuple[str, ...]


def unquote(text: str) -> tuple[str, str] | None:
    """Reads a name in double quotes with C escapes at the start of a text.

    Returns:
        The name (bytes that are no UTF-8 as lone surrogates) and what follows it; None where the quoting is broken.
    """
    data = bytearray()
    i = 1
    while i < len(text):
        char = text[i]
        if char == '"':
            return data.decode("utf-8", "surrogateescape"), text[i + 1 :]
        if char != "\\":
            data += char.encode("utf-8", "surrogateescape")
            i += 1
            continue
        octal = _OCTAL.match(text, i + 1)
        escape = _ESCAPES.get(text[i + 1 : i + 2])
        if octal:
            data.append(int(octal[0], 8))
            i += 4
        elif escape:
            data += escape.encode()
            i += 2
        else:
            return None
    return None


def name_of_line(rest: str) -> str | None:
    """The name in what follows `--- `, `+++ `, `rename from ` and the like; None where the quoting is broken."""
    if not rest.startswith('"'):
        return rest.partition("\t")[0]  # a date, or the tab that git writes behind a name with spaces
    unquoted = unquote(rest)
    return unquoted[0] if unquoted else None


def pair_of_header(rest: str, known: Sequence[str] = ()) -> tuple[str, str] | None:
    """The two raw names in what follows `diff --git `; None where spaces in them leave it open.

    Args:
        rest: the line without its first two words.
        known: raw names that the lines below it give.
    """
    if rest.startswith('"') or ' "' in rest:
        return _quoted_pair(rest)
    middle = len(rest) // 2
    if len(rest) % 2 and rest[middle] == " ":
        return rest[:middle], rest[middle + 1 :]
    if rest.count(" ") == 1:
        first_name, _, second_name = rest.partition(" ")
        return first_name, second_name
    for name in known:
        if rest.startswith(f"{name} "):
            return name, rest[len(name) + 1 :]
        if rest.endswith(f" {name}"):
            return rest[: -len(name) - 1], name
    return None


def _quoted_pair(rest: str) -> tuple[str, str] | None:
    """Two names of which one is quoted; a name that is not can hold no quotation mark."""
    if rest.startswith('"'):
        unquoted = unquote(rest)
        if unquoted is None or not unquoted[1].startswith(" "):
            return None
        first, behind = unquoted[0], unquoted[1][1:]
    else:
        first, _, behind = rest.partition(' "')
        behind = f'"{behind}'
    second = _whole(behind)
    return None if second is None else (first, second)


def _whole(text: str) -> str | None:
    if not text.startswith('"'):
        return text
    unquoted = unquote(text)
    return unquoted[0] if unquoted and not unquoted[1] else None


def named(names: Sequence[str]) -> Names:
    """Names that carry no prefix (`rename from`, a combined diff)."""
    found = tuple(dict.fromkeys(name for name in names if name and name != NOWHERE))
    return Names(found, found)


def paired(old: str, new: str, *, git: bool) -> Names:
    """Reads an old and a new raw name, of which one may be `/dev/null`.

    Args:
        old: as it stands in the header, unquoted.
        new: likewise.
        git: whether git wrote them: then equal names behind two different prefixes can be read in one way only.
    """
    if NOWHERE in (old, new):
        alone = old if new == NOWHERE else new
        short = alone[2:] if prefixed(alone) else alone
        return Names((short,), tuple(dict.fromkeys((short, alone)))) if short != NOWHERE else Names((), ())
    if old == new:
        return named((old,))
    if prefixed(old) and prefixed(new) and (old[2:] == new[2:] or (old[0], new[0]) in {("a", "b"), ("b", "a")}):
        best = tuple(dict.fromkeys((old[2:], new[2:])))
        return named(best) if git and old[2:] == new[2:] else Names(best, tuple(dict.fromkeys((*best, old, new))))
    end = _common_end(old, new)
    found = tuple(dict.fromkeys(name for name in (end, old, new) if name))
    return Names((end,) if end else found, (*found, *_behind_glued_prefixes(old, new, end)))


def joined(parts: Sequence[Names]) -> Names:
    """All that several lines say about one file; the first that names something gives the best reading."""
    best = next((part.best for part in parts if part.best), ())
    return Names(best, tuple(dict.fromkeys(form for part in parts for form in part.forms)))


def prefixed(name: str) -> bool:
    """Whether a name may have a prefix such as git writes before it."""
    return len(name) > 2 and name[1] == "/" and name[0] in _PREFIXES


def undated(name: str) -> str:
    """A name without a date or revision behind it, where a tab became spaces."""
    return _DATED.split(name, maxsplit=1)[0]


def _behind_glued_prefixes(old: str, new: str, end: str) -> tuple[str, ...]:
    """Readings of `x-src/a` and `y-src/a`, whose prefixes may be any letters that no `/` sets apart."""
    first, second = (name.removesuffix(end).rstrip("/").rpartition("/")[2] for name in (old, new))
    count = 0
    while count < min(len(first), len(second), _LONGEST_GLUED) and first[-1 - count] == second[-1 - count]:
        count += 1
    return tuple(f"{first[-left:]}/{end}" if end else first[-left:] for left in range(count, 0, -1))


def _common_end(old: str, new: str) -> str:
    """The last segments that both share: `old/src/x` and `new/src/x` are most likely about `src/x`."""
    first, second = old.split("/"), new.split("/")
    count = 0
    while count < min(len(first), len(second)) and first[-1 - count] == second[-1 - count]:
        count += 1
    return "/".join(first[len(first) - count :])
