"""What work has used and what it saved, as the ledger has it: read once, counted by the core. The only place for it."""

from collections.abc import Iterable
from datetime import date, timedelta
from typing import NamedTuple

from smista_mcp.app.references import asked_reference, references
from smista_mcp.app.world import World, keyed, utc_now
from smista_mcp.core.budgeting import used
from smista_mcp.core.facts import BudgetLeft
from smista_mcp.core.history import BudgetLine, UsageReport
from smista_mcp.core.usage import By, Saving, Tokens, Used, grouped, line, saving
from smista_mcp.errors import InvalidTask, PolicyInvalid
from smista_mcp.ledger import Scope
from smista_mcp.ledger.tallies import Tally
from smista_mcp.loading.trust import confirmed_roots

USUAL_DAYS = 7


class Span(NamedTuple):
    """Days in UTC; both count."""

    since: date
    until: date

    @classmethod
    def of(cls, since: str, until: str) -> "Span":
        """From ISO dates."""
        return cls(date.fromisoformat(since), date.fromisoformat(until))


def span(since: str | None = None, days: int | None = None, month: str | None = None) -> Span:
    """The days that are meant; one of the three at most is given.

    Args:
        since: ISO date of the first day; the last is today.
        days: so many, today included.
        month: `YYYY-MM`, as far as it is over; empty for the current one.

    Raises:
        InvalidTask: it is no date or month, or lies ahead.
    """
    if sum(given is not None for given in (since, days, month)) > 1:
        raise InvalidTask("--since, --days and --month exclude each other", fix="write one of them")
    today = utc_now().date()
    if month is not None:
        first = _date(f"{month}-01", month, "a month", "2026-11") if month else today.replace(day=1)
        last = (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)
        return _past(Span(first, min(last, today)))
    if since is not None:
        return _past(Span(_date(since, since, "a day", "2026-11-01"), today))
    return Span(max(today - timedelta(days=(days or USUAL_DAYS) - 1), date.min), today)


def _past(meant: Span) -> Span:
    if meant.since > utc_now().date():
        raise InvalidTask(f"{meant.since} lies ahead", fix="name a day up to today; days begin at 0:00 UTC")
    return meant


def _date(text: str, given: str, what: str, example: str) -> date:
    try:
        if len(text) == len("2026-11-01"):
            return date.fromisoformat(text)
    except ValueError:
        pass
    raise InvalidTask(f"`{given[:40]}` is not {what}", fix=f"write for example {example}")


def rows(world: World, meant: Span, scope: Scope | None) -> list[Used]:
    """What was used on these days. Blocks.

    Raises:
        StateUnavailable: the ledger cannot be read, and why.
    """
    return [_used(tally) for tally in world.open_ledger().tallies(meant.since, meant.until, scope)]


def _used(tally: Tally) -> Used:
    return Used(
        day=tally.day.isoformat(),
        model=tally.resolved_model or tally.model,
        locality=tally.locality,
        intent=tally.intent,
        project=tally.workspace,
        host=tally.host or "",
        pays=tally.cost_kind,
        completed=tally.completed,
        failed=tally.failed,
        cancelled=tally.cancelled,
        running=tally.running,
        uncertain=tally.uncertain,
        abandoned=tally.abandoned,
        unpriced=tally.unpriced,
        unreported=_unreported(tally),
        cost=tally.cost,
        held=tally.held,
        tokens=Tokens(
            tally.input_tokens,
            tally.cached_input_tokens,
            tally.cache_write_tokens,
            tally.output_tokens,
            tally.reasoning_tokens,
        ),
        served=tally.served,
        served_tokens=Tokens(
            tally.served_input_tokens,
            tally.served_cached_input_tokens,
            tally.served_cache_write_tokens,
            tally.served_output_tokens,
            tally.served_reasoning_tokens,
        ),
    )


def _unreported(tally: Tally) -> int:
    """For how many completed requests nobody counted tokens: at least so many, for the sums do not tell."""
    if not tally.input_tokens and not tally.output_tokens:
        return tally.completed
    return 0 if tally.cost_kind == "unknown" else tally.unpriced  # of a known price only tokens can be missing


def report(world: World, by: By, meant: Span, *, here: bool = False, against: str | None = None) -> UsageReport:
    """What work has used, for the user whose ledger it is. Blocks.

    Args:
        world: where the ledger is.
        by: what to tell apart.
        meant: the days.
        here: whether this workspace alone counts.
        against: the model that would have done all of it; None: the host's own, where it is known.

    Raises:
        StateUnavailable: the ledger cannot be read, and why.
        InvalidTask: nothing can be counted against that model.
    """
    found = rows(world, meant, world.scope(None) if here else None)
    saved, notices = _saving(world, found, against)
    last = meant.until.isoformat()
    return UsageReport(
        since=meant.since.isoformat(),
        until=last,
        by=by,
        workspace=here,
        total=line(found),
        today=line([row for row in found if row.day == last], last),
        groups=grouped(found, by, names(world) if by == "project" else None),
        days=() if by == "day" else grouped(found, "day"),
        budgets=budgets(world),
        saving=saved,
        notices=notices,
    )


def _saving(world: World, found: Iterable[Used], against: str | None) -> tuple[Saving | None, tuple[str, ...]]:
    try:
        policy = world.book().policy
    except PolicyInvalid as error:
        return None, (f"no saving is counted and no budget is known: {error.message}",)
    catalog = world.catalog(policy)
    asked = None if against is None else asked_reference(against, policy, catalog)
    return saving(found, references(policy, catalog, asked), utc_now().date().isoformat()), ()


def budgets(world: World) -> tuple[BudgetLine, ...]:
    """What budgets allow and what is left of them; none where there is no policy to tell."""
    try:
        policy = world.book().policy
    except PolicyInvalid:
        return ()
    return tuple(_budget(one) for one in world.budgets(policy))


def _budget(one: BudgetLeft) -> BudgetLine:
    told = used(one) if one.known and one.period != "task" else None
    return BudgetLine(**one._asdict(), used=told)


def names(world: World) -> dict[str, str]:
    """Keyed hash of a workspace -> its path, for those that somebody can name: this one, and those once confirmed.

    The ledger keeps hashes alone.
    """
    state = world.believed_state
    known = [] if state is None else confirmed_roots(state)
    root = world.settings.workspace
    if root is not None:
        known.append(str(root))
    return {keyed(world.key(), path): path for path in known}
