"""The story of a decision: every rule and why it did or did not win, the attempts, what would have to change."""

from collections.abc import Sequence
from contextlib import suppress
from decimal import Decimal

from smista_mcp.app.approved import traces_of, used_approvals, withheld_answers
from smista_mcp.app.attempted import cause_of, cost_of
from smista_mcp.app.jobcalls import decisions_of
from smista_mcp.app.judged import evidence_of, outcomes_of
from smista_mcp.core.costing import plain
from smista_mcp.core.explained import (
    ApprovalReport,
    AttemptReport,
    ExplainAnswer,
    ExplainedPhase,
    JobReport,
    LabelReport,
    PartialReport,
    UsageReport,
)
from smista_mcp.core.explanation import Failing, RuleVerdict, changes, judge_rules
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.inputs import UnreadableInput, policy_documents
from smista_mcp.core.layering import merge
from smista_mcp.core.origins import told
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.routing import Routed, asking_is_fixed, matched_paths, required_tokens
from smista_mcp.core.snapshot import Rulebook, rulebook
from smista_mcp.core.task import Phase
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Locality
from smista_mcp.dispatch.reactions import LAW
from smista_mcp.errors import Cause, Code, NotFound, PolicyInvalid
from smista_mcp.ledger import Ledger, Scope, StoredAttempt, StoredDecision, StoredTrace
from smista_mcp.ledger.jobs import StoredJob


def explained(
    book: Rulebook,
    phases: Sequence[Phase],
    contexts: Sequence[PhaseContext],
    routed: Sequence[Routed],
    ledger: Ledger | None = None,
) -> ExplainAnswer:
    """The story of decisions just made. `ledger` holds the evidence that they saw."""
    phases_told: list[ExplainedPhase] = []
    for phase, context, one in zip(phases, contexts, routed, strict=True):
        tokens = count_tokens(phase.text) + required_tokens(context)
        rules = judge_rules(book, phase.intent.name, phase.skill, matched_paths(context), tokens)
        changed = changes(one.decision, fixed=asking_is_fixed(book.policy))
        evidence = evidence_of(ledger, one.decision)
        phases_told.append(ExplainedPhase(decision=one.decision, rules=rules, changes=changed, evidence=evidence))
    return ExplainAnswer(phases=tuple(phases_told), notices=book.policy.notices)


def explain_last(ledger: Ledger, book: Rulebook | PolicyInvalid) -> ExplainAnswer:
    """The story of the call that was recorded last; where a job has gone on with it, that of the whole job.

    Raises:
        NotFound: nothing is recorded yet.
    """
    last = ledger.last()
    return _story_of_call(ledger, book, last.call_id, ledger.call(last.call_id))


def _story_of_call(
    ledger: Ledger, book: Rulebook | PolicyInvalid, call_id: str, found: Sequence[StoredDecision]
) -> ExplainAnswer:
    job = ledger.jobs.of_call(call_id)
    return _story(ledger, book, found) if job is None else _story_of(ledger, book, job)


def _job(job: StoredJob | None) -> JobReport | None:
    if job is None:
        return None
    return JobReport(job_id=job.job_id, status=job.status, code=job.code, began_at=job.began_at, ended_at=job.ended_at)


def explain_job(
    ledger: Ledger, book: Rulebook | PolicyInvalid, given: str, scope: Scope | None
) -> ExplainAnswer | None:
    """The story of a job, however often it went on; None where there is none under that id."""
    try:
        job = ledger.jobs.find(given, scope)
        if job.status == "running":
            ledger.bury_dead()
            job = ledger.jobs.find(given, scope)
    except NotFound:
        return None
    return _story_of(ledger, book, job)


