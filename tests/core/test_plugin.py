"""A plugin reorders or drops what is accepted, and can do nothing else."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from deciding import book, decide, layer, world
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import HostFacts
from smista_mcp.core.layering import merge
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.rights import overreach
from smista_mcp.core.values import Layer, Locality, Status
from smista_mcp.errors import Code

POLICY = """
[[routing.rules]]
name = "work"
paths = ["src/**"]
model = "anthropic/claude-opus"
fallbacks = ["openai/gpt-sol", "ollama/qwen3", "nobody/knows"]

[routing]
handoff = "when_unavailable"
[routing.default]
model = "ollama/qwen3"

[privacy.remote]
mode = "allow"
"""
OPUS, SOL, QWEN, NOBODY = "anthropic/claude-opus", "openai/gpt-sol", "ollama/qwen3", "nobody/knows"
ACCEPTED = (OPUS, SOL, QWEN)


def plugin(select: Callable[[Any], object], **said: str) -> Plugin:
    return Plugin("p:select", select, **said)


def decided(answer: object, policy: str = POLICY, **task: object) -> Decision:
    asked = {"text": "work on src/a.py", **task}
    return decide(world(policy, plugin=plugin(lambda _: answer)), str(asked.pop("text")), **asked)


def tried(decision: Decision) -> tuple[str, ...]:
    return (*([decision.model] if decision.model else []), *decision.fallbacks)


def test_candidates_are_put_into_another_order() -> None:
    decision = decided([QWEN, OPUS, SOL])
    assert (decision.status, tried(decision)) == (Status.ROUTED, (QWEN, OPUS, SOL))
    assert (decision.locality, decision.fallback_used) == (Locality.LOCAL, True)
    assert "plugin `p:select` puts" in decision.reason
    assert [rejected.model for rejected in decision.rejected] == [NOBODY]


def test_a_candidate_that_is_left_out_is_rejected_with_a_code() -> None:
    decision = decided((SOL, QWEN))
    assert tried(decision) == (SOL, QWEN)
    assert [(r.model, r.code) for r in decision.rejected] == [
        (NOBODY, Code.UNKNOWN_MODEL),
        (OPUS, Code.MODEL_NOT_ALLOWED),
    ]
    assert "plugin `p:select` drops 1 of 3" in decision.reason


def test_an_answer_that_changes_nothing_is_not_spoken_of() -> None:
    with_one, without = decided(list(ACCEPTED)), decide(POLICY, "work on src/a.py")
    assert with_one.model_copy(update={"inputs": {}, "decision_id": ""}) == without.model_copy(
        update={"inputs": {}, "decision_id": ""}
    )
    assert with_one.inputs.keys() - without.inputs.keys() == {"plugin"}


@pytest.mark.parametrize(("handoff", "status"), [("when_unavailable", Status.HANDOFF), ("never", Status.REFUSED)])
def test_where_all_are_dropped_the_phase_goes_the_way_of_any_without_candidates(handoff: str, status: Status) -> None:
    decision = decided([], POLICY.replace("when_unavailable", handoff))
    assert (decision.status, decision.code, decision.model) == (status, Code.MODEL_NOT_ALLOWED, None)
    assert OPUS in decision.reason


def test_what_a_limit_stands_against_is_not_offered_in_place_of_what_was_dropped() -> None:
    dear = POLICY.replace('model = "anthropic/claude-opus"', 'model = "anthropic/claude-opus"\ncost_limit = "0.001"', 1)
    assert decide(dear, "work on src/a.py").model == QWEN
    decision = decided([], dear.replace("when_unavailable", "never"))
    assert (decision.status, decision.code, decision.model) == (Status.REFUSED, Code.MODEL_NOT_ALLOWED, None)


class Text(str):
    """Compares as it likes."""

    __slots__ = ()


class Names(list[str]):
    """Could be another list each time."""


@pytest.mark.parametrize(
    "answer",
    [
        None,
        OPUS,
        {OPUS: 1},
        {OPUS},
        iter([OPUS]),
        [OPUS, 1],
        [[OPUS]],
        [OPUS, OPUS],
        [NOBODY],
        [OPUS, "gemini/gemini-pro"],
        [OPUS.upper()],
        [Text(OPUS)],
        Names([OPUS]),
        [{"model": OPUS}],
    ],
    ids=lambda answer: f"{type(answer).__name__} {answer if not hasattr(answer, '__next__') else ''}",
)
def test_any_other_answer_refuses_the_phase(answer: object) -> None:
    decision = decided(answer)
    assert (decision.status, decision.code, tried(decision)) == (Status.REFUSED, Code.POLICY_INVALID, ())
    assert "p:select" in decision.reason


@pytest.mark.parametrize(
    "error",
    [
        ValueError("a\nwhispered"),
        SystemExit("whispered"),
        RecursionError(),
        GeneratorExit(),
        type("whispered\n", (Exception,), {})(),
    ],
)
def test_a_failure_refuses_the_phase_and_repeats_no_words_of_it(error: BaseException) -> None:
    def fails(_: object) -> object:
        raise error

    decision = decide(world(POLICY, plugin=plugin(fails)), "work on src/a.py")
    assert (decision.status, decision.code) == (Status.REFUSED, Code.POLICY_INVALID)
    assert "whispered" not in decision.model_dump_json()
    assert ("an error" if type(error).__name__.startswith("whispered") else type(error).__name__) in decision.reason


class Unruly(type):
    """Types that fail whoever asks them for anything."""

    @property
    def __name__(cls) -> str:  # pyright: ignore[reportIncompatibleVariableOverride]
        raise RuntimeError("whispered")

    def __eq__(cls, other: object) -> bool:
        raise RuntimeError("whispered")

    __hash__ = type.__hash__


class Unnamed(Exception, metaclass=Unruly):
    pass


class Unequal(metaclass=Unruly):
    pass


def test_a_type_that_fails_whoever_asks_refuses_the_phase_as_any_other_does() -> None:
    def fails(_: object) -> object:
        raise Unnamed

    failed = decide(world(POLICY, plugin=plugin(fails)), "work on src/a.py")
    assert (failed.status, failed.code) == (Status.REFUSED, Code.POLICY_INVALID)
    assert "(Unnamed)" in failed.reason
    answered = decide(world(POLICY, plugin=plugin(lambda _: Unequal())), "work on src/a.py")
    assert (answered.status, answered.code) == (Status.REFUSED, Code.POLICY_INVALID)


def test_whoever_stops_the_process_is_not_held_up() -> None:
    def stopped(_: object) -> object:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        decide(world(POLICY, plugin=plugin(stopped)), "work on src/a.py")


def test_a_plugin_that_could_not_be_loaded_refuses_the_phase() -> None:
    decision = decide(world(POLICY, plugin=Plugin("p:select", failure="is in no installed package")), "work")
    assert (decision.status, decision.code) == (Status.REFUSED, Code.POLICY_INVALID)
    assert "is in no installed package" in decision.reason


def test_a_plugin_has_no_say_where_nothing_is_accepted() -> None:
    asked: list[object] = []
    decision = decide(world(POLICY, plugin=plugin(asked.append)), "work", model=NOBODY)
    assert (decision.code, asked) == (Code.UNKNOWN_MODEL, [])


def test_what_is_told_is_plain_and_made_for_the_call() -> None:
    told: list[Any] = []

    def spoils(asked: Any) -> object:
        told.append(json.loads(json.dumps(asked)))
        names = [candidate["model"] for candidate in asked["candidates"]]
        for candidate in asked["candidates"]:
            candidate["capabilities"].clear()
            if candidate["cost"]:
                candidate["cost"]["max"] = "0"
        asked["phase"]["paths"].append("x")
        asked["candidates"].clear()
        return names

    where = world(POLICY, plugin=plugin(spoils))
    decisions = [decide(where, "Rework src/a.py, whatever it says", skill="s", intent="refactor") for _ in range(2)]
    assert decisions[0] == decisions[1]
    assert told[0] == told[1]
    assert told[0]["phase"] == {
        "intent": "refactor",
        "family": "edit",
        "class": "coding",
        "skill": "s",
        "effort": "medium",
        "paths": ["src/a.py"],
        "tokens": told[0]["phase"]["tokens"],
    }
    assert told[0]["rule"] == "work"
    assert [candidate["model"] for candidate in told[0]["candidates"]] == list(ACCEPTED)
    assert told[0]["candidates"][0].keys() == {
        "model",
        "resolved_model",
        "provider",
        "locality",
        "context_window",
        "capabilities",
        "tokens",
        "cost",
        "needs_approval",
    }
    assert decisions[0].cost
    assert told[0]["candidates"][0]["cost"] == decisions[0].cost.model_dump(mode="json")
    assert "whatever" not in json.dumps(told)
    assert {type(value) for value in everything(_asked_by(where))} <= {str, int, bool, float, list, dict, type(None)}


def _asked_by(where: Any) -> object:
    kept: list[object] = []

    def keeps(asked: Any) -> object:
        kept.append(asked)
        return [candidate["model"] for candidate in asked["candidates"]]

    decide(where._replace(plugin=plugin(keeps)), "work on src/a.py")
    return kept[0]


def everything(value: object) -> list[object]:
    if isinstance(value, dict):
        pairs = cast("dict[object, object]", value).items()
        return [value, *(one for pair in pairs for part in pair for one in everything(part))]
    if isinstance(value, list):
        return [value, *(one for part in cast("list[object]", value) for one in everything(part))]
    return [value]


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (Plugin("p:a", list), Plugin("p:b", list)),
        (Plugin("p:a", list, version="1"), Plugin("p:a", list, version="2")),
        (Plugin("p:a", list, distribution="d"), Plugin("p:a", list, distribution="e")),
        (Plugin("p:a", list, source="1"), Plugin("p:a", list, source="2")),
        (Plugin("p:a", failure="x"), Plugin("p:a", failure="y")),
    ],
)
def test_name_version_source_and_failure_are_inputs_of_a_decision(one: Plugin, other: Plugin) -> None:
    inputs = [decide(world(POLICY, plugin=p), "x", model=NOBODY).inputs["plugin"] for p in (one, one, other)]
    assert inputs[0] == inputs[1] != inputs[2]


_NAMES = st.sampled_from((*ACCEPTED, NOBODY, "", "gemini/gemini-pro", "host/current"))
_LISTS = st.permutations(ACCEPTED) | st.lists(st.sampled_from(ACCEPTED), unique=True) | st.lists(_NAMES)
_ANYTHING = st.recursive(st.none() | st.booleans() | st.integers() | _NAMES, st.lists)
_POLICIES = (
    POLICY,
    POLICY + '[models]\ndenied = ["ollama/*"]\n',
    POLICY + '[privacy]\nrestricted_paths = ["src/**"]\n',
    POLICY.replace("[routing]", '[[routing.rules]]\nname = "b"\nlocal_only = true\nmodel = "ollama/qwen3"\n[routing]'),
)


@given(st.sampled_from(_POLICIES), _LISTS)
def test_names_are_tried_as_answered_or_nothing_is(policy: str, answer: list[str]) -> None:
    before, after = decide(policy, "work on src/a.py"), decided(answer, policy)
    if set(answer) <= set(tried(before)) and len(set(answer)) == len(answer):
        assert tried(after) == tuple(answer)
        assert after.rejected[: len(before.rejected)] == before.rejected
        dropped = {rejected.model for rejected in after.rejected[len(before.rejected) :]}
        assert dropped == set(tried(before)) - set(answer)
    elif before.model is not None:
        assert (after.code, tried(after)) == (Code.POLICY_INVALID, ())
    else:
        assert after.status is before.status
    assert after.permissions == before.permissions


@given(st.sampled_from(_POLICIES), _ANYTHING)
def test_no_answer_lets_a_model_serve_that_was_not_accepted(policy: str, answer: object) -> None:
    assert set(tried(decided(answer, policy))) <= set(tried(decide(policy, "work on src/a.py")))


# -------------------------------------------------------------------------------------------------------- whose word

SELECT = '[plugins]\nselect = "package.module:function"\n'


@pytest.mark.parametrize("trusted", [True, False])
@pytest.mark.parametrize("where", [Layer.PRESET, Layer.WORKSPACE, Layer.LOCAL])
def test_only_the_users_own_file_names_a_plugin(where: Layer, trusted: bool) -> None:
    foreign = layer("\n" + SELECT, where, trusted=trusted)
    policy = merge([foreign, layer(POLICY)])
    assert policy.plugin is None
    assert "plugins.select" not in policy.provenance
    assert any("`plugins.select`" in notice for notice in policy.notices)
    (finding,) = overreach([foreign])
    assert (finding.code, finding.severity, finding.at, finding.line) == (
        "permission_widening",
        "error",
        "plugins.select",
        3,
    )


def test_the_users_word_holds_with_its_place_beside_any_other() -> None:
    own, foreign = layer(SELECT), layer(SELECT.replace("function", "other"), Layer.WORKSPACE)
    policy = merge([foreign, own])
    assert policy.plugin == "package.module:function"
    origin = policy.provenance["plugins.select"]
    assert (origin.layer, origin.line) == (Layer.USER, 2)


def test_a_file_that_nobody_confirmed_brings_no_remote_model_to_the_front_through_the_plugin() -> None:
    narrowing = layer('[models]\ndenied = ["ollama/qwen3-coder"]\n', Layer.WORKSPACE, trusted=False)
    user = layer(POLICY.replace(NOBODY, "ollama/qwen3-coder"))

    def coder_or_remote(asked: Any) -> object:
        names = [candidate["model"] for candidate in asked["candidates"]]
        return sorted(names, key=["ollama/qwen3-coder", OPUS, SOL, QWEN].index)

    where = world(book(user, narrowing), plugin=plugin(coder_or_remote), host=HostFacts())
    decision = decide(where, "work on src/a.py")
    assert (decision.status, decision.model) == (Status.APPROVAL_REQUIRED, OPUS)
    assert "ollama/qwen3-coder" in decision.reason
