"""Hears an answer to its end, and no further than any answer may go."""

import hashlib
from collections.abc import AsyncGenerator, Callable
from contextlib import aclosing

from smista_mcp.dispatch.payloads import keyed_hash
from smista_mcp.ledger import Partial
from smista_mcp.providers.base import Event, Finished, TextDelta, ToolCall, Usage

_LEAST_CAP = 64 * 1024
_USUAL_BYTES_A_TOKEN = 4
"""Most servers send each token by itself, some a thousand at once: whichever count is higher is told."""
_BYTES_A_TOKEN = 8
"""Bytes of an answer for each token that was asked for: more than any text needs."""


class Listening:
    """What was heard of an answer so far.

    Args:
        heard: called with about how many tokens were written so far.
        longest: bytes that are taken.
    """

    def __init__(self, heard: Callable[[int], None], longest: int) -> None:
        self._heard = heard
        self._left = longest
        self._bytes = 0
        self._text: list[str] = []
        self.calls: list[ToolCall] = []
        self.finished: Finished | None = None

    @property
    def text(self) -> str:
        return "".join(self._text)

    @property
    def usage(self) -> Usage:
        return self.finished.usage if self.finished else Usage()

    def partial(self, key: bytes) -> Partial | None:
        """Size and keyed hash of what was heard; None where nothing was."""
        data = self.text.encode("utf-8", "surrogatepass")
        return Partial(len(data), keyed_hash(key, hashlib.sha256(data).hexdigest())) if data else None

    async def to(self, stream: AsyncGenerator[Event]) -> None:
        """Hears the answer to its end, or to where it is longer than any answer that was asked for."""
        async with aclosing(stream):
            async for event in stream:
                if isinstance(event, TextDelta):
                    self._note(event.text)
                    if self._left < 0:
                        self.finished = Finished("length", Usage())
                        return
                elif isinstance(event, ToolCall):
                    self.calls.append(event)
                else:
                    self.finished = event

    def _note(self, text: str) -> None:
        data = text.encode("utf-8", "replace")
        self._text.append(text if len(data) <= self._left else data[: self._left].decode("utf-8", "ignore"))
        self._left -= len(data)
        self._bytes += len(data)
        self._heard(max(len(self._text), self._bytes // _USUAL_BYTES_A_TOKEN))


def longest(tokens: int | None) -> int:
    """Bytes that an answer of so many tokens may have."""
    return max(_LEAST_CAP, _BYTES_A_TOKEN * (tokens or 0))
