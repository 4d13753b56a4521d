"""A wire protocol of somebody's own, installed as a distribution and spoken with a real server, through both gates."""

import asyncio
import contextlib
import json
import sys
from collections.abc import AsyncGenerator
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from distributions import install
from loopback import listening
from model_server import Reply
from model_server import serving as chatting
from workbench import ALLOWED, Bench, compat, default, done, only, reports

from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort
from smista_mcp.errors import Code

SOURCE = (Path(__file__).parents[1] / "plugins/parley.py").read_text(encoding="utf-8")
MODEL = "protocol:mine/parley-large"
PRICED = f'[catalog."{MODEL}"]\ninput_price = "1"\noutput_price = "10"\ncontext_window = 32768\n'
BYE: dict[str, Any] = {"bye": "done", "spent": {"in": 100, "kept": 0, "out": 10, "mused": 4}}

pytestmark = pytest.mark.anyio


@dataclass
class Server:
    """A server that speaks Parley, and what it heard."""

    port: int = 0
    heads: list[str] = field(default_factory=list[str])
    bodies: list[dict[str, Any]] = field(default_factory=list[dict[str, Any]])


@contextlib.asynccontextmanager
async def parleying(*answers: list[dict[str, Any]], status: int = 200) -> AsyncGenerator[Server]:
    """Gives one answer after the other, each in pieces of seven bytes."""
    server, left = Server(), list(answers)

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode("latin-1")
        length = next(line.split(":")[1] for line in head.lower().split("\r\n") if line.startswith("content-length:"))
        server.heads.append(head)
        server.bodies.append(json.loads(await reader.readexactly(int(length))))
        body = "".join(json.dumps(event, ensure_ascii=False) + "\n" for event in left.pop(0)).encode()
        writer.write(f"HTTP/1.1 {status} x\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n".encode())
        for at in range(0, len(body), 7):
            piece = body[at : at + 7]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        writer.write(b"0\r\n\r\n")
        await writer.drain()
        writer.close()

    async with listening(talk) as server.port:
        yield server


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.chdir(bench.workspace)
    return folder


def offer(site: Path, module: str, source: str = SOURCE, *, version: str = "1.2") -> None:
    """Installs a distribution; each module has a name of its own, because Python loads none twice."""
    protocols = {"parley": f"{module}:PROTOCOL"}
    install(site, {f"{module}.py": source}, name=module, version=version, protocols=protocols)


def declared(server: Server, *, local: bool = False) -> str:
    place = 'locality = "local"\n' if local else 'api_key = "${secret:PARLEY_KEY}"\n'
    return f'[providers."protocol:mine"]\ntype = "parley"\nbase_url = "http://127.0.0.1:{server.port}/own"\n{place}{PRICED}'


async def test_a_task_is_done_in_it(bench: Bench, site: Path) -> None:
    offer(site, "parley_done")
    bench.write("src/answer.py", "def answer():\n    return 41 + 1\n")
    async with parleying([{"say": "It is "}, {"say": "42."}, BYE]) as server:
        policy = ALLOWED + default(MODEL) + declared(server) + 'effort = { low = "calm", high = "keen" }\n'
        app = bench.app(policy, PARLEY_KEY="made-up")
        answer = await done(app, Task(text="explain @src/answer.py", effort=Effort.XHIGH))

    phase = only(answer)
    assert (phase.status, phase.answer, phase.code) == ("completed", "It is 42.", None)
    assert phase.usage is not None
    assert Decimal(phase.cost or "0") == Decimal("0.0002")
    (head,) = server.heads
    assert head.startswith("POST /own/parley/2 ")
    assert "x-parley-pass: made-up\r\n" in head
    (body,) = server.bodies
    assert (body["to"], body["care"], body["most"] > 0) == ("parley-large", "keen", True)
    assert "41 + 1" in json.dumps(body)
    (report,) = reports(app, answer)
    assert report.receipt is not None
    assert (report.receipt.effort, report.receipt.effort_ignored) == (Effort.HIGH, Effort.XHIGH)
    assert report.receipt.protocol is not None
    assert report.receipt.protocol.startswith("protocol `parley` (parley_done 1.2)")
    assert report.receipt.path == "/parley/2"


