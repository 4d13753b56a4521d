"""A part of a diff as it was judged."""

from typing import TYPE_CHECKING, NamedTuple

from smista_mcp.context.paths import Place

if TYPE_CHECKING:
    from smista_mcp.context.diff import FileDiff


class JudgedDiff(NamedTuple):
    """A part of a diff with the places that its names lead to.

    Attributes:
        forms: every form of every name; bytes that are no UTF-8 as U+FFFD.
        restricted: the pattern that restricts it, or why it cannot be judged; None where it is free.
        wholes: what its file was and is; None where nobody has looked.
    """

    part: "FileDiff"
    places: tuple[Place, ...]
    forms: tuple[str, ...]
    restricted: str | None
    wholes: tuple[str, ...] | None = None
