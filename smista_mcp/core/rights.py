"""What a layer states without having the right to: it is not applied, and `policy check` says so."""

from collections.abc import Iterator, Sequence

from smista_mcp.core.findings import Finding, FindingCode, Path, Severity, finding_in
from smista_mcp.core.locks import locks_of, unlocked, violations
from smista_mcp.core.policy import PERMISSIONS, Permissions, dotted
from smista_mcp.core.provider_specs import placing_layer
from smista_mcp.core.restrictions import (
    GRANTS,
    NEVER_GRANTED,
    PERMISSION_SCALES,
    SCALES,
    Scale,
    held_free_paths,
    strictest,
)
from smista_mcp.core.sources import AUTHORITY, LayerDocument, Stated, by_authority, by_precedence
from smista_mcp.core.values import Grant, Layer, Locality

_OWN_FILE = "write it into your own policy file"
_FIXED_FILE = "write it into the organisation's file at its fixed place"
_ASK = "leave it out, or ask the organisation"
_HANDOFF = Scale(
    ("routing", "handoff"), lambda document: document.routing.handoff, ("when_unavailable", "never"), default="never"
)
_WORDS = {True: "true", False: "false", None: None}
_ADAPTIVE = Scale(
    ("routing", "adaptive", "enabled"), lambda d: _WORDS[d.routing.adaptive.enabled], ("true", "false"), default="false"
)


def overreach(layers: Sequence[LayerDocument]) -> tuple[Finding, ...]:
    """Keys that a layer has no right to, keys that are locked, and values looser than a higher authority's."""
    sources = unlocked(by_precedence(layers))
    sources = [s for s in sources if not s.bounded or s.layer is Layer.ORGANISATION]
    found = list(_locked(layers))
    for source in sources:
        found += _withheld(source, sources) if source.owner else [*_endpoints(source), *_facts(source)]
    return (*found, *_loosened(sources), *_granted(sources, unlocked(by_precedence(layers))))


def _locked(layers: Sequence[LayerDocument]) -> Iterator[Finding]:
    """What a layer says of locked keys; of a preset it is worth a remark only, for it is ours and gives way."""
    locks = locks_of(layers)
    for source in layers:
        severity = Severity.INFO if source.layer is Layer.PRESET else Severity.ERROR
        for key, lock in violations(source, locks):
            place = f"{lock.origin.file or 'its file'}{f':{lock.origin.line}' if lock.origin.line else ''}"
            message = f"`{dotted(key)}` is locked by the organisation (`{lock.text}` in {place}); it narrows at most"
            yield finding_in(source, key, FindingCode.ORG_LOCK_VIOLATION, (message, _ASK), severity=severity)


def _withheld(source: LayerDocument, sources: Sequence[LayerDocument]) -> Iterator[Finding]:
    """What the user may say by himself, and the organisation says otherwise."""
    if source.layer is Layer.ORGANISATION:
        return
    document = source.document
    held = held_free_paths(source, sources)
    paths: list[Path] = [
        ("privacy", "free_paths", index) for index, p in enumerate(document.privacy.free_paths) if p in held
    ]
    above = [s.document for s in sources if s.layer is Layer.ORGANISATION]
    remote = {name for d in above for name, host in d.hosts.items() if host.locality is Locality.REMOTE}
    paths += [("hosts", name) for name, h in document.hosts.items() if h.locality is Locality.LOCAL and name in remote]
    for name, provider in document.providers.items():
        placing = placing_layer(sources, name)
        if placing is not None and placing.layer is Layer.ORGANISATION:
            narrowing = {"models_dir"} | ({"locality"} if provider.locality is Locality.REMOTE else set[str]())
            paths += [("providers", name, key) for key in sorted(provider.model_fields_set - narrowing)]
    for path in paths:
        words = f"`{dotted(path)}` is not applied: the organisation's word holds", _ASK
        yield finding_in(source, path, FindingCode.PERMISSION_WIDENING, words)


def _endpoints(source: LayerDocument) -> Iterator[Finding]:
    for name, provider in source.document.providers.items():
        for key in sorted(provider.model_fields_set):
            sensitive = key in ("api_key", "base_url")
            code = FindingCode.SECRET_REUSE_UNTRUSTED_LAYER if sensitive else FindingCode.PERMISSION_WIDENING
            path = ("providers", name, key)
            words = f"`{dotted(path)}` is not this layer's to say, and is not applied", _right_file(source)
            yield finding_in(source, path, code, words)


