"""Whatever prices, limits and servers do: what a phase costs stays under the limit that every request is checked by."""

from collections.abc import Sequence
from dataclasses import replace
from decimal import Decimal
from typing import NamedTuple

from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.caching import CacheFacts, Outlook
from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.clearance import Bounds
from smista_mcp.core.costing import actual_cost
from smista_mcp.core.decision import ContextReport, Decision
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import ContextItem, PhaseContext
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
from smista_mcp.dispatch.caching import may_be_written, opening_of
from smista_mcp.dispatch.exchanges import Looking
from smista_mcp.dispatch.payloads import Assignment, payload_for
from smista_mcp.errors import ProviderError
from smista_mcp.providers.base import ToolSpec

READING = IntentReading(name=Intent.SUMMARIZE, source="declared", confidence=Confidence.HIGH)
PHASE = Phase(index=0, intent=READING, text="sum it up")
GUARD = Guard(GlobSet([]), GlobSet([]), GlobSet([]), Grant.ALLOW, (), index_of([]))
TOOL = ToolSpec("read_file", "Reads a text file of the workspace, all of it or some lines.", {"type": "object"})
USD = st.decimals(min_value="0.01", max_value="200", places=2)
SHARE = st.sampled_from((0, 1, 40, 100))


@st.composite
def rates(draw: st.DrawFn) -> Rate:
    """A price that rises with the size of a request."""
    base = draw(USD)
    return Rate(base, ((draw(st.integers(1, 3000)), base + draw(USD)),) if draw(st.booleans()) else ())


@st.composite
def models(draw: st.DrawFn) -> ModelFacts:
    maybe = st.none() | rates()
    price = Price(
        draw(rates()),
        draw(rates()),
        draw(maybe),
        draw(maybe),
        draw(maybe),
        draw(st.sampled_from((Decimal(0), Decimal("0.002")))),
        writes_unasked=draw(st.booleans()),
    )
    how = draw(st.sampled_from((None, "marks", "options", "key")))
    return ModelFacts(
        ref=ModelRef("p", "m"),
        known=True,
        context_window=100_000,
        max_output_tokens=draw(st.none() | st.integers(16, 20_000)),
        capabilities={},
        price=price,
        price_kind="list",
        source="a test",
        nearest=(),
        token_factor=draw(st.sampled_from((0.9, 1.0, 1.4))),
        cache=None if how is None else CacheFacts(how, 512, 300),
    )


class Fate(NamedTuple):
    """What becomes of a request, in hundredths of what was allowed, and whether anybody is told of it."""

    read: int
    cached: int
    written: int
    said: int
    thought: int
    told: bool


DEAREST = [Fate(100, cached, 100, 100, thought, told=True) for cached in (0, 100) for thought in (0, 100)]
FATES = st.sampled_from(DEAREST) | st.builds(Fate, SHARE, SHARE, SHARE, SHARE, SHARE, st.booleans())


def candidate(facts: ModelFacts, included: Sequence[int]) -> Candidate:
    return Candidate(
        *("p/m", "p/m", "p", Locality.REMOTE, facts, 100_000, None, 0),
        *(ContextReport(), tuple(included)),
        needs_approval=False,
    )


def a_turn(words: int) -> tuple[ContextItem, Piece]:
    text = "a turn of words " * words
    digest = digest_of(text)
    item = ContextItem("turn 1 of the session", "answer", 4 * words, required=False, digest=digest)
    return item, Piece(Block("Earlier", text), item.path, digest, item.tokens, required=False, place=0, kind="turn")


def cost_of(facts: ModelFacts, asked: int, most: int, fate: Fate, *, writes: bool) -> Decimal:
    """What a server bills that reads no more than it was sent and writes no more than it was allowed."""
    given = asked * fate.read // 100
    cached = given * fate.cached // 100
    written = (given - cached) * fate.written // 100 if writes else 0
    said = most * fate.said // 100
    cost = actual_cost(
        facts,
        input_tokens=given,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=said,
        reasoning_tokens=said * fate.thought // 100,
    )
    assert cost is not None
    return cost


@given(
    facts=models(),
    limit=st.decimals(min_value="0.001", max_value="20", places=3),
    words=st.integers(0, 400),
    fates=st.lists(FATES, min_size=1, max_size=8),
    rounds=st.integers(0, 6),
    by_budget=st.booleans(),
)
def test_what_a_phase_costs_stays_under_its_limit_and_every_request_under_what_was_reserved(
    facts: ModelFacts, limit: Decimal, words: int, fates: list[Fate], rounds: int, by_budget: bool
) -> None:
    rule = {"name": "cheap", "model": "p/m"} | ({} if by_budget else {"cost_limit": str(limit)})
    budget = Budget.model_validate({"scope": "all", "period": "task", "limit": str(limit)})
    decision = Decision.model_construct(
        effort=Effort.LOW, permissions={"file_write": Grant.ASK}, status=Status.ROUTED, intent=READING
    )
    routed = Routed(decision, PHASE, Rule.model_validate(rule), Floor(False, False, False, (), (), {}), ())
    allowance = Allowance([budget] if by_budget else [], [])
    turns = [a_turn(words)] if words else []
    to = candidate(facts, range(len(turns)))
    context = PhaseContext(items=tuple(item for item, _ in turns))
    work = Assignment(routed, context, [piece for _, piece in turns], (), None)
    first = payload_for(to, work, Bounds(GUARD, Scans())).request.messages
    openings = frozenset(opening_of(first, tools) for tools in ((TOOL,), ()))
    work = replace(work, outlook=Outlook(openings, "k"))
    billed = Decimal(0)
    for number, fate in enumerate(fates):  # rounds, retries and repairs alike: each is a request that is checked anew
        left = max(0, rounds - number)
        looking = Looking((TOOL,), rounds=left, grown=300) if left else Looking()
        try:
            payload = payload_for(to, replace(work, left=allowance.left(routed, to)), Bounds(GUARD, Scans()), looking)
            allowance.check(routed, to, payload.most)
        except ProviderError:
            break
        request = payload.request
        assert payload.most is not None
        assert request.prompt_tokens is not None
        assert request.max_output_tokens is not None
        told = facts.cache is not None and facts.cache.charged
        writes = may_be_written(request.keeping, request.messages) if told else True
        if not told and not (facts.price and facts.price.writes_unasked and facts.price.cache_write):
            writes = False
        cost = cost_of(facts, request.prompt_tokens, request.max_output_tokens, fate, writes=writes)
        assert cost <= payload.most
        billed += cost
        allowance.note(routed, to, cost if fate.told else payload.most)
        assert billed <= limit
