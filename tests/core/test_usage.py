"""Sums of what was used, and what was saved: nothing that nobody knows is ever counted as 0."""

from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.catalog import Catalog, ModelFacts
from smista_mcp.core.costing import actual_cost, plain
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.policy import CatalogEntry
from smista_mcp.core.usage import By, LeftOut, Reference, Tokens, Used, grouped, line, saving
from smista_mcp.loading.catalog_data import read_extract, read_families

DAY = "2026-11-20"
STATED = {
    "openai-compat:a/m": CatalogEntry.model_validate({"input_price": "4", "output_price": "20"}),
    "openai-compat:a/plan": CatalogEntry.model_validate(
        {"input_price": "4", "output_price": "20", "price_kind": "plan"}
    ),
}
CATALOG = Catalog(read_extract(), read_families(), STATED, DAY)


def facts(name: str, kind: str = "openai-compat") -> ModelFacts:
    provider, _, model = name.partition("/")
    return CATALOG.facts(ModelRef(provider, model), kind)


REFERENCE = Reference("m", "asked", facts("openai-compat:a/m"))


def used(**changes: Any) -> Used:
    fields: dict[str, Any] = {
        "day": DAY,
        "model": "ollama/tiny",
        "locality": "local",
        "intent": "review",
        "project": "77" * 16,
        "host": "codex",
        "pays": "local",
        "completed": 1,
        "tokens": Tokens(input=1_000, output=100),
    }
    fields |= changes
    served: dict[str, Any] = {
        "served": fields["completed"],
        "served_tokens": fields["tokens"] if fields["completed"] else Tokens(),
    }
    return Used(**(served | fields))


PAID = used(model="a/paid", locality="remote", pays="list", cost=Decimal("0.0010"), tokens=Tokens(500, 100, 0, 50, 10))
UNKNOWN = used(model="a/unknown", locality="remote", pays="unknown", unpriced=1)
UNSURE = used(model="a/paid", locality="remote", pays="list", completed=0, uncertain=1, held=Decimal("0.2"))


def test_amounts_are_written_in_one_way() -> None:
    texts = ("0.0406620000", "1E+2", "0E-10", "10.00", "-0.0", "5E-7", "100")
    assert [plain(Decimal(text)) for text in texts] == ["0.040662", "100", "0", "10", "0", "0.0000005", "100"]


@given(st.decimals(allow_nan=False, allow_infinity=False, min_value=0, max_value=10**9, places=12))
def test_equal_amounts_are_equal_texts_and_read_back_exactly(amount: Decimal) -> None:
    text = plain(amount)
    assert Decimal(text) == amount
    assert plain(amount * Decimal("1.000")) == text
    assert not ("." in text and text[-1] in "0.")


def test_a_group_counts_what_is_unknown_apart() -> None:
    whole = line([used(), PAID, UNKNOWN, UNSURE])
    assert (whole.requests, whole.completed, whole.uncertain, whole.unpriced, whole.local) == (4, 3, 1, 1, 1)
    assert (whole.cost, whole.held) == ("0.001", "0.2")
    assert (whole.input_tokens, whole.output_tokens, whole.local_tokens) == (3_500, 350, 1_100)
    assert (whole.cached_input_tokens, whole.reasoning_tokens) == (100, 10)


@pytest.mark.parametrize(
    ("by", "keys"),
    [
        ("model", ["a/paid", "ollama/tiny", "a/unknown"]),
        ("intent", ["review", "edit"]),
        ("project", ["77" * 16, ""]),
        ("host", ["codex", ""]),
        ("day", ["2026-11-19", DAY]),
    ],
)
def test_groups_stand_dearest_first_and_days_in_their_order(by: By, keys: list[str]) -> None:
    rows = [used(), PAID, UNKNOWN, UNSURE, used(day="2026-11-19", intent="edit", project=None, host="")]
    found = grouped(rows, by, {"77" * 16: "/home/me/shop"})
    assert [one.key for one in found] == keys
    assert [one.name for one in found] == [("/home/me/shop" if one.key == "77" * 16 else None) for one in found]


@given(st.lists(st.sampled_from([used(), PAID, UNKNOWN, UNSURE, used(host="zed", day="2026-11-18")]), max_size=8))
def test_groups_add_up_to_the_whole_however_they_are_made(rows: list[Used]) -> None:
    whole = line(rows).model_dump(exclude={"key", "name", "cost", "held"})
    kinds: tuple[By, ...] = ("model", "intent", "project", "host", "day")
    for by in kinds:
        groups = grouped(rows, by)
        assert {name: sum(getattr(one, name) for one in groups) for name in whole} == whole
        assert sum((Decimal(one.cost) for one in groups), Decimal(0)) == Decimal(line(rows).cost)