def _facts(source: LayerDocument) -> Iterator[Finding]:
    document = source.document
    paths: list[Path] = [("catalog", name) for name in document.catalog]
    paths += [("hosts", name) for name, host in document.hosts.items() if host.locality is Locality.LOCAL]
    paths += [("privacy", "free_paths")] if document.privacy.free_paths else []
    paths += [("plugins", "select")] if document.plugins.select is not None else []
    paths += [("secrets", "allow")] if document.secrets.allow else []
    paths += [("ledger", "keep_days")] if document.ledger.keep_days is not None else []
    paths += [("ledger", "mask")] if document.ledger.mask else []
    for path in paths:
        words = f"`{dotted(path)}` is not this layer's to say, and is not applied", _right_file(source)
        yield finding_in(source, path, FindingCode.PERMISSION_WIDENING, words)


def _right_file(source: LayerDocument) -> str:
    return _FIXED_FILE if source.layer is Layer.ORGANISATION else _OWN_FILE


def _loosened(layers: Sequence[LayerDocument]) -> Iterator[Finding]:
    """Values that a layer of higher authority has set more strictly. A preset has no authority."""
    sources = [source for source in by_authority(layers) if source.layer in AUTHORITY]
    for scale in (*SCALES, _HANDOFF, _ADAPTIVE):
        strictest, above = -1, ""
        for source in sources:
            value = scale.read(source.document)
            if value is None:
                continue
            rank = scale.values.index(value)
            if rank < strictest:
                holds = scale.values[strictest]
                said = f"`{dotted(scale.path)}` is not applied: the {above} layer says `{holds}`, which holds"
                words = said, f"write `{holds}`, or leave it out"
                yield finding_in(source, scale.path, FindingCode.PERMISSION_WIDENING, words)
            elif rank > strictest:
                strictest, above = rank, source.layer.value


def _granted(sources: Sequence[LayerDocument], everybody: Sequence[LayerDocument]) -> Iterator[Finding]:
    """Permissions that nobody grants, and those of a rule that are looser than what holds for every phase.

    A rule that somebody of lower authority narrows is as good as before: of that, and of a preset, it is a remark.
    """
    for source in sources:
        yield from _never_granted(source, source.document.tools.permissions, ("tools", "permissions"))
        for index, rule in enumerate(source.document.routing.rules):
            wanted = rule.required_permissions.permissions
            path: Path = ("routing", "rules", index, "required_permissions", "permissions")
            if wanted.model_fields_set:
                yield from _never_granted(source, wanted, path)
                yield from _loosened_by_rule(source, wanted, path, everybody)


def _never_granted(source: LayerDocument, wanted: Permissions, table: Path) -> Iterator[Finding]:
    for name in NEVER_GRANTED:
        grant: Grant | None = getattr(wanted, name)
        if grant not in (None, Grant.DENY):
            path = (*table, name)
            words = f"`{dotted(path)}` is not applied: {name} is always denied", "write `deny`, or leave it out"
            yield finding_in(source, path, FindingCode.PERMISSION_WIDENING, words)


def _loosened_by_rule(
    source: LayerDocument, wanted: Permissions, table: Path, everybody: Sequence[LayerDocument]
) -> Iterator[Finding]:
    gives_way = source.layer is Layer.PRESET
    binding = everybody if gives_way else _binding(source, everybody)
    for name in PERMISSIONS:
        grant: Grant | None = getattr(wanted, name)
        if grant is None or name in NEVER_GRANTED:
            continue
        scale = PERMISSION_SCALES[name]
        word, severity = strictest(binding, scale), Severity.INFO if gives_way else Severity.ERROR
        if not _looser(grant, word):
            word, severity = strictest(everybody, scale), Severity.INFO
        if _looser(grant, word):
            path = (*table, name)
            whose = "by default" if word.origin.layer is Layer.BUILTIN else f"in the {word.origin.layer} layer"
            said = f"`{dotted(path)}` is not applied: `{dotted(scale.path)}` is `{word.value}` {whose}; a rule narrows"
            words = said, f"write `{word.value}`, or leave it out"
            yield finding_in(source, path, FindingCode.PERMISSION_WIDENING, words, severity=severity)


def _looser(grant: Grant, word: Stated[str]) -> bool:
    return GRANTS.index(grant) < GRANTS.index(Grant(word.value))


def _binding(source: LayerDocument, everybody: Sequence[LayerDocument]) -> Sequence[LayerDocument]:
    """The layers whose prohibitions this one cannot loosen, itself among them, and what holds where they are silent."""
    upper = AUTHORITY[: AUTHORITY.index(source.layer) + 1]
    return [one for one in everybody if one.layer in upper or one.layer is Layer.PRESET]
