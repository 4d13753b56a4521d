"""HTTP/1.1 in the clear, for servers on this machine or in its network, as a transport of the HTTP client.

Such servers write each piece of an answer as a chunk of its own, and the client's own transport takes longer to cut
those than it takes to understand what is in them. What goes over TLS goes through the client's own. This one is
strict: what is no HTTP/1.1 is an error, and only a connection whose last answer ended exactly is used once more.
"""

import asyncio  # noqa: TID251  a task that outlives the request which began it is none of anyio
import select
import sys
from collections.abc import Awaitable, Callable, Generator, Mapping
from contextlib import contextmanager, suppress
from typing import NamedTuple, Self, cast

import anyio
import anyio.abc
import httpx

from smista_mcp.providers.http1 import BadAnswer, Framing, Head, framing_of, read_head, written_head

_READ = 1024 * 1024
"""Bytes that are read at once: more than the event loop takes from a socket, so that nothing waits unseen in it."""
_MAX_EARLIER = 20
"""Heads of the kind 1xx that may come before an answer's own."""
_KEPT = 20
_KEPT_S = 3.0
"""Connections to one server that are kept for the next request, and seconds for which they are: customary servers close
after 5, and a request that meets their close is one of which nobody knows whether it was charged."""
_LOOK_S = 0.5
"""Seconds between two looks for kept connections that are over."""
_AT_ONCE = 64 * 1024
"""Bytes that a socket takes without anybody reading them; of a longer request the server may not want all."""
_SWITCHING = 101


class _Times(NamedTuple):
    """Seconds; None for no limit."""

    connect: float | None
    write: float | None
    read: float | None


class _Connection:
    """A connection with what was read from it and not used yet.

    Attributes:
        until: on the clock of the event loop: how long it is kept.
        hurried: an answer came before all was asked; it serves no other request.
    """

    def __init__(self, stream: anyio.abc.SocketStream) -> None:
        self._stream = stream
        self._surplus = b""
        self.until = 0.0
        self.hurried = False

    @property
    def is_fresh(self) -> bool:
        """Whether it can serve another request: nothing was said on it, and it was not closed."""
        return not self._surplus and anyio.current_time() < self.until and not _is_readable(self._stream)

    async def write(self, data: bytes, limit_s: float | None) -> None:
        with _translated(httpx.WriteTimeout, httpx.WriteError), anyio.fail_after(limit_s):
            await self._stream.send(data)

    async def write_and_hear(self, data: bytes, limit_s: float | None) -> None:
        """Writes until the server says something, for what it says is lost with a connection that it then breaks off.

        What is left to write then goes on being written as long as the connection lives.
        """
        failed: list[httpx.TransportError] = []

        async def hear() -> None:
            with suppress(httpx.TransportError):
                self._surplus = await self.read(None)
            self.hurried = True
            both.cancel_scope.cancel()

        async with anyio.create_task_group() as both:
            both.start_soon(hear)
            try:
                await self.write(data, limit_s)
            except httpx.TransportError as error:  # out of here, or it came out in a group
                failed.append(error)
            both.cancel_scope.cancel()
        if failed and not self._surplus:
            raise failed[0]

    async def read(self, limit_s: float | None) -> bytes:
        """The next bytes; none at the end."""
        if self._surplus:
            data, self._surplus = self._surplus, b""
            return data
        with _translated(httpx.ReadTimeout, httpx.ReadError):
            try:
                if limit_s is None:
                    return await self._stream.receive(_READ)
                with anyio.fail_after(limit_s):
                    return await self._stream.receive(_READ)
            except anyio.EndOfStream:
                return b""

    def unread(self, data: bytes) -> None:
        self._surplus = data

    async def close(self) -> None:
        with suppress(OSError, anyio.BrokenResourceError):
            await self._stream.aclose()


class _Body(httpx.AsyncByteStream):
    """The body of one answer. Closed before its end, it ends its connection."""

    def __init__(
        self, connection: _Connection, framing: Framing, limit_s: float | None, keep: Callable[[], bool]
    ) -> None:
        self._connection = connection
        self._framing = framing
        self._limit_s = limit_s
        self._keep = keep
        self._closed = False

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> bytes:
        framing = self._framing
        try:
            while not framing.done:
                data = await self._connection.read(self._limit_s)
                piece = framing.feed(data) if data else framing.end()
                if piece:
                    return piece
        except BadAnswer as error:
            raise httpx.RemoteProtocolError(str(error)) from None
        raise StopAsyncIteration

    async def aclose(self) -> None:
        if self._closed:
            return
        self._closed = True
        if not (self._framing.done and not self._framing.surplus and self._keep()):
            await self._connection.close()


