"""Who is asked after a model that provably failed: a choice like any other, under the same floor and limits."""

from collections.abc import Callable
from typing import NamedTuple

from smista_mcp.core.decision import EscalationReport
from smista_mcp.core.policy import Escalation, Rule
from smista_mcp.core.selection import Ask, Candidate, Selection


class Stronger(NamedTuple):
    """The models that a phase is escalated to, in order, and what a decision says of them."""

    candidates: tuple[Candidate, ...] = ()
    report: EscalationReport | None = None


_NOBODY = Stronger()


def stronger(ask: Ask, rule: Rule | None, first: Selection, judged: Callable[[Ask], Selection]) -> Stronger:
    """Those that `escalate` of a rule leads to and that are not asked anyway.

    Args:
        ask: what the phase asks of its candidates.
        rule: the one that leads it; None where none does, or the call names a model itself.
        first: the verdicts on the route's own targets.
        judged: gives the verdicts on other targets.
    """
    wanted: Escalation | None = rule.escalate if rule else None
    if wanted is None or not first.accepted:
        return _NOBODY
    found = judged(ask._replace(written=(wanted.to,)))
    asked = {candidate.resolved for candidate in first.accepted}
    candidates = tuple(candidate for candidate in found.accepted if candidate.resolved not in asked)
    report = EscalationReport(
        on=wanted.on,
        models=tuple(candidate.written for candidate in candidates),
        rejected=found.rejected,
        cost=candidates[0].cost if candidates else None,
    )
    return Stronger(candidates, report)
