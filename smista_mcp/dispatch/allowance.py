"""What one task may still spend: budgets of the period `task`, and the cost limit of a phase's rule.

Budgets of a day and a month are the ledger's: other tasks and processes count there too.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from decimal import Decimal

from smista_mcp.core.costing import plain
from smista_mcp.core.estimating import in_scope
from smista_mcp.core.policy import Budget
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.errors import Code, ProviderError


@dataclass(frozen=True, slots=True)
class Spent:
    """What one attempt has cost, or may have cost."""

    routed: Routed
    candidate: Candidate
    amount: Decimal


class Allowance:
    """The limits of one task and what its attempts have spent so far.

    Args:
        budgets: of the policy.
        spent: by the task until now, also before it had to stop for a person's yes; it grows.
    """

    def __init__(self, budgets: Sequence[Budget], spent: list[Spent]) -> None:
        self._budgets = [budget for budget in budgets if budget.period == "task"]
        self._spent = spent

    def check(self, routed: Routed, candidate: Candidate, most: Decimal | None) -> None:
        """Refuses an attempt that may cost more than is left, or nobody knows how much.

        Raises:
            ProviderError: `cost_limit_exceeded`, `budget_exceeded` or `price_unknown`; nothing was sent.
        """
        limit, scopes = _limit(routed), self._scopes(routed, candidate)
        if most is None and (limit is not None or scopes):
            raise ProviderError(
                "price unknown, and a limit applies",
                code=Code.PRICE_UNKNOWN,
                fix=f'write its prices under `[catalog."{candidate.resolved}"]`',
            )
        if most is None:
            return
        spent = self._spent_on(routed)
        if limit is not None and spent + most > limit:
            raise ProviderError(
                f"may cost {plain(most)} USD after {plain(spent)} spent; the rule's limit is {plain(limit)}",
                code=Code.COST_LIMIT_EXCEEDED,
            )
        for budget in scopes:
            spent = self._spent_in(budget.scope)
            if spent + most > budget.limit:
                left = budget.limit - spent
                raise ProviderError(
                    f"may cost {plain(most)} USD; {plain(left)} is left of {plain(budget.limit)} a task for"
                    f" {budget.scope}",
                    code=Code.BUDGET_EXCEEDED,
                )

    def left(self, routed: Routed, candidate: Candidate) -> Decimal | None:
        """USD that an attempt may cost; None where nothing limits it."""
        limit = _limit(routed)
        left = [] if limit is None else [limit - self._spent_on(routed)]
        left += [budget.limit - self._spent_in(budget.scope) for budget in self._scopes(routed, candidate)]
        return min(left, default=None)

    def note(self, routed: Routed, candidate: Candidate, amount: Decimal | None) -> None:
        """Notes what an attempt has cost, or may have cost where nobody can say."""
        if amount:
            self._spent.append(Spent(routed, candidate, amount))

    def _scopes(self, routed: Routed, candidate: Candidate) -> list[Budget]:
        return [one for one in self._budgets if in_scope(one.scope, candidate, routed.phase.intent.name)]

    def _spent_on(self, routed: Routed) -> Decimal:
        """By the phase; where a person has agreed to a cost, only since then, for that is what was asked about."""
        agreed = _agreed(routed) is not None
        counted = (one for one in self._spent if one.routed.phase.index == routed.phase.index)
        return sum((one.amount for one in counted if one.routed is routed or not agreed), Decimal(0))

    def _spent_in(self, scope: str) -> Decimal:
        counted = (one for one in self._spent if in_scope(scope, one.candidate, one.routed.phase.intent.name))
        return sum((one.amount for one in counted), Decimal(0))


def _limit(routed: Routed) -> Decimal | None:
    """What a phase may cost: what a person has agreed to, or else its rule; budgets hold all the same."""
    agreed = _agreed(routed)
    if agreed is not None:
        return agreed
    return routed.rule.cost_limit if routed.rule else None


def _agreed(routed: Routed) -> Decimal | None:
    return routed.permit.ceiling if routed.permit is not None else None
