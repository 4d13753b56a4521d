"""Budgets in words: when their time begins, and that one is nearly spent."""

from decimal import Decimal

from smista_mcp.core.facts import BudgetLeft
from smista_mcp.core.redaction import shown

WARNED_AT = 80
"""Per cent of a budget from which on decisions say how far it is used."""
ZONE = "UTC"
"""Of the days and months of budgets: the same on every machine, whatever its clock shows."""
BEGINS = f"days and months begin at 00:00 {ZONE}"


def for_period(period: str) -> str:
    """As in `10.00 a day (UTC)`; a task has no zone."""
    return "a task" if period == "task" else f"a {period} ({ZONE})"


def used(budget: BudgetLeft) -> int:
    """Per cent that are spent or held, rounded down; 0 where there is nothing to spend or nobody knows."""
    limit = Decimal(budget.limit)
    if not limit or not budget.known:
        return 0
    return int((limit - Decimal(budget.left)) * 100 // limit)


def is_nearly_spent(budget: BudgetLeft) -> bool:
    """Whether decisions say so."""
    return used(budget) >= WARNED_AT


def mention(budget: BudgetLeft) -> str:
    """How far it is used, in few words and without an amount."""
    return f"budget `{shown(budget.scope)}` a {budget.period} is at {used(budget)} %"


def warning(budget: BudgetLeft) -> str:
    """The same with amounts, for whoever may know them."""
    return (
        f"budget `{shown(budget.scope)}`, {budget.limit} USD {for_period(budget.period)}, is at {used(budget)} %:"
        f" {budget.left} USD are left"
    )
