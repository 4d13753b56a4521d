"""What became of a phase, as the host is told."""

from collections.abc import Sequence
from dataclasses import asdict, replace
from decimal import Decimal
from typing import Literal

from smista_mcp.core.costing import usd
from smista_mcp.core.decision import Handoff
from smista_mcp.core.dispatched import DispatchedPhase, Withheld
from smista_mcp.core.explained import UsageReport
from smista_mcp.core.explanation import instead
from smista_mcp.core.remedies import remedy
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import Grant, Status
from smista_mcp.dispatch.answered import Answered, Failed, summed
from smista_mcp.dispatch.deadlines import is_unsent_for_time
from smista_mcp.dispatch.reactions import cause_of, reaction
from smista_mcp.errors import Cause, Code, ProviderError, StateUnavailable
from smista_mcp.providers.base import Usage

Undone = Literal["failed", "refused", "approval_required", "handoff"]
_UNDONE: dict[Status, Undone] = {
    Status.REFUSED: "refused",
    Status.APPROVAL_REQUIRED: "approval_required",
    Status.HANDOFF: "handoff",
}
_INCOMPLETE = "possibly_incomplete"
_CUT = {
    "length": "the answer was cut at its length limit",
    "content_filter": "the provider's content filter ended the answer",
    "unknown": f"{_INCOMPLETE}: the answer ended for a reason that is not known",
    "tool_calls": f"{_INCOMPLETE}: the answer ended to call a tool, and no call of it can be followed",
}
_STANDS = {"failed": "failed", "refused": "is refused", "approval_required": "waits for a person"}
_WRITES: dict[Grant, Literal["allow", "ask"]] = {Grant.ALLOW: "allow", Grant.ASK: "ask"}
_UNSAID = "what else was said of it may repeat content that is not shown"
_DUPLICATE = "possible_duplicate_charge: a request that was not completed may have been charged"


def decided(routed: Routed) -> DispatchedPhase:
    """A phase that its decision gives to no model of ours."""
    status = _UNDONE[routed.decision.status]
    decision = routed.decision
    phase = _undone(routed, status, decision.code, decision.reason, decision.handoff)
    return phase.model_copy(update={"instead": instead(decision)})


def waiting(routed: Routed, blocking: DispatchedPhase) -> DispatchedPhase:
    """A phase whose dependency has no answer to build on: it stands where that stands."""
    status: Undone = "failed" if blocking.status in ("completed", "running") else blocking.status
    if status == "handoff":
        text = f"waits for phase {blocking.phase}, which the host does; then dispatch this step with its result"
        return _undone(routed, status, None, text)
    text = f"waits for phase {blocking.phase}, which {_STANDS[status]}; nobody was asked"
    phase = _undone(routed, status, blocking.code, text)
    return phase.model_copy(update={"cost": "0", "waits_for": blocking.phase})


def kept_from_host(routed: Routed) -> DispatchedPhase:
    """A phase that the host would do, were it not for the label of what it builds on."""
    text = "not given to the host: it builds on an answer that must stay on this machine"
    return _undone(routed, "refused", Code.RESTRICTED_CONTENT, text)


def cancelled(routed: Routed) -> DispatchedPhase:
    """A phase that was under way, or not begun, when the job was cancelled."""
    return _undone(
        routed, "failed", Code.CANCELLED, "not done when the job was cancelled; `explain` has what was asked"
    )


def handed_over(
    routed: Routed, handoff: Handoff, failures: Sequence[Failed] = (), trace_id: str | None = None
) -> DispatchedPhase:
    """A phase that the host does because no candidate before it could."""
    code = _code(failures, exhausted=True) if failures else None
    detail, plain = told(failures) or routed.decision.reason, _plain(told(failures), told(_wordless(failures)))
    phase = _undone(routed, "handoff", code, detail, handoff)
    return phase.model_copy(
        update={"trace_id": trace_id, "cost": _cost(failures), "usage": _usage(failures), "plain": plain}
    )


