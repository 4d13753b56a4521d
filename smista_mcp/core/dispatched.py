"""What `dispatch` prints: what became of each phase."""

from typing import Literal

from pydantic import Field

from smista_mcp.core.decision import Handoff
from smista_mcp.core.explained import UsageReport
from smista_mcp.core.values import JOB_STATUSES, Effort, Intent, JobStatus, Value
from smista_mcp.errors import Code


class Withheld(Value):
    """An answer that stays on this machine: where it lies, how long it is, and how a person can release it.

    Attributes:
        approval_id: what `smista-mcp approve` takes; None where nobody can release it.
        patch: the file with its patch alone, as `git apply` takes it; None where it has none.
        reason: why it is withheld; empty where it was made from restricted content.
        held: why nobody can release it; empty where somebody can.
    """

    path: str
    bytes: int
    approval_id: str | None = None
    patch: str | None = None
    reason: str = ""
    held: str = ""


class Rest(Value):
    """What of a phase had no room in the answer to this host: where it is read, and how much it is.

    Attributes:
        answer: the address at which the answer goes on; None where all of it is here.
        answer_chars: how many characters the whole answer has.
        patch: the address of the whole patch, of which nothing is here; None where it is here.
        patch_bytes: of the whole patch in UTF-8, and `patch_sha256` its SHA-256.
    """

    answer: str | None = None
    answer_chars: int | None = None
    patch: str | None = None
    patch_bytes: int | None = None
    patch_sha256: str | None = None


class DispatchedPhase(Value):
    """What became of one phase.

    Attributes:
        answer: what the model said, without its patch; None where that is nothing.
        patch: a unified diff that applies to the workspace, exactly as `git apply` takes it.
        file_write: what the policy says of applying it: `allow`, or `ask`, which is for the host to honour.
        label: `restricted`, `local` (bound by a rule) or None.
        released: whether the answer is here only because a person has let it go.
        escalated: whether a stronger model was asked because another provably failed.
        instead: what to do about it, where more is known than the code; as long as the process lives.
        waits_for: the phase for which this one was not tried; as long as the process lives.
        rest: what of answer and patch has to be read apart, because this host takes no longer answers.
        plain: `detail` without words of servers and models that may repeat what is labelled; empty where it has none.
            It is not printed: it stands in place of `detail` where that may not be shown or kept.
    """

    phase: int
    intent: Intent
    status: JobStatus
    code: Code | None
    model: str | None
    answer: str | None
    patch: str | None
    file_write: Literal["allow", "ask"] | None = None
    label: Literal["restricted", "local"] | None
    usage: UsageReport
    cost: str | None
    trace_id: str | None
    effort: Effort
    detail: str = ""
    withheld: Withheld | None = None
    released: bool = False
    escalated: bool = False
    handoff: Handoff | None = None
    rest: Rest | None = None
    plain: str = Field(default="", exclude=True)
    instead: str = Field(default="", exclude=True)
    waits_for: int | None = Field(default=None, exclude=True)


class ProgressReport(Value):
    """How far a job is that still runs.

    Attributes:
        phase: the one under way, from 0; `phases` is how many there are, as far as that is known.
        message: what is being done, and on which model.
        tokens: what its model has written so far, as we count it.
        seconds: since the job began.
        cost: USD of what was asked of models so far, as far as anybody knows; None where nobody was asked yet, or
            nobody knows all of it.
        cost_kind: who pays; None where nobody was asked yet.
        estimated: whether a request under way is in `cost`, as we count it.
    """

    phase: int
    phases: int
    message: str
    tokens: int
    seconds: float
    cost: str | None
    cost_kind: Literal["local", "plan", "list", "unknown"] | None
    estimated: bool = False


class DispatchAnswer(Value):
    """The answer of `dispatch`. What it comes to stands before the phases: some hosts show the beginning alone.

    Attributes:
        cost: USD of all that was asked of models, in all phases; None where a part of it is not known.
        next: in words what the host should do now, if anything.
        session: the id with which a later task goes on from here; None where none was asked for.
        progress: of a job that runs; None of one that has ended.
    """

    status: JobStatus
    code: Code | None
    cost: str | None = None
    next: str | None = None
    job_id: str | None = None
    approval_id: str | None = None
    receipt_id: str | None = None
    trace_id: str | None = None
    session: str | None = None
    progress: ProgressReport | None = None
    phases: tuple[DispatchedPhase, ...]
    notices: tuple[str, ...] = ()


def overall(phases: tuple[DispatchedPhase, ...]) -> JobStatus:
    """The first of `JOB_STATUSES` that a phase has."""
    for status in JOB_STATUSES:
        if any(phase.status == status for phase in phases):
            return status
    return "completed"
