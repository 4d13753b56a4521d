"""What `explain` tells of outcomes: the evidence that a decision saw, and what was said of its answers."""

from collections.abc import Sequence

from smista_mcp.core.decision import Decision
from smista_mcp.core.evidence import family_of
from smista_mcp.core.explained import EvidenceReport, Figures, OutcomeReport
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import Ledger


def evidence_of(ledger: Ledger | None, decision: Decision) -> EvidenceReport | None:
    """The evidence that a decision saw; None where it saw none, or what it saw is not on record."""
    digest = decision.inputs.get("evidence")
    if digest is None or ledger is None:
        return None
    try:
        seen = ledger.evidence.body(digest)
    except StateUnavailable:
        return None
    if seen is None:
        return None
    intent, host = decision.intent.name, decision.host
    tried = (*([decision.model] if decision.model else []), *decision.fallbacks)
    counts = ((name, seen.count(name, intent, host)) for name in tried)
    return EvidenceReport(
        digest=digest,
        until=seen.until,
        window_days=seen.window_days,
        intent=family_of(intent),
        host=host,
        models=tuple(Figures.of(name, count) for name, count in counts if count.judged),
    )


def outcomes_of(ledger: Ledger, trace_ids: Sequence[str]) -> tuple[OutcomeReport, ...]:
    """What was said of the answers in these traces, oldest first."""
    if not trace_ids:
        return ()
    said = ledger.outcomes.of_traces(trace_ids)
    last = {(one.trace_id, one.model): place for place, one in enumerate(said) if one.source == "person"}
    standing = set(last.values())
    return tuple(OutcomeReport(**one._asdict(), counts=place in standing) for place, one in enumerate(said))
