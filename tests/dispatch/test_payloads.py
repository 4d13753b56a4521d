"""The gate before every attempt: it holds by itself, whatever was decided before it."""

import math
from collections.abc import Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.decision import ContextEntry, ContextReport, Decision
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.floor import Floor, Guard
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.matching import index_of
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.pieces import Block, Piece
from smista_mcp.core.policy import Budget, Rule
from smista_mcp.core.prices import Price, Rate
from smista_mcp.core.routing import Routed
from smista_mcp.core.secretscan.memory import Scans
from smista_mcp.core.selection import Candidate
from smista_mcp.core.task import IntentReading, Phase
from smista_mcp.core.values import Confidence, Effort, Grant, Intent, Locality, Status
from smista_mcp.dispatch.allowance import Allowance
from smista_mcp.dispatch.payloads import Assignment, Payload
from smista_mcp.dispatch.payloads import payload_for as judged_payload_for
from smista_mcp.errors import Code, ProviderError

READING = IntentReading(name=Intent.CHAT, source="declared", confidence=Confidence.HIGH)
PHASE = Phase(index=0, intent=READING, text="what is it?")
A_DOLLAR_FOR_A_TOKEN = Price(Rate(Decimal(1_000_000)), Rate(Decimal(1_000_000)))


BOUNDS = Bounds(
    Guard(GlobSet(["*.secret"]), GlobSet(["blocked/**"]), GlobSet([]), Grant.ALLOW, (), index_of([])), Scans()
)


def payload_for(to: Candidate, one: Assignment) -> Payload:
    return judged_payload_for(to, one, BOUNDS)


def floor(*, local: bool = False, withheld: Sequence[int] = ()) -> Floor:
    reasons = ("because",) if local else ()
    return Floor(local, False, False, (), reasons, dict.fromkeys(withheld, "restricted by `.env`"))


def candidate(
    locality: Locality, *, included: Sequence[int] = (), window: int = 4096, price: Price | None = None
) -> Candidate:
    facts = ModelFacts(
        ref=ModelRef("p", "m"),
        known=True,
        context_window=window,
        max_output_tokens=100,
        capabilities={},
        price=price,
        price_kind="list" if price else "unknown",
        source="a test",
        nearest=(),
        token_factor=1.0,
    )
    report = ContextReport(excluded=(ContextEntry(path="big.txt", kind="file", tokens=None, reason="too large"),))
    return Candidate("p/m", "p/m", "p", locality, facts, window, None, 0, report, tuple(included), needs_approval=False)


def routed(least: Floor, rule: Rule | None = None, phase: Phase = PHASE) -> Routed:
    decision = Decision.model_construct(
        effort=Effort.LOW, permissions={"file_write": Grant.ASK}, status=Status.ROUTED, intent=READING
    )
    return Routed(decision, phase, rule, least, ())


def piece(place: int, text: str = "content", *, restricted: str | None = None, required: bool = True) -> Piece:
    name = f"f{place}"
    digest = digest_of(text)
    return Piece(
        Block(name, text), name, digest, 2, required=required, place=place, restricted=restricted, forms=(name,)
    )


def work(least: Floor, pieces: Sequence[Piece], answers: Sequence[Piece] = ()) -> Assignment:
    return Assignment(routed(least), PhaseContext(), pieces, answers, None)


def answer(label: str | None) -> Piece:
    assert label in (None, "local", "restricted")
    digest = digest_of("an answer")
    return Piece(Block("Answer", "an answer"), "answer of phase 0", digest, 2, label=label, kind="answer")


@given(
    included=st.sets(st.integers(0, 4)),
    withheld=st.sets(st.integers(0, 4)),
    restricted=st.sets(st.integers(0, 4)),
)
def test_a_remote_model_gets_nothing_that_is_marked_in_any_way(
    included: set[int], withheld: set[int], restricted: set[int]
) -> None:
    marks = ["why" if place in restricted else None for place in range(5)]
    pieces = [piece(place, restricted=mark, required=False) for place, mark in enumerate(marks)]
    there = candidate(Locality.REMOTE, included=sorted(included))
    payload = payload_for(there, work(floor(withheld=sorted(withheld)), pieces))
    assert {one.place for one in payload.sent} == included - withheld - restricted
    assert {item.path for item in payload.withheld} == {"big.txt"} | {
        f"f{place}" for place in included & (withheld | restricted)
    }
    assert payload.label is None
    here = candidate(Locality.LOCAL, included=sorted(included))
    assert {one.place for one in payload_for(here, work(floor(), pieces)).sent} == included


