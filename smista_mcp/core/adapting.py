"""What evidence changes in a choice: a weak model steps behind its better alternative. Pure.

Only the order of accepted candidates changes: none is added, none is dropped, and what was rejected stays rejected. No
remote model comes before a local one that stood before it: what stays on this machine because of its place in a route
goes on staying there, for to send work elsewhere is a person's word. What a call names, and what the organisation's own
rule leads to, stays in its order; the latter unless the organisation itself turned this on.
"""

from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.core.candidates import Ask, Candidate
from smista_mcp.core.effective import Adaptive, Policy
from smista_mcp.core.evidence import Count, Evidence, is_better
from smista_mcp.core.selection import Selection
from smista_mcp.core.values import Layer, Locality

_TOLD = 3
"""Steps that a reason tells of."""


class Step(NamedTuple):
    """A model that stands behind a better one which the route names after it, and what was counted of both."""

    weak: str
    weak_count: Count
    better: str
    better_count: Count


class Adapted(NamedTuple):
    """A selection in the order that evidence gives it, and what it changed."""

    selection: Selection
    steps: tuple[Step, ...] = ()

    @property
    def said(self) -> str:
        """What changed, for the reason of a decision; empty where nothing did."""
        told = [
            f"`{one.better}` ({one.better_count}) before `{one.weak}` ({one.weak_count})" for one in self.steps[:_TOLD]
        ]
        return f"evidence puts {', '.join(told)}" if told else ""


def adapted(selection: Selection, ask: Ask, policy: Policy, evidence: Evidence | None, host: str) -> Adapted:
    """The candidates in the order that evidence gives them.

    Args:
        selection: the verdicts.
        ask: what the phase asks for.
        policy: the one in force.
        evidence: None where the policy does not want any.
        host: name of the host that calls.
    """
    rules, before = policy.adaptive, selection.accepted
    if evidence is None or not rules.enabled or ask.named or len(before) < 2:
        return Adapted(selection)
    if ask.of_organisation and not _is_of_organisation(policy):
        return Adapted(selection)
    counts = [evidence.count(candidate.written, ask.intent, host) for candidate in before]
    order, steps = ordered([candidate.locality is Locality.LOCAL for candidate in before], counts, rules)
    if not steps:
        return Adapted(selection)
    kept = tuple(before[place] for place in order)
    moved = selection._replace(accepted=kept, fell_back=selection.fell_back or kept[0] is not before[0])
    return Adapted(moved, tuple(_step(before, counts, weak, better) for weak, better in steps))


def _step(before: Sequence[Candidate], counts: Sequence[Count], weak: int, better: int) -> Step:
    return Step(before[weak].written, counts[weak], before[better].written, counts[better])


def _is_of_organisation(policy: Policy) -> bool:
    origin = policy.provenance.get("routing.adaptive.enabled")
    return origin is not None and origin.layer is Layer.ORGANISATION


def ordered(
    local: Sequence[bool], counts: Sequence[Count], rules: Adaptive
) -> tuple[tuple[int, ...], tuple[tuple[int, int], ...]]:
    """The places of candidates in their new order, and which stepped behind which.

    Each in turn comes in front of the first of those before it that it does better than and may pass, or stays last. To
    be better is transitive, so that all whom it does better than stand behind that one.

    Args:
        local: of each candidate, whether it runs here.
        counts: of each, what was counted.
        rules: when evidence is enough.
    """
    order: list[int] = []
    steps: list[tuple[int, int]] = []
    for place, count in enumerate(counts):
        at = len(order)
        first = 0 if local[place] else max((n + 1 for n, other in enumerate(order) if local[other]), default=0)
        for n in range(first, len(order)):
            if is_better(count, counts[order[n]], rules.min_attempts):
                at = n
                steps.append((order[n], place))
                break
        order.insert(at, place)
    return tuple(order), tuple(steps)
