"""The decision: match, floor, select, for each phase. Pure; the same inputs give the same bytes everywhere."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from functools import partial
from typing import NamedTuple

from smista_mcp.core.adapting import adapted
from smista_mcp.core.affording import Others, affordable, with_mentions
from smista_mcp.core.approval import Permit
from smista_mcp.core.capabilities import capabilities_of
from smista_mcp.core.decision import Decision, Handoff, MatchedRule, Rejected
from smista_mcp.core.digests import keyed
from smista_mcp.core.effective import Policy
from smista_mcp.core.escalating import stronger
from smista_mcp.core.facts import HostFacts, PhaseContext, canonical, sealed, turns_of
from smista_mcp.core.fitting import listed, unsent
from smista_mcp.core.floor import Floor, floor
from smista_mcp.core.foreseen import NO_GROUND, Foreseen, answer_of, ground_of, host_may_build_on, may_build_on
from smista_mcp.core.granting import permissions
from smista_mcp.core.handing import handoff, host_model
from smista_mcp.core.leading import NO_ROUTE, Led, is_of_organisation, lead
from smista_mcp.core.locks import is_fixed
from smista_mcp.core.modelref import HOST
from smista_mcp.core.permitted import Permits
from smista_mcp.core.plugin import Narrowed, Question, narrowed
from smista_mcp.core.policy import Rule
from smista_mcp.core.readtools import narrowed_grants, tools_of
from smista_mcp.core.remedies import remedy
from smista_mcp.core.selection import Ask, Candidate, Selection, select, select_confirmed
from smista_mcp.core.snapshot import Snapshot
from smista_mcp.core.subject import nothing_to_work_on
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import CAPABILITY_CLASS, FAMILY, Grant, Intent, Locality, Status
from smista_mcp.errors import Code


class Routed(NamedTuple):
    """A decision with what dispatch needs to act on it and nobody prints.

    Attributes:
        host_model: the host's name of the model with which it may take over; None where it may not.
        over_limit: candidates that only the rule's cost limit stands against.
        permit: what a person's yes covers; None where nobody gave one.
        escalation: who is asked after a candidate that provably failed.
        answer: what is known of its answer beforehand; None where it will have none of ours.
        barred: whether nothing stands against its candidates but what it builds on, which a person may let go.
    """

    decision: Decision
    phase: Phase
    rule: Rule | None
    floor: Floor
    candidates: tuple[Candidate, ...]
    host_model: str | None = None
    over_limit: tuple[Candidate, ...] = ()
    permit: Permit | None = None
    escalation: tuple[Candidate, ...] = ()
    answer: Foreseen | None = None
    barred: bool = False


def route(
    task: Task,
    phases: Sequence[Phase],
    contexts: Sequence[PhaseContext],
    world: Snapshot,
    *,
    recorded: bool = False,
    hashes: Sequence[Mapping[str, str]] = (),
) -> tuple[Routed, ...]:
    """Decides every phase of a task.

    Args:
        task: what the host delegates.
        phases: how it was read.
        contexts: one for each phase, by place.
        world: policy, catalog and availability.
        recorded: whether the caller's ledger will keep the decision.
        hashes: of each phase by place, the inputs of which nobody has more than the hash; none where all are at hand.
    """
    # a session enters by what its turns bring along, not by its id
    given = {} if hashes else {"task": keyed(world.key, task.model_dump_json(exclude={"session"}).encode())}
    found: dict[int, Routed] = {}
    for phase, context, known in zip(phases, contexts, hashes or (given,) * len(phases), strict=True):
        before = [found[index] for index in phase.depends_on if index in found]
        found[phase.index] = _decide(task, phase, context, world, known, before, recorded=recorded)
    return tuple(found.values())


def _decide(  # noqa: PLR0913  one phase among others
    task: Task,
    phase: Phase,
    context: PhaseContext,
    world: Snapshot,
    known: Mapping[str, str],
    before: Sequence[Routed],
    *,
    recorded: bool,
) -> Routed:
    book, policy = world.rulebook, world.rulebook.policy
    words = count_tokens(phase.text) if context.text_tokens is None else context.text_tokens
    needed = words + required_tokens(context)
    least = floor(book.guard, phase, context, needed)
    led = lead(task, phase, matched_paths(context), world, needed)
    rule = led.placed.rule if led.placed else None
    grants = narrowed_grants(permissions(policy, rule), context.tools)
    ask = Ask(
        intent=phase.intent.name,
        effort=led.effort,
        written=led.written,
        capabilities=capabilities_of(phase, context, rule.requires_capabilities if rule else {}),
        text_tokens=words,
        context=context,
        floor=least,
        cost_limit=rule.cost_limit if rule else None,
        budgets=world.budgets,
        of_organisation=not led.override and is_of_organisation(led, policy),
        tools=tools_of(phase.intent.name, grants, context),
        follows=len(phase.depends_on),
        patches=FAMILY[phase.intent.name] is Intent.EDIT and grants["file_write"] is not Grant.DENY,
        named=led.override,
    )
    choice = _chosen(ask, phase.skill, led, world)
    ground = ground_of(book.guard, phase, [one.answer for one in before if one.answer])
    possible = choice.selection
    choice = choice._replace(selection=may_build_on(ground, possible, world.market))
    selection = choice.selection
    own_rule = None if led.override else rule
    others = partial(_others, skill=phase.skill, led=led, world=world)
    further = stronger(ask, own_rule, selection, others)
    spare = _spare(ask, world)
    offered = spare if host_may_build_on(ground, world.market.host) else None
    verdict = _worthwhile(_verdict(led, least, choice, ask, world, offered), phase, context, before)
    labels = sealed(context, world.key)
    inputs = {
        **world.digests,
        "context": keyed(world.key, canonical(labels)),
        "phase": keyed(world.key, phase.model_dump_json().encode()),
    }
    if earlier := turns_of(labels):
        inputs["session"] = keyed(world.key, canonical(earlier))
    inputs.update(known)
    if ground != NO_GROUND or verdict.blocking is not None:
        inputs["before"] = keyed(world.key, "".join(one.decision.decision_id for one in before).encode())
    chosen = verdict.chosen
    decision = Decision(
        decision_id=hashlib.sha256(json.dumps(inputs, sort_keys=True, separators=(",", ":")).encode()).hexdigest(),
        revision=policy.revision,
        phase=phase.index,
        depends_on=phase.depends_on,
        intent=phase.intent,
        capability_class=CAPABILITY_CLASS[phase.intent.name],
        status=verdict.status,
        code=verdict.code,
        model=chosen.written if chosen else None,
        resolved_model=chosen.resolved if chosen else None,
        effort=led.effort,
        locality=chosen.locality if chosen else None,
        matched_rule=MatchedRule(name=led.placed.rule.name, layer=led.placed.origin.layer) if led.placed else None,
        reason=_told(verdict, ask, policy, lambda other: may_build_on(ground, others(other), world.market)),
        fallbacks=tuple(c.written for c in selection.accepted[1:]),
        rejected=selection.rejected,
        context=listed(chosen.context if chosen else unsent(context)),
        tokens=chosen.tokens if chosen else needed,
        cost=chosen.cost if chosen else None,
        permissions=grants,
        host=world.market.host.name,
        fallback_used=chosen is not None and selection.fell_back,
        override_used=led.override,
        recorded=recorded,
        inputs=inputs,
        tools=chosen.tools if chosen else (),
        escalation=further.report,
        handoff=_handed(phase, ask, verdict, world.market.host, offered),
        away=tuple(c.written for c in (*selection.accepted, *further.candidates) if _goes_unasked(c)),
    )
    answer = answer_of(chosen, least, context, ground) if chosen and chosen.provider != HOST else None
    barred = _is_barred(verdict, possible, selection)
    accepted = () if verdict.code is Code.INVALID_TASK else possible.accepted
    return Routed(
        decision,
        phase,
        rule,
        least,
        accepted,
        spare,
        selection.over_limit,
        escalation=further.candidates,
        answer=answer,
        barred=barred,
    )


def _goes_unasked(candidate: Candidate) -> bool:
    """Whether something would leave for it without a person's yes. What the host does leaves nothing of ours."""
    return candidate.locality is Locality.REMOTE and candidate.provider != HOST and not candidate.needs_approval


