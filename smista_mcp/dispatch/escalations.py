"""When a model has provably failed, so that a rule's `escalate` asks a stronger one."""

from typing import NamedTuple

from smista_mcp.core.policy import EscalationCause
from smista_mcp.core.routing import Routed
from smista_mcp.core.selection import Candidate
from smista_mcp.dispatch.attempts import Answered, Failed
from smista_mcp.dispatch.judging import cut_answer
from smista_mcp.dispatch.reactions import triggers
from smista_mcp.errors import Cause, Code, ProviderError


class Cut(NamedTuple):
    """An answer that was cut at its length limit, or whose change does not apply: kept until a better one is there."""

    candidate: Candidate
    answer: Answered

    def failed(self) -> Failed:
        """It as the failure that a better answer follows."""
        error = cut_answer() if self.answer.finished.stop_reason == "length" else unapplied(self.answer)
        answer = self.answer
        return Failed(
            self.candidate,
            error,
            answer.cost,
            label=answer.label,
            usage=answer.finished.usage,
            attempt_id=answer.attempt_id,
        )


def escalates(routed: Routed, answer: Answered) -> bool:
    """Whether an answer is no more than a reason to ask a stronger model."""
    return _wants(routed, _shortcomings(answer))


def unapplied(answer: Answered) -> ProviderError:
    """The failure that an answer counts as whose change does not apply; it says nothing that its model wrote."""
    why = answer.patched.reason(named=False) if answer.patched else ""
    return ProviderError(why, code=Code.PATCH_DOES_NOT_APPLY, sent=True, cause=Cause.PATCH)


def _shortcomings(answer: Answered) -> frozenset[EscalationCause]:
    cut: frozenset[EscalationCause] = frozenset({"length"} if answer.finished.stop_reason == "length" else ())
    failed = answer.patched is not None and answer.patched.why
    return cut | triggers(unapplied(answer)) if failed else cut


def proven(routed: Routed, failure: Failed) -> bool:
    """Whether a failure is one that the rule escalates on, and there is somebody to be asked."""
    return _wants(routed, triggers(failure.error))


def _wants(routed: Routed, proofs: frozenset[EscalationCause]) -> bool:
    wanted = routed.rule.escalate if routed.rule else None
    return bool(routed.escalation) and wanted is not None and not proofs.isdisjoint(wanted.on)