class PlainTransport(httpx.AsyncBaseTransport):
    """Sends requests in the clear. One instance for many at once; it raises what the client's own transport raises."""

    def __init__(self) -> None:
        self._idle: dict[tuple[str, int], list[_Connection]] = {}
        self._closing: asyncio.Task[None] | None = None

    async def handle_async_request(self, request: httpx.Request) -> httpx.Response:
        """As the client's own transport: `timeout` and `trace` of the request's extensions count."""
        given = cast("Mapping[str, float | None]", request.extensions.get("timeout", {}))
        times = _Times(given.get("connect"), given.get("write"), given.get("read"))
        where = request.url.host, request.url.port or 80
        try:
            data = written_head(request.method, request.url.raw_path, request.headers.raw)
        except ValueError as error:
            raise httpx.LocalProtocolError(str(error)) from None
        if isinstance(request.stream, httpx.AsyncByteStream):
            data = b"".join([data, *[part async for part in request.stream]])
        connection = await self._kept(where) or await _connected(where, times.connect)
        whole = False
        try:
            await self._send(connection, data, times.write, request)
            head = await _head(connection, times.read)
            again = head.persists and head.status >= 200 and not connection.hurried  # below, it speaks another language
            keep = lambda: again and self._keep(where, connection)  # noqa: E731
            body = _Body(connection, framing_of(head), times.read, keep)
            whole = True
        except BadAnswer as error:
            raise httpx.RemoteProtocolError(str(error)) from None
        finally:
            if not whole:
                with anyio.CancelScope(shield=True):
                    await connection.close()
        return httpx.Response(head.status, headers=head.headers, stream=body)

    async def aclose(self) -> None:
        if self._closing is not None:
            self._closing.cancel()
        kept, self._idle = [one for idle in self._idle.values() for one in idle], {}
        for connection in kept:
            await connection.close()

    async def _send(self, connection: _Connection, data: bytes, limit_s: float | None, request: httpx.Request) -> None:
        trace = cast("Callable[[str, object], Awaitable[None]] | None", request.extensions.get("trace"))
        if trace is not None:
            await trace("http11.send_request_headers.started", {})
            await trace("http11.send_request_body.started", {})
        with suppress(httpx.WriteError):  # a server may answer before it has read all, and close
            await (connection.write if len(data) <= _AT_ONCE else connection.write_and_hear)(data, limit_s)
        if trace is not None:
            await trace("http11.send_request_body.complete", {})

    async def _kept(self, where: tuple[str, int]) -> _Connection | None:
        idle = self._idle.get(where, [])
        while idle:
            connection = idle.pop()
            if connection.is_fresh:
                return connection
            await connection.close()
        return None

    def _keep(self, where: tuple[str, int], connection: _Connection) -> bool:
        """Keeps a connection for the next request; whether there is room for it."""
        idle = self._idle.setdefault(where, [])
        if len(idle) >= _KEPT:
            return False
        connection.until = anyio.current_time() + _KEPT_S
        idle.append(connection)
        if self._closing is None or self._closing.done():
            self._closing = asyncio.get_running_loop().create_task(self._close_stale())
        return True

    async def _close_stale(self) -> None:
        """Closes kept connections whose time is over, or which the server has closed; ends when none is left."""
        while self._idle:
            await anyio.sleep(min(_LOOK_S, _KEPT_S))
            stale: list[_Connection] = []
            for where, idle in list(self._idle.items()):
                stale += (over := [one for one in idle if not one.is_fresh])
                idle[:] = [one for one in idle if one not in over]  # the same list: somebody may be looking through it
                if not idle:
                    del self._idle[where]
            for connection in stale:
                await connection.close()


async def _connected(where: tuple[str, int], limit_s: float | None) -> _Connection:
    with _translated(httpx.ConnectTimeout, httpx.ConnectError):
        with anyio.fail_after(limit_s):
            return _Connection(await anyio.connect_tcp(*where))


async def _head(connection: _Connection, limit_s: float | None) -> Head:
    """The answer's own head; what follows it is left to be read."""
    data = b""
    for _ in range(_MAX_EARLIER):
        while (found := read_head(data)) is None:
            more = await connection.read(limit_s)
            if not more:
                raise BadAnswer("the server ended the connection without an answer")
            data += more
        head, data = found
        if head.status >= 200 or head.status == _SWITCHING:
            connection.unread(data)
            return head
    raise BadAnswer("more answers came before the answer than any server gives")


@contextmanager
def _translated(late: type[httpx.TimeoutException], broken: type[httpx.NetworkError]) -> Generator[None]:
    """Turns failures of a connection into those of the HTTP client."""
    try:
        yield
    except TimeoutError as error:
        raise late(str(error)) from error
    except (OSError, anyio.BrokenResourceError, anyio.ClosedResourceError) as error:
        raise broken(str(error)) from error


def _is_readable(stream: anyio.abc.SocketStream) -> bool:
    """Whether a connection on which nothing is awaited has something to read, be it its end."""
    handle = stream.extra(anyio.abc.SocketAttribute.raw_socket).fileno()  # noqa: S610  no query of Django
    if handle < 0:
        return True
    if sys.platform == "win32":
        return bool(select.select([handle], [], [], 0)[0])
    poll = select.poll()
    poll.register(handle, select.POLLIN)
    return bool(poll.poll(0))
