"""Figures for a terminal: columns that line up, and bars of plain blocks that need no colour."""

import re
import shutil
import sys
import textwrap
from collections.abc import Iterable, Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from smista_mcp.cli.printing import is_terminal, one_line

NARROWEST, WIDEST = 40, 120
_BLOCKS = "▏▎▍▌▋▊▉█"
_LEAST_BAR, _LONGEST_BAR = 8, 60
_UNITS = "kMG"
_LONGEST_LABEL = 34
_WHOLE = re.compile(r"-?[0-9]+")
_LABEL = re.compile(r" *(?:[a-z][a-z ]{0,15}: +|\S[^:]{0,12}?  +)")
"""What stands before the text of a line, so that the text goes on below itself."""


class Bar(NamedTuple):
    """One line of a chart: what it is of, how long, and the figure as it is shown."""

    label: str
    value: Decimal
    figure: str


def width() -> int:
    """Columns that lines may have: those of the terminal, within reason; 100 where nobody looks."""
    if not is_terminal(sys.stdout):
        return 100
    return max(NARROWEST, min(shutil.get_terminal_size((80, 24)).columns, WIDEST))


def folded_at() -> int | None:
    """Columns at which long lines of text are broken: those of a terminal; None where nobody looks."""
    return width() if is_looked_at() else None


def folded(lines: Iterable[str], columns: int | None) -> Iterator[str]:
    """Lines broken between words so that they fit, with what follows further in; for None as they are.

    A line that is folded already, or holds what cannot be broken, stays as it is.
    """
    for line in lines:
        for one in line.split("\n"):
            if columns is None or len(one) <= columns:
                yield one
                continue
            label = _LABEL.match(one)
            lead = len(one) - len(one.lstrip()) + 4 if label is None else label.end()
            yield from textwrap.wrap(
                one,
                columns,
                subsequent_indent=" " * min(lead, columns // 2),
                break_long_words=False,
                break_on_hyphens=False,
            )


def is_looked_at() -> bool:
    """Whether a person sees what is printed, so that a chart says more than it costs."""
    return is_terminal(sys.stdout)


def has_blocks() -> bool:
    """Whether standard output takes the characters of which fine bars are made."""
    return (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "") == "utf8"


def bars(rows: Sequence[Bar], columns: int, *, blocks: bool = True) -> Iterator[str]:
    """A chart, one line for each row: label, figure, bar. The longest bar takes what is left of the columns.

    Whatever is more than nothing has a bar; nothing has none. Without `blocks` bars are made of `#` alone.
    """
    labels = [shortened(row.label, _LONGEST_LABEL) for row in rows]
    figures = list(points([row.figure for row in rows]))
    wide, long = max(map(len, labels), default=0), max(map(len, figures), default=0)
    room = max(_LEAST_BAR, min(columns - wide - long - 4, _LONGEST_BAR))
    most = max((row.value for row in rows), default=Decimal(0))
    for label, figure, row in zip(labels, figures, rows, strict=True):
        drawn = bar(row.value / most if most > 0 else Decimal(0), room, blocks=blocks)
        yield f"{label:<{wide}}  {figure:>{long}}  {drawn}".rstrip()


def bar(share: Decimal, room: int, *, blocks: bool) -> str:
    """A bar for a share from 0 to 1 of a room in columns."""
    if share <= 0:
        return ""
    if not blocks:
        return "#" * max(1, int(share * room + Decimal("0.5")))
    eighths = max(1, int(share * room * 8 + Decimal("0.5")))
    whole, rest = divmod(eighths, 8)
    return _BLOCKS[-1] * whole + (_BLOCKS[rest - 1] if rest else "")


def points(figures: Sequence[str]) -> Iterator[str]:
    """Decimal figures with spaces behind them, so that their points stand below each other when they end alike."""
    wholes = [_WHOLE.match(figure) for figure in figures]
    behind = [0 if whole is None else len(figure) - whole.end() for figure, whole in zip(figures, wholes, strict=True)]
    most = max(behind, default=0)
    for figure, whole, after in zip(figures, wholes, behind, strict=True):
        yield figure if whole is None else figure + " " * (most - after)


def shortened(text: str, most: int) -> str:
    """A name on one line, cut in its middle where it is too long: both of its ends tell names apart."""
    line = one_line(text)
    if len(line) <= most:
        return line
    head = (most - 3) // 2
    return f"{line[:head]}...{line[len(line) - (most - 3 - head) :]}"


def compact(number: int) -> str:
    """A count in three digits or so: 987, 1.2k, 45k, 1.3M."""
    if number < 1000:
        return str(number)
    size = Decimal(number) / 1000
    power = 0
    while size >= Decimal("999.5") and power < len(_UNITS) - 1:
        size, power = size / 1000, power + 1
    return f"{size:.1f}{_UNITS[power]}" if size < Decimal("9.95") else f"{size:.0f}{_UNITS[power]}"


def percent(part: Decimal | int, whole: Decimal | int) -> str:
    """A share in words; `-` of nothing. Neither nothing nor all is said of what is not quite that."""
    if not whole:
        return "-"
    share = Decimal(part) * 100 / Decimal(whole)
    if 0 < share < 1:
        return "under 1 %"
    if 99 < share < 100:
        return "over 99 %"
    return f"{share:.0f} %"


def columned(rows: Sequence[Sequence[str]], *, left: int = 1, right: Sequence[int] | None = None) -> Iterator[str]:
    """Rows in columns: the first `left` begin below each other, the others end so; or those in `right` alone do."""
    count = max((len(row) for row in rows), default=0)
    ends = range(left, count) if right is None else right
    wide = [max((len(row[n]) for row in rows if n < len(row)), default=0) for n in range(count)]
    for row in rows:
        cells = [f"{cell:>{wide[n]}}" if n in ends else f"{cell:<{wide[n]}}" for n, cell in enumerate(row)]
        yield "  ".join(cells).rstrip()


def wrapped(text: str, columns: int, *, first: str = "", further: str = "") -> list[str]:
    """A paragraph in lines of so many columns; words stay whole."""
    return textwrap.wrap(
        one_line(text),
        max(columns, NARROWEST),
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
