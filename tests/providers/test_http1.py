"""Heads and bodies of HTTP/1.1, however they are cut, with a library that knows it as the oracle."""

from collections.abc import Sequence
from itertools import pairwise

import h11
import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.providers.http1 import BadAnswer, Chunked, framing_of, read_head, written_head

PIECES = st.lists(st.binary(min_size=1, max_size=40), max_size=8)
CUTS = st.lists(st.integers(0, 600), max_size=12)
SIZE_FORMS = st.sampled_from([b"%x", b"%X", b"0%x", b"%x ", b"%x;name=value", b'%x; a="b"'])


def chunked(pieces: Sequence[bytes], form: bytes = b"%x", trailers: bytes = b"") -> bytes:
    return b"".join(form % len(piece) + b"\r\n" + piece + b"\r\n" for piece in pieces) + b"0\r\n" + trailers + b"\r\n"


def cut(data: bytes, cuts: Sequence[int]) -> list[bytes]:
    places = [0, *sorted(min(place, len(data)) for place in cuts), len(data)]
    return [data[start:end] for start, end in pairwise(places) if start < end]


def ours(parts: Sequence[bytes]) -> bytes | None:
    """The body of an answer that comes in these parts; None where it is refused or not complete."""
    data, parts = b"", list(parts)
    try:
        while (found := read_head(data)) is None:
            if not parts:
                return None
            data += parts.pop(0)
        head, rest = found
        framing, body = framing_of(head), b""
        for part in (rest, *parts):
            if part and not framing.done:
                body += framing.feed(part)
        return body if framing.done else body + framing.end()
    except BadAnswer:
        return None


def oracle(data: bytes) -> bytes | None:
    connection = h11.Connection(h11.CLIENT)
    connection.send(h11.Request(method="GET", target="/", headers=[("host", "x")]))
    connection.send(h11.EndOfMessage())
    connection.receive_data(data)
    connection.receive_data(b"")
    body = b""
    try:
        while True:
            match connection.next_event():
                case h11.Data() as piece:
                    body += bytes(piece.data)
                case h11.EndOfMessage():
                    return body
                case h11.Response():
                    pass
                case _:
                    return None
    except h11.ProtocolError:
        return None


@given(PIECES, SIZE_FORMS, st.sampled_from([b"", b"a: b\r\n", b"a: b\r\nc: d\r\n"]), CUTS)
def test_a_body_in_chunks_is_whole_wherever_it_is_cut(
    pieces: list[bytes], form: bytes, trailers: bytes, cuts: list[int]
) -> None:
    data = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked(pieces, form, trailers)
    assert ours(cut(data, cuts)) == b"".join(pieces) == oracle(data)


@given(st.binary(max_size=60), CUTS, st.integers(0, 3))
def test_a_body_of_a_told_length_is_whole_and_short_of_it_is_none(body: bytes, cuts: list[int], less: int) -> None:
    data = b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n" % len(body) + body
    assert ours(cut(data, cuts)) == body == oracle(data)
    if 0 < less <= len(body):
        assert ours(cut(data[:-less], cuts)) is None


@given(st.binary(max_size=60), CUTS)
def test_a_body_that_nothing_frames_ends_with_its_connection(body: bytes, cuts: list[int]) -> None:
    data = b"HTTP/1.1 200 OK\r\n\r\n" + body
    assert ours(cut(data, cuts)) == body == oracle(data)


LINES = st.sampled_from(
    [
        *(b"Transfer-Encoding: chunked", b"transfer-encoding: gzip, chunked", b"transfer-encoding: identity"),
        *(
            b"Content-Length: 3",
            b"content-length: 3, 3",
            b"content-length: 4",
            b"content-length: -1",
            b"content-length: ",
        ),
        *(
            b"content-length: 3x",
            b"connection: close",
            b"x:y",
            b"x y: z",
            b" folded",
            b"no colon",
            b"nul: \x00",
            b"x: \xff",
        ),
        b"content-length: " + b"9" * 30,
    ]
)
STATUS = st.sampled_from(
    [
        *(b"HTTP/1.1 200 OK", b"HTTP/1.0 200 OK", b"HTTP/1.1 200", b"HTTP/1.1 200 ", b"HTTP/1.1 204 No Content"),
        *(b"HTTP/2 200 OK", b"HTTP/1.1 20 OK", b"HTTP/1.1 2000 OK", b"http/1.1 200 OK", b"hello", b""),
    ]
)
BODIES = st.sampled_from(
    [b"", b"abc", b"3\r\nabc\r\n0\r\n\r\n", b"3\r\nabcd\r\n0\r\n\r\n", b"0x3\r\nabc\r\n0\r\n\r\n", b"-1\r\n"]
)


@given(STATUS, st.lists(LINES, max_size=3), BODIES, CUTS)
def test_what_is_taken_is_what_the_oracle_takes(
    status: bytes, lines: list[bytes], body: bytes, cuts: list[int]
) -> None:
    data = b"\r\n".join((status, *lines, b"", b"")) + body
    found = ours(cut(data, cuts))
    assert found is None or found == oracle(data)
    assert found == ours([data])


@pytest.mark.parametrize(
    "body",
    [
        b"3\r\nabcd\r\n0\r\n\r\n",  # longer than it says
        b"\r\nabc",
        b"-3\r\nabc\r\n",
        b"+3\r\nabc\r\n",
        b"0x3\r\nabc\r\n",
        b"1_0\r\nabc\r\n",
        b"f" * 16 + b"\r\nabc",
        b"3;" + b"x" * 5000,
        b"0\r\n" + b"a: b\r\n" * 100,
    ],
)
def test_a_wrong_chunk_is_refused(body: bytes) -> None:
    framing = Chunked()
    with pytest.raises(BadAnswer):
        framing.feed(body)


def test_a_head_without_end_is_refused_in_the_end() -> None:
    with pytest.raises(BadAnswer):
        read_head(b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000)


def test_what_comes_behind_a_body_is_noticed() -> None:
    for data, surplus in ((b"1\r\na\r\n0\r\n\r\n", False), (b"1\r\na\r\n0\r\n\r\nHTTP/1.1 200 OK", True)):
        framing = Chunked()
        assert framing.feed(data) == b"a"
        assert (framing.done, framing.surplus) == (True, surplus)


@pytest.mark.parametrize("value", [b"a\r\nb: c", b"a\nb", b"a\0"])
def test_no_header_of_a_request_holds_another(value: bytes) -> None:
    with pytest.raises(ValueError, match="line break"):
        written_head("POST", b"/", [(b"x", value)])
    with pytest.raises(ValueError, match="line break"):
        written_head("POST", value, [])
    assert written_head("POST", b"/a", [(b"x", b"y")]) == b"POST /a HTTP/1.1\r\nx: y\r\n\r\n"
