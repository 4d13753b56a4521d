"""What the reader made of the words of a task, stretch by stretch, as answers print it."""

from typing import TYPE_CHECKING, Self

from smista_mcp.core.redaction import redacted
from smista_mcp.core.values import Value

if TYPE_CHECKING:
    from collections.abc import Iterable

    from smista_mcp.core.reading.spans import Span


class ReadSpan(Value):
    """A stretch of a task's words and what the reader made of it.

    Attributes:
        start: where it begins in the text, in characters; `end` is exclusive.
        text: its words; empty where the text holds what looks like a secret.
        said: `request`, `wish`, `question`, `trouble`, `noun`, `condition`, `permission`, `manner`, `negation`,
            `report`, `output` or `unread`.
        phase: the phase that it counts for; None where it was set aside.
        decided: the words in it that decided.
        masked: what in it was not read as language: paths, code, quotes, addresses.
        aside: why it counts for no phase.
    """

    start: int
    end: int
    text: str
    said: str
    phase: int | None
    decided: tuple[str, ...] = ()
    masked: tuple[str, ...] = ()
    aside: str = ""

    @classmethod
    def all_of(cls, text: str, spans: "Iterable[Span]") -> tuple[Self, ...]:
        """The spans of a text, without words where it holds a secret: one may stand in several of them."""
        clean = redacted(text) == text
        return tuple(
            cls(
                start=span.start,
                end=span.end,
                text=text[span.start : span.end] if clean else "",
                said=span.said,
                phase=span.phase,
                decided=tuple(map(redacted, span.decided)),
                masked=span.masked if clean else (),
                aside=span.aside,
            )
            for span in spans
        )
