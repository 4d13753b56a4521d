"""One line of an exported record: a decision and all that was done because of it. Labels and hashes, no text."""

from typing import Literal

from smista_mcp.core.decision import Decision
from smista_mcp.core.explained import ApprovalReport, AttemptReport, LabelReport, OutcomeReport, WithheldReport
from smista_mcp.core.values import Value


class JobReport(Value):
    """The job that went by a decision. Times are UTC, ISO 8601."""

    job_id: str
    status: str
    code: str | None
    began_at: str
    ended_at: str | None


class LogLine(Value):
    """A decision as it is exported. Within one `format` fields are only added.

    Attributes:
        sequence: position in the ledger; grows with time, and is no other's.
        call_id: the same for the decisions of one call.
        recorded_at: UTC, ISO 8601.
        workspace: keyed hash of the root; None where there was none.
        caller: keyed hash of whoever called; None where an earlier version recorded it.
        token: name of the access token that the call came with.
        paths: those that the phase was about, as conditions of rules saw them.
        cost: USD of all attempts, as a decimal string; None where that of one is not known, or there are none.
        outcomes: what was said of the answers, without anybody's words.
    """

    format: Literal["smista-decision/1"] = "smista-decision/1"
    sequence: int
    call_id: str
    recorded_at: str
    workspace: str | None
    caller: str | None
    token: str | None
    paths: tuple[str, ...]
    decision: Decision
    job: JobReport | None
    attempts: tuple[AttemptReport, ...]
    cost: str | None
    labels: tuple[LabelReport, ...]
    approvals: tuple[ApprovalReport, ...]
    withheld: tuple[WithheldReport, ...]
    outcomes: tuple[OutcomeReport, ...]
