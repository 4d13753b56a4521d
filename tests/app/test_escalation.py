"""A stronger model, asked only once the cheap one has provably failed: a choice like any other, and paid like one."""

from decimal import Decimal

import anyio.to_thread
import pytest
from model_server import USAGE, Reply, serving
from workbench import ALLOWED, Bench, compat, done, only, reports

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")
A, B, STRONG = "openai-compat:a/m", "openai-compat:b/m", "openai-compat:strong/m"
ALL = '["empty_completion", "patch_does_not_apply", "length", "refusal"]'


def rule(on: str = ALL, *, to: str = STRONG, more: str = "", fallbacks: str = "[]") -> str:
    text = f'[[routing.rules]]\nname = "cheap first"\nmodel = "{A}"\nfallbacks = {fallbacks}\n{more}'
    return f'{text}escalate = {{ on = {on}, to = "{to}" }}\n'


async def escalated(bench: Bench, first: Reply, on: str = ALL, *, strong: Reply | None = None) -> DispatchAnswer:
    """Dispatches with `first` from a local model, a second local one, and a remote one to escalate to."""
    async with serving(first) as a, serving(Reply(("from b",))) as b, serving(strong or Reply(("strong",))) as c:
        providers = compat("a", a.v1, local=True) + compat("b", b.v1, local=True) + compat("strong", c.v1, price="1")
        app = bench.app(rule(on, fallbacks=f'["{B}"]') + providers + ALLOWED)
        answer = await done(app, ASK)
        costs = [one.cost for one in reports(app, answer)]
        assert len(costs) == len(a.heard) + len(b.heard) + len(c.heard)
        used = [one.usage for one in reports(app, answer)]
        if len(used) > 1 and not any(None in (one.input_tokens, one.output_tokens) for one in used):
            told = only(answer).usage
            assert told.input_tokens == sum(one.input_tokens or 0 for one in used)
            assert told.output_tokens == sum(one.output_tokens or 0 for one in used)
        if c.heard:
            assert costs[0] == "0"
            assert Decimal(only(answer).cost or 0) == sum(map(Decimal, filter(None, costs)))
    return answer


@pytest.mark.parametrize(
    ("first", "on", "code"),
    [
        (Reply(()), '["empty_completion"]', Code.EMPTY_COMPLETION),
        (Reply((), used={**USAGE, "completion_tokens_details": {"reasoning_tokens": 5}}), ALL, Code.EMPTY_COMPLETION),
        (Reply((), stop="length"), '["length"]', Code.EMPTY_COMPLETION),
        (Reply((), stop="content_filter"), '["refusal"]', Code.PROVIDER_INVALID_REQUEST),
    ],
)
async def test_a_model_that_provably_failed_is_followed_by_the_stronger_one(
    bench: Bench, first: Reply, on: str, code: Code
) -> None:
    answer = await escalated(bench, first, on)
    phase = only(answer)
    assert (answer.status, phase.answer, phase.model, phase.escalated) == ("completed", "strong", STRONG, True)
    assert bench.attempts(answer) == [(A, "failed", code), (STRONG, "completed", None)]


async def test_an_answer_that_was_cut_is_replaced_by_a_whole_one(bench: Bench) -> None:
    answer = await escalated(bench, Reply(("half",), stop="length"))
    assert (only(answer).answer, only(answer).escalated) == ("strong", True)
    assert bench.attempts(answer) == [(A, "completed", None), (STRONG, "completed", None)]
    assert "length" in only(answer).detail


@pytest.mark.parametrize("strong", [Reply(status=401), Reply(()), Reply(("quarter",), ending="cut")])
async def test_an_answer_that_was_cut_stands_where_no_better_one_comes(bench: Bench, strong: Reply) -> None:
    answer = await escalated(bench, Reply(("half",), stop="length"), strong=strong)
    assert (answer.status, only(answer).answer, only(answer).model) == ("completed", "half", A)
    assert len(bench.attempts(answer)) == 2
    assert "cut at its length limit" in only(answer).detail
    assert STRONG in only(answer).detail


@pytest.mark.parametrize(
    ("first", "on", "answered"),
    [
        (Reply(status=404), ALL, None),
        (Reply(("half",), ending="cut"), ALL, "from b"),
        (Reply(status=402), ALL, "from b"),
        (Reply(()), '["length", "refusal"]', "from b"),
        (Reply(("half",), stop="length"), '["empty_completion"]', "half"),
        (Reply((), stop="content_filter"), '["length"]', None),
    ],
)
async def test_nothing_else_is_a_reason(bench: Bench, first: Reply, on: str, answered: str | None) -> None:
    answer = await escalated(bench, first, on)
    assert (only(answer).answer, only(answer).escalated) == (answered, False)
    assert STRONG not in [model for model, _, _ in bench.attempts(answer)]


async def test_where_the_stronger_one_fails_as_well_all_of_it_is_told(bench: Bench) -> None:
    answer = await escalated(bench, Reply(()), strong=Reply(()))
    assert (answer.status, answer.code) == ("failed", Code.FALLBACK_EXHAUSTED)
    assert [model for model, _, _ in bench.attempts(answer)] == [A, STRONG]