def _is_barred(verdict: "_Verdict", possible: Selection, free: Selection) -> bool:
    """Whether candidates are there, and nothing but what the phase builds on keeps it from them."""
    if verdict.status is not Status.REFUSED or not possible.accepted:
        return False
    return verdict.blocking.barred if verdict.blocking is not None else not free.accepted


def _worthwhile(verdict: "_Verdict", phase: Phase, context: PhaseContext, before: Sequence[Routed]) -> "_Verdict":
    """The verdict, or why nobody should be asked: a step before it is refused, or there is nothing to work on."""
    if verdict.status not in (Status.ROUTED, Status.APPROVAL_REQUIRED):
        return verdict
    blocking = next((one for one in before if one.decision.status is Status.REFUSED), None)
    if blocking is not None:
        reason = f"it waits for phase {blocking.phase.index}, which is refused"
        return _Verdict(Status.REFUSED, blocking.decision.code, reason, blocking=blocking)
    looks = verdict.chosen is not None and bool(verdict.chosen.tools)
    missing = nothing_to_work_on(phase, context, looks=looks)
    return _Verdict(Status.REFUSED, Code.INVALID_TASK, missing) if missing else verdict


def matched_paths(context: PhaseContext) -> list[str]:
    """The paths that conditions of rules see: those that a phase works on, a directory by the files read in it."""
    named = [path.path for path in context.paths if path.required]
    files = [item.forms[0] for item in context.items if item.required and item.kind == "file" and item.forms]
    if not files:
        return named
    kept = [path for path in named if not path.endswith("/") or not any(file.startswith(path) for file in files)]
    return list(dict.fromkeys((*kept, *files)))


