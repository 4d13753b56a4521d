"""The record as lines for others: each decision with all that was done because of it, masked by rules."""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Any

from pydantic import ValidationError

from smista_mcp.app.explaining import phase_story
from smista_mcp.app.world import World, keyed
from smista_mcp.core.logline import JobReport, LogLine
from smista_mcp.core.masking import MASKED, Mask, masked
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import Ledger, PhaseFacts, StoredDecision

_PAGE = 200
"""Decisions that are read at once."""


class Export:
    """The lines of one ledger, oldest first.

    Attributes:
        unread: decisions that another version recorded, which are left out; counted while the lines are taken.
    """

    def __init__(self, world: World, ledger: Ledger, masks: Sequence[str], since: datetime | None = None) -> None:
        """What is exported.

        Args:
            world: the state of the process.
            ledger: what is read.
            masks: rules, as `core.masking` has them.
            since: the first moment; None for the beginning.
        """
        self.unread = 0
        self._ledger = ledger
        self._masks = tuple(map(Mask.of, masks))
        self._key = world.key()
        self._since = since

    def _keyed(self, text: str) -> str:
        return keyed(self._key, text)

    def lines(self) -> Iterator[dict[str, Any]]:
        """The records, of JSON's types.

        Raises:
            StateUnavailable: the ledger cannot be read.
        """
        after = 0
        while rows := self._ledger.history.page(after, self._since, _PAGE):
            for row in rows:
                if not _is_readable(row):
                    self.unread += 1
                    continue
                line = _line(self._ledger, row).model_dump(mode="json", by_alias=True)
                yield masked(line, self._masks, self._keyed, _names(row.facts))
            after = rows[-1].sequence


def masks_of(world: World, *, more: bool, given: Sequence[str] = ()) -> tuple[str, ...]:
    """The rules that hold for an export: those of the policy, those that are given, and the usual ones if wanted.

    Raises:
        PolicyInvalid: the policy cannot be used, and with it nobody knows what it takes away.
    """
    return tuple(dict.fromkeys((*world.book().policy.mask, *given, *(MASKED if more else ()))))


def _is_readable(row: StoredDecision) -> bool:
    """Whether it was recorded in a form that this version knows."""
    try:
        return bool(row.decision and row.facts)
    except (StateUnavailable, ValidationError):
        return False


def _line(ledger: Ledger, row: StoredDecision) -> LogLine:
    story = phase_story(ledger, None, row)
    facts, job = row.facts, ledger.jobs.of_call(row.call_id)
    return LogLine(
        sequence=row.sequence,
        call_id=row.call_id,
        recorded_at=row.at,
        workspace=row.workspace,
        caller=facts.owner,
        token=facts.token,
        paths=facts.paths,
        decision=story.decision,
        job=None if job is None else JobReport(**{name: getattr(job, name) for name in JobReport.model_fields}),
        attempts=story.attempts,
        cost=story.cost,
        labels=story.labels,
        approvals=story.approvals,
        withheld=story.withheld,
        outcomes=tuple(one.model_copy(update={"note": ""}) for one in story.outcomes),
    )


def _names(facts: PhaseFacts) -> list[str]:
    """Every name of the context, in every form, and what restricts it: what a mask must not leave in a sentence."""
    named = [form for label in (*facts.named, *facts.items) for form in (label.path, *label.forms)]
    patterns = [item.restricted for item in facts.items if item.restricted]
    return [*named, *patterns, *(gone.path for gone in facts.left_out), *facts.paths]
