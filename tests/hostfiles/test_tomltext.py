"""A text of TOML is changed where it must be, and nowhere else."""

import tomllib
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.hostfiles.tomltext import put, read, removed
from smista_mcp.hostfiles.unfit import Unfit

PATH = ("mcp_servers", "smista")
ENTRY = {"command": 'C:\\bin "x"\\smista-mcp.exe', "args": ["serve-stdio"], "required": True, "tool_timeout_sec": 900}
PIECES = st.sampled_from(
    [
        '[mcp_servers.one]\ncommand = "x" # its own\n',
        "[mcp_servers.two]\nargs = [\n  'a', # [mcp_servers.smista]\n  \"]\",\n]\n",
        '[mcp_servers.two.env]\nA = """\n[mcp_servers.smista]\n"""\n',
        "[profiles.p]\nmodel = 'x'\n",
        "[[list]]\na = [\n[1],\n  [2],\n]\n",
        "[[list]]\nb = '''\n# no\n[x]'''\n",
        "# a comment of its own\n\n",
        '["odd.key"]\n"mcp_servers" = { smista = 1 }\n',
        "\n\n",
    ]
)
HEADS = st.sampled_from(["", 'model = "gpt"\n', "# mine\n\nmodel = 'x' # y\na.b = 1\n"])


@st.composite
def texts(draw: Any) -> str:
    text = draw(HEADS) + "".join(draw(st.lists(PIECES, unique=True, max_size=6)))
    return text.replace("\n", "\r\n") if draw(st.booleans()) else text


def is_toml(text: str) -> bool:
    try:
        tomllib.loads(text)
    except tomllib.TOMLDecodeError:
        return False
    return True


@given(texts().filter(is_toml))
def test_a_new_table_stands_behind_all_that_was_there(text: str) -> None:
    value: Any = tomllib.loads(text)
    after = put(text, PATH, ENTRY)
    assert after.startswith(text)
    servers = {**value.get("mcp_servers", {}), "smista": ENTRY}
    assert tomllib.loads(after) == {**value, "mcp_servers": servers}
    assert put(after, PATH, ENTRY) == after
    assert removed(after, PATH) == text


@given(texts().filter(is_toml), st.lists(PIECES, unique=True, max_size=4).map("".join))
def test_a_table_between_others_goes_and_they_stay(above: str, below: str) -> None:
    text = put(above, PATH, ENTRY) + "\n[mcp_servers.smista.tools.dispatch]\nmode = 'x'\n" + below
    if not is_toml(text):
        return
    value: Any = tomllib.loads(text)
    del value["mcp_servers"]["smista"]
    value = {key: one for key, one in value.items() if key != "mcp_servers" or one}
    after = removed(text, PATH)
    assert tomllib.loads(after) == value
    assert [line for line in after.split() if "#" in line] == [line for line in (above + below).split() if "#" in line]


def test_a_changed_table_keeps_what_it_says_besides() -> None:
    text = '[mcp_servers.smista] # mine\nargs = ["x"] # old\nstartup_timeout_sec = 3\n\n[other]\n'
    assert put(text, PATH, {"args": ["serve-stdio"], "required": True}) == (
        '[mcp_servers.smista] # mine\nargs = ["serve-stdio"] # old\nstartup_timeout_sec = 3\nrequired = true\n\n'
        "[other]\n"
    )


@pytest.mark.parametrize(
    "text", ["mcp_servers = { one = { command = 'x' } }\n", "mcp_servers = 1\n", "mcp_servers.smista = 1\n"]
)
def test_a_shape_that_takes_no_table_is_refused(text: str) -> None:
    with pytest.raises(Unfit):
        put(text, PATH, ENTRY)


def test_tables_that_would_be_moved_are_refused() -> None:
    text = "[[a]]\nx = 1\n[mcp_servers.smista]\nargs = []\n[[a.b]]\n[[a]]\nx = 2\n[c]\n[[a.b]]\ny = 1\n[d]\n[[a]]\n"
    try:
        after = put(text, PATH, ENTRY)
    except Unfit:
        return
    assert tomllib.loads(after)["a"] == tomllib.loads(text)["a"]


def test_what_is_no_toml_is_refused_at_its_line() -> None:
    with pytest.raises(Unfit) as refused:
        read("a = 1\nb =\n")
    assert refused.value.line == 2


def test_an_entry_in_one_line_goes_too() -> None:
    text = "[mcp_servers]\none = { command = 'x' }\nsmista = { command = 'y' } # c\n"
    assert tomllib.loads(removed(text, PATH)) == {"mcp_servers": {"one": {"command": "x"}}}


@pytest.mark.parametrize("text", ['a.b.c = "d"\n', 'a = { b = { c = "d" } }\n', "a.b.c = 1\nx = 2\n"])
def test_a_table_without_a_header_is_taken_out(text: str) -> None:
    assert "c" not in removed(text, ("a", "b"))
