"""What narrows: prohibitions of all layers joined so that no layer lifts what a higher authority forbids.

A preset, and below it what is built in, holds only where user and organisation say nothing about a value; lists are
united.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from smista_mcp.core.effective import Origin
from smista_mcp.core.policy import PERMISSIONS, Budget, PolicyDocument
from smista_mcp.core.sources import BUILTIN, LayerDocument, Stated, by_authority
from smista_mcp.core.values import Grant, Layer, Locality

DEFAULT_RESTRICTED = (".env", ".env.*", "*.pem", "*.key", "secrets/**")
"""`restricted_paths` where the user states none."""
NEVER_GRANTED = ("shell", "network")
"""Permissions that are denied whatever a policy says."""
GRANTS = (Grant.ALLOW, Grant.ASK, Grant.DENY)
"""From the loosest to the strictest."""


@dataclass(frozen=True, slots=True)
class Scale:
    """A value that restricts.

    Attributes:
        path: its key.
        values: from the loosest to the strictest.
        default: what holds where no layer states it.
    """

    path: tuple[str, ...]
    read: Callable[[PolicyDocument], str | None]
    values: tuple[str, ...]
    default: str


def _permission(name: str) -> Scale:
    default = Grant.DENY if name in NEVER_GRANTED else Grant.ASK if name == "file_write" else Grant.ALLOW
    values = (Grant.DENY,) if name in NEVER_GRANTED else GRANTS

    def read(document: PolicyDocument) -> Grant | None:
        grant: Grant | None = getattr(document.tools.permissions, name)
        return grant if grant in values else None

    return Scale(("tools", "permissions", name), read, values, default)


REMOTE_MODE = Scale(("privacy", "remote", "mode"), lambda d: d.privacy.remote.mode, GRANTS, Grant.ASK)
HOST_ANSWERS = Scale(
    ("privacy", "host_answers"), lambda d: d.privacy.host_answers, ("return", "ask", "file"), default="file"
)
OVERRIDES = Scale(
    ("routing", "overrides"), lambda d: d.routing.overrides, ("allow", "within_route", "deny"), default="allow"
)
PERMISSION_SCALES: Mapping[str, Scale] = {name: _permission(name) for name in PERMISSIONS}
SCALES = (REMOTE_MODE, HOST_ANSWERS, OVERRIDES, *PERMISSION_SCALES.values())


class Restrictions(NamedTuple):
    """All that narrows, each part with its place."""

    overrides: Stated[str]
    remote_mode: Stated[Grant]
    host_answers: Stated[str]
    permissions: Mapping[str, Stated[Grant]]
    restricted: tuple[Stated[str], ...]
    blocked: tuple[Stated[str], ...]
    allowed: tuple[Stated[tuple[str, ...]], ...]
    denied: tuple[Stated[str], ...]
    budgets: tuple[Stated[Budget], ...]
    host_localities: Mapping[str, Stated[Locality]]
    secrets_allowed: tuple[Stated[str], ...]


def restrict(sources: Sequence[LayerDocument]) -> Restrictions:
    """Joins what all layers forbid."""
    return Restrictions(
        overrides=strictest(sources, OVERRIDES),
        remote_mode=_grant(strictest(sources, REMOTE_MODE)),
        host_answers=strictest(sources, HOST_ANSWERS),
        permissions={name: _grant(strictest(sources, scale)) for name, scale in PERMISSION_SCALES.items()},
        restricted=restricted_paths(sources),
        blocked=blocked_paths(sources),
        allowed=allowed_models(sources),
        denied=denied_models(sources),
        budgets=budgets(sources),
        host_localities=host_localities(sources),
        secrets_allowed=secrets_allowed(sources),
    )


def _grant(word: Stated[str]) -> Stated[Grant]:
    return Stated(Grant(word.value), word.origin)


def strictest(sources: Sequence[LayerDocument], scale: Scale) -> Stated[str]:
    """The strictest value that a layer states. An owner's word stands in place of a preset's and of the default."""
    stated = [
        (source, Stated(value, source.origin(*scale.path)))
        for source in by_authority(sources)
        if (value := scale.read(source.document)) is not None
    ]
    owned = any(source.owner for source, _ in stated)
    presets = [(source, word) for source, word in stated if source.defaults and not owned]
    replaced = owned or any(source.leads for source, _ in presets)
    words = [word for source, word in stated if not source.defaults]
    words += [word for _, word in presets] + ([] if replaced else [Stated(scale.default, BUILTIN)])
    return max(words, key=lambda word: scale.values.index(word.value))


def restricted_paths(sources: Sequence[LayerDocument]) -> tuple[Stated[str], ...]:
    """All patterns that keep a path from remote models but for a release, without those that are freed."""
    return _unlifted(_restricted(sources), sources)


def blocked_paths(sources: Sequence[LayerDocument]) -> tuple[Stated[str], ...]:
    """All patterns of paths that never go to a remote model, without those that are freed."""
    return _unlifted(_blocked(sources), sources)


def idle_free_paths(source: LayerDocument, sources: Sequence[LayerDocument]) -> tuple[str, ...]:
    """Patterns of a layer's `free_paths` that free nothing, because no restriction is written so."""
    written = _restricted(sources).keys() | _blocked(sources).keys()
    return tuple(sorted(set(source.document.privacy.free_paths) - written))


