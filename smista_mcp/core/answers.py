"""What `classify` and `route` print: the same facts as JSON and as text."""

from typing import Self

from smista_mcp.core.decision import ClassName, Decision
from smista_mcp.core.readspans import ReadSpan
from smista_mcp.core.redaction import redacted
from smista_mcp.core.task import Phase
from smista_mcp.core.values import CAPABILITY_CLASS, Confidence, Intent, Value


class ClassifiedPhase(Value):
    """A phase as `classify` gives it."""

    index: int
    intent: Intent
    capability_class: ClassName
    text: str
    confidence: Confidence
    source: str
    evidence: tuple[str, ...]
    runner_up: Intent | None
    depends_on: tuple[int, ...]
    implied: bool
    skill: str | None

    @classmethod
    def of(cls, phase: Phase) -> Self:
        reading = phase.intent
        return cls.model_construct(
            index=phase.index,
            intent=reading.name,
            capability_class=CAPABILITY_CLASS[reading.name],
            text=redacted(phase.text),
            confidence=reading.confidence,
            source=reading.source,
            evidence=tuple(map(redacted, reading.evidence)),
            runner_up=reading.runner_up,
            depends_on=phase.depends_on,
            implied=phase.implied,
            skill=redacted(phase.skill) if phase.skill else phase.skill,
        )


class ClassifyAnswer(Value):
    phases: tuple[ClassifiedPhase, ...]
    notices: tuple[str, ...] = ()


class ReadAnswer(ClassifyAnswer):
    """The phases of a text, with the words that decided."""

    reading: tuple[ReadSpan, ...]


class RouteAnswer(Value):
    """One decision for each phase; `notices` say what a person should know of the policy in force."""

    decisions: tuple[Decision, ...]
    notices: tuple[str, ...] = ()
