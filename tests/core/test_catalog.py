from collections.abc import Mapping
from decimal import Decimal
from functools import cache
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.catalog import Catalog, ModelFacts
from smista_mcp.core.costing import actual_cost, price_range
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.policy import CatalogEntry
from smista_mcp.core.prices import Price, Rate, dearer, price_on
from smista_mcp.core.values import Locality
from smista_mcp.loading.catalog_data import read_extract, read_families

DAY = "2026-11-20"
SMALL: Mapping[str, object] = {
    "package": "prices",
    "version": "1",
    "sha256": "0",
    "days": ["2026-12-01"],
    "providers": {
        "openai": {
            "models": [
                ["gpt-1", 1000, 0, ["=gpt-1-pro-max"], [["", "1", "4", "0.5", "1.25", "8"], ["2026-12-01", "2", "8"]]],
                ["gpt-2", None, 0, [], [["", ["1", 200, "2"], ["4", 200, "6"]]]],
                ["gpt-sound-1", None, 0, [], [["", None, "9"]]],
            ]
        },
        "gateway": {"fallback": ["openai"], "models": [["own-1", 50, 0, [], [["", "0", "0"]]]]},
    },
}
FAMILIES: tuple[Mapping[str, object], ...] = (
    {"match": ["gpt-*"], "token_factor": 1.5, "capabilities": {"tools": True}},
    {"kinds": ["openai"], "match": ["*"], "writes_cache_unasked": True},
    {"kinds": ["openai"], "match": ["gpt-1"], "max_output_tokens": 90, "capabilities": {"json": True, "tools": False}},
    {"kinds": ["openai"], "match": ["gpt-2"], "context_window": 77},
    {"kinds": ["ollama"], "match": ["*-cloud"], "capabilities": {"json": False}},
)


def entry(**stated: object) -> CatalogEntry:
    return CatalogEntry.model_validate(stated)


def catalog(entries: Mapping[str, CatalogEntry] | None = None, as_of: str = DAY) -> Catalog:
    return Catalog(SMALL, FAMILIES, entries or {}, as_of)


def facts(name: str, kind: str = "", /, locality: Locality | None = None, **entries: CatalogEntry) -> ModelFacts:
    provider, _, model = name.partition("/")
    written = {key.replace("__", "/").replace("_", "-"): entry for key, entry in entries.items()}
    return catalog(written).facts(ModelRef(provider, model), kind or provider.partition(":")[0], locality)


@cache
def shipped() -> Catalog:
    return Catalog(read_extract(), read_families(), {}, DAY)


def test_a_known_model_has_what_the_extract_and_the_families_say() -> None:
    known = facts("openai/gpt-1")
    assert (known.known, known.row, known.context_window, known.max_output_tokens) == (True, "gpt-1", 1000, 90)
    assert dict(known.capabilities) == {"tools": False, "json": True}
    assert (known.price_kind, known.source, known.token_factor, known.nearest) == ("list", "prices 1", 1.5, ())
    assert known.price == Price(
        Rate(Decimal(1)),
        Rate(Decimal(4)),
        Rate(Decimal("0.5")),
        Rate(Decimal("1.25")),
        Rate(Decimal(8)),
        writes_unasked=True,
    )


def test_a_window_that_the_extract_leaves_open_comes_from_the_families() -> None:
    assert facts("openai/gpt-2").context_window == 77


def test_an_unknown_name_is_used_as_written_and_nothing_is_guessed_about_it() -> None:
    unknown = facts("openai/gpt-1-thinking")
    assert unknown.ref == ModelRef("openai", "gpt-1-thinking")
    assert (unknown.known, unknown.row, unknown.price, unknown.price_kind) == (False, None, None, "unknown")
    assert (unknown.context_window, unknown.max_output_tokens, dict(unknown.capabilities)) == (None, None, {})
    assert unknown.token_factor == 1.0
    assert unknown.nearest[0] == "gpt-1"


def test_a_model_whose_output_has_no_price_has_an_unknown_price() -> None:
    sound = facts("openai/gpt-sound")
    assert (sound.ref.model, sound.known, sound.price, sound.price_kind) == ("gpt-sound-1", True, None, "unknown")


