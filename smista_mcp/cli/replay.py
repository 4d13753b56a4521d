"""`explain --replay`: a recorded decision made again."""

from collections.abc import Iterator

from smista_mcp.app import App
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.printing import one_line, put, put_answer, put_notices
from smista_mcp.core.replayed import InputChange, ReplayAnswer, ReplayedPhase
from smista_mcp.core.values import Status

_ID = 12
"""Characters of an id or a hash that people are shown."""


def replay(app: App, given: str | None, *, as_json: bool) -> int:
    """Prints whether the same comes out, and which inputs are others; 1 where other bytes come out.

    Args:
        app: the product.
        given: an id; None for the latest call.
        as_json: whether a program reads it.
    """
    answer = app.replay(given, anywhere=True)
    if as_json:
        put_answer(answer)
    else:
        put(*map(one_line, _lines(answer)))
        put_notices(answer.notices)
    return DONE if answer.same else NO


def _lines(answer: ReplayAnswer) -> Iterator[str]:
    yield f"recorded {answer.recorded_at}, decided again from what was recorded"
    before: tuple[InputChange, ...] = ()
    for phase in answer.phases:
        yield from _phase(phase, before)
        before = phase.since


def _phase(phase: ReplayedPhase, told: tuple[InputChange, ...]) -> Iterator[str]:
    """One phase; what stands otherwise today is told once where it is the same for the one before."""
    name = f"phase {phase.phase}, decision {phase.decision_id[:_ID]}"
    if phase.same:
        yield f"{name}: the same, byte for byte"
    else:
        yield f"{name}: NOT the same; it comes out as {phase.replayed_id[:_ID]}"
        yield from _changed(phase)
        if phase.fields:
            yield f"  comes out otherwise: {', '.join(phase.fields)}"
        else:
            yield "  nothing of the decision itself comes out otherwise"
    if phase.since and phase.since != told:
        yield "  stands otherwise today, and was not used here:"
        yield from (line for change in phase.since for line in _change(change))
    if phase.files:
        yield "  has other content today:"
        yield from (f"    {file.path}{' (gone)' if file.state == 'gone' else ''}" for file in phase.files)
    if phase.today is not None:
        rule = f"rule `{phase.today.rule}`" if phase.today.rule else "no rule"
        model = phase.today.model or phase.today.code
        where = f" [{phase.today.locality}]" if phase.today.locality and phase.today.status is Status.ROUTED else ""
        yield f"  would be {phase.today.status} today: {model}{where}, {rule}; {phase.today.reason}"


def _changed(phase: ReplayedPhase) -> Iterator[str]:
    if not phase.changed:
        yield "  every input is the same: that is a defect of smista-mcp, or the record was changed"
        return
    yield "  was made from other inputs:"
    yield from (line for change in phase.changed for line in _change(change))


def _change(change: InputChange) -> Iterator[str]:
    old, new = (None if one is None else one[:_ID] for one in (change.old, change.new))
    yield f"    {change.name:<13} {old or '(none)'} -> {new or '(none)'}"
    if change.was or change.now:
        yield f"      was {change.was or '(not kept)'}"
        yield f"      is  {change.now or '(not known)'}"
