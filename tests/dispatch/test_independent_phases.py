"""Phases that do not all wait for one another: what stops, and what goes on."""

from collections.abc import Sequence
from datetime import UTC, datetime

import anyio.to_thread
import pytest
from model_server import ModelServer, Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama

from smista_mcp.app import App
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.routing import route
from smista_mcp.core.secretscan.memory import Scans
from smista_mcp.core.task import IntentReading, Phase, Task
from smista_mcp.core.values import Confidence, Intent
from smista_mcp.dispatch.allowance import Allowance
from smista_mcp.dispatch.answerfiles import AnswerFiles
from smista_mcp.dispatch.attempts import Tools
from smista_mcp.dispatch.clerk import Clerk
from smista_mcp.dispatch.connections import Connections
from smista_mcp.dispatch.phases import Delivery, PhaseWork, carry_out
from smista_mcp.dispatch.standing import Standing
from smista_mcp.errors import Code
from smista_mcp.providers.llamacpp import EmbeddedServers
from smista_mcp.providers.sender import Sender

pytestmark = pytest.mark.anyio

AT = datetime(2026, 3, 14, tzinfo=UTC)


def phase(index: int, *depends_on: int, intent: Intent = Intent.CHAT) -> Phase:
    reading = IntentReading(name=intent, source="reader", confidence=Confidence.HIGH)
    return Phase(index=index, intent=reading, text=f"question {index}", depends_on=depends_on)


async def carried_out(app: App, phases: Sequence[Phase]) -> tuple[DispatchedPhase, ...]:
    world = app.world
    book = world.book()
    snapshot = await anyio.to_thread.run_sync(world.snapshot, book, world.host(None))
    contexts = [PhaseContext() for _ in phases]
    routed = route(Task(text="questions"), phases, contexts, snapshot)
    async with Sender(lambda: 0.0) as sender, EmbeddedServers() as servers:
        tools = Tools(
            sender=sender,
            connections=Connections(servers, lambda name: None, lambda spec: world.state),
            clerk=Clerk(world.open_ledger()),
            providers=book.policy.providers,
            limits=book.policy.dispatch,
            budgets=(),
            allowance=Allowance(book.policy.budgets, []),
            bounds=Bounds(book.guard, Scans()),
            now=lambda: AT,
            cooldowns=world.cooldowns,
            waits=world.waits,
            key=b"k",
        )
        work = [PhaseWork(one, context, (), None) for one, context in zip(routed, contexts, strict=True)]
        delivery = Delivery(snapshot.market.host, "file", AnswerFiles(world.state / "answers"))
        return await carry_out(tools, work, delivery, Standing())


def asked(server: ModelServer) -> list[str]:
    return [heard.asked["messages"][1]["content"] for heard in server.heard]


async def test_a_failed_phase_stops_only_those_that_wait_for_it(bench: Bench) -> None:
    async with serving(Reply(("one",)), Reply(status=400), Reply(("three",)), Reply(("four",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        done = await carried_out(app, [phase(0), phase(1), phase(2, 1), phase(3, 0), phase(4, 0, 3)])
    assert [one.status for one in done] == ["completed", "failed", "failed", "completed", "completed"]
    assert [one.answer for one in done] == ["one", None, None, "three", "four"]
    assert done[2].code is Code.PROVIDER_INVALID_REQUEST
    assert len(server.heard) == 4


async def test_a_phase_is_told_what_it_waits_for_and_nothing_else(bench: Bench) -> None:
    async with serving(Reply(("one",)), Reply(("two",)), Reply(("three",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        await carried_out(app, [phase(0), phase(1), phase(2, 1)])
    first, second, third = asked(server)
    assert (first, second) == ("question 0", "question 1")
    assert ("two" in third, "one" in third) == (True, False)


async def test_a_label_travels_over_every_step_and_to_no_other(bench: Bench) -> None:
    rule = '[[routing.rules]]\nname = "plans"\nintent = "plan"\nlocal_only = true\nmodel = "ollama/m"\n'
    async with serving() as local, serving(Reply(("from a",))) as remote:
        providers = ollama(local.root) + compat("a", remote.v1) + ALLOWED
        app = bench.app(rule + default("openai-compat:a/m", "ollama/m") + providers)
        phases = [phase(0, intent=Intent.PLAN), phase(1, 0), phase(2, 1), phase(3)]
        done = await carried_out(app, phases)
    assert [one.label for one in done] == ["local", "local", "local", None]
    assert asked(remote) == ["question 3"]


async def test_a_phase_that_waits_for_two_stands_where_the_first_that_is_missing_stands(bench: Bench) -> None:
    rule = '[[routing.rules]]\nname = "plans"\nintent = "plan"\nmodel = "host/current"\n'
    async with serving() as server:
        app = bench.app(rule + default("ollama/m") + ollama(server.root))
        done = await carried_out(app, [phase(0), phase(1, intent=Intent.PLAN), phase(2, 0, 1), phase(3, 2)])
    assert [one.status for one in done] == ["completed", "handoff", "handoff", "handoff"]
