"""What a model has asked to see and was shown, as pieces of its next request."""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field

from smista_mcp.core.pieces import Part, Piece, PieceKind
from smista_mcp.core.receipt import WithheldItem
from smista_mcp.core.tokens import count_tokens
from smista_mcp.dispatch.prompts import LEFT_OUT, NO_ARGUMENTS, repair_message
from smista_mcp.providers.base import Message, ToolCall, ToolSpec

OF_ROUNDS: frozenset[PieceKind] = frozenset({"tool_call", "tool_result", "repair"})
"""Kinds of the pieces of exchanges; they stand behind all others."""


@dataclass(frozen=True, slots=True)
class Followed:
    """A call that was followed up.

    Attributes:
        call: as it goes back to the server.
        asked: its arguments.
        shown: what it gave.
        carried: what its provider wants back with it; None where that is nothing.
    """

    call: ToolCall
    asked: Piece
    shown: Piece
    carried: Piece | None = None


@dataclass(frozen=True, slots=True)
class Exchange:
    """An answer with calls and what they gave. `said` is its text; None where it has none."""

    said: Piece | None
    calls: tuple[Followed, ...]


@dataclass(frozen=True, slots=True)
class Repair:
    """A change that does not apply: the answer that held it, and what its model is shown of that."""

    said: Piece
    shown: tuple[Piece, ...]


@dataclass(frozen=True, slots=True)
class Looking:
    """How far a model has looked around, and how it may go on.

    Attributes:
        tools: what it may call now; none in a request that must be answered.
        rounds: requests that may follow this one; `grown` is what they may add to its prompt, in tokens of the model.
        withheld: what was kept back.
        repair: what follows all exchanges; None before there is an answer to repair.
    """

    tools: tuple[ToolSpec, ...] = ()
    exchanges: tuple[Exchange, ...] = ()
    rounds: int = 0
    grown: int = 0
    withheld: tuple[WithheldItem, ...] = field(default=())
    repair: Repair | None = None

    @property
    def looks(self) -> bool:
        """Whether tools have any part in the request."""
        return bool(self.tools or self.exchanges)

    @property
    def pieces(self) -> tuple[Piece, ...]:
        """All that went to and fro, in order."""
        found: list[Piece] = []
        for exchange in self.exchanges:
            found += [exchange.said] if exchange.said else []
            for followed in exchange.calls:
                found += [followed.carried] if followed.carried else []
                found += (followed.asked, followed.shown)
        return (*found, *self.repair_pieces)

    @property
    def repair_pieces(self) -> tuple[Piece, ...]:
        return (self.repair.said, *self.repair.shown) if self.repair else ()

    def messages(self, chosen: Sequence[Piece]) -> tuple[Message, ...]:
        """The exchanges as messages. What is not among the chosen pieces is left out, and said to be."""
        places = {id(piece): place for place, piece in enumerate(chosen)}

        def part(piece: Piece, otherwise: str) -> Part:
            place = places.get(id(piece))
            return Part(otherwise, "frame") if place is None else Part(piece.block.text, "item", place)

        found: list[Message] = []
        for exchange in self.exchanges:
            said = (part(exchange.said, LEFT_OUT),) if exchange.said else ()
            asked = tuple(part(followed.asked, NO_ARGUMENTS) for followed in exchange.calls)
            kept = [part(one.carried, "") if one.carried else Part("", "frame") for one in exchange.calls]
            calls = tuple(
                ToolCall(followed.call.id, followed.call.name, arguments.text, carried.text)
                for followed, arguments, carried in zip(exchange.calls, asked, kept, strict=True)
            )
            told = (*asked, *(carried for carried in kept if carried.text))
            found.append(Message("assistant", "".join(p.text for p in said), said, calls, told))
            for followed, call in zip(exchange.calls, calls, strict=True):
                shown = part(followed.shown, LEFT_OUT)
                found.append(Message("tool", shown.text, (shown,), answers=call))
        if self.repair is not None:
            found.append(Message.of("assistant", part(self.repair.said, LEFT_OUT)))
            shown_places = [(piece.block.text, places[id(piece)]) for piece in self.repair.shown if id(piece) in places]
            found.append(repair_message(shown_places))
        return tuple(found)


NO_LOOKING = Looking()


def tokens_of(tools: tuple[ToolSpec, ...]) -> int:
    """What the description of tools adds to a prompt, with factor 1."""
    return sum(count_tokens(f"{one.name} {one.description} {json.dumps(dict(one.parameters))}") + 20 for one in tools)
