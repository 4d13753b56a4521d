"""What `explain` prints: decisions with every rule and every attempt."""

from typing import Literal

from smista_mcp.core.decision import Decision
from smista_mcp.core.evidence import Count
from smista_mcp.core.explanation import RuleVerdict
from smista_mcp.core.origins import Chain
from smista_mcp.core.readspans import ReadSpan
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.values import JobStatus, Label, Value


class UsageReport(Value):
    """Tokens as the provider reported them; None where it did not. What was written to a cache is part of the input."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None


class PartialReport(Value):
    """What was heard of an answer that is not one: how much, and a keyed hash of it."""

    bytes: int
    sha256: str


class AttemptReport(Value):
    """One try at a provider.

    Attributes:
        cost: USD as a decimal string; None where it is unknown.
        cost_kind: who pays: by the `list` price, a subscription's `plan` (then `cost` is 0), nobody (`local`), or by a
            price that nobody knows.
        reserved: the most that it could cost, set aside before it was sent, USD; None where nobody knew.
        cause: why it was no good, finer than the code; `http_status` is what its server said.
        followup: what was done about it: the same model asked `again` after `wait_s` seconds, or asked for a `repair`
            of its change; the `fallback` asked; `escalated` to a stronger model, or a person's yes to that awaited.
    """

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
    cost_kind: Literal["list", "plan", "local", "unknown"] = "unknown"
    partial: PartialReport | None = None
    cause: str | None = None
    http_status: int | None = None
    followup: Literal["again", "repair", "fallback", "escalated", "yes_awaited"] | None = None
    wait_s: float | None = None
    reserved: str | None = None


class LabelReport(Value):
    """The label of an answer and the shortest way back to what gave it; `told` says the same in words."""

    trace_id: str
    label: Label
    origin: Chain
    told: str


class ApprovalReport(Value):
    """A person's yes that was used: what for, when it was given and through what.

    Attributes:
        kind: `call`, or `release` of a text.
        text_hash: of a release, the keyed hash of the text; None for a call.
        destinations: of a release, to whom the text was let go; of a call, the models that it covered.
        trace_id: what was done with it.
    """

    approval_id: str
    kind: Literal["call", "release"]
    granted_at: str
    via: str
    session: bool
    used_at: str
    trace_id: str
    destinations: tuple[str, ...] = ()
    text_hash: str | None = None


class WithheldReport(Value):
    """An answer that stays on this machine, and the request by which a person can release it."""

    trace_id: str
    path: str
    bytes: int
    approval_id: str
    state: Literal["open", "granted", "used", "refused", "expired"]


class Figures(Value):
    """What was counted of one model, and between which shares of good attempts the truth lies."""

    model: str
    good: int
    bad: int
    lower: str
    upper: str

    @classmethod
    def of(cls, model: str, count: Count) -> "Figures":
        """The figures of a count."""
        lower, upper = count.bounds
        return cls(model=model, good=count.good, bad=count.bad, lower=str(lower), upper=str(upper))


class EvidenceReport(Value):
    """What a decision saw of how models did; `models` are those of its candidates of which anything was counted.

    Attributes:
        digest: as in `inputs`.
        until: the UTC day before which attempts counted; `window_days` is how many days before it.
        intent: the family over which was counted.
    """

    digest: str
    until: str
    window_days: int
    intent: str
    host: str
    models: tuple[Figures, ...]


class OutcomeReport(Value):
    """What somebody said of an answer.

    Attributes:
        source: whose word it is; that of a host counts for nothing.
        counts: whether it is the last word of a person.
    """

    trace_id: str
    at: str
    source: Literal["person", "host"]
    via: str
    verdict: Literal["good", "bad"]
    model: str
    note: str
    counts: bool


class ExplainedPhase(Value):
    """One decision with every rule's fate and what was done about it; `cost` is that of all attempts, if known."""

    decision: Decision
    rules: tuple[RuleVerdict, ...]
    changes: tuple[str, ...]
    attempts: tuple[AttemptReport, ...] = ()
    cost: str | None = None
    labels: tuple[LabelReport, ...] = ()
    approvals: tuple[ApprovalReport, ...] = ()
    withheld: tuple[WithheldReport, ...] = ()
    evidence: EvidenceReport | None = None
    outcomes: tuple[OutcomeReport, ...] = ()


class ResourceReport(Value):
    """A portion of what was asked for by address.

    Attributes:
        uri: of this portion.
        next: the address at which it goes on; None where this is the end.
        chars: of the whole document.
    """

    uri: str
    mime_type: str
    text: str
    next: str | None
    chars: int


class JobReport(Value):
    """The job that carried a call out. Times are UTC, ISO 8601.

    Attributes:
        ended_at: None for one that runs, and for one whose process is gone: nobody knows when.
    """

    job_id: str
    status: JobStatus
    code: str | None
    began_at: str
    ended_at: str | None


class ExplainAnswer(Value):
    """The story of a call, or `resource` where an address was asked for.

    `reading` tells the words of a task that was given, for no words are recorded. `job` is None where none went by it.
    """

    phases: tuple[ExplainedPhase, ...]
    recorded_at: str | None = None
    job: JobReport | None = None
    reading: tuple[ReadSpan, ...] = ()
    notices: tuple[str, ...] = ()
    resource: ResourceReport | None = None
