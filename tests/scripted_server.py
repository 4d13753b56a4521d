"""A loopback HTTP server that says exactly what a test tells it to, byte for byte, and notes what it heard."""

import asyncio
import contextlib
import socket
import struct
from collections.abc import AsyncGenerator, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import Enum

from loopback import listening


class Step(Enum):
    RESET = "reset"  # the connection breaks
    STALL = "stall"  # silence until the client goes
    FOREVER = "forever"  # the bytes before it again and again, until the client goes
    DRIP = "drip"  # the same, slowly


@dataclass
class ScriptedServer:
    """What the server heard. Every request gets the whole script on a connection of its own."""

    port: int = 0
    requests: list[bytes] = field(default_factory=list[bytes])
    gone: asyncio.Event = field(default_factory=asyncio.Event)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.port}"


def answer(*pieces: bytes, status: str = "200 OK", headers: Iterable[str] = ()) -> list[bytes]:
    """A chunked HTTP answer: each piece is a chunk and a write of its own."""
    head = [f"HTTP/1.1 {status}", "Transfer-Encoding: chunked", "Connection: close", *headers, "", ""]
    return ["\r\n".join(head).encode(), *(f"{len(p):x}\r\n".encode() + p + b"\r\n" for p in pieces if p), b"0\r\n\r\n"]


@contextlib.asynccontextmanager
async def scripted(
    *script: bytes | Step, routes: Mapping[str, Sequence[bytes | Step]] | None = None
) -> AsyncGenerator[ScriptedServer, None]:
    """Serves the script until the block ends; a path of `routes` has a script of its own."""
    server = ScriptedServer()

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            server.requests.append(await _request(reader))
            path = server.requests[-1].split(b" ")[1].decode() if routes else ""
            said = b""
            for step in (routes or {}).get(path, script):
                if step in (Step.FOREVER, Step.DRIP):
                    await again_and_again(writer, said, 0.02 if step is Step.DRIP else 0)
                if step is Step.STALL:
                    await reader.read()
                    break
                if step is Step.RESET:
                    _break(writer)
                    break
                assert isinstance(step, bytes)
                said = step
                writer.write(step)
                await writer.drain()
                await asyncio.sleep(0)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            server.gone.set()
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async with listening(talk) as server.port:
        yield server


async def again_and_again(writer: asyncio.StreamWriter, said: bytes, pause_s: float) -> None:
    """Says something until the client goes, which ends it as a `ConnectionError`."""
    while not writer.is_closing():
        writer.write(said)
        await writer.drain()
        await asyncio.sleep(pause_s)
    raise ConnectionResetError


async def _request(reader: asyncio.StreamReader) -> bytes:
    first = await reader.readexactly(1)
    if first == b"\x16":  # a TLS greeting
        return first
    head = first + await reader.readuntil(b"\r\n\r\n")
    lengths = [line.split(b":")[1] for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
    return head + await reader.readexactly(int(lengths[0]) if lengths else 0)


def _break(writer: asyncio.StreamWriter) -> None:
    """Closes with a reset instead of an orderly end."""
    connection = writer.get_extra_info("socket")
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
