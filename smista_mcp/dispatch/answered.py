"""How an attempt ends: with an answer, or without one."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from decimal import Decimal
from typing import Literal, Self, TypeVar

from smista_mcp.core.pieces import Piece
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import Label
from smista_mcp.dispatch.patching import Patched
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import Finished, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Answered:
    """A complete answer.

    Attributes:
        cost: USD; None where it is unknown.
        sent: what the model was given besides the words.
        calls: what the model asks to see before it answers.
        seen: every form of every path that the model was shown something of.
        patched: what became of the change in it; None where none was asked for.
        opening: with what its request began, as `caching.opening_of` has it.
        attempt_id: in the ledger; None where it could not be recorded.
    """

    text: str
    finished: Finished
    cost: Decimal | None
    label: Label | None
    calls: tuple[ToolCall, ...] = ()
    seen: tuple[str, ...] = ()
    sent: tuple[Piece, ...] = ()
    patched: Patched | None = None
    opening: str | None = None
    attempt_id: str | None = None

    def with_change(self, patched: Patched) -> Self:
        """The answer with its change, labelled by the files that this holds lines of, too."""
        labels = {self.label, *(piece.label for piece in patched.touched)}
        label: Label | None = "restricted" if "restricted" in labels else "local" if "local" in labels else None
        seen = (*self.seen, *(form for piece in patched.touched for form in piece.forms))
        sent = (*self.sent, *patched.touched)
        return replace(self, patched=patched, label=label, seen=tuple(dict.fromkeys(seen)), sent=sent)

    @property
    def whole(self) -> str:
        """The text with the patch as it was written anew."""
        return self.patched.whole if self.patched else self.text


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed attempt.

    Attributes:
        cost: USD; None where nobody knows.
        uncertain: whether it may have been charged, and nobody knows how much.
        label: of what was sent: the words of `error` may repeat it.
        usage: as far as its provider counted; None where it was asked nothing, or has refused to work on it.
        attempt_id: in the ledger; None where nothing was recorded.
    """

    candidate: Candidate
    error: ProviderError
    cost: Decimal | None = Decimal(0)
    uncertain: bool = False
    label: Label | None = None
    usage: Usage | None = None
    attempt_id: str | None = None


@dataclass(frozen=True, slots=True)
class End:
    """How a request ended, as the ledger keeps it."""

    status: Literal["completed", "failed", "uncertain", "cancelled"]
    code: Code | None = None
    cost: Decimal | None = None
    error: ProviderError | None = None


def failed_after(answers: Sequence[Answered], failed: Failed) -> Failed:
    """A failure with what the answers before it took, which asked to see more."""
    if not answers:
        return failed
    usage = summed([*(answer.finished.usage for answer in answers), failed.usage])
    return replace(failed, cost=total([*(answer.cost for answer in answers), failed.cost]), usage=usage)


def unrepaired(answer: Answered, failed: Failed) -> Answered:
    """An answer whose repair failed, which may have cost something."""
    if answer.patched is None:
        return answer
    why = f"{answer.patched.why}; asked once more: {failed.error.code}"
    finished = replace(answer.finished, usage=summed([answer.finished.usage, failed.usage]))
    cost = total([answer.cost, failed.cost])
    patched, attempt_id = answer.patched._replace(why=why), failed.attempt_id or answer.attempt_id
    return replace(answer, patched=patched, cost=cost, finished=finished, attempt_id=attempt_id)


def joined(answers: Sequence[Answered]) -> Answered:
    """The last answer, with what all of them took."""
    last = answers[-1]
    usage = summed([answer.finished.usage for answer in answers])
    finished, cost = replace(last.finished, usage=usage), total([one.cost for one in answers])
    return replace(last, finished=finished, cost=cost, opening=answers[0].opening)


def summed(usages: Sequence[Usage | None]) -> Usage:
    """Of all that were asked; of each kind of tokens None where one of them has not counted it."""
    counted = [usage for usage in usages if usage is not None]
    return Usage(*(total(counts) for counts in zip(*map(astuple, counted), strict=True))) if counted else Usage()


_N = TypeVar("_N", int, Decimal)


def total(amounts: Sequence[_N | None]) -> _N | None:
    """None where one of them is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known[1:], known[0]) if len(known) == len(amounts) else None
