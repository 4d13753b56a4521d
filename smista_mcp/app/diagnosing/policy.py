"""The policy in force and its layers, as they are read for every decision."""

import threading
from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.app.trusting import workspace_files, workspace_skills
from smista_mcp.app.world import World
from smista_mcp.core.diagnosis.policies import LayerSeen, PolicySeen
from smista_mcp.core.effective import Policy
from smista_mcp.core.findings import Finding
from smista_mcp.core.values import Layer
from smista_mcp.errors import OrgPolicyInvalid, PolicyInvalid, SmistaError
from smista_mcp.loading.layers import Reading, examine, load, read_layers

_EXAMINED_S = 2.0


class PolicyLooked(NamedTuple):
    """What was seen, and the policy itself; None where none can be used."""

    seen: PolicySeen
    policy: Policy | None


def policy_looked(world: World) -> PolicyLooked:
    """Reads all layers and checks them."""
    try:
        reading = read_layers(world.settings)
    except OrgPolicyInvalid as refusal:
        return PolicyLooked(PolicySeen(refusal=(refusal.message, refusal.fix)), None)
    policy, refused = _loaded(world)
    found = _examined(reading)
    checked = found is not None
    findings = tuple(dict.fromkeys((*(found or reading.findings), *refused)))
    layers = tuple(
        LayerSeen(one.layer.value, _shown(one.layer, one.file or ""), one.trusted) for one in reading.documents
    )
    rules = len(policy.rules) if policy else 0
    return PolicyLooked(PolicySeen(layers, None, findings, checked, rules, _unconfirmed(world)), policy)


def _shown(layer: Layer, name: str) -> str:
    return name.removeprefix("policies/").removesuffix(".toml") if layer is Layer.PRESET else name


def _loaded(world: World) -> tuple[Policy | None, Sequence[Finding]]:
    try:
        return load(world.settings).policy, ()
    except PolicyInvalid as refusal:
        return None, tuple(one for one in refusal.problems if isinstance(one, Finding))


def _examined(reading: Reading) -> tuple[Finding, ...] | None:
    """What `policy check` would say; None where it has no time for that."""
    found: list[tuple[Finding, ...]] = []
    thread = threading.Thread(target=lambda: found.append(examine(reading)), name="policy check", daemon=True)
    thread.start()
    thread.join(_EXAMINED_S)
    return found[0] if found else None


def _unconfirmed(world: World) -> tuple[str, ...]:
    if world.settings.workspace is None or world.settings.trust_workspace:
        return ()
    try:
        files = tuple(one.name for one in workspace_files(world) if not one.trusted)
        return (*files, *(one.shown for one in workspace_skills(world) if not one.trusted))
    except SmistaError:  # told as an error of the policy
        return ()
