"""What `smista://traces` and `smista://usage` hold: the latest work, and what work has cost. No text of anybody."""

from smista_mcp.core.values import Value


class TraceLine(Value):
    """One decision and what was done with it.

    Attributes:
        trace_id: the latest trace; None where nothing was done with the decision.
        at: when it was decided, UTC, ISO 8601.
        status: of the last attempt, or of the decision where nothing was attempted.
        code: likewise.
        model: that was asked last, or that the decision names.
        cost: of all its attempts, USD as a decimal string; None where it is not known.
    """

    trace_id: str | None
    decision_id: str
    at: str
    phase: int
    intent: str
    rule: str | None
    status: str
    code: str | None
    model: str | None
    locality: str | None
    attempts: int
    cost: str | None


class TracesAnswer(Value):
    """The latest work of a workspace, newest first; `most` is how many are listed at most."""

    traces: tuple[TraceLine, ...]
    most: int


class UsageLine(Value):
    """What one model has done since a moment.

    Attributes:
        requests: that were begun; `uncertain` of them may have been charged without anybody knowing how much.
        cost: of those whose cost is known, USD as a decimal string.
        unpriced: how many completed requests have a cost that nobody knows.
        input_tokens: as providers reported them, and so the next three; requests without a report count as 0.
    """

    model: str
    locality: str
    requests: int
    completed: int
    uncertain: int
    unpriced: int
    cost: str
    input_tokens: int
    cached_input_tokens: int
    output_tokens: int
    reasoning_tokens: int


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
    """

    scope: str
    period: str
    limit: str
    left: str
    known: bool = True


class UsageAnswer(Value):
    """What this workspace has used. `budgets` are told to the user's own hosts alone, not over HTTP."""

    periods: tuple[UsagePeriod, ...]
    budgets: tuple[BudgetLine, ...] = ()
