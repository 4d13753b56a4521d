"""A policy in force as a list: every value with its key, its layer and its line."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

from smista_mcp.core.budgeting import ZONE
from smista_mcp.core.effective import Origin, PlacedRule, Policy, ProviderSpec
from smista_mcp.core.matching import conditions_of, rank_of
from smista_mcp.core.policy import Budget, dotted
from smista_mcp.core.snapshot import Rulebook
from smista_mcp.core.sources import BUILTIN
from smista_mcp.core.values import Layer, Value


@dataclass(frozen=True, slots=True)
class Entry:
    """A value as JSON knows it, and where it stands."""

    key: str
    value: object
    origin: Origin


def entries(policy: Policy) -> tuple[Entry, ...]:
    """Every effective value but the routing rules, by table."""
    return tuple(Entry(key, value, policy.provenance.get(key, BUILTIN)) for key, value in _values(policy))


def ordered_rules(book: Rulebook) -> tuple[PlacedRule, ...]:
    """The rules that may win, in the order in which they are tried."""

    def rank(numbered: tuple[int, PlacedRule]) -> tuple[int, ...]:
        position, placed = numbered
        conditions = conditions_of(placed)
        return min(rank_of(conditions, intent, position) for intent in conditions.intents or (None,))

    return tuple(placed for _, placed in sorted(enumerate(book.rules), key=rank))


def binding_rules(policy: Policy) -> tuple[PlacedRule, ...]:
    """The rules that cannot win, because their file may only narrow, but bind what they match."""
    winning = {placed.order for placed in policy.rules}
    return tuple(placed for placed in policy.bindings if placed.order not in winning)


def preset_names(policy: Policy) -> list[str]:
    """The presets that say anything in this policy."""
    origins = [*policy.provenance.values(), *(placed.origin for placed in policy.tests)]
    files = {origin.file for origin in origins if origin.layer is Layer.PRESET and origin.file}
    return sorted(file.removeprefix("policies/").removesuffix(".toml") for file in files)


def shown(book: Rulebook, *, abroad: bool = False) -> dict[str, object]:
    """Every effective value with its layer and line, and the rules in the order in which they are tried, as JSON.

    Args:
        book: the policy in force.
        abroad: whether it is told to somebody who may sit elsewhere: then not where files and servers are.
    """
    policy = book.policy
    values = [entry for entry in entries(policy) if not (abroad and entry.key.startswith(_OUR_OWN))]
    return {
        "revision": policy.revision,
        "presets": preset_names(policy),
        "values": [{"key": one.key, "value": one.value, **_place(one.origin, abroad=abroad)} for one in values],
        "rules": [{**rule_value(rule), **_place(rule.origin, abroad=abroad)} for rule in ordered_rules(book)],
        "rules_that_only_bind": [
            {**rule_value(rule), **_place(rule.origin, abroad=abroad)} for rule in binding_rules(policy)
        ],
        "notices": [] if abroad else list(policy.notices),
    }


_OUR_OWN = ("providers.", "plugins.")


def _place(origin: Origin, *, abroad: bool) -> dict[str, object]:
    place: dict[str, object] = {"layer": origin.layer.value}
    return place if abroad else {**place, "file": origin.file, "line": origin.line}


def rule_value(placed: PlacedRule) -> dict[str, object]:
    """A rule as JSON: what it says, and its priority in any case."""
    return {**_stated(placed.rule), "priority": placed.rule.priority}


def _stated(value: Value) -> dict[str, object]:
    return value.model_dump(mode="json", exclude_defaults=True)


def _budget(budget: Budget) -> dict[str, object]:
    """With the zone of its days and months, which nobody writes."""
    return _stated(budget) | ({} if budget.period == "task" else {"zone": ZONE})


def _values(policy: Policy) -> Iterator[tuple[str, object]]:
    yield "routing.overrides", policy.overrides
    yield "routing.handoff", policy.handoff
    yield from _named("routing.adaptive", policy.adaptive._asdict().items())
    yield "routing.default", None if policy.default is None else _stated(policy.default)
    yield from _members("classification.rules", map(_stated, policy.classification_rules))
    yield from _named("classes", ((name, _stated(one)) for name, one in policy.classes.items()))
    yield from _members("models.allowed", map(list, policy.allowed))
    yield from _members("models.denied", policy.denied)
    yield "privacy.remote.mode", policy.remote_mode.value
    yield "privacy.host_answers", policy.host_answers
    yield from _members("privacy.restricted_paths", (pattern for pattern, _ in policy.restricted))
    yield from _members("privacy.remote.blocked_paths", (pattern for pattern, _ in policy.blocked))
    yield from _named("tools.permissions", ((name, grant.value) for name, grant in policy.permissions.items()))
    yield from _members("budgets", map(_budget, policy.budgets))
    yield from _named("dispatch", policy.dispatch._asdict().items())
    yield from _named("providers", ((name, _provider(spec)) for name, spec in policy.providers.items()))
    yield from _named("hosts", ((name, locality.value) for name, locality in policy.host_localities.items()))
    limits = ((f"hosts.{dotted([name, 'call_limit_s'])}", limit) for name, limit in policy.call_limits.items())
    yield from limits
    yield from ((f"hosts.{dotted([name, 'model'])}", model) for name, model in policy.host_models.items())
    yield from _named("catalog", ((name, _stated(entry)) for name, entry in policy.catalog.items()))
    yield "plugins.select", policy.plugin
    yield "ledger.keep_days", policy.keep_days
    yield from _members("ledger.mask", policy.mask)
    yield from _members("locked", (pattern for pattern, _ in policy.locked))


def _members(key: str, values: Iterable[object]) -> Iterator[tuple[str, object]]:
    return ((f"{key}[{index}]", value) for index, value in enumerate(values))


def _named(table: str, values: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    return ((f"{table}.{dotted([name])}", value) for name, value in values)


def _provider(spec: ProviderSpec) -> dict[str, object]:
    said = {
        "base_url": spec.base_url,
        "locality": spec.locality.value,
        "key_variable": spec.key_variable,
        "models_dir": spec.models_dir,
        "type": spec.protocol,
        "command": spec.command,
        "variables": list(spec.variables) or None,
        "unmediated": spec.unmediated or None,
        "prompt_caching": None if spec.caches else False,
    }
    return {name: value for name, value in said.items() if value is not None}
