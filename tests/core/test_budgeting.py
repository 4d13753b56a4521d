"""What decisions say of budgets: that little is left, what would still fit, and when nobody can tell."""

import re
from decimal import Decimal

import pytest
from deciding import decide, world

from smista_mcp.core.budgeting import used
from smista_mcp.core.facts import BudgetLeft
from smista_mcp.core.values import Status
from smista_mcp.errors import Code

OPEN = '[privacy.remote]\nmode = "allow"\n'
OPUS = '[routing.default]\nmodel = "anthropic/claude-opus"\n' + OPEN
LOCAL = '[routing.default]\nmodel = "ollama/m"\n'
NAMED = re.compile(r"`([^`]+)` would fit \(([0-9.]+) USD")


def left(amount: str, scope: str = "all", period: str = "day", limit: str = "10") -> BudgetLeft:
    return BudgetLeft(scope, period, limit, amount)


@pytest.mark.parametrize(
    ("amount", "limit", "percent"),
    [("10", "10", 0), ("2.01", "10", 79), ("2", "10", 80), ("0", "10", 100), ("0", "0", 0), ("0.1", "0.3", 66)],
)
def test_what_is_used_is_rounded_down(amount: str, limit: str, percent: int) -> None:
    assert used(left(amount, limit=limit)) == percent


@pytest.mark.parametrize(
    ("budget", "said"),
    [
        (left("2.01"), False),
        (left("2"), True),
        (left("2", period="month"), True),
        (left("2", "project"), True),
        (left("2", "intent:edit"), True),
        (left("2", "intent:review"), False),
        (left("2", "model:anthropic/*"), True),
        (left("2", "model:openai/*"), False),
        (left("2", "token:ci"), True),
    ],
)
def test_a_decision_says_which_budget_that_pays_for_it_is_nearly_spent(budget: BudgetLeft, *, said: bool) -> None:
    found = decide(world(OPUS, budgets=(left("9.99", "model:*"), budget)), intent="test")
    assert found.status is Status.ROUTED
    assert (f"budget `{budget.scope}`" in found.reason) is said
    assert "`model:*`" not in found.reason


def test_what_costs_nothing_is_told_of_no_budget() -> None:
    assert "budget" not in decide(world(LOCAL, budgets=(left("0.01"),))).reason


def test_a_warning_is_a_part_of_the_decision_and_of_nothing_else_than_its_inputs() -> None:
    snap = world(OPUS, budgets=(left("1.5"),))
    first, second = decide(snap), decide(snap)
    assert first == second
    assert "85 %" in first.reason
    assert first.decision_id != decide(world(OPUS, budgets=(left("9"),))).decision_id


HAIKU, SONNET = "anthropic/claude-haiku", "anthropic/claude-sonnet"
RULE = '[[routing.rules]]\nname = "r"\nintent = "{0}"\nmodel = "{1}"\nfallbacks = ["{2}"]\n'


@pytest.mark.parametrize(
    ("policy", "cheapest"),
    [
        (OPUS + f'[classes.any]\nmodels = ["{SONNET}", "{HAIKU}"]\n', HAIKU),
        (OPUS + f'[classes.any]\nmodels = ["{HAIKU}", "ollama/m"]\n', "ollama/m"),
        (OPUS + RULE.format("commit", SONNET, HAIKU), HAIKU),
        (OPUS.replace("claude-opus", "claude-haiku") + RULE.format("test", "anthropic/claude-opus", SONNET), HAIKU),
    ],
    ids=["of a class", "a local one", "of a rule for other work", "of the default route"],
)
def test_what_would_fit_is_the_cheapest_and_does_fit(policy: str, cheapest: str) -> None:
    at_all = decide(world(policy + f'[classes.one]\nmodels = ["{SONNET}"]\n'), intent="test", model=SONNET)
    assert at_all.cost is not None
    nearly = (left(f"{Decimal(at_all.cost.max) - Decimal('0.000001')}"),)
    found = decide(world(policy, budgets=nearly), intent="test")
    named = NAMED.search(found.reason)
    assert named is not None, found.reason
    assert (found.status, found.code, named[1]) == (Status.REFUSED, Code.BUDGET_EXCEEDED, cheapest)
    done = decide(world(policy, budgets=nearly), intent="test", model=cheapest)
    assert done.status is Status.ROUTED
    assert done.cost is not None
    assert done.cost.max == named[2]


def test_what_may_not_serve_is_not_named_however_cheap() -> None:
    policy = OPUS + '[classes.any]\nmodels = ["anthropic/claude-haiku"]\n[models]\ndenied = ["*haiku*"]\n'
    found = decide(world(policy, budgets=(left("0"),)))
    assert found.code is Code.BUDGET_EXCEEDED
    assert NAMED.search(found.reason) is None
    local = decide(world(policy + '[classes.here]\nmodels = ["ollama/m"]\n', budgets=(left("0"),)))
    named = NAMED.search(local.reason)
    assert named is not None
    assert named[1] == "ollama/m"


def test_what_the_ledger_cannot_tell_is_not_said_to_be_spent() -> None:
    found = decide(world(OPUS, budgets=(BudgetLeft("all", "day", "10", "0", known=False),)))
    assert found.code is Code.BUDGET_EXCEEDED  # nothing goes out
    assert "ledger" in found.reason
    assert "%" not in found.reason
