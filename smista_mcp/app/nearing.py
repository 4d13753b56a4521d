"""What a person should know of the budgets that pay for a call."""

from collections.abc import Iterable, Iterator, Sequence

from smista_mcp.app.caller import Caller
from smista_mcp.core.affording import nearly_spent
from smista_mcp.core.budgeting import mention, warning
from smista_mcp.core.facts import BudgetLeft
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate


def remarks_on_budgets(budgets: Sequence[BudgetLeft], routed: Iterable[Routed], caller: Caller) -> Iterator[str]:
    """One for each budget that has little left; over HTTP, amounts only of the caller's own."""
    near = (one for each in routed for one in nearly_spent(budgets, _chosen(each), each.phase.intent.name))
    for one in dict.fromkeys(near):
        own = not caller.over_http or one.scope.startswith("token:")
        yield warning(one) if own else mention(one)


def _chosen(routed: Routed) -> Candidate | None:
    either = (*routed.candidates, *routed.over_limit)
    return next((one for one in either if one.written == routed.decision.model), None)
