"""Where dispatches are carried out: opened by the first one, closed with the server.

Most sessions only route, and a host waits for the start of a server: what dispatch alone needs (an HTTP client, the
embedded models) is loaded when it is needed.
"""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Self

import anyio
from anyio.abc import TaskGroup, TaskStatus

from smista_mcp.app import App


class Workshop:
    """The application at work. Made by `for_app`."""

    def __init__(self, app: App, group: TaskGroup) -> None:
        self._app = app
        self._group = group
        self._opening = anyio.Lock()
        self._opened = False

    @classmethod
    @asynccontextmanager
    async def for_app(cls, app: App) -> AsyncGenerator[Self]:
        """A workshop that is closed, with all that runs in it, when the block ends."""
        async with anyio.create_task_group() as group:
            yield cls(app, group)
            group.cancel_scope.cancel()

    async def open(self) -> App:
        """The application, ready to dispatch."""
        async with self._opening:
            if not self._opened:
                await self._group.start(self._stay_open)
                self._opened = True
        return self._app

    async def _stay_open(self, *, task_status: TaskStatus[None] = anyio.TASK_STATUS_IGNORED) -> None:
        async with self._app.running():
            task_status.started()
            await anyio.sleep_forever()
