"""What a span says of a request, from values alone."""

from dataclasses import fields
from decimal import Decimal

import pytest

from smista_mcp.core.pieces import Part
from smista_mcp.core.values import Effort, Label
from smista_mcp.dispatch.payloads import Payload
from smista_mcp.dispatch.spans import TOKENS, provider_name, settled_facts, word
from smista_mcp.providers.base import CompletionRequest, Finished, Message, Usage


def payload(text: str, label: Label | None = None) -> Payload:
    request = CompletionRequest("qwen3", (Message.of("user", Part(text, "words")),), Effort.MEDIUM)
    return Payload(request, None, (), (), None, label)


@pytest.mark.parametrize(
    ("text", "label", "said", "told"),
    [
        ("explain it", None, "chatcmpl-81", "chatcmpl-81"),
        ("explain chatcmpl-81, please", None, "chatcmpl-81", None),
        ("explain it", "restricted", "chatcmpl-81", None),
        ("explain it", "local", "chatcmpl-81", None),
        ("explain it", None, "two words", None),
        ("explain it", None, "x" * 201, None),
        ("explain it", None, "", None),
        ("explain it", None, None, None),
        ("explain qwen3", None, "qwen3", "qwen3"),
        ("explain qwen34", None, "qwen3", "qwen3"),
        ("explain o3-mini", None, "mini", None),
        ("explaining", None, "plain", "plain"),
    ],
)
def test_a_servers_own_word_is_told_where_it_cannot_be_of_the_request(
    text: str, label: Label | None, said: str | None, told: str | None
) -> None:
    facts = settled_facts(payload(text, label), Finished("stop", Usage(), said, said), "completed", None, None)
    assert (facts["gen_ai.response.model"], facts["gen_ai.response.id"]) == (told, told)


@pytest.mark.parametrize(
    ("cost", "usd", "nano"),
    [("0", "0", 0), ("0.0000015", "0.000002", 1500), ("12.5", "12.5", 12_500_000_000)],
)
def test_money_is_told_as_a_decimal_and_as_a_number_to_add_up(cost: str, usd: str, nano: int) -> None:
    facts = settled_facts(payload("x"), None, "failed", Decimal(cost), "a1")
    assert (facts["smista.cost_usd"], facts["smista.cost_nano_usd"], facts["smista.attempt_id"]) == (usd, nano, "a1")


def test_every_kind_of_tokens_has_a_word() -> None:
    kinds = [kind.name for kind in fields(Usage)]
    used = Usage(**{kind: count for count, kind in enumerate(kinds)})
    facts = settled_facts(payload("x"), Finished("stop", used), "completed", None, None)
    assert [facts[f"gen_ai.usage.{TOKENS[kind]}"] for kind in kinds] == list(range(len(kinds)))


def test_a_cost_that_nobody_knows_is_not_nothing() -> None:
    facts = settled_facts(payload("x"), None, "uncertain", None, None)
    assert [name for name in facts if "cost" in name] == []


@pytest.mark.parametrize(
    ("provider", "host", "name"),
    [
        ("anthropic", "api.anthropic.com", "anthropic"),
        ("anthropic", "gateway.corp.example", "anthropic"),
        ("gemini", "generativelanguage.googleapis.com", "gcp.gemini"),
        ("gemini", "127.0.0.1", "gcp.gemini"),
        ("openai-compat:secret-project", "127.0.0.1", "openai-compat"),
        ("openai-compat:g", "api.groq.com", "groq"),
        ("openai-compat:az", "mine.openai.azure.com", "azure.ai.openai"),
        ("gemini", "us-central1-aiplatform.googleapis.com", "gcp.vertex_ai"),
        ("openai-compat:evil", "api.groq.com.evil.example", "openai-compat"),
        ("openai-compat:evil", "notapi.groq.com", "openai-compat"),
        ("ollama", "localhost", "ollama"),
        ("cli:codex", None, "cli:codex"),
    ],
)
def test_a_provider_is_called_as_the_conventions_call_it(provider: str, host: str | None, name: str) -> None:
    assert provider_name(provider, host) == name


@pytest.mark.parametrize("text", ["a b", "a\nb", "", "`x`", "né", "a" * 201, None])
def test_what_does_not_look_like_a_name_is_none(text: str | None) -> None:
    assert word(text) is None
