"""Each task that the checker shows is decided, and is what it is shown for."""

from collections.abc import Sequence
from pathlib import Path

import pytest
from checking_cases import Case, cases
from deciding import layer, world
from drawn_rules import rule_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.checking import check
from smista_mcp.core.classification import Reader
from smista_mcp.core.decision import Decision
from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.layering import merge
from smista_mcp.core.policy import ClassificationRule, Rule, TestTask
from smista_mcp.core.policy_tests import decide
from smista_mcp.core.snapshot import rulebook
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer, Locality
from smista_mcp.loading.layers import examine

SHOWN = list(cases(Path(__file__).parent / "faulty.txt"))
ALWAYS_SHOWN = {
    FindingCode.AMBIGUOUS_PAIR,
    FindingCode.AMBIGUOUS_REQUEST,
    FindingCode.AMBIGUOUS_CLASSIFICATION,
    FindingCode.SHADOWED_RULE,
    FindingCode.LOCAL_ONLY_OVERLAP,
}


def decided(layers: Sequence[LayerDocument], task: TestTask) -> Decision:
    (one,) = decide(task, world(rulebook(merge(layers))))
    return one.decision


def winner(layers: Sequence[LayerDocument], task: TestTask) -> str | None:
    rule = decided(layers, task).matched_rule
    return rule.name if rule else None


def only(source: LayerDocument, *rules: Rule) -> LayerDocument:
    """The same file, trusted, with these rules alone."""
    routing = source.document.routing.model_copy(update={"rules": rules})
    document = source.document.model_copy(update={"routing": routing})
    return source._replace(document=document, trusted=True)


def is_what_it_is_shown_for(finding: Finding, layers: Sequence[LayerDocument]) -> None:
    task = finding.witness
    assert task is not None
    source = next(one for one in layers if one.layer is finding.layer)
    if finding.code is FindingCode.AMBIGUOUS_CLASSIFICATION:
        _is_read_by_either(finding, source, task)
    elif finding.code in (FindingCode.AMBIGUOUS_PAIR, FindingCode.AMBIGUOUS_REQUEST):
        by_name = {rule.name: rule for rule in source.document.routing.rules}
        one, other = by_name[finding.rules[0]], by_name[finding.rules[-1]]
        assert winner([only(source, one, other)], task) == one.name
        assert winner([only(source, other, one)], task) == other.name
        assert (len(task.paths) <= 1) == (finding.code is FindingCode.AMBIGUOUS_PAIR)
    elif finding.code is FindingCode.SHADOWED_RULE:
        rule = next(rule for rule in source.document.routing.rules if rule.name == finding.rules[-1])
        assert winner([only(source, rule)], task) == rule.name
        assert winner(layers, task) not in (None, rule.name)
        kept = [only(one, *(r for r in one.document.routing.rules if r.name in finding.rules)) for one in layers]
        assert winner(kept, task) in finding.rules[:-1]
    else:
        assert finding.code is FindingCode.LOCAL_ONLY_OVERLAP
        decision = decided(layers, task)
        assert decision.matched_rule is not None
        assert decision.matched_rule.name == finding.rules[-1]
        assert decision.locality is not Locality.REMOTE
        assert any(one.code == "restricted_content" for one in decision.rejected)


def _is_read_by_either(finding: Finding, source: LayerDocument, task: TestTask) -> None:
    rules = source.document.classification.rules
    one, other = (rules[int(name.removeprefix("classification.rules[").rstrip("]"))] for name in finding.rules)

    def read(*tried: ClassificationRule) -> str:
        (phase,) = Reader(tried).read(task.text, kinds=frozenset(task.context))
        assert phase.intent.source == "rule:1"
        return phase.intent.name

    assert (read(one, other), read(other, one)) == (one.intent, other.intent)


@pytest.mark.parametrize("case", SHOWN, ids=lambda case: case.name)
def test_what_is_shown_of_a_faulty_policy_is_so(case: Case, tmp_path: Path) -> None:
    reading = case.reading(tmp_path)
    for finding in examine(reading):
        assert (finding.witness is not None) == (finding.code in ALWAYS_SHOWN)
        if finding.witness is not None:
            is_what_it_is_shown_for(finding, (*reading.documents, *reading.parts))


