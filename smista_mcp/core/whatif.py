"""What another policy would change: tasks decided under two policies, compared phase by phase, leaks first. Pure."""

import json
from collections import defaultdict
from collections.abc import Iterable, Sequence
from decimal import Decimal
from enum import StrEnum
from typing import NamedTuple, Self

from smista_mcp.core.costing import plain
from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.floor import Guard, judge
from smista_mcp.core.routing import Routed
from smista_mcp.core.values import Effort, Intent, Locality, Status, Value
from smista_mcp.errors import Code

LISTED = 20
"""Tasks, and paths, that one change names."""


class Kind(StrEnum):
    """What a change means to whoever reviews it, the gravest first.

    `leak`: something goes to a remote model, or may, that did not, or goes without a person being asked.
    `refusal`: what was done is refused. `approval`: a person is asked who was not.
    """

    LEAK = "leak"
    REFUSAL = "refusal"
    APPROVAL = "approval"
    OTHER = "other"


class Outcome(Value):
    """What a policy decides for one phase. `cost` is the upper end of the estimate; None where the price is unknown."""

    intent: Intent
    rule: str | None
    status: Status
    code: Code | None
    model: str | None
    resolved_model: str | None
    locality: Locality | None
    effort: Effort
    fallbacks: tuple[str, ...]
    escalation: tuple[str, ...]
    cost: str | None

    @classmethod
    def of(cls, decision: Decision) -> Self:
        """The outcome that a decision is; what is refused costs nothing."""
        spent = decision.cost.max if decision.cost else None
        return cls(
            intent=decision.intent.name,
            rule=decision.matched_rule.name if decision.matched_rule else None,
            status=decision.status,
            code=decision.code,
            model=decision.model,
            resolved_model=decision.resolved_model,
            locality=decision.locality,
            effort=decision.effort,
            fallbacks=decision.fallbacks,
            escalation=decision.escalation.models if decision.escalation else (),
            cost="0" if decision.status is Status.REFUSED else spent,
        )


class Judged(NamedTuple):
    """An outcome, and what of it is compared and not printed.

    Attributes:
        held: labels of the context that a remote model must not get.
        remote: whether the words themselves go to a remote model.
        may_leave: whether they may: also by way of a fallback.
        unasked: whether they may without a person being asked.
    """

    outcome: Outcome
    reason: str
    held: frozenset[str]
    remote: bool
    may_leave: bool
    unasked: bool


class Compared(NamedTuple):
    """A task under both policies, its phases in order."""

    label: str
    before: tuple[Judged, ...]
    after: tuple[Judged, ...]


class Costs(Value):
    """Sums of upper ends, USD as decimal strings. Phases whose price is unknown are counted, and not in the sums."""

    before: str
    after: str
    unknown_before: int
    unknown_after: int


class Change(Value):
    """A change that some phases have in common.

    Attributes:
        fields: which fields of the outcome differ; `withheld` where the same model gets other context, `phases` where
            the task is read as another number of phases, `reach` where only the locality of a host or of a fallback is
            another one, or whether a person is asked about it.
        released: labels of context that were withheld from remote models and are not any more; the first 20.
        tasks: the labels of the first 20 tasks; `count` is the number of all.
        reason_before: of the first of them; `reason_after` likewise.
    """

    kind: Kind
    count: int
    fields: tuple[str, ...]
    before: Outcome
    after: Outcome
    released: tuple[str, ...]
    tasks: tuple[str, ...]
    cost: Costs
    reason_before: str
    reason_after: str


class Totals(Value):
    """Counts of tasks; one with several changes counts in each kind."""

    tasks: int
    phases: int
    changed: int
    leaks: int
    refusals: int
    approvals: int
    cost: Costs


class Comparison(Value):
    """Everything that differs, the gravest first, then the most frequent."""

    totals: Totals
    changes: tuple[Change, ...]


def judged(routed: Routed, context: PhaseContext, guard: Guard, host: Locality, unread: Sequence[str] = ()) -> Judged:
    """What a policy decides, as far as it is compared.

    Args:
        routed: the decision with its candidates.
        context: what it was made from.
        guard: of the same policy.
        host: where the host's own model runs.
        unread: labels of restricted context that was not read, so that no item stands for it.
    """
    decision = routed.decision
    held = {context.items[place].path for place in routed.floor.withheld}
    held |= {path for path in unread if judge(guard, (path,))}
    handed = decision.status is Status.HANDOFF and host is Locality.REMOTE
    remote = _goes(decision) is Locality.REMOTE or handed
    further = [
        candidate for candidate in (*routed.candidates, *routed.escalation) if candidate.locality is Locality.REMOTE
    ]
    return Judged(
        Outcome.of(decision),
        decision.reason,
        frozenset(held),
        remote=remote,
        may_leave=remote or bool(further),
        unasked=handed or not all(candidate.needs_approval for candidate in further),
    )