def held_free_paths(source: LayerDocument, sources: Sequence[LayerDocument]) -> tuple[str, ...]:
    """Patterns of a layer's `free_paths` that a layer of higher authority restricts, so that they free nothing."""
    if source.layer is Layer.ORGANISATION:
        return ()
    above = {*_of_organisation(_restricted(sources)), *_of_organisation(_blocked(sources))}
    return tuple(pattern for pattern in source.document.privacy.free_paths if pattern in above)


def _of_organisation(found: Mapping[str, Origin]) -> Iterator[str]:
    return (pattern for pattern, origin in found.items() if origin.layer is Layer.ORGANISATION)


def _restricted(sources: Sequence[LayerDocument]) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for source in by_authority(sources):
        for index, pattern in enumerate(source.document.privacy.restricted_paths or ()):
            found.setdefault(pattern, source.origin("privacy", "restricted_paths", index))
    users = (source for source in sources if source.owner and source.layer is Layer.USER)
    if all(source.document.privacy.restricted_paths is None for source in users):
        for pattern in DEFAULT_RESTRICTED:  # an organisation's list adds to them; to lift one it has `free_paths`
            found.setdefault(pattern, BUILTIN)
    return found


def _blocked(sources: Sequence[LayerDocument]) -> dict[str, Origin]:
    found: dict[str, Origin] = {}
    for source in by_authority(sources):
        for index, pattern in enumerate(source.document.privacy.remote.blocked_paths):
            found.setdefault(pattern, source.origin("privacy", "remote", "blocked_paths", index))
    return found


def _unlifted(found: Mapping[str, Origin], sources: Sequence[LayerDocument]) -> tuple[Stated[str], ...]:
    """Patterns that nobody frees who is of the same or a higher authority; an origin is of the highest that says so."""
    freed = [source for source in sources if source.owner and source.document.privacy.free_paths]
    anyone = frozenset(p for source in freed for p in source.document.privacy.free_paths)
    highest = frozenset(p for s in freed if s.layer is Layer.ORGANISATION for p in s.document.privacy.free_paths)
    return tuple(
        Stated(pattern, origin)
        for pattern, origin in found.items()
        if pattern not in (highest if origin.layer is Layer.ORGANISATION else anyone)
    )


def allowed_models(sources: Sequence[LayerDocument]) -> tuple[Stated[tuple[str, ...]], ...]:
    """One list for each layer that states one; an owner's stands in place of a preset's."""
    stated = [(source, source.document.models.allowed) for source in by_authority(sources)]
    replaced = any(source.owner and allowed is not None for source, allowed in stated)
    return tuple(
        Stated(allowed, source.origin("models", "allowed"))
        for source, allowed in stated
        if allowed is not None and not (replaced and source.defaults)
    )


def denied_models(sources: Sequence[LayerDocument]) -> tuple[Stated[str], ...]:
    """All patterns of models that may not serve."""
    found: dict[str, Origin] = {}
    for source in by_authority(sources):
        for index, pattern in enumerate(source.document.models.denied):
            found.setdefault(pattern, source.origin("models", "denied", index))
    return tuple(Stated(pattern, origin) for pattern, origin in found.items())


def budgets(sources: Sequence[LayerDocument]) -> tuple[Stated[Budget], ...]:
    """All budgets; one of a preset gives way to one of an owner's for the same scope and period."""
    own = {(b.scope, b.period) for source in sources if source.owner for b in source.document.budgets}
    return tuple(
        Stated(budget, source.origin("budgets", index))
        for source in by_authority(sources)
        for index, budget in enumerate(source.document.budgets)
        if not (source.defaults and (budget.scope, budget.period) in own)
    )


def limits_cost(source: LayerDocument) -> bool:
    """Whether a layer is the organisation's and limits what work may cost."""
    document = source.document
    rules = any(rule.cost_limit is not None for rule in document.routing.rules)
    return source.layer is Layer.ORGANISATION and source.trusted and (rules or bool(document.budgets))


def secrets_allowed(sources: Sequence[LayerDocument]) -> tuple[Stated[str], ...]:
    """Fingerprints of what is no secret: the word of user and organisation alone."""
    found: dict[str, Origin] = {}
    for source in by_authority(sources):
        for index, fingerprint in enumerate(source.document.secrets.allow if source.owner else ()):
            found.setdefault(fingerprint, source.origin("secrets", "allow", index))
    return tuple(Stated(fingerprint, origin) for fingerprint, origin in found.items())


def host_localities(sources: Sequence[LayerDocument]) -> dict[str, Stated[Locality]]:
    """Hosts by name: local where an owner says so and no other layer says the contrary."""
    found: dict[str, Stated[Locality]] = {}
    for source in by_authority(sources):
        for name, host in source.document.hosts.items():
            owned = source.owner and host.locality is not None and name not in found
            if host.locality is not None and (host.locality is Locality.REMOTE or owned):
                found[name] = Stated(host.locality, source.origin("hosts", name))
    return found
