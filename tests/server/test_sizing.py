"""Answers in the size of a host: nothing is lost, no patch is cut, and what it comes to is always there."""

import hashlib
import json
from typing import Any, Literal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.answers import ClassifiedPhase, ClassifyAnswer, RouteAnswer
from smista_mcp.core.decision import ContextEntry, ContextReport, Decision, Handoff, Rejected
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.core.explained import ExplainAnswer, ExplainedPhase, UsageReport
from smista_mcp.core.explanation import RuleVerdict
from smista_mcp.core.pointers import Pointer, pointer
from smista_mcp.core.task import IntentReading
from smista_mcp.core.values import Confidence, Effort, Intent, Layer, Status, Value
from smista_mcp.errors import Code
from smista_mcp.hosts import HOSTS
from smista_mcp.server.sizing import fitted, read_portion

JOB = "0123456789abcdef0123456789abcdef"
PATCH = "diff --git a/x b/x\n--- a/x\n+++ b/x\n@@ -1 +1 @@\n-a\n+b\n"
LEAST = min(host.room for host in HOSTS)


def dispatched(number: int, answer: str | None, patch: str | None = None, **more: Any) -> DispatchedPhase:
    return DispatchedPhase(
        phase=number,
        intent=Intent.EDIT,
        status="completed",
        code=None,
        model="ollama/tiny",
        answer=answer,
        patch=patch,
        label=None,
        usage=UsageReport(),
        cost="0",
        trace_id="f" * 32,
        effort=Effort.MEDIUM,
        **more,
    )


def whole(*phases: DispatchedPhase, **more: Any) -> DispatchAnswer:
    return DispatchAnswer(status="completed", code=None, phases=phases, job_id=JOB, **more)


def size_of(answer: Value) -> int:
    return len(answer.model_dump_json(by_alias=True).encode())


def shown(answer: DispatchAnswer, room: int) -> DispatchAnswer:
    found = fitted(answer, room)
    assert isinstance(found, DispatchAnswer)
    assert size_of(found) <= room
    return found


def decision(number: int, *, recorded: bool = True, entries: int = 0) -> Decision:
    found = tuple(ContextEntry(path=f"src/file{n}.py", kind="paths", tokens=9, reason="named") for n in range(entries))
    return Decision(
        decision_id=hashlib.sha256(str(number).encode()).hexdigest(),
        revision="r",
        phase=number,
        depends_on=(),
        intent=IntentReading(name=Intent.EDIT, source="builtin", confidence=Confidence.HIGH),
        capability_class="coding",
        status=Status.ROUTED,
        code=None,
        model="ollama/tiny",
        resolved_model="ollama/tiny",
        effort=Effort.MEDIUM,
        locality=None,
        matched_rule=None,
        reason="because",
        fallbacks=(),
        rejected=tuple(Rejected(model=f"m{n}", code=Code.UNKNOWN_MODEL, detail="d") for n in range(entries)),
        context=ContextReport(included=found, excluded=found),
        tokens=1,
        cost=None,
        permissions={},
        host="unknown",
        fallback_used=False,
        override_used=False,
        recorded=recorded,
        inputs={"policy": "a" * 64},
    )


TEXTS = st.none() | st.text(max_size=60).map(lambda text: text * 40)
PHASES = st.lists(st.tuples(TEXTS, st.none() | st.integers(1, 200)), min_size=1, max_size=6)


@given(PHASES, st.integers(LEAST, 20_000))
def test_nothing_is_lost_and_no_patch_is_cut(drawn: list[tuple[str | None, int | None]], room: int) -> None:
    phases = [dispatched(n, text, None if files is None else PATCH * files) for n, (text, files) in enumerate(drawn)]
    answer = whole(*phases, next="apply `patch` as it is")
    found = shown(answer, room)
    assert (found.status, found.job_id) == (answer.status, JOB)
    for given_phase, phase in zip(phases, found.phases, strict=True):
        rest = phase.rest
        if phase.patch != given_phase.patch:
            assert phase.patch is None
            assert rest is not None
            assert rest.patch == str(Pointer("patch", JOB, phase.phase))
            assert rest.patch_sha256 == hashlib.sha256((given_phase.patch or "").encode()).hexdigest()
        if phase.answer != given_phase.answer:
            assert rest is not None
            assert rest.answer is not None
            begun = pointer(rest.answer).start
            assert (phase.answer or "") == (given_phase.answer or "")[:begun]
            assert rest.answer_chars == len(given_phase.answer or "")
    assert (found.next or "").endswith("apply `patch` as it is")


def test_what_is_elsewhere_is_told_before_what_to_do_with_it() -> None:
    found = shown(whole(dispatched(0, "long " * 2_000, PATCH * 400), next="apply `patch` as it is"), LEAST)
    rest = found.phases[0].rest
    assert rest is not None
    assert found.next is not None
    assert 0 <= found.next.index(rest.answer or "?") < found.next.index(rest.patch or "?") < found.next.index("apply")


