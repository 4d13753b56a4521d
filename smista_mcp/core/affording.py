"""What a decision says of money: which budgets are nearly spent, and what would still fit where nothing did."""

from collections.abc import Callable, Iterable, Iterator
from decimal import Decimal

from smista_mcp.core.budgeting import is_nearly_spent, mention
from smista_mcp.core.effective import Policy
from smista_mcp.core.estimating import in_scope
from smista_mcp.core.facts import BudgetLeft
from smista_mcp.core.selection import Ask, Candidate, Selection
from smista_mcp.core.values import Intent

Others = Callable[[Ask], Selection]
"""The verdicts on other targets of a phase."""


def targets(policy: Policy) -> Iterator[str]:
    """Everything that routes and classes of a policy name as a model, as often as they do."""
    for placed in policy.rules:
        yield from placed.rule.targets
    if policy.default is not None:
        yield policy.default.model
        yield from policy.default.fallbacks
    for definition in policy.classes.values():
        yield from definition.models


def affordable(ask: Ask, policy: Policy, others: Others) -> str:
    """Names the cheapest of all models in the policy that may serve the phase and would fit the budgets."""
    found = others(ask._replace(written=tuple(sorted(set(targets(policy)))), of_organisation=False)).accepted
    fitting = sorted((Decimal(one.cost.max), one.written) for one in found if one.cost is not None)
    if not fitting:
        return "no model that the policy names would fit; a local one costs nothing"
    most, written = fitting[0]
    return f"`{written}` would fit ({most:f} USD at most)"


def nearly_spent(budgets: Iterable[BudgetLeft], chosen: Candidate | None, intent: Intent) -> tuple[BudgetLeft, ...]:
    """Those that pay for a phase on a candidate and have little left."""
    if chosen is None or chosen.cost is None or not Decimal(chosen.cost.max):
        return ()
    return tuple(one for one in budgets if is_nearly_spent(one) and in_scope(one.scope, chosen, intent))


def with_mentions(reason: str, ask: Ask, chosen: Candidate | None) -> str:
    """A reason that says of each of them how far it is used."""
    return "; ".join((reason, *map(mention, nearly_spent(ask.budgets, chosen, ask.intent))))