def _story_of(ledger: Ledger, book: Rulebook | PolicyInvalid, job: StoredJob) -> ExplainAnswer:
    story = _story(ledger, book, decisions_of(ledger, job.calls))
    ended = f"ended {job.ended_at}" if job.ended_at else "its process is gone"
    state = "runs" if job.status == "running" else f"{job.status}{f' ({job.code})' if job.code else ''}, {ended}"
    notices = (*story.notices, f"job {job.job_id}: {state}")
    return story.model_copy(update={"notices": notices, "job": _job(job)})


def explain_stored(
    ledger: Ledger, book: Rulebook | PolicyInvalid, ids: Sequence[str], scope: Scope | None = None
) -> ExplainAnswer:
    """The story of recorded decisions.

    Args:
        ledger: where they stand.
        book: the policy in force, or why there is none.
        ids: of decisions, of traces, or of approvals because of which or for which something was done.
        scope: whose they have to be; None for whatever stands there.

    Raises:
        NotFound: nothing is recorded under one of them.
    """
    found = [_found(ledger, given, scope) for given in ids]
    story = _story(ledger, book, found)
    return story.model_copy(update={"job": _job(ledger.jobs.of_call(found[0].call_id))}) if found else story


def _story(ledger: Ledger, book: Rulebook | PolicyInvalid, found: Sequence[StoredDecision]) -> ExplainAnswer:
    known = None if isinstance(book, PolicyInvalid) else book
    notices = (str(book),) if isinstance(book, PolicyInvalid) else book.policy.notices
    books = [_book_of(ledger, known, stored) for stored in found]
    if known is not None and any(book is not known for book in books):
        shown = "not shown" if None in books else "those of then"
        notices = (
            *notices,
            f"the policy has changed since, or another --preset or --policy decided: its rules are {shown}",
        )
    return ExplainAnswer(
        phases=tuple(phase_story(ledger, book, stored) for book, stored in zip(books, found, strict=True)),
        recorded_at=found[0].at if found else None,
        notices=notices,
    )


def _book_of(ledger: Ledger, known: Rulebook | None, stored: StoredDecision) -> Rulebook | None:
    """The policy that decided: the one in force, or else as it is kept; None where it is not."""
    decision = stored.decision
    if known is not None and decision.revision == known.policy.revision:
        return known
    digest = decision.inputs.get("policy")
    body = ledger.inputs.of({"policy": digest}).bodies.get("policy") if digest else None
    if body is None:
        return None
    with suppress(UnreadableInput):
        return rulebook(merge(policy_documents(body)))
    return None


def recorded_under(ledger: Ledger, given: str | None, scope: Scope | None = None) -> Sequence[StoredDecision]:
    """The decisions that an id stands for, of a job those by which it went last; None for the latest call.

    Raises:
        NotFound: nothing is recorded under it, or nothing at all.
    """
    if given is None:
        return ledger.call(ledger.last().call_id)
    try:
        return ledger.call(ledger.jobs.find(given, scope).calls[-1])
    except (NotFound, IndexError):
        return (_found(ledger, given, scope),)


def _found(ledger: Ledger, given: str, scope: Scope | None) -> StoredDecision:
    try:
        return ledger.decision(given, scope)
    except NotFound as no_decision:
        why = no_decision
    try:
        trace = ledger.trace(given, scope)
    except NotFound as no_trace:
        approved = _traces_of_approval(ledger, given)
        if approved:
            return _found(ledger, approved[0], scope)
        both = f"{why.message}; {no_trace.message}" if why.message != no_trace.message else why.message
        raise NotFound(both, fix=why.fix) from None
    if trace.decision is None:
        raise NotFound(f"the decision of trace `{trace.trace_id}` could not be recorded when it was made")
    return trace.decision


def _traces_of_approval(ledger: Ledger, given: str) -> tuple[str, ...]:
    try:
        return traces_of(ledger, given)
    except NotFound:
        return ()