def test_what_was_saved_is_the_list_price_of_the_same_tokens_less_what_was_paid() -> None:
    found = saving([used(), PAID], lambda host, intent: REFERENCE, DAY)
    local = Decimal(4) * 1_000 + Decimal(20) * 100
    remote = Decimal(4) * 500 + Decimal(20) * 50
    assert Decimal(found.reference) == (local + remote) / 1_000_000
    assert (found.paid, found.requests, found.left_out.all) == ("0.001", 2, 0)
    assert Decimal(found.saved) == Decimal(found.reference) - Decimal(found.paid)
    (one,) = found.references
    assert (one.host, one.model, one.by, one.intents, one.requests) == (
        "codex",
        "openai-compat:a/m",
        "asked",
        ("review",),
        2,
    )
    assert DAY in found.method


def test_what_nobody_knows_is_left_out_and_counted() -> None:
    missing = used(pays="list", unpriced=2, unreported=1, completed=3, cost=Decimal("0.5"))
    rows = [UNKNOWN, UNSURE, used(completed=0, running=1, tokens=Tokens()), missing, used(host="zed", completed=4)]
    found = saving(rows, lambda host, intent: None if host == "zed" else REFERENCE, DAY)
    assert found.left_out == LeftOut(running=1, uncertain=1, unpriced=2, unreported=1, no_reference=4)
    assert (found.requests, found.hosts_without, found.paid) == (1, ("zed",), "0.5")


def test_delegating_may_have_cost_more_than_it_saved() -> None:
    tries = used(pays="list", completed=0, failed=2, cost=Decimal(1), tokens=Tokens(9_000_000, 0, 0, 9_000_000))
    found = saving([used(), tries], lambda host, intent: REFERENCE, DAY)
    assert Decimal(found.saved) < 0
    assert found.reference == saving([used()], lambda host, intent: REFERENCE, DAY).reference


@pytest.mark.parametrize("ended", [{"completed": 0, "failed": 1}, {"completed": 0, "cancelled": 1}, {"completed": 1}])
def test_an_answer_of_no_use_is_paid_for_and_saves_nothing(ended: dict[str, int]) -> None:
    useless = used(pays="list", cost=Decimal("0.007"), tokens=Tokens(1_000, 0, 0, 500), **ended)._replace(
        served=0, served_tokens=Tokens()
    )
    found = saving([useless], lambda host, intent: REFERENCE, DAY)
    assert (found.reference, found.paid, found.saved, found.requests) == ("0", "0.007", "-0.007", 0)
    assert found.left_out == LeftOut()


def test_a_reference_that_a_plan_pays_counts_at_its_list_price_and_a_local_one_not_at_all() -> None:
    plan, local = (Reference("r", "policy", facts(*of)) for of in (("openai-compat:a/plan",), ("ollama/m", "ollama")))
    by_list = saving([used()], lambda host, intent: REFERENCE, DAY)
    assert saving([used()], lambda host, intent: plan, DAY).reference == by_list.reference
    assert saving([used()], lambda host, intent: local, DAY).left_out.no_reference == 1


@given(st.integers(0, 10**7), st.integers(0, 10**5))
def test_rates_of_long_inputs_are_never_assumed(given_tokens: int, written: int) -> None:
    stepped = facts("gemini/gemini-2.5-pro", "gemini")
    assert stepped.price is not None
    assert stepped.price.input.steps
    found = saving(
        [used(tokens=Tokens(given_tokens, 0, 0, written))], lambda host, intent: Reference("r", "asked", stepped), DAY
    )
    exact = actual_cost(
        stepped, input_tokens=given_tokens, cached_input_tokens=0, output_tokens=written, reasoning_tokens=0
    )
    assert exact is not None
    assert Decimal(found.reference) <= exact


def test_many_short_requests_do_not_make_a_long_one() -> None:
    stepped = Reference("r", "asked", facts("gemini/gemini-2.5-pro", "gemini"))
    assert stepped.facts.price is not None
    start = stepped.facts.price.input.steps[0][0]
    one = used(tokens=Tokens(start - 1, 0, 0, 10))
    three = used(completed=3, tokens=Tokens(3 * (start - 1), 0, 0, 30))
    singly, together = (saving(rows, lambda host, intent: stepped, DAY) for rows in ([one] * 3, [three]))
    assert together.reference == singly.reference
