"""Labels travel: what an answer is made from decides who may see it, and most of that is known before it is there.

A step that builds on an answer which must stay on this machine is decided with that, not refused later.
"""

from collections.abc import Collection, Iterable, Sequence
from typing import NamedTuple

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.decision import Rejected
from smista_mcp.core.effective import Policy
from smista_mcp.core.facts import HostFacts, PhaseContext
from smista_mcp.core.floor import ANY_SIZE, Floor, Guard, bound_by
from smista_mcp.core.modelref import HOST, ModelRef, parse_target
from smista_mcp.core.permitted import Permits
from smista_mcp.core.redaction import shown
from smista_mcp.core.selection import Candidate, Market, Selection
from smista_mcp.core.task import Phase
from smista_mcp.core.values import Label, Locality
from smista_mcp.errors import Code

_WHY: dict[Label, str] = {
    "restricted": "it builds on an answer made from restricted content",
    "local": "it builds on an answer that a local_only rule keeps here",
}


class Foreseen(NamedTuple):
    """The answer of a phase as far as it is known beforehand.

    Attributes:
        label: what it will be labelled, if the first candidate gives it.
        forms: of every path that this candidate is given something of.
    """

    label: Label | None = None
    forms: tuple[str, ...] = ()


class Ground(NamedTuple):
    """What a phase builds on, and what binds it because of that.

    Attributes:
        label: the strictest of the answers'.
        local: names of local_only rules; `only` are lists of which the model must be, each of them.
    """

    label: Label | None = None
    forms: tuple[str, ...] = ()
    local: tuple[str, ...] = ()
    only: tuple[tuple[str, ...], ...] = ()


NO_GROUND = Ground()


def label_of(least: Floor, places: Collection[int], inherited: Iterable[Label | None]) -> Label | None:
    """The label of an answer.

    Args:
        least: the floor of the phase.
        places: places of the context items that the model was given.
        inherited: labels of the earlier answers that it was given.
    """
    labels = set(inherited)
    marked = least.withheld.keys() & set(places)
    if least.restricted or "restricted" in labels or marked - least.kept:
        return "restricted"
    return "local" if least.bound or "local" in labels or marked else None


def ground_of(guard: Guard, phase: Phase, answers: Sequence[Foreseen]) -> Ground:
    """What a phase builds on that waits for these answers."""
    labels = {answer.label for answer in answers}
    label: Label | None = "restricted" if "restricted" in labels else "local" if "local" in labels else None
    forms = tuple(dict.fromkeys(form for answer in answers for form in answer.forms))
    return Ground(label, forms, *bound_by(guard, phase, forms, ANY_SIZE)) if label or forms else NO_GROUND


def answer_of(candidate: Candidate, least: Floor, context: PhaseContext, ground: Ground) -> Foreseen:
    """What a candidate's answer will be."""
    given = [context.items[place] for place in candidate.included]
    rule: Label | None = "local" if ground.local else None
    label = label_of(least, candidate.included, (ground.label, rule, *(item.derived for item in given)))
    forms = dict.fromkeys((*(form for item in given for form in item.forms), *ground.forms))
    return Foreseen(label, tuple(forms))


def may_build_on(ground: Ground, found: Selection, market: Market) -> Selection:
    """The verdicts with those candidates rejected that must not be given what the phase builds on."""
    if ground == NO_GROUND:
        return found
    stands = [(candidate, _objection(ground, candidate, market)) for candidate in found.accepted]
    free = tuple(candidate for candidate, why in stands if why is None)
    return found._replace(
        accepted=free,
        rejected=(*found.rejected, *(why for _, why in stands if why is not None)),
        over_limit=tuple(one for one in found.over_limit if _objection(ground, one, market) is None),
        fell_back=bool(free) and (found.fell_back or free[0] is not found.accepted[0]),
    )


def host_may_build_on(ground: Ground, host: HostFacts) -> bool:
    """Whether the host may do the phase on whatever model it has."""
    return not ground.only and (host.locality is Locality.LOCAL or not (ground.label or ground.local))


def _objection(ground: Ground, candidate: Candidate, market: Market) -> Rejected | None:
    if candidate.locality is not Locality.LOCAL:
        why = _WHY[ground.label] if ground.label else ""
        if not why and ground.local:
            why = f"it builds on what rule `{shown(ground.local[0])}` keeps on this machine"
        if why:
            return Rejected(model=candidate.written, code=Code.RESTRICTED_CONTENT, detail=why)
    why = not_one_of(market.policy, market.catalog, candidate, ground.only) if ground.only else None
    if why is None:
        return None
    text = f"{why}, and it builds on what that rule is about"
    return Rejected(model=candidate.written, code=Code.MODEL_NOT_ALLOWED, detail=text)


def not_one_of(policy: Policy, catalog: Catalog, candidate: Candidate, lists: Sequence[tuple[str, ...]]) -> str | None:
    """Why a candidate is not of each of these lists of targets; None where it is.

    `[models]` was looked at when the candidate was accepted.
    """
    permits = Permits(policy._replace(allowed=(), denied=()), catalog, lists)
    if candidate.provider == HOST:
        return permits.refusal_of_host(candidate.written)
    sent, spec = parse_target(candidate.resolved), policy.providers.get(candidate.provider)
    if spec is None or not isinstance(sent, ModelRef):
        return "nobody knows what it is called"
    return permits.refusal(candidate.resolved, sent, spec.kind)
