"""Evidence changes the order of accepted candidates, one way, and nothing else."""

import math
from collections.abc import Sequence
from decimal import Decimal
from fractions import Fraction
from typing import Any

import pytest
from deciding import book, decide, layer, world
from hypothesis import example, given, settings
from hypothesis import strategies as st

from smista_mcp.core.adapting import ordered
from smista_mcp.core.decision import Decision
from smista_mcp.core.effective import Adaptive
from smista_mcp.core.evidence import NO_EVIDENCE, Cell, Count, Evidence, is_better, wilson
from smista_mcp.core.facts import HostFacts
from smista_mcp.core.layering import merge
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.policy_tests import run_tests
from smista_mcp.core.rights import overreach
from smista_mcp.core.snapshot import Rulebook, Snapshot
from smista_mcp.core.values import Layer, Status

ON = "[routing.adaptive]\nenabled = true\n"
POLICY = """
[[routing.rules]]
name = "work"
paths = ["src/**"]
model = "anthropic/claude-opus"
fallbacks = ["openai/gpt-sol", "ollama/qwen3", "gemini/gemini-pro", "nobody/knows", "ollama/other"]

[routing.default]
model = "ollama/qwen3"
[models]
denied = ["*other*"]
[privacy.remote]
mode = "allow"
"""
OPUS, SOL, QWEN, PRO = "anthropic/claude-opus", "openai/gpt-sol", "ollama/qwen3", "gemini/gemini-pro"
WRITTEN = (OPUS, SOL, QWEN, PRO)
GOOD, BAD = (40, 1), (3, 30)
HOST = HostFacts("codex")


Counts = dict[str, tuple[int, int]]


def evidence(counts: Counts, intent: str = "edit", host: str = "codex") -> Evidence:
    return Evidence.of("2026-11-20", 30, [Cell(name, intent, host, *count) for name, count in counts.items()])


def seen(counts: Counts | Evidence | None, policy: str | Rulebook = ON + POLICY) -> Snapshot:
    known = counts if counts is None or isinstance(counts, Evidence) else evidence(counts)
    return world(policy, host=HOST, evidence=known)


def decided(
    counts: dict[str, tuple[int, int]] | Evidence | None, policy: str = ON + POLICY, **task: object
) -> Decision:
    asked: dict[str, object] = {"text": "change src/a.py", "intent": "edit", **task}
    return decide(seen(counts, policy), str(asked.pop("text")), **asked)


def tried(decision: Decision) -> tuple[str, ...]:
    return (*([decision.model] if decision.model else []), *decision.fallbacks)


# --------------------------------------------------------------------------------------------------------- figures


@pytest.mark.parametrize(
    ("good", "bad", "lower", "upper"),
    [(0, 0, "0.0000", "1.0000"), (0, 20, "0.0000", "0.1611"), (20, 0, "0.8389", "1.0000"), (5, 15, "0.1119", "0.4687")],
)
def test_the_interval_is_that_of_the_formula(good: int, bad: int, lower: str, upper: str) -> None:
    assert tuple(map(str, wilson(good, bad))) == (lower, upper)


@given(st.integers(0, 10**6), st.integers(0, 10**6))
def test_the_interval_lies_around_the_share_and_floats_agree(good: int, bad: int) -> None:
    lower, upper = wilson(good, bad)
    tried, z = good + bad, 1.96
    if tried:
        assert lower - Decimal("0.00005") <= Fraction(good, tried) <= upper + Decimal("0.00005")
        half = z * math.sqrt(good * bad / tried + z * z / 4)
        ends = [(good + z * z / 2 + side * half) / (tried + z * z) for side in (-1, 1)]
        assert [float(lower), float(upper)] == pytest.approx(ends, abs=0.0001)


COUNTS = st.builds(Count, st.integers(0, 60), st.integers(0, 60))


@given(COUNTS, st.integers(1, 40))
def test_a_bad_attempt_more_lowers_both_ends_and_a_good_one_raises_them(count: Count, more: int) -> None:
    worse, better = wilson(count.good, count.bad + more), wilson(count.good + more, count.bad)
    for there, low, high in zip(count.bounds, worse, better, strict=True):
        assert low <= there <= high


# ------------------------------------------------------------------------------------------------------------ laws

CROWD = st.lists(st.tuples(st.booleans(), COUNTS), min_size=2, max_size=6)
"""Candidates in order: whether each is local, and what was counted of it."""


def places(crowd: Sequence[tuple[bool, Count]], least: int) -> tuple[int, ...]:
    order, _ = ordered([local for local, _ in crowd], [count for _, count in crowd], Adaptive(True, least))
    return order


@given(CROWD, st.integers(1, 30), st.data())
@settings(max_examples=200)
@example([(True, Count(0, 30)), (True, Count(19, 0))], 20, None)
@example([(True, Count(0, 30)), (False, Count(30, 0)), (True, Count(20, 10))], 10, None)
def test_more_bad_outcomes_never_move_a_model_forward(
    crowd: list[tuple[bool, Count]], least: int, data: st.DataObject | None
) -> None:
    which = data.draw(st.integers(0, len(crowd) - 1)) if data else 1
    more = data.draw(st.integers(1, 60)) if data else 1
    before = places(crowd, least).index(which)
    local, count = crowd[which]
    crowd[which] = local, count._replace(bad=count.bad + more)
    assert places(crowd, least).index(which) >= before


