"""What servers there are right now: asked once, kept for a moment, never more than a policy or a call names."""

from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from types import MappingProxyType

from smista_mcp.core.addresses import parse_address
from smista_mcp.core.affording import targets
from smista_mcp.core.effective import Policy, ProviderSpec
from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.modelref import LOCAL_CLASS, PROTOCOL_KIND, ClassRef, parse_target
from smista_mcp.core.values import Locality
from smista_mcp.providers.factcache import known_facts
from smista_mcp.providers.probe import ProbeTarget

Secret = Callable[[str], str | None]

EMBEDDED_WINDOW = 8192
"""Tokens of the window that an embedded model gets at most: its memory grows with it."""


_ASKED = ("ollama", "openai-compat")
"""Kinds whose servers on this machine are asked what they have. What speaks a vendor's own protocol here stands in for
the vendor, and may have no list."""


def named_models(policy: Policy, by_call: str | None) -> dict[str, set[str]]:
    """Provider -> models that the policy's routes and classes, or the call, name; all local ones for `class:local`.

    Raises:
        ValueError: the call's name can be no model.
    """
    found: dict[str, set[str]] = {}
    for target in (*targets(policy), *(() if by_call is None else (by_call,))):
        ref = parse_target(target)
        if isinstance(ref, ClassRef):
            if ref.name == LOCAL_CLASS:
                for name, spec in policy.providers.items():
                    if spec.locality is Locality.LOCAL:
                        found.setdefault(name, set())
        elif ref.provider in policy.providers:
            found.setdefault(ref.provider, set()).add(ref.model)
    return found


def _none_unfit(name: str) -> str:
    del name
    return ""


def availability(  # noqa: PLR0913  the world by its parts
    policy: Policy,
    named: Mapping[str, Iterable[str]],
    secret: Secret,
    state: Path | None,
    *,
    now: float,
    variables: Mapping[str, str] = MappingProxyType({}),
    unfit: Callable[[str], str] = _none_unfit,
) -> dict[str, ProviderFacts]:
    """The facts of every named provider.

    Servers on this machine are asked what they have, for 300 ms at most; remote providers are not asked at all: whether
    their key is there is all that counts.

    Args:
        policy: the policy in force.
        named: provider -> models that matter.
        secret: gives the value of a key's variable, None where it is unset.
        state: our own folder, where answers are kept for a moment; None where there is none to be believed.
        now: seconds since the epoch.
        variables: of the environment, for CLIs: where they are, and what login they have.
        unfit: tells why the protocol that a package offers under a name cannot be spoken; empty where it can.
    """
    targets: list[ProbeTarget] = []
    found: dict[str, ProviderFacts] = {}
    for name, models in sorted(named.items()):
        spec = policy.providers[name]
        key = secret(spec.key_variable) if spec.key_variable else None
        lacks_key = spec.key_required and key is None
        if spec.kind == "llamacpp":
            found[name] = _embedded(spec, state)
        elif spec.kind == CLI_KIND:
            found[name] = _cli(spec, variables)
        elif lacks_key:  # nothing can be asked of it, so nobody has to be asked whether it is there
            found[name] = ProviderFacts(spec.locality, credentials=False)
        elif spec.kind == PROTOCOL_KIND:
            why = unfit(spec.protocol or "")
            found[name] = ProviderFacts(spec.locality, reachable=False if why else None, detail=why)
        elif spec.kind in _ASKED and spec.base_url is not None and parse_address(spec.base_url).loopback:
            wanted = tuple(sorted(models))
            targets.append(ProbeTarget(name, spec.kind, spec.base_url, spec.locality, key, wanted))
        else:
            found[name] = ProviderFacts(spec.locality)
    found.update(known_facts(targets, cache=state / "servers.json" if state else None, now=now))
    return found


def _embedded(spec: ProviderSpec, state: Path | None) -> ProviderFacts:
    if state is None and spec.models_dir is None:
        return ProviderFacts(spec.locality, reachable=False, detail="the state folder with its models is not believed")
    from smista_mcp.providers.gguf_models import llamacpp_facts  # noqa: PLC0415  only a policy that names one needs it

    facts = llamacpp_facts(models_folder(spec, state or Path()))
    there = {
        name: model._replace(context_window=min(model.context_window or EMBEDDED_WINDOW, EMBEDDED_WINDOW))
        for name, model in (facts.models or {}).items()
    }
    return facts._replace(models=there)


def _cli(spec: ProviderSpec, variables: Mapping[str, str]) -> ProviderFacts:
    from smista_mcp.providers.cli_finding import cli_facts  # noqa: PLC0415  only a policy that names one needs it

    return cli_facts(spec, variables)


def models_folder(spec: ProviderSpec, state: Path) -> Path:
    """Where the model files of an embedded provider lie."""
    return Path(spec.models_dir).expanduser() if spec.models_dir else state / "models"