def test_prices_are_those_of_the_catalogs_day() -> None:
    ref = ModelRef("openai", "gpt-1")
    before, after = (catalog(as_of=day).facts(ref, "openai").price for day in ("2026-11-30", "2026-12-01"))
    assert before
    assert after
    assert (before.input.base, after.input.base) == (Decimal(1), Decimal(2))
    assert after.cached_input is None


def test_gemini_means_googles_list_and_a_declared_name_its_own() -> None:
    assert shipped().facts(ModelRef("gemini", "gemini-flash"), "gemini").ref.model == "gemini-3.8-flash"
    assert facts("openai-compat:gateway/own-1").context_window == 50
    assert facts("openai-compat:elsewhere/gpt-1").price is None


def test_a_provider_that_offers_anothers_models_knows_them_by_its_fallback() -> None:
    through = facts("openai-compat:gateway/gpt-1")
    assert (through.known, through.context_window, through.ref.provider) == (True, 1000, "openai-compat:gateway")
    assert through.max_output_tokens is None  # a limit of OpenAI's own service


def test_a_price_of_zero_in_a_list_is_a_price() -> None:
    free = facts("openai-compat:gateway/own-1")
    assert (free.price_kind, free.price and free.price.output.base) == ("list", Decimal(0))


@pytest.mark.parametrize("kind", ["ollama", "llamacpp"])
def test_a_local_model_costs_nothing_and_is_in_no_catalog(kind: str) -> None:
    local = facts(f"{kind}/gpt-1")
    assert (local.known, local.price_kind, local.source, local.context_window) == (False, "local", "local", None)
    assert local.price == Price(Rate(Decimal(0)), Rate(Decimal(0)))
    assert (local.nearest, local.token_factor) == ((), 1.5)


@pytest.mark.parametrize("name", ["gpt-oss:120b-cloud", "qwen3-coder:480b-cloud", "x:cloud"])
def test_a_model_that_ollama_forwards_is_not_free(name: str) -> None:
    assert facts(f"ollama/{name}").price_kind == "unknown"
    assert facts(f"ollama/{name}", locality=Locality.LOCAL).price_kind == "unknown"


def test_where_it_runs_decides_the_price_when_it_is_known() -> None:
    assert facts("ollama/gpt-1", locality=Locality.REMOTE).price is None
    assert facts("openai-compat:vllm/any", locality=Locality.LOCAL).price_kind == "local"
    assert facts("openai-compat:vllm/any").price_kind == "unknown"


def test_an_entry_replaces_facts_and_prices() -> None:
    can = {"vision": True, "json": False}
    stated = entry(context_window=4096, max_output_tokens=512, output_price="3", capabilities=can)
    known = facts("openai/gpt-1", openai__gpt_1=stated)
    assert (known.context_window, known.max_output_tokens, known.source) == (4096, 512, "policy")
    assert dict(known.capabilities) == {"tools": False, "json": False, "vision": True}
    assert known.price
    assert (known.price.input.base, known.price.output.base, known.price.reasoning) == (Decimal(1), Decimal(3), None)


def test_a_stated_input_price_replaces_what_the_list_says_of_the_cache() -> None:
    price = facts("openai/gpt-1", openai__gpt_1=entry(input_price="0.2")).price
    assert price
    assert (price.cached_input, price.cache_write, price.writes_unasked) == (None, None, False)
    price = facts("openai/gpt-1", openai__gpt_1=entry(cached_input_price="0.1")).price
    assert price
    assert (price.input.base, price.cached_input) == (Decimal(1), Rate(Decimal("0.1")))
    price = facts("openai/gpt-1", openai__gpt_1=entry(input_price="0.2", cache_write_price="0.3")).price
    assert price
    assert price.writing == Rate(Decimal("0.3"))


