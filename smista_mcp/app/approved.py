"""Which yes of a person stands behind what was done."""

from collections.abc import Iterator, Sequence

from smista_mcp.app.world import utc_now
from smista_mcp.core.asked import ReleaseRequest
from smista_mcp.core.explained import ApprovalReport, WithheldReport
from smista_mcp.ledger import Ledger
from smista_mcp.ledger.approvals import StoredApproval


def used_approvals(ledger: Ledger, traces: Sequence[str]) -> tuple[ApprovalReport, ...]:
    """The approvals that were used for these traces, oldest first.

    Raises:
        StateUnavailable: they cannot be read.
    """
    found = ledger.approvals.of_traces(traces, utc_now())
    return tuple(report for one in found for report in _reports(one, frozenset(traces)))


def withheld_answers(ledger: Ledger, traces: Sequence[str]) -> tuple[WithheldReport, ...]:
    """The answers of these traces that a person was asked to release; as for `used_approvals`."""
    found = ledger.approvals.of_traces(traces, utc_now())
    return tuple(
        WithheldReport(
            trace_id=event.trace_id,
            path=one.request.file,
            bytes=one.request.bytes,
            approval_id=one.approval_id,
            state=one.state,
        )
        for one in found
        for event in one.events
        if isinstance(one.request, ReleaseRequest)
        and event.event == "requested"
        and event.trace_id is not None
        and event.trace_id in traces
    )


def traces_of(ledger: Ledger, given: str) -> tuple[str, ...]:
    """The traces that an approval belongs to, newest first.

    Raises:
        NotFound: there is no such approval.
    """
    events = ledger.approvals.stored(given, utc_now()).events
    return tuple(event.trace_id for event in reversed(events) if event.trace_id is not None)


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
