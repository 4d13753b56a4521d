"""Comparing outcomes: what counts as a leak, what is counted, what the order is."""

from decimal import Decimal

import pytest
from deciding import book, world
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.policy import TestTask
from smista_mcp.core.policy_tests import decide, label_context
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort, Intent, Locality, Status
from smista_mcp.core.whatif import LISTED, Compared, Judged, Kind, Outcome, compare, judged
from smista_mcp.errors import Code

HERE, THERE = Locality.LOCAL, Locality.REMOTE


def outcome(
    status: Status = Status.ROUTED, locality: Locality | None = HERE, *, rule: str = "r", cost: str | None = "0"
) -> Outcome:
    model = {HERE: "ollama/tiny", THERE: "anthropic/claude-opus", None: None}[locality]
    return Outcome(
        intent=Intent.EDIT,
        rule=rule,
        status=status,
        code=Code.NO_ROUTE if status is Status.REFUSED else None,
        model=model,
        resolved_model=model,
        locality=locality,
        effort=Effort.LOW,
        fallbacks=(),
        escalation=(),
        cost=cost,
    )


def one(found: Outcome, *held: str, may_leave: bool = False, asked: bool = False) -> Judged:
    remote = found.locality is THERE or found.status is Status.HANDOFF
    leaves = remote or may_leave
    unasked = leaves and not asked and found.status is not Status.APPROVAL_REQUIRED
    return Judged(found, "because", frozenset(held), remote, leaves, unasked)


LOCAL, REMOTE = one(outcome()), one(outcome(locality=THERE))
ASKED = one(outcome(Status.APPROVAL_REQUIRED, THERE))
REFUSED = one(outcome(Status.REFUSED, None))
HOST = one(outcome(Status.HANDOFF, None, cost=None))
ALL = (LOCAL, REMOTE, ASKED, REFUSED, HOST)


@pytest.mark.parametrize(
    ("before", "after", "kind"),
    [
        (LOCAL, REMOTE, Kind.LEAK),
        (REFUSED, REMOTE, Kind.LEAK),
        (LOCAL, ASKED, Kind.LEAK),
        (LOCAL, HOST, Kind.LEAK),
        (ASKED, REMOTE, Kind.LEAK),
        (one(outcome(locality=THERE), "a", "b"), one(outcome(locality=THERE), "a"), Kind.LEAK),
        (LOCAL, one(outcome(), may_leave=True), Kind.LEAK),
        (one(outcome(), may_leave=True, asked=True), one(outcome(), may_leave=True), Kind.LEAK),
        (ASKED, one(outcome(), may_leave=True), Kind.LEAK),
        (one(outcome(), "a", may_leave=True), one(outcome(), may_leave=True), Kind.LEAK),
        (REMOTE, REFUSED, Kind.REFUSAL),
        (LOCAL, REFUSED, Kind.REFUSAL),
        (HOST, REFUSED, Kind.REFUSAL),
        (REMOTE, ASKED, Kind.APPROVAL),
        (REMOTE, LOCAL, Kind.OTHER),
        (REFUSED, LOCAL, Kind.OTHER),
        (REMOTE, HOST, Kind.OTHER),
        (LOCAL, one(outcome(rule="s")), Kind.OTHER),
        (LOCAL, one(outcome(cost="1")), Kind.OTHER),
        (one(outcome(locality=THERE), "a"), one(outcome(locality=THERE), "a", "b"), Kind.OTHER),
    ],
)
def test_a_change_is_as_grave_as_what_it_lets_out(before: Judged, after: Judged, kind: Kind) -> None:
    (change,) = compare([Compared("t", (before,), (after,))]).changes
    assert change.kind is kind


@pytest.mark.parametrize("same", ALL)
def test_what_stays_is_no_change(same: Judged) -> None:
    found = compare([Compared("t", (same,), (same,))])
    assert (found.changes, found.totals.changed) == ((), 0)


def test_context_that_a_local_model_may_see_is_not_released() -> None:
    before, after = one(outcome(), "a"), one(outcome())
    assert compare([Compared("t", (before,), (after,))]).changes == ()


def test_a_host_that_is_remote_now_is_a_leak_though_no_word_of_the_outcome_differs() -> None:
    here = HOST._replace(remote=False, may_leave=False, unasked=False)
    (change,) = compare([Compared("t", (here,), (HOST,))]).changes
    assert (change.kind, change.fields) == (Kind.LEAK, ("reach",))


def test_a_task_read_as_other_phases_is_compared_with_the_words_it_had() -> None:
    found = compare([Compared("t", (REMOTE,), (REMOTE, REMOTE))])
    assert [(change.kind, change.fields) for change in found.changes] == [(Kind.OTHER, ("phases",))]
    assert compare([Compared("t", (LOCAL,), (LOCAL, REMOTE))]).totals.leaks == 1
    assert compare([Compared("t", (LOCAL, LOCAL), (REMOTE,))]).totals.leaks == 1


