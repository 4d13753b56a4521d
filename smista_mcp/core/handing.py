"""Giving a phase to the host: whether that may be, and what the host is told."""

from smista_mcp.core.decision import Handoff
from smista_mcp.core.facts import HostFacts, PhaseContext
from smista_mcp.core.floor import Floor
from smista_mcp.core.modelref import CURRENT
from smista_mcp.core.task import Phase
from smista_mcp.core.values import CAPABILITY_CLASS, Effort, Locality

MAX_PROMPT = 1000
"""Characters of a phase's words that are repeated; the host has them anyway."""
MAX_PATHS = 50
_UNSWITCHED = {
    True: "do it yourself, with the model that you run on",
    False: "this host cannot switch models; do it yourself, with the model that you run on",
}


def may_hand_over(handoff: str, least: Floor, host: HostFacts) -> bool:
    """Whether the host may do a phase for which no candidate is left.

    Never where the phase must stay on this machine and the host's model is elsewhere, and never where a binding rule
    names the models that may serve: which one the host would take nobody here can say.

    Args:
        handoff: `[routing] handoff` of the policy.
        least: the floor of the phase.
        host: the host that calls.
    """
    stays = least.local and host.locality is not Locality.LOCAL
    return handoff == "when_unavailable" and not least.only_models and not stays


def handoff(
    phase: Phase, context: PhaseContext, least: Floor, host: HostFacts, effort: Effort, model: str | None
) -> Handoff:
    """What the host is told to do. `model` is one of its own names; None for its usual one for such work."""
    capability = CAPABILITY_CLASS[phase.intent.name]
    wanted = model or host.models.get(capability, CURRENT)
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
