"""What the four tools and the command line print: one value for each, the same facts as JSON and as text."""

from typing import Literal, Self

from smista_mcp.core.decision import ClassName, Decision, Handoff
from smista_mcp.core.explanation import RuleVerdict
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.task import Phase
from smista_mcp.core.values import CAPABILITY_CLASS, Confidence, Effort, Intent, Value
from smista_mcp.errors import Code

JobStatus = Literal["failed", "refused", "approval_required", "running", "handoff", "completed"]
JOB_STATUSES: tuple[JobStatus, ...] = ("failed", "refused", "approval_required", "running", "handoff", "completed")
"""Most telling first: a job's status is the first of these that one of its phases has."""


class ClassifiedPhase(Value):
    """A phase as `classify` gives it."""

    index: int
    intent: Intent
    capability_class: ClassName
    text: str
    confidence: Confidence
    source: str
    evidence: tuple[str, ...]
    runner_up: Intent | None
    depends_on: tuple[int, ...]
    implied: bool
    skill: str | None

    @classmethod
    def of(cls, phase: Phase) -> Self:
        reading = phase.intent
        return cls.model_construct(
            index=phase.index,
            intent=reading.name,
            capability_class=CAPABILITY_CLASS[reading.name],
            text=phase.text,
            confidence=reading.confidence,
            source=reading.source,
            evidence=reading.evidence,
            runner_up=reading.runner_up,
            depends_on=phase.depends_on,
            implied=phase.implied,
            skill=phase.skill,
        )


class ClassifyAnswer(Value):
    phases: tuple[ClassifiedPhase, ...]
    notices: tuple[str, ...] = ()


class RouteAnswer(Value):
    """One decision for each phase; `notices` say what a person should know of the policy in force."""

    decisions: tuple[Decision, ...]
    notices: tuple[str, ...] = ()


class UsageReport(Value):
    """Tokens as the provider reported them; None where it did not."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None


class AttemptReport(Value):
    """One try at a provider. `cost` is USD as a decimal string, None where it is unknown."""

    trace_id: str
    model: str
    resolved_model: str
    locality: str
    started_at: str
    ended_at: str | None
    status: Literal["running", "completed", "failed", "uncertain", "cancelled"]
    code: str | None
    usage: UsageReport
    cost: str | None
    receipt: Receipt | None


class ExplainedPhase(Value):
    """One decision with every rule's fate and what was done about it."""

    decision: Decision
    rules: tuple[RuleVerdict, ...]
    changes: tuple[str, ...]
    attempts: tuple[AttemptReport, ...] = ()


class ExplainAnswer(Value):
    phases: tuple[ExplainedPhase, ...]
    recorded_at: str | None = None
    notices: tuple[str, ...] = ()


class Withheld(Value):
    """An answer that stays on this machine: where it lies and how long it is."""

    path: str
    bytes: int


class DispatchedPhase(Value):
    """What became of one phase. `label` is `restricted`, `local` (bound by a rule) or None."""

    phase: int
    intent: Intent
    status: JobStatus
    code: Code | None
    model: str | None
    answer: str | None
    patch: str | None
    label: Literal["restricted", "local"] | None
    usage: UsageReport
    cost: str | None
    trace_id: str | None
    effort: Effort
    detail: str = ""
    withheld: Withheld | None = None
    handoff: Handoff | None = None


class DispatchAnswer(Value):
    """The answer of `dispatch`. `next` says in words what the host should do now, if anything."""

    status: JobStatus
    code: Code | None
    phases: tuple[DispatchedPhase, ...]
    next: str | None = None
    job_id: str | None = None
    approval_id: str | None = None
    receipt_id: str | None = None
    trace_id: str | None = None
    notices: tuple[str, ...] = ()


def overall(phases: tuple[DispatchedPhase, ...]) -> JobStatus:
    """The first of `JOB_STATUSES` that a phase has."""
    for status in JOB_STATUSES:
        if any(phase.status == status for phase in phases):
            return status
    return "completed"
