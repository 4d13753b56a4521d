"""What was done lately in a workspace and what it used, as hosts are told."""

from collections.abc import Sequence
from datetime import date
from decimal import Decimal

from smista_mcp.app.caller import Caller
from smista_mcp.app.world import World, period_start, utc_now
from smista_mcp.core.costing import usd
from smista_mcp.core.history import BudgetLine, TraceLine, TracesAnswer, UsageAnswer, UsageLine, UsagePeriod
from smista_mcp.errors import PolicyInvalid
from smista_mcp.ledger import Ledger, StoredDecision
from smista_mcp.ledger.spending import timestamp
from smista_mcp.ledger.tallies import Tally

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
    tallies = world.open_ledger().tallies(min(starts.values()).date(), date.max, world.scope_of(caller))
    periods: list[UsagePeriod] = []
    for period, start in starts.items():
        found = [one for one in tallies if one.day >= start.date()]
        periods.append(_period(period, timestamp(start), found))
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


def _period(period: str, since: str, tallies: Sequence[Tally]) -> UsagePeriod:
    by_model: dict[tuple[str, str], list[Tally]] = {}
    for one in tallies:
        by_model.setdefault((one.resolved_model or one.model, one.locality), []).append(one)
    dearest = sorted(by_model.items(), key=lambda one: (-_cost(one[1]), one[0]))
    return UsagePeriod(
        period=period,
        since=since,
        requests=sum(one.requests for one in tallies),
        cost=usd(_cost(tallies)),
        models=tuple(_usage(*which, found) for which, found in dearest),
    )


def _usage(model: str, locality: str, tallies: Sequence[Tally]) -> UsageLine:
    return UsageLine(
        model=model,
        locality=locality,
        requests=sum(one.requests for one in tallies),
        completed=sum(one.completed for one in tallies),
        uncertain=sum(one.uncertain for one in tallies),
        unpriced=sum(one.unpriced for one in tallies),
        cost=usd(_cost(tallies)),
        input_tokens=sum(one.input_tokens for one in tallies),
        cached_input_tokens=sum(one.cached_input_tokens for one in tallies),
        output_tokens=sum(one.output_tokens for one in tallies),
        reasoning_tokens=sum(one.reasoning_tokens for one in tallies),
    )


def _cost(tallies: Sequence[Tally]) -> Decimal:
    return sum((one.cost for one in tallies), Decimal(0))
