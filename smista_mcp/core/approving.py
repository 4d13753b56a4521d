"""Decisions that wait for a person, and what becomes of them once somebody has said yes. Pure."""

import hashlib
import json
from collections.abc import Sequence
from decimal import Decimal

from smista_mcp.core.approval import Approved, Need, Permit
from smista_mcp.core.asked import AskedCall, Step, asked_call, covering, permit
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.inputs import approval_body
from smista_mcp.core.modelref import HOST
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.core.snapshot import Snapshot, digest
from smista_mcp.core.task import Task
from smista_mcp.core.values import Locality, Status


def call_of(
    task: Task, routed: Sequence[Routed], contexts: Sequence[PhaseContext], world: Snapshot, owner: str = ""
) -> AskedCall | None:
    """What a person would be asked for a call; None where nothing of it needs a yes, or none could be recognised.

    One request stands for the whole call: every phase that waits for a yes, and every remote model that a phase would
    fall back to.
    """
    if not world.key:
        return None  # without a key of this installation anybody could make up the key of a call
    found = (_step(one, context) for one, context in zip(routed, contexts, strict=True))
    steps = [step for step in found if step is not None]
    return asked_call(task, steps, world.market.policy.providers, world.key, owner) if steps else None


def with_approvals(
    task: Task, routed: Sequence[Routed], contexts: Sequence[PhaseContext], world: Snapshot, owner: str = ""
) -> tuple[Routed, ...]:
    """The decisions with every yes that covers this very call; as they are where there is none."""
    call = call_of(task, routed, contexts, world, owner) if world.approvals else None
    held = covering(call, world.approvals) if call is not None else None
    return tuple(routed) if held is None else permitted(routed, contexts, held)


def permitted(routed: Sequence[Routed], contexts: Sequence[PhaseContext], held: Approved) -> tuple[Routed, ...]:
    """The decisions with a yes that is known to cover their call."""
    return tuple(_permitted(one, context, held) for one, context in zip(routed, contexts, strict=True))


def _step(one: Routed, context: PhaseContext) -> Step | None:
    """The phase as a person is asked about it; None where nobody has to be asked."""
    decision = one.decision
    waits = decision.status is Status.APPROVAL_REQUIRED
    if not waits and decision.status is not Status.ROUTED and not one.barred:
        return None
    needs: set[Need] = set()
    asked = (*one.candidates, *one.escalation)
    targets = tuple(candidate for candidate in asked if candidate.needs_approval)
    if waits and not one.candidates:
        targets = _cheapest(one.over_limit)
        needs.add("cost")
    elif waits and not _named(one.candidates, decision.model).needs_approval:
        targets = tuple(c for c in asked if c.locality is Locality.REMOTE and c.provider != HOST)
        needs.add("unconfirmed")
    if not targets:
        return None
    if any(candidate.needs_approval for candidate in targets):
        needs.add("remote")
    return Step(
        phase=one.phase,
        context=context,
        withheld=one.floor.withheld,
        targets=targets,
        most=tuple(None if target.cost is None else target.cost.max for target in targets),
        needs=frozenset(needs),
        reason=decision.reason,
        later=not waits,
    )


def _cheapest(over_limit: Sequence[Candidate]) -> tuple[Candidate, ...]:
    """The one that a person is asked about where every candidate is over the limit: the least that would do."""
    priced = [candidate for candidate in over_limit if candidate.cost is not None]
    return (min(priced, key=lambda c: Decimal(c.cost.max if c.cost else 0)),) if priced else ()


def _permitted(one: Routed, context: PhaseContext, held: Approved) -> Routed:
    step = _step(one, context)
    if step is None:
        return one
    decision = one.decision
    covered = permit(held, step)
    if one.barred:  # what it builds on still has to be let go
        return one._replace(permit=covered, escalation=_as_shown(one.escalation, covered))
    chosen = _as_shown(one.candidates or step.targets, covered)
    first = _named(chosen, decision.model)
    inputs = {**decision.inputs, "approvals": digest(approval_body(held))}
    waited = decision.status is Status.APPROVAL_REQUIRED
    decision = decision.model_copy(
        update={
            "inputs": inputs,
            "decision_id": hashlib.sha256(
                json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()
            ).hexdigest(),
            "status": Status.ROUTED,
            "code": None,
            "reason": f"a person has approved it: {decision.reason}" if waited else decision.reason,
            "model": first.written,
            "resolved_model": first.resolved,
            "tools": first.tools,
            "rejected": tuple(gone for gone in decision.rejected if gone.model != first.written),
        }
    )
    return one._replace(
        decision=decision, candidates=chosen, permit=covered, escalation=_as_shown(one.escalation, covered)
    )


def _named(candidates: Sequence[Candidate], written: str | None) -> Candidate:
    """The one that the decision names: those before it must not have what the phase builds on."""
    return next((one for one in candidates if one.written == written), candidates[0])


def _as_shown(candidates: Sequence[Candidate], covered: Permit) -> tuple[Candidate, ...]:
    """What a person has seen is what goes: a model that was approved so looks at nothing else."""
    return tuple(one._replace(tools=()) if one.resolved in covered.models else one for one in candidates)
