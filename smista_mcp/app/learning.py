"""What people say of answers, and what the record teaches of models."""

from datetime import datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from smista_mcp.app.jobcalls import decisions_of
from smista_mcp.app.world import World, utc_now
from smista_mcp.core.costing import plain
from smista_mcp.core.effective import Adaptive
from smista_mcp.core.evidence import Evidence
from smista_mcp.core.suggesting import Suggestions, suggestions
from smista_mcp.errors import InvalidTask, NotFound
from smista_mcp.ledger import Ledger, StoredDecision, StoredTrace
from smista_mcp.ledger.learned import Standing
from smista_mcp.ledger.outcomes import Outcome, Saying, Source, Tried
from smista_mcp.ledger.tallies import Tally


class Spent(NamedTuple):
    """What the requests of one model for one intent and host took, USD and seconds; see `ledger.tallies`.

    Attributes:
        cost: of those whose cost is known.
        unknown: how many have a cost, or may have one, that nobody knows.
    """

    requests: int
    cost: str
    unknown: int
    seconds: float


class Learned(NamedTuple):
    """What there is to learn from, now.

    Attributes:
        tried: how tries turned out since `since`, this moment's included.
        spent: host, intent and model -> what they took, over whole days.
        in_force: what decisions see now; None where the policy does not want any.
    """

    since: datetime
    until: datetime
    tried: tuple[Tried, ...]
    spent: dict[tuple[str, str, str], Spent]
    in_force: Evidence | None
    standing: Standing
    rules: Adaptive


def say(world: World, given: str, verdict: Saying, source: Source, via: str, note: str = "") -> tuple[Outcome, ...]:
    """Records what somebody says of answers.

    Args:
        world: the state of the process.
        given: the id of a trace, which is that of its receipt too, of a decision, or of a job.
        verdict: what they say.
        source: who.
        via: through what.
        note: in their own words.

    Returns:
        One for each answer: those of all phases of a job, where they are good.

    Raises:
        NotFound: nothing has that id, or nothing was done with it.
        InvalidTask: no model gave an answer there; or it is a job of several phases, and one of them is bad.
        StateUnavailable: the ledger cannot be read or written.
    """
    ledger = world.open_ledger()
    traces = _traces(ledger, given)
    if verdict == "bad" and len(traces) > 1:
        listed = ", ".join(f"`{trace.trace_id[:16]}`" for trace in traces)
        message = f"`{given}` is a job of {len(traces)} phases, and nobody knows which of them is bad"
        raise InvalidTask(message, fix=f"name the one by its trace: {listed}")
    at = utc_now()
    return tuple(ledger.outcomes.say(trace.trace_id, verdict, source, via, at, note) for trace in traces)


def _traces(ledger: Ledger, given: str) -> list[StoredTrace]:
    """What an id stands for: a trace, or what was done with a decision or in a job."""
    try:
        job = ledger.jobs.find(given)
    except NotFound:
        job = None
    if job is not None:
        found = [_done(ledger, decision) for decision in decisions_of(ledger, job.calls)]
        return _some([trace for trace in found if trace is not None], f"job `{given}`")
    try:
        decision = ledger.decision(given)
    except NotFound as no_decision:
        try:
            return [ledger.trace(given)]
        except NotFound:
            raise no_decision from None
    trace = _done(ledger, decision)
    return _some([] if trace is None else [trace], f"decision `{given}`")


def _done(ledger: Ledger, decision: StoredDecision) -> StoredTrace | None:
    """The latest trace of a decision in which a model answered."""
    answered = [t for t in ledger.traces_of(decision) if any(one.status == "completed" for one in t.attempts)]
    return answered[-1] if answered else None


def _some(found: list[StoredTrace], what: str) -> list[StoredTrace]:
    if found:
        return found
    message = f"no model gave an answer for {what}, so there is nothing to judge"
    raise InvalidTask(message, fix="what providers reported of attempts that failed counts already")


def learned(world: World) -> Learned:
    """All that there is to learn from, and what decisions see of it.

    Raises:
        SmistaError: the policy cannot be used, or the ledger cannot be read.
    """
    policy, ledger, now = world.book().policy, world.open_ledger(), utc_now()
    window = policy.adaptive.window_days
    since = ledger.evidence.since(now, window)
    return Learned(
        since,
        now,
        ledger.outcomes.tried(since, now),
        _spent(ledger.tallies(since.date(), now.date())),
        world.evidence(policy),
        ledger.evidence.standing(),
        policy.adaptive,
    )


def _spent(tallies: tuple[Tally, ...]) -> dict[tuple[str, str, str], Spent]:
    sums: dict[tuple[str, str, str], list[Tally]] = {}
    for one in tallies:
        sums.setdefault((one.host or "unknown", one.intent, one.model), []).append(one)
    return {
        key: Spent(
            sum(one.requests for one in found),
            plain(sum((one.cost for one in found), Decimal(0))),
            sum(one.unpriced + one.uncertain + one.abandoned for one in found),
            sum(one.seconds for one in found),
        )
        for key, found in sums.items()
    }


def suggested(world: World) -> Suggestions:
    """Which routes of the policy in force the evidence speaks against, by all that is on record now.

    Raises:
        SmistaError: as for `learned`.
    """
    book, ledger, now = world.book(), world.open_ledger(), utc_now()
    window = book.policy.adaptive.window_days
    cells = (one.cell for one in ledger.outcomes.tried(ledger.evidence.since(now, window), now))
    tomorrow = (now + timedelta(days=1)).date().isoformat()
    return suggestions(book, Evidence.of(tomorrow, window, cells))


def freeze(world: World) -> Evidence:
    """Holds the evidence that decisions see now."""
    return world.open_ledger().evidence.freeze(utc_now(), world.book().policy.adaptive.window_days)


def thaw(world: World) -> None:
    """Lets decisions see again what is counted each day."""
    world.open_ledger().evidence.thaw(utc_now())


def reset(world: World) -> None:
    """Lets only what begins from now on count."""
    world.open_ledger().evidence.reset(utc_now())
