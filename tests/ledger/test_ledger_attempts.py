from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from recording import begin_attempt, open_trace, settle_attempt

from smista_mcp.core.decision import Decision
from smista_mcp.errors import Code, NotFound
from smista_mcp.ledger import (
    AttemptStart,
    BudgetExceeded,
    Ledger,
    RouteRecord,
    Settlement,
    SpendingLimit,
    TokenCounts,
)

AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
DecisionOf = Callable[..., Decision]
RecordOf = Callable[..., RouteRecord]
StartOf = Callable[..., AttemptStart]


def test_a_trace_holds_its_decision_and_every_attempt_with_its_receipt(
    ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf, start_of: StartOf
) -> None:
    ledger.record_route(record_of(decision_of("ab" * 32)))
    trace_id = open_trace(ledger, "ab" * 32, AT)
    first = begin_attempt(ledger, trace_id, start_of())
    assert settle_attempt(ledger, first, Settlement("failed", AT, code=Code.PROVIDER_UNAVAILABLE))
    second = begin_attempt(ledger, trace_id, start_of(model="ollama/qwen", provider="ollama", token="ci"))
    usage = TokenCounts(input_tokens=140, cached_input_tokens=0, output_tokens=60)
    end = Settlement("completed", AT, usage=usage, cost=Decimal("0.0021"), resolved_model="qwen:latest")
    assert settle_attempt(ledger, second, end)

    trace = ledger.trace(trace_id[:8])
    assert trace.decision is not None
    assert trace.decision.decision_id == trace.decision_id == "ab" * 32
    failed, completed = trace.attempts
    assert (failed.attempt_id, failed.status, failed.code) == (first, "failed", "provider_unavailable")
    assert (failed.cost, failed.resolved_model) == (None, "anthropic/claude-sonnet-5-5")
    assert (completed.status, completed.cost, completed.resolved_model) == ("completed", "0.0021", "qwen:latest")
    assert (completed.usage, completed.reserved, completed.token) == (usage, "0.12", "ci")
    assert completed.receipt == start_of().receipt
    assert completed.started_at < (completed.ended_at or "") or completed.ended_at == AT.isoformat("T", "microseconds")


def test_an_attempt_that_has_not_ended_is_found_running_with_its_receipt(ledger: Ledger, start_of: StartOf) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    begin_attempt(ledger, trace_id, start_of())
    (attempt,) = ledger.trace(trace_id).attempts
    assert (attempt.status, attempt.ended_at, attempt.usage) == ("running", None, TokenCounts())
    assert attempt.receipt.withheld[0].path == ".env"


def test_a_trace_of_an_unrecorded_decision_is_kept(ledger: Ledger) -> None:
    trace = ledger.trace(open_trace(ledger, "ab" * 32, AT))
    assert (trace.decision_id, trace.decision, trace.attempts) == ("ab" * 32, None, ())


def test_traces_belong_to_one_recording_of_a_decision(
    ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf
) -> None:
    ledger.record_route(record_of(decision_of("ab" * 32)))
    older = ledger.last()
    before = open_trace(ledger, "ab" * 32, AT)
    ledger.record_route(record_of(decision_of("ab" * 32)))
    after = [open_trace(ledger, "ab" * 32, AT + timedelta(seconds=second)) for second in range(2)]
    assert [trace.trace_id for trace in ledger.traces_of(older)] == [before]
    assert [trace.trace_id for trace in ledger.traces_of(ledger.last())] == after


def test_the_first_settlement_stands(ledger: Ledger, start_of: StartOf) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    attempt = begin_attempt(ledger, trace_id, start_of())
    assert settle_attempt(ledger, attempt, Settlement("cancelled", AT, code=Code.CANCELLED, cost=Decimal("0.01")))
    assert not settle_attempt(ledger, attempt, Settlement("completed", AT, cost=Decimal(0)))
    (kept,) = ledger.trace(trace_id).attempts
    assert (kept.status, kept.cost) == ("cancelled", "0.01")


def test_what_was_never_begun_is_not_found(ledger: Ledger, start_of: StartOf) -> None:
    for ask in (
        lambda: settle_attempt(ledger, "ab" * 16, Settlement("completed", AT)),
        lambda: begin_attempt(ledger, "ab" * 16, start_of()),
        lambda: ledger.trace("ab" * 16),
    ):
        with pytest.raises(NotFound) as refused:
            ask()
        assert refused.value.code is Code.TRACE_NOT_FOUND


@pytest.mark.parametrize("amount", [Decimal("-0.01"), Decimal("NaN"), Decimal("Infinity")])
def test_an_amount_that_is_no_amount_is_refused(ledger: Ledger, start_of: StartOf, amount: Decimal) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    with pytest.raises(ValueError, match="amount"):
        begin_attempt(ledger, trace_id, start_of(reserved=amount))
    attempt = begin_attempt(ledger, trace_id, start_of())
    with pytest.raises(ValueError, match="amount"):
        settle_attempt(ledger, attempt, Settlement("completed", AT, cost=amount))
    assert [one.status for one in ledger.trace(trace_id).attempts] == ["running"]


def test_an_attempt_is_reserved_only_while_every_budget_has_enough_left(ledger: Ledger, start_of: StartOf) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    limits = [
        SpendingLimit("all", AT - timedelta(hours=1), Decimal(10)),
        SpendingLimit("intent:edit", AT - timedelta(hours=1), Decimal("0.25")),
    ]
    begin_attempt(ledger, trace_id, start_of(), limits)
    second = begin_attempt(ledger, trace_id, start_of(), limits)
    with pytest.raises(BudgetExceeded) as refused:
        begin_attempt(ledger, trace_id, start_of(), limits)
    assert (refused.value.code, refused.value.scope) == (Code.BUDGET_EXCEEDED, "intent:edit")
    assert len(ledger.trace(trace_id).attempts) == 2
    settle_attempt(ledger, second, Settlement("completed", AT, cost=Decimal("0.01")))
    begin_attempt(ledger, trace_id, start_of(), limits)


def test_an_attempt_of_unknown_price_is_refused_where_a_budget_applies(ledger: Ledger, start_of: StartOf) -> None:
    trace_id = open_trace(ledger, "ab" * 32, AT)
    unpriced = start_of(reserved=None, cost_kind="unknown")
    with pytest.raises(BudgetExceeded) as refused:
        begin_attempt(ledger, trace_id, unpriced, [SpendingLimit("all", AT, Decimal(10))])
    assert refused.value.code is Code.PRICE_UNKNOWN
    assert begin_attempt(ledger, trace_id, unpriced)
