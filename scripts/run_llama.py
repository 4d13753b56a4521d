"""Ask a real llama.cpp server in three protocols: chat completions, OpenAI's Responses, Anthropic's Messages.

    python scripts/run_llama.py [--model FILE.gguf] [--window 4096]
    python scripts/run_llama.py --base-url http://127.0.0.1:8080 [--key KEY]

Without an address it starts the server that comes with the extra `local`, on FILE or on a tiny model that is made here
(extra `test`): it calls a tool where it is offered any, and says noise otherwise, but its server's manners are real.

For each protocol, through the adapter and the sender: an answer streamed and whole, a length stop, tools called, calls
and their results sent back, a prompt beyond the window, a wrong key. Then through `smista-mcp dispatch` as a process:
an answer with its usage, a length stop, a tool called and answered, a prompt beyond a window that the policy states too
large, and an interrupted dispatch: it has to end within two seconds and leave the server free. One line a check, exit
status 1 where any failed. Whether a model of FILE or of an address calls tools is its own affair, and not judged.
"""

import argparse
import json
import os
import re
import signal
import socket
import socketserver
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, NamedTuple, cast

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
PATHS = {"type": "object", "properties": {"path": {"type": "string"}}, "required": ["path"]}
TOOL = ToolSpec("read_file", "Reads a file.", PATHS)
ASKED = "What is a unit test? Answer in one short sentence."
LONG = "Tell me a very long story about a fox."


class Shape(NamedTuple):
    """A protocol as the server speaks it.

    Attributes:
        provider: as a policy declares it.
        variable: of its key.
        path: behind the server's address.
    """

    name: str
    protocol: WireProtocol
    provider: str
    variable: str
    path: str


SHAPES = (
    Shape("chat", OpenAiCompat(), "openai-compat:llama", "LLAMA_KEY", "/v1"),
    Shape("responses", OpenAiResponses(), "openai", "OPENAI_API_KEY", "/v1"),
    Shape("anthropic", Anthropic(), "anthropic", "ANTHROPIC_API_KEY", ""),
)


@dataclass
class Server:
    """Where it is, the key that opens it, what it calls its model, how much that reads, whether it calls tools."""

    root: str
    key: str
    model: str
    window: int
    calls: bool = False


@dataclass
class Found:
    """What was found."""

    failed: int = 0

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

    _, _, cut = await streamed(shape, server, question(server, LONG, max_output_tokens=SHORT))
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
    """Tools offered, called by a model that does, and answered."""
    asked = question(server, "Read the file a.py.", tools=(TOOL,))
    _, calls, end = await streamed(shape, server, asked)
    made = [(call.name, call.arguments) for call in calls]
    good = end.stop_reason != "unknown"
    if server.calls:
        good = end.stop_reason == "tool_calls" and len(calls) == 1 and bool(calls[0].id)
        good = good and (calls[0].name, json.loads(calls[0].arguments)) == ("read_file", {"path": "a.py"})
    found.note(shape.name, "tools", f"{end.stop_reason}: {made}"[:90], good=good)
    call = calls[0] if calls else ToolCall("call00000", "read_file", '{"path":"a.py"}')
    turns = (*asked.messages, Message("assistant", "", calls=(call,)), Message("tool", "print(1)\n", answers=call))
    pieces, _, end = await streamed(shape, server, replace(asked, messages=turns, max_output_tokens=SHORT))
    told = f"{len(pieces)} pieces, {end.usage.input_tokens} in, {end.stop_reason}"
    found.note(shape.name, "results sent back", told, good=end.stop_reason in ("stop", "length", "tool_calls"))


# ------------------------------------------------------------------------------------------------ the whole product


class Relay(socketserver.ThreadingTCPServer):
    """Stands between the product and the server, counts questions, and can hold an answer up once it has begun."""

    daemon_threads = True

    def __init__(self, root: str) -> None:
        host, _, port = root.rpartition("//")[2].rpartition(":")
        self.upstream = (host, int(port))
        self.holds = False
        self.asked = 0
        self.begun = threading.Event()
        super().__init__(("127.0.0.1", 0), _Passing)
        threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def root(self) -> str:
        """Its address."""
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Passing(socketserver.BaseRequestHandler):
    def handle(self) -> None:
        relay = cast("Relay", self.server)
        with socket.create_connection(relay.upstream) as server:
            back = threading.Thread(target=self._back, args=(relay, server), daemon=True)
            back.start()
            with suppress(OSError):
                while sent := self.request.recv(65_536):
                    relay.asked += sent.startswith(b"POST ")
                    server.sendall(sent)
                server.shutdown(socket.SHUT_RDWR)
            back.join()

    def _back(self, relay: Relay, server: socket.socket) -> None:
        with suppress(OSError):
            while said := server.recv(65_536):
                if relay.holds and relay.begun.is_set():
                    continue
                self.request.sendall(said)
                if b"data:" in said:
                    relay.begun.set()
            self.request.shutdown(socket.SHUT_WR)


