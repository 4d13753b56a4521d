"""Vendors that speak chat completions: where each is, what holds its key, and in what it differs from the others.

A row is data, looked up by the name behind `openai-compat:`; a vendor that is not here needs none. What its models can
be told of effort stands in families.json, beside everything else that is known of models.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from smista_mcp.core.addresses import parse_address

COMPAT_KIND: Final = "openai-compat"
_CHECKED = "2026-11-20"


class Vendor(NamedTuple):
    """How one vendor's server is spoken to.

    Attributes:
        base_url: its customary address; None where everybody has one of their own.
        key_variable: that customarily holds its key; None where it needs none, or none is customary.
        effort: the fields that lead to the effort in a request, from the outermost on; none where it takes none.
        most: the field for the most tokens of an answer.
        counts: whether it has to be asked for token counts in a stream, and takes the question.
        carries: the field with what a model thought, where it has to come back beside the calls that followed it.
        source: where this is known from, and what else a user should know.
        checked: ISO date of that; empty for what is only customary.
    """

    base_url: str | None = None
    key_variable: str | None = None
    effort: tuple[str, ...] = ("reasoning_effort",)
    most: str = "max_tokens"
    counts: bool = True
    carries: str | None = None
    source: str = ""
    checked: str = ""


PLAIN: Final = Vendor()
"""A server of which nothing is known."""
VENDORS: Final[Mapping[str, Vendor]] = MappingProxyType(
    {
        "vllm": Vendor(
            base_url="http://127.0.0.1:8000/v1",
            source="docs.vllm.ai reasoning_outputs: what a model thought comes in `reasoning`, earlier in"
            " `reasoning_content`, where the server runs with --reasoning-parser",
            checked=_CHECKED,
        ),
        "lmstudio": Vendor(
            base_url="http://127.0.0.1:1234/v1",
            source="lmstudio.ai/docs/developer openai-compat: port 1234, no key",
            checked=_CHECKED,
        ),
        "openrouter": Vendor(
            base_url="https://openrouter.ai/api/v1",
            key_variable="OPENROUTER_API_KEY",
            effort=("reasoning", "effort"),
            source="openrouter.ai/docs: reasoning-tokens (`reasoning.effort`), errors-and-debugging (an error in a"
            " stream that began well stands beside `finish_reason: error`), streaming (comments keep it alive)",
            checked=_CHECKED,
        ),
        "groq": Vendor(
            base_url="https://api.groq.com/openai/v1",
            key_variable="GROQ_API_KEY",
            most="max_completion_tokens",
            source="console.groq.com/docs/reasoning and api-reference: `max_tokens` is superseded, the last event of a"
            " stream has its token counts in `x_groq.usage`",
            checked=_CHECKED,
        ),
        "mistral": Vendor(
            base_url="https://api.mistral.ai/v1",
            key_variable="MISTRAL_API_KEY",
            counts=False,
            source="docs.mistral.ai conversations/reasoning (content as a list with parts of type `thinking`); it"
            " refuses `stream_options` and `max_completion_tokens` (dnakov/anon-kode issue 53,"
            " editor-code-assistant/eca issue 231) and counts tokens unasked",
            checked=_CHECKED,
        ),
        "deepseek": Vendor(
            base_url="https://api.deepseek.com",
            key_variable="DEEPSEEK_API_KEY",
            carries="reasoning_content",
            source="api-docs.deepseek.com/guides/thinking_mode: `reasoning_content` has to come back beside the"
            " calls of tools, else 400; api/create-chat-completion: finish reason `insufficient_system_resource`",
            checked=_CHECKED,
        ),
        "x-ai": Vendor(
            base_url="https://api.x.ai/v1",
            key_variable="XAI_API_KEY",
            most="max_completion_tokens",
            source="docs.x.ai model-capabilities/text/reasoning; docs.cloud.google.com partner-models/grok: tokens of"
            " reasoning are counted beside `completion_tokens` and not in them",
            checked=_CHECKED,
        ),
        "litellm": Vendor(
            source="docs.litellm.ai/docs/proxy: everybody's own address, customarily port 4000; models by the names of"
            " its own list. In a stream the header `x-litellm-response-cost` says nothing",
            checked=_CHECKED,
        ),
        "portkey": Vendor(
            base_url="https://api.portkey.ai/v1",
            key_variable="PORTKEY_API_KEY",
            source="portkey.ai/docs: models as `@provider/model`; the key goes as a bearer token too, as clients of"
            " OpenAI send it",
            checked=_CHECKED,
        ),
    }
)


def vendor_of(provider: str) -> Vendor:
    """The row for a provider's name, `openai-compat:NAME`; the plain one where there is none."""
    kind, _, name = provider.partition(":")
    return VENDORS.get(name, PLAIN) if kind == COMPAT_KIND else PLAIN


def vendor_hosts() -> frozenset[str]:
    """The hosts of their public addresses."""
    addresses = (parse_address(row.base_url) for row in VENDORS.values() if row.base_url)
    return frozenset(address.host for address in addresses if not address.loopback)
