"""The file of aider is changed in the lines that are ours, and nowhere else."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.hostfiles.unfit import Unfit
from smista_mcp.hostfiles.yamltext import MARK, put, removed

VALUES = {"model": "anthropic/claude-sonnet-5-5", "weak-model": "ollama_chat/qwen3:8b"}
OWN = """\
# mine
model: gpt-6  # the usual

read:
  - CONVENTIONS.md
# weak-model: x
dark-mode: true
"""
LINES = st.sampled_from(
    [
        "# model: x\n",
        "\n",
        "dark-mode: true\n",
        "read:\n- a\n- b\n",
        "read: [a, b]\n",
        "msg: |\n  model: x\n",
        "a: 'b' # c\n",
    ]
)


def test_a_line_that_is_replaced_is_kept_and_comes_back() -> None:
    after = put(OWN, VALUES)
    assert (
        after
        == OWN.replace(
            "model: gpt-6  # the usual\n",
            f"{MARK} replaced: model: gpt-6  # the usual\nmodel: anthropic/claude-sonnet-5-5 {MARK}\n",
        )
        + f"weak-model: ollama_chat/qwen3:8b {MARK}\n"
    )
    assert put(after, VALUES) == after
    assert removed(after) == OWN


@given(st.lists(LINES, max_size=6), st.sampled_from(["", "model: x\n", '"model": y # z\n']), st.booleans())
def test_put_and_removed_leave_the_same_text(parts: list[str], own: str, crlf: bool) -> None:
    text = "".join(parts) + own
    text = text.replace("\n", "\r\n") if crlf else text
    after = put(text, VALUES)
    assert put(after, VALUES) == after
    assert removed(after) == text
    changed = put(after, {"model": "openai/gpt-6"})
    assert removed(changed) == text


def test_a_value_of_the_user_that_says_the_same_stays_the_users() -> None:
    assert put("model: a/b\n", {"model": "a/b"}) == "model: a/b\n"
    assert removed("model: a/b\n") == "model: a/b\n"


def test_a_value_that_yaml_would_read_otherwise_is_quoted() -> None:
    assert put("", {"model": "yes: 'x' #"}) == f"model: 'yes: ''x'' #' {MARK}\n"


@pytest.mark.parametrize(
    "text",
    [
        "{model: x}\n",
        "model: |\n  x\n",
        "model:\n  x\n",
        "model: x\n  y\n",
        "model: # c\n# d\n  x\n",
        "model: &a x\n",
        "a: 1\n---\nmodel: x\n",
        "model: x\nmodel: y\n",
        "just text\n",
        "model:\n- x\n",
        "- x\n",
        "  model: x\n",
        'note: "x\nmodel: inside a string"\n',
        "note: 'x\nmodel: inside'\n",
        'note:\n  "x\nmodel: inside"\n',
        'note: !!str "x\nmodel: inside"\n',
        '"note": "x \\"\nmodel: inside"\n',
        'read:\n- "x\nmodel: inside"\n',
        'read:\n  - a: "x\nmodel: inside"\n',
        'a: {b: "x\nmodel: inside"}\n',
        "a: [b,\nmodel: inside]\n",
        'a: |\n  "text\nb: "x\nmodel: inside"\n',
    ],
)
def test_other_forms_are_refused(text: str) -> None:
    with pytest.raises(Unfit):
        put(text, VALUES)


@pytest.mark.parametrize(
    "text",
    [
        'note: |\n  "x\n\n  [model: y\n',
        "read:\n- a: >-  # c\n    'x\n",
        "read:\n- |\n  {x\n",
        "note: it's \"so\n",
        "note: 'it''s' # it's\n",
        'note: "a \\" b"  # "\n',
        'read: [a, "]", {b: c}]\n',
        '# "x\n',
    ],
)
def test_quotes_that_open_nothing_are_no_hindrance(text: str) -> None:
    after = put(text, VALUES)
    assert after.startswith(text)
    assert removed(after) == text
