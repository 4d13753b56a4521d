import tempfile
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from recording import begin_attempt, open_trace, settle_attempt

from smista_mcp.core.values import Intent
from smista_mcp.ledger import AttemptStart, Ledger, Settlement

AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
StartOf = Callable[..., AttemptStart]


def test_amounts_are_kept_without_zeros_at_the_end(ledger: Ledger, start_of: StartOf) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    attempt = begin_attempt(ledger, trace_id, start_of(reserved=Decimal("0.1200")))
    assert settle_attempt(ledger, attempt, Settlement("completed", AT, cost=Decimal("0.0406620000")))
    (kept,) = ledger.trace(trace_id).attempts
    assert (kept.reserved, kept.cost) == ("0.12", "0.040662")


def test_a_sum_counts_what_was_charged_or_may_have_been(ledger: Ledger, start_of: StartOf) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    ends: list[tuple[Any, str | None, str]] = [
        ("completed", "0.01", "0.01"),
        ("completed", None, "1"),
        ("uncertain", None, "1"),
        ("uncertain", "0.002", "0.002"),
        ("cancelled", None, "1"),
        ("failed", None, "0"),
        ("failed", "0.0003", "0.0003"),
    ]
    expected = Decimal(0)
    for status, cost, counted in ends:
        attempt = begin_attempt(ledger, trace_id, start_of(reserved=Decimal(1)))
        assert ledger.spent("all", AT) == expected + 1
        settle_attempt(ledger, attempt, Settlement(status, AT, cost=None if cost is None else Decimal(cost)))
        expected += Decimal(counted)
        assert ledger.spent("all", AT) == expected
    begin_attempt(ledger, trace_id, start_of(reserved=None))
    assert ledger.spent("all", AT) == expected


@pytest.mark.parametrize("since", [AT.replace(hour=0, minute=0, second=0), AT])
def test_a_budget_counts_a_model_by_every_name_that_it_goes_by(
    ledger: Ledger, start_of: StartOf, since: datetime
) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    names = ("anthropic/claude-sonnet", "anthropic/claude-sonnet-5-5", "anthropic/claude-sonnet-5-5-20260801")
    attempt = begin_attempt(ledger, trace_id, start_of(reserved=Decimal("0.3")))
    assert [ledger.spent(f"model:{name}", since) for name in names] == [Decimal("0.3"), Decimal("0.3"), 0]
    end = Settlement("completed", AT, cost=Decimal("0.1"), resolved_model=names[-1])
    assert settle_attempt(ledger, attempt, end)
    assert [ledger.spent(f"model:{name}", since) for name in names] == [Decimal("0.1")] * 3
    assert ledger.spent("model:anthropic/*", since) == Decimal("0.1")


@pytest.mark.parametrize(
    ("scope", "workspace", "expected"),
    [
        ("all", None, "11111"),
        ("project", "77" * 32, "1101"),
        ("project", "88" * 32, "10"),
        ("project", None, "10000"),
        ("intent:edit", None, "11"),
        ("intent:refactor", None, "10"),
        ("intent:review", None, "100"),
        ("intent:chat", None, "0"),
        ("model:anthropic/*", None, "1011"),
        ("model:*SONNET-5-5", None, "1"),
        ("model:ollama/qwen", None, "100"),
        ("model:nothing*", None, "0"),
        ("token:ci", None, "1000"),
        ("token:other", None, "0"),
    ],
)
def test_a_scope_takes_in_what_it_names(
    ledger: Ledger, start_of: StartOf, scope: str, workspace: str | None, expected: str
) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    for start in (
        start_of(reserved=Decimal(1)),
        start_of(reserved=Decimal(10), intent=Intent.REFACTOR, resolved_model=None, workspace="88" * 32),
        start_of(reserved=Decimal(100), intent=Intent.REVIEW, model="ollama/qwen", resolved_model="qwen:latest"),
        start_of(reserved=Decimal(1000), intent=Intent.PLAN, resolved_model="anthropic/claude-opus", token="ci"),
        start_of(reserved=Decimal(10000), intent=Intent.COMMIT, model="openai/m", resolved_model="m", workspace=None),
    ):
        begin_attempt(ledger, trace_id, start)
    assert ledger.spent(scope, AT, workspace) == Decimal(expected)


def test_a_period_begins_with_its_first_moment_in_any_time_zone(ledger: Ledger, start_of: StartOf) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    east = timezone(timedelta(hours=9))
    begin_attempt(ledger, trace_id, start_of(started_at=AT.astimezone(east), reserved=Decimal(1)))
    begin_attempt(ledger, trace_id, start_of(started_at=AT - timedelta(microseconds=1), reserved=Decimal(10)))
    assert ledger.spent("all", AT) == 1
    assert ledger.spent("all", AT.astimezone(east) - timedelta(microseconds=1)) == 11
    assert ledger.spent("all", AT + timedelta(microseconds=1)) == 0
    with pytest.raises(ValueError, match="zone"):
        ledger.spent("all", AT.replace(tzinfo=None))


@pytest.mark.parametrize("scope", ["", "everything", "intent:", "intent:dance", "host:zed"])
def test_a_scope_that_does_not_exist_is_refused(ledger: Ledger, scope: str) -> None:
    with pytest.raises(ValueError, match=r"scope|Intent"):
        ledger.spent(scope, AT)


@settings(max_examples=10, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(costs=st.lists(st.decimals(0, 10**6, places=12), max_size=6))
def test_amounts_are_summed_without_rounding(start_of: StartOf, costs: list[Decimal]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.open(Path(folder) / "state")
        trace_id = open_trace(ledger, "ab" * 32, AT)
        for cost in costs:
            attempt = begin_attempt(ledger, trace_id, start_of())
            settle_attempt(ledger, attempt, Settlement("completed", AT, cost=cost))
        assert Fraction(ledger.spent("all", AT)) == sum(map(Fraction, costs), Fraction(0))
