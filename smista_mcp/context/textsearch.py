"""Finds a literal text in lines. No pattern is ever run: a model's pattern could run for ever."""

from collections.abc import Iterator
from typing import NamedTuple


class Hit(NamedTuple):
    """A line that holds the text.

    Attributes:
        number: from 1.
        line: without its end, cut around the text where it is long.
    """

    number: int
    line: str


def hits_in(text: str, wanted: str, *, ignore_case: bool, most: int) -> Iterator[Hit]:
    """The lines of a text that hold another, in order. Linear in the length of the text.

    Args:
        text: of a file.
        wanted: not empty, on one line.
        ignore_case: whether letters count in any case.
        most: characters of a line that are given.
    """
    needle = wanted.casefold() if ignore_case else wanted
    if needle not in (text.casefold() if ignore_case else text):
        return
    for number, line in enumerate(text.split("\n"), 1):
        at = (line.casefold() if ignore_case else line).find(needle)
        if at >= 0:
            yield Hit(number, _cut(line.removesuffix("\r"), at, most))


def _cut(line: str, at: int, most: int) -> str:
    if len(line) <= most:
        return line
    first = max(0, min(at - most // 4, len(line) - most))
    ends = "…" if first else "", "…" if first + most < len(line) else ""
    return f"{ends[0]}{line[first : first + most]}{ends[1]}"
