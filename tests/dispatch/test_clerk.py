"""What is recorded together: each for itself right or wrong, all of it once."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import anyio
import anyio.lowlevel
import pytest

from smista_mcp.core.receipt import Receipt
from smista_mcp.core.values import Intent, Locality
from smista_mcp.dispatch.clerk import Clerk
from smista_mcp.errors import NotFound, StateUnavailable
from smista_mcp.ledger import AttemptStart, BudgetExceeded, Ledger, Settlement, SpendingLimit

pytestmark = pytest.mark.anyio

AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
START = AttemptStart(
    phase=0,
    intent=Intent.CHAT,
    model="a/m",
    provider="a",
    locality=Locality.REMOTE,
    started_at=AT,
    receipt=Receipt(body_bytes=1, body_sha256="00" * 32),
    reserved=Decimal(1),
)


@pytest.fixture
def clerk(tmp_path: Path) -> Clerk:
    return Clerk(Ledger.open(tmp_path / "state"))


def transactions(tmp_path: Path) -> int:
    """How often the file was changed: SQLite counts it there."""
    return int.from_bytes((tmp_path / "state" / "ledger.db").read_bytes()[24:28])


async def test_a_trace_is_written_with_its_first_attempt(clerk: Clerk, tmp_path: Path) -> None:
    before = transactions(tmp_path)
    trace = clerk.open("ab" * 32, AT, None)
    with pytest.raises(NotFound):
        clerk.ledger.trace(trace)
    attempt = await clerk.begin(trace, START, ())
    assert transactions(tmp_path) == before + 1
    assert [one.status for one in clerk.ledger.trace(trace).attempts] == ["running"]
    assert await clerk.settle(attempt, Settlement("completed", AT, cost=Decimal("0.1")))
    assert await clerk.close(trace)
    assert transactions(tmp_path) == before + 2
    assert [one.cost for one in clerk.ledger.trace(trace).attempts] == ["0.1"]


async def test_a_trace_without_attempts_is_written_when_it_is_closed(clerk: Clerk) -> None:
    trace = clerk.open("ab" * 32, AT, None)
    assert await clerk.close(trace)
    assert await clerk.close(trace)
    assert clerk.ledger.trace(trace).attempts == ()


async def test_what_comes_at_once_shares_transactions(clerk: Clerk, tmp_path: Path) -> None:
    traces = [clerk.open("ab" * 32, AT, None) for _ in range(50)]
    before = transactions(tmp_path)
    async with anyio.create_task_group() as group:
        for trace in traces:
            group.start_soon(clerk.begin, trace, START, ())
    assert transactions(tmp_path) <= before + 3
    assert all(len(clerk.ledger.trace(trace).attempts) == 1 for trace in traces)


async def test_of_those_that_share_one_only_who_oversteps_a_budget_is_refused(clerk: Clerk) -> None:
    limits = [SpendingLimit("all", AT, Decimal(7))]
    refused: list[str] = []

    async def reserve() -> None:
        trace = clerk.open("ab" * 32, AT, None)
        try:
            await clerk.begin(trace, START, limits)
        except BudgetExceeded:
            refused.append(trace)

    async with anyio.create_task_group() as group:
        for _ in range(20):
            group.start_soon(reserve)
    assert len(refused) == 13
    assert clerk.ledger.spent("all", AT) == 7
    for trace in refused:
        with pytest.raises(NotFound):  # of those nothing was written, not even the trace
            clerk.ledger.trace(trace)


async def test_an_entry_that_cannot_be_written_takes_no_other_with_it(clerk: Clerk) -> None:
    trace = clerk.open("ab" * 32, AT, None)
    raised: list[type[Exception]] = []

    async def settle(attempt: str) -> None:
        try:
            await clerk.settle(attempt, Settlement("completed", AT))
        except NotFound as error:
            raised.append(type(error))

    async with anyio.create_task_group() as group:
        group.start_soon(settle, "11" * 16)
        group.start_soon(settle, "22" * 16)
        group.start_soon(clerk.begin, trace, START, ())
    assert raised == [NotFound, NotFound]
    assert len(clerk.ledger.trace(trace).attempts) == 1


async def test_what_was_asked_for_is_written_also_where_whoever_asked_is_cancelled(clerk: Clerk) -> None:
    traces = [clerk.open("ab" * 32, AT, None) for _ in range(10)]
    async with anyio.create_task_group() as group:
        for trace in traces:
            group.start_soon(clerk.begin, trace, START, ())
        await anyio.lowlevel.checkpoint()  # now one of them writes, and the others wait
        group.cancel_scope.cancel()
    assert all(len(clerk.ledger.trace(trace).attempts) == 1 for trace in traces)


async def test_a_ledger_that_cannot_be_written_is_told_to_everybody_and_works_again_after(
    clerk: Clerk, tmp_path: Path
) -> None:
    file = tmp_path / "state" / "ledger.db"
    moved = file.rename(tmp_path / "ledger.db")
    file.mkdir()
    refused: list[str] = []

    async def reserve(trace: str) -> None:
        try:
            await clerk.begin(trace, START, ())
        except StateUnavailable:
            refused.append(trace)

    traces = [clerk.open("ab" * 32, AT, None) for _ in range(5)]
    async with anyio.create_task_group() as group:
        for trace in traces:
            group.start_soon(reserve, trace)
    assert sorted(refused) == sorted(traces)
    assert not await clerk.close(traces[0])
    file.rmdir()
    moved.rename(file)
    await clerk.begin(traces[1], START, ())
    assert len(clerk.ledger.trace(traces[1]).attempts) == 1


async def test_the_end_of_an_attempt_that_cannot_be_written_is_written_before_what_comes_next(
    clerk: Clerk, tmp_path: Path
) -> None:
    limits = [SpendingLimit("all", AT, Decimal("1.5"))]
    trace, late = clerk.open("ab" * 32, AT, None), clerk.open("ab" * 32, AT, None)
    attempt = await clerk.begin(trace, START, limits)
    file = tmp_path / "state" / "ledger.db"
    moved = file.rename(tmp_path / "ledger.db")
    file.mkdir()
    with pytest.raises(StateUnavailable):
        await clerk.settle(attempt, Settlement("completed", AT, cost=Decimal("0.1")))
    with pytest.raises(StateUnavailable):
        await clerk.begin(late, START, limits)
    await clerk.catch_up()
    file.rmdir()
    moved.rename(file)
    assert clerk.ledger.spent("all", AT) == 1
    await clerk.begin(late, START, limits)  # only what was settled makes room for it
    assert clerk.ledger.spent("all", AT) == Decimal("1.1")


async def test_the_end_of_a_trace_brings_the_late_end_of_its_attempt(clerk: Clerk, tmp_path: Path) -> None:
    trace = clerk.open("ab" * 32, AT, None)
    attempt = await clerk.begin(trace, START, ())
    file = tmp_path / "state" / "ledger.db"
    moved = file.rename(tmp_path / "ledger.db")
    file.mkdir()
    with pytest.raises(StateUnavailable):
        await clerk.settle(attempt, Settlement("completed", AT, cost=Decimal("0.1")))
    file.rmdir()
    moved.rename(file)
    before = transactions(tmp_path)
    assert await clerk.close(trace)
    assert [one.cost for one in clerk.ledger.trace(trace).attempts] == ["0.1"]
    assert await clerk.close(trace)
    assert transactions(tmp_path) == before + 1
