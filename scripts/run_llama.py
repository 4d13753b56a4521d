"""Ask a real llama.cpp server in three protocols: chat completions, OpenAI's Responses, Anthropic's Messages.

    python scripts/run_llama.py [--model FILE.gguf] [--window 2048]
    python scripts/run_llama.py --base-url http://127.0.0.1:8080 [--key KEY]

Without an address it starts the server that comes with the extra `local`, on FILE or on a tiny model with random
weights that is made here (extra `test`): its answers are noise, its manners are real.

For each protocol, through the adapter and the sender: an answer streamed and whole, a length stop, tools offered,
tools called (forced: whether a small model calls any by itself is its own affair), calls and their results sent back,
a prompt beyond the window, a wrong key. Then through `smista-mcp dispatch` as a process: an answer with its usage, a
length stop, a prompt beyond a window that the policy states too large, and an interrupted dispatch: it has to end
within two seconds and leave the server free. One line a check, exit status 1 where any failed.
"""

import argparse
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, NamedTuple

import anyio
import anyio.to_thread

ROOT = Path(__file__).parents[1]
sys.path[:0] = [str(ROOT / "tests"), str(ROOT)]

from decoding import heard  # noqa: E402
from tiny_gguf import write_tiny_gguf  # noqa: E402

from smista_mcp.core.values import Effort  # noqa: E402
from smista_mcp.errors import ProviderError  # noqa: E402
from smista_mcp.providers.anthropic import Anthropic  # noqa: E402
from smista_mcp.providers.base import (  # noqa: E402
    CompletionRequest,
    Finished,
    Message,
    TextDelta,
    Timeouts,
    ToolCall,
    ToolSpec,
    WireProtocol,
    WireRequest,
)
from smista_mcp.providers.llamacpp import EmbeddedServer, EmbeddedSettings  # noqa: E402
from smista_mcp.providers.openai_compat import OpenAiCompat  # noqa: E402
from smista_mcp.providers.openai_responses import OpenAiResponses  # noqa: E402
from smista_mcp.providers.sender import Sender  # noqa: E402
from smista_mcp.providers.targets import LocalTarget  # noqa: E402

PATIENCE = Timeouts(first_byte_s=300.0, idle_s=300.0)
SHORT = 24
TOOL = ToolSpec(
    "read_file", "Reads a file.", {"type": "object", "properties": {"path": {"type": "string", "enum": ["a.py"]}}, "required": ["path"]}
)
ASKED = "What is a unit test? Answer in one short sentence."


class Shape(NamedTuple):
    """A protocol as the server speaks it.

    Attributes:
        provider: as a policy declares it.
        variable: of its key.
        path: behind the server's address.
        forced: what makes the server's model call a tool.
    """

    name: str
    protocol: WireProtocol
    provider: str
    variable: str
    path: str
    forced: object


SHAPES = (
    Shape("chat", OpenAiCompat(), "openai-compat:llama", "LLAMA_KEY", "/v1", "required"),
    Shape("responses", OpenAiResponses(), "openai", "OPENAI_API_KEY", "/v1", "required"),
    Shape("anthropic", Anthropic(), "anthropic", "ANTHROPIC_API_KEY", "", {"type": "any"}),
)


@dataclass
class Server:
    """Where it is, the key that opens it, what it calls its model, and how much that reads."""

    root: str
    key: str
    model: str
    window: int


@dataclass
class Found:
    """What was found."""

    failed: int = 0
    lines: list[str] = field(default_factory=list[str])

    def note(self, shape: str, what: str, said: str, *, good: bool) -> None:
        self.failed += not good
        print(f"{'ok' if good else 'FAILED':6} {shape:10} {what:28} {said}", flush=True)


def question(server: Server, text: str = ASKED, **more: Any) -> CompletionRequest:  # noqa: ANN401  fields of the request
    """A request with one message and one of the system."""
    messages = (Message("system", "Be brief."), Message("user", text))
    asked = CompletionRequest(server.model, messages, Effort.LOW, max_output_tokens=64, temperature=0.0)
    return replace(asked, **more)


async def streamed(
    shape: Shape, server: Server, asked: CompletionRequest, wire: WireRequest | None = None
) -> tuple[list[str], list[ToolCall], Finished]:
    """The pieces of an answer, its calls and its end, as the sender gives them."""
    async with Sender(time.time) as sender:
        events = [
            event
            async for event in sender.stream(
                wire or shape.protocol.encode(asked),
                shape.protocol.decoder(asked),
                target=LocalTarget(server.root + shape.path, server.key),
                timeouts=PATIENCE,
                protocol=shape.protocol,
            )
        ]
    end = events[-1]
    if not isinstance(end, Finished):
        raise TypeError("an answer without an end")
    return (
        [event.text for event in events if isinstance(event, TextDelta)],
        [event for event in events if isinstance(event, ToolCall)],
        end,
    )


