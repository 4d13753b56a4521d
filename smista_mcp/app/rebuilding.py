"""A recorded call back as what its decisions were made from: the one way from rows of the ledger to values."""

from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.core.decision import Decision
from smista_mcp.core.effective import Policy
from smista_mcp.core.facts import ContextItem, LeftOut, PathFact, PhaseContext, Spoken
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.task import Phase, Task
from smista_mcp.ledger import ItemLabel, PathLabel, PhaseFacts, SecretLabel, StoredDecision

_WORDS = "(recorded)"
"""Stands in place of the words of a recorded task, which nobody keeps."""


class Rebuilt(NamedTuple):
    """A phase of a recorded call.

    Attributes:
        decision: as it was recorded.
        task: of the call, without its words; so is the phase.
        context: labels, as they were found then.
    """

    decision: Decision
    facts: PhaseFacts
    task: Task
    phase: Phase
    context: PhaseContext

    @classmethod
    def of(cls, row: StoredDecision) -> "Rebuilt":
        """What a row holds.

        Raises:
            StateUnavailable: another version recorded its decision.
            ValidationError: or its facts.
        """
        decision, facts = row.decision, row.facts
        phase = Phase(
            index=decision.phase,
            intent=decision.intent,
            text=_WORDS,
            depends_on=decision.depends_on,
            skill=facts.skill,
            binding=facts.binding,
        )
        task = Task(text=_WORDS, model=facts.model, effort=facts.effort)
        return cls(decision, facts, task, phase, _context(facts))

    @property
    def is_whole(self) -> bool:
        """Whether all that its decision was made from was recorded: versions before did not."""
        return self.facts.spoken is not None


def under(context: PhaseContext, policy: Policy) -> PhaseContext:
    """The context as another policy sees it: labels that it does not give are gone, and secrets that it allows."""
    patterns = {pattern for pattern, _ in (*policy.restricted, *policy.blocked)}
    items = (
        item._replace(
            restricted=item.restricted if _still(item.restricted, patterns) else None,
            secrets=_not_allowed(item.secrets, policy),
        )
        for item in context.items
    )
    return context._replace(items=tuple(items), secrets=_not_allowed(context.secrets, policy))


def _still(restricted: str | None, patterns: set[str]) -> bool:
    """Whether a label holds under another policy: one that names no pattern says what nobody could judge."""
    return restricted is not None and (restricted.startswith("(") or restricted in patterns)


def _not_allowed(found: Sequence[SecretFact], policy: Policy) -> tuple[SecretFact, ...]:
    return tuple(fact for fact in found if fact.fingerprint not in policy.secrets_allowed)


def _context(facts: PhaseFacts) -> PhaseContext:
    if facts.text_tokens is None:
        named = tuple(PathFact(path, "call", forms=(path,)) for path in facts.paths)
        items = tuple(ContextItem(p, "file", 0, required=True, digest="", forms=(p,)) for p in facts.paths)
        return PhaseContext(named, items=items, text_tokens=facts.tokens)
    return PhaseContext(
        paths=tuple(PathFact(p.path, p.source, p.evidence, _forms(p), required=p.required) for p in facts.named),
        kinds=frozenset(facts.kinds),
        items=tuple(
            ContextItem(
                path=item.path,
                kind=item.kind,
                tokens=item.tokens,
                required=item.required,
                digest=item.digest,
                forms=_forms(item),
                restricted=item.restricted,
                derived=item.derived,
                secrets=_secrets(item.secrets),
                origin=item.origin,
            )
            for item in facts.items
        ),
        left_out=tuple(LeftOut(gone.path, gone.kind, gone.reason, gone.tokens, gone.part) for gone in facts.left_out),
        text_tokens=facts.text_tokens,
        secrets=_secrets(facts.secrets),
        tools=None if facts.tools is None else frozenset(facts.tools),
        spoken=None if facts.spoken is None else Spoken(*facts.spoken),
    )


def _secrets(found: Sequence[SecretLabel]) -> tuple[SecretFact, ...]:
    return tuple(SecretFact(one.kind, one.line, one.fingerprint, one.file) for one in found)


def _forms(label: PathLabel | ItemLabel) -> tuple[str, ...]:
    return () if label.formless else label.forms or (label.path,)
