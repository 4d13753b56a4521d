"""Cases of policies: what is compared, what is said of one that fails, what is covered."""

import pytest
from deciding import book, layer, world

from smista_mcp.core.policy_tests import TestReport as Report
from smista_mcp.core.policy_tests import TestResult as Result
from smista_mcp.core.policy_tests import run_tests
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer

RULES = """
[[routing.rules]]
name = "reviews stay"
intent = "review"
local_only = true
model = "ollama/tiny"

[[routing.rules]]
name = "big edits"
intent = "edit"
min_paths = 3
effort = "high"
model = "anthropic/claude-opus"

[routing.default]
model = "anthropic/claude-sonnet"

[privacy.remote]
mode = "allow"
"""


def report(cases: str, *others: str | LayerDocument, policy: str = RULES) -> Report:
    policies = book(policy + cases, *others)
    return run_tests(policies, world(policies).market.catalog)


def case(task: str, expect: str, name: str = "it") -> str:
    return f'[[test]]\nname = "{name}"\ntask = {{ {task} }}\nexpect = {{ {expect} }}\n'


def result(task: str, expect: str, *, policy: str = RULES) -> Result:
    (one,) = report(case(task, expect), policy=policy).results
    return one


def wrong(task: str, expect: str, *, policy: str = RULES) -> dict[str, tuple[str, str]]:
    return {d.field: (d.expected, d.found) for d in result(task, expect, policy=policy).differences}


REVIEW = 'text = "review it"'
EDIT = 'text = "fix it", intent = "edit"'


@pytest.mark.parametrize(
    "expect",
    [
        'intent = "review"',
        'rule = "reviews stay"',
        'model = "ollama/tiny"',
        'resolved_model = "ollama/tiny"',
        'locality = "local"',
        'effort = "medium"',
        'status = "routed"',
        'max_cost = "0"',
        "excluded = []",
    ],
)
def test_each_expectation_holds_where_it_is_met(expect: str) -> None:
    found = result(REVIEW, expect)
    assert found.passed, found.differences


@pytest.mark.parametrize(
    ("expect", "difference"),
    [
        ('intent = "edit"', {"intent": ("edit", "review")}),
        ('rule = "big edits"', {"rule": ("big edits", "reviews stay")}),
        ('rule = "default"', {"rule": ("default", "reviews stay")}),
        ('model = "ollama/other"', {"model": ("ollama/other", "ollama/tiny")}),
        ('locality = "remote"', {"locality": ("remote", "local")}),
        ('effort = "high", status = "refused"', {"effort": ("high", "medium"), "status": ("refused", "routed")}),
        ('code = "restricted_content"', {"code": ("restricted_content", "none")}),
        ('excluded = ["a"]', {"excluded": ("a", "none")}),
        ("phase = 4", {"phase": ("4", "none")}),
    ],
)
def test_each_expectation_that_is_not_met_is_told_with_what_was_found(
    expect: str, difference: dict[str, tuple[str, str]]
) -> None:
    assert wrong(REVIEW, expect) == difference


def test_a_failing_case_tells_why_the_decision_is_as_it_is_and_where_the_case_stands() -> None:
    found = result(EDIT, 'rule = "big edits"')
    assert not found.passed
    assert "default route" in found.reason
    assert (found.layer, found.file) == ("user", "user.toml")
    assert found.line == RULES.count("\n") + 1


def test_a_cost_above_the_most_that_is_expected_fails() -> None:
    assert wrong(EDIT, 'max_cost = "5"') == {}
    assert set(wrong(EDIT, 'max_cost = "0.000001"')) == {"max_cost"}


def test_a_price_that_nobody_knows_is_not_below_any_limit() -> None:
    policy = RULES.replace("anthropic/claude-sonnet", "openai/a-model-of-nobody")
    assert wrong(EDIT, 'max_cost = "100"', policy=policy) == {"max_cost": ("100 USD at most", "no known price")}


def test_an_unknown_rule_fails_and_names_the_nearest() -> None:
    (difference,) = result(REVIEW, 'rule = "Reviews stays"').differences
    assert "`reviews stay`" in difference.note
    (difference,) = result(REVIEW, 'rule = "zzz"').differences
    assert difference.note
    assert "did you mean" not in difference.note


