"""The answer of a dispatch once people have said no to something that it asked for."""

from smista_mcp.app.consents import Asked, Consents
from smista_mcp.app.outcome import told
from smista_mcp.core.asked import CallRequest
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.errors import Code, NotFound, StateUnavailable
from smista_mcp.ledger.approvals import StoredApproval

REFUSED = "your user has refused it"


def after_refusals(answer: DispatchAnswer, consents: Consents) -> DispatchAnswer:
    """The answer as it stands now: what somebody has refused waits for nobody any more. Blocks."""
    releases = {phase.phase: phase.withheld.approval_id for phase in answer.phases if phase.withheld is not None}
    open_releases = {index: given for index, given in releases.items() if given is not None}
    call_id = answer.approval_id if answer.approval_id not in open_releases.values() else None
    known = _stored(consents, {*open_releases.values(), *([call_id] if call_id else [])})
    refused = {given for given, one in known.items() if one.state == "refused"}
    if not refused:
        return answer
    request = known[call_id].request if call_id in known else None
    asked = Asked(
        call_id if call_id not in refused else None,
        request if isinstance(request, CallRequest) and call_id not in refused else None,
        {index: given for index, given in open_releases.items() if given not in refused},
    )
    phases = [_phase(phase, refused, call_refused=call_id in refused) for phase in answer.phases]
    now = told(phases, asked, answer.job_id or "", answer.notices)
    return now.model_copy(update={"job_id": answer.job_id, "session": answer.session})


def _phase(phase: DispatchedPhase, refused: set[str], *, call_refused: bool) -> DispatchedPhase:
    if phase.withheld is not None and phase.withheld.approval_id in refused:
        return phase.model_copy(update={"withheld": phase.withheld.model_copy(update={"held": REFUSED})})
    if phase.status == "approval_required" and call_refused:
        text = f"{REFUSED}; do not ask again unless they say so"
        return phase.model_copy(update={"status": "refused", "code": Code.APPROVAL_REQUIRED, "detail": text})
    return phase


def _stored(consents: Consents, ids: set[str]) -> dict[str, StoredApproval]:
    """Those that can be read; what cannot is left as it was told."""
    try:
        return {given: consents.stored(given) for given in ids}
    except (NotFound, StateUnavailable):
        return {}
