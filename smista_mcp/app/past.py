"""What was done lately in a workspace and what it used, as hosts are told."""

from collections.abc import Sequence
from decimal import Decimal

from smista_mcp.app.caller import Caller
from smista_mcp.app.world import World, period_start, utc_now
from smista_mcp.core.costing import usd
from smista_mcp.core.history import BudgetLine, TraceLine, TracesAnswer, UsageAnswer, UsageLine, UsagePeriod
from smista_mcp.errors import PolicyInvalid
from smista_mcp.ledger import Ledger, StoredDecision
from smista_mcp.ledger.history import UsedAttempt
from smista_mcp.ledger.spending import timestamp

MOST = 50
"""Decisions that are listed."""
_PERIODS = ("day", "month")


def latest(world: World, caller: Caller, most: int = MOST) -> TracesAnswer:
    """The latest work of the workspace; over HTTP of this caller alone. Blocks.

    Raises:
        StateUnavailable: the ledger cannot be read, and why.
    """
    ledger = world.open_ledger()
    found = ledger.history.decisions(world.scope_of(caller), most)
    return TracesAnswer(traces=tuple(_line(ledger, one) for one in found), most=most)


def used(world: World, caller: Caller) -> UsageAnswer:
    """What was used today and this month (UTC), and what is left of the budgets; as for `latest`."""
    now = utc_now()
    starts = {period: period_start(period, now) for period in _PERIODS}
    attempts = world.open_ledger().history.attempts(world.scope_of(caller), min(starts.values()))
    periods: list[UsagePeriod] = []
    for period, start in starts.items():
        since = timestamp(start)
        periods.append(_period(period, since, [one for one in attempts if one.started_at >= since]))
    return UsageAnswer(periods=tuple(periods), budgets=() if caller.over_http else _budgets(world))


def _budgets(world: World) -> tuple[BudgetLine, ...]:
    try:
        policy = world.book().policy
    except PolicyInvalid:
        return ()
    return tuple(BudgetLine(**left._asdict()) for left in world.budgets(policy))


def _line(ledger: Ledger, stored: StoredDecision) -> TraceLine:
    decision = stored.decision
    traces = ledger.traces_of(stored)
    attempts = [attempt for trace in traces for attempt in trace.attempts]
    last = attempts[-1] if attempts else None
    costs = [Decimal(attempt.cost) for attempt in attempts if attempt.cost is not None]
    return TraceLine(
        trace_id=traces[-1].trace_id if traces else None,
        decision_id=stored.decision_id,
        at=stored.at,
        phase=stored.phase,
        intent=decision.intent.name,
        rule=decision.matched_rule.name if decision.matched_rule else None,
        status=decision.status if last is None else last.status,
        code=decision.code if last is None else last.code,
        model=decision.model if last is None else last.resolved_model or last.model,
        locality=decision.locality if last is None else last.locality,
        attempts=len(attempts),
        cost=usd(sum(costs, Decimal(0))) if costs and len(costs) == len(attempts) else None,
    )


def _period(period: str, since: str, attempts: Sequence[UsedAttempt]) -> UsagePeriod:
    by_model: dict[tuple[str, str], list[UsedAttempt]] = {}
    for attempt in attempts:
        by_model.setdefault((attempt.model, attempt.locality), []).append(attempt)
    dearest = sorted(by_model.items(), key=lambda one: (-_cost(one[1]), one[0]))
    return UsagePeriod(
        period=period,
        since=since,
        requests=len(attempts),
        cost=usd(_cost(attempts)),
        models=tuple(_usage(*which, found) for which, found in dearest),
    )


def _usage(model: str, locality: str, attempts: Sequence[UsedAttempt]) -> UsageLine:
    return UsageLine(
        model=model,
        locality=locality,
        requests=len(attempts),
        completed=sum(one.status == "completed" for one in attempts),
        uncertain=sum(one.status == "uncertain" for one in attempts),
        unpriced=sum(one.status == "completed" and one.cost is None for one in attempts),
        cost=usd(_cost(attempts)),
        input_tokens=sum(one.usage.input_tokens or 0 for one in attempts),
        cached_input_tokens=sum(one.usage.cached_input_tokens or 0 for one in attempts),
        output_tokens=sum(one.usage.output_tokens or 0 for one in attempts),
        reasoning_tokens=sum(one.usage.reasoning_tokens or 0 for one in attempts),
    )


def _cost(attempts: Sequence[UsedAttempt]) -> Decimal:
    return sum((Decimal(one.cost) for one in attempts if one.cost is not None), Decimal(0))