@given(CROWD, st.integers(1, 30))
@settings(max_examples=150)
def test_all_stay_and_no_remote_model_comes_before_a_local_one_that_stood_before_it(
    crowd: list[tuple[bool, Count]], least: int
) -> None:
    order = places(crowd, least)
    assert sorted(order) == list(range(len(crowd)))
    for at, one in enumerate(order):
        for other in order[at + 1 :]:
            if other < one:  # it stood before, and stands behind now
                assert not (crowd[other][0] and not crowd[one][0])
            if is_better(crowd[other][1], crowd[one][1], least):
                stood = [n for n in order[: at + 1] if n < other]  # then somebody local kept it where it is
                assert not crowd[other][0]
                assert any(crowd[n][0] for n in (*stood, *order[at : order.index(other)]))
    assert places([(local, Count()) for local, _ in crowd], least) == tuple(range(len(crowd)))


@given(st.dictionaries(st.sampled_from(WRITTEN), st.tuples(st.integers(0, 60), st.integers(0, 60))))
@settings(max_examples=20)
def test_what_is_accepted_and_what_is_rejected_stays_the_same(counts: dict[str, tuple[int, int]]) -> None:
    with_it, without = decided(counts), decided(None, POLICY)
    assert sorted(tried(with_it)) == sorted(tried(without))
    assert with_it.rejected == without.rejected
    assert with_it.status == without.status
    assert decided(counts) == with_it


def test_off_the_decision_is_the_same_to_the_byte() -> None:
    plain = decided(None, POLICY)
    assert "evidence" not in plain.inputs
    weak = {OPUS: BAD, SOL: GOOD}
    off = decide(world(POLICY, host=HOST, evidence=evidence(weak)), "change src/a.py", intent="edit")
    assert (tried(off), off.reason) == (tried(plain), plain.reason)


def test_only_the_digest_of_the_evidence_enters_the_id() -> None:
    first, second = decided({OPUS: BAD, SOL: GOOD}), decided({OPUS: GOOD, SOL: BAD})
    assert {name for name in first.inputs if first.inputs[name] != second.inputs[name]} == {"evidence"}
    assert first.decision_id != second.decision_id
    assert decided(NO_EVIDENCE).inputs["evidence"] == NO_EVIDENCE.digest


# ------------------------------------------------------------------------------------------------------- decisions


def test_a_weak_model_steps_behind_its_better_alternative() -> None:
    decision = decided({OPUS: BAD, SOL: GOOD})
    assert (decision.status, tried(decision)) == (Status.ROUTED, (SOL, OPUS, QWEN, PRO))
    assert decision.fallback_used
    assert f"evidence puts `{SOL}` (40 of 41 good) before `{OPUS}` (3 of 33 good)" in decision.reason


def test_a_local_model_is_not_passed_by_a_remote_one() -> None:
    assert tried(decided({QWEN: BAD, PRO: GOOD})) == WRITTEN
    assert tried(decided({OPUS: BAD, PRO: GOOD})) == WRITTEN  # to pass `qwen3` would take work from this machine
    assert tried(decided({OPUS: BAD, QWEN: GOOD})) == (QWEN, OPUS, SOL, PRO)


@pytest.mark.parametrize(
    ("counts", "settings"),
    [
        ({OPUS: (1, 18), SOL: GOOD}, ""),
        ({OPUS: BAD, SOL: (19, 0)}, ""),
        ({OPUS: BAD, SOL: (19, 1)}, ""),  # a bad attempt does not make it known
        ({OPUS: BAD, SOL: GOOD}, "min_attempts = 34\n"),
        ({OPUS: (20, 20), SOL: (26, 14)}, ""),
    ],
)
def test_without_enough_evidence_the_route_stands(counts: dict[str, tuple[int, int]], settings: str) -> None:
    assert tried(decided(counts, ON + settings + POLICY)) == WRITTEN


def test_a_lower_threshold_lets_less_evidence_count() -> None:
    few = {OPUS: (0, 6), SOL: (6, 0)}
    assert tried(decided(few)) == WRITTEN
    assert tried(decided(few, ON + "min_attempts = 5\n" + POLICY))[0] == SOL


def test_evidence_counts_over_the_family_and_for_the_host_that_calls() -> None:
    weak = {OPUS: BAD, SOL: GOOD}
    assert tried(decided(evidence(weak, "refactor")))[0] == SOL
    assert tried(decided(evidence(weak, "edit"), intent="test"))[0] == SOL
    assert tried(decided(evidence(weak, "review"))) == WRITTEN
    assert tried(decided(evidence(weak, host="zed"))) == WRITTEN


