"""Remote models of every vendor's protocol, asked through both gates, by a server on loopback that speaks it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Callable
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from loopback import listening
from workbench import ALLOWED, Bench, default, done, only, reports

from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.modelref import BUILTIN_PROVIDERS, DECLARED_KINDS, PROTOCOL_KIND
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort
from smista_mcp.dispatch.connections import PROTOCOLS

pytestmark = pytest.mark.anyio

FILE = "def answer():\n    return 41 + 1\n"


def _sse(*events: dict[str, Any]) -> bytes:
    return "".join(f"data: {json.dumps(event)}\n\n" for event in events).encode()


def _anthropic(text: str, call: dict[str, Any] | None = None) -> bytes:
    blocks: list[dict[str, Any]] = []
    if call:
        blocks.append({"type": "thinking", "thinking": "I look first", "signature": "c2lnbmF0dXJl"})
        blocks.append({"type": "tool_use", "id": "toolu_1", "name": call["name"], "input": call["arguments"]})
    else:
        blocks.append({"type": "text", "text": text})
    usage = {"input_tokens": 100, "cache_read_input_tokens": 0, "output_tokens": 10}
    events: list[dict[str, Any]] = [{"type": "message_start", "message": {"model": "claude-x", "usage": usage}}]
    for index, block in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events.append({"type": "content_block_stop", "index": index})
    reason = "tool_use" if call else "end_turn"
    return _sse(*events, {"type": "message_delta", "delta": {"stop_reason": reason}}, {"type": "message_stop"})


def _responses(text: str, call: dict[str, Any] | None = None) -> bytes:
    usage = {"input_tokens": 100, "output_tokens": 10}
    items: list[dict[str, Any]] = [{"type": "message", "content": [{"type": "output_text", "text": text}]}]
    if call:
        arguments = json.dumps(call["arguments"])
        items = [
            {"type": "reasoning", "id": "rs_1", "summary": [], "encrypted_content": "Z2FBQUFB"},
            {"type": "function_call", "call_id": "call_x", "name": call["name"], "arguments": arguments},
        ]
    response = {"object": "response", "status": "completed", "model": "gpt-x", "usage": usage, "output": items}
    return _sse({"type": "response.completed", "response": response})


def _gemini(text: str, call: dict[str, Any] | None = None) -> bytes:
    part: dict[str, Any] = {"text": text}
    if call:
        part = {"functionCall": {"name": call["name"], "args": call["arguments"]}, "thoughtSignature": "c2lnbmF0dXJl"}
    usage = {"promptTokenCount": 100, "candidatesTokenCount": 10}
    return _sse({"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}], "usageMetadata": usage})


class Heard(NamedTuple):
    """One request."""

    path: str
    headers: dict[str, str]
    body: bytes


@dataclass
class Server:
    """A server and what it heard."""

    port: int = 0
    requests: list[Heard] = field(default_factory=list[Heard])


@contextlib.asynccontextmanager
async def serving(*answers: bytes) -> AsyncGenerator[Server]:
    """Gives one answer after the other until the block ends."""
    server = Server()
    left = list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        first, *lines = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1").split("\r\n")
        headers = {name.lower(): value for name, _, value in (line.partition(": ") for line in lines) if value}
        body = await reader.readexactly(int(headers.get("content-length", 0)))
        server.requests.append(Heard(first.split(" ")[1], headers, body))
        answer = left.pop(0)
        writer.write(f"HTTP/1.1 200 OK\r\nContent-Length: {len(answer)}\r\nConnection: close\r\n\r\n".encode() + answer)
        await writer.drain()
        writer.close()

    async with listening(talk) as server.port:
        yield server


class Vendor(NamedTuple):
    """A vendor's protocol.

    Attributes:
        path: of its requests, behind the server's address.
        header: that carries the key.
        effort: how a high effort is told, by the place in the body.
        carried: what has to come back beside a call.
    """

    provider: str
    model: str
    variable: str
    path: str
    header: tuple[str, str]
    answer: Callable[..., bytes]
    effort: tuple[tuple[str, ...], object]
    carried: str


VENDORS = (
    Vendor(
        "anthropic",
        "claude-opus-5",
        "ANTHROPIC_API_KEY",
        "/v1/messages",
        ("x-api-key", "vendor-key"),
        _anthropic,
        (("output_config", "effort"), "high"),
        "c2lnbmF0dXJl",
    ),
    Vendor(
        "openai",
        "gpt-5.5",
        "OPENAI_API_KEY",
        "/responses",
        ("authorization", "Bearer vendor-key"),
        _responses,
        (("reasoning", "effort"), "high"),
        "Z2FBQUFB",
    ),
    Vendor(
        "gemini",
        "gemini-3.5-flash",
        "GEMINI_API_KEY",
        "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse",
        ("x-goog-api-key", "vendor-key"),
        _gemini,
        (("generationConfig", "thinkingConfig", "thinkingLevel"), "high"),
        "c2lnbmF0dXJl",
    ),
)
vendors = pytest.mark.parametrize("vendor", VENDORS, ids=lambda vendor: vendor.provider)


def policy(vendor: Vendor, server: Server) -> str:
    provider = f'[providers.{vendor.provider}]\nbase_url = "http://127.0.0.1:{server.port}"\n'
    return ALLOWED + default(f"{vendor.provider}/{vendor.model}") + provider


def test_every_kind_of_server_has_its_protocol() -> None:
    assert set(PROTOCOLS) == {*BUILTIN_PROVIDERS, *DECLARED_KINDS} - {CLI_KIND, PROTOCOL_KIND}


@vendors
async def test_a_vendor_is_asked_in_its_own_words(vendor: Vendor, bench: Bench) -> None:
    bench.write("src/answer.py", FILE)
    async with serving(vendor.answer("It is 42.")) as server:
        app = bench.app(policy(vendor, server), **{vendor.variable: "vendor-key"})
        answer = await done(app, Task(text="explain @src/answer.py", effort=Effort.HIGH))

    phase = only(answer)
    assert (phase.status, phase.answer, phase.code) == ("completed", "It is 42.", None)
    assert Decimal(phase.cost or "0") > 0
    (request,) = server.requests
    assert request.path == vendor.path
    name, value = vendor.header
    assert request.headers[name] == value
    told: Any = json.loads(request.body)
    for member in vendor.effort[0]:
        told = told[member]
    assert told == vendor.effort[1]
    assert json.dumps(FILE)[1:-1].encode() in request.body
    (report,) = reports(app, answer)
    assert report.receipt is not None
    assert report.receipt.body_bytes == len(request.body)
    assert (report.receipt.effort, report.receipt.effort_ignored) == (Effort.HIGH, None)


@vendors
async def test_what_a_vendor_wants_back_with_a_call_goes_back(vendor: Vendor, bench: Bench) -> None:
    bench.write("src/answer.py", FILE)
    call = {"name": "read_file", "arguments": {"path": "src/answer.py"}}
    async with serving(vendor.answer("", call), vendor.answer("It is 42.")) as server:
        app = bench.app(policy(vendor, server), **{vendor.variable: "vendor-key"})
        answer = await done(app, Task(text="review how the answer is computed in src", effort=Effort.HIGH))

    assert only(answer).answer == "It is 42."
    first, second = (request.body.decode() for request in server.requests)
    assert vendor.carried not in first
    assert vendor.carried in second
    assert "41 + 1" in second


@vendors
async def test_no_vendor_is_asked_about_a_restricted_file(vendor: Vendor, bench: Bench) -> None:
    bench.write("secrets/plan.txt", "the canary of this test is yellow\n")
    async with serving(vendor.answer("no")) as server:
        text = policy(vendor, server) + '[privacy]\nrestricted_paths = ["secrets/**"]\n'
        app = bench.app(text, **{vendor.variable: "vendor-key"})
        answer = await done(app, Task(text="explain @secrets/plan.txt"))
    assert only(answer).status == "refused"
    assert server.requests == []


@vendors
async def test_every_effort_passes_the_check_at_egress(vendor: Vendor, bench: Bench) -> None:
    async with serving(*[vendor.answer("yes")] * len(Effort)) as server:
        app = bench.app(policy(vendor, server), **{vendor.variable: "vendor-key"})
        async with app.running():
            answers = [await app.dispatch(Task(text="what is a monad?", effort=effort)) for effort in Effort]
    assert [answer.status for answer in answers] == ["completed"] * len(Effort)


async def test_an_effort_that_a_model_does_not_know_is_said_to_be_ignored(bench: Bench) -> None:
    (vendor,) = (one for one in VENDORS if one.provider == "gemini")
    async with serving(vendor.answer("yes")) as server:
        app = bench.app(policy(vendor, server), GEMINI_API_KEY="vendor-key")
        answer = await done(app, Task(text="what is a monad?", effort=Effort.XHIGH))
    (report,) = reports(app, answer)
    assert report.receipt is not None
    assert (report.receipt.effort, report.receipt.effort_ignored) == (Effort.HIGH, Effort.XHIGH)