def policy(shape: Shape, server: Server, root: str, catalog: str) -> str:
    """Everything to this server, which the user declares to be local."""
    target = f"{shape.provider}/{server.model}"
    return f"""
[routing.default]
model = "{target}"
[providers."{shape.provider}"]
base_url = "{root}{shape.path}"
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
    relay: Relay
    folder: Path

    @property
    def work(self) -> Path:
        """The workspace."""
        return self.folder / "work"

    def start(self, catalog: str, *words: str) -> subprocess.Popen[str]:
        """A dispatch as a process."""
        text = policy(self.shape, self.server, self.relay.root, catalog)
        (self.folder / "config.toml").write_text(text, encoding="utf-8")
        kept = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        own = {"SMISTA_HOME": str(self.folder), "HOME": str(self.folder), "PYTHONPATH": str(ROOT)}
        return subprocess.Popen(
            [sys.executable, "-m", "smista_mcp", "dispatch", "--yes", "--json", "--workspace", str(self.work), *words],
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


def short(phase: dict[str, Any]) -> str:
    """What became of a phase, on one line."""
    return re.sub(r"\s+", " ", f"{phase['status']} {phase['code'] or ''}: {phase.get('detail') or ''}")[:110]


def through_dispatch(shape: Shape, server: Server, found: Found) -> None:
    """The same server, asked by the whole product."""
    with tempfile.TemporaryDirectory() as folder, Relay(server.root) as relay:
        product = Product(shape, server, relay, Path(folder))
        product.work.mkdir()
        (product.work / "a.py").write_text("print(1)\n", encoding="utf-8")
        (product.work / "long.txt").write_text("some more words\n" * server.window, encoding="utf-8")
        window = f"context_window = {server.window}\n"
        one = product.told(f"{window}max_output_tokens = 64", ASKED)
        good = one["status"] == "completed" and bool(one["answer"])
        good = good and bool(one["usage"] and one["usage"]["input_tokens"] and one["usage"]["output_tokens"])
        found.note(shape.name, "dispatch", f"{short(one)} {one['usage']}", good=good)

        cut = product.told(f"{window}max_output_tokens = {SHORT}", LONG)
        good = bool(cut["answer"]) and "length" in (cut.get("detail") or "")
        found.note(shape.name, "dispatch, length stop", short(cut), good=good)

        before = relay.asked
        capable = f"{window}max_output_tokens = 64\ncapabilities = {{ tools = true }}"
        looked = product.told(capable, "--intent", "analyze", "explain how this repository is built")
        rounds = relay.asked - before
        good = bool(looked["answer"]) and (rounds > 1 or not server.calls)
        found.note(shape.name, "dispatch, tools", f"{short(looked)} {rounds} requests", good=good)

        large = product.told("context_window = 1000000\nmax_output_tokens = 64", "explain @long.txt")
        good = large["code"] == "context_window_exceeded" and not large["answer"]
        found.note(shape.name, "dispatch, beyond the window", short(large), good=good)
        interrupted(product, found)
        relay.shutdown()


def interrupted(product: Product, found: Found) -> None:
    """A dispatch that the user stops in the middle of its answer."""
    catalog = f"context_window = {product.server.window}\nmax_output_tokens = 1000"
    product.relay.begun.clear()
    product.relay.holds = True
    process = product.start(catalog, LONG)
    try:
        begun = product.relay.begun.wait(60)
        process.send_signal(signal.SIGINT)
        began = time.monotonic()
        process.communicate(timeout=30)
        ended_s = time.monotonic() - began
        product.relay.holds = False
        one = product.told(f"context_window = {product.server.window}\nmax_output_tokens = 16", ASKED)
    finally:
        process.kill()
    free_s = time.monotonic() - began - ended_s
    told = f"ended in {ended_s:.1f} s, the next answer after {free_s:.1f} s: {one['status']}"
    good = begun and ended_s < 2 and one["status"] == "completed"
    found.note(product.shape.name, "dispatch, interrupted", told, good=good)


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
    model = options.model or write_tiny_gguf(folder / "tiny.gguf", calls=True)
    server = await EmbeddedServer.start(model, options.window, EmbeddedSettings(idle_s=3600.0))
    await server.begin_use()
    try:
        found = described(server.endpoint.base_url.removesuffix("/v1"), server.endpoint.key or "")
        yield replace(found, calls=options.model is None)
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
    parser.add_argument("--window", type=int, default=4096, help="of the server that is started here")
    parser.add_argument("--base-url", help="of a llama.cpp server that runs")
    parser.add_argument("--key", default="", help="that opens it")
    return 1 if anyio.run(run, parser.parse_args()) else 0


if __name__ == "__main__":
    sys.exit(main())
