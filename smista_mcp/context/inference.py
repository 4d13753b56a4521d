"""Which file words mean: "the auth middleware" is `src/auth/middleware.rs` where exactly one file can be meant."""

import re
from bisect import bisect_left
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import NamedTuple

from smista_mcp.context.spelling import composed

_RUN = re.compile(r"[^\W_]+")
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])")
_BREAK = re.compile(r"[,;:!?()\[\]{}<>\"]|\.\s|\n\s*\n")
_MOST_CHARACTERS = 20_000
_MOST_PARTS = 6
_DROPPED = str.maketrans("", "", "_-. ")


class Inferred(NamedTuple):
    """A file that words mean; `words` as they were typed."""

    path: str
    words: str


class _Claim(NamedTuple):
    """Words from `first` to before `last` name this file."""

    first: int
    last: int
    path: str


class _Word(NamedTuple):
    text: str
    start: int
    end: int


def infer(text: str, files: Iterable[str]) -> tuple[Inferred, ...]:
    """Finds the files that words name without a path, in the order of the words.

    A file is named by adjacent words, without case, that are its stem, if that has two parts or more (`token store` for
    `token_store.py`), or a directory of its path and then its stem. The longest run of words counts; where it names
    several files it names none. Only the first 20,000 characters are looked at.

    Args:
        text: the words of a phase.
        files: relative paths.
    """
    text = composed(text[:_MOST_CHARACTERS])
    words = _words(text)
    texts = tuple(word.text for word in words)
    wanted = _joined_windows(texts)
    places: dict[str, list[int]] = {}
    for place, word in enumerate(texts):
        places.setdefault(word, []).append(place)
    claims: set[_Claim] = set()
    for path in files:
        cut = path.rfind("/") + 1
        dot = path.rfind(".")
        stem = path[cut:dot] if dot > cut else path[cut:]
        stem = composed(stem)
        if stem[:1] != "." and stem.casefold().translate(_DROPPED) in wanted:
            parts = _parts(stem)
            if parts and parts[0] in places:
                claims.update(_claims(path, _split(path[:cut]), parts, texts, places[parts[0]]))
    return tuple(Inferred(c.path, text[words[c.first].start : words[c.last - 1].end]) for c in _settle(claims))


class Endings:
    """Relative paths, found by their last segments."""

    def __init__(self, files: Iterable[str]) -> None:
        self._turned = sorted((_turned(path), path) for path in files)

    def of(self, name: str) -> Iterator[str]:
        """The paths that end with a name and have more before it (`auth/middleware.rs`: `src/auth/middleware.rs`)."""
        start = _turned(name)
        for place in range(bisect_left(self._turned, (start,)), len(self._turned)):
            turned, path = self._turned[place]
            if not turned.startswith(start):
                return
            if path != name:
                yield path


def complete(name: str, files: Endings) -> str | None:
    """The one file whose path ends with a name; None where there is not exactly one."""
    found = list(islice(files.of(name), 2))
    return found[0] if len(found) == 1 else None


def _turned(path: str) -> str:
    return "/".join(reversed(path.split("/"))) + "/"


def _parts(name: str) -> tuple[str, ...]:
    return tuple(part.casefold() for run in _RUN.findall(name) for part in _HUMP.split(run))


def _split(directories: str) -> list[tuple[str, ...]]:
    return [_parts(composed(segment)) for segment in directories.split("/") if segment]


def _words(text: str) -> list[_Word]:
    """The words with their places; an empty one stands where a sentence or a list ends."""
    found: list[_Word] = []
    behind = 0
    for run in _RUN.finditer(text):
        if found and _BREAK.search(text, behind, run.start()):
            found.append(_Word("", behind, behind))
        at = run.start()
        for part in _HUMP.split(run[0]):
            found.append(_Word(part.casefold(), at, at + len(part)))
            at += len(part)
        behind = run.end()
    return found


def _joined_windows(texts: Sequence[str]) -> frozenset[str]:
    return frozenset(
        "".join(texts[start : start + count]) for start in range(len(texts)) for count in range(1, _MOST_PARTS + 1)
    )


def _claims(
    path: str, directories: Sequence[tuple[str, ...]], parts: tuple[str, ...], texts: tuple[str, ...], at: Iterable[int]
) -> Iterator[_Claim]:
    heads = {tuple(p for segment in directories[i:] for p in segment) for i in range(len(directories))}
    heads.update(directories)
    count = len(parts)
    for place in at:
        if texts[place : place + count] != parts:
            continue
        lengths = [len(head) for head in heads if head and texts[max(0, place - len(head)) : place] == head]
        if lengths or count > 1:
            yield _Claim(place - max(lengths, default=0), place + count, path)


def _settle(claims: Iterable[_Claim]) -> list[_Claim]:
    """Of overlapping runs of words the longest counts; one that several files claim is nobody's."""
    by_words: dict[tuple[int, int], list[_Claim]] = {}
    for claim in claims:
        by_words.setdefault((claim.first, claim.last), []).append(claim)
    taken: set[int] = set()
    won: dict[str, _Claim] = {}
    for first, last in sorted(by_words, key=lambda run: (run[0] - run[1], run[0])):
        if taken.isdisjoint(range(first, last)):
            taken.update(range(first, last))
            rivals = by_words[first, last]
            if len(rivals) == 1:
                won.setdefault(rivals[0].path, rivals[0])
    return sorted(won.values(), key=lambda claim: claim.first)
