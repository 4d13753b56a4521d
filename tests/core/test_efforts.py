"""How hard a model is told to work."""

import pytest

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.efforts import ToldEffort, told_effort
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.values import Effort
from smista_mcp.loading.catalog_data import read_extract, read_families

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