def phase_story(ledger: Ledger, book: Rulebook | None, stored: StoredDecision) -> ExplainedPhase:
    """One recorded decision and what was done because of it; its rules where the policy is at hand."""
    decision = stored.decision
    rules: tuple[RuleVerdict, ...] = ()
    facts = stored.facts
    if book is not None and decision.revision == book.policy.revision:
        rules = judge_rules(book, decision.intent.name, facts.skill, facts.paths, facts.tokens)
    traces = ledger.traces_of(stored)
    approvals = used_approvals(ledger, [trace.trace_id for trace in traces])
    return ExplainedPhase(
        decision=decision,
        rules=rules,
        changes=changes(decision, _failed(traces), fixed=book is not None and asking_is_fixed(book.policy)),
        attempts=tuple(_attempt(one, approvals) for trace in traces for one in trace.attempts),
        cost=cost_of([one for trace in traces for one in trace.attempts]),
        labels=tuple(
            LabelReport(trace_id=one.trace_id, label=one.label, origin=one.origin, told=told(one.origin))
            for one in ledger.answer_labels.of([trace.trace_id for trace in traces])
        ),
        approvals=approvals,
        withheld=withheld_answers(ledger, [trace.trace_id for trace in traces]),
        evidence=evidence_of(ledger, decision),
        outcomes=outcomes_of(ledger, [trace.trace_id for trace in traces]),
    )


def _failed(traces: Sequence[StoredTrace]) -> tuple[Failing, ...]:
    """With what the attempts of the last trace ended, where none of them completed."""
    attempts = traces[-1].attempts if traces else ()
    if not attempts or attempts[-1].status == "running" or _serves(attempts[-1]):
        return ()
    causes = list(map(cause_of, attempts))
    codes = [_code(one, cause) for one, cause in zip(attempts, causes, strict=True)]
    return tuple(
        Failing(code, cause, one.model)
        for one, cause, code in zip(attempts, causes, codes, strict=True)
        if code is not None
    )


def _serves(attempt: StoredAttempt) -> bool:
    """Whether it ended with an answer that was of use."""
    return attempt.status == "completed" and attempt.cause is None


def _code(attempt: StoredAttempt, cause: Cause | None) -> Code | None:
    """With what an attempt failed; one that was answered has no code of its own."""
    if attempt.code in _CODES:
        return Code(attempt.code)
    return LAW[cause].code if cause is not None and attempt.status == "completed" else None


_CODES = frozenset(map(str, Code))


def _with_releases(receipt: Receipt, trace_id: str, approvals: Sequence[ApprovalReport]) -> Receipt:
    """A receipt whose released items say because of which yes they could go."""
    found = {one.text_hash: one.approval_id for one in approvals if one.trace_id == trace_id and one.text_hash}
    if not any(item.sha256 in found for item in receipt.sent):
        return receipt
    sent = tuple(
        item.model_copy(update={"reason": f"{item.reason}, released by approval {found[item.sha256]}"})
        if item.sha256 in found
        else item
        for item in receipt.sent
    )
    return receipt.model_copy(update={"sent": sent})


def _attempt(stored: StoredAttempt, approvals: Sequence[ApprovalReport] = ()) -> AttemptReport:
    remote = stored.locality == Locality.REMOTE
    return AttemptReport(
        trace_id=stored.trace_id,
        model=stored.model,
        resolved_model=stored.resolved_model or stored.model,
        locality=stored.locality,
        started_at=stored.started_at,
        ended_at=stored.ended_at,
        status=stored.status,
        code=stored.code,
        usage=UsageReport(**stored.usage._asdict()),
        cost=None if stored.cost is None else plain(Decimal(stored.cost)),
        cost_kind=stored.cost_kind,
        reserved=None if stored.reserved is None else plain(Decimal(stored.reserved)),
        receipt=_with_releases(stored.receipt, stored.trace_id, approvals) if remote else stored.receipt,
        partial=stored.partial and PartialReport(bytes=stored.partial.bytes, sha256=stored.partial.sha256),
        cause=stored.cause,
        http_status=stored.http_status,
        followup=stored.followup,
        wait_s=stored.wait_s,
    )
