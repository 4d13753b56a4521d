"""What the reader made of the words of a task, as a table."""

from collections.abc import Iterable

from smista_mcp.cli.printing import put_table
from smista_mcp.core.readspans import ReadSpan

_LONGEST = 120


def put_reading(spans: Iterable[ReadSpan]) -> None:
    """Prints one line for each stretch of the text: what it counts for and by which words, or why it does not."""
    rows = [("words", "read as", "phase", "decided by, or set aside because")]
    put_table([*rows, *map(_row, spans)])


def _row(span: ReadSpan) -> tuple[str, ...]:
    text = " ".join(span.text.split()) or f"characters {span.start} to {span.end}"
    why = ", ".join(span.decided) or "-" if span.phase is not None else span.aside
    masked = f"; not read: {', '.join(' '.join(one.split())[:40] for one in span.masked[:5])}" if span.masked else ""
    return (
        text if len(text) <= _LONGEST else f"{text[:_LONGEST]}...",
        span.said,
        "-" if span.phase is None else str(span.phase),
        why + masked,
    )
