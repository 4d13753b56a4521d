"""The story of a decision: asked for before, while and after something is done about it."""

from datetime import UTC, datetime

import pytest
from recording import open_trace
from workbench import Bench, default

from smista_mcp.app import App, Caller
from smista_mcp.core.task import Task
from smista_mcp.core.values import Status
from smista_mcp.errors import NotFound
from smista_mcp.ledger import Ledger

RULES = """
[[routing.rules]]
name = "questions"
priority = 10
intent = "chat"
model = "host/current"

[[routing.rules]]
name = "all about the shop"
priority = 20
paths = ["shop/**"]
model = "host/current"

[[routing.rules]]
name = "reviews"
intent = "review"
model = "host/current"
"""
ASK = Task(text="explain shop/a.py")
AT = datetime(2026, 3, 14, tzinfo=UTC)


@pytest.fixture
def app(bench: Bench) -> App:
    bench.write("shop/a.py", "x = 1\n")
    return bench.app(RULES + default("host/current"))


def test_every_rule_says_why_it_did_or_did_not_win(app: App) -> None:
    (phase,) = app.explain(task=ASK, caller=Caller("codex")).phases
    assert {rule.name: rule.outcome for rule in phase.rules} == {
        "questions": "won",
        "all about the shop": "outranked",
        "reviews": "no_match",
    }
    assert all(rule.reason for rule in phase.rules)
    assert phase.decision.host == "codex"
    assert phase.decision.recorded


def test_a_recorded_decision_tells_the_same_story(app: App) -> None:
    (decision,) = app.route(ASK).decisions
    (fresh,) = app.explain(task=ASK).phases
    (stored,) = app.explain(decision.decision_id).phases
    assert stored.rules == fresh.rules
    assert stored.decision.decision_id == fresh.decision.decision_id == decision.decision_id
    assert (stored.decision.reason, stored.decision.context) == (decision.reason, decision.context)
    assert stored.attempts == ()


def test_the_words_of_a_task_are_told_while_they_are_there(app: App) -> None:
    (span,) = app.explain(task=ASK).reading
    assert (span.text, span.phase, span.decided, span.masked) == (ASK.text, 0, ("explain",), ("shop/a.py",))
    (decision,) = app.route(ASK).decisions
    assert app.explain(decision.decision_id).reading == ()


def test_the_last_call_is_told_with_all_of_its_phases(app: App) -> None:
    app.route(ASK)
    decisions = app.route(Task(text="Plan the shop, then review shop/a.py")).decisions
    story = app.explain(last=True)
    assert [phase.decision.decision_id for phase in story.phases] == [one.decision_id for one in decisions]
    assert story.recorded_at is not None


def test_a_policy_that_has_changed_since_is_said_to_have(app: App, bench: Bench) -> None:
    (decision,) = app.route(ASK).decisions
    then = app.explain(decision.decision_id).phases[0].rules
    bench.write_policy(default("host/current"))
    story = app.explain(decision.decision_id)
    # in which lines they stood is not kept
    assert story.phases[0].rules == tuple(one.model_copy(update={"line": None}) for one in then)
    assert "won" in [one.outcome for one in then]
    assert story.phases[0].decision.reason == decision.reason
    assert any("changed" in notice for notice in story.notices)


def test_the_record_can_be_read_under_a_broken_policy(app: App, bench: Bench) -> None:
    (decision,) = app.route(ASK).decisions
    bench.write_policy("nonsense")
    story = app.explain(last=True)
    assert story.phases[0].decision.decision_id == decision.decision_id
    assert "won" in [one.outcome for one in story.phases[0].rules]
    assert any("policy_invalid" in notice for notice in story.notices)


def test_a_trace_without_a_recorded_decision_is_told_so(app: App, bench: Bench) -> None:
    (decision,) = app.route(ASK).decisions
    ledger = Ledger.open(bench.state)
    trace_id = open_trace(ledger, "f" * 64, AT)
    with pytest.raises(NotFound, match="could not be recorded"):
        app.explain(trace_id, anywhere=True)
    with pytest.raises(NotFound, match="there is no trace"):  # nobody can say whose it is
        app.explain(trace_id)
    known = open_trace(ledger, decision.decision_id, AT)
    assert app.explain(known[:12]).phases[0].decision.decision_id == decision.decision_id


def test_an_id_that_stands_for_several_is_not_guessed(app: App, bench: Bench) -> None:
    (decision,) = app.route(ASK).decisions
    assert decision.status is Status.HANDOFF
    with pytest.raises(NotFound) as failure:
        app.explain(decision.decision_id[:4])
    assert failure.value.fix
