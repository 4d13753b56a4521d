"""What attempts have used, summed by day and kind, against the attempts one by one."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from smista_mcp.errors import Cause, Code
from smista_mcp.ledger import Ledger, PhaseFacts, Scope, Settlement, TokenCounts
from smista_mcp.ledger.entries import FollowupEntry
from smista_mcp.ledger.tallies import Tally
from tests.ledger.conftest import AT
from tests.recording import begin_attempt, open_trace, settle_attempt

if TYPE_CHECKING:
    from tests.ledger.conftest import DecisionOf, RecordOf, StartOf

DAY = AT.date()


def the_one(ledger: Ledger, scope: Scope | None = None) -> Tally:
    (one,) = ledger.tallies(DAY, DAY, scope)
    return one


def test_a_tally_sums_what_attempts_of_one_kind_used(
    ledger: Ledger, start_of: "StartOf", decision_of: "DecisionOf", record_of: "RecordOf"
) -> None:
    ledger.record_route(record_of())
    trace = open_trace(ledger, "ab" * 32, AT)
    later = AT + timedelta(seconds=1.5)
    for end in (
        Settlement("completed", later, usage=TokenCounts(10, 4, 5, 2, 1), cost=Decimal("0.01")),
        Settlement("completed", later, usage=TokenCounts(10, None, 5), cost=Decimal("0.020")),
        Settlement("completed", later),
        Settlement("failed", later, code=Code.PROVIDER_UNAVAILABLE),
        Settlement("uncertain", later),
        Settlement("cancelled", AT - timedelta(seconds=1), cost=Decimal("0.03")),
    ):
        settle_attempt(ledger, begin_attempt(ledger, trace, start_of()), end)
    begin_attempt(ledger, trace, start_of())
    one = the_one(ledger)
    assert one == Tally(
        *(DAY, "77" * 32, None, "claude-code", "edit", "anthropic", "anthropic/claude-sonnet"),
        *("anthropic/claude-sonnet-5-5", "remote", "list"),
        requests=7,
        completed=3,
        failed=1,
        uncertain=1,
        cancelled=1,
        running=1,
        unpriced=1,
        input_tokens=20,
        cached_input_tokens=4,
        output_tokens=10,
        reasoning_tokens=2,
        cache_write_tokens=1,
        served=3,
        served_input_tokens=20,
        served_cached_input_tokens=4,
        served_output_tokens=10,
        served_reasoning_tokens=2,
        served_cache_write_tokens=1,
        cost=Decimal("0.06"),
        held=Decimal("0.36"),
        seconds=7.5,
    )
    assert ledger.spent("all", AT) == one.cost + one.held


def test_tokens_of_tries_of_no_use_are_told_from_those_that_served(ledger: Ledger, start_of: "StartOf") -> None:
    trace, counts = open_trace(ledger, "ab" * 32, AT), TokenCounts(10, 4, 5, 2, 1)
    ends: list[Settlement] = [
        Settlement("completed", AT, usage=counts),
        Settlement("completed", AT, usage=counts, cause=Cause.LENGTH),
        Settlement("failed", AT, usage=counts),
        Settlement("cancelled", AT, usage=counts),
    ]
    ids = [begin_attempt(ledger, trace, start_of()) for _ in ends]
    for attempt, end in zip(ids, ends, strict=True):
        settle_attempt(ledger, attempt, end)
    assert (the_one(ledger).served, the_one(ledger).served_input_tokens, the_one(ledger).input_tokens) == (1, 10, 40)
    ledger.write(FollowupEntry(ids[0], "again"))
    assert the_one(ledger).served == 1
    for _ in range(2):  # that it is said again changes nothing
        ledger.write(FollowupEntry(ids[0], "repair", cause=Cause.PATCH))
        one = the_one(ledger)
        assert (one.completed, one.input_tokens) == (2, 40)
        assert [getattr(one, name) for name in one._fields if name.startswith("served")] == [0] * 6


@pytest.mark.parametrize(
    ("status", "cost", "reserved", "abandoned"),
    [
        ("cancelled", None, "0.3", 1),
        ("cancelled", None, None, 1),
        ("cancelled", None, "0.00", 0),
        ("cancelled", "0", "0.3", 0),
        ("uncertain", None, "0.3", 0),
        ("completed", None, "0.3", 0),
    ],
)
def test_a_cancelled_request_that_may_have_been_charged_is_counted(
    ledger: Ledger, start_of: "StartOf", status: Any, cost: str | None, reserved: str | None, abandoned: int
) -> None:
    start = start_of(reserved=None if reserved is None else Decimal(reserved))
    attempt = begin_attempt(ledger, open_trace(ledger, "ab" * 32, AT), start)
    settle_attempt(ledger, attempt, Settlement(status, AT, cost=None if cost is None else Decimal(cost)))
    assert the_one(ledger).abandoned == abandoned


@pytest.mark.parametrize(
    "change",
    [
        {"workspace": None},
        {"token": "ci"},
        {"intent": "review"},
        {"provider": "openai"},
        {"model": "anthropic/other"},
        {"resolved_model": None},
        {"locality": "local"},
        {"cost_kind": "plan"},
        {"started_at": AT + timedelta(days=1)},
    ],
    ids=lambda change: next(iter(change)),
)
def test_what_differs_in_one_thing_is_summed_apart(
    ledger: Ledger, start_of: "StartOf", change: dict[str, object]
) -> None:
    from smista_mcp.core.values import Intent, Locality  # noqa: PLC0415

    kinds = {"intent": Intent, "locality": Locality}
    real = {name: kinds[name](value) if name in kinds else value for name, value in change.items()}
    trace = open_trace(ledger, "ab" * 32, AT)
    begin_attempt(ledger, trace, start_of())
    begin_attempt(ledger, trace, start_of(**real))
    found = ledger.tallies(DAY, DAY + timedelta(days=1))
    assert [one.requests for one in found] == [1, 1]


def test_a_model_is_one_whatever_the_server_says_of_itself(ledger: Ledger, start_of: "StartOf") -> None:
    trace = open_trace(ledger, "ab" * 32, AT)
    for said in (None, "anthropic/said", "anthropic/said-later"):
        end = Settlement("completed", AT, resolved_model=said)
        settle_attempt(ledger, begin_attempt(ledger, trace, start_of()), end)
    assert (the_one(ledger).resolved_model, the_one(ledger).requests) == ("anthropic/claude-sonnet-5-5", 3)
    assert the_one(ledger).host is None  # nobody knows who decided it


def test_both_ends_of_a_span_count_and_a_scope_shows_its_own(
    ledger: Ledger, start_of: "StartOf", record_of: "RecordOf", decision_of: "DecisionOf"
) -> None:
    for number, owner in enumerate(("one", "two", None)):
        made = decision_of(f"{number:02x}" * 32)
        facts = () if owner is None else (PhaseFacts(owner=owner),)
        ledger.record_route(record_of(made)._replace(facts=facts))
        trace = open_trace(ledger, made.decision_id, AT)
        for day in range(3):
            begin_attempt(ledger, trace, start_of(started_at=AT + timedelta(days=day)))
    days = Counter(one.day for one in ledger.tallies(DAY, DAY + timedelta(days=1)) for _ in range(one.requests))
    assert days == {DAY: 3, DAY + timedelta(days=1): 3}
    everything = DAY, DAY + timedelta(days=9)
    assert sum(one.requests for one in ledger.tallies(*everything, Scope("77" * 32))) == 9
    assert sum(one.requests for one in ledger.tallies(*everything, Scope("77" * 32, "one"))) == 3
    assert ledger.tallies(*everything, Scope(None)) == ()


def test_an_empty_ledger_has_none(state: Path) -> None:
    assert Ledger.open(state).tallies(date.min, date.max) == ()
