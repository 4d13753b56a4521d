"""Where a key stands in a TOML text: the line of `routing.rules[2].priority`, found without parsing the text again.

The text must be one that `tomllib` accepts. Headers are found first, with whole runs of ordinary lines skipped by one
regular expression; the keys of a table are looked at when one of them is asked for.
"""

import bisect
import json
import re
import tomllib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import NamedTuple

from smista_mcp.core.policy import dotted

Path = tuple[str | int, ...]

# Repeats of groups are `(?>...)`, not possessive: Python before 3.11.5 gets those wrong (python/cpython#106052).
_BASIC, _LITERAL = r'"(?>(?:[^"\\\n]++|\\.)*)"', r"'[^'\n]*+'"
_PART = rf"(?:[A-Za-z0-9_-]+|{_BASIC}|{_LITERAL})"
_KEY = rf"{_PART}(?>(?:[ \t]*\.[ \t]*{_PART})*)"
_END = r"[ \t]*(?:#[^\n]*)?\n"
_WORD = r"""[^\s"'\[\]{}#,][^"'\[\]{}#,\n]*+"""
_SCALAR = rf'(?:(?!"""){_BASIC}|(?!\'\'\'){_LITERAL}|{_WORD})'
_ROW = rf"\[[ \t]*(?:{_SCALAR}[ \t]*(?>(?:,[ \t]*{_SCALAR}[ \t]*)*)(?:,[ \t]*)?)?\]"
_PLAIN = re.compile(rf"(?>(?:[ \t]*(?:{_KEY}[ \t]*=[ \t]*(?:{_SCALAR}|{_ROW}))?{_END})*)")
"""A run of lines that each hold nothing, a comment, or a key with a value that ends on the line."""
_HEADER = re.compile(rf"[ \t]*(\[\[?)[ \t]*({_KEY})[ \t]*\]\]?{_END}")
_STATEMENT = re.compile(rf"[ \t]*({_KEY})[ \t]*=[ \t]*")
_BLANK = re.compile(rf"(?>(?:{_END})*)")
_KEY_PART = re.compile(_PART)
_LEXEME = re.compile(
    r'"""(?:[^\\]|\\.)*?"{3,5}'
    r"|'''.*?'{3,5}"
    rf"|{_BASIC}|{_LITERAL}|#[^\n]*|[\[\]{{}},]|[^\s\[\]{{}},#\"']+|\n|[^\S\n]+",
    re.DOTALL,
)
_DOTTED = re.compile(rf"({_PART})|\[(\d+)\]")


class _Table(NamedTuple):
    """A header, or the top of the file: where it stands, and the text below it up to the next header."""

    offset: int
    start: int
    end: int


class KeyLines(Mapping[str, int]):
    """Dotted key to line, from 1.

    A key inside an inline table has the line of the nearest key around it, a table that only deeper keys imply that
    of the first of them. Iteration gives the tables that the text opens; every key in them can be asked for.
    """

    def __init__(self, text: str) -> None:
        self._text = text.replace("\r\n", "\n") + "\n"
        self._tables: dict[Path, _Table] | None = None
        self._by_name: dict[str, Path] = {}
        self._statements: dict[Path, dict[Path, tuple[int, int]]] = {}
        self._implied: dict[Path | None, dict[Path, int]] = {}
        self._arrays: dict[int, list[int]] = {}
        self._breaks: list[int] = []

    def __getitem__(self, key: str) -> int:
        tables = self._scanned()
        if key in self._by_name:
            return self._line(tables[self._by_name[key]].offset)
        line = self.nearest(_path_of(key))
        if line is None:
            raise KeyError(key)
        return line

    def __iter__(self) -> Iterator[str]:
        self._scanned()
        return iter(self._by_name)

    def __len__(self) -> int:
        self._scanned()
        return len(self._by_name)

    def nearest(self, path: Sequence[str | int]) -> int | None:
        """The line of the path, else of the nearest key or table around it; None where nothing around it is written."""
        offset = self._offset(tuple(path))
        return None if offset is None else self._line(offset)

    def _offset(self, path: Path) -> int | None:
        tables = self._scanned()
        best: tuple[int, int] | None = None
        for length in range(len(path), -1, -1):
            table = tables.get(path[:length])
            if table is None:
                continue
            if length and (best is None or best[0] < length):
                best = (length, table.offset)
            found = self._in_table(path[:length], path[length:])
            if found is not None and (best is None or best[0] < length + found[0]):
                best = (length + found[0], found[1])
        if best is None or best[0] < len(path):
            if None not in self._implied:
                self._implied[None] = _first_of_each_prefix((key, table.offset) for key, table in tables.items())
            return self._implied[None].get(path, best[1] if best else None)
        return best[1]

    def _in_table(self, table: Path, rest: Path) -> tuple[int, int] | None:
        """How many parts of `rest` the nearest key below a header spells, and its offset."""
        statements = self._keys(table)
        for length in range(len(rest), 0, -1):
            if rest[:length] not in statements:
                continue
            key, value = statements[rest[:length]]
            if length < len(rest) and isinstance(index := rest[length], int):
                elements = self._elements(value)
                if index < len(elements):
                    return length + 1, elements[index]
            return length, key
        if table not in self._implied:
            self._implied[table] = _first_of_each_prefix((key, offset) for key, (offset, _) in statements.items())
        offset = self._implied[table].get(rest)
        return None if offset is None else (len(rest), offset)

    def _elements(self, array: int) -> list[int]:
        """Offsets of an array's elements, found once for all of them."""
        if array not in self._arrays:
            self._arrays[array] = _elements(self._text, array)
        return self._arrays[array]

    def _keys(self, path: Path) -> Mapping[Path, tuple[int, int]]:
        if path not in self._statements:
            table = self._scanned()[path]
            self._statements[path] = dict(_statements(self._text, table.start, table.end))
        return self._statements[path]

    def _line(self, offset: int) -> int:
        if not self._breaks:
            self._breaks = [match.start() for match in re.finditer("\n", self._text)]
        return bisect.bisect_left(self._breaks, offset) + 1

    def _scanned(self) -> Mapping[Path, _Table]:
        if self._tables is None:
            self._tables = dict(_tables(self._text))
            self._by_name = {dotted(path): path for path in self._tables if path}
        return self._tables