def failed(
    routed: Routed, failures: Sequence[Failed], trace_id: str | None, *, exhausted: bool = False
) -> DispatchedPhase:
    """A phase that no candidate completed; `exhausted` where none was left to be asked."""
    status, code = _verdict(failures, exhausted=exhausted)
    detail = _why(failures)
    phase, plain = _undone(routed, status, code, detail), _plain(detail, _why(_wordless(failures)))
    last = failures[-1]
    if code is last.error.code:  # with several, all of them are told
        advice = last.error.fix or remedy(code, cause=cause_of(last.error), model=last.candidate.written)
        phase = phase.model_copy(update={"instead": advice})
    return phase.model_copy(
        update={"trace_id": trace_id, "cost": _cost(failures), "usage": _usage(failures), "plain": plain}
    )


def _why(failures: Sequence[Failed]) -> str:
    fixes = dict.fromkeys(failure.error.fix for failure in failures if failure.error.fix)
    detail = f"{told(failures)} ({'; '.join(fixes)})" if fixes else told(failures)
    return "; ".join(filter(None, (detail, _known_part(failures))))


def completed(
    routed: Routed,
    candidate: Candidate,
    answer: Answered,
    failures: Sequence[Failed],
    trace_id: str | None,
    *,
    named: bool,
) -> DispatchedPhase:
    """A phase with its answer; it failed all the same where the change in this does not apply.

    Its cost and its tokens include those of failed attempts.

    Args:
        routed: the phase.
        candidate: whose answer it is.
        answer: the answer.
        failures: of the attempts before.
        trace_id: None where the ledger could not be written.
        named: whether the host may see names that the model has written.
    """
    patched = answer.patched

    def remarks(failures: Sequence[Failed], *, named: bool) -> str:
        cut = _CUT.get(answer.finished.stop_reason, "")
        change = patched.reason(named=named) if patched else ""
        return "; ".join(filter(None, (cut, told(failures), _known_part((*failures, answer)), change)))

    detail, patch = remarks(failures, named=named), patched.patch if patched else None
    useless = patched is not None and bool(patched.why)  # nothing can be built on a change that does not apply
    return DispatchedPhase(
        phase=routed.phase.index,
        intent=routed.phase.intent.name,
        status="failed" if useless else "completed",
        code=Code.PATCH_DOES_NOT_APPLY if useless else None,
        model=candidate.resolved,
        answer=(patched.words if patched else answer.text) or None,
        patch=patch,
        file_write=_WRITES.get(routed.decision.permissions["file_write"]) if patch else None,
        label=answer.label,
        usage=_usage((*failures, answer)),
        cost=_cost((*failures, answer)),
        trace_id=trace_id,
        effort=routed.decision.effort,
        detail=detail,
        plain=_plain(detail, remarks(_wordless(failures), named=named and answer.label is None)),
    )


def escalated(phase: DispatchedPhase) -> DispatchedPhase:
    """A phase for which a stronger model was asked."""
    return phase.model_copy(update={"escalated": True})


def was_asked(failure: Failed) -> bool:
    """Whether somebody was asked, or would have been had they been there: not where we refused it ourselves."""
    return not is_unsent_for_time(failure.error) and not reaction(failure.error).ours


def awaits_yes(phase: DispatchedPhase) -> DispatchedPhase:
    """A phase with an answer that is no good, for which a better one may be asked once a person has said yes."""
    return phase.model_copy(update={"status": "approval_required", "code": Code.APPROVAL_REQUIRED})


def in_a_file(phase: DispatchedPhase, kept: Withheld) -> DispatchedPhase:
    """A phase whose answer the host must not see."""
    code = Code.ANSWER_WITHHELD if phase.status == "completed" else phase.code
    return phase.model_copy(update={"answer": None, "patch": None, "withheld": kept, "code": code})


def released(whole: DispatchedPhase) -> DispatchedPhase:
    """A completed phase whose answer a person has let go to the host; `whole` is the phase with the answer."""
    return whole.model_copy(update={"released": True})


def lost(phase: DispatchedPhase, error: StateUnavailable) -> DispatchedPhase:
    """A completed phase whose answer may be neither shown nor kept."""
    changed = {"status": "failed", "answer": None, "patch": None, "code": Code.ANSWER_WITHHELD, "detail": str(error)}
    return phase.model_copy(update=changed)


