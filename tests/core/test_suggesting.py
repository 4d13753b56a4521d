"""Which routes the evidence speaks against, and what to write instead: taken at its word, it is not said again."""

import tomllib
from typing import Any

import pytest
from deciding import book

from smista_mcp.core.evidence import Cell, Evidence
from smista_mcp.core.suggesting import Suggestions, suggestions

A, B, C, LOCAL = "openai/gpt-sol", "anthropic/claude-opus", "gemini/gemini-pro", "ollama/qwen3"
GOOD, BAD = (40, 1), (3, 30)
RULE = f'[[routing.rules]]\nname = "changes"\nintent = "edit"\nmodel = "{A}"\nfallbacks = ["{C}", "{B}"]\n'
DEFAULT = '[routing.default]\nmodel = "class:mine"\n'
MINE = f'[classes.mine]\nmodels = ["{A}", "{B}"]\n'
Counts = dict[str, tuple[int, int]]


def said(policy: str, counts: Counts, intent: str = "refactor") -> Suggestions:
    cells = [Cell(model, intent, "codex", *count) for model, count in counts.items()]
    return suggestions(book(policy), Evidence.of("2026-11-20", 30, cells))


def only(found: Suggestions) -> dict[str, Any]:
    (one,) = found.suggestions
    assert not found.missing
    return one.model_dump(mode="json")


def test_a_later_model_that_does_better_comes_in_front_of_the_weak_one() -> None:
    one = only(said(RULE, {A: BAD, B: GOOD}))
    assert (one["kind"], one["intent"], one["host"]) == ("order", "edit", "codex")
    assert one["place"] == {"rule": "changes", "layer": "user", "file": "user.toml", "line": 1}
    assert (one["weak"]["model"], one["weak"]["good"], one["weak"]["bad"]) == (A, *BAD)
    assert (one["better"]["model"], one["better"]["lower"]) == (B, "0.8740")
    assert tomllib.loads(one["toml"]) == {"model": B, "fallbacks": [A, C]}


def test_two_models_of_one_class_change_places_in_the_class() -> None:
    one = only(said(DEFAULT + MINE, {A: BAD, B: GOOD}))
    assert one["place"]["rule"] is None
    assert tomllib.loads(one["toml"]) == {"classes": {"mine": {"models": [B, A]}}}


def test_what_is_written_as_suggested_is_not_suggested_again() -> None:
    mended = RULE.replace(f'"{A}"\nfallbacks = ["{C}", "{B}"]', f'"{B}"\nfallbacks = ["{A}", "{C}"]')
    assert said(mended, {A: BAD, B: GOOD}) == said(mended, {A: BAD, B: GOOD}).model_copy(update={"suggestions": ()})


def test_of_several_that_do_better_the_best_is_named() -> None:
    assert only(said(RULE, {A: BAD, B: (400, 1), C: GOOD}))["better"]["model"] == B


def test_one_that_the_route_does_not_name_is_told_of_as_such_unless_the_rule_binds() -> None:
    rule = f'[[routing.rules]]\nname = "r"\nmodel = "{LOCAL}"\n'
    one = only(said(rule, {LOCAL: BAD, B: GOOD}))
    assert (one["kind"], one["leaves"]) == ("elsewhere", True)
    assert tomllib.loads(one["toml"]) == {"model": B, "fallbacks": [LOCAL]}
    bound = only(said(f"{rule}local_only = true\n", {LOCAL: BAD, B: GOOD}))
    assert (bound["kind"], bound["better"], bound["toml"]) == ("weak", None, "")


@pytest.mark.parametrize(("count", "kinds"), [((7, 14), []), ((4, 17), ["weak"])])
def test_a_model_alone_is_weak_where_it_fails_more_often_than_not(count: tuple[int, int], kinds: list[str]) -> None:
    found = said(f'[routing.default]\nmodel = "{A}"\n', {A: count})
    assert [one.kind for one in found.suggestions] == kinds


def test_too_little_evidence_is_said_with_what_is_missing() -> None:
    found = said(RULE, {A: (3, 4), B: (2, 0)})
    (one,) = found.missing
    assert (found.judged, found.least, found.suggestions) == (9, 20, ())
    assert (one.first.model, one.missing, [other.model for other in one.others]) == (A, 13, [B])


def test_the_thresholds_are_those_of_the_policy_also_where_it_is_off() -> None:
    few = {A: (0, 6), B: (6, 0)}
    assert not said(RULE, few).suggestions
    assert said(RULE + "[routing.adaptive]\nmin_attempts = 5\n", few).suggestions


def test_a_route_to_which_no_task_of_that_kind_comes_is_not_spoken_of() -> None:
    weak = {A: BAD, B: GOOD}
    assert [one.place.rule for one in said(RULE + DEFAULT + MINE, weak).suggestions] == ["changes"]
    assert [one.place.rule for one in said(RULE + DEFAULT + MINE, weak, "chat").suggestions] == [None]
    narrow = RULE + 'paths = ["src/**"]\n' + DEFAULT + MINE
    assert [one.place.rule for one in said(narrow, weak).suggestions] == ["changes", None]
