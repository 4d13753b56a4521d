"""What `smista://traces` and `smista://usage` hold: the latest work, and what work has cost. No text of anybody."""

from smista_mcp.core.usage import Saving, UsageLine
from smista_mcp.core.values import Value


class TraceLine(Value):
    """One decision and what was done with it.

    Attributes:
        trace_id: the latest trace; None where nothing was done with the decision.
        at: when it was decided, UTC, ISO 8601.
        host: that asked.
        status: of the last attempt, or of the decision where nothing was attempted.
        code: likewise.
        model: that was asked last, or that the decision names.
        cost: of all its attempts, USD as a decimal string; None where it is not known.
        seconds: from the first attempt to the end of the last; None where that is not on record.
    """

    trace_id: str | None
    decision_id: str
    at: str
    phase: int
    intent: str
    host: str = ""
    rule: str | None
    status: str
    code: str | None
    model: str | None
    locality: str | None
    attempts: int
    cost: str | None
    seconds: float | None = None


class TracesAnswer(Value):
    """The latest work, newest first; `most` is how many are listed at most.

    `looked_at` is how many decisions were looked at for it, where not all that there are were: older ones may fit too.
    """

    traces: tuple[TraceLine, ...]
    most: int
    looked_at: int | None = None


class UsagePeriod(Value):
    """What was used since `since`, UTC: everything, and each model by itself, dearest first."""

    period: str
    since: str
    requests: int
    cost: str
    models: tuple[UsageLine, ...]


class BudgetLine(Value):
    """A budget of the policy: what it allows and what is left of it, USD as decimal strings; periods are UTC.

    Attributes:
        known: whether anybody can tell what is left; nothing counts as left where nobody can.
        used: per cent that are spent or set aside, rounded down; None where nobody can tell, or it is for each task.
    """

    scope: str
    period: str
    limit: str
    left: str
    known: bool = True
    used: int | None = None


class UsageAnswer(Value):
    """What this workspace has used. `budgets` are told to the user's own hosts alone, not over HTTP."""

    periods: tuple[UsagePeriod, ...]
    budgets: tuple[BudgetLine, ...] = ()


class UsageReport(Value):
    """What `usage` prints.

    Attributes:
        since: the first day, ISO date; `until` is the last. Both count whole, in the zone of `zone`.
        by: what the groups have in common.
        workspace: whether this workspace alone is counted; else every one on record.
        total: of all groups.
        today: of the last day alone.
        groups: dearest first; days in their order.
        days: each day by itself, where `by` is something else.
        budgets: what they allow and what is left, whatever days were asked for.
        saving: against the host's own model; None where no policy can be read, which names models and prices.
        notices: what to know of these figures.
    """

    since: str
    until: str
    zone: str = "UTC"
    by: str
    workspace: bool
    total: UsageLine
    today: UsageLine
    groups: tuple[UsageLine, ...]
    days: tuple[UsageLine, ...] = ()
    budgets: tuple[BudgetLine, ...] = ()
    saving: Saving | None = None
    notices: tuple[str, ...] = ()
