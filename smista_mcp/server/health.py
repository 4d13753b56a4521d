"""Whether the server is well: for supervisors and load balancers, without a token and without a word of detail."""

from collections.abc import Callable

import anyio.to_thread
from starlette.responses import JSONResponse, Response

from smista_mcp.app import App
from smista_mcp.errors import SmistaError
from smista_mcp.server.keys import Keys

KEPT_S = 1.0
"""Seconds that a look at policy, ledger and tokens stands for; so nobody can keep the disk busy by asking."""


class Health:
    """Answers `/healthz` (this process runs) and `/readyz` (calls would be carried out).

    Attributes:
        leaving: whether no further calls are taken.
    """

    def __init__(self, app: App, keys: Keys | None, ticks: Callable[[], float]) -> None:
        self.leaving = False
        self._app = app
        self._keys = keys
        self._ticks = ticks
        self._looked: tuple[float, str] | None = None
        self._lock = anyio.Lock()

    async def answer(self, what: str) -> Response:
        """The answer to one question; 503 where the server is not ready, with a code that says what to look at."""
        trouble = "leaving" if self.leaving else ""
        if what == "ready":
            async with self._lock:
                if self._looked is None or self._ticks() - self._looked[0] > KEPT_S:
                    found = await self._trouble()
                    self._looked = self._ticks(), found
                trouble = trouble or self._looked[1]
            if trouble:
                return _told({"ready": False, "code": trouble}, 503)
            return _told({"ready": True}, 200)
        return _told({"alive": True}, 200)

    async def _trouble(self) -> str:
        """The code of what would make every call fail; empty where nothing does."""
        try:
            await anyio.to_thread.run_sync(self._look)
            if self._keys is not None:
                await self._keys.active()
        except SmistaError as error:
            return error.code.value
        return ""

    def _look(self) -> None:
        self._app.world.book()
        self._app.world.open_ledger().recent(0)


def _told(body: dict[str, object], status: int) -> Response:
    return JSONResponse(body, status, {"Cache-Control": "no-store"})
