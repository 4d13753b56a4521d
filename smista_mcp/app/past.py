"""What was done lately in a workspace and what it used, as hosts and people are told."""

from collections.abc import Iterator
from datetime import date, datetime
from typing import NamedTuple

from smista_mcp.app.attempted import cause_of, cost_of
from smista_mcp.app.caller import Caller
from smista_mcp.app.usage import Span, budgets, rows
from smista_mcp.app.world import World, period_start, utc_now
from smista_mcp.core.globs import name_matches
from smista_mcp.core.history import TraceLine, TracesAnswer, UsageAnswer, UsagePeriod
from smista_mcp.core.usage import Used, grouped, line
from smista_mcp.core.values import FAMILY
from smista_mcp.dispatch.reactions import LAW
from smista_mcp.ledger import Ledger, Scope, StoredAttempt, StoredDecision
from smista_mcp.ledger.spending import timestamp

MOST = 50
"""Decisions that are listed, where nobody says how many."""
LOOKED_AT = 5_000
"""Decisions that are looked at for those that fit."""
_PAGE = 50
_PERIODS = ("day", "month")


class Wanted(NamedTuple):
    """Which work is meant; what is None or empty leaves all.

    Attributes:
        intent: the work's, or its family.
        model: a pattern as in `[models]`, or a part of a name; as written, resolved, or asked last.
        status: of the last attempt, or of the decision where nothing was attempted.
        since: the first day, UTC.
    """

    intent: str | None = None
    model: str | None = None
    status: str | None = None
    since: date | None = None


ALL = Wanted()


def latest(world: World, caller: Caller, most: int = MOST) -> TracesAnswer:
    """The latest work of the workspace; over HTTP of this caller alone. Blocks.

    Raises:
        StateUnavailable: the ledger cannot be read, and why.
    """
    return found(world, world.scope_of(caller), ALL, most)


def found(world: World, scope: Scope | None, wanted: Wanted, most: int = MOST) -> TracesAnswer:
    """The latest work that is meant, newest first; a scope of None stands for every workspace. As for `latest`."""
    ledger = world.open_ledger()
    traces: list[TraceLine] = []
    for looked, stored in enumerate(_newest_first(ledger, scope, wanted)):
        if looked == LOOKED_AT:
            return TracesAnswer(traces=tuple(traces), most=most, looked_at=looked)
        told = _line(ledger, stored, wanted)
        traces += [told] if told is not None else []
        if len(traces) >= most:
            break
    return TracesAnswer(traces=tuple(traces), most=most)


def _newest_first(ledger: Ledger, scope: Scope | None, wanted: Wanted) -> Iterator[StoredDecision]:
    before: int | None = None
    while page := ledger.history.decisions(scope, _PAGE, before):
        for stored in page:
            if wanted.since is not None and stored.at[:10] < wanted.since.isoformat():
                return
            yield stored
        before = page[-1].sequence


def _line(ledger: Ledger, stored: StoredDecision, wanted: Wanted) -> TraceLine | None:
    """A decision in short; None where another is meant."""
    decision = stored.decision
    if wanted.intent is not None and wanted.intent not in (decision.intent.name, FAMILY[decision.intent.name]):
        return None
    traces = ledger.traces_of(stored)
    attempts = [attempt for trace in traces for attempt in trace.attempts]
    last = attempts[-1] if attempts else None
    status, code = (decision.status, decision.code) if last is None else _became(last)
    names = (decision.model, decision.resolved_model, *((last.model, last.resolved_model) if last else ()))
    if wanted.status not in (None, status) or not _is_meant(wanted.model, names):
        return None
    return TraceLine(
        trace_id=traces[-1].trace_id if traces else None,
        decision_id=stored.decision_id,
        at=stored.at,
        phase=stored.phase,
        intent=decision.intent.name,
        host=decision.host,
        rule=decision.matched_rule.name if decision.matched_rule else None,
        status=status,
        code=code,
        model=decision.model if last is None else last.resolved_model or last.model,
        locality=decision.locality if last is None else last.locality,
        attempts=len(attempts),
        cost=cost_of(attempts),
        seconds=_seconds(attempts),
    )


def _became(last: StoredAttempt) -> tuple[str, str | None]:
    """How it ended; an answer that was of no use is a failure, whatever its provider thinks."""
    cause = cause_of(last)
    if last.status == "completed" and cause is not None:
        return "failed", LAW[cause].code
    return last.status, last.code


def _is_meant(pattern: str | None, names: tuple[str | None, ...]) -> bool:
    if pattern is None:
        return True
    whole = pattern if "*" in pattern else f"*{pattern}*"
    return any(name is not None and name_matches(whole, name) for name in names)


def _seconds(attempts: list[StoredAttempt]) -> float | None:
    if not attempts or attempts[-1].ended_at is None:
        return None
    took = datetime.fromisoformat(attempts[-1].ended_at) - datetime.fromisoformat(attempts[0].started_at)
    return round(max(took.total_seconds(), 0.0), 3)


def used(world: World, caller: Caller) -> UsageAnswer:
    """What was used today and this month (UTC), and what is left of the budgets; as for `latest`."""
    now = utc_now()
    starts = {period: period_start(period, now) for period in _PERIODS}
    read = rows(world, Span(min(starts.values()).date(), now.date()), world.scope_of(caller))
    periods = tuple(_period(period, start, read) for period, start in starts.items())
    return UsageAnswer(periods=periods, budgets=() if caller.over_http else budgets(world))


def _period(period: str, start: datetime, read: list[Used]) -> UsagePeriod:
    within = [one for one in read if one.day >= start.date().isoformat()]
    whole = line(within)
    return UsagePeriod(
        period=period,
        since=timestamp(start),
        requests=whole.requests,
        cost=whole.cost,
        models=grouped(within, "model"),
    )
