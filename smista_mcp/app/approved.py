"""Which yes of a person stands behind what was done."""

from collections.abc import Iterator, Sequence

from smista_mcp.app.world import utc_now
from smista_mcp.core.asked import ReleaseRequest
from smista_mcp.core.explained import ApprovalReport
from smista_mcp.ledger import Ledger
from smista_mcp.ledger.approvals import StoredApproval


def used_approvals(ledger: Ledger, traces: Sequence[str]) -> tuple[ApprovalReport, ...]:
    """The approvals that were used for these traces, oldest first.

    Raises:
        StateUnavailable: they cannot be read.
    """
    found = ledger.approvals.of_traces(traces, utc_now())
    return tuple(report for one in found for report in _reports(one, frozenset(traces)))


def _reports(one: StoredApproval, traces: frozenset[str]) -> Iterator[ApprovalReport]:
    yes = next((event for event in reversed(one.events) if event.event == "granted"), None)
    told: set[str] = set()
    for event in one.events:
        if event.event == "used" and event.trace_id in traces and event.trace_id not in told and yes is not None:
            told.add(event.trace_id)
            yield ApprovalReport(
                approval_id=one.approval_id,
                kind=one.kind,
                granted_at=yes.at,
                via=yes.via,
                session=yes.session,
                used_at=event.at,
                trace_id=event.trace_id,
                destinations=_destinations(one),
                text_hash=one.request.text_hash if isinstance(one.request, ReleaseRequest) else None,
            )


def _destinations(one: StoredApproval) -> tuple[str, ...]:
    match one.request:
        case None:
            return ()
        case ReleaseRequest(destinations=destinations):
            return destinations
        case call:
            return tuple(dict.fromkeys(target.resolved for phase in call.phases for target in phase.targets))
