"""Long texts in portions, and the addresses at which they go on."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.pointers import Pointer, pointer
from smista_mcp.core.portions import portion, size
from smista_mcp.errors import InvalidTask

TEXTS = st.text(st.sampled_from('ab \n\t"\\é漢👩‍🚀e\u0301\r'), max_size=200) | st.text(max_size=100)


@given(TEXTS, st.integers(0, 60), st.booleans())
def test_portions_put_together_are_the_text_and_each_has_room(text: str, room: int, patch: bool) -> None:
    start, parts = 0, list[str]()
    while start < len(text):
        end = portion(text, start, room, patch=patch)
        assert end > start
        assert size(text[start:end]) <= room or end == start + 1
        parts.append(text[start:end])
        start = end
    assert "".join(parts) == text
    assert portion(text, len(text), room) == len(text)


@given(st.text(st.characters(exclude_categories=["Cs"])))
def test_the_size_is_what_a_text_takes_in_json(text: str) -> None:
    assert size(text) == len(json.dumps({"": text}, ensure_ascii=False).encode()) - len('{"": ""}')


@pytest.mark.parametrize(
    ("text", "room", "first"),
    [
        ("one two three\n\nfour five six seven", 26, "one two three\n\n"),
        ("one two three\nfour five six seven", 26, "one two three\n"),
        ("one two three four", 16, "one two three "),
        ("onetwothreefour", 10, "onetwothre"),
        ("abcde\u0301fgh", 7, "abcde\u0301"),
        ("abcde\u0301fgh", 6, "abcd"),
        ("ab👩‍🚀cd", 9, "ab"),
    ],
)
def test_a_portion_ends_where_it_hurts_least(text: str, room: int, first: str) -> None:
    assert text[: portion(text, 0, room)] == first


def test_a_patch_is_cut_before_a_file() -> None:
    one = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
    two = one.replace("x", "y")
    assert (one + two)[: portion(one + two, 0, size(one) + 30, patch=True)] == one


@pytest.mark.parametrize(
    "uri",
    [
        "smista://policy",
        "smista://traces",
        "smista://usage",
        "smista://trace/0123abcd",
        "smista://answer/0123abcd",
        "smista://answer/0123abcd/3",
        "smista://answer/0123abcd/3?from=77",
        "smista://patch/0123abcd/0?from=5",
    ],
)
def test_an_address_is_written_as_it_is_read(uri: str) -> None:
    assert str(pointer(uri)) == uri


@pytest.mark.parametrize(
    "uri",
    [
        *("", "smista://", "smista://other", "smista://trace", "smista://trace/xyz", "smista://trace/0123"),
        *("smista://patch/0123abcd", "smista://policy/0123abcd", "smista://trace/0123abcd/0", "smista://policy?to=1"),
        *("smista://policy?from=-1", "smista://policy#x", "http://policy", "smista://answer/0123abcd/99999"),
        *("smista://policy\nsmista://usage", "smista://answer/../../etc/passwd"),
    ],
)
def test_anything_else_is_refused(uri: str) -> None:
    with pytest.raises(InvalidTask):
        pointer(uri)


@given(st.integers(0, 999_999_999), st.integers(0, 9999), st.sampled_from(["answer", "patch"]))
def test_every_pointer_is_found_again(start: int, phase: int, kind: str) -> None:
    made = pointer(f"smista://{kind}/0123abcd/{phase}?from={start}")
    assert pointer(str(made)) == made == Pointer(made.kind, "0123abcd", phase, start)
