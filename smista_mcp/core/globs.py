"""Path patterns: gitignore's dialect, relative to the workspace root, as regular expressions that cannot run away.

`*` and `?` stop at `/`, `**` crosses it, a pattern without `/` matches at any depth, and what matches a directory
matches all below it. A directory is written with a `/` at its end. Between two wildcards the leftmost match of a piece
of fixed length is as good as any later one: each piece stands in an atomic group, and matching is linear in the path.
"""

import re
import unicodedata
from collections.abc import Iterable

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "blank": " \t",
    "cntrl": "\x00-\x1f\x7f",
    "digit": "0-9",
    "graph": "\x21-\x7e",
    "lower": "a-z",
    "print": "\x20-\x7e",
    "punct": "!-/:-@\\[-`{-~",
    "space": " \t-\r",
    "upper": "A-Z",
    "xdigit": "0-9A-Fa-f",
}
_NEVER = r"(?!)"
_STAR, _DOUBLE, _SLASH = "*", "**", "/"


def refusal(pattern: str) -> str | None:
    """Why a pattern is not accepted, with what to write instead; None where it is."""
    if not pattern:
        return "is empty; write a path or a pattern such as `src/**`"
    if "\0" in pattern:
        return "holds a NUL character"
    if pattern.startswith("!"):
        return (
            f"`{pattern}` negates, and patterns here only add; leave it out, or write `\\{pattern}` for a name with `!`"
        )
    return _place_refusal(pattern) or _brace_refusal(pattern)


def _place_refusal(pattern: str) -> str | None:
    if pattern.startswith(("/", "\\/")):
        inside = pattern.lstrip("\\/")
        return f"`{pattern}` is absolute; patterns are relative to the workspace: write `{inside}`"
    if re.match(r"[A-Za-z]:[\\/]", pattern) or pattern.startswith("~"):
        return f"`{pattern}` is outside the workspace; patterns are relative to it, for example `src/**`"
    if ".." in pattern.split("/"):
        return f"`{pattern}` climbs out with `..`; patterns are relative to the workspace, for example `src/**`"
    return None


def _brace_refusal(pattern: str) -> str | None:
    found = re.search(r"(?<!\\)\{([^{}]*)\}", pattern)
    if not found:
        return None
    before, after = pattern[: found.start()], pattern[found.end() :]
    each = ", ".join(f"`{before}{option}{after}`" for option in found[1].split(",")[:8])
    return f"`{pattern}` has braces, which git's patterns do not know; write one pattern each: {each}"


def _bracket(pattern: str, start: int) -> tuple[str | None, int]:
    """Reads `[...]` from `start`; returns its class as a regular expression and the index after it."""
    i = start + 1
    negated = pattern[i : i + 1] in ("!", "^")
    i += negated
    body: list[str] = []
    first = True
    while True:
        char = pattern[i : i + 1]
        if not char:
            return None, i
        if char == "]" and not first:
            break
        first = False
        if pattern.startswith("[:", i) and (end := pattern.find(":]", i + 2)) > 0:
            if pattern[i + 2 : end] not in _POSIX:
                return None, i
            body.append(_POSIX[pattern[i + 2 : end]])
            i = end + 2
            continue
        low, i = _member(pattern, i)
        if pattern[i : i + 1] == "-" and pattern[i + 1 : i + 2] not in ("", "]"):
            high, i = _member(pattern, i + 1)
            body.append(re.escape(low))  # git has tried it before it sees the range, even one that runs backwards
            if low and high and low <= high:
                body.append(f"{re.escape(low)}-{re.escape(high)}")
        elif low:
            body.append(re.escape(low))
    inner = "".join(body)
    if negated:
        return f"[^/{inner}]", i + 1
    return (f"(?!/)[{inner}]" if inner else _NEVER), i + 1


def _member(pattern: str, i: int) -> tuple[str, int]:
    if pattern[i] == "\\":
        i += 1
    return pattern[i : i + 1], i + 1