def required_tokens(context: PhaseContext) -> int:
    """Tokens of the context that must go along, with factor 1."""
    return sum(item.tokens for item in context.items if item.required)


class _Choice(NamedTuple):
    """What may serve, after the plugin.

    Attributes:
        displaced: the local model that would come first, had files that nobody has confirmed not ruled it out for a
            remote one. Such a file may narrow; that a remote model comes first because of it is not its to say.
        said: what evidence and plugin changed.
    """

    selection: Selection
    plugin: Narrowed | None = None
    displaced: str | None = None
    said: str = ""


def _chosen(ask: Ask, skill: str | None, led: Led, world: Snapshot) -> _Choice:
    if led.refusal is not None:
        return _Choice(Selection((), ()))
    found, said = _learnt(select(ask, world.market), ask, world)
    if world.plugin is None:
        return _Choice(found, displaced=_displaced(found, ask, world), said=said)
    tokens = ask.text_tokens + required_tokens(ask.context)
    rule = led.placed.rule.name if led.placed else None
    question = Question(ask.intent, skill, ask.effort, matched_paths(ask.context), tokens, rule)
    narrower = narrowed(world.plugin, question, found)
    said = "; ".join(filter(None, (said, narrower.said)))
    return _Choice(narrower.selection, narrower, _displaced(narrower.selection, ask, world, question), said)


def _learnt(found: Selection, ask: Ask, world: Snapshot) -> tuple[Selection, str]:
    """The verdicts in the order that evidence gives them, and what it changed."""
    after = adapted(found, ask, world.rulebook.policy, world.evidence, world.market.host.name)
    return after.selection, after.said


def _others(ask: Ask, skill: str | None, led: Led, world: Snapshot) -> Selection:
    """The verdicts on other targets of a phase; none serves where a file that nobody has confirmed would decide."""
    choice = _chosen(ask, skill, led, world)
    return choice.selection if choice.displaced is None else choice.selection._replace(accepted=())


def _displaced(found: Selection, ask: Ask, world: Snapshot, question: Question | None = None) -> str | None:
    first = found.accepted[0] if found.accepted else None
    if first is None or first.locality is Locality.LOCAL or first.provider == HOST:
        return None
    own = select_confirmed(ask, world.market)
    if own is None:
        return None
    own, _ = _learnt(own, ask, world)
    if question is not None:  # what would have come first goes through the same hands; where those fail, as it stands
        judged = narrowed(world.plugin, question, own)
        own = own if judged.refusal else judged.selection
    return own.accepted[0].written if own.accepted and own.accepted[0].locality is Locality.LOCAL else None


class _Verdict(NamedTuple):
    status: Status
    code: Code | None
    reason: str
    chosen: Candidate | None = None
    blocking: Routed | None = None


