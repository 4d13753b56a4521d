"""`doctor`: what is wrong on this machine, and what to do about it."""

import re
import shutil
import textwrap
from collections.abc import Iterator
from itertools import groupby

from smista_mcp.app.diagnosing.examination import examine
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_answer
from smista_mcp.core.diagnosis.remarks import Level, Remark
from smista_mcp.core.diagnosis.whole import Diagnosis

_WORDS = {Level.OK: "ok", Level.NOTE: "note", Level.WRONG: "WRONG"}
_WIDEST = 100
_TEXT_AT = 9
_FIX = "fix: "
_TYPED = re.compile(r"`[^`]{1,60}`")
_GLUE = "\xa0"  # no place to break a line; `one_line` leaves none in a text


def doctor(options: Options) -> int:
    """Examines this machine; exit status 1 where something is wrong."""
    found = examine(opened(options).world, redacted=options.redacted)
    if options.json:
        put_answer(found)
    else:
        put(*_lines(found))
    return DONE if found.ok else NO


def _lines(found: Diagnosis) -> Iterator[str]:
    width = min(shutil.get_terminal_size((80, 24)).columns, _WIDEST)
    for area, remarks in groupby(found.remarks, key=lambda one: one.area):
        yield area
        for remark in remarks:
            yield from _told(remark, width)
    yield ""
    yield _count(found)


def _told(remark: Remark, width: int) -> Iterator[str]:
    lead = f"  {_WORDS[remark.level]:<5}"
    yield from _wrapped(one_line(remark.text), f"{lead}  ", " " * _TEXT_AT, width)
    if remark.fix:
        yield from _wrapped(one_line(remark.fix), " " * _TEXT_AT + _FIX, " " * (_TEXT_AT + len(_FIX)), width)


def _wrapped(text: str, first: str, further: str, width: int) -> Iterator[str]:
    """The text in lines; what is to be typed, between backticks, stays on one."""
    lines = textwrap.wrap(
        _TYPED.sub(lambda typed: typed[0].replace(" ", _GLUE), text),
        max(width, 40),
        initial_indent=first,
        subsequent_indent=further,
        break_long_words=False,
        break_on_hyphens=False,
    )
    return (line.replace(_GLUE, " ") for line in lines)


def _count(found: Diagnosis) -> str:
    faults = "nothing is wrong" if not found.wrong else f"{found.wrong} wrong"
    notes = "" if not found.notes else f", {found.notes} worth a look"
    return f"{faults}{notes}"
