from functools import cache
from typing import cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.names import Names, Row, read_rows, take_apart
from smista_mcp.loading.catalog_data import read_extract


@cache
def rows(provider: str) -> tuple[Row, ...]:
    providers = cast("dict[str, dict[str, list[object]]]", read_extract()["providers"])
    return read_rows(providers[provider]["models"])


@cache
def shipped(provider: str) -> Names:
    return Names(rows(provider))


def row(name: str, *clauses: object, deprecated: bool = False) -> list[object]:
    return [name, None, int(deprecated), list(clauses), [["", "1", "2"]]]


def resolved(names: Names, name: str) -> tuple[str, str] | None:
    """The row's id and the name on the wire."""
    found = names.resolve(name)
    return (found.row.id, found.wire) if found else None


@pytest.mark.parametrize(
    ("provider", "name", "meant"),
    [
        ("anthropic", "claude-sonnet", "claude-sonnet-5-5"),
        ("anthropic", "claude-opus", "claude-opus-5-5"),
        ("anthropic", "claude-haiku", "claude-haiku-5-5"),
        ("anthropic", "claude-sonnet-latest", "claude-sonnet-5-5"),
        ("google", "gemini-flash", "gemini-3.8-flash"),
        ("google", "gemini-pro", "gemini-2.5-pro"),
        ("google", "gemini-flash-lite", "gemini-3.5-flash-lite"),
        ("openai", "gpt-mini", "gpt-5.4-mini"),
        ("openai", "gpt-sol", "gpt-6.1-sol"),
        ("openai", "gpt-codex", "gpt-5.3-codex"),
        ("openai", "gpt-realtime", "gpt-realtime-2"),
        ("openai", "babbage", "babbage-002"),
        ("openai", "davinci", "davinci-002"),
    ],
)
def test_a_name_without_version_means_the_newest_released_model_of_its_words(
    provider: str, name: str, meant: str
) -> None:
    assert resolved(shipped(provider), name) == (meant, meant)


@pytest.mark.parametrize(
    ("provider", "name", "meant"),
    [
        ("anthropic", "claude-opus-4.7", "claude-opus-4-7"),
        ("anthropic", "Claude-Sonnet-5", "claude-sonnet-5"),
        ("anthropic", "claude-5-opus", "claude-opus-5"),
        ("anthropic", "claude-3.7-sonnet", "claude-3-7-sonnet-latest"),
        ("anthropic", "claude-sonnet-4", "claude-sonnet-4-0"),
        ("anthropic", "claude-sonnet-4-5-latest", "claude-sonnet-4-5"),
        ("openai", "gpt-5-5", "gpt-5.5"),
        ("openai", "o3", "o3"),
        ("openai", "gpt-chat-latest", "gpt-chat-latest"),
    ],
)
def test_another_spelling_of_an_id_goes_to_the_wire_as_the_id(provider: str, name: str, meant: str) -> None:
    assert resolved(shipped(provider), name) == (meant, meant)


@pytest.mark.parametrize(
    ("provider", "name", "meant"),
    [
        ("anthropic", "claude-sonnet-4-5-20250929", "claude-sonnet-4-5"),
        ("anthropic", "claude-opus-4-20250514", "claude-opus-4-0"),
        ("anthropic", "claude-sonnet-4@20250514", "claude-sonnet-4-0"),
        ("google", "gemini-2.5-pro-preview-06-05", "gemini-2.5-pro"),
        ("google", "gemini-flash-latest", "gemini-3.8-flash"),
        ("google", "gemini-pro-latest", "gemini-3.1-pro-preview"),
        ("openai", "gpt-5-codex", "gpt-5"),
        ("openai", "gpt-5.6", "gpt-5.6-sol"),
        ("openai", "chat-latest", "gpt-chat-latest"),
        ("openai", "gpt-5.2-20251211", "gpt-5.2"),
        ("openai", "gpt-4.1-2027-01-01", "gpt-4.1"),
    ],
)
def test_a_specific_name_that_a_row_covers_goes_to_the_wire_as_written(provider: str, name: str, meant: str) -> None:
    assert resolved(shipped(provider), name) == (meant, name)


@pytest.mark.parametrize(
    ("provider", "name"),
    [
        ("anthropic", "claude"),
        ("openai", "gpt"),
        ("openai", "gpt-latest"),
        ("google", "gemini"),
        ("openai", "gpt-6"),
        ("openai", "gpt-5.5-thinking"),
        ("openai", "gpt-5.5-mini"),
        ("openai", "gpt-5-foo"),
        ("anthropic", "claude-opus-9"),
        ("anthropic", "claude-opus-4-8-thinking"),
        ("google", "gemini-3.6-flash-lite"),
        ("anthropic", "claude-sonet"),
        ("anthropic", ""),
        ("anthropic", "-"),
        ("anthropic", "☃"),
    ],
)
def test_a_lone_brand_and_a_name_with_a_word_too_many_stand_for_nothing(provider: str, name: str) -> None:
    assert shipped(provider).resolve(name) is None