def _tables(text: str) -> Iterator[tuple[Path, _Table]]:
    """Every header with its path, in order; the top of the file first, with an empty path."""
    arrays: dict[Path, int] = {}
    path: Path = ()
    offset = start = position = 0
    while position < len(text):
        position = _skip(_PLAIN, text, position)
        header = _HEADER.match(text, position)
        if header is None:
            position = _after_statement(text, position)
            continue
        yield path, _Table(offset, start, position)
        path = _placed(_parts(header[2]), arrays, several=header[1] == "[[")
        offset, start = header.start(1), header.end()
        position = start
    yield path, _Table(offset, start, len(text))


def _placed(names: Sequence[str], arrays: dict[Path, int], *, several: bool) -> Path:
    """The path of a header; a name of an array of tables on the way means its last element."""
    path: Path = ()
    for name in names[:-1]:
        path += (name,)
        if path in arrays:
            path += (arrays[path],)
    path += (names[-1],)
    if not several:
        return path
    arrays[path] = arrays.get(path, -1) + 1
    return (*path, arrays[path])


def _statements(text: str, start: int, end: int) -> Iterator[tuple[Path, tuple[int, int]]]:
    """Each key below a header with its offset and that of its value."""
    position = _skip(_BLANK, text, start)
    while position < end:
        statement = _STATEMENT.match(text, position)
        if statement is None:
            return
        yield tuple(_parts(statement[1])), (statement.start(1), statement.end())
        position = _skip(_BLANK, text, _after_statement(text, position))


def _after_statement(text: str, position: int) -> int:
    """The start of the line after a statement whose value may run over several lines."""
    statement = _STATEMENT.match(text, position)
    depth, position = 0, statement.end() if statement else position
    while position < len(text):
        lexeme = _LEXEME.match(text, position)
        if lexeme is None:
            return len(text)
        position = lexeme.end()
        depth += lexeme[0] in ("[", "{")
        depth -= lexeme[0] in ("]", "}")
        if lexeme[0] == "\n" and depth == 0:
            return position
    return position


def _first_of_each_prefix(keys: Iterable[tuple[Path, int]]) -> dict[Path, int]:
    """For each table that keys imply, the offset of the first of them."""
    found: dict[Path, int] = {}
    for key, offset in keys:
        for length in range(1, len(key) + 1):
            found.setdefault(key[:length], offset)
    return found


def _elements(text: str, position: int) -> list[int]:
    """Offsets of the elements of the array that begins at a position; none where no array begins."""
    found: list[int] = []
    depth, expected = 0, False
    while position < len(text):
        lexeme = _LEXEME.match(text, position)
        if lexeme is None or (depth == 0 and found):
            return found
        piece = lexeme[0]
        silent = piece.isspace() or piece.startswith("#")
        if depth == 0 and piece != "[":
            return found
        if depth == 1 and expected and not silent and piece != "]":
            found.append(position)
            expected = False
        expected = expected or (depth == 1 and piece == ",") or (depth == 0 and piece == "[")
        depth += (piece in ("[", "{")) - (piece in ("]", "}"))
        position = lexeme.end()
        if depth == 0:
            return found
    return found


def _skip(pattern: re.Pattern[str], text: str, position: int) -> int:
    match = pattern.match(text, position)
    return match.end() if match else position


def _parts(key: str) -> list[str]:
    return [_unquoted(part) for part in _KEY_PART.findall(key)]


def _unquoted(part: str) -> str:
    if part[0] == "'":
        return part[1:-1]
    if part[0] == '"':
        return str(tomllib.loads(f"k={part}")["k"]) if "\\" in part else part[1:-1]
    return part


def _path_of(key: str) -> Path:
    """The path that a dotted key of `dotted` means."""
    return tuple(int(index) if index else _name(name) for name, index in _DOTTED.findall(key))


def _name(part: str) -> str:
    return str(json.loads(part)) if part[0] == '"' else part
