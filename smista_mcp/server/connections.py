"""Connections of the HTTP door: how long one may take over the head of a request, and how many come from one address.

The web server under us waits for the rest of a head for ever.
"""

import asyncio  # noqa: TID251  the connections of the web server are asyncio's
from typing import TYPE_CHECKING, ClassVar, cast

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle

from smista_mcp.server.door import Door, plain_address

if TYPE_CHECKING:
    from collections.abc import Collection

HEAD_S = 10.0
"""Seconds from the first byte, or from the connection, to the end of the head."""
PER_ADDRESS = 64
"""Connections from one address at once; this machine and the named proxies stand for many callers."""


class Patient(H11Protocol):
    """A connection that is closed when no whole head comes in time.

    h11 reads it, also where a faster parser with other views of HTTP is installed.
    """

    door: ClassVar[Door] = Door()
    _late: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        if self._is_one_too_many():
            transport.abort()
        else:
            self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop()
        super().connection_lost(exc)

    def _is_serving(self) -> bool:
        cycle = cast("RequestResponseCycle | None", self.cycle)
        return cycle is not None and not cycle.response_complete

    def _watch(self) -> None:
        if self._is_serving():
            self._stop()
        elif self._late is None:
            self._late = self.loop.call_later(HEAD_S, self._end)

    def _stop(self) -> None:
        if self._late is not None:
            self._late.cancel()
            self._late = None

    def _end(self) -> None:
        self._late = None
        if not self._is_serving() and not self.transport.is_closing():
            self.transport.close()

    def _is_one_too_many(self) -> bool:
        peer = plain_address(self.client[0]) if self.client else ""
        if peer in ("", "127.0.0.1", "::1") or self.door.is_proxy(peer):
            return False
        others = cast("Collection[Patient]", self.connections)
        return sum(1 for one in others if one.client is not None and plain_address(one.client[0]) == peer) > PER_ADDRESS


def protocol_for(door: Door) -> type[Patient]:
    """The connections of a door."""
    return type("PatientAtDoor", (Patient,), {"door": door})
