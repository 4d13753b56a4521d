"""What is preferred: rules of all layers that lead, side by side; every other value from the layer that comes last."""

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple, TypeVar

from smista_mcp.core.catalog import HeldEntry
from smista_mcp.core.effective import (
    KEEP_DAYS,
    Adaptive,
    DispatchLimits,
    Origin,
    PlacedRule,
    PlacedTest,
    ProviderSpec,
)
from smista_mcp.core.modelref import ClassRef, parse_target
from smista_mcp.core.policy import (
    CatalogEntry,
    ClassDefinition,
    ClassificationRule,
    DefaultRoute,
    HostDocument,
    PolicyDocument,
    Rule,
)
from smista_mcp.core.provider_specs import provider_specs
from smista_mcp.core.restrictions import limits_cost
from smista_mcp.core.sources import AUTHORITY, BUILTIN, PRECEDENCE, LayerDocument, Stated, by_authority
from smista_mcp.core.values import Layer

T = TypeVar("T")
_NEVER = "never"
_CLASS = "class:"


class Preferences(NamedTuple):
    """All that leads somewhere, each part with its place."""

    rules: tuple[PlacedRule, ...]
    bindings: tuple[PlacedRule, ...]
    classification_rules: tuple[Stated[ClassificationRule], ...]
    default: Stated[DefaultRoute] | None
    handoff: Stated[str]
    classes: Mapping[str, Stated[ClassDefinition]]
    dispatch: DispatchLimits
    dispatch_origins: Mapping[str, Origin]
    providers: Mapping[str, Stated[ProviderSpec]]
    catalog: Mapping[str, Stated[CatalogEntry]]
    call_limits: Mapping[str, Stated[float]]
    host_models: Mapping[str, Stated[str]]
    plugin: Stated[str] | None
    keep_days: Stated[int]
    mask: tuple[Stated[str], ...]
    tests: tuple[PlacedTest, ...]
    adaptive: Adaptive
    adaptive_origins: Mapping[str, Origin]


def prefer(sources: Sequence[LayerDocument]) -> Preferences:
    """Joins what the layers want; `sources` by precedence. Of a layer that does not lead only what narrows counts."""
    leading = [source for source in sources if source.leads]
    owners = [source for source in sources if source.owner]
    placed = _placed(sources)
    dispatch, dispatch_origins = _limits(leading)
    adaptive, adaptive_origins = _adaptive(sources, leading)
    return Preferences(
        rules=tuple(rule for source, rule in placed if source.leads),
        bindings=tuple(_binding(source, rule, leading) for source, rule in placed if _binds(rule.rule)),
        classification_rules=_classification_rules(leading),
        default=_last(leading, ("routing", "default"), lambda document: document.routing.default),
        handoff=_handoff(sources, leading),
        classes=_by_name(leading, "classes", lambda document: document.classes),
        dispatch=dispatch,
        dispatch_origins=dispatch_origins,
        providers=provider_specs(sources),
        catalog=_catalog(sources, owners),
        call_limits=_of_hosts(leading, "call_limit_s", lambda host: host.call_limit_s),
        host_models=_of_hosts(leading, "model", lambda host: host.model),
        plugin=_last(owners, ("plugins", "select"), lambda document: document.plugins.select),
        keep_days=_last(owners, ("ledger", "keep_days"), lambda document: document.ledger.keep_days)
        or Stated(KEEP_DAYS, BUILTIN),
        mask=tuple(
            Stated(rule, source.origin("ledger", "mask", index))
            for source in owners
            for index, rule in enumerate(source.document.ledger.mask)
        ),
        tests=tuple(
            PlacedTest(test, source.origin("test", index))
            for source in sources
            for index, test in enumerate(source.document.test)
        ),
        adaptive=adaptive,
        adaptive_origins=adaptive_origins,
    )


def _catalog(sources: Sequence[LayerDocument], owners: Sequence[LayerDocument]) -> dict[str, Stated[CatalogEntry]]:
    """The entries; where the organisation limits what work may cost, nobody below makes a model cheaper."""
    stated = _by_name(owners, "catalog", lambda document: document.catalog)
    if not any(map(limits_cost, sources)):
        return stated
    return {
        name: word if word.origin.layer is Layer.ORGANISATION else word._replace(value=HeldEntry.of(word.value))
        for name, word in stated.items()
    }


def _of_hosts(
    leading: Sequence[LayerDocument], key: str, read: Callable[[HostDocument], T | None]
) -> dict[str, Stated[T]]:
    return {
        name: Stated(value, source.origin("hosts", name, key))
        for source in leading
        for name, host in source.document.hosts.items()
        if (value := read(host)) is not None
    }


