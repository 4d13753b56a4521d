"""What a phase will cost and what an attempt has cost. USD, Decimal, never float; an unknown price is None, never 0."""

from decimal import ROUND_CEILING, ROUND_FLOOR, ROUND_HALF_EVEN, Decimal
from typing import NamedTuple

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.decision import CostRange
from smista_mcp.core.prices import Price
from smista_mcp.core.values import Effort, Intent

_STEP = Decimal("0.000001")
_MILLION = 6

ESTIMATES_AS_OF = "2026-11-20"
"""The day of the two tables below."""

VISIBLE_OUTPUT: dict[Intent, int] = {
    Intent.CHAT: 2_000,
    Intent.ANALYZE: 3_000,
    Intent.PLAN: 4_000,
    Intent.EDIT: 8_000,
    Intent.REFACTOR: 10_000,
    Intent.TEST: 8_000,
    Intent.DOCUMENT: 4_000,
    Intent.FORMAT: 8_000,
    Intent.REVIEW: 4_000,
    Intent.SUMMARIZE: 1_000,
    Intent.COMMIT: 400,
    Intent.PROMPT: 2_000,
    Intent.SKILL: 4_000,
}
"""Tokens of the written answer that 95 of 100 tasks stay under. An assumption, not a measurement: a page is about 700
tokens, a patch of 300 changed lines with its context about 8,000. Observed usage may replace it."""

THINKING_OUTPUT: dict[Effort, int] = {
    Effort.LOW: 1_024,
    Effort.MEDIUM: 8_192,
    Effort.HIGH: 24_576,
    Effort.XHIGH: 32_768,
}
"""Hidden tokens, billed as output. Low to high are the thinking budgets that Google documents for these words
(ai.google.dev/gemini-api/docs/openai); xhigh is the largest budget of Gemini 2.5 Pro. Others publish no figure."""


def expected_output_tokens(intent: Intent, effort: Effort) -> int:
    """The output, hidden part included, that a phase is expected to stay under in 95 of 100 cases."""
    return VISIBLE_OUTPUT[intent] + THINKING_OUTPUT[effort]


def usd(amount: Decimal, rounding: str = ROUND_HALF_EVEN) -> str:
    """An amount as text: at most six decimals, no exponent, no zeros at the end."""
    return plain(amount.quantize(_STEP, rounding))


def plain(amount: Decimal) -> str:
    """An amount as text, exactly: no exponent, no zeros at the end; equal amounts are equal texts."""
    text = format(amount, "f")
    short = text.rstrip("0").rstrip(".") if "." in text else text
    return "0" if short == "-0" else short


class Course(NamedTuple):
    """How a phase may go on one model. Tokens are those of this model.

    Attributes:
        rounds: further requests of each try, in which the model reads what it asked to see.
        grown: what that adds to the input of each of them at most.
        kept: whether the provider is asked to keep the input in its cache.
        more: what the input may have besides: it counts at most, and not at least.
        repair: what asking once more for a change that does not apply adds to the input; None where nobody will.
    """

    rounds: int = 0
    grown: int = 0
    kept: bool = False
    more: int = 0
    repair: int | None = None


STRAIGHT = Course()


def price_range(
    facts: ModelFacts,
    *,
    input_tokens: int,
    expected_output: int,
    attempts: int,
    course: Course = STRAIGHT,
) -> CostRange | None:
    """What a phase will cost at least and at most, rounded outwards to a millionth of a dollar.

    At least: the input once, none of it cached, and no output. At most: the input at its dearest (where the provider
    may write it to its cache, that costs more) for every attempt, and once the expected output, but no more than the
    model can write.

    Args:
        facts: of the model.
        input_tokens: in tokens of this model.
        expected_output: as `expected_output_tokens` gives it.
        attempts: how often it may be tried, retries included.
        course: what may happen besides.

    Returns:
        None where the price is unknown, or nothing bounds what is written.
    """
    if facts.price_kind in ("local", "plan"):
        return CostRange(min="0", max="0", kind=facts.price_kind, source=facts.source)
    price = facts.price
    if price is None or facts.price_kind != "list" or not facts.bounded:
        return None
    output = expected_output if facts.max_output_tokens is None else min(expected_output, facts.max_output_tokens)
    least = price.input.at(input_tokens) * input_tokens
    whole, again = input_tokens + course.more, course.repair is not None
    longest = whole + course.grown + (course.repair or 0)
    read = (whole + course.rounds * (whole + course.grown)) * attempts + longest * again
    most = _dearest_input(facts, price, longest, kept=course.kept) * read
    most += price.dearest_output(longest) * output * (1 + again)
    requests = attempts * (1 + course.rounds) + again
    return CostRange(
        min=usd(least.scaleb(-_MILLION) + price.request, ROUND_FLOOR),
        max=usd(most.scaleb(-_MILLION) + price.request * requests, ROUND_CEILING),
        kind="list",
        source=facts.source,
    )


def _dearest_input(facts: ModelFacts, price: Price, tokens: int, *, kept: bool) -> Decimal:
    told = facts.cache is not None and facts.cache.charged
    return price.dearest_input(tokens, writes=kept if told else None)


def affordable_output(
    facts: ModelFacts, amount: Decimal, *, input_tokens: int, course: Course = STRAIGHT
) -> int | None:
    """Tokens of output that can be paid for beside the input; may be below 0.

    Args:
        facts: of the model.
        amount: USD.
        input_tokens: in tokens of this model.
        course: as for `price_range`; what it has besides is not looked at, nor a repair.

    Returns:
        None where nobody pays, or nobody knows what.
    """
    price = facts.price
    if price is None or facts.price_kind != "list":
        return None
    longest = input_tokens + course.grown
    rate = price.dearest_output(longest)
    if not rate:
        return None
    read = _dearest_input(facts, price, longest, kept=course.kept) * (input_tokens + course.rounds * longest)
    left = (amount - price.request * (1 + course.rounds)).scaleb(_MILLION) - read
    return int((left / rate).to_integral_value(ROUND_FLOOR))


def actual_cost(
    facts: ModelFacts,
    *,
    input_tokens: int,
    cached_input_tokens: int,
    output_tokens: int,
    reasoning_tokens: int,
    cache_write_tokens: int = 0,
) -> Decimal | None:
    """What one attempt has cost, exactly.

    Args:
        facts: of the model.
        input_tokens: all input, what was read from or written to the provider's cache included.
        cached_input_tokens: the part of the input that was read from the cache.
        output_tokens: all output, hidden reasoning included.
        reasoning_tokens: the hidden part of the output.
        cache_write_tokens: the part of the input that was written to the cache.

    Returns:
        None where the price is unknown; 0 where a plan pays or the model is local.
    """
    if facts.price_kind in ("local", "plan"):
        return Decimal(0)
    price = facts.price
    if price is None or facts.price_kind != "list":
        return None
    at = input_tokens
    fresh = input_tokens - cached_input_tokens - cache_write_tokens
    parts = (
        (price.input.at(at), fresh if fresh >= 0 else input_tokens),  # a part beyond the whole stands beside it
        ((price.cached_input or price.input).at(at), cached_input_tokens),
        (price.writing.at(at), cache_write_tokens),
        (price.output.at(at), max(0, output_tokens - reasoning_tokens)),
        ((price.reasoning or price.output).at(at), reasoning_tokens),
    )
    return sum((rate * tokens for rate, tokens in parts), Decimal(0)).scaleb(-_MILLION) + price.request
