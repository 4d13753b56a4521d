"""The bodies that are being received: how long each may be, how long it may take, and how much of all is whose."""

import anyio
from starlette.types import Receive

from smista_mcp.server import refusals
from smista_mcp.server.limits import AtOnce
from smista_mcp.server.refusals import No

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Holds the largest diff and text that a task may have, escaped as JSON."""
MAX_HELD_BYTES = 8 * MAX_BODY_BYTES
"""Bodies of all requests that are being received."""
MAX_OF_ONE_BYTES = 2 * MAX_BODY_BYTES
"""Of these, what one token may send at once."""
BODY_S = 60.0
"""Seconds in which a body has to be there."""


class Bodies:
    """Receives bodies, so many bytes at once."""

    def __init__(self) -> None:
        self._all = AtOnce(MAX_HELD_BYTES)
        self._of_one = AtOnce(MAX_OF_ONE_BYTES)

    async def received(self, receive: Receive, owner: str) -> bytes | None:
        """The whole body; None where the caller has left.

        Args:
            receive: gives its parts.
            owner: the id of a token; empty where nobody needs one, and all may be anybody's.

        Raises:
            No: it is too long, comes too slowly, or there is no room for it.
        """
        body, held = bytearray(), 0
        try:
            with anyio.move_on_after(BODY_S):
                while True:
                    message = await receive()
                    if message["type"] != "http.request":
                        return None
                    part: bytes = message.get("body", b"")
                    if len(body) + len(part) > MAX_BODY_BYTES:
                        raise No(refusals.TOO_LONG)
                    self._take(owner, len(part))
                    held += len(part)
                    body += part
                    if not message.get("more_body", False):
                        return bytes(body)
            raise No(refusals.SLOW)
        finally:
            if held:
                self._all.give_back("", held)
                if owner:
                    self._of_one.give_back(owner, held)

    def _take(self, owner: str, more: int) -> None:
        if owner and not self._of_one.has_room(owner, more):
            raise No(refusals.SHARE)
        if not self._all.has_room("", more):
            raise No(refusals.FULL)
        self._all.take("", more)
        if owner:
            self._of_one.take(owner, more)
