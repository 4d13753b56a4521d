"""Everything that a decision depends on besides the task: compiled once, used for many calls."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from types import MappingProxyType
from typing import NamedTuple

from smista_mcp.core.approval import Approved
from smista_mcp.core.catalog import Catalog
from smista_mcp.core.classification import Reader
from smista_mcp.core.effective import PlacedRule, Policy
from smista_mcp.core.evidence import Evidence
from smista_mcp.core.facts import BudgetLeft, HostFacts, ProviderFacts
from smista_mcp.core.floor import Guard
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.matching import RuleIndex, index_of
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.secretscan import rules_digest
from smista_mcp.core.selection import Market
from smista_mcp.core.values import Layer


class Rulebook(NamedTuple):
    """A policy, compiled. `rules` are in the order of `ranking`."""

    policy: Policy
    rules: Sequence[PlacedRule]
    ranking: RuleIndex
    guard: Guard
    reader: Reader


class Circumstances(NamedTuple):
    """What changes between calls while policy and catalog stay: servers, host, money left.

    Attributes:
        readable: whether there is a workspace whose files may be read.
        evidence: what was counted of models; None where the policy wants none.
    """

    providers: Mapping[str, ProviderFacts]
    host: HostFacts = HostFacts()
    budgets: tuple[BudgetLeft, ...] = ()
    plugin: Plugin | None = None
    readable: bool = False
    evidence: Evidence | None = None


class Snapshot(NamedTuple):
    """The state of the world that a decision sees.

    Attributes:
        key: secret of this installation; task text enters a decision's id only through a hash keyed with it.
        digests: name of an input -> hash, for the inputs that do not depend on the call.
        plugin: the function that has a say in the choice; None where the policy names none.
        approvals: every yes of a person that holds now, for calls of this workspace.
        evidence: as in `Circumstances`.
        bodies: name of an input -> the text that its hash is of, for those that the ledger keeps beside the hash.
    """

    rulebook: Rulebook
    market: Market
    budgets: tuple[BudgetLeft, ...]
    key: bytes
    digests: Mapping[str, str]
    plugin: Plugin | None = None
    approvals: tuple[Approved, ...] = ()
    evidence: Evidence | None = None
    bodies: Mapping[str, str] = MappingProxyType({})


def rulebook(policy: Policy, skills: frozenset[str] = frozenset()) -> Rulebook:
    """Compiles a policy. `skills` are those found on disk; those that rules name are added."""
    rules = sorted(policy.rules, key=lambda placed: placed.order)
    bindings = sorted(policy.bindings, key=lambda placed: placed.order)
    named = frozenset(name for placed in (*rules, *bindings) for name in placed.rule.skill or ())
    return Rulebook(
        policy=policy,
        rules=rules,
        ranking=index_of(rules),
        guard=Guard(
            restricted=GlobSet((pattern for pattern, _ in policy.restricted), ignore_case=True),
            blocked=GlobSet((pattern for pattern, _ in policy.blocked), ignore_case=True),
            unsendable=GlobSet((pattern for pattern, _ in (*policy.restricted, *policy.blocked)), ignore_case=True),
            remote_mode=policy.remote_mode,
            bindings=bindings,
            ranking=index_of(bindings, ignore_case=True),
        ),
        reader=Reader(policy.classification_rules, skills | named, _of_organisation(policy)),
    )


def _of_organisation(policy: Policy) -> int:
    """How many classification rules are the organisation's; they stand before the others."""
    if policy.organisation is None:
        return 0
    origins = (policy.provenance[f"classification.rules[{n}]"] for n in range(len(policy.classification_rules)))
    return sum(origin.layer is Layer.ORGANISATION for origin in origins)


def snapshot(book: Rulebook, catalog: Catalog, now: Circumstances, *, key: bytes = b"", version: str = "") -> Snapshot:
    """Joins what is known into one value and hashes each part."""
    bodies = {
        "availability": plain_text(now.providers),
        "budgets": plain_text(now.budgets),
        "host": plain_text(now.host),
        "version": plain_text(version),
    }
    if now.plugin is not None:
        bodies["plugin"] = plain_text(now.plugin.identity)
    if now.readable:
        bodies["workspace"] = plain_text(now.readable)
    if now.evidence is not None:
        bodies["evidence"] = now.evidence.body
    digests = {
        **{name: hashed(text) for name, text in bodies.items()},
        "catalog": catalog.digest[:32],
        "policy": book.policy.revision[:32],
        "secret_rules": rules_digest(),
    }
    market = Market(book.policy, catalog, now.providers, now.host, now.readable)
    if book.policy.organisation is not None:
        digests["organisation"] = book.policy.organisation
    return Snapshot(book, market, now.budgets, key, digests, now.plugin, bodies=bodies, evidence=now.evidence)


def digest(value: object) -> str:
    """128 bits of SHA-256 over canonical JSON, in hex; sets count as sorted lists."""
    return hashed(plain_text(value))


def plain_text(value: object) -> str:
    """Canonical JSON of a value; sets count as sorted lists."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, default=_plain)


def hashed(text: str) -> str:
    """128 bits of SHA-256 in hex."""
    return hashlib.sha256(text.encode()).hexdigest()[:32]


def _plain(value: object) -> object:
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))  # pyright: ignore[reportUnknownArgumentType]
    if isinstance(value, Mapping):
        return {str(key): one for key, one in value.items()}  # pyright: ignore[reportUnknownVariableType, reportUnknownArgumentType]
    return str(value)
