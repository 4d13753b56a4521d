"""By which decisions a job went."""

from collections.abc import Sequence

from smista_mcp.ledger import Ledger, StoredDecision


def decisions_of(ledger: Ledger, calls: Sequence[str]) -> list[StoredDecision]:
    """The decisions by which a job went, one for each phase: the last one with which anything was done.

    A job that goes on after a person's yes is decided anew, and what it had done by then is not done again.
    """
    found: dict[int, StoredDecision] = {}
    used: set[int] = set()
    for call_id in calls:
        for decision in ledger.call(call_id):
            done = bool(ledger.traces_of(decision))
            if done or decision.phase not in used:
                found[decision.phase] = decision
            if done:
                used.add(decision.phase)
    return [found[phase] for phase in sorted(found)]