async def test_an_effort_that_nobody_has_stated_is_said_to_be_ignored(bench: Bench, site: Path) -> None:
    offer(site, "parley_ignored")
    async with parleying([{"say": "yes"}, BYE]) as server:
        app = bench.app(ALLOWED + default(MODEL) + declared(server), PARLEY_KEY="made-up")
        answer = await done(app, Task(text="what is a monad?", effort=Effort.HIGH))
    assert "care" not in server.bodies[0]
    (report,) = reports(app, answer)
    assert report.receipt is not None
    assert (report.receipt.effort, report.receipt.effort_ignored) == (None, Effort.HIGH)


@pytest.mark.parametrize("local", [True, False])
async def test_its_models_look_around_with_our_tools(local: bool, bench: Bench, site: Path) -> None:
    offer(site, f"parley_looks_{local}".lower())
    bench.write("src/answer.py", "def answer():\n    return 41 + 1\n")
    want = {"want": {"id": "w1", "do": "read_file", "with": {"path": "src/answer.py"}}}
    async with parleying([want, {**BYE, "bye": "wants"}], [{"say": "It is 42."}, BYE]) as server:
        policy = ALLOWED + default(MODEL) + declared(server, local=local) + "capabilities = { tools = true }\n"
        app = bench.app(policy, PARLEY_KEY="made-up")
        answer = await done(app, Task(text="review how the answer is computed in src"))
    assert only(answer).answer == "It is 42."
    first, second = (json.dumps(body) for body in server.bodies)
    assert "41 + 1" not in first
    assert "41 + 1" in second


async def test_restrictions_hold_for_it(bench: Bench, site: Path) -> None:
    offer(site, "parley_restricted")
    bench.write("secrets/plan.txt", "the canary of this test is yellow\n")
    text = '[privacy]\nrestricted_paths = ["secrets/**"]\n'
    async with parleying([{"say": "no"}, BYE]) as server:
        app = bench.app(text + ALLOWED + default(MODEL) + declared(server), PARLEY_KEY="made-up")
        answer = await done(app, Task(text="explain @secrets/plan.txt"))
    assert only(answer).status == "refused"
    assert server.bodies == []


async def test_a_refusal_is_read_as_it_reads_it(bench: Bench, site: Path) -> None:
    offer(site, "parley_refuses")
    async with parleying([{"oops": "who", "why": "never heard of you"}], status=401) as server:
        app = bench.app(ALLOWED + default(MODEL) + declared(server), PARLEY_KEY="made-up")
        answer = await done(app, Task(text="what is a monad?"))
    assert (only(answer).status, only(answer).code) == ("failed", Code.PROVIDER_AUTH)


WRONG = {
    "smuggles": (
        '= {"to"',
        '= {"hidden": __import__("pathlib").Path(__file__).read_text(), "to"',
        (Code.RESTRICTED_CONTENT, 0),
    ),
    "raises": ("body: dict", "raise SystemExit\n        body: dict", (Code.PROVIDER_PROTOCOL, 0)),
    "forgets": ("if request.max_output_tokens is not None:", "if False:", (Code.PROVIDER_PROTOCOL, 0)),
    "turns": ('"/parley/2"', '"//elsewhere.example/"', (Code.PROVIDER_PROTOCOL, 0)),
    "hosts": ('"x-parley": "2"', '"host": "elsewhere.example"', (Code.PROVIDER_PROTOCOL, 0)),
    "mumbles": ('if "oops" in said:', "if [][0]:", (Code.PROVIDER_PROTOCOL, 1)),
    "lies": ('raise not_of_protocol("is no parley")', 'return (Finished("stop", Usage(-5)),)', (None, 1)),
}


