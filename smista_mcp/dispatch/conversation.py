"""What later steps, calls and people have to know of an answer: what it was made from, and why it is labelled."""

from collections.abc import Callable, Iterator, Sequence
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

_UNKEPT = "the answer of phase {phase} could not be kept: {why}"


def causes_of(
    work: Assignment, answer: Answered, secrets: Sequence[SecretFact], chains: Sequence[Chain]
) -> Iterator[Cause]:
    """Everything that labels an answer.

    Args:
        work: the phase, as the model was given it.
        answer: the answer.
        secrets: those that were found in it.
        chains: of each of `work.answers`, where its label comes from.
    """
    least, items = work.routed.floor, work.context.items
    yield from least.causes
    for place in sorted(answer.places & least.withheld.keys()):
        yield cause_of(items[place], least.withheld[place], "local" if place in least.kept else "restricted")
    for piece, chain in zip(work.answers, chains, strict=True):
        if piece.label is not None:
            yield Cause(piece.label, chain)
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
    _chains: dict[int, Chain] = field(default_factory=dict[int, Chain])
    _forms: dict[int, tuple[str, ...]] = field(default_factory=dict[int, tuple[str, ...]])

    async def note(self, work: Assignment, model: str, answer: Answered, secrets: Sequence[SecretFact]) -> None:
        """Takes down a completed phase.

        Args:
            work: the phase.
            model: which one answered, as resolved.
            answer: the answer with its final label.
            secrets: those that were found in it.
        """
        phase = work.routed.phase
        before = phase.depends_on
        origin: Chain = ()
        if answer.label is not None:
            chains = [self._chains.get(index, ()) for index in before]
            origin = origin_of(answer.label, causes_of(work, answer, secrets, chains))
        self._chains[phase.index] = (Link(name=f"answer of phase {phase.index}"), *origin)
        items = work.context.items
        made_from = [form for place in sorted(answer.places) for form in items[place].forms]
        made_from += [form for index in before for form in self._forms.get(index, ())]
        self._forms[phase.index] = tuple(dict.fromkeys(made_from))
        try:
            await anyio.to_thread.run_sync(self._keep, work, model, answer, origin)
        except (StateUnavailable, InvalidTask) as error:
            self.troubles.append(_UNKEPT.format(phase=phase.index, why=error.message))

    def _keep(self, work: Assignment, model: str, answer: Answered, origin: Chain) -> None:
        if self.ledger is None:
            return
        phase = work.routed.phase
        if answer.label is not None and work.trace_id is not None:
            label = AnswerLabel(work.trace_id, phase.index, answer.label, self._chains[phase.index])
            self.ledger.answer_labels.keep(label)
        if self.session is None:
            return
        turn = NewTurn(
            decision_id=work.routed.decision.decision_id,
            trace_id=work.trace_id,
            phase=phase.index,
            model=model,
            words=phase.text,
            answer=answer.text,
            label=answer.label,
            origin=origin,
            forms=self._forms[phase.index],
        )
        self.ledger.sessions.add(self.session, turn, self.now())
