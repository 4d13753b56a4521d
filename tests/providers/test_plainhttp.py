"""The transport in the clear, against servers that say exactly what a test wants them to say."""

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import anyio
import httpx
import pytest
from loopback import listening

from smista_mcp.providers import plainhttp
from smista_mcp.providers.plainhttp import PlainTransport

pytestmark = pytest.mark.anyio
FINE = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok"
Talk = list[list[bytes]]
"""The bodies of the requests that came on each connection."""


@asynccontextmanager
async def saying(*answers: bytes, then_close: bool = False) -> AsyncGenerator[tuple[str, Talk]]:
    """A server that gives these answers one after the other, on whatever connection asks; the last for ever."""
    left = list(answers)
    talk: Talk = []

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        heard: list[bytes] = []
        talk.append(heard)
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                (size,) = [
                    int(line[15:]) for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")
                ]
                heard.append(await reader.readexactly(size))
                writer.write(left.pop(0) if len(left) > 1 else left[0])
                await writer.drain()
                if then_close:
                    return
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async with listening(serve) as port:
        yield f"http://127.0.0.1:{port}", talk


async def asked(
    transport: PlainTransport, url: str, body: bytes = b"{}", read: float | None = 5.0
) -> tuple[int, bytes]:
    timeout = {"connect": 5.0, "write": 5.0, "read": read}
    request = httpx.Request("POST", f"{url}/x", content=body, extensions={"timeout": timeout})
    response = await transport.handle_async_request(request)
    try:
        assert isinstance(response.stream, httpx.AsyncByteStream)
        return response.status_code, b"".join([piece async for piece in response.stream])
    finally:
        await response.aclose()


@asynccontextmanager
async def opened() -> AsyncGenerator[PlainTransport]:
    transport = PlainTransport()
    try:
        yield transport
    finally:
        await transport.aclose()


async def test_a_connection_whose_answers_end_exactly_is_used_again() -> None:
    chunked = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n2\r\nok\r\n0\r\n\r\n"
    async with saying(FINE, chunked, FINE) as (url, talk), opened() as transport:
        assert [await asked(transport, url, body) for body in (b"1", b"2", b"3")] == [(200, b"ok")] * 3
        assert talk == [[b"1", b"2", b"3"]]


@pytest.mark.parametrize(
    "answer",
    [
        FINE + b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\nevil",  # would be taken for the next answer
        FINE.replace(b"content-length", b"Connection: Close\r\ncontent-length"),
        FINE.replace(b"HTTP/1.1", b"HTTP/1.0"),
    ],
)
async def test_no_other_connection_is(answer: bytes) -> None:
    async with saying(answer, FINE) as (url, talk), opened() as transport:
        assert [await asked(transport, url), await asked(transport, url)] == [(200, b"ok")] * 2
        assert [len(heard) for heard in talk] == [1, 1]


async def test_one_that_the_server_has_closed_is_not_used_again() -> None:
    async with saying(FINE, then_close=True) as (url, talk), opened() as transport:
        for _ in range(3):
            assert await asked(transport, url) == (200, b"ok")
            await anyio.wait_all_tasks_blocked()
        assert len(talk) == 3


async def test_one_that_speaks_another_language_now_is_not_used_again() -> None:
    switched = b"HTTP/1.1 101 Switching Protocols\r\nupgrade: x\r\nconnection: upgrade\r\n\r\n"
    async with saying(switched, FINE) as (url, talk), opened() as transport:
        assert [await asked(transport, url), await asked(transport, url)] == [(101, b""), (200, b"ok")]
        assert [len(heard) for heard in talk] == [1, 1]


@pytest.mark.parametrize("first", ["we", "the server"])
async def test_what_is_kept_is_closed_although_nobody_asks_again(first: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """After its time, or soon after the server has closed it: no socket is left half open."""
    monkeypatch.setattr(plainhttp, "_KEPT_S" if first == "we" else "_LOOK_S", 0.02)
    ended = anyio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n{}")
        writer.write(FINE)
        if first == "the server":
            writer.write_eof()
        assert await reader.read() == b""
        ended.set()
        writer.close()

    async with listening(serve) as port, opened() as transport:
        assert await asked(transport, f"http://127.0.0.1:{port}") == (200, b"ok")
        with anyio.fail_after(2.5):
            await ended.wait()


async def test_a_refusal_before_all_was_sent_is_heard() -> None:
    heard = anyio.Event()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 413 x\r\ncontent-length: 3\r\n\r\nbig")
        await heard.wait()
        writer.close()

    async with listening(serve) as port, opened() as transport:
        url = f"http://127.0.0.1:{port}"
        assert await asked(transport, url, b"x" * 20_000_000) == (413, b"big")
        heard.set()
        assert await asked(transport, url, b"x" * 20_000_000) == (413, b"big")  # on a connection of its own


async def test_a_request_of_any_length_is_sent_whole() -> None:
    async with saying(FINE) as (url, talk), opened() as transport:
        bodies = [b"x" * 8_000_000, b"y" * 70_000, b"z"]
        assert [await asked(transport, url, body) for body in bodies] == [(200, b"ok")] * 3
        assert talk == [bodies]


async def test_an_answer_that_is_left_early_ends_its_connection() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf", FINE) as (url, talk), opened() as transport:
        request = httpx.Request("POST", f"{url}/x", content=b"{}")
        await (await transport.handle_async_request(request)).aclose()
        assert await asked(transport, url) == (200, b"ok")
        assert len(talk) == 2


async def test_heads_that_come_before_the_answer_are_passed_over() -> None:
    earlier = b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n"
    async with saying(earlier + FINE) as (url, _), opened() as transport:
        assert await asked(transport, url) == (200, b"ok")


@pytest.mark.parametrize(
    ("answers", "wanted"),
    [
        ([b"hello"], httpx.RemoteProtocolError),
        ([b""], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 100 Continue\r\n\r\n" * 50], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nhalf"], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n"], httpx.RemoteProtocolError),
        ([b"HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n\r\n"], httpx.RemoteProtocolError),
    ],
)
async def test_what_is_no_answer_is_the_clients_own_error(answers: Sequence[bytes], wanted: type[Exception]) -> None:
    async with saying(*answers, then_close=True) as (url, _), opened() as transport:
        with pytest.raises(wanted):
            await asked(transport, url)


async def test_silence_and_nobody_there_are_the_clients_own_errors() -> None:
    async with saying(b"HTTP/1.1 200 OK\r\n") as (url, _), opened() as transport:
        with pytest.raises(httpx.ReadTimeout):
            await asked(transport, url, read=0.05)
    async with opened() as transport:
        with pytest.raises(httpx.ConnectError):
            await asked(transport, url)


async def test_many_at_once_keep_their_answers_apart() -> None:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(4)
                writer.write(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n4\r\n" + body + b"\r\n0\r\n\r\n")
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    found: dict[int, bytes] = {}
    async with listening(echo) as port, opened() as transport:

        async def one(number: int) -> None:
            for _ in range(3):
                found[number] = (await asked(transport, f"http://127.0.0.1:{port}", b"%04d" % number))[1]

        async with anyio.create_task_group() as group:
            for number in range(40):
                group.start_soon(one, number)
    assert found == {number: b"%04d" % number for number in range(40)}
