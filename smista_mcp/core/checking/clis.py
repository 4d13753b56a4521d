"""What is wrong in the declaration of a headless CLI."""

from collections.abc import Iterator
from typing import Final

from smista_mcp.core.findings import Finding, FindingCode, finding_in
from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.modelref import PROTOCOL_KIND
from smista_mcp.core.policy import ProviderDocument
from smista_mcp.core.provider_specs import kind_of
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Locality

CLI_KEYS: Final = frozenset({"type", "command", "variables", "unmediated"})
_OF_SERVERS = ("base_url", "api_key", "allow_plain_lan", "models_dir", "prompt_caching")


def cli_faults(source: LayerDocument, name: str, document: ProviderDocument) -> Iterator[Finding]:
    """Keys of servers beside a CLI, keys of CLIs beside a server, and a CLI that is not declared as one."""
    path = ("providers", name)
    kind = kind_of(name)
    if kind != CLI_KIND:
        for key in sorted(document.model_fields_set & (CLI_KEYS - {"type"} if kind == PROTOCOL_KIND else CLI_KEYS)):
            words = f"`{key}` is for `cli:` providers, and `{name}` is none", f"remove `{key}`"
            yield finding_in(source, (*path, key), FindingCode.UNKNOWN_KEY, words)
        return
    for key in _OF_SERVERS:
        if key in document.model_fields_set:
            words = f"`{name}` is a program and has no `{key}`", f"remove `{key}`; its own login is used"
            yield finding_in(source, (*path, key), FindingCode.UNKNOWN_KEY, words)
    if document.locality is Locality.LOCAL:
        words = f"`{name}` counts as remote: where it sends what it is given is its own affair", "remove `locality`"
        yield finding_in(source, (*path, "locality"), FindingCode.INVALID_ENUM, words)
    if document.type != CLI_KIND:
        words = f"`{name}` is not declared as a CLI", 'add `type = "cli"`'
        yield finding_in(source, path, FindingCode.INVALID_TYPE, words)
