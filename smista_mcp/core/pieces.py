"""The pieces of a payload, each with all that is known of where it comes from, and how a text is put together of them.

Whatever a model may be given is a `Piece`: a file, a diff, an earlier answer, a turn of a session, the result of a
delegate's tool. The gates judge pieces; a text that goes to a model is a row of `Part`s, so that no byte of it is
without an origin.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from smista_mcp.core.values import Label

PieceKind = Literal[
    "file", "git_diff", "instructions", "attachment", "skill", "answer", "turn", "tool_call", "tool_result", "repair"
]
"""`answer`: of an earlier phase. `turn`: of a session. `tool_call`, `tool_result`: of the rounds of one attempt.
`repair`: what a model is shown of a change of its own that does not apply."""
OF_PATHS: frozenset[PieceKind] = frozenset({"file", "git_diff", "instructions", "attachment", "skill"})
"""Kinds that come from a path: without a form of it they cannot be judged."""
PLAINLY_HASHED: frozenset[PieceKind] = frozenset({"file", "instructions", "skill"})
"""Kinds whose hash anybody may compare with a file of theirs. Of what a caller gave or a model wrote a plain hash would
give a short text away."""
PartKind = Literal["frame", "words", "title", "item"]
_SIGNED: dict[PieceKind, str] = {
    "answer": "answer that this step waits for",
    "turn": "earlier turn of the session",
    "tool_call": "what the model asked to see",
    "tool_result": "what the model asked to see",
    "repair": "its change did not apply",
}


@dataclass(frozen=True, slots=True)
class Block:
    """A named piece of text that goes along.

    Attributes:
        followed: what it is, where it is more than data: the workflow of a skill, or the project's own conventions.
    """

    title: str
    text: str
    followed: Literal["workflow", "conventions"] | None = None


@dataclass(frozen=True, slots=True)
class Piece:
    """Something that may go along, with its content.

    Attributes:
        path: how receipts name it.
        sha256: of exactly `block.text`, in hex, as it was taken when the text was read.
        tokens: with factor 1.
        required: false where the phase can do without.
        place: of a piece of context, its place in the phase's context; None for all that came later.
        restricted: why it must not leave this machine, as far as that was seen when it was read: the pattern that it
            meets, that it cannot be judged, the secret that it holds. None where it may.
        label: of what models wrote: what it was made from.
        kind: what it is. One of `OF_PATHS` without forms counts as restricted, because nobody can judge it.
        forms: every form of every path that it comes from, as in `PathFact`; of a tool's result, those of all files
            that it tells of.
    """

    block: Block
    path: str
    sha256: str
    tokens: int
    required: bool = True
    place: int | None = None
    restricted: str | None = None
    label: Label | None = None
    kind: PieceKind = "file"
    forms: tuple[str, ...] = ()

    @property
    def reason(self) -> str:
        """Why it goes along."""
        return _SIGNED.get(self.kind) or ("required" if self.required else "helpful")


@dataclass(frozen=True, slots=True)
class Part:
    """A stretch of a text for a model.

    Attributes:
        kind: `frame`, a fixed text of our own or a fence; `words`, what the caller wrote; `title`, the name of a piece
            on one line; `item`, exactly the text of a piece.
        place: of a title or an item, the place of its piece among the pieces of the payload.
    """

    text: str
    kind: PartKind
    place: int | None = None


def title_line(title: str) -> str:
    """A title on one line: a file name may hold line breaks, which would stand outside of every fence."""
    return " ".join(title.split())


def sendable(text: str) -> str:
    """A text as every body can carry it: half a surrogate pair becomes `?`."""
    return text if text.isascii() else text.encode("utf-8", "replace").decode("utf-8")


def joined(parts: Sequence[Part]) -> str:
    """The text that these parts make."""
    return "".join(part.text for part in parts)
