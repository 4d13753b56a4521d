"""What later steps, calls and people have to know of an answer: what it was made from, and why it is labelled."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime

import anyio.to_thread

from smista_mcp.core.floor import Cause, cause_of, caused
from smista_mcp.core.origins import Chain, Link, shortest
from smista_mcp.core.secretscan import SecretFact, told
from smista_mcp.core.values import Label
from smista_mcp.dispatch.attempts import Answered
from smista_mcp.dispatch.payloads import Assignment
from smista_mcp.errors import InvalidTask, StateUnavailable
from smista_mcp.ledger import Ledger
from smista_mcp.ledger.answer_labels import AnswerLabel
from smista_mcp.ledger.sessions import NewTurn, SessionKey


def answer_name(phase: int) -> str:
    """How receipts and explanations name the answer of an earlier phase."""
    return f"answer of phase {phase}"


_UNKEPT = "the answer of phase {phase} could not be kept: {why}"


def causes_of(
    work: Assignment, answer: Answered, secrets: Sequence[SecretFact], chains: Mapping[str, Chain]
) -> Iterator[Cause]:
    """Everything that labels an answer.

    Args:
        work: the phase.
        answer: the answer.
        secrets: those that were found in it.
        chains: of the answers of earlier phases, by the names of their pieces: where their labels come from.
    """
    least, items = work.routed.floor, work.context.items
    yield from least.causes
    for piece in answer.sent:
        if piece.place is not None and piece.place in least.withheld:
            label: Label = "local" if piece.place in least.kept else "restricted"
            yield cause_of(items[piece.place], least.withheld[piece.place], label)
        elif piece.label is not None:
            known = chains.get(piece.path)
            yield Cause(piece.label, known) if known else caused(piece.path, piece.restricted or "", piece.label)
    if secrets:
        yield caused("the answer itself", told(secrets))


def origin_of(label: Label, causes: Iterator[Cause]) -> Chain:
    """The shortest way to something that gives an answer this label."""
    return shortest(cause.chain for cause in causes if cause.label == label) or (
        Link(name="what the model was given", reason=label),
    )


@dataclass(slots=True)
class Conversation:
    """The answers of one dispatch, put on record as they come.

    Attributes:
        ledger: None where it cannot be opened; then nothing outlives the dispatch.
        session: to which the turns are added; None where there is none.
        now: gives aware times in UTC.
        troubles: in words, what could not be kept.
    """

    ledger: Ledger | None
    session: SessionKey | None
    now: Callable[[], datetime]
    troubles: list[str] = field(default_factory=list[str])
    _chains: dict[str, Chain] = field(default_factory=dict[str, Chain])
    _forms: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])

    async def note(self, work: Assignment, model: str, answer: Answered, secrets: Sequence[SecretFact]) -> None:
        """Takes down a completed phase.

        Args:
            work: the phase.
            model: which one answered, as resolved.
            answer: the answer with its final label.
            secrets: those that were found in it.
        """
        phase = work.routed.phase
        name = answer_name(phase.index)
        origin: Chain = ()
        if answer.label is not None:
            origin = origin_of(answer.label, causes_of(work, answer, secrets, self._chains))
        self._chains[name] = (Link(name=name), *origin)
        made_from = [form for piece in answer.sent for form in (*piece.forms, *self._forms.get(piece.path, ()))]
        self._forms[name] = tuple(dict.fromkeys(made_from))
        if answer.label is None and self.session is None:
            return
        try:
            await anyio.to_thread.run_sync(self._keep, work, model, answer, origin)
        except (StateUnavailable, InvalidTask) as error:
            self.troubles.append(_UNKEPT.format(phase=phase.index, why=error.message))

    def _keep(self, work: Assignment, model: str, answer: Answered, origin: Chain) -> None:
        if self.ledger is None:
            return
        phase = work.routed.phase
        if answer.label is not None and work.trace_id is not None:
            label = AnswerLabel(work.trace_id, phase.index, answer.label, self._chains[answer_name(phase.index)])
            self.ledger.answer_labels.keep(label)
        if self.session is None:
            return
        turn = NewTurn(
            decision_id=work.routed.decision.decision_id,
            trace_id=work.trace_id,
            phase=phase.index,
            model=model,
            words=phase.text,
            answer=answer.whole,
            label=answer.label,
            origin=origin,
            forms=self._forms[answer_name(phase.index)],
            opening=answer.opening,
        )
        self.ledger.sessions.add(self.session, turn, self.now())