def _goes(decision: Decision) -> Locality | None:
    return decision.locality if decision.status in (Status.ROUTED, Status.APPROVAL_REQUIRED) else None


class _Difference(NamedTuple):
    """One phase that comes out otherwise; `task` counts the tasks."""

    task: int
    label: str
    kind: Kind
    fields: tuple[str, ...]
    before: Judged
    after: Judged
    released: frozenset[str]


def compare(tasks: Iterable[Compared]) -> Comparison:
    """Compares tasks. Which ones a change names as examples, and in which order, is the order in which they come."""
    rows: dict[str, list[_Difference]] = defaultdict(list)
    by_kind: dict[Kind, set[int]] = {kind: set() for kind in Kind}
    pairs: list[tuple[Judged, Judged]] = []
    number = 0
    for number, task in enumerate(tasks, 1):
        phases = _paired(task)
        pairs += phases
        for before, after in phases:
            found = _difference(number, task, before, after)
            if found is not None:
                rows[_key(found)].append(found)
                by_kind[found.kind].add(number)
    changes = [_change(group) for group in rows.values()]
    order = list(Kind)
    totals = Totals(
        tasks=number,
        phases=len(pairs),
        changed=len(set[int]().union(*by_kind.values())),
        leaks=len(by_kind[Kind.LEAK]),
        refusals=len(by_kind[Kind.REFUSAL]),
        approvals=len(by_kind[Kind.APPROVAL]),
        cost=_costs(pairs),
    )
    changes.sort(key=lambda change: (order.index(change.kind), -change.count, change.model_dump_json()))
    return Comparison(totals=totals, changes=tuple(changes))


def _paired(task: Compared) -> list[tuple[Judged, Judged]]:
    """Phases by place; where one side has fewer, its last one stands for the rest: it had these words."""
    most = max(len(task.before), len(task.after))
    last = len(task.before) - 1, len(task.after) - 1
    return [(task.before[min(n, last[0])], task.after[min(n, last[1])]) for n in range(most)]


def _difference(number: int, task: Compared, before: Judged, after: Judged) -> _Difference | None:
    old, new = before.outcome.model_dump(), after.outcome.model_dump()
    fields = [name for name in old if old[name] != new[name]]
    released = before.held - after.held if after.may_leave else frozenset[str]()
    both_leave = before.may_leave and after.may_leave
    if both_leave and before.held != after.held:
        fields.append("withheld")
    if len(task.before) != len(task.after):
        fields.append("phases")
    kind = _kind(before, after, leaves=bool(both_leave and released))
    if not fields and kind is Kind.OTHER:
        return None
    fields = fields or ["reach"]
    return _Difference(number, task.label, kind, tuple(fields), before, after, released)


def _kind(before: Judged, after: Judged, *, leaves: bool) -> Kind:
    old, new = before.outcome.status, after.outcome.status
    freer = ((before.remote, after.remote), (before.may_leave, after.may_leave), (before.unasked, after.unasked))
    if leaves or any(now and not once for once, now in freer):
        return Kind.LEAK
    if new is Status.REFUSED and old is not Status.REFUSED:
        return Kind.REFUSAL
    if new is Status.APPROVAL_REQUIRED and old in (Status.ROUTED, Status.HANDOFF):
        return Kind.APPROVAL
    return Kind.OTHER


def _key(found: _Difference) -> str:
    """What the phases of one change have in common: all but the amounts."""
    sides = [side.outcome.model_dump(mode="json", exclude={"cost"}) for side in (found.before, found.after)]
    return json.dumps([found.kind, found.fields, *sides], sort_keys=True)


def _change(group: Sequence[_Difference]) -> Change:
    labels = list(dict.fromkeys(found.label for found in group))
    first = group[0]
    released = sorted(frozenset[str]().union(*(found.released for found in group)))
    return Change(
        kind=first.kind,
        count=len({found.task for found in group}),
        fields=first.fields,
        before=first.before.outcome,
        after=first.after.outcome,
        released=tuple(released[:LISTED]),
        tasks=tuple(labels[:LISTED]),
        cost=_costs([(found.before, found.after) for found in group]),
        reason_before=first.before.reason,
        reason_after=first.after.reason,
    )


def _costs(pairs: Sequence[tuple[Judged, Judged]]) -> Costs:
    before = [old.outcome.cost for old, _ in pairs]
    after = [new.outcome.cost for _, new in pairs]
    return Costs(
        before=_sum(before), after=_sum(after), unknown_before=before.count(None), unknown_after=after.count(None)
    )


def _sum(amounts: Sequence[str | None]) -> str:
    return plain(sum((Decimal(amount) for amount in amounts if amount is not None), Decimal(0)))