def test_tasks_that_change_alike_are_one_row_whatever_they_cost() -> None:
    dear = one(outcome(locality=THERE, cost="0.30"))
    tasks = [Compared(f"t{n}", (LOCAL,), (dear if n % 2 else REMOTE,)) for n in range(50)]
    rows = compare(tasks).changes
    assert [(row.count, row.tasks, row.cost.after) for row in rows if "cost" in row.fields] == [
        (25, tuple(f"t{n}" for n in range(1, 41, 2)), "7.5")
    ]
    assert len(rows[0].tasks) == LISTED


def test_the_same_task_recorded_twice_counts_twice_and_is_named_once() -> None:
    (row,) = compare([Compared("t", (LOCAL,), (REMOTE,))] * 2).changes
    assert (row.count, row.tasks) == (2, ("t",))


def test_the_gravest_come_first_and_then_the_most_frequent() -> None:
    pairs = (
        [(REMOTE, LOCAL)] * 9 + [(LOCAL, REFUSED)] * 2 + [(REMOTE, ASKED)] * 3 + [(REFUSED, REMOTE), (LOCAL, REMOTE)]
    )
    found = compare([Compared(str(n), (a,), (b,)) for n, (a, b) in enumerate([*pairs, (LOCAL, REMOTE)])])
    assert [(row.kind, row.count) for row in found.changes] == [
        (Kind.LEAK, 2),
        (Kind.LEAK, 1),
        (Kind.REFUSAL, 2),
        (Kind.APPROVAL, 3),
        (Kind.OTHER, 9),
    ]
    totals = found.totals
    assert (totals.tasks, totals.changed, totals.leaks, totals.refusals, totals.approvals) == (17, 17, 3, 2, 3)


AMOUNTS = st.one_of(st.none(), st.decimals("0", "99", places=6).map(lambda amount: f"{amount:f}"))


@st.composite
def any_judged(draw: st.DrawFn) -> Judged:
    status = draw(st.sampled_from(Status))
    placed = status in (Status.ROUTED, Status.APPROVAL_REQUIRED)
    locality = draw(st.sampled_from(Locality)) if placed else None
    found = outcome(status, locality, rule=draw(st.sampled_from("rs")), cost=draw(AMOUNTS))
    return one(found, *draw(st.frozensets(st.sampled_from("ab"))), may_leave=draw(st.booleans()))


SIDES = st.lists(any_judged(), min_size=1, max_size=3).map(tuple)
TASKS = st.lists(st.builds(Compared, st.text(max_size=2), SIDES, SIDES), max_size=12)


@given(TASKS)
def test_whatever_newly_leaves_is_a_leak(tasks: list[Compared]) -> None:
    leaving = 0
    for task in tasks:
        never = not any(phase.may_leave for phase in task.before)
        leaving += never and any(phase.may_leave for phase in task.after)
    assert compare(tasks).totals.leaks >= leaving


@given(TASKS)
def test_sums_and_counts_agree_with_the_tasks(tasks: list[Compared]) -> None:
    found = compare(tasks)
    known = [phase.outcome.cost for task in tasks for phase in task.before]
    if all(len(task.before) >= len(task.after) for task in tasks):
        assert Decimal(found.totals.cost.before) == sum(Decimal(cost) for cost in known if cost is not None)
        assert found.totals.cost.unknown_before == known.count(None)
    assert found.totals.changed <= found.totals.tasks == len(tasks)
    assert sum(row.count for row in found.changes) >= found.totals.changed


@given(TASKS)
def test_the_order_of_tasks_changes_no_count(tasks: list[Compared]) -> None:
    other = sorted(tasks, key=lambda task: task.label)
    first, second = compare(tasks), compare(other)
    assert first.totals == second.totals
    assert sorted((c.kind, c.count, c.fields) for c in first.changes) == sorted(
        (c.kind, c.count, c.fields) for c in second.changes
    )


def outcome_of(policy: str, task: Task) -> Judged:
    rules = book(policy)
    (routed,) = decide(TestTask(text=task.text, paths=task.paths), world(rules))
    context = label_context(task, routed.phase)
    return judged(routed, context, rules.guard, Locality.REMOTE, unread=(".env", "free.txt"))


def test_what_is_held_back_is_what_policy_withholds_read_or_not() -> None:
    found = outcome_of('[routing.default]\nmodel = "anthropic/claude-opus"\n', Task(text="fix it", paths=("a.pem",)))
    assert (found.held, found.remote, found.outcome.cost) == ({"a.pem", ".env"}, False, "0")


def test_a_fallback_that_is_remote_may_leave() -> None:
    policy = '[routing.default]\nmodel = "ollama/tiny"\nfallbacks = {0}\n[privacy.remote]\nmode = "allow"\n'
    assert outcome_of(policy.format(["openai/gpt-terra"]), Task(text="fix it")).may_leave
    assert not outcome_of(policy.format([]), Task(text="fix it")).may_leave
