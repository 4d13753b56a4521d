"""What a headless CLI is given: the texts of a cleared request on its standard input, and nothing else."""

from typing import Final

from smista_mcp.core.clearance import ClearedPayload
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import ClearedWire, CompletionRequest, WireRequest

_GAP = "\n\n"
PIPE: Final = "PIPE"
"""Stands in receipts where others have a method of HTTP."""


def encode_stdin(payload: ClearedPayload[CompletionRequest]) -> ClearedWire:
    """The standard input of a CLI: the contents of the messages, one after the other.

    Raises:
        ProviderError: a message calls tools or answers a call; a CLI has no part in that.
    """
    request = payload.request
    if request.tools or any(message.calls or message.answers for message in request.messages):
        raise ProviderError("a CLI cannot call tools of ours", code=Code.MISSING_CAPABILITY)
    body = _GAP.join(message.content for message in request.messages).encode("utf-8", "replace")
    return ClearedWire(payload, WireRequest("", body, {}, method=PIPE))


def texts_of_stdin(departing: ClearedWire) -> list[str]:
    """The texts of which a standard input consists, cut as its manifest says; the last has what is left over."""
    left = departing.wire.body.decode("utf-8", "replace")
    found: list[str] = []
    for place, spans in enumerate(departing.payload.manifest.texts):
        gap = _GAP if place else ""
        if not left.startswith(gap):
            break
        size = len(gap) + sum(max(0, span.size) for span in spans)
        found.append(left[len(gap) : size])
        left = left[size:]
    if left:  # not a text of its own, which might be one that any body may hold
        found[-1:] = ["".join((*found[-1:], left))]
    return found
