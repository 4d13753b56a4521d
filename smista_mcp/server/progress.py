"""Signs of life for a host that waits: several of them give up on a call that stays silent."""

from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING

import anyio

from smista_mcp.server.errors import printable

if TYPE_CHECKING:
    from smista_mcp.dispatch.standing import Progress

KEEP_ALIVE_S = 4.0
"""Longest silence; the shortest patience of a host that resets its clock on progress is 60 s, and 5 s are promised."""
SPACING_S = 0.25
"""Shortest time between two notices: a host shows them, and a model writes dozens of tokens in a second."""

Report = Callable[[float, float | None, str | None], Awaitable[None]]


class ProgressRelay:
    """Passes on how a dispatch goes, no faster than a host can show it and never slower than `KEEP_ALIVE_S`.

    The dispatch never waits for the host: news replace each other until they can be told.
    """

    def __init__(self, report: Report, keep_alive_s: float = KEEP_ALIVE_S) -> None:
        self._report = report
        self._keep_alive_s = keep_alive_s
        self._news = anyio.Event()
        self._latest: Progress | None = None
        self._waits_for = "waiting"
        self._began = anyio.current_time()
        self._told = 0.0

    async def note(self, progress: "Progress") -> None:
        self._latest = progress
        self._news.set()

    async def say(self, message: str) -> None:
        """Notes what is waited for besides the work."""
        self._latest, self._waits_for = None, message
        self._news.set()

    async def run(self) -> None:
        """Tells what is noted, until it is cancelled."""
        while True:
            with anyio.move_on_after(self._keep_alive_s):
                await self._news.wait()
            self._news = anyio.Event()
            await self._tell()
            await anyio.sleep(SPACING_S)

    async def _tell(self) -> None:
        elapsed = anyio.current_time() - self._began
        self._told = max(elapsed, self._told + 0.001)  # the protocol wants every value above the one before
        await self._report(round(self._told, 3), None, printable(self._sentence(elapsed)))

    def _sentence(self, elapsed: float) -> str:
        if self._latest is None:
            return f"{self._waits_for}, {elapsed:.0f} s"
        return self._latest.told(elapsed)
