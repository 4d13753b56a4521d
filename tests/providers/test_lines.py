import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.lines import LineSplitter


@given(st.binary(max_size=200).filter(lambda body: b"\r" not in body), st.data())
def test_lines_do_not_depend_on_where_the_network_cut(body: bytes, data: st.DataObject) -> None:
    cuts = sorted(data.draw(st.lists(st.integers(0, len(body)), max_size=20)))
    splitter = LineSplitter()
    lines: list[bytes] = []
    for begin, end in zip([0, *cuts], [*cuts, len(body)], strict=True):
        lines += splitter.feed(body[begin:end])
    assert [*lines, splitter.rest()] == body.split(b"\n")


@pytest.mark.parametrize("size", [1, 2, 3, 100])
def test_both_line_ends_are_taken_even_when_cut_apart(size: int) -> None:
    body = b"one\r\ntwo\n\r\nfour\r\n"
    splitter = LineSplitter()
    lines = [line for at in range(0, len(body), size) for line in splitter.feed(body[at : at + size])]
    assert lines == [b"one", b"two", b"", b"four"]
    assert splitter.rest() == b""


def test_what_follows_the_last_line_break_is_the_rest() -> None:
    splitter = LineSplitter()
    assert splitter.feed(b"a\nb") == [b"a"]
    assert splitter.feed(b"c\r") == []
    assert splitter.rest() == b"bc"


@pytest.mark.parametrize(
    "chunks", [[b"x" * 11], [b"x" * 6, b"x" * 6], [b"x" * 11 + b"\n"], [b"x" * 6, b"x" * 6 + b"\n"]]
)
def test_a_line_that_is_too_long_is_refused_wherever_it_is_cut(chunks: list[bytes]) -> None:
    splitter = LineSplitter(max_line=10)
    for chunk in chunks[:-1]:
        splitter.feed(chunk)
    with pytest.raises(ProviderError) as refusal:
        splitter.feed(chunks[-1])
    assert refusal.value.code is Code.PROVIDER_PROTOCOL
    assert refusal.value.sent


def test_lines_up_to_the_limit_pass_however_many_come_at_once() -> None:
    assert LineSplitter(max_line=10).feed(b"x" * 10 + b"\n" + b"y" * 10 + b"\n") == [b"x" * 10, b"y" * 10]


def test_a_body_that_is_too_long_is_refused() -> None:
    splitter = LineSplitter(max_body=10)
    splitter.feed(b"12345\n")
    with pytest.raises(ProviderError) as refusal:
        splitter.feed(b"67890\n")
    assert refusal.value.code is Code.PROVIDER_PROTOCOL
