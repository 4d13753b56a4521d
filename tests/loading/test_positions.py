import json
import re
import tomllib
from collections.abc import Iterator, Mapping
from typing import TypeAlias

import pytest
import tomlkit
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.policy import dotted
from smista_mcp.loading.positions import KeyLines, Path

Toml: TypeAlias = "str | int | bool | list[Toml] | dict[str, Toml]"

TEXT = '''\
a = 1
b = [ # a list
  "u",
  { c = 1, d = [1,
  2] }, # , [ "

  """x
  ]""", 'v' ,
]
"q.r" . s = "\\"[no]"
[t]
u = """
[no]
x = 1
"""
e = []
[[t.v]]
w = 1  # [[t.v]]
[[ t . v ]]
[t.v.x]
y = [1,2]
z = 2020-01-01 10:00:00
'k]' = [[1], [[2, 3],
 [4]], []]
[[t.v.x.deep]]
[[t.v.x.deep]]
end = true'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        ("a", 1),
        ("b", 2),
        ("b[0]", 3),
        ("b[1]", 4),
        ("b[1].c", 4),
        ("b[2]", 7),
        ("b[3]", 8),
        ("b[9]", 2),
        ('"q.r".s', 10),
        ("t", 11),
        ("t.u", 12),
        ("t.e", 16),
        ("t.e[0]", 16),
        ("t.v[0]", 17),
        ("t.v[0].w", 18),
        ("t.v[1]", 19),
        ("t.v[1].x", 20),
        ("t.v[1].x.y[1]", 21),
        ("t.v[1].x.z", 22),
        ('t.v[1].x."k]"[1]', 23),
        ('t.v[1].x."k]"[2]', 24),
        ("t.v[1].x.deep[1].end", 27),
        ("t.v[1].missing", 19),
        ('"q.r"', 10),
        ("t.v", 17),
        ("t.v[1].x.deep", 25),
    ],
)
def test_a_key_is_found_or_else_what_is_around_it(key: str, line: int) -> None:
    assert tomllib.loads(TEXT)
    assert KeyLines(TEXT)[key] == line


@pytest.mark.parametrize("key", ["x", "x.y", "", "v"])
def test_a_key_that_nothing_is_around_has_no_line(key: str) -> None:
    assert KeyLines(TEXT).get(key) is None


def test_the_tables_of_a_text_are_listed() -> None:
    lines = KeyLines(TEXT)
    assert list(lines) == ["t", "t.v[0]", "t.v[1]", "t.v[1].x", "t.v[1].x.deep[0]", "t.v[1].x.deep[1]"]
    assert len(lines) == 6


def test_windows_line_ends_count_as_one() -> None:
    assert KeyLines(TEXT.replace("\n", "\r\n"))["t.v[1].x.z"] == 22


def test_an_empty_text_has_no_lines() -> None:
    assert KeyLines("").get("a") is None
    assert len(KeyLines("")) == 0


# ------------------------------------------------------------------- documents of tomlkit: each name occurs once

_WORDS = st.text(st.sampled_from("ab[]{}\"'#=,.\\ \n"), max_size=6)
_SCALARS: st.SearchStrategy[Toml] = st.one_of(st.integers(0, 99), st.booleans(), _WORDS)


def _table(values: list[Toml]) -> Toml:
    return dict(zip("abcdefg", values, strict=False))


def _shapes(inner: st.SearchStrategy[Toml]) -> st.SearchStrategy[Toml]:
    tables = st.lists(inner, max_size=3).map(_table)
    return st.one_of(st.lists(_SCALARS, max_size=3), st.lists(tables, max_size=3), tables)


def _renamed(value: Toml, numbers: Iterator[int]) -> Toml:
    if isinstance(value, dict):
        return {f"{key}-{next(numbers)}": _renamed(inner, numbers) for key, inner in value.items()}
    if isinstance(value, list):
        return [_renamed(inner, numbers) for inner in value]
    return value


def _keys(value: Toml, path: Path = ()) -> Iterator[Path]:
    """The paths of all keys, with their indexes on the way."""
    if isinstance(value, dict):
        for key, inner in value.items():
            yield (*path, key)
            yield from _keys(inner, (*path, key))
    elif isinstance(value, list):
        for index, inner in enumerate(value):
            yield from _keys(inner, (*path, index))


@settings(max_examples=150)
@given(st.lists(st.recursive(_SCALARS, _shapes, max_leaves=12), min_size=1, max_size=5))
def test_the_line_of_a_key_that_tomlkit_wrote_holds_its_name(values: list[Toml]) -> None:
    document = _renamed({f"top-{index}": value for index, value in enumerate(values)}, iter(range(1000)))
    assert isinstance(document, dict)
    text = tomlkit.dumps(document)
    lines, rows = KeyLines(text), text.split("\n")
    for path in _keys(document):
        name, line = str(path[-1]), lines.get(dotted(path))
        ends = re.compile(rf"(\[+([^\]]*\.)?)?{name}(\]| =)")
        own = [number for number, row in enumerate(rows, 1) if ends.match(row)]
        if own:
            assert line in own
        else:  # it stands in an inline table, or only headers below it imply it
            assert line is not None
            assert any(str(part) in rows[line - 1] for part in path)


# -------------------------------------------------------------------------- documents written here, line by line

_NAMES = st.one_of(st.sampled_from(["a", "b-c", "D_1", "9"]), st.text(max_size=3).filter(lambda t: "\x7f" not in t))
_COMMENTS = st.sampled_from(["", " # c", '\t# [x] = """ \''])
_VALUES = st.sampled_from(
    [
        "1",
        "-2.5e3",
        "true",
        "1979-05-27 07:32:00",
        '"x # y"',
        "'''\n[x]\ny = 1\n'''",
        '"""a\\\n  \\"""b\n"""',
        '"""q"""""',
        "''",
        "[]",
        '[1, "a]", [2, 3]]',
        "[\n  1, # ]\n\n  2,\n]",
        '{ a = 1, "b]" = [ {}, 2 ] }',
        "[ { a = '}' }, {} ]",
    ]
)


@st.composite
def _documents(draw: st.DrawFn) -> tuple[str, Mapping[Path, int]]:
    """A text, and the line of every header and statement in it."""
    rows: list[str] = []
    known: dict[Path, int] = {}
    counts: dict[str, int] = {}

    def line() -> int:
        return sum(row.count("\n") + 1 for row in rows) + 1

    def statements(base: Path) -> None:
        for name in draw(st.lists(_NAMES, unique=True, max_size=4)):
            twice = draw(st.booleans())
            path = (*base, name, "sub") if twice else (*base, name)
            rows.extend(draw(st.lists(st.sampled_from(["", "  ", "# [x]", "#"]), max_size=2)))
            known[path] = line()
            spaces = draw(st.sampled_from(["", " ", "\t "]))
            key = f"{_key(name)}{spaces}.{spaces}sub" if twice else _key(name)
            rows.append(f"{spaces}{key}{spaces}={spaces}{draw(_VALUES)}{draw(_COMMENTS)}")

    statements(())
    for index in range(draw(st.integers(0, 5))):
        several = draw(st.booleans())
        name = draw(st.sampled_from(["list one", "list two"])) if several else f"table {index}"
        base: Path = (name, counts.get(name, 0)) if several else (name,)
        counts[name] = counts.get(name, 0) + 1
        known[base] = line()
        rows.append(f"{'[[' if several else '['} {_key(name)} {']]' if several else ']'}{draw(_COMMENTS)}")
        statements(base)
        if draw(st.booleans()):
            known[*base, "below"] = line()
            rows.append(f"[{_key(name)}.below]")
            statements((*base, "below"))
    return "\n".join(rows), known


def _key(name: str) -> str:
    return (
        name
        if name and name.isascii() and name.replace("-", "").replace("_", "").isalnum()
        else json.dumps(name, ensure_ascii=False)
    )


@settings(max_examples=300)
@given(_documents())
def test_every_key_of_a_document_is_found_on_its_line(written: tuple[str, Mapping[Path, int]]) -> None:
    text, known = written
    tomllib.loads(text)
    lines = KeyLines(text)
    assert {dotted(path): lines.get(dotted(path)) for path in known} == {dotted(p): line for p, line in known.items()}