async def test_tokens_of_a_failed_attempt_are_told_and_those_that_nobody_counted_are_not_made_up(bench: Bench) -> None:
    counted = only(await escalated(bench, Reply(()), strong=Reply(())))
    unknown = only(await escalated(bench, Reply(("half",), stop="length"), strong=Reply(("q",), ending="cut")))
    assert (counted.usage.input_tokens or 0) > 40
    assert counted.usage.output_tokens == 10
    assert (unknown.usage.input_tokens, unknown.usage.output_tokens) == (None, None)
    assert "5 out" in unknown.detail


async def test_a_decision_shows_whom_it_would_escalate_to_and_what_that_costs(bench: Bench) -> None:
    async with serving() as a, serving() as c:
        providers = compat("a", a.v1, local=True) + compat("strong", c.v1, price="1")
        app = bench.app(rule() + providers + ALLOWED)
        (decision,) = (await anyio.to_thread.run_sync(app.route, ASK)).decisions
        named = await anyio.to_thread.run_sync(app.route, Task(text=ASK.text, model=A))
    assert decision.escalation is not None
    assert (decision.escalation.models, decision.model, decision.fallbacks) == ((STRONG,), A, ())
    assert decision.cost is not None
    assert decision.escalation.cost is not None
    assert (decision.cost.max, Decimal(decision.escalation.cost.max) > 0) == ("0", True)
    assert named.decisions[0].escalation is None  # a call that names a model wants that one


@pytest.mark.parametrize(
    ("more", "policy", "code"),
    [
        ("local_only = true\n", ALLOWED, Code.RESTRICTED_CONTENT),
        ("", '[privacy.remote]\nmode = "deny"\n', Code.MODEL_NOT_ALLOWED),
        ('cost_limit = "0.000001"\n', ALLOWED, Code.COST_LIMIT_EXCEEDED),
        ("", ALLOWED + '[models]\ndenied = ["*strong*"]\n', Code.MODEL_NOT_ALLOWED),
        ("", ALLOWED + '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "0"\n', Code.BUDGET_EXCEEDED),
    ],
)
async def test_whoever_may_not_be_asked_is_not_escalated_to(bench: Bench, more: str, policy: str, code: Code) -> None:
    async with serving(Reply(())) as a, serving() as c:
        providers = compat("a", a.v1, local=True) + compat("strong", c.v1, price="1")
        app = bench.app(rule(more=more) + providers + policy)
        (decision,) = (await anyio.to_thread.run_sync(app.route, ASK)).decisions
        answer = await done(app, ASK)
    assert decision.escalation is not None
    assert (decision.escalation.models, decision.escalation.cost) == ((), None)
    assert [gone.code for gone in decision.escalation.rejected] == [code]
    assert (answer.code, c.heard) == (Code.EMPTY_COMPLETION, [])


async def test_a_person_is_asked_before_it_is_escalated_to_a_remote_model(bench: Bench) -> None:
    async with serving(Reply(())) as a, serving() as c:
        providers = compat("a", a.v1, local=True) + compat("strong", c.v1, price="1")
        app = bench.app(rule() + providers + '[privacy.remote]\nmode = "ask"\n')
        answer = await done(app, ASK)
    assert (answer.status, answer.code, c.heard) == ("approval_required", Code.APPROVAL_REQUIRED, [])
    assert answer.approval_id is not None
    assert bench.attempts(answer) == [(A, "failed", Code.EMPTY_COMPLETION)]


async def test_what_both_cost_stays_under_the_limit_of_the_rule(bench: Bench) -> None:
    used = {"prompt_tokens": 500, "completion_tokens": 5000}
    async with serving(Reply((), used=used)) as a, serving() as c:
        providers = compat("a", a.v1, price="500") + compat("strong", c.v1, price="4000")
        limit = 'cost_limit = "43.50"\n'
        answer = await done(bench.app(rule(more=limit) + providers + ALLOWED), ASK)
    assert (len(a.heard), len(c.heard)) == (1, 1)
    assert c.heard[0].asked["max_tokens"] < a.heard[0].asked["max_tokens"]
    assert only(answer).escalated


async def test_the_record_says_why_an_attempt_was_no_good_and_what_was_done_about_it(bench: Bench) -> None:
    busy = Reply(status=529, headers=("Retry-After: 0",))
    async with serving(busy) as a, serving(Reply(())) as b, serving(Reply(("strong",))) as c:
        providers = compat("a", a.v1, local=True) + compat("b", b.v1, local=True) + compat("strong", c.v1, price="1")
        retries = "[dispatch]\nmax_retries = 1\n"
        app = bench.app(rule(fallbacks=f'["{B}"]') + providers + ALLOWED + retries)
        answer = await done(app, ASK)
    (told,) = (await anyio.to_thread.run_sync(app.explain, answer.trace_id)).phases
    assert [(row.cause, row.http_status, row.followup, row.wait_s is not None) for row in told.attempts] == [
        ("overloaded", 529, "again", True),
        ("overloaded", 529, "fallback", False),
        ("empty", None, "escalated", False),
        (None, None, None, False),
    ]
    assert told.cost == only(answer).cost is not None


async def test_the_record_says_that_a_person_is_waited_for(bench: Bench) -> None:
    async with serving(Reply(())) as a, serving() as c:
        providers = compat("a", a.v1, local=True) + compat("strong", c.v1, price="1")
        app = bench.app(rule() + providers + '[privacy.remote]\nmode = "ask"\n')
        answer = await done(app, ASK)
    (told,) = reports(app, answer)
    assert (told.cause, told.followup, only(answer).escalated) == ("empty", "yes_awaited", False)
