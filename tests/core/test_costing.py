from decimal import ROUND_CEILING, ROUND_FLOOR, Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.caching import CacheFacts
from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.costing import Course, actual_cost, expected_output_tokens, price_range, usd
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.prices import Price, Rate
from smista_mcp.core.values import Effort, Intent


def rate(base: str, *steps: tuple[int, str]) -> Rate:
    return Rate(Decimal(base), tuple((start, Decimal(text)) for start, text in steps))


PRICE = Price(rate("2", (200_000, "4")), rate("10", (200_000, "15")), rate("0.2"), rate("2.5"))
FACTS = ModelFacts(
    ref=ModelRef("anthropic", "m"),
    known=True,
    context_window=1_000_000,
    max_output_tokens=64_000,
    capabilities={},
    price=PRICE,
    price_kind="list",
    source="prices 1",
    nearest=(),
    token_factor=1.0,
)


def ends(facts: ModelFacts, **given: Any) -> tuple[str, str]:
    counts: dict[str, Any] = {"input_tokens": 0, "expected_output": 0, "attempts": 1, **given}
    cost = price_range(facts, **counts)
    assert cost is not None
    return cost.min, cost.max


def test_the_range_is_the_input_once_and_the_input_of_all_attempts_with_the_expected_output() -> None:
    assert ends(FACTS, input_tokens=10_000, expected_output=4_000, attempts=3) == ("0.02", "0.1")


def test_the_expected_output_is_never_more_than_the_model_can_write() -> None:
    assert ends(FACTS, expected_output=10**9)[1] == "0.64"
    assert ends(FACTS._replace(max_output_tokens=None), expected_output=100_000)[1] == "1"


def test_a_larger_input_pays_the_rate_of_its_tier_for_every_token() -> None:
    assert ends(FACTS, input_tokens=200_000, expected_output=1_000) == ("0.4", "0.41")
    assert ends(FACTS, input_tokens=200_001, expected_output=1_000) == ("0.800004", "0.815004")


def test_a_cache_written_unasked_makes_the_upper_end_dearer() -> None:
    unasked = FACTS._replace(price=PRICE._replace(writes_unasked=True))
    assert ends(unasked, input_tokens=10_000) == ("0.02", "0.025")


def test_a_fee_for_each_request_is_paid_for_each_attempt() -> None:
    fee = FACTS._replace(price=PRICE._replace(request=Decimal("0.005")))
    assert ends(fee, attempts=2) == ("0.005", "0.01")


def test_both_ends_are_rounded_outwards() -> None:
    tiny = FACTS._replace(price=Price(rate("0.05"), rate("0.4")))
    assert ends(tiny, input_tokens=30, expected_output=1) == ("0.000001", "0.000002")


@pytest.mark.parametrize("kind", ["local", "plan"])
def test_what_runs_here_or_is_paid_by_a_plan_costs_nothing(kind: str) -> None:
    free = FACTS._replace(price_kind=kind, source="policy")
    cost = price_range(free, input_tokens=10**6, expected_output=10**6, attempts=9)
    assert cost is not None
    assert (cost.min, cost.max, cost.kind, cost.source) == ("0", "0", kind, "policy")
    assert actual_cost(free, input_tokens=1, cached_input_tokens=0, output_tokens=1, reasoning_tokens=0) == 0


def test_an_unknown_price_is_no_range_and_no_cost() -> None:
    unknown = FACTS._replace(price=None, price_kind="unknown")
    assert price_range(unknown, input_tokens=1, expected_output=1, attempts=1) is None
    assert actual_cost(unknown, input_tokens=1, cached_input_tokens=0, output_tokens=1, reasoning_tokens=0) is None


def test_a_cost_is_the_sum_of_what_each_kind_of_token_costs() -> None:
    price = PRICE._replace(reasoning=rate("12"), request=Decimal("0.001"))
    cost = actual_cost(
        FACTS._replace(price=price),
        input_tokens=1_000,
        cached_input_tokens=400,
        cache_write_tokens=100,
        output_tokens=300,
        reasoning_tokens=200,
    )
    wanted = 500 * 2 + 400 * Decimal("0.2") + 100 * Decimal("2.5") + 100 * 10 + 200 * 12
    assert cost == wanted / 1_000_000 + Decimal("0.001")


def test_a_part_beyond_the_whole_makes_nothing_cheaper() -> None:
    """A server that counts what it read from its cache beside the rest, or wrongly: the rest is paid in full."""
    told = {"input_tokens": 100, "output_tokens": 0, "reasoning_tokens": 0}
    least = actual_cost(FACTS, cached_input_tokens=0, **told)
    for cached, written in ((500, 0), (101, 0), (60, 60)):
        cost = actual_cost(FACTS, cached_input_tokens=cached, cache_write_tokens=written, **told)
        assert cost is not None
        assert least is not None
        assert cost > least


