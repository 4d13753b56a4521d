"""The shipped extract says what the installed genai-prices says: the same models by name, at the same prices."""

import importlib.util
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from pathlib import Path
from types import ModuleType
from typing import cast

import pytest
from genai_prices import types
from genai_prices.data import providers

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.costing import actual_cost
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.names import Names, read_rows, take_apart
from smista_mcp.core.prices import price_on
from smista_mcp.loading.catalog_data import DATA, read_extract

SCRIPT = Path(__file__).parents[1] / "scripts" / "extract_catalog.py"
MOMENTS = (
    "2025-03-01T12:00:00",
    "2026-03-12T23:59:59",
    "2026-03-13T00:00:00",
    "2026-11-20T00:29:59",
    "2026-11-20T03:00:00",
    "2026-11-20T16:30:00",
    "2027-01-01T09:00:00",
)
USAGES = (
    # input, of it cached, of it written to the cache, output, of it reasoning
    (1_000, 0, 0, 500, 0),
    (99_999, 40_000, 0, 12_345, 12_000),
    (100_001, 0, 60_000, 1, 1),
    (272_001, 270_000, 1_000, 0, 0),
)
PROVIDERS = [provider.id for provider in providers]


@cache
def listed() -> Mapping[str, Mapping[str, Sequence[object]]]:
    return cast("Mapping[str, Mapping[str, Sequence[object]]]", read_extract()["providers"])


@cache
def names(provider: str) -> Names:
    return Names(read_rows(listed()[provider]["models"]))


@cache
def script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("extract_catalog", SCRIPT)
    assert spec
    assert spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def usage(case: tuple[int, int, int, int, int]) -> types.Usage:
    given, cached, written, output, reasoning = case
    return types.Usage(
        input_tokens=given,
        cache_read_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
        output_reasoning_tokens=reasoning,
    )


def our_cost(variants: Sequence[Sequence[object]], moment: str, case: tuple[int, int, int, int, int]) -> Decimal | None:
    day, _, at = moment.partition("T")
    price = price_on(variants, day, at)
    facts = ModelFacts(
        ref=ModelRef("p", "m"),
        known=True,
        context_window=None,
        max_output_tokens=None,
        capabilities={},
        price=price,
        price_kind="list" if price else "unknown",
        source="",
        nearest=(),
        token_factor=1.0,
    )
    given, cached, written, output, reasoning = case
    if price is not None and price.cache_write is None:
        written = 0  # where no list says what writing costs, we do not take it to be free
    return actual_cost(
        facts,
        input_tokens=given,
        cached_input_tokens=cached,
        cache_write_tokens=written,
        output_tokens=output,
        reasoning_tokens=reasoning,
    )


def test_every_provider_and_every_model_is_there_in_the_packages_order() -> None:
    assert {name: [cast("list[object]", model)[0] for model in listed()[name]["models"]] for name in listed()} == {
        provider.id: [model.id for model in provider.models] for provider in providers
    }


@pytest.mark.parametrize("provider", providers, ids=PROVIDERS)
def test_windows_and_deprecations_are_the_packages(provider: types.Provider) -> None:
    rows = read_rows(listed()[provider.id]["models"])
    assert [(row.context_window, row.deprecated) for row in rows] == [
        (model.context_window, bool(model.deprecated)) for model in provider.models
    ]


@pytest.mark.parametrize("provider", providers, ids=PROVIDERS)
def test_every_model_costs_what_the_package_computes(provider: types.Provider) -> None:
    for at, (model, row) in enumerate(zip(provider.models, read_rows(listed()[provider.id]["models"]), strict=True)):
        dated = isinstance(model.prices, list)
        moments = MOMENTS if dated else MOMENTS[3:4]
        cases = USAGES if dated else (USAGES[at % 4], USAGES[1])
        for moment in moments:
            when = datetime.fromisoformat(moment).replace(tzinfo=UTC)
            listed_price = model.get_prices(when)
            for case in cases:
                ours = our_cost(row.variants, moment, case)
                if listed_price.input_mtok is None or listed_price.output_mtok is None:
                    assert ours is None, (model.id, moment)
                else:
                    theirs = model.calc_price(usage(case), provider, genai_request_timestamp=when).total_price
                    assert ours == theirs, (model.id, moment, case)


def literals(logic: object) -> Iterator[str]:
    """Names that a clause is made of."""
    if isinstance(logic, types.ClauseOr | types.ClauseAnd):
        for part in logic.or_ if isinstance(logic, types.ClauseOr) else logic.and_:
            yield from literals(part)
    for field in ("equals", "starts_with", "ends_with", "contains"):
        if hasattr(logic, field):
            yield str(getattr(logic, field))


@pytest.mark.parametrize("provider", providers, ids=PROVIDERS)
def test_a_versioned_name_means_the_packages_model_or_nothing_where_that_would_drop_a_word(
    provider: types.Provider,
) -> None:
    written = {name for model in provider.models for name in (model.id, *literals(model.match))}
    written |= {name + "-20260101" for name in written} | {name + "-mini" for name in written}
    versioned = sorted(name for name in written if any(letter.isdigit() for letter in name))
    for name in versioned[:: 1 + len(versioned) // 1_000]:
        theirs = provider.find_model(name)
        found = names(provider.id).resolve(name)
        if found is None:
            said = " ".join([theirs.id, *literals(theirs.match)]) if theirs else ""
            assert theirs is None or not take_apart(name).words <= take_apart(said).words, name
        elif found.row.id.lower() != name.lower():
            same = (
                theirs is None or theirs.id == found.row.id or found.row.id.replace(".", "-") == name.replace(".", "-")
            )
            assert same, (name, found.row.id, theirs and theirs.id)


def test_the_version_and_the_digest_are_those_of_the_installed_package() -> None:
    assert script().stale(DATA) == []


def test_check_accepts_the_shipped_files() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_check_names_stale_and_missing_files_and_writes_nothing(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old = (DATA / "catalog.json").read_text(encoding="utf-8").replace('"0.2.', '"0.1.', 1)
    (tmp_path / "catalog.json").write_text(old, encoding="utf-8")
    assert script().main(["--check", "--folder", str(tmp_path)]) == 1
    said = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in said] == ["catalog.json", "NOTICE-genai-prices.txt"]
    assert [file.name for file in tmp_path.iterdir()] == ["catalog.json"]


def test_without_check_the_files_are_written_as_shipped(tmp_path: Path) -> None:
    assert script().main(["--folder", str(tmp_path)]) == 0
    for name in ("catalog.json", "NOTICE-genai-prices.txt"):
        assert (tmp_path / name).read_bytes() == (DATA / name).read_bytes()
