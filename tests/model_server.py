"""A model server on loopback whose every answer a test writes beforehand, in the words of two protocols.

It lists its models and then gives one reply after the other, the last one for ever. What it was sent is kept.
"""

import asyncio
import contextlib
import json
import socket
import ssl
import struct
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import anyio
from loopback import listening

USAGE = {"prompt_tokens": 40, "completion_tokens": 5}


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        pieces: what the model writes, piece by piece.
        status: other than 200: an error with `headers` and no pieces.
        ending: `whole`, or what happens behind the pieces instead: `reset`, `stall`, `cut`.
        hold: nothing is said before this is set.
        used: the tokens that it reports, in OpenAI's words; None where it reports none. Of a long prompt it reports a
            count to match, unless a test says another.
    """

    pieces: tuple[str, ...] = ("done",)
    status: int = 200
    headers: tuple[str, ...] = ()
    ending: str = "whole"
    stop: str = "stop"
    hold: anyio.Event | None = None
    used: dict[str, Any] | None = field(default_factory=lambda: dict(USAGE))
    model: str = "m"


@dataclass(frozen=True)
class Heard:
    """One request for an answer."""

    path: str
    head: str
    body: bytes

    @property
    def asked(self) -> dict[str, Any]:
        return json.loads(self.body)

    @property
    def text(self) -> str:
        """All that a model would read."""
        return "\n".join(message["content"] for message in self.asked["messages"])


@dataclass
class ModelServer:
    """The server as a test sees it."""

    replies: list[Reply] = field(default_factory=list[Reply])
    models: tuple[str, ...] = ("m",)
    window: int = 32768
    port: int = 0
    heard: list[Heard] = field(default_factory=list[Heard])
    listed: int = 0
    asked: asyncio.Event = field(default_factory=asyncio.Event)
    left: asyncio.Event = field(default_factory=asyncio.Event)
    """`asked`: somebody asked for an answer. `left`: somebody went before it was whole."""

    @property
    def heard_text(self) -> str:
        """The bodies of all that was asked of it."""
        return "\n".join(request.body.decode() for request in self.heard)

    @property
    def root(self) -> str:
        """The address for Ollama's protocol."""
        return f"http://127.0.0.1:{self.port}"

    @property
    def v1(self) -> str:
        """The address for chat completions."""
        return f"{self.root}/v1"

    def next_reply(self) -> Reply:
        return self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]


@contextlib.asynccontextmanager
async def serving(
    *replies: Reply, models: Sequence[str] = ("m",), window: int = 32768, tls: ssl.SSLContext | None = None
) -> AsyncGenerator[ModelServer]:
    """A server that runs until the block ends. With a context it speaks TLS."""
    server = ModelServer(list(replies) or [Reply()], tuple(models), window)
    async with listening(partial(_talk, server), tls) as server.port:
        yield server


def unused_port() -> int:
    """A port where nothing listens."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        return taken.getsockname()[1]


async def _talk(server: ModelServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    try:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        lengths = [line.split(":")[1] for line in head.split("\r\n") if line.lower().startswith("content-length:")]
        body = await reader.readexactly(int(lengths[0]) if lengths else 0)
        path = head.split(" ")[1]
        if path in ("/api/chat", "/v1/chat/completions"):
            server.heard.append(Heard(path, head, body))
            server.asked.set()
            await _answer(server, _counted(server.next_reply(), len(body)), path, (reader, writer))
        else:
            server.listed += 1
            await _write(writer, 200, json.dumps(_facts(server, path)).encode())
    except (ConnectionError, asyncio.IncompleteReadError):
        pass
    finally:
        writer.close()
        with contextlib.suppress(ConnectionError):
            await writer.wait_closed()


def _counted(reply: Reply, size: int) -> Reply:
    if reply.used != USAGE:
        return reply
    return replace(reply, used={**USAGE, "prompt_tokens": max(USAGE["prompt_tokens"], size // 4)})


def _facts(server: ModelServer, path: str) -> dict[str, Any]:
    if path == "/api/tags":
        return {"models": [{"name": name, "model": name} for name in server.models]}
    if path == "/api/show":
        return {"model_info": {"x.context_length": server.window}, "capabilities": ["completion"]}
    return {"data": [{"id": name, "max_model_len": server.window} for name in server.models]}


async def _write(writer: asyncio.StreamWriter, status: int, body: bytes, headers: Sequence[str] = ()) -> None:
    lines = [f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close", *headers, "", ""]
    writer.write("\r\n".join(lines).encode() + body)
    await writer.drain()


async def _answer(
    server: ModelServer, reply: Reply, path: str, ends: tuple[asyncio.StreamReader, asyncio.StreamWriter]
) -> None:
    reader, writer = ends
    if reply.hold is not None:
        gone = asyncio.create_task(reader.read())
        held = asyncio.create_task(reply.hold.wait())
        await asyncio.wait((gone, held), return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, held):
            task.cancel()
    if reply.status != 200:
        await _write(writer, reply.status, b'{"error": {"message": "no"}}', reply.headers)
        return
    writer.write(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n")
    for line in _lines(reply, ollama=path == "/api/chat"):
        writer.write(f"{len(line):x}\r\n".encode() + line + b"\r\n")
        await writer.drain()
        await asyncio.sleep(0)
    if reply.ending == "stall":
        await reader.read()
        server.left.set()
    elif reply.ending == "reset":
        connection = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
    else:
        writer.write(b"0\r\n\r\n")
        await writer.drain()


def _lines(reply: Reply, *, ollama: bool) -> list[bytes]:
    if ollama:
        said = [{"message": {"content": piece}, "done": False} for piece in reply.pieces]
        end = {"message": {"content": ""}, "done": True, "done_reason": reply.stop, "model": reply.model}
        used = reply.used or {}
        counts = {"prompt_eval_count": used.get("prompt_tokens"), "eval_count": used.get("completion_tokens")}
        chunks: list[dict[str, Any]] = [*said, *([{**end, **counts}] if reply.ending == "whole" else [])]
        return [json.dumps(chunk).encode() + b"\n" for chunk in chunks]
    chunks = [{"model": reply.model, "choices": [{"index": 0, "delta": {"content": p}}]} for p in reply.pieces]
    if reply.ending == "whole":
        chunks.append({"choices": [{"index": 0, "delta": {}, "finish_reason": reply.stop}]})
        chunks += [] if reply.used is None else [{"choices": [], "usage": reply.used}]
    lines = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    return [*lines, *([b"data: [DONE]\n\n"] if reply.ending == "whole" else [])]