@pytest.mark.parametrize("kind", WRONG)
async def test_what_it_does_wrong_passes_no_gate_and_the_next_candidate_is_asked(
    kind: str, bench: Bench, site: Path
) -> None:
    old, new, (code, asked) = WRONG[kind]
    assert old in SOURCE
    offer(site, f"parley_{kind}", SOURCE.replace(old, new))
    async with parleying([{"say": "It is 42."}, BYE]) as server, chatting(Reply(("another",))) as other:
        policy = ALLOWED + default(MODEL, "openai-compat:b/m") + declared(server) + compat("b", other.v1, local=True)
        app = bench.app(policy, PARLEY_KEY="made-up")
        answer = await done(app, Task(text="what is a monad?"))
    assert len(server.bodies) == asked
    assert only(answer).answer == ("It is 42." if code is None else "another")
    if asked and code:
        assert [(row[0], row[2]) for row in bench.attempts(answer)] == [(MODEL, code), ("openai-compat:b/m", None)]


@pytest.mark.parametrize(
    ("kind", "source"),
    [
        ("old", SOURCE.replace("interface = 1", "interface = 0")),
        ("breaks", f"raise SystemExit(3)\n{SOURCE}"),
        ("other", SOURCE.replace("PROTOCOL = Parley()", "OTHER = Parley()")),
    ],
)
async def test_one_that_cannot_be_spoken_is_no_candidate(kind: str, source: str, bench: Bench, site: Path) -> None:
    offer(site, f"parley_{kind}", source)
    async with parleying() as server, chatting(Reply(("another",))) as other:
        policy = ALLOWED + default(MODEL, "openai-compat:b/m") + declared(server) + compat("b", other.v1, local=True)
        app = bench.app(policy, PARLEY_KEY="made-up")
        (decision,) = (await anyio.to_thread.run_sync(app.route, Task(text="what is a monad?"))).decisions
        answer = await done(app, Task(text="what is a monad?"))
    assert decision.model == only(answer).model == "openai-compat:b/m"
    (rejected,) = decision.rejected
    assert (rejected.model, rejected.code) == (MODEL, Code.PROVIDER_UNAVAILABLE)
    assert "protocol `parley`" in rejected.detail


@pytest.mark.parametrize("layer", [".smista/config.toml", ".smista/local.toml"])
def test_a_workspace_cannot_have_one_loaded(layer: str, bench: Bench, site: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    offer(site, "parley_foreign", f"from pathlib import Path\nPath(r'{ran}').touch()\n{SOURCE}")
    bench.write(layer, default(MODEL) + declared(Server(1)))
    app = bench.app(ALLOWED + default("ollama/x"), PARLEY_KEY="made-up")
    (decision,) = app.route(Task(text="what is a monad?")).decisions
    assert MODEL not in (decision.model, *decision.fallbacks)
    assert not ran.exists()


def test_one_that_a_repository_brings_is_not_run(bench: Bench, monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    source = f"from pathlib import Path\nPath(r'{ran}').touch()\n{SOURCE}"
    install(
        bench.workspace, {"parley_brought.py": source}, name="brought", protocols={"parley": "parley_brought:PROTOCOL"}
    )
    monkeypatch.setattr(sys, "path", [str(bench.workspace), *sys.path])
    monkeypatch.chdir(bench.workspace)
    app = bench.app(ALLOWED + default(MODEL) + declared(Server(1)), PARLEY_KEY="made-up")
    (decision,) = app.route(Task(text="what is a monad?")).decisions
    assert (decision.status, decision.code) == ("refused", Code.PROVIDER_UNAVAILABLE)
    assert not ran.exists()


def test_without_a_model_of_it_in_a_route_nothing_is_loaded(bench: Bench, site: Path, tmp_path: Path) -> None:
    ran = tmp_path / "ran"
    offer(site, "parley_idle", f"from pathlib import Path\nPath(r'{ran}').touch()\n{SOURCE}")
    app = bench.app(ALLOWED + default("ollama/x") + declared(Server(1)), PARLEY_KEY="made-up")
    app.route(Task(text="what is a monad?"))
    assert not ran.exists()
