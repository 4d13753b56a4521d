"""Limits on what is spent: those of a rule, of a task, of a day and a month, also where several spend at once."""

from decimal import Decimal

import anyio
import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app import App
from smista_mcp.app.consents import Consents
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?", effort=None)
A, B = "openai-compat:a/m", "openai-compat:b/m"
USED = {"prompt_tokens": 500, "completion_tokens": 500}
"""At 100 USD for a million tokens, an answer costs 0.10 USD, and may cost about 1.03."""


def budget(limit: str, period: str = "day", scope: str = "all") -> str:
    return f'[[budgets]]\nscope = "{scope}"\nperiod = "{period}"\nlimit = "{limit}"\n'


async def done(app: App, task: Task = ASK) -> DispatchAnswer:
    async with app.running():
        return await app.dispatch(task)


def spent(bench: Bench, answer: DispatchAnswer) -> Decimal:
    traces = [phase.trace_id for phase in answer.phases if phase.trace_id]
    rows = [attempt for trace in traces for attempt in bench.trace(trace).attempts]
    return sum((Decimal(row.cost or 0) for row in rows), Decimal(0))


@pytest.mark.parametrize("scope", ["all", "project", "intent:chat", "model:openai-compat*"])
async def test_a_spent_budget_leads_to_the_next_candidate(bench: Bench, scope: str) -> None:
    async with serving(Reply(used=USED)) as a, serving(Reply(("free",))) as local:
        providers = compat("a", a.v1, price="100") + ollama(local.root) + ALLOWED
        app = bench.app(default(A, "ollama/m") + providers + budget("1.10", scope=scope))
        first = await done(app)
        second = await done(app)
    assert (only(first).model, only(first).cost) == (A, "0.1")
    assert (only(second).answer, len(a.heard)) == ("free", 1)


async def test_a_spent_budget_refuses_where_nothing_else_is_left(bench: Bench) -> None:
    async with serving(Reply(used=USED)) as a:
        app = bench.app(default(A) + compat("a", a.v1, price="100") + ALLOWED + budget("1.10", "month"))
        first, second = await done(app), await done(app)
    assert first.status == "completed"
    assert (second.status, second.code, len(a.heard)) == ("refused", Code.BUDGET_EXCEEDED, 1)


async def test_tasks_that_were_decided_together_cannot_overspend_together(bench: Bench) -> None:
    hold = anyio.Event()
    answers: list[DispatchAnswer] = []
    async with serving(Reply(used=USED, hold=hold)) as a:
        app = bench.app(default(A) + compat("a", a.v1, price="100") + ALLOWED + budget("2.50"))

        async def dispatch(number: int) -> None:
            answers.append(await app.dispatch(Task(text=f"What is unit test number {number}?")))
            if len(answers) == 2:  # two were refused, two wait for the model
                hold.set()

        with anyio.fail_after(20):
            async with app.running(), anyio.create_task_group() as group:
                for number in range(4):
                    group.start_soon(dispatch, number)
    assert sorted(answer.status for answer in answers) == ["completed", "completed", "refused", "refused"]
    assert {answer.code for answer in answers} == {None, Code.BUDGET_EXCEEDED}
    assert len(a.heard) == 2


async def test_a_model_whose_price_nobody_knows_is_not_asked_where_a_budget_applies(bench: Bench) -> None:
    async with serving() as a:
        app = bench.app(default(A) + compat("a", a.v1) + ALLOWED + budget("100.00"))
        answer = await done(app)
    assert (answer.status, answer.code, a.heard) == ("refused", Code.PRICE_UNKNOWN, [])


async def test_local_models_cost_nothing_whatever_was_spent(bench: Bench) -> None:
    async with serving() as local:
        answer = await done(bench.app(default("ollama/m") + ollama(local.root) + budget("0")))
    assert (answer.status, only(answer).cost) == ("completed", "0")


async def test_a_route_over_its_cost_limit_waits_for_a_person(bench: Bench) -> None:
    rule = f'[[routing.rules]]\nname = "cheap"\nmodel = "{A}"\ncost_limit = "0.50"\n'
    async with serving() as a:
        answer = await done(bench.app(rule + compat("a", a.v1, price="100") + ALLOWED))
    assert (answer.status, answer.code, a.heard) == ("approval_required", Code.APPROVAL_REQUIRED, [])


async def test_a_limit_of_a_rule_opens_nothing_that_a_budget_closes(bench: Bench) -> None:
    rule = f'[[routing.rules]]\nname = "cheap"\nmodel = "{A}"\ncost_limit = "0.50"\n'
    async with serving() as a:
        policy = rule + compat("a", a.v1, price="100") + ALLOWED + budget("0.60", "task")
        answer = await done(bench.app(policy))
    assert (answer.status, answer.code, answer.approval_id) == ("refused", Code.BUDGET_EXCEEDED, None)


