"""What to do after a dispatch on the command line: in other words for a person than for an agent that runs it.

A job of the command line ends with its process, so nothing is fetched later by its id: the command is run again.
"""

import shlex
from collections.abc import Iterator

from smista_mcp.app.outcome import waited
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase, Withheld
from smista_mcp.core.remedies import remedy
from smista_mcp.errors import Code

_SHORT = 8
"""Characters of an id that `smista-mcp approve` needs."""


def advised(answer: DispatchAnswer, *, person: bool) -> DispatchAnswer:
    """The answer with words for whoever reads it here.

    Args:
        answer: as a host would get it.
        person: whether a person sits at this terminal; else an agent may read along.
    """
    if answer.next is None or not answer.phases:
        return answer
    return answer.model_copy(update={"next": "\n".join(_steps(answer, person=person)) or None})


def _steps(answer: DispatchAnswer, *, person: bool) -> Iterator[str]:
    releases = {phase.withheld.approval_id for phase in answer.phases if phase.withheld is not None}
    for phase in answer.phases:
        name = f"phase {phase.phase} ({phase.intent})"
        if phase.withheld is not None:
            yield _withheld(name, phase.withheld, person=person)
        elif phase.code is Code.PATCH_DOES_NOT_APPLY and phase.answer is not None:
            yield f"{name}: make the change by hand from the answer above, or {remedy(phase.code)}"
        elif phase.status in ("failed", "refused"):
            yield f"{name}: {_instead(phase)}"
        elif phase.status == "handoff":
            yield f"{name} is yours: {phase.handoff.detail if phase.handoff else phase.detail}"
    if answer.approval_id is not None and answer.approval_id not in releases:
        command = f"`smista-mcp approve {answer.approval_id[:_SHORT]}`"
        if person:
            yield f"{command} shows all that would be sent and asks; then run this command again"
        else:
            yield (
                f"tell your user that {command}, run in a terminal of their own, shows all that would be sent and asks;"
                " then run this command again. Only a person can say yes: do not run approve yourself"
            )
    elif any(phase.status == "approval_required" for phase in answer.phases):
        yield remedy(Code.APPROVAL_REQUIRED)


def _instead(phase: DispatchedPhase) -> str:
    if phase.waits_for is not None:
        return waited(phase.waits_for)
    return phase.instead or remedy(phase.code, model=phase.model) or phase.detail


def _withheld(name: str, kept: Withheld, *, person: bool) -> str:
    path = shlex.quote(kept.path)
    why = kept.reason or "was made from restricted content"
    if person:
        return f"the answer of {name} {why}, so it is in a file of yours alone: read it with `cat {path}`"
    text = (
        f"the answer of {name} {why}, so it is for your user alone, in {path}: tell them to open it, and do not open it"
        " yourself, because your provider would see it"
    )
    if kept.approval_id is None:
        return f"{text}. It is not released to you{f': {kept.held}' if kept.held else ''}"
    return (
        f"{text}. Once they have read it and want you to have it, `smista-mcp approve {kept.approval_id[:_SHORT]}` in a"
        " terminal of their own records that; then read the file"
    )