def whole(shape: Shape, server: Server, asked: CompletionRequest) -> tuple[str, list[ToolCall], Finished]:
    """The same answer where no stream is asked for."""
    wire = shape.protocol.encode(asked)
    body = json.dumps({**json.loads(wire.body), "stream": False, "stream_options": None}).encode()
    headers = {**wire.headers, **shape.protocol.authorization(server.key)}
    request = urllib.request.Request(server.root + shape.path + wire.path, body, headers)  # noqa: S310  http
    with urllib.request.urlopen(request, timeout=300) as answer:  # noqa: S310
        return heard(shape.protocol, [answer.read()], asked)


async def failure(shape: Shape, server: Server, asked: CompletionRequest) -> str:
    """The code of the refusal."""
    try:
        await streamed(shape, server, asked)
    except ProviderError as error:
        return f"{error.code} ({error.status})"
    return "answered"


async def on_the_wire(shape: Shape, server: Server, found: Found) -> None:
    """Everything that the adapter has to get right."""
    pieces, _, end = await streamed(shape, server, question(server))
    used = end.usage
    text = "".join(pieces)
    told = f"{len(pieces)} pieces, {used.input_tokens} in, {used.output_tokens} out, {end.stop_reason}, {end.model}"
    good = len(pieces) > 1 and bool(used.input_tokens and used.output_tokens) and bool(end.model and end.request_id)
    found.note(shape.name, "streamed", told, good=good and end.stop_reason in ("stop", "length"))

    again, _, last = await anyio.to_thread.run_sync(whole, shape, server, question(server))
    same = (again, last.stop_reason, last.usage.input_tokens, last.usage.output_tokens)
    good = same == (text, end.stop_reason, used.input_tokens, used.output_tokens)
    found.note(shape.name, "whole, the same", f"{len(again)} characters, {last.usage}", good=good)

    _, _, cut = await streamed(shape, server, question(server, "Count to one thousand.", max_output_tokens=SHORT))
    good = (cut.stop_reason, cut.usage.output_tokens) == ("length", SHORT)
    found.note(shape.name, "length stop", f"{cut.stop_reason} after {cut.usage.output_tokens}", good=good)

    await with_tools(shape, server, found)
    long = question(server, "word " * server.window * 2)
    code = await failure(shape, server, long)
    found.note(shape.name, "beyond the window", code, good=code.startswith("context_window_exceeded"))
    if server.key:
        code = await failure(shape, replace(server, key="no-key-of-ours"), question(server))
        found.note(shape.name, "wrong key", code, good=code == "provider_auth (401)")


async def with_tools(shape: Shape, server: Server, found: Found) -> None:
    """Tools offered, called, and answered."""
    asked = question(server, "Read the file a.py.", tools=(TOOL,), max_output_tokens=256)
    _, _, end = await streamed(shape, server, asked)
    found.note(shape.name, "tools offered", end.stop_reason, good=end.stop_reason != "unknown")
    wire = shape.protocol.encode(asked)
    body = json.dumps({**json.loads(wire.body), "tool_choice": shape.forced}).encode()
    _, calls, end = await streamed(shape, server, asked, replace(wire, body=body))
    made = [(call.name, call.arguments) for call in calls]
    good = end.stop_reason == "tool_calls" and bool(made) and all(call.id for call in calls)
    good = good and made[0][0] == TOOL.name and json.loads(made[0][1]) == {"path": "a.py"}
    found.note(shape.name, "tools called", f"{end.stop_reason}: {made}"[:90], good=good)
    call = calls[0] if calls else ToolCall("call00000", "read_file", '{"path":"a.py"}')
    turns = (*asked.messages, Message("assistant", "", calls=(call,)), Message("tool", "print(1)\n", answers=call))
    pieces, _, end = await streamed(shape, server, replace(asked, messages=turns, max_output_tokens=SHORT))
    told = f"{len(pieces)} pieces, {end.usage.input_tokens} in, {end.stop_reason}"
    found.note(shape.name, "results sent back", told, good=end.stop_reason in ("stop", "length", "tool_calls"))


# ------------------------------------------------------------------------------------------------ the whole product


def policy(shape: Shape, server: Server, catalog: str) -> str:
    """Everything to this server, which the user declares to be local."""
    target = f"{shape.provider}/{server.model}"
    return f"""
[routing.default]
model = "{target}"
[providers."{shape.provider}"]
base_url = "{server.root}{shape.path}"
locality = "local"
api_key = "${{secret:{shape.variable}}}"
[dispatch]
max_retries = 0
[catalog."{target}"]
{catalog}
"""


@dataclass(frozen=True)
class Product:
    """`smista-mcp` with a home of its own."""

    shape: Shape
    server: Server
    folder: Path

    def start(self, catalog: str, *words: str) -> subprocess.Popen[str]:
        """A dispatch as a process."""
        (self.folder / "config.toml").write_text(policy(self.shape, self.server, catalog), encoding="utf-8")
        work = self.folder / "work"
        work.mkdir(exist_ok=True)
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        own = {"SMISTA_HOME": str(self.folder), "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "smista_mcp", "dispatch", "--yes", "--json", "--workspace", str(work), *words],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=kept | own | {self.shape.variable: self.server.key or "none"},
        )

    def told(self, catalog: str, *words: str) -> dict[str, Any]:
        """The phase of a dispatch."""
        out, err = self.start(catalog, *words).communicate(timeout=600)
        try:
            return json.loads(out)["phases"][0]
        except (ValueError, LookupError):
            return {"status": "?", "code": None, "detail": (out + err)[-300:], "answer": None, "usage": None}


