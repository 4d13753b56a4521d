"""Which yes stands behind a released text that went to the host or to a remote model, recorded with its trace."""

from collections.abc import Mapping, Sequence

from smista_mcp.app.world import utc_now
from smista_mcp.core.approval import HOST_DESTINATION
from smista_mcp.core.asked import ReleaseRequest
from smista_mcp.core.dispatched import DispatchedPhase
from smista_mcp.core.values import Locality
from smista_mcp.dispatch.payloads import keyed_hash
from smista_mcp.dispatch.releases import Done
from smista_mcp.errors import NotFound, StateUnavailable
from smista_mcp.ledger import Ledger, StoredAttempt
from smista_mcp.ledger.approvals import ApprovalBook, StoredApproval


def note_deliveries(
    ledger: Ledger, phases: Sequence[DispatchedPhase], kept: Mapping[int, Done], host: str, key: bytes
) -> None:
    """Records with the traces of a dispatch what was released in it, because of which yes. Blocks.

    Args:
        ledger: where traces and approvals stand.
        phases: as the host is told.
        kept: the answers; one that a receipt names goes by the same keyed hash as its release.
        host: the name of the host.
        key: of this installation.
    """
    hashes = {place: keyed_hash(key, done.piece.sha256) for place, done in kept.items() if done.piece.label}
    if not hashes:
        return
    book = ledger.approvals
    try:
        held = [one for one in book.requests(utc_now()) if one.holds and isinstance(one.request, ReleaseRequest)]
        for phase in phases if held else ():
            if phase.trace_id is None:
                continue
            attempts = ledger.trace(phase.trace_id).attempts
            for one in held:
                shown = phase.released and _is(one, hashes.get(phase.phase), HOST_DESTINATION, host)
                if shown or any(_sent(one, attempt, hashes) for attempt in attempts):
                    _note(book, one, phase.trace_id)
    except (StateUnavailable, NotFound):
        return  # the yes itself is recorded with its time, and with what it is for


def _is(one: StoredApproval, text_hash: str | None, destination: str, host: str | None = None) -> bool:
    request = one.request
    if not isinstance(request, ReleaseRequest) or text_hash is None or request.text_hash != text_hash:
        return False
    named = (allowed.partition(" at ")[0] for allowed in request.destinations)
    return destination in named and (host is None or request.host == host)


def _sent(one: StoredApproval, attempt: StoredAttempt, hashes: Mapping[int, str]) -> bool:
    """Whether the text that a yes is for stood in a request to a remote model."""
    if attempt.locality != Locality.REMOTE:
        return False
    sent = {item.sha256 for item in attempt.receipt.sent} & set(hashes.values())
    return any(_is(one, text_hash, attempt.resolved_model or attempt.model) for text_hash in sent)


def _note(book: ApprovalBook, one: StoredApproval, trace_id: str) -> None:
    if not any(event.event == "used" and event.trace_id == trace_id for event in one.events):
        book.use(one.approval_id, trace_id, utc_now())
