"""Whatever a server does: what the host is told, what the ledger keeps, who is asked next, and what may be charged."""

import asyncio
import json
import os
import signal
import sys
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from email.utils import format_datetime
from pathlib import Path
from typing import NamedTuple

import anyio
import pytest
from answers_said import Protocol
from fault_rows import Fault
from faults import FAULTS, HEAD
from model_server import Reply, serving, unused_port
from scripted_server import ScriptedServer, answer, scripted
from workbench import ALLOWED, Bench, compat, default, done, only, reports

from smista_mcp.app import dispatching
from smista_mcp.core.explained import AttemptReport
from smista_mcp.core.task import Task
from smista_mcp.errors import Code
from smista_mcp.ledger import Ledger

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")
B = "openai-compat:b/m"
QUICK = "[dispatch]\nmax_retries = 1\nfirst_byte_s = 0.3\nidle_s = 0.3\ndeadline_s = 10\n"
DOUBLE = "possible_duplicate_charge"


class Way(NamedTuple):
    """How a protocol's server is declared: provider, model, the end of its address."""

    provider: str
    model: str
    path: str


WAYS: dict[Protocol, Way] = {
    "chat": Way('"openai-compat:a"', "openai-compat:a/m", "/v1"),
    "responses": Way("openai", "openai/gpt-5.5", ""),
    "anthropic": Way("anthropic", "anthropic/claude-opus-5", ""),
    "gemini": Way("gemini", "gemini/gemini-3.5-flash", ""),
    "ollama": Way("ollama", "ollama/m", ""),
}
PRICE = '[catalog."openai-compat:a/m"]\ninput_price = "1"\noutput_price = "1"\n'
KEYS = dict.fromkeys(("ANTHROPIC_API_KEY", "OPENAI_API_KEY", "GEMINI_API_KEY"), "vendor-key")
_FACTS = {
    "/v1/models": {"data": [{"id": "m", "max_model_len": 32768}]},
    "/api/tags": {"models": [{"name": "m", "model": "m"}]},
    "/api/show": {"model_info": {"x.context_length": 32768}, "capabilities": ["completion"]},
}


@asynccontextmanager
async def faulty(fault: Fault) -> AsyncGenerator[ScriptedServer]:
    """A server that tells the truth about its models and then fails."""
    routes = {path: answer(json.dumps(facts).encode()) for path, facts in _FACTS.items()}
    async with scripted(*fault.script, routes=routes) as server:
        yield server


def asked(server: ScriptedServer) -> int:
    return sum(request.startswith(b"POST") and b"/api/show" not in request for request in server.requests)


def test_the_table_is_whole_and_says_everything_once() -> None:
    assert len(FAULTS) >= 250
    names = [fault.name for fault in FAULTS]
    assert sorted({name for name in names if names.count(name) > 1}) == []


@pytest.mark.parametrize("fault", FAULTS, ids=lambda fault: fault.name)
async def test_a_fault_leads_where_the_law_says(fault: Fault, bench: Bench) -> None:
    """Outcome and code for the host, rows and costs in ledger and trace, and who was asked how often."""
    way = WAYS[fault.protocol]
    async with faulty(fault) as a, serving(Reply(("from b",))) as b:
        provider = f'[providers.{way.provider}]\nbase_url = "{a.base_url}{way.path}"\n'
        price = PRICE if fault.protocol == "chat" else ""
        limits = QUICK.replace("deadline_s = 10", f"deadline_s = {fault.deadline_s}")
        policy = default(way.model, B) + provider + price + compat("b", b.v1, local=True) + ALLOWED + limits
        app = bench.app(policy, **KEYS)
        app.world.draw = lambda: 0.0
        with anyio.fail_after(25):
            told = await done(app, ASK)
    phase, times = only(told), 2 if fault.again else 1
    rows = [(way.model, fault.row, fault.code)] * times + ([(B, "completed", None)] if fault.goes_on else [])
    assert bench.attempts(told) == rows
    assert [(one.model, one.status, one.code) for one in reports(app, told)] == rows
    assert asked(a) == times
    assert (DOUBLE in phase.detail) is fault.charged
    assert ("possibly_incomplete" in phase.detail) is fault.doubtful
    assert all(is_charged(one, fault) for one in reports(app, told)[:times])
    if fault.code is None:
        assert (told.status, phase.model) == ("completed", way.model)
    elif fault.goes_on:
        assert (told.status, phase.answer) == ("completed", "from b")
        assert fault.code in phase.detail or "length" in phase.detail
    else:
        assert (told.status, told.code, phase.answer) == ("failed", fault.code, None)


def is_charged(attempt: AttemptReport, fault: Fault) -> bool:
    """Whether the trace tells of an attempt's cost as the table has it."""
    untold = fault.code is None and not fault.counted and fault.protocol != "ollama"  # a local model costs nothing
    if fault.charge == "uncertain" or untold:
        return attempt.cost is None
    return (Decimal(attempt.cost or 0) > 0) is fault.counted


