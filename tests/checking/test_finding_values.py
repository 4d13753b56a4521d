"""What a finding names and shows besides its code and line: rules, the task, and what to write instead."""

from collections.abc import Sequence

import pytest
from deciding import layer, world

from smista_mcp.core.checking import check
from smista_mcp.core.findings import Finding, FindingCode
from smista_mcp.core.languages import LANGUAGES
from smista_mcp.core.layering import merge
from smista_mcp.core.policy import TestTask
from smista_mcp.core.snapshot import rulebook
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import ContextKind, Intent, Layer

DEFAULT = '[routing.default]\nmodel = "ollama/default"\n'


def rule(name: str, *lines: str, model: str = "ollama/x") -> str:
    return "\n".join(["[[routing.rules]]", f'name = "{name}"', f'model = "{model}"', *lines, ""])


def reading(intent: str, keywords: Sequence[str], *kinds: str) -> str:
    context = f"requires_any_context = {list(kinds)}\n" if kinds else ""
    return f'[[classification.rules]]\nintent = "{intent}"\nkeywords = {list(keywords)}\n{context}'


def checked(*layers: LayerDocument) -> tuple[Finding, ...]:
    policy = merge(layers)
    return check(layers, policy, world(rulebook(policy)).market.catalog)


def only(text: str) -> Finding:
    (finding,) = checked(layer(text + DEFAULT))
    return finding


def shown(text: str) -> TestTask:
    task = only(text).witness
    assert task is not None
    return task


@pytest.mark.parametrize(
    ("text", "code", "rules"),
    [
        (rule("a", 'intent = "edit"', 'fallbacks = ["ollama/x"]'), "unreachable_fallback", ("a",)),
        (
            rule("a", 'intent = "edit"', 'fallbacks = ["openai/y"]') + '[models]\ndenied = ["openai/*"]\n',
            "unreachable_fallback",
            ("a",),
        ),
        (
            rule("a", 'intent = "edit"', model="openai/y") + '[models]\ndenied = ["openai/*"]\n',
            "no_viable_target",
            ("a",),
        ),
        ('[models]\ndenied = ["ollama/*"]\n', "no_viable_target", ()),
        ('[classes.c]\nmodels = ["ollama/a", "ollama/a"]\n', "unreachable_fallback", ()),
    ],
)
def test_a_finding_about_targets_names_its_rule(text: str, code: str, rules: tuple[str, ...]) -> None:
    finding = only(text)
    assert (finding.code, finding.rules) == (code, rules)


def test_a_finding_about_a_list_of_the_organisation_names_its_rule() -> None:
    company = layer(rule("theirs", 'intent = "edit"', 'only_models = ["class:c"]'), Layer.ORGANISATION)
    own = layer('[classes.c]\nmodels = ["ollama/x"]\n' + DEFAULT)
    (finding,) = (f for f in checked(own, company) if f.code is FindingCode.INVALID_MODEL_REF)
    assert (finding.rules, finding.layer) == (("theirs",), Layer.ORGANISATION)


@pytest.mark.parametrize(
    ("one", "other", "words"),
    [
        (["copy"], ["copy"], "copy"),
        (["q7"], ["q7"], "q7"),
        (["security audit"], ["audit"], "security audit"),
    ],
)
def test_a_shared_keyword_is_shown_in_its_shortest_form(one: list[str], other: list[str], words: str) -> None:
    task = shown(reading("review", one) + reading("plan", other))
    assert task.text == words


@pytest.mark.parametrize(
    ("one", "other", "kinds"),
    [
        ((), (), ()),
        (("git_diff", "attachment"), ("pull_request", "paths"), ("git_diff", "pull_request")),
        (("attachment", "git_diff"), ("git_diff", "pull_request"), ("git_diff",)),
        (("git_diff", "attachment"), (), ("git_diff",)),
        ((), ("git_diff", "attachment"), ("git_diff",)),
    ],
)
def test_a_text_is_shown_with_the_fewest_kinds_of_context(
    one: tuple[str, ...], other: tuple[str, ...], kinds: tuple[str, ...]
) -> None:
    task = shown(reading("review", ["audit"], *one) + reading("plan", ["audit"], *other))
    assert task.context == tuple(map(ContextKind, kinds))


def test_a_task_with_several_paths_has_as_many_as_both_rules_ask_for() -> None:
    few = rule("few", 'paths = ["src/**"]', "min_paths = 2")
    many = rule("many", 'paths = ["docs/**"]', "min_paths = 5", model="ollama/y")
    for text in (few + many, many + few):
        assert len(shown(text).paths) == 5


def test_a_task_with_several_paths_has_an_intent_by_which_both_rules_rank_alike() -> None:
    one = rule("one", 'intent = ["edit", "format"]', 'paths = ["src/**"]')
    other = rule("other", 'intent = ["test", "format"]', 'paths = ["docs/**"]', model="ollama/y")
    found = [f for f in checked(layer(one + other + DEFAULT)) if f.code is FindingCode.AMBIGUOUS_REQUEST]
    assert [f.witness.intent for f in found if f.witness] == [Intent.FORMAT]


def outcome(model: str, *fallbacks: str) -> str:
    """What is said of a rule that cannot always follow, without the rules."""
    keeper = rule("keeper", 'paths = ["src/**"]', "local_only = true")
    text = keeper + rule("goes", 'paths = ["src/a/*"]', "priority = 5", f"fallbacks = {list(fallbacks)}", model=model)
    text += '[classes.far]\nmodels = ["anthropic/claude-opus"]\n[classes.near]\nmodels = ["ollama/a"]\n'
    (finding,) = checked(layer(text + DEFAULT))
    assert (finding.code, finding.rules) == (FindingCode.LOCAL_ONLY_OVERLAP, ("keeper", "goes"))
    return finding.message


def test_whether_a_local_candidate_is_left_is_told() -> None:
    refused = {outcome("anthropic/claude-opus"), outcome("class:far"), outcome("openai/gpt-5.5", "class:far")}
    served = {
        outcome("anthropic/claude-opus", "ollama/a"),
        outcome("class:far", "class:near"),
        outcome("class:far", "class:local"),
    }
    assert (len(refused), len(served)) == (1, 1)
    assert refused != served


@pytest.mark.parametrize(
    ("written", "meant"), [("rus", ["rust"]), ("RUS", ["rust"]), ("pyton", ["python"]), ("zzz", sorted(LANGUAGES))]
)
def test_a_language_that_is_none_is_told_with_the_nearest_or_with_all(written: str, meant: list[str]) -> None:
    finding = only(rule("a", 'intent = "edit"', f'languages = ["{written}"]'))
    assert (finding.code, finding.at) == (FindingCode.DEAD_RULE, "routing.rules[0].languages")
    assert [name for name in meant if name not in finding.fix] == []
    assert len([name for name in LANGUAGES if f"`{name}`" in finding.fix]) == (len(meant) if len(meant) == 1 else 0)
    assert (len(finding.fix) < 40) is (len(meant) == 1)


def test_a_pattern_that_no_file_meets_is_told_without_languages() -> None:
    text = rule("a", 'intent = "edit"', 'paths = ["a//b"]')
    (finding,) = (f for f in checked(layer(text + DEFAULT)) if f.code is FindingCode.DEAD_RULE)
    assert finding.at == "routing.rules[0].paths"
    assert [name for name in LANGUAGES if f"`{name}`" in finding.fix or f"{name}," in finding.fix] == []