@pytest.mark.parametrize(("task", "count"), [(REVIEW, "1 phase,"), ('text = "plan it, then fix it"', "2 phases,")])
def test_a_phase_that_does_not_exist_is_said_with_how_many_there_are(task: str, count: str) -> None:
    (difference,) = result(task, "phase = 7").differences
    assert "phase 7 " in difference.note
    assert count in difference.note


def test_a_known_rule_that_does_not_win_is_no_misspelling() -> None:
    assert [d.note for d in result(REVIEW, 'rule = "big edits"').differences] == [""]


def test_a_rule_that_nobody_trusts_is_said_to_bind_only() -> None:
    foreign = layer(
        '[[routing.rules]]\nname = "bound"\nlocal_only = true\nmodel = "ollama/tiny"\n', Layer.WORKSPACE, trusted=False
    )
    (found,) = report(case(REVIEW, 'rule = "bound"'), foreign).results
    assert "trusted" in found.differences[0].note


def test_an_unknown_code_names_the_nearest() -> None:
    (difference,) = result(REVIEW, 'code = "restricted_contents"').differences
    assert "`restricted_content`" in difference.note


def test_a_restricted_path_is_refused_to_a_remote_model() -> None:
    expect = 'status = "refused", code = "restricted_content", excluded = ["certs/a.pem"]'
    assert wrong('text = "change it", intent = "edit", paths = ["certs/a.pem"]', expect) == {}


def test_a_path_that_the_words_forbid_is_left_out_and_the_rest_goes_on() -> None:
    expect = 'status = "routed", locality = "remote", excluded = [".env"]'
    assert wrong('text = "rename the function in src/a.py, don\'t touch .env"', expect) == {}


def test_paths_of_the_call_and_of_the_words_count_together() -> None:
    task = 'text = "change src/a.py", intent = "edit", paths = ["b.py", "c.py"]'
    assert wrong(task, 'rule = "big edits"') == {}


def test_classification_rules_see_the_kinds_that_a_call_brings() -> None:
    rule = '[[classification.rules]]\nintent = "review"\nkeywords = ["look"]\nrequires_any_context = ["paths"]\n'
    assert wrong('text = "look", paths = ["a.py"]', 'intent = "review"', policy=rule + RULES) == {}
    assert wrong('text = "look"', 'intent = "review"', policy=rule + RULES) != {}


def test_a_model_that_is_none_is_told_as_the_call_would_be() -> None:
    assert wrong('text = "x", model = "gpt"', 'status = "refused", code = "unknown_model"') == {
        "status": ("refused", "error")
    }


def test_a_budget_counts_as_untouched() -> None:
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "0.000001"\n'
    assert wrong(EDIT, 'code = "budget_exceeded"', policy=RULES + budget) == {}


def test_rules_that_win_in_no_test_are_named_and_told_apart_by_layer() -> None:
    same = layer('[[routing.rules]]\nname = "reviews stay"\nintent = "plan"\nmodel = "ollama/x"\n', Layer.WORKSPACE)
    found = report(case(REVIEW, 'locality = "local"'), same)
    assert (found.rules, found.never_won) == (3, ("big edits", "reviews stay"))


def test_a_name_used_twice_and_a_test_that_expects_nothing_are_told_and_are_no_failure() -> None:
    found = report(case(REVIEW, 'locality = "local"') + case(EDIT, "phase = 0"))
    assert found.passed
    assert len(found.notes) == 2
    assert any("2 tests are called `it`" in note for note in found.notes)


def test_a_case_of_a_preset_that_own_files_overrule_is_no_failure_and_alone_it_is() -> None:
    cases = case(REVIEW, 'model = "ollama/tiny"')
    preset = layer(RULES + cases, Layer.PRESET)
    own = layer('[[routing.rules]]\nname = "mine"\npriority = 1\nmodel = "ollama/mine"\n')
    both = book(preset, own)
    found = run_tests(both, world(both).market.catalog)
    assert [(one.passed, one.overruled) for one in found.results] == [(False, True)]
    assert found.passed
    broken = book(layer(RULES + case(REVIEW, 'model = "ollama/x"'), Layer.PRESET))
    assert not run_tests(broken, world(broken).market.catalog).passed