@pytest.mark.parametrize("status", [429, 500, 529])
async def test_nobody_is_asked_again_where_the_policy_says_so(bench: Bench, status: int) -> None:
    async with serving(Reply(status=status, headers=("Retry-After: 0",))) as a:
        policy = default("openai-compat:a/m") + compat("a", a.v1) + ALLOWED + "[dispatch]\nmax_retries = 0\n"
        told = await done(bench.app(policy), ASK)
    assert (len(bench.attempts(told)), len(a.heard), told.status) == (1, 1, "failed")


# -------------------------------------------------------------------------------------------- no server to speak with


@pytest.mark.parametrize(
    ("address", "code"),
    [
        (f"http://127.0.0.1:{unused_port()}", Code.PROVIDER_UNAVAILABLE),
        ("https://no-such-host.invalid", Code.PROVIDER_UNAVAILABLE),
    ],
    ids=["refused", "DNS"],
)
async def test_where_nobody_is_nothing_is_charged(bench: Bench, address: str, code: Code) -> None:
    async with serving(Reply(("from b",))) as b:
        provider = f'[providers.anthropic]\nbase_url = "{address}"\n'
        policy = default("anthropic/claude-opus-5", B) + provider + compat("b", b.v1, local=True) + ALLOWED
        told = await done(bench.app(policy, **KEYS), ASK)
    assert bench.attempts(told) == [("anthropic/claude-opus-5", "failed", code), (B, "completed", None)]
    assert DOUBLE not in only(told).detail


async def test_a_server_that_speaks_no_tls_gets_nothing(bench: Bench) -> None:
    async with scripted(HEAD) as a, serving(Reply(("from b",))) as b:
        provider = f'[providers.anthropic]\nbase_url = "https://127.0.0.1:{a.port}"\n'
        policy = default("anthropic/claude-opus-5", B) + provider + compat("b", b.v1, local=True) + ALLOWED
        told = await done(bench.app(policy, **KEYS), ASK)
    assert bench.attempts(told)[0] == ("anthropic/claude-opus-5", "failed", Code.PROVIDER_UNAVAILABLE)
    assert a.requests == [b"\x16"]


async def test_no_redirect_is_followed_with_the_key(bench: Bench) -> None:
    async with serving() as other:
        moved = answer(b"", status="307 x", headers=[f"Location: {other.v1}/chat/completions"])
        async with scripted(*moved) as a:
            provider = f'[providers.anthropic]\nbase_url = "{a.base_url}"\n'
            told = await done(bench.app(default("anthropic/claude-opus-5") + provider + ALLOWED, **KEYS), ASK)
    assert (told.code, len(a.requests), other.heard) == (Code.PROVIDER_PROTOCOL, 1, [])


# --------------------------------------------------------------------------------------------------- clock and death


@pytest.mark.parametrize(("jump_h", "rows"), [(2, 2), (0, 1)], ids=["forward", "none"])
async def test_a_clock_that_jumps_holds_nobody_up(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, jump_h: int, rows: int
) -> None:
    later = format_datetime(datetime.now(UTC) + timedelta(hours=1), usegmt=True)
    monkeypatch.setattr(dispatching, "utc_now", lambda: datetime.now(UTC) + timedelta(hours=jump_h))
    busy = Reply(status=429, headers=(f"Retry-After: {later}",))
    async with serving(busy, Reply(("at last",))) as a:
        with anyio.fail_after(10):
            told = await done(bench.app(default("openai-compat:a/m") + compat("a", a.v1) + ALLOWED), ASK)
    assert len(bench.attempts(told)) == rows  # the hour is over by then, or is longer than the deadline
    assert told.status == ("completed" if rows == 2 else "failed")


async def test_a_clock_that_jumps_back_leaves_the_ledger_whole(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    times = iter([datetime.now(UTC) - timedelta(days=n) for n in range(1000)])
    monkeypatch.setattr(dispatching, "utc_now", lambda: next(times))
    async with serving() as a:
        told = await done(bench.app(default("openai-compat:a/m") + compat("a", a.v1) + ALLOWED), ASK)
    (row,) = bench.trace(told.trace_id).attempts
    assert (told.status, row.status) == ("completed", "completed")
    assert row.ended_at is not None
    assert row.ended_at < row.started_at


async def test_what_a_server_that_was_killed_had_sent_is_uncertain(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="stall")) as a:
        bench.write_policy(default("openai-compat:a/m") + compat("a", a.v1, price="1") + ALLOWED)
        variables = {"SMISTA_HOME": str(bench.home), "HOME": str(bench.home), "PATH": os.environ["PATH"]}
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-m", "smista_mcp", "dispatch", "--yes", ASK.text),
            cwd=Path(__file__).parents[2],
            env=variables,
            stdout=asyncio.subprocess.DEVNULL,
            stderr=asyncio.subprocess.DEVNULL,
        )
        with anyio.fail_after(40):
            await a.asked.wait()
            process.send_signal(signal.SIGKILL)
            await process.wait()
    ledger = Ledger.open(bench.state)
    (trace,) = ledger.traces_of(ledger.last())
    assert [(row.status, row.code, row.cost) for row in trace.attempts] == [("uncertain", "cancelled", None)]
    assert ledger.spent("all", datetime(2020, 1, 1, tzinfo=UTC)) > 0
