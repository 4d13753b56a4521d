"""The one place where a failure becomes what a host reads.

Refusals are answers and never come here. An expected failure is a tool error whose text says what to write instead.
Anything else is a defect of ours: the host learns that it happened, standard error says where, and neither is told
what the task was about.
"""

import logging
import secrets
from collections.abc import Iterator
from pathlib import Path
from traceback import extract_tb
from typing import cast

from mcp_types import CallToolResult, TextContent

from smista_mcp.core.redaction import redacted
from smista_mcp.errors import InvalidTask, SmistaError
from smista_mcp.server.schemas import TOOL_NAMES

_LOGGER = logging.getLogger(__name__)
_FRAMES = 8
"""Innermost places that a report names."""


def told(error: SmistaError) -> CallToolResult:
    """An expected failure as a tool error: `code: message (what to write instead)`.

    It has no structured content: what a tool declares as its output does not describe a failure, and hosts that check
    one against the other would drop the text.
    """
    return _tool_error(redacted(str(error)))


def unknown_tool() -> CallToolResult:
    """The answer to a call of a tool that is not there: a tool error, which a model sees and can mend."""
    return told(InvalidTask("there is no tool of that name", fix=f"this server has {', '.join(TOOL_NAMES)}"))


def withheld(tool: str, error: Exception) -> CallToolResult:
    """A defect as a tool error without its words, which may quote the task."""
    reference = report(tool, error)
    return _tool_error(
        f"internal_error: smista-mcp failed while answering `{tool}`, reference {reference} "
        "(try once more; if it comes back, report the line with this reference from the server's standard error)"
    )


def report(what: str, error: BaseException) -> str:
    """Writes to standard error which part failed, how and where in the code, and nothing that it was working on.

    Returns:
        The reference by which the line can be found.
    """
    reference = secrets.token_hex(4)
    for leaf in _leaves(error):
        places = " < ".join(
            f"{Path(frame.filename).name}:{frame.lineno} {frame.name}"
            for frame in reversed(extract_tb(leaf.__traceback__)[-_FRAMES:])
        )
        told_apart = redacted(str(leaf)) if isinstance(leaf, SmistaError) else type(leaf).__name__
        _LOGGER.error("%s failed, reference %s: %s at %s", what, reference, told_apart, places)
    return reference


def printable(text: str) -> str:
    """`text` as it can be put on the wire: bytes of a file name that are no UTF-8 are shown escaped."""
    return text if text.isascii() else text.encode("utf-8", "backslashreplace").decode()


def _tool_error(text: str) -> CallToolResult:
    return CallToolResult(content=[TextContent(type="text", text=printable(text))], is_error=True)


def _leaves(error: BaseException) -> Iterator[BaseException]:
    if isinstance(error, BaseExceptionGroup):
        for part in cast("BaseExceptionGroup[BaseException]", error).exceptions:
            yield from _leaves(part)
    else:
        yield error
