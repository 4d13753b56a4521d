"""The story of a decision: every rule and why it did or did not win, the attempts, what would have to change."""

from collections.abc import Sequence
from decimal import Decimal

from smista_mcp.app.approved import used_approvals
from smista_mcp.core.explained import (
    AttemptReport,
    ExplainAnswer,
    ExplainedPhase,
    LabelReport,
    PartialReport,
    UsageReport,
)
from smista_mcp.core.explanation import RuleVerdict, changes, judge_rules
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.origins import told
from smista_mcp.core.routing import Routed, matched_paths, required_tokens
from smista_mcp.core.snapshot import Rulebook
from smista_mcp.core.task import Phase
from smista_mcp.core.tokens import count_tokens
from smista_mcp.errors import NotFound, PolicyInvalid
from smista_mcp.ledger import Ledger, StoredAttempt, StoredDecision


def explained(
    book: Rulebook,
    phases: Sequence[Phase],
    contexts: Sequence[PhaseContext],
    routed: Sequence[Routed],
) -> ExplainAnswer:
    """The story of decisions just made."""
    phases_told: list[ExplainedPhase] = []
    for phase, context, one in zip(phases, contexts, routed, strict=True):
        tokens = count_tokens(phase.text) + required_tokens(context)
        rules = judge_rules(book, phase.intent.name, phase.skill, matched_paths(context), tokens)
        phases_told.append(ExplainedPhase(decision=one.decision, rules=rules, changes=changes(one.decision)))
    return ExplainAnswer(phases=tuple(phases_told), notices=book.policy.notices)


def explain_last(ledger: Ledger, book: Rulebook | PolicyInvalid) -> ExplainAnswer:
    """The story of the call that was recorded last.

    Raises:
        NotFound: nothing is recorded yet.
    """
    return _story(ledger, book, ledger.call(ledger.last().call_id))


def explain_stored(ledger: Ledger, book: Rulebook | PolicyInvalid, ids: Sequence[str]) -> ExplainAnswer:
    """The story of recorded decisions.

    Args:
        ledger: where they stand.
        book: the policy in force, or why there is none.
        ids: of decisions or of traces.

    Raises:
        NotFound: nothing is recorded under one of them.
    """
    return _story(ledger, book, [_found(ledger, given) for given in ids])


def _story(ledger: Ledger, book: Rulebook | PolicyInvalid, found: Sequence[StoredDecision]) -> ExplainAnswer:
    known = None if isinstance(book, PolicyInvalid) else book
    notices = (str(book),) if isinstance(book, PolicyInvalid) else book.policy.notices
    if known is not None and any(stored.decision.revision != known.policy.revision for stored in found):
        notices = (
            *notices,
            "the policy has changed since, or another --preset or --policy decided: its rules are not shown",
        )
    return ExplainAnswer(
        phases=tuple(_phase(ledger, known, stored) for stored in found),
        recorded_at=found[0].at if found else None,
        notices=notices,
    )


def _found(ledger: Ledger, given: str) -> StoredDecision:
    try:
        return ledger.decision(given)
    except NotFound as no_decision:
        why = no_decision
    try:
        trace = ledger.trace(given)
    except NotFound as no_trace:
        both = f"{why.message}; {no_trace.message}" if why.message != no_trace.message else why.message
        raise NotFound(both, fix=why.fix) from None
    if trace.decision is None:
        raise NotFound(f"the decision of trace `{trace.trace_id}` could not be recorded when it was made")
    return trace.decision


def _phase(ledger: Ledger, book: Rulebook | None, stored: StoredDecision) -> ExplainedPhase:
    decision = stored.decision
    rules: tuple[RuleVerdict, ...] = ()
    facts = stored.facts
    if book is not None and decision.revision == book.policy.revision:
        rules = judge_rules(book, decision.intent.name, facts.skill, facts.paths, facts.tokens)
    traces = ledger.traces_of(stored)
    return ExplainedPhase(
        decision=decision,
        rules=rules,
        changes=changes(decision),
        attempts=tuple(_attempt(one) for trace in traces for one in trace.attempts),
        labels=tuple(
            LabelReport(trace_id=one.trace_id, label=one.label, origin=one.origin, told=told(one.origin))
            for one in ledger.answer_labels.of([trace.trace_id for trace in traces])
        ),
        approvals=used_approvals(ledger, [trace.trace_id for trace in traces]),
    )


def _attempt(stored: StoredAttempt) -> AttemptReport:
    return AttemptReport(
        trace_id=stored.trace_id,
        model=stored.model,
        resolved_model=stored.resolved_model or stored.model,
        locality=stored.locality,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        status=stored.status,
        code=stored.code,
        usage=UsageReport(
            input_tokens=stored.usage.input_tokens,
            cached_input_tokens=stored.usage.cached_input_tokens,
            output_tokens=stored.usage.output_tokens,
            reasoning_tokens=stored.usage.reasoning_tokens,
        ),
        cost=None if stored.cost is None else f"{Decimal(stored.cost).normalize():f}",
        receipt=stored.receipt,
        partial=stored.partial and PartialReport(bytes=stored.partial.bytes, sha256=stored.partial.sha256),
    )
