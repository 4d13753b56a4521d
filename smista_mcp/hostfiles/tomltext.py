"""TOML changed in place. A new table is written behind everything else; a change inside one is left to tomlkit.

tomlkit moves tables of one array that stand apart, so it is used only where it gives back the text as it was. Each
change is read again and compared with what it should have become.
"""

import json
import re
import tomllib
from collections.abc import Collection, Iterator, Mapping, Sequence
from typing import NamedTuple, cast

from smista_mcp.hostfiles.unfit import Unfit

_SILENT = re.compile(
    r'"""(?:[^"\\]|\\.|"{1,2}(?!"))*"{3,5}'
    r"|'''(?:[^']|'{1,2}(?!'))*'{3,5}"
    r'|"[^"\\\n]*+(?:\\.[^"\\\n]*+)*"'
    r"|'[^'\n]*+'"
    r"|\#[^\n]*+",
    re.DOTALL,
)
"""Strings and comments: nothing in them is a header."""
_BARE = re.compile(r"[A-Za-z0-9_-]+")


class _Section(NamedTuple):
    """A table that has a header.

    Attributes:
        path: its name; None where it is one of an array.
        start: of the header's line.
        end: behind the line of its last key; comments and blank lines below that belong to what follows.
    """

    path: tuple[str, ...] | None
    start: int
    end: int


def read(text: str) -> dict[str, object]:
    """The value of a text.

    Raises:
        Unfit: it is not TOML.
    """
    try:
        return tomllib.loads(text)
    except (tomllib.TOMLDecodeError, RecursionError) as error:
        found = re.search(r"at line (\d+)", str(error))
        raise Unfit("is not TOML", int(found[1]) if found else None) from None


def put(text: str, path: Sequence[str], entry: Mapping[str, object]) -> str:
    """The text with a table of plain values at a path; keys that the table has besides stay.

    Raises:
        Unfit: the text is not TOML, or cannot be changed in place safely.
    """
    value = read(text)
    expected = _with(value, path, entry)
    if expected == value:
        return text
    before = _at(value, path)
    return _checked(_appended(text, path, entry) if before is None else _edited(text, path, entry), expected)


def removed(text: str, path: Sequence[str]) -> str:
    """The text without the table at a path and the tables below it; as it was where none is there.

    Raises:
        Unfit: as for `put`.
    """
    value = read(text)
    if _at(value, path) is None:
        return text
    wanted = tuple(path)
    changed = text
    for section in reversed(list(_sections(text))):
        if section.path is not None and section.path[: len(wanted)] == wanted:
            changed = _cut(changed, section)
    try:
        return _checked(changed, _without(value, path))
    except Unfit:
        return _checked(_dropped(text, path), _without(value, path))


def hidden(text: str, names: Collection[str], ours: str, stand_in: str) -> str:
    """The text with a stand-in for each value below a key of one of these names, unless `ours` leads there too."""
    headers = {section.start: section.path for section in _sections(text)}
    named = re.compile(rf"""(?:^|[\s.{{,"'])(?:{"|".join(map(re.escape, names))})["']?\s*[=.]""")
    shown: list[str] = []
    below = own = hides = False
    at = depth = 0
    for line in _masked(text).splitlines(keepends=True):
        raw = text[at : at + len(line)]
        end = raw[len(raw.rstrip("\r\n")) :]
        if at in headers:
            path = headers[at] or re.findall(r"[\w-]+", raw)
            below, own, hides = any(name in path for name in names), ours in path, False
        elif not own and line.strip() and not line.lstrip().startswith("#"):
            begins = depth == 0 and "=" in line
            hides = below or named.search(raw) is not None if begins else hides
            depth += sum(map(line.count, "[{")) - sum(map(line.count, "]}"))
            raw = f"{raw[: line.index('=') + 1] if begins else ''} {stand_in}{end}" if hides else raw
        shown.append(raw)
        at += len(line)
    return "".join(shown)


def table(path: Sequence[str], entry: Mapping[str, object], newline: str = "\n") -> str:
    """A table as text, for somebody to paste."""
    name = ".".join(key if _BARE.fullmatch(key) else json.dumps(key) for key in path)
    return newline.join([f"[{name}]", *(f"{key} = {_written(value)}" for key, value in entry.items()), ""])


def _appended(text: str, path: Sequence[str], entry: Mapping[str, object]) -> str:
    newline = "\r\n" if text.count("\r\n") * 2 > text.count("\n") else "\n"
    gap = "" if not text else newline if text.endswith("\n") else newline * 2
    return f"{text}{gap}{table(path, entry, newline)}"


