"""An answer as it may lie on the disk: nothing restricted, none of the caller's own words, no key to a session."""

from collections.abc import Mapping

from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.dispatch import outcomes
from smista_mcp.dispatch.answerfiles import AnswerFiles
from smista_mcp.dispatch.releases import Done
from smista_mcp.errors import StateUnavailable

SESSION_GONE = "the id of its session is not kept: begin a new one"


def keepable(answer: DispatchAnswer, kept: Mapping[int, Done], files: AnswerFiles) -> DispatchAnswer:
    """The answer without what is not kept beside it. Blocks.

    A restricted text lies in a file of its own, whoever was shown it: of a job that is asked for again later, the
    caller is told the path.

    Args:
        answer: as the host was told.
        kept: the completed phases of the job.
        files: where restricted answers lie.
    """
    phases = tuple(outcomes.without_words(_phase(phase, kept.get(phase.phase), files)) for phase in answer.phases)
    notices = answer.notices if answer.session is None else (*answer.notices, SESSION_GONE)
    return answer.model_copy(update={"phases": phases, "session": None, "notices": notices})


def _phase(phase: DispatchedPhase, done: Done | None, files: AnswerFiles) -> DispatchedPhase:
    if phase.handoff is not None:  # its prompt is what the host itself has said
        return phase.model_copy(update={"handoff": phase.handoff.model_copy(update={"prompt": ""})})
    if phase.label != "restricted" or (phase.answer is None and phase.patch is None):
        return phase
    if done is not None and done.phase.withheld is not None:
        return done.phase
    text = done.piece.block.text if done is not None else phase.answer or ""
    try:
        return outcomes.in_a_file(phase, files.keep(text, phase.patch))
    except StateUnavailable as error:
        return outcomes.lost(phase, error)