async def test_what_was_spent_before_a_yes_counts_after_it(bench: Bench) -> None:
    rule = f'[[routing.rules]]\nname = "docs"\nintent = "document"\nmodel = "{B}"\ncost_limit = "0.000001"\n'
    used = {"prompt_tokens": 500, "completion_tokens": 50_000}
    async with serving(Reply(used=used)) as a, serving(Reply(used=USED)) as b:
        providers = compat("a", a.v1, price="100") + compat("b", b.v1, price="100")
        app = bench.app(default(A) + rule + providers + ALLOWED + budget("6.00", "task"))
        task = Task(text="Explain what a unit test is, then write a README", effort=Effort.MEDIUM)
        async with app.running():
            asked = await app.dispatch(task)
            assert (asked.status, len(a.heard), b.heard) == ("approval_required", 1, [])
            Consents(app.world).grant(asked.approval_id or "", "terminal", session=False)
            answer = await app.dispatch(task)
    first, second = answer.phases
    assert (answer.status, len(a.heard), first.cost) == ("completed", 1, "5.05")
    (row,) = bench.trace(second.trace_id).attempts
    assert Decimal(row.reserved or 0) <= Decimal("6.00") - Decimal("5.05")


async def test_the_cost_limit_holds_for_all_attempts_of_a_phase(bench: Bench) -> None:
    rule = f'[[routing.rules]]\nname = "cheap"\nmodel = "{A}"\nfallbacks = ["{B}"]\ncost_limit = "1.10"\n'
    dear = {"prompt_tokens": 500, "completion_tokens": 9000}
    async with serving(Reply((), used=dear)) as a, serving(Reply(used=USED)) as b:
        providers = compat("a", a.v1, price="100") + compat("b", b.v1, price="100")
        app = bench.app(rule + providers + ALLOWED)
        answer = await done(app)
    assert (answer.status, len(a.heard), len(b.heard)) == ("failed", 1, 0)
    assert f"{B}: {Code.COST_LIMIT_EXCEEDED}" in only(answer).detail


async def test_no_more_is_asked_for_than_the_limit_pays(bench: Bench) -> None:
    rule = f'[[routing.rules]]\nname = "cheap"\nmodel = "{A}"\nfallbacks = ["{B}"]\ncost_limit = "1.10"\n'
    async with serving(Reply((), used=USED)) as a, serving(Reply(used=USED)) as b:
        providers = compat("a", a.v1, price="100") + compat("b", b.v1, price="100")
        answer = await done(bench.app(rule + providers + ALLOWED))
        (first, second) = (server.heard[0].asked["max_tokens"] for server in (a, b))
    assert answer.status == "completed"
    assert second < first
    reserved = [Decimal(row.reserved or 0) for row in bench.trace(answer.trace_id).attempts]
    assert Decimal("0.10") + reserved[1] <= Decimal("1.10")


async def test_the_budget_of_a_task_holds_for_all_of_its_phases(bench: Bench) -> None:
    task = Task(text="Explain what a lexer is, then plan the parser, then implement it, then write the docs")
    async with serving(Reply(used=USED)) as a:
        policy = default(A) + compat("a", a.v1, price="100") + ALLOWED + budget("1.30", "task")
        answer = await done(bench.app(policy), task)
    assert answer.phases[0].status == "completed"
    assert (answer.status, answer.code) == ("refused", Code.BUDGET_EXCEEDED)
    assert spent(bench, answer) <= Decimal("1.30")
    again = await done(bench.app(policy.replace(a.v1, "http://127.0.0.1:1/v1")), task)
    assert again.code is Code.PROVIDER_UNAVAILABLE  # not the budget: each task has its own


async def test_a_total_with_a_part_that_nobody_knows_says_so(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="cut")) as a, serving(Reply(used=USED)) as b:
        providers = compat("a", a.v1, price="100") + compat("b", b.v1, price="100") + ALLOWED
        app = bench.app(default(A, B) + providers)
        answer = await done(app)
    phase = only(answer)
    assert (answer.status, phase.cost, answer.cost) == ("completed", None, None)
    assert "it has cost 0.1 USD, and a part that nobody knows" in phase.detail
    assert "possible_duplicate_charge" in phase.detail


async def test_a_task_has_a_total_over_all_of_its_phases(bench: Bench) -> None:
    async with serving(Reply(used=USED)) as a:
        app = bench.app(default(A) + compat("a", a.v1, price="100") + ALLOWED)
        answer = await done(app, Task(text="Explain what a lexer is, then plan the parser"))
        refused = await done(app, Task(text="what is a lexer?", model="openai-compat:none/m"))
    assert [phase.cost for phase in answer.phases] == ["0.1", "0.1"]
    assert (answer.cost, refused.cost) == ("0.2", "0")


async def test_an_answer_that_the_next_step_reads_counts_in_what_that_may_cost(bench: Bench) -> None:
    long = " ".join(f"word{number}" for number in range(3000))
    async with serving(Reply((long,))) as server:
        policy = default(A) + compat("a", server.v1, price="1") + ALLOWED
        answer = await done(bench.app(policy), Task(text="Plan the login flow, then implement it"))
    first, second = (bench.trace(phase.trace_id).attempts[0] for phase in answer.phases)
    assert Decimal(second.reserved or 0) > Decimal(first.reserved or 0) + Decimal("0.003")
    for row in (first, second):
        assert Decimal(row.cost or 0) < Decimal(row.reserved or 0)


async def test_a_server_that_counts_nothing_has_not_worked_for_nothing(bench: Bench) -> None:
    async with serving(Reply(used={"prompt_tokens": 0, "completion_tokens": 0})) as a:
        app = bench.app(default(A) + compat("a", a.v1, price="100") + ALLOWED)
        answer = await done(app)
    (row,) = bench.trace(answer.trace_id).attempts
    assert (only(answer).status, only(answer).cost, row.cost) == ("completed", None, None)