def _placed(sources: Sequence[LayerDocument]) -> list[tuple[LayerDocument, PlacedRule]]:
    placed: list[tuple[LayerDocument, PlacedRule]] = []
    for source in sources:
        for index, rule in enumerate(source.document.routing.rules):
            origin = source.origin("routing", "rules", index)
            one = PlacedRule(rule, origin, len(placed), rule.overridable and source.owner, trusted=source.trusted)
            placed.append((source, one))
    return placed


def _binds(rule: Rule) -> bool:
    return rule.local_only or rule.only_models is not None


def _binding(source: LayerDocument, placed: PlacedRule, leading: Sequence[LayerDocument]) -> PlacedRule:
    """The rule as it binds; its classes are spelled out, so that no lower layer widens it by putting more into them."""
    if not any(written.startswith(_CLASS) for written in placed.rule.only_models or ()):
        return placed
    spelled: list[str] = []
    for written in placed.rule.only_models or ():
        target = parse_target(written)
        known = _class_for(source, target.name, leading) if isinstance(target, ClassRef) else None
        spelled += known.models if known else [written]
    rule = placed.rule.model_copy(update={"only_models": tuple(dict.fromkeys(spelled))})
    return placed._replace(rule=rule)


def _class_for(source: LayerDocument, name: str, leading: Sequence[LayerDocument]) -> ClassDefinition | None:
    """A class as a layer's rules mean it: as it says itself, or a layer of higher authority, or a preset."""
    if not source.leads and name in source.document.classes:
        return source.document.classes[name]  # it waits with its file, and is known nowhere else
    above = (s for s in reversed(leading) if s.defaults or _stands_over(s, source))
    return next((s.document.classes[name] for s in above if name in s.document.classes), None)


def _stands_over(other: LayerDocument, source: LayerDocument) -> bool:
    if source.layer is Layer.PRESET:
        return True
    return other.layer in AUTHORITY and AUTHORITY.index(other.layer) <= AUTHORITY.index(source.layer)


def _classification_rules(leading: Sequence[LayerDocument]) -> tuple[Stated[ClassificationRule], ...]:
    """In the order in which they are tried: the organisation's, priority, the layer that comes last, the file."""
    stated = [
        (
            (source.layer is not Layer.ORGANISATION, rule.priority, -PRECEDENCE.index(source.layer), index),
            Stated(rule, source.origin("classification", "rules", index)),
        )
        for source in leading
        for index, rule in enumerate(source.document.classification.rules)
    ]
    return tuple(rule for _, rule in sorted(stated, key=lambda pair: pair[0]))


def _handoff(sources: Sequence[LayerDocument], leading: Sequence[LayerDocument]) -> Stated[str]:
    """Whether a phase may go back to the host; to say never narrows, so any layer but a preset holds all others."""
    for source in by_authority(sources):
        if source.document.routing.handoff == _NEVER and not source.defaults:
            return Stated(_NEVER, source.origin("routing", "handoff"))
    stated = _last(leading, ("routing", "handoff"), lambda document: document.routing.handoff)
    return stated or Stated(_NEVER, BUILTIN)


def _limits(leading: Sequence[LayerDocument]) -> tuple[DispatchLimits, dict[str, Origin]]:
    limits = DispatchLimits()
    origins = dict.fromkeys(DispatchLimits._fields, BUILTIN)
    for source in leading:
        for name in origins:
            value = getattr(source.document.dispatch, name)
            if value is not None:
                limits = limits._replace(**{name: value})
                origins[name] = source.origin("dispatch", name)
    return limits, origins


def _adaptive(sources: Sequence[LayerDocument], leading: Sequence[LayerDocument]) -> tuple[Adaptive, dict[str, Origin]]:
    """Whether evidence counts, and when it is enough; as with handoff, who says no but a preset holds all others."""
    found = Adaptive()
    origins = dict.fromkeys(Adaptive._fields, BUILTIN)
    for source in leading:
        for name in origins:
            value = getattr(source.document.routing.adaptive, name)
            if value is not None:
                found = found._replace(**{name: value})
                origins[name] = source.origin("routing", "adaptive", name)
    for source in by_authority(sources):
        if source.document.routing.adaptive.enabled is False and not source.defaults:
            origins["enabled"] = source.origin("routing", "adaptive", "enabled")
            return found._replace(enabled=False), origins
    return found, origins


def _last(
    sources: Sequence[LayerDocument], path: tuple[str, ...], read: Callable[[PolicyDocument], T | None]
) -> Stated[T] | None:
    for source in reversed(sources):
        value = read(source.document)
        if value is not None:
            return Stated(value, source.origin(*path))
    return None


def _by_name(
    sources: Sequence[LayerDocument], key: str, read: Callable[[PolicyDocument], Mapping[str, T]]
) -> dict[str, Stated[T]]:
    return {
        name: Stated(value, source.origin(key, name))
        for source in sources
        for name, value in read(source.document).items()
    }