def test_an_entry_makes_an_unknown_model_known_to_that_extent() -> None:
    half = facts("openai/new-9", openai__new_9=entry(input_price="1"))
    assert (half.known, half.nearest, half.price, half.price_kind) == (True, (), None, "unknown")
    both = facts("openai/new-9", openai__new_9=entry(input_price="1", output_price="2"))
    assert (both.price, both.price_kind) == (Price(Rate(Decimal(1)), Rate(Decimal(2))), "list")


def test_a_plan_pays_whether_or_not_there_is_a_list_price() -> None:
    known = facts("openai/gpt-1", openai__gpt_1=entry(price_kind="plan"))
    assert (known.price_kind, known.source, known.price is None) == ("plan", "policy", False)
    unknown = facts("openai/new-9", openai__new_9=entry(price_kind="plan"))
    assert (unknown.price_kind, unknown.price) == ("plan", None)


def test_an_entry_without_price_leaves_price_and_source_alone() -> None:
    known = facts("openai/gpt-1", openai__gpt_1=entry(context_window=500))
    assert (known.source, known.price_kind) == ("prices 1", "list")


def test_an_entry_for_the_resolved_name_holds_and_one_for_the_written_name_wins() -> None:
    entries = {
        "openai/gpt-1": entry(context_window=500, max_output_tokens=5),
        "openai/gpt-1-latest": entry(context_window=600),
    }
    known = catalog(entries).facts(ModelRef("openai", "gpt-1-latest"), "openai")
    assert (known.ref.model, known.context_window, known.max_output_tokens) == ("gpt-1", 600, 5)


def test_a_synonym_at_the_same_provider_goes_to_the_wire_as_what_it_stands_for() -> None:
    stated = entry(same_as="openai/gpt-1", max_output_tokens=7)
    known = facts("openai/gpt-1-thinking", openai__gpt_1_thinking=stated)
    assert (known.ref, known.row) == (ModelRef("openai", "gpt-1"), "gpt-1")
    assert (known.known, known.context_window, known.max_output_tokens) == (True, 1000, 7)


def test_a_synonym_at_another_provider_lends_its_facts_and_never_its_address() -> None:
    entries = {"openai-compat:mine/x": entry(same_as="openai/gpt-1")}
    known = catalog(entries).facts(ModelRef("openai-compat:mine", "x"), "openai-compat")
    assert known.ref == ModelRef("openai-compat:mine", "x")
    assert (known.known, known.context_window, known.price_kind, known.token_factor) == (True, 1000, "list", 1.5)


def test_a_remote_model_does_not_become_free_by_being_the_same_as_a_local_one() -> None:
    entries = {"openai-compat:mine/x": entry(same_as="ollama/gpt-1")}
    remote = catalog(entries).facts(ModelRef("openai-compat:mine", "x"), "openai-compat")
    assert (remote.price, remote.price_kind) == (None, "unknown")
    entries = {"ollama/x": entry(same_as="openai/gpt-1")}
    assert catalog(entries).facts(ModelRef("ollama", "x"), "ollama").price_kind == "local"


def test_synonyms_in_a_circle_stand_for_themselves() -> None:
    circle = {"openai/a-1": entry(same_as="openai/b-1"), "openai/b-1": entry(same_as="openai/a-1")}
    assert catalog(circle).facts(ModelRef("openai", "a-1"), "openai").price is None


def test_the_digest_changes_with_every_input_and_with_nothing_else() -> None:
    base = catalog().digest
    assert catalog().digest == base
    stated = {"openai/gpt-1": entry(context_window=500)}
    others = [
        catalog(as_of="2026-12-01").digest,
        catalog(stated).digest,
        Catalog(SMALL, FAMILIES[1:], {}, DAY).digest,
        Catalog({**SMALL, "sha256": "1"}, FAMILIES, {}, DAY).digest,
    ]
    assert len({base, *others}) == 5
    assert catalog(as_of="2026-11-21").digest == base  # no price changes on that day
    assert all(len(digest) == 64 for digest in others)


