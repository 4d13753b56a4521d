"""What people and hosts hear of budgets before nothing is left: in route, in dispatch, over HTTP, under a company."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import anyio.to_thread
import pytest
from model_server import Reply, serving
from recording import begin_attempt, open_trace, settle_attempt
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app.caller import Badge, Caller
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent, Locality, Status
from smista_mcp.errors import Code
from smista_mcp.ledger import AttemptStart, Ledger, Settlement

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?", effort=None)
A = "openai-compat:a/m"
USED = {"prompt_tokens": 500, "completion_tokens": 500}


def budget(limit: str, scope: str = "all") -> str:
    return f'[[budgets]]\nscope = "{scope}"\nperiod = "day"\nlimit = "{limit}"\n'


def spend(bench: Bench, amount: str, token: str | None = None) -> None:
    """As if somebody had asked a model for that."""
    ledger, now = Ledger.open(bench.state), datetime.now(UTC)
    start = AttemptStart(
        phase=0,
        intent=Intent.CHAT,
        model=A,
        provider="openai-compat:a",
        locality=Locality.REMOTE,
        started_at=now,
        receipt=Receipt(body_bytes=1, body_sha256="00" * 32),
        reserved=Decimal(amount),
        token=token,
    )
    attempt = begin_attempt(ledger, open_trace(ledger, "ab" * 32, now), start)
    settle_attempt(ledger, attempt, Settlement("completed", now, cost=Decimal(amount)))


def on_budgets(notices: tuple[str, ...]) -> list[str]:
    return [one for one in notices if "budget" in one]


async def test_route_and_dispatch_tell_what_is_left_once_little_is(bench: Bench) -> None:
    async with serving(Reply(used=USED)) as a:
        app = bench.app(default(A) + compat("a", a.v1, price="1") + ALLOWED + budget("10"))
        async with app.running():
            spend(bench, "7.9")
            assert on_budgets((await anyio.to_thread.run_sync(app.route, ASK)).notices) == []
            spend(bench, "0.6")
            routed, dispatched = await anyio.to_thread.run_sync(app.route, ASK), await app.dispatch(ASK)
    (told,) = on_budgets(routed.notices)
    assert all(word in told for word in ("`all`", "UTC", "85 %", "1.5 USD"))
    assert "85 %" in routed.decisions[0].reason
    assert on_budgets(dispatched.notices) == [told]
    assert dispatched.status == "completed"


async def test_over_http_amounts_are_told_of_the_callers_own_budget_alone(bench: Bench) -> None:
    budgets = budget("11") + budget("10", "token:ci") + budget("10", "token:other")
    app = bench.app(default("anthropic/claude-opus") + ALLOWED + budgets, ANTHROPIC_API_KEY="none")
    spend(bench, "9", "ci")
    caller = Caller("cursor", over_http=True, badge=Badge("1", "ci", "route"))
    everybodys, own = on_budgets(app.route(ASK, caller).notices)
    assert "81 %" in everybodys
    assert "USD" not in everybodys
    assert all(word in own for word in ("`token:ci`", "90 %", "1 USD"))


async def test_local_work_is_told_of_no_budget(bench: Bench) -> None:
    async with serving() as local:
        app = bench.app(default("ollama/m") + ollama(local.root) + budget("10"))
        spend(bench, "9.5")
        answer = await anyio.to_thread.run_sync(app.route, ASK)
    assert answer.decisions[0].status is Status.ROUTED
    assert on_budgets(answer.notices) == []


@pytest.mark.parametrize(("own", "companys", "served"), [("10", "1.10", 1), ("1.10", "10", 1), ("10", "10", 2)])
async def test_a_companys_budget_binds_beside_the_users_and_the_strictest_holds(
    bench: Bench, tmp_path: Path, own: str, companys: str, served: int
) -> None:
    company = tmp_path / "company.toml"
    company.write_text(budget(companys, "project"), encoding="utf-8")
    company.chmod(0o644)
    async with serving(Reply(used=USED)) as a:
        policy = default(A) + compat("a", a.v1, price="100") + ALLOWED + budget(own)
        app = bench.app(policy, SMISTA_ORG_POLICY=str(company))
        async with app.running():
            answers = [await app.dispatch(Task(text=f"What is unit test {number}?")) for number in range(2)]
    assert len(a.heard) == served
    assert [only(one).code for one in answers] == [None, Code.BUDGET_EXCEEDED if served == 1 else None]


async def test_a_ledger_that_cannot_be_read_is_not_called_a_spent_budget(bench: Bench) -> None:
    bench.state.write_text("a file where the folder should be", encoding="utf-8")
    async with serving() as a:
        app = bench.app(default(A) + compat("a", a.v1, price="1") + ALLOWED + budget("10"))
        async with app.running():
            answer = await app.dispatch(ASK)
    assert (answer.status, answer.code, a.heard) == ("refused", Code.BUDGET_EXCEEDED, [])
    assert "ledger cannot be read" in only(answer).detail