def test_an_answer_that_fits_is_left_alone() -> None:
    answer = whole(dispatched(0, "fine", PATCH))
    assert fitted(answer, 5_000) is answer


def test_a_patch_has_room_before_answers() -> None:
    found = shown(whole(dispatched(0, "long " * 2_000, PATCH * 40), dispatched(1, "short")), 7_600)
    assert found.phases[0].patch == PATCH * 40
    assert found.phases[0].answer
    assert found.phases[1].answer == "short"
    assert found.phases[1].rest is None


def test_what_it_comes_to_stands_before_the_phases() -> None:
    keys = list(json.loads(whole(dispatched(0, "fine"), next="do this").model_dump_json()))
    assert keys.index("phases") > max(keys.index(key) for key in ("status", "code", "next", "job_id", "approval_id"))


def test_a_host_of_the_narrowest_kind_learns_how_thirty_phases_stand() -> None:
    told = Handoff(
        prompt="p" * 1000,
        capability_class="coding",
        intent="edit",
        effort=Effort.LOW,
        context=("a",) * 50,
        step=None,
        detail="d" * 500,
    )
    phases = [dispatched(n, "text " * 500, detail="why " * 200, handoff=told) for n in range(30)]
    found = shown(whole(*phases, notices=("n" * 900,) * 9, next="next " * 900), LEAST)
    assert found.phases
    assert str(Pointer("answer", JOB)) in (found.next or "")


@given(
    st.text(max_size=400).map(lambda text: text * 60),
    st.sampled_from([LEAST, 11_400]),
    st.sampled_from(["answer", "patch"]),
)
def test_portions_of_a_document_fit_and_are_all_of_it(text: str, room: int, kind: Literal["answer", "patch"]) -> None:
    at, parts = Pointer(kind, JOB, 0), list[str]()
    while True:
        found = read_portion(at, "text/plain", text, room)
        assert size_of(found) <= room
        assert found.resource is not None
        assert found.resource.chars == len(text)
        parts.append(found.resource.text)
        if found.resource.next is None:
            break
        at = pointer(found.resource.next)
    assert "".join(parts) == text


def test_behind_the_end_there_is_nothing() -> None:
    found = read_portion(Pointer("answer", JOB, 0, 99), "text/plain", "short", 5_000).resource
    assert found is not None
    assert (found.text, found.next) == ("", None)


@pytest.mark.parametrize("phases", [1, 12, 60])
def test_a_route_is_shortened_to_what_was_decided(phases: int) -> None:
    answer = RouteAnswer(decisions=tuple(decision(n, entries=80) for n in range(phases)))
    found = fitted(answer, LEAST)
    assert isinstance(found, RouteAnswer)
    assert size_of(found) <= LEAST
    assert (found.decisions[0].model, found.decisions[0].status) == ("ollama/tiny", Status.ROUTED)
    assert f"smista://trace/{answer.decisions[0].decision_id[:16]}" in found.notices[-1]


def test_a_route_that_could_not_be_recorded_points_nowhere() -> None:
    found = fitted(RouteAnswer(decisions=(decision(0, recorded=False, entries=200),)), LEAST)
    assert isinstance(found, RouteAnswer)
    assert "smista://" not in found.notices[-1]


def test_a_story_keeps_the_rule_that_won() -> None:
    rules = tuple(
        RuleVerdict(
            name=f"rule {n}", layer=Layer.USER, line=n, outcome="won" if n == 0 else "no_match", reason="r" * 90
        )
        for n in range(300)
    )
    answer = ExplainAnswer(phases=(ExplainedPhase(decision=decision(0, entries=90), rules=rules, changes=("c",)),))
    found = fitted(answer, LEAST)
    assert isinstance(found, ExplainAnswer)
    assert size_of(found) <= LEAST
    assert found.phases[0].rules[0].name == "rule 0"
    assert found.phases[0].changes == ("c",)


def test_the_callers_own_words_are_shortened_first() -> None:
    phase = ClassifiedPhase(
        index=0,
        intent=Intent.EDIT,
        capability_class="coding",
        text="word " * 9_000,
        confidence=Confidence.HIGH,
        source="builtin",
        evidence=(),
        runner_up=None,
        depends_on=(),
        implied=False,
        skill=None,
    )
    found = fitted(ClassifyAnswer(phases=(phase,) * 5), LEAST)
    assert isinstance(found, ClassifyAnswer)
    assert size_of(found) <= LEAST
    assert [one.intent for one in found.phases] == [Intent.EDIT] * 5


@pytest.mark.parametrize("host", HOSTS, ids=lambda host: host.name)
def test_every_host_has_room_for_a_decision(host: Any) -> None:
    forms = 2 if host.reads == "both" else 1
    assert host.room >= 5_000
    assert host.room * forms < (host.result_cap or 16_000)
