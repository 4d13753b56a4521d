"""The providers that the policy names: asked, or knocked at."""

import importlib.util
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING

from smista_mcp.app.availability import models_folder, named_models
from smista_mcp.app.world import World
from smista_mcp.core.addresses import parse_address
from smista_mcp.core.diagnosis.servers import EmbeddedSeen, ProviderSeen
from smista_mcp.core.effective import Policy, ProviderSpec
from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.livemodels import live_model
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.policy import dotted
from smista_mcp.core.values import Grant, Layer
from smista_mcp.providers.knocking import knock_all
from smista_mcp.providers.probe import ProbeTarget, probe_all

if TYPE_CHECKING:
    import ssl

_LIMIT_S = 2.0
_LATE = "did not answer in time"


def providers_seen(world: World, policy: Policy, *, every: bool = False) -> tuple[ProviderSeen, ...]:
    """Every provider that the policy names. A remote one is knocked at, unless the policy lets nothing go there.

    Args:
        world: what is around.
        policy: the policy in force.
        every: whether those count too that no route or class leads to: built in, or declared for nobody.
    """
    around = world.settings.environment
    named = named_models(policy, None)
    if every:
        named = {name: named.get(name, set()) for name in policy.providers}
    there = world.available(policy, named)
    there |= _asked_again(policy, named, there, world)
    doors = {} if policy.remote_mode is Grant.DENY else _doors(policy, there)
    knocked = knock_all(doors, lambda: _trust(around.variables), limit_s=_LIMIT_S)
    return tuple(_seen(policy, name, named[name], there[name], knocked.get(name)) for name in sorted(named))


def embedded_seen(world: World, policy: Policy | None) -> EmbeddedSeen:
    """The model that runs inside smista."""
    from smista_mcp.providers.gguf_models import models  # noqa: PLC0415  as above

    spec = policy.providers.get("llamacpp") if policy else None
    state = world.believed_state
    folder = models_folder(spec, state) if spec and state else state / "models" if state else None
    count = len(models(folder)) if folder else 0
    named = policy is not None and "llamacpp" in named_models(policy, None)
    return EmbeddedSeen(importlib.util.find_spec("xllamacpp") is not None, count, named)


def key_variables(policy: Policy) -> tuple[str, ...]:
    """The variables whose keys the policy needs, sorted."""
    specs = (policy.providers[name] for name in named_models(policy, None))
    return tuple(sorted({spec.key_variable for spec in specs if spec.key_variable}))


def _trust(variables: Mapping[str, str]) -> "ssl.SSLContext":
    """Whose certificates a request would believe."""
    from smista_mcp.providers.sender import Authorities, trusted  # noqa: PLC0415  an HTTP client

    return trusted(Authorities(variables.get("SSL_CERT_FILE"), variables.get("SSL_CERT_DIR")))


def _asked_again(
    policy: Policy, named: Mapping[str, Iterable[str]], there: Mapping[str, ProviderFacts], world: World
) -> dict[str, ProviderFacts]:
    """Servers of this machine that were too slow for a decision, asked with more patience."""
    targets: list[ProbeTarget] = []
    for name, facts in there.items():
        spec = policy.providers[name]
        if facts.reachable is False and facts.detail == _LATE and spec.base_url:
            key = world.settings.environment.secret(spec.key_variable) if spec.key_variable else None
            targets.append(ProbeTarget(name, spec.kind, spec.base_url, spec.locality, key, tuple(sorted(named[name]))))
    return probe_all(targets, deadline_s=_LIMIT_S) if targets else {}


def _doors(policy: Policy, there: Mapping[str, ProviderFacts]) -> dict[str, str]:
    """Addresses on other machines; without its key nobody would be asked there."""
    found: dict[str, str] = {}
    for name, facts in there.items():
        url = policy.providers[name].base_url
        if url and facts.credentials and facts.reachable is None and not parse_address(url).loopback:
            found[name] = url
    return found


def _seen(policy: Policy, name: str, models: Iterable[str], facts: ProviderFacts, knocked: str | None) -> ProviderSeen:
    spec = policy.providers[name]
    reachable = facts.reachable if knocked is None else not knocked
    origin = policy.provenance.get(dotted(("providers", name)))
    return ProviderSeen(
        name=name,
        declared=origin is not None and origin.layer in (Layer.USER, Layer.ORGANISATION),
        local=spec.locality.value == "local",
        address=None if spec.kind == CLI_KIND else spec.base_url,
        key_variable=spec.key_variable,
        key_there=facts.credentials,
        reachable=reachable,
        detail=knocked or facts.detail,
        models=None if facts.models is None else len(facts.models),
        missing=_missing(spec, models, facts) if facts.reachable else (),
        version=facts.cli.version if facts.cli else None,
        listless=facts.detail if facts.reachable and facts.models is None and facts.cli is None else "",
    )


def _missing(spec: ProviderSpec, models: Iterable[str], facts: ProviderFacts) -> tuple[str, ...]:
    answers = (live_model(ModelRef(spec.name, model), spec.kind, facts) for model in sorted(models))
    return tuple(answer.refusal for answer in answers if answer.refusal)