def test_an_hour_is_asked_for_or_the_dearest_of_the_day_holds() -> None:
    night = [["", "1", "2"], ["2026-01-01", "3", "4"], ["22:00:00-06:00:00", "1", "1"], ["12:00:00-13:00:00", "5", "9"]]

    def output(day: str, at: str | None) -> Decimal:
        price = price_on(night, day, at)
        assert price
        return price.output.base

    assert [output(DAY, at) for at in ("23:00:00", "05:59:59", "06:00:00", "12:30:00", "13:00:00")] == [1, 1, 4, 9, 4]
    assert output("2025-12-31", "08:00:00") == 2
    assert output(DAY, None) == 9


def test_without_a_variant_that_holds_the_first_is_in_force() -> None:
    price = price_on([["2027-01-01", "1", "2"], ["2028-01-01", "3", "4"]], DAY)
    assert price == Price(Rate(Decimal(1)), Rate(Decimal(2)))


def test_the_owners_examples_without_entry_are_unknown_with_near_names() -> None:
    for name in ("gpt-5.5-thinking", "gpt-5.5-mini"):
        unknown = shipped().facts(ModelRef("openai", name), "openai")
        assert (unknown.known, unknown.ref.model, unknown.price) == (False, name, None)
        assert "gpt-5.5" in unknown.nearest


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        ("anthropic", "claude-opus"),
        ("anthropic", "claude-sonnet"),
        ("anthropic", "claude-haiku"),
        ("openai", "gpt-sol"),
        ("openai", "gpt-luna"),
        ("gemini", "gemini-pro"),
        ("gemini", "gemini-flash"),
    ],
)
def test_the_current_models_are_known_in_full(kind: str, name: str) -> None:
    known = shipped().facts(ModelRef(kind, name), kind)
    assert known.known
    assert known.price is not None
    assert known.context_window is not None
    assert known.context_window >= 200_000
    assert known.max_output_tokens is not None
    assert set(known.capabilities) == {"tools", "vision", "reasoning", "json"}


def test_each_row_of_the_families_has_a_source_and_a_date_and_names_existing_models() -> None:
    rows = read_families()
    for family in rows:
        assert family["source"]
        assert str(family["date"]) >= "2026-11-20"
        for kind in ("anthropic", "openai", "gemini"):
            if family.get("kinds") == [kind]:
                patterns = cast("list[str]", family["match"])
                plain = [pattern for pattern in patterns if "*" not in pattern]
                assert [name for name in plain if shipped().facts(ModelRef(kind, name), kind).row != name] == []


def test_facts_are_worked_out_once() -> None:
    ref = ModelRef("openai", "gpt-sol")
    assert shipped().facts(ref, "openai") is shipped().facts(ref, "openai")


RATES = st.builds(
    Rate,
    st.decimals(0, 90, places=2),
    st.dictionaries(st.integers(1, 90), st.decimals(0, 90, places=2), max_size=3).map(
        lambda steps: tuple(sorted(steps.items()))
    ),
)
PRICES = st.builds(
    Price,
    RATES,
    RATES,
    st.none() | RATES,
    st.none() | RATES,
    st.none() | RATES,
    st.decimals(0, 9, places=2),
    st.booleans(),
)


@given(PRICES, PRICES, st.lists(st.integers(0, 100), min_size=5, max_size=5))
def test_the_dearer_of_two_prices_is_below_neither(one: Price, other: Price, tokens: list[int]) -> None:
    base = facts("openai/gpt-1")
    cached, write, fresh, reasoning, answer = tokens

    def cost(price: Price) -> Decimal:
        found = actual_cost(
            base._replace(price=price),
            input_tokens=cached + write + fresh,
            cached_input_tokens=cached,
            cache_write_tokens=write,
            output_tokens=reasoning + answer,
            reasoning_tokens=reasoning,
        )
        assert found is not None
        return found

    def most(price: Price) -> Decimal:
        found = price_range(base._replace(price=price), input_tokens=sum(tokens), expected_output=9, attempts=2)
        assert found is not None
        return Decimal(found.max)

    both = dearer(one, other)
    assert cost(both) >= max(cost(one), cost(other))
    assert most(both) >= max(most(one), most(other))
    assert dearer(both, one) == both
    assert dearer(one, one)._replace(writes_unasked=False) == one._replace(writes_unasked=False)
