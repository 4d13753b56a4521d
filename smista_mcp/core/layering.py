"""Joins policy documents into the policy in force: values by precedence, prohibitions by authority."""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from typing import TypeVar

from smista_mcp.core.effective import Confirmed, Origin, Policy
from smista_mcp.core.locks import Lock, locks_of, unlocked
from smista_mcp.core.notices import notices
from smista_mcp.core.policy import dotted
from smista_mcp.core.preferences import Preferences, prefer
from smista_mcp.core.restrictions import Restrictions, allowed_models, budgets, denied_models, restrict
from smista_mcp.core.sources import LayerDocument, Stated, by_precedence
from smista_mcp.core.values import Layer

__all__ = ["LayerDocument", "merge"]

T = TypeVar("T")


def merge(layers: Sequence[LayerDocument]) -> Policy:
    """The policy that the layers make together, whatever order they are given in.

    A layer that is not trusted narrows and does nothing else, and so does what a layer says of keys that the
    organisation has locked; what it asks for besides is named in `notices`.
    """
    given = by_precedence(layers)
    locks = locks_of(given)
    sources = unlocked(given)
    wanted, forbidden = prefer(sources), restrict(sources)
    return Policy(
        revision=_revision(given),
        rules=wanted.rules,
        bindings=wanted.bindings,
        default=wanted.default.value if wanted.default else None,
        default_origin=wanted.default.origin if wanted.default else None,
        classification_rules=_each(wanted.classification_rules),
        overrides=forbidden.overrides.value,
        handoff=wanted.handoff.value,
        classes=_values(wanted.classes),
        allowed=_each(forbidden.allowed),
        denied=_each(forbidden.denied),
        restricted=tuple((word.value, word.origin) for word in forbidden.restricted),
        blocked=tuple((word.value, word.origin) for word in forbidden.blocked),
        remote_mode=forbidden.remote_mode.value,
        host_answers=forbidden.host_answers.value,
        permissions=_values(forbidden.permissions),
        budgets=_each(forbidden.budgets),
        dispatch=wanted.dispatch,
        providers=_values(wanted.providers),
        host_localities=_values(forbidden.host_localities),
        call_limits=_values(wanted.call_limits),
        host_models=_values(wanted.host_models),
        catalog=_values(wanted.catalog),
        tests=wanted.tests,
        notices=notices(sources),
        provenance=dict(_provenance(wanted, forbidden, locks)),
        confirmed=_confirmed(sources),
        plugin=wanted.plugin.value if wanted.plugin else None,
        unconfirmed=tuple(source.name for source in given if not source.trusted),
        locked=tuple((lock.text, lock.origin) for lock in locks),
        organisation=_organisation(given),
        secrets_allowed=frozenset(_each(forbidden.secrets_allowed)),
        adaptive=wanted.adaptive,
        keep_days=wanted.keep_days.value,
        mask=_each(wanted.mask),
    )


def _confirmed(sources: Sequence[LayerDocument]) -> Confirmed | None:
    trusted = [source for source in sources if source.trusted]
    if len(trusted) == len(sources):
        return None
    return Confirmed(_each(allowed_models(trusted)), _each(denied_models(trusted)), _each(budgets(trusted)))


def _each(stated: Sequence[Stated[T]]) -> tuple[T, ...]:
    return tuple(word.value for word in stated)


def _values(stated: Mapping[str, Stated[T]]) -> dict[str, T]:
    return {name: word.value for name, word in stated.items()}


def _revision(sources: Sequence[LayerDocument]) -> str:
    """SHA-256 of layers, trust and contents; neither paths nor times enter."""
    parts = sorted([source.layer.value, source.leads, source.digest] for source in sources)
    text = json.dumps(parts, separators=(",", ":"), ensure_ascii=True)
    return hashlib.sha256(text.encode()).hexdigest()


def _organisation(sources: Sequence[LayerDocument]) -> str | None:
    """SHA-256 of the organisation's file; of several, over theirs, that of the fixed place first."""
    files = [source for source in sources if source.layer is Layer.ORGANISATION]
    digests = [source.digest for source in sorted(files, key=lambda source: source.bounded)]
    if len(digests) < 2:
        return digests[0] if digests else None
    return hashlib.sha256("\n".join(digests).encode()).hexdigest()


def _provenance(wanted: Preferences, forbidden: Restrictions, locks: Sequence[Lock]) -> Iterator[tuple[str, Origin]]:
    """Where each effective value stands. Members of joined lists are numbered as they are in force."""
    yield "routing.overrides", forbidden.overrides.origin
    yield "routing.handoff", wanted.handoff.origin
    yield "privacy.remote.mode", forbidden.remote_mode.origin
    yield "ledger.keep_days", wanted.keep_days.origin
    yield "privacy.host_answers", forbidden.host_answers.origin
    if wanted.default:
        yield "routing.default", wanted.default.origin
    if wanted.plugin:
        yield "plugins.select", wanted.plugin.origin
    for placed in wanted.rules:
        yield f"routing.rules[{placed.order}]", placed.origin
    for table, origins in {"dispatch": wanted.dispatch_origins, "routing.adaptive": wanted.adaptive_origins}.items():
        yield from ((f"{table}.{name}", origin) for name, origin in origins.items())
    limits = {f"{dotted([name])}.call_limit_s": limit.origin for name, limit in wanted.call_limits.items()}
    models = {f"{dotted([name])}.model": model.origin for name, model in wanted.host_models.items()}
    yield from ((f"hosts.{key}", origin) for key, origin in (limits | models).items())
    tables = {
        "tools.permissions": forbidden.permissions,
        "classes": wanted.classes,
        "providers": wanted.providers,
        "hosts": forbidden.host_localities,
        "catalog": wanted.catalog,
    }
    for table, words in tables.items():
        for name, word in words.items():
            yield f"{table}.{dotted([name])}", word.origin
    lists = {
        "classification.rules": wanted.classification_rules,
        "models.allowed": forbidden.allowed,
        "models.denied": forbidden.denied,
        "privacy.restricted_paths": forbidden.restricted,
        "privacy.remote.blocked_paths": forbidden.blocked,
        "budgets": forbidden.budgets,
        "secrets.allow": forbidden.secrets_allowed,
        "ledger.mask": wanted.mask,
    }
    for key, members in lists.items():
        for index, member in enumerate(members):
            yield f"{key}[{index}]", member.origin
    for index, lock in enumerate(locks):
        yield f"locked[{index}]", lock.origin
