"""The answer of `dispatch` from what became of the phases: what the host is told to do next, and what its user may."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from smista_mcp.app.consents import Asked
from smista_mcp.core.asked import cost_words, phase_words
from smista_mcp.core.costing import usd
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase, Withheld, overall
from smista_mcp.core.redaction import redacted
from smista_mcp.core.remedies import remedy
from smista_mcp.core.routing import Routed
from smista_mcp.dispatch.outcomes import cancelled, without_words
from smista_mcp.dispatch.releases import Done, stands
from smista_mcp.errors import Code

MADE_FROM_RESTRICTED = "was made from restricted content"
_CHANGED = "the policy has changed since this was answered: dispatch the task again to have it judged anew"
_SHORT = 8
"""Characters of an id that `smista-mcp approve` needs."""


def told(phases: Sequence[DispatchedPhase], asked: Asked, job_id: str, notices: tuple[str, ...] = ()) -> DispatchAnswer:
    """The whole answer.

    Args:
        phases: what became of each.
        asked: what people were asked because of it.
        job_id: with which the host waits for, or goes on with, this job.
        notices: what a person should know of the policy in force.
    """
    releases = asked.releases or {}
    shown = tuple(_shown(phase, releases.get(phase.phase), (asked.held or {}).get(phase.phase)) for phase in phases)
    status = overall(shown)
    codes = [phase.code for phase in shown if phase.status == status and phase.code]
    traces = [phase.trace_id for phase in shown if phase.trace_id]
    return DispatchAnswer(
        status=status,
        code=codes[0] if codes else None,
        phases=shown,
        cost=_cost(shown),
        next=_next(shown, asked, job_id),
        approval_id=asked.call_id or next(iter(releases.values()), None),
        receipt_id=traces[0] if traces else None,
        trace_id=traces[0] if traces else None,
        notices=notices,
    )


def cut_short(routed: Sequence[Routed], kept: Mapping[int, Done]) -> DispatchAnswer:
    """The answer of a job that was cancelled: what was done of it by then, and that the rest was not."""
    done = [(one, stands(kept, one)) for one in routed]
    phases = tuple(one.phase if one is not None else cancelled(undone) for undone, one in done)
    answer = told(phases, Asked(), "")
    return answer.model_copy(update={"status": "failed", "code": Code.CANCELLED})


def _cost(phases: Sequence[DispatchedPhase]) -> str | None:
    """What all phases have cost together; one for which nobody was asked has cost nothing."""
    asked = [phase.cost for phase in phases if phase.trace_id is not None or phase.cost is not None]
    known = [Decimal(cost) for cost in asked if cost is not None]
    return usd(sum(known, Decimal(0))) if len(known) == len(asked) else None


def has_labels(answer: DispatchAnswer) -> bool:
    """Whether a text of the answer is labelled, or may repeat what is."""
    return any(phase.plain or (phase.label is not None and phase.answer is not None) for phase in answer.phases)


def without_labelled(answer: DispatchAnswer) -> DispatchAnswer:
    """The answer without the texts that are labelled: what let them be shown may hold no longer."""
    changed = {"answer": None, "patch": None, "released": False, "code": Code.ANSWER_WITHHELD, "detail": _CHANGED}
    phases = tuple(
        phase.model_copy(update=changed) if phase.label is not None and phase.answer is not None else phase
        for phase in map(without_words, answer.phases)
    )
    return answer.model_copy(update={"phases": phases})


def _shown(phase: DispatchedPhase, release_id: str | None, held: str | None) -> DispatchedPhase:
    changed: dict[str, object] = {"detail": redacted(phase.detail), "plain": redacted(phase.plain)}
    if phase.withheld is not None:
        why = {} if held is None else {"held": held}
        changed["withheld"] = phase.withheld.model_copy(update={"approval_id": release_id, **why})
    return phase.model_copy(update=changed)


def _next(phases: Sequence[DispatchedPhase], asked: Asked, job_id: str) -> str | None:
    """What the host should do now, in words."""
    changing = [phase.phase for phase in phases if phase.patch is not None or (phase.withheld and phase.withheld.patch)]
    steps = [step for phase in phases for step in [_step(phase, job_id, changing)] if step]
    if asked.call is not None and asked.call_id is not None:
        sent = "\n".join(redacted(phase_words(phase)) for phase in asked.call.phases)
        steps.append(
            f"Waiting for your user's yes:\n{sent}\n{cost_words(asked.call.most)}. Tell your user that"
            f" `smista-mcp approve {asked.call_id[:_SHORT]}`, run in a terminal of their own, shows all of it and asks;"
            f' then call dispatch with job_id "{job_id}" alone. Only a person can say yes: do not run it yourself'
        )
    if asked.refused:
        steps.append(asked.refused)
    return "\n".join(steps) or None


def _step(phase: DispatchedPhase, job_id: str, changing: Sequence[int]) -> str | None:
    """What to do about one phase; `changing` are all that have a patch: a later one may build on those before it."""
    name, detail = f"phase {phase.phase} ({phase.intent})", phase.plain or phase.detail
    if phase.status == "handoff":
        return f"{name} is yours: {phase.handoff.detail}" if phase.handoff else f"{name} {detail}"
    if phase.status == "approval_required":
        return f"{name} needs a person: {detail}"
    if phase.withheld is not None:
        return _withheld(name, phase.withheld, job_id)
    if phase.patch is not None:
        asking = "once your user agrees, " if phase.file_write == "ask" else ""
        earlier = [str(index) for index in changing if index < phase.phase]
        order = f", after that of phase {' and '.join(earlier)}" if earlier else ""
        return f"{name}: nothing was written; {asking}apply `patch` as it is with `git apply -` in the workspace{order}"
    if phase.code is Code.PATCH_DOES_NOT_APPLY and phase.answer is not None:
        return f"{name}: {detail}; `answer` is what the model wrote, make the change by hand from it"
    if phase.status not in ("failed", "refused"):
        return None
    if phase.waits_for is not None:
        return f"{name} {waited(phase.waits_for)}"
    own = phase.instead or remedy(phase.code, model=phase.model)
    instead = "" if phase.code is Code.APPROVAL_REQUIRED else own  # a person said no: that stands
    return f"{name}, {phase.code}: {instead}" if instead else f"{name}: {detail}"


def waited(blocking: int) -> str:
    """What to do about a phase that was not tried; goes on from its name."""
    return (
        f"was not tried, because it waits for phase {blocking}: once that can be done, dispatch the words of that phase"
        " and of this one alone; what completed stands, and is not paid for again"
    )


def _withheld(name: str, kept: Withheld, job_id: str) -> str:
    text = (
        f"the answer of {name} {kept.reason or MADE_FROM_RESTRICTED}, so it is for your user alone: {kept.bytes} bytes"
        f" in {kept.path}, which they open themselves. Do not open it: your provider would see it"
    )
    if kept.patch is not None:
        text += f'. They apply its patch with `git apply "{kept.patch}"` in the workspace; nothing was written'
    if kept.approval_id is None:
        return f"{text}. It is not released to you: {kept.held or 'nobody can be asked'}"
    return (
        f"{text}. To let you have it they run `smista-mcp approve {kept.approval_id[:_SHORT]}` in a terminal of"
        f' their own, which shows the text; then call dispatch with job_id "{job_id}" alone'
    )
