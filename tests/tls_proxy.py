"""A reverse proxy on loopback that ends TLS and passes each connection to the next of several servers."""

import asyncio
import ssl
import threading
from collections.abc import Generator, Sequence
from contextlib import contextmanager, suppress
from itertools import cycle


class TlsProxy:
    """What a proxy has to do: pass Host on as it came, say from where a caller comes, hold nothing back.

    Attributes:
        port: where it listens.
    """

    def __init__(self, servers: Sequence[int], tls: ssl.SSLContext) -> None:
        self.port = 0
        self._next = cycle(servers)
        self._tls = tls
        self._ready = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._over = asyncio.Event()

    @classmethod
    @contextmanager
    def before(cls, servers: Sequence[int], tls: ssl.SSLContext) -> Generator["TlsProxy"]:
        proxy = cls(servers, tls)
        thread = threading.Thread(target=proxy._run)
        thread.start()
        proxy._ready.wait(10)
        try:
            yield proxy
        finally:
            proxy._loop.call_soon_threadsafe(proxy._over.set)
            thread.join()

    def _run(self) -> None:
        asyncio.set_event_loop(self._loop)
        self._loop.run_until_complete(self._serve())
        self._loop.close()

    async def _serve(self) -> None:
        server = await asyncio.start_server(self._met, "127.0.0.1", 0, ssl=self._tls)
        self.port = server.sockets[0].getsockname()[1]
        self._ready.set()
        await self._over.wait()
        server.close()
        others = asyncio.all_tasks() - {asyncio.current_task()}
        await asyncio.gather(*others, return_exceptions=True)

    async def _met(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            first, _, rest = head.partition(b"\r\n")
            peer = writer.get_extra_info("peername")[0]
            added = f"\r\nX-Forwarded-For: {peer}\r\nX-Forwarded-Proto: https\r\nConnection: close\r\n".encode()
            inner, outer = await asyncio.open_connection("127.0.0.1", next(self._next))
            outer.write(first + added + rest)
            forth = asyncio.create_task(_pump(reader, outer))
            await _pump(inner, writer)
            forth.cancel()
            await _closed(outer)
        await _closed(writer)


async def _closed(writer: asyncio.StreamWriter) -> None:
    writer.close()
    with suppress(OSError):
        await writer.wait_closed()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(OSError):
        while data := await reader.read(65536):
            writer.write(data)
            await writer.drain()
