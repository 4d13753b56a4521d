"""What a phase will cost on a candidate, and whether that may be spent: one figure, shown, asked about and checked."""

import math
from decimal import Decimal

from smista_mcp.core.budgeting import for_period
from smista_mcp.core.candidates import Ask, Candidate, Market
from smista_mcp.core.costing import VISIBLE_OUTPUT, Course, expected_output_tokens, price_range
from smista_mcp.core.decision import Rejected
from smista_mcp.core.globs import name_matches
from smista_mcp.core.modelref import HOST
from smista_mcp.core.readtools import CAPS, TOOLS_TOKENS, most_tokens
from smista_mcp.core.redaction import shown
from smista_mcp.core.values import FAMILY, Intent
from smista_mcp.errors import Code

_FRAME_TOKENS = 256
"""More than our own words in a prompt have, without the descriptions of tools."""
_ANSWER_TOKENS = 8192
"""What an earlier answer that goes along may have."""
_REPAIR_TOKENS = 2048
"""What shows a model why its change does not apply: the reason, and the lines as they are."""


def afforded(candidate: Candidate, ask: Ask, market: Market) -> tuple[Candidate, Rejected | None]:
    """The candidate with what the phase will cost on it, and why that may not be spent; None where it may.

    Where all of it might cost more than it may, the model is asked without looking around, and then also without
    counting that a change which does not apply is asked for once more: that is done if what is left then pays for it.
    """
    if candidate.provider == HOST:
        return candidate, None
    repairs = ask.patches and market.readable
    found = _priced(candidate, ask, market, repairs=repairs)
    refused = _refusal(found, ask)
    if refused is not None and found.tools:
        found = _priced(found._replace(tools=()), ask, market, repairs=repairs)
        refused = _refusal(found, ask)
    if refused is not None and repairs:
        once = _priced(found, ask, market, repairs=False)
        if _refusal(once, ask) is None:
            return once, None
    return found, refused


def _priced(candidate: Candidate, ask: Ask, market: Market, *, repairs: bool) -> Candidate:
    facts, tools = candidate.facts, candidate.tools
    turns = any(ask.context.items[place].kind == "answer" for place in candidate.included)
    more = _FRAME_TOKENS + (TOOLS_TOKENS if tools else 0) + _ANSWER_TOKENS * ask.follows

    def needed(tokens: int) -> int:
        return math.ceil(tokens * facts.token_factor)

    cost = price_range(
        facts,
        input_tokens=candidate.tokens,
        expected_output=expected_output_tokens(ask.intent, ask.effort),
        attempts=1 + market.policy.dispatch.max_retries,
        course=Course(
            rounds=CAPS.rounds if tools else 0,
            grown=needed(most_tokens()) if tools else 0,
            kept=bool(tools) or turns,
            more=needed(more),
            repair=needed(VISIBLE_OUTPUT[ask.intent] + _REPAIR_TOKENS) if repairs else None,
        ),
    )
    return candidate._replace(cost=cost)


def _refusal(candidate: Candidate, ask: Ask) -> Rejected | None:
    budgets = [b for b in ask.budgets if in_scope(b.scope, candidate, ask.intent)]
    if ask.cost_limit is None and not budgets:
        return None
    if candidate.cost is None:
        detail = f'price unknown, and a limit applies; write its prices under `[catalog."{candidate.resolved}"]`'
        if candidate.facts.price_kind == "list":
            detail = "a limit applies, and nothing bounds what this CLI may cost; one that a plan pays has no such need"
        return Rejected(model=candidate.written, code=Code.PRICE_UNKNOWN, detail=detail)
    most = Decimal(candidate.cost.max)
    for budget in budgets:  # first, for a person may agree to more than a rule allows, and to no more than a budget
        if most > Decimal(budget.left):
            of = f"{budget.limit} {for_period(budget.period)} for {shown(budget.scope)}"
            left = budget.left if budget.known else "nobody can tell what, for the ledger cannot be read,"
            detail = f"may cost {candidate.cost.max} USD; {left} is left of {of}"
            return Rejected(model=candidate.written, code=Code.BUDGET_EXCEEDED, detail=detail)
    if ask.cost_limit is not None and most > ask.cost_limit:
        detail = f"may cost {candidate.cost.max} USD; the rule's limit is {ask.cost_limit}"
        return Rejected(model=candidate.written, code=Code.COST_LIMIT_EXCEEDED, detail=detail)
    return None


def in_scope(scope: str, candidate: Candidate, intent: Intent) -> bool:
    """Whether a budget of that scope counts what this candidate costs; of tokens only the caller's come this far."""
    kind, _, name = scope.partition(":")
    if kind == "intent":
        return name in (intent, FAMILY[intent])
    if kind == "model":
        return name_matches(name, candidate.written) or name_matches(name, candidate.resolved)
    return kind in ("all", "project", "token")