def _verdict(led: Led, least: Floor, choice: _Choice, ask: Ask, world: Snapshot, spare: str | None) -> _Verdict:
    if led.refusal is not None:
        return _without_route(led, spare)
    selection, plugin = choice.selection, choice.plugin
    if plugin is not None and plugin.refusal is not None:
        return _Verdict(Status.REFUSED, Code.POLICY_INVALID, plugin.refusal)
    if selection.accepted:
        if choice.displaced is not None:
            return _asked_first(choice.displaced, selection.accepted[0], world.rulebook.policy)
        return _accepted(led, selection.accepted[0], least, choice.said, world.rulebook.policy)
    rejected = selection.rejected
    first = rejected[0] if rejected else Rejected(model="", code=Code.NO_ROUTE, detail=NO_ROUTE)
    if selection.over_limit:
        cheapest = min(selection.over_limit, key=lambda c: Decimal(c.cost.max) if c.cost else Decimal(0))
        detail = next((r.detail for r in rejected if r.model == cheapest.written), "")
        reason = f"every candidate is over the limit; the cheapest, `{cheapest.written}`, {detail}"
        return _Verdict(Status.APPROVAL_REQUIRED, Code.APPROVAL_REQUIRED, reason, cheapest)
    budget = next((r for r in rejected if r.code is Code.BUDGET_EXCEEDED), None)
    if plugin is not None and plugin.dropped:  # whatever else stood against others: these could have served
        first, budget = plugin.dropped, None
    if budget is not None:
        return _Verdict(Status.REFUSED, Code.BUDGET_EXCEEDED, f"`{budget.model}` {budget.detail}")
    # a call that names a model wants that one: to be told why not, rather than to do the work itself
    if not led.override and spare is not None:
        return _Verdict(
            Status.HANDOFF, first.code, f"no candidate is left, so the host does it: `{first.model}` {first.detail}"
        )
    instead = "" if first.undeclared else remedy(first.code, model=first.model)
    reason = f"`{first.model}` is not possible: {first.detail}{f'; {instead}' if instead else ''}"
    return _Verdict(Status.REFUSED, first.code, reason)


def _without_route(led: Led, spare: str | None) -> _Verdict:
    code, text = led.refusal or (Code.NO_ROUTE, NO_ROUTE)
    if code is Code.NO_ROUTE and spare is not None:
        return _Verdict(Status.HANDOFF, code, f"{text}, so the host does it")
    return _Verdict(Status.REFUSED, code, text)


def _accepted(led: Led, chosen: Candidate, least: Floor, said: str, policy: Policy) -> _Verdict:
    why = (
        "named by the call" if led.override else f"rule `{led.placed.rule.name}`" if led.placed else "the default route"
    )
    why += f"; {said}" if said else ""
    if chosen.provider == HOST:
        return _Verdict(Status.HANDOFF, None, f"{why} gives it to the host", chosen)
    if not chosen.facts.known and chosen.facts.nearest and chosen.locality is Locality.REMOTE:
        near = ", ".join(f"`{name}`" for name in chosen.facts.nearest)
        why += f"; `{chosen.written}` is in no catalog and used as written (nearest: {near})"
    if least.reasons:
        why += f"; must stay on this machine: {'; '.join(least.reasons[:3])}"
    if chosen.needs_approval:
        fixed = asking_is_fixed(policy)
        way = "only your organisation can change that" if fixed else '`[privacy.remote] mode = "allow"` does not ask'
        reason = f"{why}; the policy asks before anything goes to a remote model; {way}"
        return _Verdict(Status.APPROVAL_REQUIRED, Code.APPROVAL_REQUIRED, reason, chosen)
    return _Verdict(Status.ROUTED, None, why, chosen)


def asking_is_fixed(policy: Policy) -> bool:
    """Whether the organisation has settled if anybody is asked before content goes to a remote model."""
    return is_fixed(("privacy", "remote", "mode"), policy.locked, policy.provenance.get("privacy.remote.mode"))


def _asked_first(lost: str, chosen: Candidate, policy: Policy) -> _Verdict:
    reason = (
        f"`{lost}` runs here and would come first; {', '.join(policy.unconfirmed)} rules it out, which nobody has"
        f" confirmed, so that `{chosen.written}` would get the task; take that out, or write it into your own policy"
    )
    return _Verdict(Status.APPROVAL_REQUIRED, Code.APPROVAL_REQUIRED, reason, chosen)


def _told(verdict: "_Verdict", ask: Ask, policy: Policy, others: Others) -> str:
    """The reason, with what there is to say of money."""
    if verdict.code is Code.BUDGET_EXCEEDED and verdict.blocking is None:
        return f"{verdict.reason}; {affordable(ask, policy, others)}"
    return with_mentions(verdict.reason, ask, verdict.chosen)


def _spare(ask: Ask, world: Snapshot) -> str | None:
    """With which of its models the host may do the phase where no candidate is left; None where it may not."""
    market = world.market
    permits = Permits(market.policy, market.catalog)  # where rules name models, the host has none anyway
    return host_model(market.policy.handoff, ask.intent, ask.floor, market.host, permits)


def _handed(phase: Phase, ask: Ask, verdict: _Verdict, host: HostFacts, spare: str | None) -> Handoff | None:
    model = verdict.chosen.facts.ref.model if verdict.chosen else spare
    if verdict.status is not Status.HANDOFF or model is None:
        return None
    return handoff(phase, ask.context, ask.floor, host, ask.effort, model)
