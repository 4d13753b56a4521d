"""The file of aider, YAML: single values at its top level, set and taken back as lines.

A line of ours ends with a mark. Where it took the place of another, that one stays above it as a comment, and comes
back when ours is taken away. Only a plain mapping is changed; every other form of YAML is refused.
"""

import re
from collections.abc import Iterator, Mapping
from typing import NamedTuple

from smista_mcp.hostfiles.unfit import Unfit

MARK = "# smista-mcp"
_REPLACED = f"{MARK} replaced: "
_KEY = re.compile(r"(?P<quote>[\"']?)(?P<key>[A-Za-z0-9_.-]+)(?P=quote)[ \t]*:(?=[ \t\r\n]|\Z)")
_SAFE = re.compile(r"[A-Za-z][A-Za-z0-9_./:@+-]*[A-Za-z0-9]")
_OPEN = re.compile(r"[|>&*!\[{]|\"(?:[^\"\\]|\\.)*\Z|'[^']*\Z")
"""How a value begins that may go on below its line, or is not a text."""


_LEAD = re.compile(r"[ \t]*(?:[-?](?:[ \t]+|(?=\r?\n|\Z)))*")
"""What stands before a key or a value: indentation, and the marks of lists."""
_NESTED_KEY = re.compile(
    r"(?:\"(?>(?:[^\"\\]|\\.)*)\"|'(?>(?:[^']|'')*)'|[^\s\"'\[{#](?:[^#]|(?<=\S)\#)*?)[ \t]*:(?=[ \t\r\n]|\Z)[ \t]*"
)
_DRESS = re.compile(r"(?:[&!][^\s,\[\]{}]*[ \t]+)+")
"""An anchor or a tag before a value."""
_BLOCK = re.compile(r"[|>][-+0-9]{0,2}[ \t]*(?:#[^\n]*)?\r?\n?\Z")
_IN_FLOW = re.compile(
    r"(?P<text>\"(?>(?:[^\"\\]|\\.)*)\"|'(?>(?:[^']|'')*)')|(?P<comment>(?<![^\s])\#[^\n]*)|(?P<mark>[\[\]{}\"'])"
)


class _Line(NamedTuple):
    """A line, with its end; `key` that of the top level which begins there."""

    text: str
    key: str | None


def put(text: str, values: Mapping[str, str]) -> str:
    """The text with these values at its top level.

    Raises:
        Unfit: the text is no plain mapping, or a value that is to be replaced is not on one line.
    """
    lines = list(_lines(text))
    end = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    for key, value in values.items():
        written = f"{key}: {_scalar(value)} {MARK}{end}"
        at = _place(lines, key)
        if at is None:
            if lines and not lines[-1].text.endswith("\n"):
                lines[-1] = lines[-1]._replace(text=lines[-1].text + end)
            lines.append(_Line(written, key))
        elif lines[at].text.rstrip().endswith(MARK):
            lines[at] = _Line(written, key)
        elif lines[at].text.split("#")[0].rstrip() != written.split("#", maxsplit=1)[0].rstrip():
            old = f"{_REPLACED}{lines[at].text.rstrip(chr(13) + chr(10))}{end}"
            lines[at : at + 1] = [_Line(old, None), _Line(written, key)]
    return "".join(line.text for line in lines)


def removed(text: str) -> str:
    """The text without lines of ours, and with those whose place they took.

    Raises:
        Unfit: the text is no plain mapping.
    """
    kept: list[str] = []
    for line in _lines(text):
        if line.key is not None and line.text.rstrip().endswith(MARK):
            if kept and kept[-1].startswith(_REPLACED):
                kept[-1] = kept[-1].removeprefix(_REPLACED)
        else:
            kept.append(line.text)
    return "".join(kept)


def is_ours_alone(text: str) -> bool:
    """Whether a text has lines of ours, and nothing else."""
    try:
        return bool(text) and not removed(text)
    except Unfit:
        return False


def _lines(text: str) -> Iterator[_Line]:
    begun = False
    block: int | None = None
    for number, line in enumerate(text.splitlines(keepends=True), 1):
        plain = line.rstrip()
        if block is not None and (not plain or _depth(line) > block):  # text: nothing in it begins anything
            yield _Line(line, None)
            continue
        block = _block(line, number)
        if not plain or plain.startswith("#") or (plain == "---" and not begun) or (begun and line[0] in " \t"):
            yield _Line(line, None)
            continue
        if begun and re.match(r"-(?:[ \t]|\Z)", plain):  # a member of the list above
            yield _Line(line, None)
            continue
        found = _KEY.match(line)
        if found is None:
            raise Unfit("is no plain list of `key: value`", number)
        begun = True
        yield _Line(line, found["key"])


def _depth(line: str) -> int:
    return len(line) - len(line.lstrip(" "))


def _block(line: str, number: int) -> int | None:
    """The depth of the key whose value is the text below a line; None where the line begins no such text.

    Raises:
        Unfit: a value goes on below the line in a way that hides what is a key there.
    """
    lead = _LEAD.match(line)
    start = lead.end() if lead else 0
    if line[start:].startswith("#"):
        return None
    key = _NESTED_KEY.match(line, start)
    at = key.end() if key else start
    dressed = _DRESS.match(line, at)
    value = line[dressed.end() if dressed else at :]
    if _BLOCK.match(value):
        return start if key else max(line.rfind("-", 0, start), _depth(line))
    if value.startswith(("[", "{", '"', "'")) and _is_open(value):
        raise Unfit("holds a value in quotes or brackets that goes on below its line", number)
    return None


def _is_open(value: str) -> bool:
    """Whether a value in quotes or brackets does not end where it begins."""
    depth = 0
    for found in _IN_FLOW.finditer(value):
        mark = found["mark"]
        if mark in ("[", "{"):
            depth += 1
        elif mark in ("]", "}"):
            depth -= 1
        elif mark and (depth or found.start() == 0):  # a quote without its end
            return True
        if depth <= 0 and not found["comment"]:
            return False
    return True


def _place(lines: list[_Line], key: str) -> int | None:
    """The line of a key; None where it is not there."""
    found = [at for at, line in enumerate(lines) if line.key == key]
    if not found:
        return None
    at = found[0]
    if len(found) > 1:
        raise Unfit(f"holds `{key}` twice", found[1] + 1)
    value = lines[at].text.partition(":")[2].strip()
    below = next((line.text for line in lines[at + 1 :] if line.text.strip() and line.text.lstrip()[0] != "#"), "")
    if _OPEN.match(value) or below[:1] in (" ", "\t") or (below.startswith("-") and not below.startswith("---")):
        raise Unfit(f"holds a `{key}` that is not a text on one line", at + 1)
    return at


def _scalar(value: str) -> str:
    return value if _SAFE.fullmatch(value) else "'" + value.replace("'", "''") + "'"
