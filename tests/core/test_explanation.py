"""Decisions for people."""

import pytest
from deciding import book, decide, routed, world

from smista_mcp.core.decision import Rejected
from smista_mcp.core.explanation import Failing, changes, golden_view, judge_rules
from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.remedies import remedy
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent, Locality
from smista_mcp.errors import Code

POLICY = """
[[routing.rules]]
name = "broad"
intent = "edit"
model = "anthropic/claude-sonnet"

[[routing.rules]]
name = "exact"
intent = "edit"
paths = ["src/**"]
languages = ["python"]
model = "ollama/m"
local_only = true

[[routing.rules]]
name = "late"
priority = 2000
model = "ollama/m"

[[routing.rules]]
name = "other"
intent = "review"
skill = "s"
paths = ["lib/**"]
min_paths = 3
min_context_tokens = 99
languages = ["rust"]
model = "ollama/m"

[privacy.remote]
mode = "allow"
"""


def test_every_rule_is_told_with_why_it_did_or_did_not_win() -> None:
    verdicts = judge_rules(book(POLICY), Intent.EDIT, None, ["src/a.py"], 5)
    assert [(v.name, v.outcome, v.binds) for v in verdicts] == [
        ("exact", "won", True),
        ("broad", "outranked", False),
        ("late", "outranked", False),
        ("other", "no_match", False),
    ]
    assert [v.line for v in verdicts] == [7, 2, 15, 20]
    unmet = verdicts[3].reason
    assert unmet.count(";") == 5


@pytest.mark.parametrize(
    ("facts", "code"),
    [
        (ProviderFacts(Locality.REMOTE, credentials=False), Code.MISSING_PROVIDER_CREDENTIALS),
        (ProviderFacts(Locality.REMOTE, reachable=False), Code.PROVIDER_UNAVAILABLE),
    ],
)
def test_a_refusal_says_what_would_have_to_change(facts: ProviderFacts, code: Code) -> None:
    decision = decide(world(POLICY, anthropic=facts), intent="edit")
    assert decision.code is code
    assert len(changes(decision)) == 1


def test_where_a_limit_is_why_a_person_is_asked_the_limit_is_what_would_have_to_change() -> None:
    dear = 'cost_limit = "0.000001"\n'
    rule = f'[[routing.rules]]\nname = "r"\nmodel = "anthropic/claude-sonnet"\n{dear}'
    decision = decide(f'{rule}[privacy.remote]\nmode = "allow"\n', intent="edit")
    assert (decision.status, decision.rejected[0].code) == ("approval_required", Code.COST_LIMIT_EXCEEDED)
    assert changes(decision) == (remedy(Code.COST_LIMIT_EXCEEDED),)


def test_nothing_has_to_change_for_a_decision_that_routes() -> None:
    assert changes(decide(POLICY, intent="edit")) == ()


def test_the_golden_view_names_task_model_rule_context_cost_and_permissions() -> None:
    (one,) = routed(world(POLICY), Task(text="fix the bug", intent=Intent.EDIT, paths=("src/a.py",)))
    labels = [line.partition(":")[0] for line in golden_view(one.decision).splitlines()]
    for label in (
        "detected task",
        "selected model",
        "matched rule",
        "included context",
        "excluded context",
        "estimated cost",
        "permissions",
    ):
        assert label in labels


@pytest.mark.parametrize(("intent", "needed"), [("edit", True), ("review", False)])
def test_writing_is_needed_for_edits_alone(intent: str, *, needed: bool) -> None:
    view = golden_view(decide(POLICY, intent=intent))
    assert ("file_write to be approved" in view) is needed


def test_a_decision_without_a_model_has_no_price() -> None:
    view = golden_view(decide("[privacy.remote]\nmode = 'deny'\n"))
    assert "no model is chosen" in view
    assert "none (default route)" in view


def test_a_failed_phase_says_what_would_have_to_change_for_it() -> None:
    decision = decide(POLICY, intent="edit")
    assert changes(decision, [Failing(Code.PROVIDER_AUTH), Failing(Code.PROVIDER_AUTH)]) == (
        remedy(Code.PROVIDER_AUTH),
    )
    assert "[secrets] allow" in remedy(Code.SECRET_DETECTED)


def test_what_a_passed_over_candidate_needs_is_told_as_such() -> None:
    rejected = (Rejected(model="far/m", code=Code.RESTRICTED_CONTENT, detail="x"),)
    (told,) = changes(decide(POLICY, intent="edit").model_copy(update={"rejected": rejected}))
    assert ("`far/m`" in told, "local model" in told) == (True, False)


def test_every_refusal_says_what_to_write_instead() -> None:
    decision = decide(world(POLICY, anthropic=ProviderFacts(Locality.REMOTE, credentials=False)), intent="edit")
    assert remedy(Code.MISSING_PROVIDER_CREDENTIALS) in decision.reason
