"""What a layer states without having the right to: it is not applied, and `policy check` says so."""

from collections.abc import Iterator, Sequence

from smista_mcp.core.findings import Finding, FindingCode, Path, finding_in
from smista_mcp.core.restrictions import SCALES
from smista_mcp.core.sources import AUTHORITY, LayerDocument, by_authority
from smista_mcp.core.values import Locality

_OWN_FILE = "write it into your own policy file"


def overreach(layers: Sequence[LayerDocument]) -> tuple[Finding, ...]:
    """Keys that belong to the user's own file and stand in another, and values looser than a higher authority's."""
    found: list[Finding] = []
    for source in layers:
        if not source.owner:
            found += [*_endpoints(source), *_facts(source)]
    return (*found, *_loosened(layers))


def _endpoints(source: LayerDocument) -> Iterator[Finding]:
    for name, provider in source.document.providers.items():
        for key in sorted(provider.model_fields_set):
            sensitive = key in ("api_key", "base_url")
            code = FindingCode.SECRET_REUSE_UNTRUSTED_LAYER if sensitive else FindingCode.PERMISSION_WIDENING
            words = f"`{key}` of a provider is not this layer's to say, and is not applied", _OWN_FILE
            yield finding_in(source, ("providers", name, key), code, words)


def _facts(source: LayerDocument) -> Iterator[Finding]:
    document = source.document
    paths: list[Path] = [("catalog", name) for name in document.catalog]
    paths += [("hosts", name) for name, host in document.hosts.items() if host.locality is Locality.LOCAL]
    paths += [("privacy", "free_paths")] if document.privacy.free_paths else []
    paths += [("secrets", "allow")] if document.secrets.allow else []
    for path in paths:
        words = "this is not this layer's to say, and is not applied", _OWN_FILE
        yield finding_in(source, path, FindingCode.PERMISSION_WIDENING, words)


def _loosened(layers: Sequence[LayerDocument]) -> Iterator[Finding]:
    """Values that a layer of higher authority has set more strictly. A preset has no authority."""
    sources = [source for source in by_authority(layers) if source.layer in AUTHORITY]
    for scale in SCALES:
        strictest, above = -1, ""
        for source in sources:
            value = scale.read(source.document)
            if value is None:
                continue
            rank = scale.values.index(value)
            if rank < strictest:
                holds = scale.values[strictest]
                words = f"the {above} layer says `{holds}`, which holds", f"write `{holds}`, or leave it out"
                yield finding_in(source, scale.path, FindingCode.PERMISSION_WIDENING, words)
            elif rank > strictest:
                strictest, above = rank, source.layer.value
