"""Remote models of every vendor's protocol, asked through both gates, by a server on loopback that speaks it."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any, NamedTuple

import pytest
from loopback import listening
from model_server import Reply
from model_server import serving as model_serving
from vendor_answers import ANTHROPIC, GEMINI, RESPONSES, SIGNATURE, Call, Said, Words
from workbench import ALLOWED, Bench, default, done, only, reports

from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.modelref import BUILTIN_PROVIDERS, DECLARED_KINDS, PROTOCOL_KIND
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort
from smista_mcp.dispatch.connections import PROTOCOLS

pytestmark = pytest.mark.anyio

FILE = "def answer():\n    return 41 + 1\n"


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
    """

    provider: str
    model: str
    variable: str
    path: str
    header: tuple[str, str]
    words: Words
    effort: tuple[tuple[str, ...], object]

    def answer(self, text: str, call: Call | None = None) -> bytes:
        """Words, or a call with the reasoning that led to it."""
        said = Said((text,)) if call is None else Said((), thought=("I look first",), calls=(call,))
        return self.words.streamed(said)


VENDORS = (
    Vendor(
        "anthropic",
        "claude-opus-5",
        "ANTHROPIC_API_KEY",
        "/v1/messages",
        ("x-api-key", "vendor-key"),
        ANTHROPIC,
        (("output_config", "effort"), "high"),
    ),
    Vendor(
        "openai",
        "gpt-5.5",
        "OPENAI_API_KEY",
        "/responses",
        ("authorization", "Bearer vendor-key"),
        RESPONSES,
        (("reasoning", "effort"), "high"),
    ),
    Vendor(
        "gemini",
        "gemini-3.5-flash",
        "GEMINI_API_KEY",
        "/v1beta/models/gemini-3.5-flash:streamGenerateContent?alt=sse",
        ("x-goog-api-key", "vendor-key"),
        GEMINI,
        (("generationConfig", "thinkingConfig", "thinkingLevel"), "high"),
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
    call = Call("read_file", {"path": "src/answer.py"})
    async with serving(vendor.answer("", call), vendor.answer("It is 42.")) as server:
        app = bench.app(policy(vendor, server), **{vendor.variable: "vendor-key"})
        answer = await done(app, Task(text="review how the answer is computed in src", effort=Effort.HIGH))

    assert only(answer).answer == "It is 42."
    first, second = (request.body.decode() for request in server.requests)
    assert SIGNATURE not in first
    assert SIGNATURE in second
    assert "41 + 1" in second


@pytest.mark.parametrize("model", ["openai-compat:a/m", "ollama/m"])
async def test_a_call_without_a_word_beside_it_is_followed_at_every_remote_server(model: str, bench: Bench) -> None:
    bench.write("src/answer.py", FILE)
    call = Reply((), calls=(("read_file", {"path": "src/answer.py"}),))
    async with model_serving(call, Reply(("It is 42.",)), tools=True) as server:
        name, url = (model.partition("/")[0], server.root if model.startswith("ollama") else server.v1)
        remote = f'[providers."{name}"]\nbase_url = "{url}"\nlocality = "remote"\n'
        facts = f'[catalog."{model}"]\ncapabilities = {{ tools = true }}\n'
        app = bench.app(ALLOWED + default(model) + remote + facts)
        answer = await done(app, Task(text="review how the answer is computed in src"))
    assert (only(answer).answer, only(answer).code) == ("It is 42.", None)
    assert [len(request.results) for request in server.heard] == [0, 1]


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


FOREIGN = (SIGNATURE, "toolu_0", "call_0", "fc_0", "rs_1")
"""What only the vendor that said it understands."""


@pytest.mark.parametrize("start", range(len(VENDORS)))
async def test_a_session_goes_on_with_another_vendor_in_another_process(bench: Bench, start: int) -> None:
    bench.write("src/answer.py", FILE)
    call = Call("read_file", {"path": "src/answer.py"})
    order = (*VENDORS[start:], *VENDORS[:start])
    session, said = "new", list[str]()
    for number, vendor in enumerate(order):
        async with serving(vendor.answer("", call), vendor.answer(f"It is {number}.")) as server:
            app = bench.app(policy(vendor, server), **{vendor.variable: "vendor-key"})
            text = "Review how the answer is computed in src" if number == 0 else "Review your answer again"
            answer = await done(app, Task(text=text, effort=Effort.HIGH, session=session))
        assert only(answer).answer == f"It is {number}."
        session = answer.session or ""
        first, second = (request.body.decode() for request in server.requests)
        assert [one in first for one in said] == [True] * number
        assert [foreign for foreign in FOREIGN if foreign in first] == []
        assert SIGNATURE in second
        said.append(f"It is {number}.")


async def test_a_fallback_is_told_nothing_that_only_the_one_before_it_understands(bench: Bench) -> None:
    bench.write("src/answer.py", FILE)
    call = Call("read_file", {"path": "src/answer.py"})
    before, after, _ = VENDORS
    async with serving(before.answer("", call), b"nonsense") as first, serving(after.answer("It is 42.")) as second:
        route = default(f"{before.provider}/{before.model}", f"{after.provider}/{after.model}")
        places = [
            f'[providers.{v.provider}]\nbase_url = "http://127.0.0.1:{s.port}"\n'
            for v, s in ((before, first), (after, second))
        ]
        app = bench.app(ALLOWED + route + "".join(places), **{v.variable: "vendor-key" for v in (before, after)})
        answer = await done(app, Task(text="review how the answer is computed in src", effort=Effort.HIGH))
    assert (only(answer).answer, only(answer).model) == ("It is 42.", f"{after.provider}/{after.model}")
    (request,) = second.requests
    assert [foreign for foreign in FOREIGN if foreign in request.body.decode()] == []