def test_what_is_written_to_a_cache_is_never_taken_to_be_free_of_charge() -> None:
    plain = FACTS._replace(price=Price(rate("2"), rate("10")))
    cost = actual_cost(
        plain,
        input_tokens=1_000_000,
        cached_input_tokens=0,
        cache_write_tokens=1_000_000,
        output_tokens=0,
        reasoning_tokens=0,
    )
    assert cost == Decimal("2.5")


@pytest.mark.parametrize(
    ("how", "kept", "most"), [("marks", True, "0.025"), ("marks", False, "0.02"), ("options", False, "0.02")]
)
def test_the_upper_end_counts_a_write_where_one_is_asked_for(how: Any, kept: bool, most: str) -> None:
    asked = FACTS._replace(price=PRICE._replace(writes_unasked=True), cache=CacheFacts(how, 1024, 300))
    assert ends(asked, input_tokens=10_000, course=Course(kept=kept)) == ("0.02", most)


def test_a_repair_and_our_own_words_are_in_the_upper_end_alone() -> None:
    assert ends(FACTS, input_tokens=10_000, expected_output=4_000) == ("0.02", "0.06")
    again = ends(FACTS, input_tokens=10_000, expected_output=4_000, course=Course(more=1_000, repair=5_000))
    assert again == ("0.02", str(Decimal(11_000 + 16_000) * 2 / 10**6 + Decimal(8_000) * 10 / 10**6))


def test_where_nothing_bounds_what_is_written_there_is_no_upper_end_and_yet_a_cost() -> None:
    loose = FACTS._replace(bounded=False)
    assert price_range(loose, input_tokens=1, expected_output=1, attempts=1) is None
    used = {"input_tokens": 10, "cached_input_tokens": 0, "output_tokens": 10, "reasoning_tokens": 0}
    assert actual_cost(loose, **used) == actual_cost(FACTS, **used)


def test_tokens_without_a_price_of_their_own_cost_what_the_others_cost() -> None:
    plain = FACTS._replace(price=Price(rate("2"), rate("10")))
    whole = actual_cost(plain, input_tokens=1_000, cached_input_tokens=0, output_tokens=500, reasoning_tokens=0)
    parts = actual_cost(plain, input_tokens=1_000, cached_input_tokens=900, output_tokens=500, reasoning_tokens=500)
    assert whole == parts == Decimal("0.007")


def test_a_part_that_exceeds_the_whole_never_makes_a_cost_smaller_than_the_part() -> None:
    cost = actual_cost(FACTS, input_tokens=10, cached_input_tokens=1_000, output_tokens=5, reasoning_tokens=50)
    assert cost == Decimal("0.00002") + Decimal("0.0002") + Decimal("0.0005")


@pytest.mark.parametrize(
    ("amount", "text"),
    [("0", "0"), ("1E+3", "1000"), ("0.10", "0.1"), ("1E-7", "0"), ("0.0000015", "0.000002"), ("12.5", "12.5")],
)
def test_an_amount_is_written_without_exponent_and_without_idle_zeros(amount: str, text: str) -> None:
    assert usd(Decimal(amount)) == text


@given(st.decimals(min_value=0, max_value=10**9, allow_nan=False, places=9))
def test_written_amounts_enclose_the_amount(amount: Decimal) -> None:
    low, high = usd(amount, ROUND_FLOOR), usd(amount, ROUND_CEILING)
    assert Decimal(low) <= amount <= Decimal(high)
    assert Decimal(high) - Decimal(low) <= Decimal("0.000001")
    assert "E" not in low + high


TOKENS = st.integers(min_value=0, max_value=10**8)


@given(TOKENS, TOKENS, st.integers(min_value=1, max_value=6))
def test_a_single_attempt_within_the_estimate_costs_no_more_than_the_upper_end(
    tokens: int, output: int, attempts: int
) -> None:
    low, high = ends(FACTS, input_tokens=tokens, expected_output=output, attempts=attempts)
    cost = actual_cost(
        FACTS, input_tokens=tokens, cached_input_tokens=0, output_tokens=min(output, 64_000), reasoning_tokens=0
    )
    assert cost is not None
    assert Decimal(low) <= cost <= Decimal(high)


@given(TOKENS, TOKENS, st.integers(min_value=1, max_value=6))
def test_more_input_or_more_attempts_never_cost_less(tokens: int, more: int, attempts: int) -> None:
    _, high = ends(FACTS, input_tokens=tokens, attempts=attempts)
    assert Decimal(high) <= Decimal(ends(FACTS, input_tokens=tokens + more, attempts=attempts)[1])
    assert Decimal(high) <= Decimal(ends(FACTS, input_tokens=tokens, attempts=attempts + 1)[1])


def test_more_effort_expects_more_output_and_every_intent_has_a_figure() -> None:
    for intent in Intent:
        figures = [expected_output_tokens(intent, effort) for effort in Effort]
        assert figures == sorted(set(figures))
        assert figures[0] > 1_024
