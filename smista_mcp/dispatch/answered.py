"""How an attempt ends: with an answer, or without one."""

from collections.abc import Sequence
from dataclasses import astuple, dataclass, replace
from decimal import Decimal
from typing import TypeVar

from smista_mcp.core.pieces import Piece
from smista_mcp.core.selection import Candidate
from smista_mcp.core.values import Label
from smista_mcp.errors import ProviderError
from smista_mcp.providers.base import Finished, ToolCall, Usage


@dataclass(frozen=True, slots=True)
class Answered:
    """A complete answer.

    Attributes:
        cost: USD; None where it is unknown.
        sent: what the model was given besides the words.
        calls: what the model asks to see before it answers.
        seen: every form of every path that the model was shown something of.
    """

    text: str
    finished: Finished
    cost: Decimal | None
    label: Label | None
    calls: tuple[ToolCall, ...] = ()
    seen: tuple[str, ...] = ()
    sent: tuple[Piece, ...] = ()


@dataclass(frozen=True, slots=True)
class Failed:
    """A failed attempt.

    Attributes:
        cost: USD; None where nobody knows.
        uncertain: whether it may have been charged, and nobody knows how much.
        label: of what was sent: the words of `error` may repeat it.
    """

    candidate: Candidate
    error: ProviderError
    cost: Decimal | None = Decimal(0)
    uncertain: bool = False
    label: Label | None = None


def joined(answers: Sequence[Answered]) -> Answered:
    """The last answer, with what all of them took."""
    last = answers[-1]
    usages = [answer.finished.usage for answer in answers]
    usage = Usage(*(total(counts) for counts in zip(*map(astuple, usages), strict=True)))
    return replace(last, finished=replace(last.finished, usage=usage), cost=total([one.cost for one in answers]))


_N = TypeVar("_N", int, Decimal)


def total(amounts: Sequence[_N | None]) -> _N | None:
    """None where one of them is not known."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known[1:], known[0]) if len(known) == len(amounts) else None