def _tokens(pattern: str) -> list[str] | None:
    """Splits into `/`, `*`, `**` and regular expressions of one character; None where it can match nothing."""
    out: list[str] = []
    i = 0
    while i < len(pattern):
        char = pattern[i]
        if char == "*":
            start = i
            while pattern[i : i + 1] == "*":
                i += 1
            crosses = (
                i - start > 1
                and (not out or out[-1] == _SLASH)
                and (i == len(pattern) or pattern[i] == "/" or pattern[i : i + 2] == "\\/")
            )
            out.append(_DOUBLE if crosses else _STAR)
            continue
        if char == "[":
            one, i = _bracket(pattern, i)
            if one is None:
                return None
            out.append(one)
            continue
        if char == "\\":
            i += 1
            if i == len(pattern):
                return None
            char = pattern[i]
            out.append(_SLASH if char == "/" else re.escape(char))
        else:
            out.append(_SLASH if char == "/" else "[^/]" if char == "?" else re.escape(char))
        i += 1
    return out


def _segment(tokens: list[str]) -> str:
    """One path segment, matched whole, each piece after a star at its leftmost place."""
    pieces: list[list[str]] = [[]]
    for token in tokens:
        if token == _STAR:
            pieces.append([])
        else:
            pieces[-1].append(token)
    text = "".join(pieces[0])
    for piece in pieces[1:-1]:
        if piece:
            text += f"(?>[^/]*?{''.join(piece)})"
    if len(pieces) > 1:
        text += "[^/]*" + "".join(pieces[-1])
    return f"(?>{text}(?=/|\\Z))"


def translate(pattern: str) -> str:
    """The regular expression of a pattern, for `fullmatch` with DOTALL on a relative path."""
    only_directories = pattern.endswith("/") and not pattern.endswith("\\/")
    body = pattern[:-1] if only_directories else pattern
    tokens = _tokens(body)
    if not tokens:
        return _NEVER
    segments: list[list[str]] = [[]]
    for token in tokens:
        if token == _SLASH:
            segments.append([])
        else:
            segments[-1].append(token)
    tail = "(?=/)" if only_directories else ""
    if len(segments) == 1 and "/" not in body:
        inner = [_STAR if token == _DOUBLE else token for token in segments[0]]
        return _crossing([_segment(inner)], tail)
    return _joined(segments, only_directories=only_directories)


def _crossing(piece: list[str], tail: str) -> str:
    return f"(?>(?:[^/]*/)*?{'/'.join(piece)}{tail})(?:/.*)?"


def _joined(segments: list[list[str]], *, only_directories: bool) -> str:
    """An anchored pattern: groups of segments between `**`, the first at the root, the others leftmost."""
    tail = "(?=/)" if only_directories else ""
    groups: list[list[str]] = [[]]
    for segment in segments:
        if segment == [_DOUBLE]:
            groups.append([])
        else:
            groups[-1].append(_segment(segment) if segment else _NEVER)
    text = "/".join(groups[0]) + ("/" if groups[0] and len(groups) > 1 else "")
    for group in groups[1:-1]:
        if group:
            text += f"(?>(?:[^/]*/)*?{'/'.join(group)}/)"
    if len(groups) == 1:
        return f"{text}{tail}(?:/.*)?"
    if groups[-1]:
        return text + _crossing(groups[-1], tail)
    return text + ("[^/]*/.*" if only_directories else ".*")


def compile_glob(pattern: str, *, ignore_case: bool = False) -> re.Pattern[str]:
    """Compiles one accepted pattern."""
    return re.compile(translate(pattern), re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG))


def translate_for_denial(pattern: str) -> str:
    """As `translate`, for a pattern that forbids: it holds as written and in its NFC form.

    One name may be written in several ways that look and mean the same; paths are judged in their NFC form too.
    """
    composed = unicodedata.normalize("NFC", pattern)
    return translate(pattern) if composed == pattern else f"(?:{translate(pattern)}|{translate(composed)})"