def test_what_the_call_names_stands() -> None:
    spread = '[classes.mine]\nmodels = ["anthropic/claude-opus", "openai/gpt-sol"]\n'
    weak = {OPUS: BAD, SOL: GOOD}
    assert tried(decided(weak, ON + POLICY + spread, model="class:mine")) == (OPUS, SOL)
    assert tried(decided(weak, ON + POLICY, model=OPUS)) == (OPUS,)


def test_a_class_that_a_rule_names_is_ordered_too_also_one_that_is_escalated_to() -> None:
    text = (
        f'[routing.default]\nmodel = "{QWEN}"\n[[routing.rules]]\nname = "r"\nintent = "edit"\nmodel = "{PRO}"\n'
        'escalate = { on = ["refusal"], to = "class:mine" }\n'
        f'[classes.mine]\nmodels = ["{OPUS}", "{SOL}"]\n[privacy.remote]\nmode = "allow"\n'
    )
    decision = decided({OPUS: BAD, SOL: GOOD}, ON + text)
    assert decision.escalation is not None
    assert decision.escalation.models == (SOL, OPUS)


def test_a_plugin_has_the_last_word() -> None:
    def as_written(asked: Any) -> list[str]:
        return sorted((one["model"] for one in asked["candidates"]), key=WRITTEN.index)

    snap = world(ON + POLICY, host=HOST, evidence=evidence({OPUS: BAD, SOL: GOOD}), plugin=Plugin("p:s", as_written))
    assert tried(decide(snap, "change src/a.py", intent="edit")) == WRITTEN


# ---------------------------------------------------------------------------------------------------------- layers

WEAK = {OPUS: BAD, SOL: GOOD}


def first(*layers: object) -> str | None:
    policy = book(*layers)  # pyright: ignore[reportArgumentType]
    return decide(world(policy, host=HOST, evidence=evidence(WEAK)), "change src/a.py", intent="edit").model


@pytest.mark.parametrize("where", [Layer.WORKSPACE, Layer.LOCAL])
def test_a_file_of_the_workspace_turns_it_on_only_once_it_is_trusted(where: Layer) -> None:
    assert first(POLICY, layer(ON, where, trusted=False)) == OPUS
    assert first(POLICY, layer(ON, where)) == SOL
    assert any("`routing.adaptive`" in one for one in merge([layer(ON, where, trusted=False)]).notices)


def test_who_says_no_holds_it_off() -> None:
    off = ON.replace("true", "false")
    assert first(ON + POLICY, layer(off, Layer.WORKSPACE, trusted=False)) == OPUS
    assert first(off + POLICY, layer(ON, Layer.WORKSPACE)) == OPUS
    found = overreach([layer(off), layer(ON, Layer.WORKSPACE)])
    assert [(one.code, one.at) for one in found] == [("permission_widening", "routing.adaptive.enabled")]


@pytest.mark.parametrize("text", ['locked = ["routing.adaptive"]', 'locked = ["routing.adaptive.enabled"]', "off"])
def test_the_organisation_locks_it_off(text: str) -> None:
    said = ON.replace("true", "false") if text == "off" else text
    assert first(ON + POLICY, layer(said, Layer.ORGANISATION)) == OPUS


def test_what_the_organisation_leads_keeps_its_order_unless_it_turned_this_on_itself() -> None:
    assert first(ON, layer(POLICY, Layer.ORGANISATION)) == OPUS
    assert first(layer(ON + POLICY, Layer.ORGANISATION)) == SOL


def test_each_threshold_is_taken_from_the_layer_that_comes_last() -> None:
    user = "[routing.adaptive]\nenabled = true\nmin_attempts = 7\nwindow_days = 3\n"
    policy = merge([layer(user), layer("[routing.adaptive]\nwindow_days = 90\n", Layer.WORKSPACE)])
    assert policy.adaptive == Adaptive(True, 7, 90)
    assert policy.provenance["routing.adaptive.window_days"].layer is Layer.WORKSPACE


def test_cases_of_a_policy_are_decided_without_evidence() -> None:
    case = f'[[test]]\nname = "t"\ntask = {{ text = "change src/a.py" }}\nexpect = {{ model = "{OPUS}" }}\n'
    known = book(ON + POLICY + case)
    assert run_tests(known, world(known).market.catalog).passed


# ------------------------------------------------------------------------------------------------------------ body


@given(st.lists(st.builds(Cell, *[st.text(max_size=5)] * 3, *[st.integers(0, 9)] * 3), max_size=5))
def test_a_body_is_read_back_whole_and_its_order_does_not_count(cells: list[Cell]) -> None:
    one = Evidence.of("2026-11-20", 30, cells)
    assert Evidence.read(one.body) == one
    assert Evidence.of("2026-11-20", 30, reversed(cells)).digest == one.digest


@pytest.mark.parametrize("body", ["[]", '{"version": 2}', "x"])
def test_evidence_of_another_version_is_not_guessed_at(body: str) -> None:
    with pytest.raises(ValueError, match=r".*"):
        Evidence.read(body)