@pytest.mark.parametrize("label", ["local", "restricted"])
def test_a_remote_model_gets_no_answer_with_a_label(label: str) -> None:
    with pytest.raises(ProviderError) as failure:
        payload_for(candidate(Locality.REMOTE), work(floor(), (), [answer(None), answer(label)]))
    assert failure.value.code is Code.RESTRICTED_CONTENT
    assert not failure.value.sent
    here = payload_for(candidate(Locality.LOCAL), work(floor(), (), [answer(label)]))
    assert (len(here.sent), here.label) == (1, label)


def test_a_remote_model_gets_nothing_of_a_phase_that_must_stay() -> None:
    with pytest.raises(ProviderError) as failure:
        payload_for(candidate(Locality.REMOTE), work(floor(local=True), ()))
    assert failure.value.code is Code.RESTRICTED_CONTENT


def test_what_is_needed_and_does_not_fit_is_not_cut() -> None:
    long = piece(0, "word " * 3000)
    with pytest.raises(ProviderError) as failure:
        payload_for(candidate(Locality.LOCAL, included=[0], window=1000), work(floor(), [long]))
    assert failure.value.code is Code.CONTEXT_WINDOW_EXCEEDED


def test_what_only_helps_gives_way_last_named_first() -> None:
    pieces = [piece(0, "word " * 300, required=False), piece(1, "word " * 300, required=False), piece(2)]
    payload = payload_for(candidate(Locality.LOCAL, included=[0, 1, 2], window=600), work(floor(), pieces))
    assert [one.place for one in payload.sent] == [0, 2]
    assert [item.path for item in payload.withheld] == ["big.txt", "f1"]


def test_what_may_be_spent_is_known_before_anything_is_sent() -> None:
    payload = payload_for(candidate(Locality.REMOTE, price=A_DOLLAR_FOR_A_TOKEN), work(floor(), ()))
    assert payload.request.prompt_tokens is not None
    assert payload.most == payload.request.prompt_tokens + 100
    assert payload_for(candidate(Locality.REMOTE), work(floor(), ())).most is None


@pytest.mark.parametrize("factor", [1.01, 1.1, 1.3, 1.45])
def test_a_part_of_a_token_counts_as_one(factor: float) -> None:
    to = candidate(Locality.REMOTE, price=A_DOLLAR_FOR_A_TOKEN)
    plain = payload_for(to, work(floor(), ())).request.prompt_tokens
    assert plain is not None
    coarser = to._replace(facts=to.facts._replace(token_factor=factor))
    assert payload_for(coarser, work(floor(), ())).request.prompt_tokens == math.ceil(plain * factor)


# ---------------------------------------------------------------------------------------------------------- allowance

DEAR = candidate(Locality.REMOTE, price=A_DOLLAR_FOR_A_TOKEN)


def budget(limit: str, period: str = "task") -> Budget:
    return Budget.model_validate({"scope": "all", "period": period, "limit": limit})


def limited(cost_limit: str) -> Routed:
    return routed(floor(), Rule.model_validate({"name": "cheap", "model": "p/m", "cost_limit": cost_limit}))


def refusal(allowance: Allowance, one: Routed, most: Decimal | None) -> Code | None:
    try:
        allowance.check(one, DEAR, most)
    except ProviderError as error:
        return error.code
    return None


def test_a_task_may_spend_its_budget_to_the_last_cent_and_no_more() -> None:
    allowance = Allowance([budget("1.00"), budget("0", "day")], [])  # that of the day is the ledger's
    one = routed(floor())
    assert refusal(allowance, one, Decimal("1.00")) is None
    allowance.note(one, DEAR, Decimal("0.40"))
    assert refusal(allowance, one, Decimal("0.60")) is None
    assert refusal(allowance, one, Decimal("0.61")) is Code.BUDGET_EXCEEDED
    assert refusal(allowance, routed(floor()), Decimal("0.61")) is Code.BUDGET_EXCEEDED


def test_the_limit_of_a_rule_holds_for_one_phase() -> None:
    allowance = Allowance([], [])
    one = limited("1.00")
    other = one._replace(phase=one.phase.model_copy(update={"index": 1}))
    allowance.note(one, DEAR, Decimal("0.40"))
    assert refusal(allowance, one, Decimal("0.61")) is Code.COST_LIMIT_EXCEEDED
    assert refusal(allowance, other, Decimal("0.61")) is None


def test_a_price_that_nobody_knows_is_refused_only_where_a_limit_applies() -> None:
    assert refusal(Allowance([budget("9")], []), routed(floor()), None) is Code.PRICE_UNKNOWN
    assert refusal(Allowance([], []), limited("9"), None) is Code.PRICE_UNKNOWN
    assert refusal(Allowance([budget("9", "day")], []), routed(floor()), None) is None
