"""Giving a phase to the host: whether that may be, with which of its models, and what the host is told."""

from smista_mcp.core.decision import Handoff
from smista_mcp.core.facts import HostFacts, PhaseContext
from smista_mcp.core.floor import Floor
from smista_mcp.core.modelref import CURRENT, HOST
from smista_mcp.core.permitted import Permits
from smista_mcp.core.task import Phase
from smista_mcp.core.values import CAPABILITY_CLASS, Effort, Intent, Locality

MAX_PROMPT = 1000
"""Characters of a phase's words that are repeated; the host has them anyway."""
MAX_PATHS = 50
_UNSWITCHED = {
    True: "do it yourself, with the model that you run on",
    False: "this host cannot switch models; do it yourself, with the model that you run on",
}


def host_model(handoff: str, intent: Intent, least: Floor, host: HostFacts, permits: Permits) -> str | None:
    """The host's name of the model with which it does a phase for which no candidate is left; None where it may not.

    Never where the phase must stay on this machine and the host's model is elsewhere, and never where a binding rule
    names the models that may serve: which one the host would take nobody here can say. `[models]` holds for the host's
    models by the names that a route would give them, `host/MODEL` and `host/current`.

    Args:
        handoff: `[routing] handoff` of the policy.
        intent: of the phase.
        least: the floor of the phase.
        host: the host that calls.
        permits: what the policy says of models' names.
    """
    stays = least.local and host.locality is not Locality.LOCAL
    if handoff != "when_unavailable" or least.only_models or stays:
        return None
    usual = host.models.get(CAPABILITY_CLASS[intent], CURRENT) if host.switch_step else CURRENT
    wanted = (name for name in dict.fromkeys((usual, CURRENT)) if permits.refusal_of_host(f"{HOST}/{name}") is None)
    return next(wanted, None)


def handoff(phase: Phase, context: PhaseContext, least: Floor, host: HostFacts, effort: Effort, wanted: str) -> Handoff:
    """What the host is told to do. `wanted` is one of its own names for a model, or `current`."""
    capability = CAPABILITY_CLASS[phase.intent.name]
    step = host.switch_step.replace("{model}", wanted) if host.switch_step and wanted != CURRENT else None
    withheld = least.withheld if host.locality is Locality.REMOTE else {}
    needed = (item.path for place, item in enumerate(context.items) if item.required and place not in withheld)
    return Handoff.model_construct(
        prompt=phase.text if len(phase.text) <= MAX_PROMPT else f"{phase.text[:MAX_PROMPT]} …",
        capability_class=capability,
        intent=str(phase.intent.name),
        effort=effort,
        context=tuple(needed)[:MAX_PATHS],
        step=step,
        detail=step or _UNSWITCHED[bool(host.switch_step)],
    )
