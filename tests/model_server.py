"""A model server on loopback whose every answer a test writes beforehand, in the words of two protocols.

It lists its models and then gives one reply after the other, the last one for ever: streamed where it is asked to, and
in Ollama's words unless it is asked not to. What it was sent is kept.
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
NOW = 1_790_000_000


@dataclass(frozen=True)
class Reply:
    """One answer.

    Attributes:
        pieces: what the model writes, piece by piece.
        status: other than 200: an error with `headers` and no pieces, in the words `said`.
        ending: `whole`, or what happens behind the pieces instead: `reset`, `stall`, `cut`.
        hold: nothing is said before this is set.
        used: the tokens that it reports, in OpenAI's words; None where it reports none. Of a long prompt it reports a
            count to match, unless a test says another.
        calls: tools that the model calls, with the arguments as an object, or as a text that is none.
    """

    pieces: tuple[str, ...] = ("done",)
    status: int = 200
    headers: tuple[str, ...] = ()
    ending: str = "whole"
    stop: str = "stop"
    hold: anyio.Event | None = None
    used: dict[str, Any] | None = field(default_factory=lambda: dict(USAGE))
    model: str = "m"
    calls: tuple[tuple[str, object], ...] = ()
    said: str = "no"


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
        return "\n".join(message["content"] or "" for message in self.asked["messages"])

    @property
    def results(self) -> list[str]:
        """What tools gave, in order."""
        return [message["content"] for message in self.asked["messages"] if message["role"] == "tool"]

    @property
    def offered(self) -> list[str]:
        """The tools that it may call."""
        return [tool["function"]["name"] for tool in self.asked.get("tools", [])]


@dataclass
class ModelServer:
    """The server as a test sees it."""

    replies: list[Reply] = field(default_factory=list[Reply])
    models: tuple[str, ...] = ("m",)
    window: int = 32768
    tools: bool = False
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
    *replies: Reply,
    models: Sequence[str] = ("m",),
    window: int = 32768,
    tools: bool = False,
    tls: ssl.SSLContext | None = None,
) -> AsyncGenerator[ModelServer]:
    """A server that runs until the block ends.

    Args:
        replies: one after the other.
        models: what it has.
        window: of each.
        tools: whether they can call any.
        tls: with a context it speaks TLS.
    """
    server = ModelServer(list(replies) or [Reply()], tuple(models), window, tools)
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
        return {
            "model_info": {"x.context_length": server.window},
            "capabilities": ["completion", *(["tools"] if server.tools else [])],
        }
    entry = {"object": "model", "created": NOW, "owned_by": "vllm", "max_model_len": server.window}
    return {"object": "list", "data": [{"id": name, **entry} for name in server.models]}


async def _write(writer: asyncio.StreamWriter, status: int, body: bytes, headers: Sequence[str] = ()) -> None:
    told = ("Content-Type: application/json", f"Content-Length: {len(body)}", "Connection: close")
    lines = [f"HTTP/1.1 {status} x", *told, *headers, "", ""]
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
        chat = {"message": reply.said, "type": "error", "param": None, "code": None}
        error = {"error": reply.said if path == "/api/chat" else chat}
        await _write(writer, reply.status, json.dumps(error).encode(), reply.headers)
        return
    ollama = path == "/api/chat"
    if not server.heard[-1].asked.get("stream", ollama):
        await _write(writer, 200, json.dumps(_ollama_whole(reply) if ollama else _chat_whole(reply)).encode())
        return
    kind = "application/x-ndjson" if ollama else "text/event-stream"
    head = f"HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    writer.write(head.encode())
    for line in _ollama_lines(reply) if ollama else _chat_lines(reply):
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


def _stamp(reply: Reply) -> dict[str, Any]:
    return {"model": reply.model, "created_at": "2026-11-20T14:00:00.123456Z"}


def _ollama_calls(reply: Reply) -> list[dict[str, Any]]:
    return [{"function": {"name": name, "arguments": arguments}} for name, arguments in reply.calls]


def _ollama_end(reply: Reply, message: dict[str, Any]) -> dict[str, Any]:
    used = reply.used or {}
    counts = {"prompt_eval_count": used.get("prompt_tokens"), "eval_count": used.get("completion_tokens")}
    said = {"role": "assistant", "content": "", **message}
    return {**_stamp(reply), "message": said, "done": True, "done_reason": reply.stop, **counts}


def _ollama_whole(reply: Reply) -> dict[str, Any]:
    calls = {"tool_calls": _ollama_calls(reply)} if reply.calls else {}
    return _ollama_end(reply, {"content": "".join(reply.pieces), **calls})


def _ollama_lines(reply: Reply) -> list[bytes]:
    said: list[dict[str, Any]] = [{"content": piece} for piece in reply.pieces]
    said += [{"content": "", "tool_calls": [call]} for call in _ollama_calls(reply)]
    chunks = [{**_stamp(reply), "message": {"role": "assistant", **one}, "done": False} for one in said]
    chunks += [_ollama_end(reply, {})] if reply.ending == "whole" else []
    return [json.dumps(chunk).encode() + b"\n" for chunk in chunks]


def _chat_usage(reply: Reply) -> dict[str, Any] | None:
    if reply.used is None:
        return None
    counted = [reply.used.get(name) for name in ("prompt_tokens", "completion_tokens")]
    total = sum(count for count in counted if isinstance(count, int))
    return {**reply.used, "total_tokens": total}


def _arguments(arguments: object) -> str:
    return arguments if isinstance(arguments, str) else json.dumps(arguments)


def _chat_whole(reply: Reply) -> dict[str, Any]:
    message: dict[str, Any] = {"role": "assistant", "content": "".join(reply.pieces) or None, "refusal": None}
    if reply.calls:
        message["tool_calls"] = [
            {"id": f"x{index}", "type": "function", "function": {"name": name, "arguments": _arguments(arguments)}}
            for index, (name, arguments) in enumerate(reply.calls)
        ]
    choice = {"index": 0, "message": message, "finish_reason": reply.stop, "logprobs": None}
    base = {"id": "chatcmpl-1", "object": "chat.completion", "created": NOW, "model": reply.model}
    return {**base, "choices": [choice], "usage": _chat_usage(reply)}


def _chat_lines(reply: Reply) -> list[bytes]:
    deltas: list[dict[str, Any]] = [{"content": piece} for piece in reply.pieces]
    for index, (name, arguments) in enumerate(reply.calls):
        text = _arguments(arguments)
        begun = {"index": index, "id": f"x{index}", "type": "function", "function": {"name": name, "arguments": ""}}
        parts = ({"index": index, "function": {"arguments": part}} for part in (text[:5], text[5:]))
        deltas += [{"tool_calls": [call]} for call in (begun, *parts)]
    choices: list[dict[str, Any]] = [{"index": 0, "delta": delta, "finish_reason": None} for delta in deltas]
    choices += [{"index": 0, "delta": {}, "finish_reason": reply.stop}] if reply.ending == "whole" else []
    base = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": NOW, "model": reply.model}
    chunks: list[dict[str, Any]] = [{**base, "choices": [choice]} for choice in choices]
    if reply.ending == "whole" and reply.used is not None:
        chunks.append({**base, "choices": [], "usage": _chat_usage(reply)})
    lines = [b"data: " + json.dumps(chunk).encode() + b"\n\n" for chunk in chunks]
    return [*lines, *([b"data: [DONE]\n\n"] if reply.ending == "whole" else [])]