def through_dispatch(shape: Shape, server: Server, found: Found) -> None:
    """The same server, asked by the whole product."""
    with tempfile.TemporaryDirectory() as folder:
        product = Product(shape, server, Path(folder))
        window = f"context_window = {server.window}\n"
        one = product.told(f"{window}max_output_tokens = 64", ASKED)
        told = f"{one['status']} {one['code'] or ''} {one['usage']}"
        good = one["status"] == "completed" and bool(one["answer"]) and bool(one["usage"])
        found.note(shape.name, "dispatch", told, good=good)

        cut = product.told(f"{window}max_output_tokens = {SHORT}", "What are the numbers from one to one thousand?")
        detail = re.sub(r"\s+", " ", cut.get("detail") or "")[:90]
        good = bool(cut["answer"]) and "length" in (cut.get("detail") or "")
        found.note(shape.name, "dispatch, length stop", f"{cut['status']} {cut['code'] or ''}: {detail}", good=good)

        (product.folder / "work").mkdir(exist_ok=True)
        (product.folder / "work" / "long.txt").write_text("some more words\n" * server.window, encoding="utf-8")
        large = product.told("context_window = 1000000\nmax_output_tokens = 64", "explain @long.txt")
        good = large["code"] in ("context_window_exceeded", "fallback_exhausted") and not large["answer"]
        detail = re.sub(r"\s+", " ", large.get("detail") or "")[:90]
        found.note(shape.name, "dispatch, beyond the window", f"{large['status']} {large['code']}: {detail}", good=good)
        interrupted(product, found)


def interrupted(product: Product, found: Found) -> None:
    """A dispatch that the user stops in the middle of its answer."""
    catalog = f"context_window = {product.server.window}\nmax_output_tokens = 4000"
    process = product.start(catalog, "What are the numbers from one to ten thousand?")
    try:
        time.sleep(2.5)  # it is answering by then; where it is not, the next question tells the same
        running = process.poll() is None
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=30)
        ended_s = time.monotonic() - began
        one = product.told(f"context_window = {product.server.window}\nmax_output_tokens = 16", ASKED)
        free_s = time.monotonic() - began - ended_s
    finally:
        process.kill()
    told = f"was running: {running}, ended in {ended_s:.1f} s, the next answer after {free_s:.1f} s: {one['status']}"
    found.note(product.shape.name, "dispatch, interrupted", told, good=ended_s < 2 and one["status"] == "completed")


# ----------------------------------------------------------------------------------------------------------- the run


def described(root: str, key: str) -> Server:
    """What a running server says of itself."""
    request = urllib.request.Request(f"{root}/v1/models", headers={"authorization": f"Bearer {key}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        model = json.loads(answer.read())["data"][0]
    request = urllib.request.Request(f"{root}/props", headers={"authorization": f"Bearer {key}"})  # noqa: S310
    with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310
        window = json.loads(answer.read())["default_generation_settings"]["n_ctx"]
    return Server(root, key, model["id"], window)


@asynccontextmanager
async def serving(options: argparse.Namespace, folder: Path) -> AsyncGenerator[Server]:
    """The server that is asked."""
    if options.base_url:
        yield described(options.base_url.rstrip("/"), options.key)
        return
    model = options.model or write_tiny_gguf(folder / "tiny.gguf")
    server = await EmbeddedServer.start(model, options.window, EmbeddedSettings(idle_s=3600.0))
    await server.begin_use()
    try:
        yield described(server.endpoint.base_url.removesuffix("/v1"), server.endpoint.key or "")
    finally:
        await server.stop()


async def run(options: argparse.Namespace) -> int:
    """Runs every check of every protocol; how many failed."""
    found = Found()
    checks: tuple[Callable[[Shape, Server, Found], Awaitable[None]], ...] = (on_the_wire, dispatched)
    with tempfile.TemporaryDirectory() as folder:
        async with serving(options, Path(folder)) as server:
            print(f"{server.model}, a window of {server.window} tokens")
            for shape in SHAPES:
                for check in checks:
                    try:
                        await check(shape, server, found)
                    except (ProviderError, OSError, ValueError, LookupError) as error:
                        found.note(shape.name, check.__name__, f"{error!r}"[:300], good=False)
    print("all as it should be" if not found.failed else f"{found.failed} failed")
    return found.failed


async def dispatched(shape: Shape, server: Server, found: Found) -> None:
    """`through_dispatch`, beside the loop that owns the server."""
    await anyio.to_thread.run_sync(through_dispatch, shape, server, found)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--model", type=Path, help="a GGUF file")
    parser.add_argument("--window", type=int, default=2048, help="of the server that is started here")
    parser.add_argument("--base-url", help="of a llama.cpp server that runs")
    parser.add_argument("--key", default="", help="that opens it")
    return 1 if anyio.run(run, parser.parse_args()) else 0


if __name__ == "__main__":
    sys.exit(main())