def without_words(phase: DispatchedPhase) -> DispatchedPhase:
    """The phase as it may be told where nothing that is labelled may be shown or kept."""
    return phase.model_copy(update={"detail": phase.plain, "plain": ""}) if phase.plain else phase


def _wordless(failures: Sequence[Failed]) -> list[Failed]:
    return [replace(one, error=one.error.without_words()) if one.label else one for one in failures]


def _plain(detail: str, plain: str) -> str:
    """What `DispatchedPhase.plain` holds; where nothing is left to say, that there was more."""
    return "" if plain == detail else plain or _UNSAID


def told(failures: Sequence[Failed]) -> str:
    """Every failure with its model, and whether something may have been charged twice."""
    said = [f"{one.candidate.written}: {_named(one.error)}, {one.error.message}" for one in failures]
    if any(failure.uncertain for failure in failures):
        said.append(_DUPLICATE)
    return "; ".join(dict.fromkeys(said))


def _named(error: ProviderError) -> str:
    """The code, or the word that policies have for an answer that was cut."""
    return "length" if cause_of(error) is Cause.LENGTH else error.code


def _verdict(failures: Sequence[Failed], *, exhausted: bool) -> tuple[Undone, Code]:
    """Where everything was our own refusal, nothing failed: a person or the policy has to change something."""
    codes = [failure.error.code for failure in failures]
    if Code.APPROVAL_REQUIRED in codes and exhausted:
        return "approval_required", Code.APPROVAL_REQUIRED
    if codes and all(reaction(failure.error).ours for failure in failures):
        if Code.COST_LIMIT_EXCEEDED in codes:
            return "approval_required", Code.APPROVAL_REQUIRED
        return "refused", codes[0]
    return "failed", _code(failures, exhausted=exhausted)


def _code(failures: Sequence[Failed], *, exhausted: bool) -> Code:
    """The code of what ended the walk; where several were asked and none is left, `fallback_exhausted`."""
    asked = {failure.candidate.written for failure in failures}
    return Code.FALLBACK_EXHAUSTED if exhausted and len(asked) > 1 else failures[-1].error.code


def _cost(attempts: Sequence[Answered | Failed]) -> str | None:
    costs = [attempt.cost for attempt in attempts if attempt.cost is not None]
    return usd(sum(costs, Decimal(0))) if len(costs) == len(attempts) and costs else None


def _usage(attempts: Sequence[Answered | Failed]) -> UsageReport:
    """The tokens of all attempts; of each kind None where one of those that were asked has not counted it."""
    return UsageReport.model_validate(asdict(summed(_counted(attempts))))


def _counted(attempts: Sequence[Answered | Failed]) -> list[Usage | None]:
    return [one.finished.usage if isinstance(one, Answered) else one.usage for one in attempts]


def _known_part(attempts: Sequence[Answered | Failed]) -> str:
    """What is known of a cost, or of tokens, of which a part is not; empty where all is known, or nothing."""
    said: list[str] = []
    known = sum((attempt.cost for attempt in attempts if attempt.cost is not None), Decimal(0))
    if known and any(attempt.cost is None for attempt in attempts):
        said.append(f"it has cost {usd(known)} USD, and a part that nobody knows")
    asked = [usage for usage in _counted(attempts) if usage is not None]
    given = [usage.input_tokens or 0 for usage in asked]
    written = [usage.output_tokens or 0 for usage in asked]
    counted = all(usage.input_tokens is not None and usage.output_tokens is not None for usage in asked)
    if not counted and (any(given) or any(written)):
        said.append(f"it took {sum(given)} tokens in and {sum(written)} out, and some that nobody has counted")
    return "; ".join(said)


def _undone(
    routed: Routed, status: Undone, code: Code | None, detail: str, handoff: Handoff | None = None
) -> DispatchedPhase:
    decision = routed.decision
    return DispatchedPhase(
        phase=routed.phase.index,
        intent=routed.phase.intent.name,
        status=status,
        code=code,
        model=decision.model,
        answer=None,
        patch=None,
        label=None,
        usage=UsageReport(),
        cost=None,
        trace_id=None,
        effort=decision.effort,
        detail=detail,
        handoff=handoff,
    )
