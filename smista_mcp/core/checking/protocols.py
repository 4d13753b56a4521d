"""What is wrong in the declaration of a provider in a protocol of somebody's own, and in how models are told effort."""

from collections.abc import Iterator, Mapping
from typing import Final

from smista_mcp.core.findings import Finding, FindingCode, finding_in
from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.modelref import PROTOCOL_KIND
from smista_mcp.core.policy import ProviderDocument
from smista_mcp.core.provider_specs import OWN_TYPES, kind_of
from smista_mcp.core.sources import LayerDocument

_ANY: Final = frozenset[str]()
EFFORT_WORDS: Final[Mapping[str, frozenset[str]]] = {
    "anthropic": frozenset(("low", "medium", "high", "xhigh")),
    "openai": frozenset(("low", "medium", "high", "xhigh")),
    "gemini": frozenset(("low", "medium", "high")),
    "ollama": frozenset(("low", "medium", "high")),
    "openai-compat": frozenset(("none", "minimal", "low", "medium", "high", "xhigh", "max", "default")),
    PROTOCOL_KIND: _ANY,
}
"""The words that each protocol can tell a model; the empty set stands for all. A kind that is not here tells none."""
IN_TOKENS: Final = frozenset(("anthropic", "gemini", PROTOCOL_KIND))
"""Kinds that can tell a model how many tokens to think."""


def protocol_faults(source: LayerDocument, name: str, document: ProviderDocument) -> Iterator[Finding]:
    """A provider that does not say which protocol it speaks, or names one of smista's own."""
    if document.type is None:
        words = f"`{name}` does not say which protocol it speaks", 'add `type = "NAME"`, the name of its entry point'
        yield finding_in(source, ("providers", name), FindingCode.INVALID_TYPE, words)
    elif document.type in OWN_TYPES:
        instead = name if document.type == CLI_KIND else document.type
        words = f"`{document.type}` is smista's own, and no package takes its place", f"declare `{instead}` itself"
        yield finding_in(source, ("providers", name, "type"), FindingCode.INVALID_ENUM, words)


def effort_faults(source: LayerDocument) -> Iterator[Finding]:
    """Words or figures of `[catalog]` with which a model could not be told an effort: they would be dropped."""
    for name, entry in source.document.catalog.items():
        kind = kind_of(name.partition("/")[0])
        known = EFFORT_WORDS.get(kind or "")
        for effort, told in entry.effort.items():
            path = ("catalog", name, "effort", effort.value)
            if kind is None or known is None:
                words = f"`{name}` cannot be told an effort", "remove `effort`"
            elif isinstance(told, int):
                if kind in IN_TOKENS:
                    continue
                words = f"`{name}` cannot be told how many tokens to think", "write a word"
            elif known is _ANY or told in known:
                continue
            else:
                words = f"`{told}` is no effort of `{kind}`", f"write one of {', '.join(sorted(known))}"
            yield finding_in(source, path, FindingCode.INVALID_ENUM, words)
