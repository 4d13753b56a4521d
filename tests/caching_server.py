"""Servers of Anthropic's Messages and OpenAI's Responses on loopback that keep prompts and bill for it as documented.

A token is four bytes of the text that stands for a block. What was written stays: no test is as slow as a cache lasts.
"""

import asyncio
import contextlib
import hashlib
import json
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from loopback import listening

LOOK_BACK = 20
"""Blocks before a mark at which Anthropic looks for what it has."""
LEAST = {"anthropic": 512, "openai": 1024}


@dataclass(frozen=True)
class Said:
    """One answer: a text, or the arguments of `read_file`."""

    text: str = "Chapter two says that the parser is written by hand. " * 8
    reads: str | None = None


@dataclass
class CachingServer:
    """The server as a test sees it. `billed` has what each request used, in the words of its protocol."""

    answers: list[Said]
    port: int = 0
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])
    billed: list[dict[str, int]] = field(default_factory=list[dict[str, int]])
    kept: dict[str, set[str]] = field(default_factory=dict[str, set[str]])

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}"

    def next_answer(self) -> Said:
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]


@contextlib.asynccontextmanager
async def serving(*answers: Said) -> AsyncGenerator[CachingServer]:
    """A server that runs until the block ends, and gives one answer after the other, the last one for ever."""
    server = CachingServer(list(answers) or [Said()])
    async with listening(partial(_talk, server)) as server.port:
        yield server


async def _talk(server: CachingServer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
    size = next(int(line.split(":")[1]) for line in head.split("\r\n") if line.lower().startswith("content-length:"))
    sent = await reader.readexactly(size)
    body = json.loads(sent)
    server.bodies.append(json.loads(sent))
    answer = _anthropic(server, body) if head.split(" ")[1] == "/v1/messages" else _openai(server, body)
    writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n".encode() + answer)
    await writer.drain()
    writer.close()


def _sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def _tokens(blocks: Sequence[str]) -> int:
    return sum(map(len, blocks)) // 4


def _prefix(blocks: Sequence[str]) -> str:
    return hashlib.sha256("\0".join(blocks).encode()).hexdigest()


# --------------------------------------------------------------------------------------------------------- Anthropic


def _anthropic(server: CachingServer, body: dict[str, Any]) -> bytes:
    blocks = [json.dumps(tool) for tool in body.get("tools", [])] + [json.dumps(body.get("system", ""))]
    marks: list[int] = []
    for message in body["messages"]:
        content = message["content"]
        for block in [{"type": "text", "text": content}] if isinstance(content, str) else content:
            mark = block.pop("cache_control", None)
            blocks.append(message["role"] + json.dumps(block))
            if mark is not None:
                assert mark == {"type": "ephemeral"}
                assert block["type"] not in ("thinking", "redacted_thinking")
                assert block.get("text", "x")
                marks.append(len(blocks))
    assert len(marks) <= 4
    kept = server.kept.setdefault(body["model"], set())
    found = [
        end for mark in marks for end in range(mark, max(0, mark - LOOK_BACK), -1) if _prefix(blocks[:end]) in kept
    ]
    read = _tokens(blocks[: max(found, default=0)])
    long = [mark for mark in marks if _tokens(blocks[:mark]) >= LEAST["anthropic"]]
    kept.update(_prefix(blocks[:mark]) for mark in long)
    written = max(0, _tokens(blocks[: max(long, default=0)]) - read)
    usage = {
        "input_tokens": _tokens(blocks) - read - written,
        "cache_read_input_tokens": read,
        "cache_creation_input_tokens": written,
        "output_tokens": 100,
    }
    server.billed.append(usage)
    said = server.next_answer()
    block: dict[str, Any] = {"type": "text", "text": said.text}
    if said.reads and body.get("tools"):
        block = {"type": "tool_use", "id": f"toolu_{len(server.bodies)}", "name": "read_file"}
        block["input"] = {"path": said.reads}
    return _sse(
        {"type": "message_start", "message": {"model": body["model"], "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use" if block["type"] == "tool_use" else "end_turn"}},
        {"type": "message_stop"},
    )


# ------------------------------------------------------------------------------------------------------------ OpenAI


def _openai(server: CachingServer, body: dict[str, Any]) -> bytes:
    """As from GPT-5.6 on: what was written is found at a breakpoint alone; one is set unasked, unless that is off."""
    blocks = [json.dumps(tool) for tool in body.get("tools", [])] + [json.dumps(body.get("instructions", ""))]
    marks: list[int] = []
    for item in body["input"]:
        content = item.get("content", "")
        for block in [{"type": "input_text", "text": content}] if isinstance(content, str) else content:
            mark = block.pop("prompt_cache_breakpoint", None)
            blocks.append(json.dumps({**item, "content": block}))
            if mark is not None:
                assert mark == {"mode": "explicit"}
                marks.append(len(blocks))
    options = body.get("prompt_cache_options", {"mode": "implicit"})
    assert options in ({"mode": "implicit"}, {"mode": "explicit"})
    writes = marks[-4:] if options["mode"] == "explicit" else [*marks[-3:], len(blocks)]
    kept = server.kept.setdefault(f"{body['model']} {body.get('prompt_cache_key')}", set())
    read = _tokens(blocks[: max((end for end in range(len(blocks) + 1) if _prefix(blocks[:end]) in kept), default=0)])
    long = [mark for mark in writes if _tokens(blocks[:mark]) >= LEAST["openai"]]
    kept.update(_prefix(blocks[:mark]) for mark in long)
    written = max(0, _tokens(blocks[: max(long, default=0)]) - read)
    details = {"cached_tokens": read, "cache_write_tokens": written}
    server.billed.append({"input_tokens": _tokens(blocks), **details, "output_tokens": 100})
    usage = {"input_tokens": _tokens(blocks), "input_tokens_details": details, "output_tokens": 100}
    said = server.next_answer()
    output: dict[str, Any] = {"type": "message", "content": [{"type": "output_text", "text": said.text}]}
    if said.reads and body.get("tools"):
        arguments = json.dumps({"path": said.reads})
        output = {"type": "function_call", "call_id": f"call_{len(server.bodies)}", "name": "read_file"}
        output["arguments"] = arguments
    response = {"object": "response", "status": "completed", "model": body["model"], "usage": usage, "output": [output]}
    return _sse({"type": "response.completed", "response": response})
