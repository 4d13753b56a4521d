"""How hard a model is told to work."""

from typing import TYPE_CHECKING, cast

import pytest

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.checking.protocols import EFFORT_WORDS, IN_TOKENS
from smista_mcp.core.efforts import ToldEffort, told_effort
from smista_mcp.core.modelref import PROTOCOL_KIND, ModelRef
from smista_mcp.core.policy import CatalogEntry
from smista_mcp.core.values import Effort
from smista_mcp.dispatch.connections import PROTOCOLS
from smista_mcp.loading.catalog_data import read_extract, read_families

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

CATALOG = Catalog(read_extract(), read_families(), {}, "2026-11-20")


@pytest.mark.parametrize(
    ("provider", "model", "asked", "told"),
    [
        ("anthropic", "claude-opus-5", Effort.XHIGH, ToldEffort(Effort.XHIGH, "xhigh")),
        ("anthropic", "claude-opus-4-6", Effort.XHIGH, ToldEffort(Effort.HIGH, "high")),
        ("anthropic", "claude-sonnet-4-5", Effort.MEDIUM, ToldEffort(Effort.MEDIUM, 8192)),
        ("openai", "gpt-5", Effort.XHIGH, ToldEffort(Effort.HIGH, "high")),
        ("openai", "gpt-5.5", Effort.XHIGH, ToldEffort(Effort.XHIGH, "xhigh")),
        ("openai", "gpt-4o", Effort.HIGH, ToldEffort()),
        ("gemini", "gemini-2.5-pro", Effort.LOW, ToldEffort(Effort.LOW, 1024)),
        ("gemini", "gemini-3.5-flash", Effort.MEDIUM, ToldEffort(Effort.MEDIUM, "medium")),
    ],
)
def test_a_model_is_told_what_it_knows(provider: str, model: str, asked: Effort, told: ToldEffort) -> None:
    facts = CATALOG.facts(ModelRef(provider, model), provider)
    assert told_effort(facts.effort, asked) == told


def test_less_than_the_least_cannot_be_told() -> None:
    assert told_effort({"high": "high"}, Effort.LOW) == ToldEffort(Effort.HIGH, "high")


@pytest.mark.parametrize(
    ("asked", "room", "told"),
    [
        (Effort.HIGH, None, ToldEffort(Effort.HIGH, 24576)),
        (Effort.HIGH, 30_000, ToldEffort(Effort.HIGH, 24576)),
        (Effort.HIGH, 20_000, ToldEffort(Effort.HIGH, 20_000)),
        (Effort.HIGH, 10_000, ToldEffort(Effort.MEDIUM, 8192)),
        (Effort.HIGH, 1500, ToldEffort(Effort.LOW, 1024)),
        (Effort.HIGH, 500, ToldEffort()),
        (Effort.LOW, -100, ToldEffort()),
    ],
)
def test_tokens_to_think_leave_room_to_write(asked: Effort, room: int | None, told: ToldEffort) -> None:
    assert told_effort({"low": 1024, "medium": 8192, "high": 24576}, asked, room) == told


@pytest.mark.parametrize(
    ("provider", "model", "asked", "told"),
    [
        ("gemini", "gemini-4-argon", Effort.XHIGH, ToldEffort(Effort.HIGH, "high")),
        ("openai", "gpt-6.1-sol", Effort.XHIGH, ToldEffort(Effort.XHIGH, "xhigh")),
        ("openai", "gpt-5-pro", Effort.LOW, ToldEffort(Effort.HIGH, "high")),
        ("anthropic", "claude-opus-5-5", Effort.XHIGH, ToldEffort(Effort.HIGH, "high")),
        ("openai-compat:groq", "openai/gpt-oss-120b", Effort.MEDIUM, ToldEffort(Effort.MEDIUM, "medium")),
        ("openai-compat:mistral", "mistral-medium-3-5", Effort.MEDIUM, ToldEffort(Effort.LOW, "none")),
        ("openai-compat:deepseek", "deepseek-v4-pro", Effort.MEDIUM, ToldEffort(Effort.LOW, "low")),
        ("openai-compat:x-ai", "grok-4.7", Effort.MEDIUM, ToldEffort()),
        ("openai-compat:openrouter", "anthropic/claude-opus-5.5", Effort.XHIGH, ToldEffort(Effort.XHIGH, "xhigh")),
        ("openai-compat:else", "openai/gpt-oss-120b", Effort.MEDIUM, ToldEffort()),
    ],
)
def test_a_vendors_row_is_of_that_vendor_alone(provider: str, model: str, asked: Effort, told: ToldEffort) -> None:
    facts = CATALOG.facts(ModelRef(provider, model), provider.partition(":")[0])
    assert told_effort(facts.effort, asked) == told


def test_every_effort_of_the_catalog_can_be_told_in_the_protocol_of_its_kind() -> None:
    for row in read_families():
        levels = cast("Mapping[str, str | int]", row.get("effort", {}))
        assert set(levels) <= {effort.value for effort in Effort}
        for kind in cast("Sequence[str]", row["kinds"]) if levels else ():
            spoken = PROTOCOLS[kind.partition(":")[0]].words
            for told in levels.values():
                assert kind in IN_TOKENS if isinstance(told, int) else told in spoken
                assert isinstance(told, int) or told in EFFORT_WORDS[kind.partition(":")[0]]


def test_every_word_that_a_policy_may_tell_is_one_of_its_protocol() -> None:
    for kind, words in EFFORT_WORDS.items():
        assert kind == PROTOCOL_KIND or words <= PROTOCOLS[kind].words


def test_an_entry_says_how_its_model_is_told_and_another_protocols_words_are_not_taken_over() -> None:
    alias, stated = "openai-compat:gate/claude", "openai-compat:gate/mine"
    entries = {
        alias: CatalogEntry(same_as="anthropic/claude-sonnet-4-5"),
        stated: CatalogEntry.model_validate({"same_as": "anthropic/claude-sonnet-4-5", "effort": {"high": "max"}}),
    }
    catalog = Catalog(read_extract(), read_families(), entries, "2026-11-20")
    known = [catalog.facts(ModelRef(*name.split("/")), "openai-compat") for name in (alias, stated)]
    assert [facts.price_kind for facts in known] == ["list", "list"]
    assert [dict(facts.effort) for facts in known] == [{}, {"high": "max"}]