def _edited(text: str, path: Sequence[str], entry: Mapping[str, object]) -> str:
    import tomlkit  # noqa: PLC0415  rare

    document, inner = _inside(text, path)
    for key, value in entry.items():
        if key not in inner or inner[key] != value:
            inner[key] = value
    return tomlkit.dumps(document)


def _dropped(text: str, path: Sequence[str]) -> str:
    import tomlkit  # noqa: PLC0415  rare

    value = read(text)
    while len(path) > 1 and len(_at(value, path[:-1]) or ()) == 1:  # what only led to it goes too
        path = path[:-1]
    document, inner = _inside(text, path[:-1])
    del inner[path[-1]]
    return tomlkit.dumps(document)


def _inside(text: str, path: Sequence[str]) -> tuple[Mapping[str, object], dict[str, object]]:
    """A document of tomlkit and the table at a path in it."""
    import tomlkit  # noqa: PLC0415  rare
    from tomlkit.exceptions import TOMLKitError  # noqa: PLC0415

    try:
        document = tomlkit.parse(text)
        exact = tomlkit.dumps(document) == text
    except TOMLKitError:
        exact, document = False, tomlkit.document()
    if not exact:
        raise Unfit("has a shape that cannot be changed in place safely")
    inner = cast("dict[str, object]", document)
    for key in path:
        inner = cast("dict[str, object]", inner[key])
    return document, inner


def _sections(text: str) -> Iterator[_Section]:
    """The tables that have a header, in order."""
    masked = _masked(text)
    starts: list[int] = []
    at = depth = 0
    for line in masked.splitlines(keepends=True):
        if depth == 0 and line.lstrip(" \t").startswith("["):
            starts.append(at)
        else:
            depth += sum(map(line.count, "[{")) - sum(map(line.count, "]}"))
        at += len(line)
    for start, after in zip(starts, [*starts[1:], len(text)], strict=False):
        lines = masked[start:after].splitlines(keepends=True)
        while len(lines) > 1 and (not lines[-1].strip() or lines[-1].lstrip().startswith("#")):
            lines.pop()
        yield _Section(_name(text[start : start + len(lines[0])]), start, start + sum(map(len, lines)))


def _masked(text: str) -> str:
    """The text with other signs for what is in strings and comments, on the same lines."""
    return _SILENT.sub(lambda found: re.sub(r"[^\n]", "#" if found[0].startswith("#") else "x", found[0]), text)


def _name(line: str) -> tuple[str, ...] | None:
    """The path that a line of a header names."""
    try:
        value: object = tomllib.loads(line)
    except tomllib.TOMLDecodeError:
        return None
    path: list[str] = []
    while isinstance(value, dict) and value:
        key, value = next(iter(cast("Mapping[str, object]", value).items()))
        path.append(key)
    return None if isinstance(value, list) else tuple(path)


def _cut(text: str, section: _Section) -> str:
    before, after = text[: section.start], text[section.end :]
    gap = re.search(r"(?:\A|(?<=\n))[ \t]*\r?\n\Z", before)
    if gap and (not after or after.startswith(("\n", "\r\n"))):  # one blank line apart stays one
        before = before[: gap.start()]
    return before + after


def _checked(changed: str, expected: Mapping[str, object]) -> str:
    try:
        right = tomllib.loads(changed) == expected
    except tomllib.TOMLDecodeError:
        right = False
    if not right:
        raise Unfit("has a shape that cannot be changed in place safely")
    return changed


def _at(value: object, path: Sequence[str]) -> Mapping[str, object] | None:
    for key in path:
        if not isinstance(value, dict):
            raise Unfit(f"has a `{path[0]}` that is no table")
        table_of = cast("Mapping[str, object]", value)
        if key not in table_of:
            return None
        value = table_of[key]
    if not isinstance(value, dict):
        raise Unfit(f"has a `{'.'.join(path)}` that is no table")
    return cast("Mapping[str, object]", value)


def _with(value: Mapping[str, object], path: Sequence[str], entry: Mapping[str, object]) -> dict[str, object]:
    if not path:
        return {**value, **entry}
    key, *rest = path
    inner = value.get(key, {})
    if not isinstance(inner, dict):
        raise Unfit(f"has a `{key}` that is no table")
    return {**value, key: _with(cast("Mapping[str, object]", inner), rest, entry)}


def _without(value: Mapping[str, object], path: Sequence[str]) -> dict[str, object]:
    """The value without a path; tables on the way that were only the way to it go too."""
    key, *rest = path
    inner = _without(cast("Mapping[str, object]", value[key]), rest) if rest else {}
    return {name: one if name != key else inner for name, one in value.items() if name != key or inner}


def _written(value: object) -> str:
    """Text, a number, a truth value or a list of these in TOML, which writes them as JSON does."""
    return re.sub("\x7f", r"\\u007f", json.dumps(value, ensure_ascii=False))