def literal_segment(pattern: str) -> str | None:
    """A whole path segment that every match of the pattern holds, the most telling one; None where there is none."""
    segments = [s for s in pattern.split("/") if s and not set(s) & set("*?[\\")]
    return max(segments, key=lambda s: (sum(c.isdigit() for c in s), len(s)), default=None)


_SMALL = 8
"""Up to here one alternation of all patterns is faster than the index."""


def _keys(pattern: str) -> tuple[str, bool] | None:
    """What every match must hold: a whole segment (`.env`, False) or the extension of one (`pem`, True)."""
    literal = literal_segment(pattern)
    if literal is not None:
        return literal, False
    for segment in pattern.split("/"):
        _, dot, extension = segment.rpartition(".")
        if dot and extension and not set(extension) & set("*?[]\\"):
            return extension, True
    return None


class GlobSet:
    """A list of patterns, asked for the first that matches a path. Compiled at first need.

    Many patterns are found through the segments or extensions that a match must hold, so that the cost of a path does
    not grow with the list. Names outside ASCII, whose case folding is not one to one, are always tried against all.
    Without case, the patterns forbid and hold in their NFC form too.
    """

    __slots__ = ("_any", "_compiled", "_flags", "_fold", "_index", "_rest", "patterns")

    def __init__(self, patterns: Iterable[str], *, ignore_case: bool = False) -> None:
        self.patterns = tuple(dict.fromkeys(patterns))
        self._fold = ignore_case
        self._flags = re.DOTALL | (re.IGNORECASE if ignore_case else re.NOFLAG)
        self._compiled: dict[int, re.Pattern[str]] = {}
        self._any: re.Pattern[str] | None = None
        self._index: dict[tuple[str, bool], list[int]] | None = None
        self._rest: re.Pattern[str] | None = None
        if len(self.patterns) > _SMALL:
            self._build()

    def _build(self) -> None:
        index: dict[tuple[str, bool], list[int]] = {}
        rest: list[str] = []
        for i, pattern in enumerate(self.patterns):
            key = _keys(pattern)
            if key is None or not key[0].isascii():
                rest.append(pattern)
            else:
                index.setdefault((key[0].lower() if self._fold else key[0], key[1]), []).append(i)
        self._index = index
        self._rest = self._alternation(rest) if rest else None

    def _alternation(self, patterns: Iterable[str]) -> re.Pattern[str]:
        to_regex = translate_for_denial if self._fold else translate
        return re.compile("|".join(f"(?:{to_regex(p)})" for p in patterns), self._flags)

    def _hits(self, i: int, path: str) -> bool:
        regex = self._compiled.get(i)
        if regex is None:
            regex = self._compiled[i] = self._alternation(self.patterns[i : i + 1])
        return regex.fullmatch(path) is not None

    def hits(self, path: str) -> bool:
        """Whether any pattern matches."""
        index = self._index
        if index is None or not path.isascii():
            if not self.patterns:
                return False
            if self._any is None:
                self._any = self._alternation(self.patterns)
            return self._any.fullmatch(path) is not None
        for segment in (path.lower() if self._fold else path).split("/"):
            for i in index.get((segment, False), ()):
                if self._hits(i, path):
                    return True
            _, dot, extension = segment.rpartition(".")
            if dot:
                for i in index.get((extension, True), ()):
                    if self._hits(i, path):
                        return True
        return self._rest is not None and self._rest.fullmatch(path) is not None

    def first(self, path: str) -> str | None:
        """The first pattern in the list that matches, as written."""
        if not self.hits(path):
            return None
        return next(p for i, p in enumerate(self.patterns) if self._hits(i, path))


def name_matches(pattern: str, name: str) -> bool:
    """Whether a pattern on model names (`*` matches anything, case does not count) matches a name."""
    pieces = [re.escape(piece) for piece in pattern.casefold().split("*")]
    if len(pieces) == 1:
        return name.casefold() == pattern.casefold()
    head, *middle, tail = pieces
    regex = head + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + tail
    return re.fullmatch(regex, name.casefold(), re.DOTALL) is not None
