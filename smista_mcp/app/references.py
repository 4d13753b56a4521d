"""Which model would have done a piece of work if its host had not delegated it: what savings are counted against.

Three sources, the first that names one: the command line, `[hosts.NAME] model` of the policy, and the table of hosts
by the class of the intent. Where none does, nobody knows, and nothing is counted.
"""

from collections.abc import Callable, Mapping
from functools import cache
from types import MappingProxyType
from typing import Final, Literal

from smista_mcp.core.catalog import Catalog, ModelFacts
from smista_mcp.core.effective import Policy
from smista_mcp.core.modelref import HOST, ClassRef, ModelRef, parse_target
from smista_mcp.core.provider_specs import kind_of
from smista_mcp.core.redaction import shown
from smista_mcp.core.usage import Reference
from smista_mcp.core.values import CAPABILITY_CLASS, Intent
from smista_mcp.errors import InvalidTask
from smista_mcp.hosts import HOSTS, HostSpec

_CLAUDE: Final = {name: f"anthropic/claude-{name}" for name in ("opus", "sonnet", "haiku")}
LISTED: Final[Mapping[str, Mapping[str, str]]] = MappingProxyType(
    {
        "claude-code": _CLAUDE,
        "codex": {name: f"openai/{name}" for name in ("gpt-6-astra", "gpt-6.1-sol", "gpt-6-luna")},
        "gemini-cli": {
            "pro": "gemini/gemini-3.1-pro-preview",
            "flash": "gemini/gemini-3.8-flash",
            "flash-lite": "gemini/gemini-3.5-flash-lite",
        },
        "copilot-cli": {f"claude-{name}-5.5": f"anthropic/claude-{name}-5.5" for name in ("opus", "sonnet", "haiku")},
    }
)
"""What a host's own name for a model is called in price lists, as far as the rows of `hosts` say what it asks then."""


def asked_reference(given: str, policy: Policy, catalog: Catalog) -> Reference:
    """The reference that a person names.

    Raises:
        InvalidTask: it is no model, or no list says what it costs.
    """
    try:
        target = parse_target(given)
    except ValueError as error:
        raise InvalidTask(str(error), fix="write for example `anthropic/claude-opus`") from None
    if isinstance(target, ClassRef) or target.provider == HOST:
        fix = "write `provider/model`, for example `anthropic/claude-opus`"
        raise InvalidTask(f"`{shown(given)}` is no single model with a price", fix=fix)
    facts = _facts(target, policy, catalog)
    if facts.price is None or facts.price_kind == "local":
        why = "costs nothing" if facts.price_kind == "local" else "has a price that nobody knows"
        near = f"did you mean {', '.join(facts.nearest)}? " if facts.nearest else ""
        fix = f'{near}name another, or state its prices under `[catalog."{shown(given)}"]`'
        raise InvalidTask(f"`{shown(given)}` {why}: nothing can be counted against it", fix=fix)
    return Reference(str(target), "asked", facts)


def references(policy: Policy, catalog: Catalog, asked: Reference | None) -> Callable[[str, str], Reference | None]:
    """Tells for a host and an intent what would have done the work; None where nobody knows."""
    rows = {host.name: host for host in HOSTS}

    @cache
    def reference(host: str, intent: str) -> Reference | None:
        if asked is not None:
            return asked
        stated = policy.host_models.get(host)
        if stated is not None:
            return _reference(stated, stated, "policy", policy, catalog)
        return _of_table(rows.get(host), intent, policy, catalog)

    return reference


def _of_table(host: HostSpec | None, intent: str, policy: Policy, catalog: Catalog) -> Reference | None:
    """What the host calls a model of the class that an intent asks for."""
    if host is None or intent not in CAPABILITY_CLASS:
        return None
    own = host.models.get(CAPABILITY_CLASS[Intent(intent)], "")
    listed = LISTED.get(host.name, {}).get(own)
    return None if listed is None else _reference(own, listed, "host", policy, catalog)


def _reference(
    said: str, model: str, by: Literal["policy", "host"], policy: Policy, catalog: Catalog
) -> Reference | None:
    target = parse_target(model)
    return Reference(said, by, _facts(target, policy, catalog)) if isinstance(target, ModelRef) else None


def _facts(target: ModelRef, policy: Policy, catalog: Catalog) -> ModelFacts:
    spec = policy.providers.get(target.provider)
    kind = spec.kind if spec else kind_of(target.provider) or target.provider
    return catalog.facts(target, kind, spec.locality if spec else None)
