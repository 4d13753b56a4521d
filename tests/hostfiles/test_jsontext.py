"""A text of JSON is changed where it must be, and nowhere else."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.hostfiles.jsontext import MAX_DEPTH, put, read, removed
from smista_mcp.hostfiles.unfit import Unfit

ENTRY = {"command": "/opt/bin/smista-mcp", "args": ["serve-stdio"]}
PATH = ("servers", "smista")
KEYS = st.sampled_from(["a", "b", "servers", "smista", "ü", 'q"', "//", "/*"])
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(KEYS, inner, max_size=4),
    max_leaves=12,
)
SERVERS = st.dictionaries(st.sampled_from(["one", "two", "smista"]), VALUES, max_size=3)
DOCUMENTS = st.dictionaries(KEYS.filter(lambda key: key != "servers"), VALUES, max_size=4).flatmap(
    lambda document: SERVERS.map(lambda servers: document | {"servers": servers}) | st.just(document)
)
TRIVIA = st.sampled_from(
    [
        "",
        " ",
        "\n",
        "\n  ",
        "\r\n\t",
        ' // it\'s, {a} "b"\n',
        "/* [x], */",
        "\n\n  // one\n  // two\n",
        " /***/ ",
        "//\r\n",
    ]
)


def written(value: Any, draw: Callable[..., Any]) -> str:
    """A value as JSON with space and comments anywhere, and with commas at the end."""

    def gap() -> str:
        return draw(TRIVIA)

    if isinstance(value, dict | list):
        opening, closing = "{}" if isinstance(value, dict) else "[]"
        inner = cast("Any", value)
        named: Any = inner.items() if opening == "{" else [(None, one) for one in inner]
        keys = ((f"{gap()}{json.dumps(key)}{gap()}:" if key is not None else "", one) for key, one in named)
        parts = [f"{key}{gap()}{written(one, draw)}{gap()}" for key, one in keys]
        end = f",{gap()}" if parts and draw(st.booleans()) else ""
        return f"{opening}{gap()}{','.join(parts)}{end}{closing}"
    return json.dumps(value)


@st.composite
def texts(draw: Callable[..., Any]) -> tuple[Any, str]:
    value = draw(DOCUMENTS)
    return value, f"{draw(TRIVIA)}{written(value, draw)}{draw(TRIVIA)}"


def comments(text: str) -> list[str]:
    """What the drawn comments of a text say, in order."""
    known = ['it\'s, {a} "b"', "[x],", "// one", "// two", "/***/"]
    found = [(at, one) for one in known for at in range(len(text)) if text.startswith(one, at)]
    return [one for _, one in sorted(found)]


@given(texts())
def test_what_is_put_is_there_and_all_else_is_as_it_was(drawn: tuple[Any, str]) -> None:
    value, text = drawn
    assert read(text, comments=True) == value
    after = put(text, PATH, ENTRY, comments=True)
    servers = {**value.get("servers", {}), "smista": ENTRY}
    assert read(after, comments=True) == {**value, "servers": servers}
    if "smista" not in value.get("servers", {}):
        assert comments(after) == comments(text)
    assert put(after, PATH, ENTRY, comments=True) == after


@given(texts())
def test_what_is_removed_is_gone_and_all_else_is_as_it_was(drawn: tuple[Any, str]) -> None:
    value, text = drawn
    after = removed(text, PATH, comments=True)
    if "smista" not in value.get("servers", {}):
        assert after == text
        return
    assert read(after, comments=True) == {
        **value,
        "servers": {name: one for name, one in value["servers"].items() if name != "smista"},
    }


@given(DOCUMENTS, st.sampled_from([None, 1, 2, 4, "\t"]), st.booleans(), st.booleans(), st.booleans())
def test_put_and_removed_leave_the_same_text(
    value: Any, indent: int | str | None, crlf: bool, line_end: bool, compact: bool
) -> None:
    value = {**value, "servers": {name: one for name, one in value.get("servers", {}).items() if name != "smista"}}
    separators = (",", ":") if compact and indent is None else None
    text = json.dumps(value, indent=indent, separators=separators) + ("\n" if line_end else "")
    if crlf:
        text = text.replace("\n", "\r\n")
    after = put(text, PATH, ENTRY, comments=False)
    assert removed(after, PATH, comments=False) == text
    if indent is not None and not compact:
        expected = {**value, "servers": {**value["servers"], "smista": ENTRY}}
        lines = json.dumps(expected, indent=indent).splitlines()
        start = next(n for n, line in enumerate(lines) if line.strip().startswith('"smista": {'))
        assert lines[start] in after.splitlines()


@pytest.mark.parametrize(
    ("text", "after"),
    [
        ("", '{\n  "s": {\n    "m": {}\n  }\n}\n'),
        ("{}", '{"s": {"m": {}}}'),
        ("{\n}\n", '{\n  "s": {\n    "m": {}\n  }\n}\n'),
        ('{"s":{"a":1}}', '{"s":{"a":1, "m": {}}}'),
        ('{\n\t"s": {}\n}', '{\n\t"s": {\n\t\t"m": {}\n\t}\n}'),
        ('{\n "s": {\n  "a": 1 // one\n  // two\n }\n}', '{\n "s": {\n  "a": 1, // one\n  // two\n  "m": {}\n }\n}'),
        ('{\n "s": {\n  "a": 1, // one\n },\n}', '{\n "s": {\n  "a": 1, // one\n  "m": {},\n },\n}'),
        ('{\n  "s": { "a": 1 }\n}', '{\n  "s": { "a": 1, "m": {} }\n}'),
        ('{\n  "s": {\n    // none yet\n  }\n}', '{\n  "s": {\n    // none yet\n    "m": {}\n  }\n}'),
    ],
)
def test_what_is_put_looks_like_its_neighbours(text: str, after: str) -> None:
    assert put(text, ("s", "m"), {}, comments=True) == after
    if '"s"' in text:
        assert removed(after, ("s", "m"), comments=True) == text


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("{", 1),
        ('{\n"a": 1,\n}', 2),
        ('{\n"a": 01}', 2),
        ('{"a": 1} x', 1),
        ("{\n// c\n}", 2),
        ("{'a': 1}", 1),
        ('{"a" 1}', 1),
        ('{"a": nan}', 1),
        ('{"a": "\n"}', 1),
        ('{"a": "\\x"}', 1),
        ("[1 2]", 1),
        ('{"a": 1 "b": 2}', 1),
        ("\n[" * (MAX_DEPTH + 2), MAX_DEPTH + 3),
    ],
)
def test_what_is_not_json_is_refused_at_its_line(text: str, line: int) -> None:
    with pytest.raises(Unfit) as refused:
        put(text, PATH, ENTRY, comments=False)
    assert refused.value.line == line


@pytest.mark.parametrize("text", ["[]", '{"servers": 1}', '{"servers": {}, "servers": {}}', '{"servers": null}'])
def test_a_place_that_cannot_hold_an_entry_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        put(text, PATH, ENTRY, comments=False)


def test_an_entry_that_is_there_twice_is_refused() -> None:
    text = '{"servers": {\n"smista": 1,\n"smista": 2}}'
    for change in (lambda: put(text, PATH, ENTRY, comments=False), lambda: removed(text, PATH, comments=False)):
        with pytest.raises(Unfit) as refused:
            change()
        assert refused.value.line == 3
