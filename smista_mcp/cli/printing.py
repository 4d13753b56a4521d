"""Text for people and JSON for programs, on streams that may be full, closed or gone."""

import os
import re
import sys
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import suppress
from io import TextIOWrapper
from typing import TYPE_CHECKING, BinaryIO, TextIO, TypeVar, cast

if TYPE_CHECKING:
    from smista_mcp.core.values import Value

V = TypeVar("V", bound="Value")

_UNSEEN = (
    r"\x7f-\x9f\u00ad\u034f\u061c\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202e\u2060-\u206f\u2800\u3164"
    r"\ufeff\uffa0\ufff0-\ufffb\U000e0000-\U000e0fff"
)
"""Characters that nobody sees, or that make text read otherwise than it is; some of them count as printable."""
_STEERING = rf"\r(?!\n)|[\x00-\x08\x0b\x0c\x0e-\x1f{_UNSEEN}]"
"""These, and what a terminal would obey."""


def prepare_output() -> None:
    """Lets standard output take every character: what its encoding lacks is shown escaped."""
    stdout: object = sys.stdout
    if isinstance(stdout, TextIOWrapper):
        cast("TextIOWrapper[BinaryIO]", stdout).reconfigure(errors="backslashreplace")


def one_line(text: str) -> str:
    """A name or a sentence on one line: what cannot be printed is shown escaped."""
    if not text.isprintable():
        text = "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)
    return text if text.isascii() else content(text)


def shown_path(file: str) -> str:
    """A path for people: what lies in their home folder begins with `~`."""
    home = os.path.expanduser("~")  # noqa: PTH111  that of `Path` raises where there is none
    inner = file.removeprefix(f"{home.rstrip(os.sep)}{os.sep}")
    return file if inner == file or not os.path.isabs(home) else f"~{os.sep}{inner}"  # noqa: PTH117  a text as it is


def content(text: str) -> str:
    """A text of several lines with everything escaped that would steer the terminal."""
    return re.sub(_STEERING, lambda found: ascii(found[0])[1:-1], text)


def printable(value: V) -> V:
    """The value with every text in it on one line."""
    plain = value.model_dump_json(by_alias=True)
    # JSON spells what moves a cursor with a backslash
    if plain.isascii() and "\\" not in plain and "\x7f" not in plain:
        return value
    return value.model_validate(_mapped(value.model_dump(mode="json", by_alias=True), one_line))


def _mapped(value: object, change: Callable[[str], str]) -> object:
    if isinstance(value, str):
        return change(value)
    if isinstance(value, dict):
        items = cast("Mapping[str, object]", value).items()
        return {change(key): _mapped(inner, change) for key, inner in items}
    if isinstance(value, list):
        return [_mapped(inner, change) for inner in cast("list[object]", value)]
    return value


def put(*lines: str) -> None:
    """Prints lines that are fit to be shown."""
    for line in lines:
        print(line)


def note(text: str) -> None:
    """One line on standard error, in whatever state that is."""
    _put_beside(f"{one_line(text)}\n", sys.stderr)


def _put_beside(text: str, stream: TextIO | None) -> None:
    if stream is None:  # closed before the start; print would take standard output instead
        return
    try:
        print(text, end="", file=stream, flush=True)
    except OSError:
        abandon(stream)


def put_notices(notices: Iterable[str]) -> None:
    """Says on standard error what a person should know of the policy in force."""
    for notice in notices:
        note(f"note: {notice}")


def put_answer(answer: "Value") -> None:
    """Prints an answer as one JSON document."""
    put_json(answer.model_dump(mode="json", by_alias=True))


def put_json(document: object, *, indent: int | None = 2) -> None:
    """Prints plain values as JSON, in characters that standard output has."""
    import json  # noqa: PLC0415  only where it is asked for

    encoding = (getattr(sys.stdout, "encoding", None) or "").lower().replace("-", "")
    text = json.dumps(document, indent=indent, ensure_ascii=encoding != "utf8")
    print(re.sub(f"[{_UNSEEN}]", _json_escape, text))


def _json_escape(found: re.Match[str]) -> str:
    """A character in the only way that JSON has for all: the units of UTF-16."""
    units = found[0].encode("utf-16-be").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def put_table(rows: Sequence[Sequence[str]], *, indent: str = "") -> None:
    """Prints rows in columns as wide as what they hold; the last one is left as it is."""
    clean = [[one_line(cell) for cell in row] for row in rows]
    columns = max((len(row) for row in clean), default=0)
    widths = [max((len(row[n]) for row in clean if n < len(row) - 1), default=0) for n in range(columns)]
    for row in clean:
        cells = [f"{cell:<{width}}" for cell, width in zip(row[:-1], widths, strict=False)]
        print((indent + "  ".join([*cells, *row[-1:]])).rstrip())


def is_terminal(stream: TextIO | None) -> bool:
    """Whether a person sits at the other end."""
    try:
        return stream is not None and stream.isatty()
    except (OSError, ValueError):
        return False


def _columns(stream: TextIO) -> int:
    """Of a terminal; what it does not know of itself counts as the customary 80."""
    try:
        return os.get_terminal_size(stream.fileno()).columns or 80
    except (OSError, ValueError):
        return 80


def confirmed(question: str) -> bool:
    """Asks a person on standard error; anything but a yes is a no."""
    return _answer(question).lower() in ("y", "yes")


def typed(question: str, word: str) -> bool:
    """Asks a person on standard error for a word; anything else is a no."""
    return _answer(question) == word


def typed_word(question: str) -> str:
    """Asks a person on standard error for a word, and returns what was typed."""
    return _answer(question)


def _answer(question: str) -> str:
    _put_beside(f"{question} ", sys.stderr)
    try:
        return sys.stdin.readline().strip()
    except (OSError, UnicodeError):
        return ""


def flush_output() -> None:
    """Makes sure that everything printed has arrived.

    Raises:
        OSError: it has not.
    """
    # None where the caller closed it before the start
    if sys.stdout:
        sys.stdout.flush()


def abandon(stream: TextIO | None) -> None:
    """Sends what is still to be written to a broken stream nowhere, so that the end of the process does not fail."""
    if stream is None:
        return
    with suppress(OSError, ValueError):
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, stream.fileno())
        os.close(nowhere)


class ProgressLine:
    """How far something is, on standard error: one line written over on a terminal, else a line now and then."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self._stream = stream or sys.stderr
        self._over = is_terminal(self._stream)
        self._most = _columns(self._stream) - 1 if self._over else 200
        self._width = 0

    def show(self, text: str, *, due: bool) -> None:
        """Shows a state; where lines stay, only if it is `due`."""
        line = one_line(text)[: self._most]
        if self._over:
            self._write(f"\r{line:<{self._width}}")
            self._width = len(line)
        elif due:
            self._write(f"{line}\n")

    def clear(self) -> None:
        """Takes the line away, so that something else can be written there."""
        if self._width:
            self._write(f"\r{'':<{self._width}}\r")
            self._width = 0

    def _write(self, text: str) -> None:
        _put_beside(text, self._stream)