@pytest.mark.parametrize(
    ("provider", "name", "near"),
    [
        ("openai", "gpt-5.5-thinking", "gpt-5.5"),
        ("openai", "gpt-5.5-mini", "gpt-5.4-mini"),
        ("openai", "gpt-6", "gpt-6.1-sol"),
        ("anthropic", "claude-sonet", "claude-sonnet-5-5"),
        ("anthropic", "claude", "claude-opus-5-5"),
        ("google", "gemini-3.1-pro", "gemini-3.1-pro-preview"),
    ],
)
def test_the_nearest_ids_hold_the_one_that_was_probably_meant(provider: str, name: str, near: str) -> None:
    nearest = shipped(provider).nearest(name)
    assert near in nearest
    assert len(nearest) == 3


def test_only_digitless_ids_resolve_to_another_than_themselves() -> None:
    others = [
        model.id
        for provider in ("anthropic", "openai", "google")
        for model in rows(provider)
        if (found := shipped(provider).resolve(model.id)) is None or found.row is not model
    ]
    assert sorted(others) == ["babbage", "davinci", "gemini-pro", "gpt-realtime"]


def test_the_greatest_version_wins_whatever_the_order() -> None:
    names = Names(read_rows([row("a-b-9"), row("a-b-10"), row("a-b-9-5"), row("a-b-2-2512"), row("a-b-2508")]))
    assert resolved(names, "a-b") == ("a-b-10", "a-b-10")


def test_a_stamp_is_no_version_and_decides_only_between_equals() -> None:
    assert resolved(Names(read_rows([row("a-b-2312"), row("a-b-3-5")])), "a-b") == ("a-b-3-5", "a-b-3-5")
    assert resolved(Names(read_rows([row("a-b-2512"), row("a-b-2508")])), "a-b") == ("a-b-2512", "a-b-2512")


def test_released_comes_before_preview_and_deprecated_never() -> None:
    names = Names(read_rows([row("a-b-1"), row("a-b-2-preview"), row("a-b-3", deprecated=True)]))
    assert resolved(names, "a-b") == ("a-b-1", "a-b-1")
    assert resolved(names, "a-b-3") == ("a-b-3", "a-b-3")


def test_a_family_with_previews_only_gives_its_newest_preview() -> None:
    names = Names(read_rows([row("a-b-1-preview"), row("a-b-2-exp")]))
    assert resolved(names, "a-b") == ("a-b-2-exp", "a-b-2-exp")


def test_a_name_that_says_preview_never_means_a_released_model() -> None:
    names = Names(read_rows([row("a-b-3"), row("a-b-2-preview")]))
    assert resolved(names, "a-b-preview") == ("a-b-2-preview", "a-b-2-preview")


def test_latest_with_numbers_means_the_newest_with_the_same_leading_numbers() -> None:
    names = Names(read_rows([row("a-b-4-1"), row("a-b-4-6"), row("a-b-5")]))
    assert resolved(names, "a-b-4-latest") == ("a-b-4-6", "a-b-4-6")


def test_a_clause_that_matches_more_than_it_says_does_not_swallow_a_word() -> None:
    names = Names(read_rows([row("a-b-1", "^a-b-1", ["&", "*zz", "~^a-.*zz$"])]))
    assert resolved(names, "a-b-1-x") is None
    assert resolved(names, "a-b-1-001") == ("a-b-1", "a-b-1-001")
    assert resolved(names, "a-7-zz") == ("a-b-1", "a-7-zz")


def test_the_first_row_whose_clause_matches_is_meant() -> None:
    names = Names(read_rows([row("a-1-x", "$-9"), row("a-1-y", "^a-1", "=a-1-x-9")]))
    assert resolved(names, "a-1-x-9") == ("a-1-x", "a-1-x-9")


def test_models_without_a_price_for_text_are_never_suggested() -> None:
    silent = ["a-b-2", None, 0, [], [["", None, None, "3"]]]
    assert Names(read_rows([silent, row("a-b-1")])).nearest("a-b-3") == ("a-b-1",)


@given(st.text(max_size=60))
def test_any_text_is_a_name_that_stands_for_something_or_not(name: str) -> None:
    names = shipped("anthropic")
    found = names.resolve(name)
    assert found is None or found.wire in {found.row.id, name}
    assert len(names.nearest(name)) == 3


@given(st.lists(st.sampled_from(["a", "b", "7", "5.5", "preview", "2025-01-01", "latest"]), min_size=1, max_size=5))
def test_taking_a_name_apart_does_not_depend_on_case(parts: list[str]) -> None:
    name = "-".join(parts)
    assert take_apart(name) == take_apart(name.upper())
