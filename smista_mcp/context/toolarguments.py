"""What a model calls a tool with: checked, or answered with a short text that says what to write instead."""

from collections.abc import Mapping
from typing import NamedTuple

from smista_mcp.core.globs import refusal
from smista_mcp.core.readtools import NEEDED, TOOL_TEXTS
from smista_mcp.core.redaction import shown

_MOST_CHARACTERS = 4_096
_MOST_LINES = 10**9


class BadArguments(Exception):
    """A call that cannot be carried out. The text goes to the model."""


class Arguments(NamedTuple):
    """The arguments of any of the tools; those that it does not take have their defaults.

    Attributes:
        path: as the model writes it; empty for the whole workspace.
        text: what to look for.
        pattern: a glob on paths from the root; None for all.
        first: a line, from 1; likewise `last`.
    """

    path: str = ""
    text: str = ""
    pattern: str | None = None
    ignore_case: bool = False
    first: int | None = None
    last: int | None = None


def checked(tool: str, given: Mapping[str, object] | None) -> Arguments:
    """The arguments of a call.

    Args:
        tool: one of `TOOL_TEXTS`.
        given: what the model wrote; None where that was no JSON object.

    Raises:
        BadArguments: they cannot be used.
    """
    takes = TOOL_TEXTS[tool][1]
    if given is None:
        raise BadArguments(f"the arguments are no JSON object; {tool} takes {_names(takes)}")
    given = {name: value for name, value in given.items() if value is not None}
    for name in given:
        if name not in takes:
            raise BadArguments(f"there is no argument `{shown(name)}`; {tool} takes {_names(takes)}")
    for name in NEEDED.get(tool, ()):
        if not given.get(name):
            raise BadArguments(f"`{name}` is missing; write {{{_example(name)}}}")
    first, last = _line(given, "first_line"), _line(given, "last_line")
    if first is not None and last is not None and last < first:
        raise BadArguments("`last_line` stands before `first_line`")
    return Arguments(
        path=_text(given, "path"),
        text=_one_line(_text(given, "text")),
        pattern=_glob(_text(given, "pattern")),
        ignore_case=_flag(given, "ignore_case"),
        first=first,
        last=last,
    )


def _names(takes: Mapping[str, object]) -> str:
    return ", ".join(f"`{name}`" for name in takes)


def _example(name: str) -> str:
    return '"path": "src/app.py"' if name == "path" else '"text": "def main"'


def _text(given: Mapping[str, object], name: str) -> str:
    value = given.get(name, "")
    if not isinstance(value, str):
        raise BadArguments(f"`{name}` is a text")
    if len(value) > _MOST_CHARACTERS or "\0" in value:
        raise BadArguments(f"`{name}` is no usable text; write at most {_MOST_CHARACTERS} characters without NUL")
    return value


def _one_line(text: str) -> str:
    if "\n" in text or "\r" in text:
        raise BadArguments("`text` is looked for on one line; leave line breaks out")
    return text


def _glob(pattern: str) -> str | None:
    why = refusal(pattern) if pattern else None
    if why:
        raise BadArguments(f"`pattern` {why}")
    return pattern or None


def _line(given: Mapping[str, object], name: str) -> int | None:
    value = given.get(name)
    if isinstance(value, str) and value.isascii() and value.isdecimal() and len(value) < 10:
        value = int(value)  # small models write figures as text
    if value is None:
        return None
    if isinstance(value, bool) or not isinstance(value, int) or not 1 <= value <= _MOST_LINES:
        raise BadArguments(f"`{name}` is a line number from 1")
    return value


def _flag(given: Mapping[str, object], name: str) -> bool:
    value = given.get(name, False)
    value = {"true": True, "false": False}.get(value, value) if isinstance(value, str) else value
    if not isinstance(value, bool):
        raise BadArguments(f"`{name}` is true or false")
    return value