@settings(max_examples=150, deadline=None)
@given(st.lists(rule_texts(), min_size=2, max_size=6))
def test_what_is_shown_of_rules_at_random_is_so(texts: list[str]) -> None:
    rules = "".join(f'[[routing.rules]]\nname = "r{number}"\n{one}\n' for number, one in enumerate(texts))
    layers = [layer(f'{rules}[routing.default]\nmodel = "ollama/x"\n')]
    for finding in check(layers, merge(layers)):
        if finding.witness is None and finding.code is FindingCode.LOCAL_ONLY_OVERLAP:
            continue  # a further path such as `2.py` beside `.py` would let another rule win
        if finding.code in ALWAYS_SHOWN:
            is_what_it_is_shown_for(finding, layers)


def test_a_path_that_no_test_can_hold_is_left_out_and_the_finding_stands() -> None:
    long = "/".join("x" * 50 for _ in range(9))
    pair = "".join(f'[[routing.rules]]\nname = "{n}"\npaths = ["{long}"]\nmodel = "ollama/{n}"\n' for n in "ab")
    layers = [layer(f'{pair}[routing.default]\nmodel = "ollama/x"\n')]
    found = check(layers, merge(layers))
    assert [(finding.code, finding.witness) for finding in found] == [
        (FindingCode.AMBIGUOUS_PAIR, None),
        (FindingCode.SHADOWED_RULE, None),
    ]


def test_more_paths_than_a_test_can_hold_are_no_obstacle() -> None:
    rules = "".join(
        f'[[routing.rules]]\nname = "r{n}"\nmin_paths = {n}\npaths = ["a/**"]\nmodel = "ollama/{n}"\n'
        for n in (90_000_000, 99_000_000)
    )
    layers = [layer(f'{rules}[routing.default]\nmodel = "ollama/x"\n')]
    found = check(layers, merge(layers))
    assert [(f.code, f.severity, f.witness) for f in found] == [
        (FindingCode.AMBIGUOUS_REQUEST, Severity.INFO, None),
        (FindingCode.SHADOWED_RULE, Severity.WARNING, None),
    ]


def test_rules_of_an_untrusted_file_are_shown_as_if_it_were_trusted() -> None:
    pair = "".join(f'[[routing.rules]]\nname = "{n}"\nintent = "edit"\nmodel = "ollama/{n}"\n' for n in "ab")
    layers = [layer('[routing.default]\nmodel = "ollama/x"\n'), layer(pair, Layer.WORKSPACE, trusted=False)]
    found = check(layers, merge(layers))
    assert [finding.code for finding in found] == [FindingCode.AMBIGUOUS_PAIR]
    is_what_it_is_shown_for(found[0], layers)


def test_a_tie_is_rather_shown_by_a_task_that_no_third_rule_wins() -> None:
    first = '[[routing.rules]]\nname = "first"\npriority = 5\npaths = ["src/net/**"]\nmodel = "ollama/c"\n'
    pair = "".join(
        f'[[routing.rules]]\nname = "{name}"\npaths = ["{glob}"]\nmodel = "ollama/{name}"\n'
        for name, glob in (("a", "src/**"), ("b", "**/net/**"))
    )
    layers = [layer(f'{first}{pair}[routing.default]\nmodel = "ollama/x"\n')]
    (found,) = check(layers, merge(layers))
    assert found.witness is not None
    assert winner(layers, found.witness) == "a"
    assert "at present" not in found.message


def test_a_task_that_another_rule_would_win_is_not_shown() -> None:
    rules = "".join(
        f'[[routing.rules]]\nname = "{name}"\npriority = {priority}\npaths = ["{glob}"]\n{more}\n'
        for name, priority, glob, more in (
            ("stays", 30, "src/a", 'local_only = true\nmodel = "ollama/a"'),
            ("goes", 20, "src/a", 'min_paths = 3\nmodel = "anthropic/claude-opus"'),
            ("first", 10, "src/3a", 'model = "ollama/a"'),
        )
    )
    layers = [layer(f'{rules}[routing.default]\nmodel = "ollama/x"\n')]
    found = {finding.rules: finding.witness for finding in check(layers, merge(layers))}
    assert found == {("stays", "goes"): None}
