"""What is open for the tokens of the HTTP door, and its end once one of them holds no longer."""

from collections.abc import Awaitable, Callable
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

import anyio

from smista_mcp.errors import StateUnavailable
from smista_mcp.server import refusals
from smista_mcp.server.refusals import Refusal

if TYPE_CHECKING:
    from collections.abc import Generator

    from smista_mcp.server.keys import Keys

WATCH_S = 1.0
"""Seconds between two looks whether the tokens still hold."""
UNSURE_S = 30.0
"""Seconds for which requests stay open while nobody can tell whether their tokens hold."""


@dataclass(slots=True, eq=False)
class Visit:
    """One request of a token while it is under way.

    Attributes:
        why: the no that it gets where it is ended.
    """

    token_id: str
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)
    why: Refusal = refusals.BAD_TOKEN

    def end(self, why: Refusal) -> None:
        self.why = why
        self.scope.cancel()


class Watch:
    """Ends what is open for tokens that are over or revoked.

    Args:
        keys: the tokens; None where nobody needs one.
        end_all_but: ends what lasts longer than a request, for every token that is not among the given ids.
        ticks: seconds on a clock that never jumps.
    """

    def __init__(
        self,
        keys: "Keys | None",
        end_all_but: Callable[[frozenset[str]], Awaitable[None]],
        ticks: Callable[[], float],
    ) -> None:
        self._keys = keys
        self._end_all_but = end_all_but
        self._ticks = ticks
        self._visits: set[Visit] = set()
        self._unsure_since: float | None = None

    @contextmanager
    def visited(self, visit: Visit) -> "Generator[None]":
        """Knows of a request until the block ends."""
        self._visits.add(visit)
        try:
            yield
        finally:
            self._visits.discard(visit)

    async def run(self) -> None:
        """Looks for as long as the server runs."""
        while self._keys is not None:
            await anyio.sleep(WATCH_S)
            try:
                active = await self._keys.active()
            except StateUnavailable:
                self._doubt()
                continue
            self._unsure_since = None
            for visit in tuple(self._visits):
                if visit.token_id not in active:
                    visit.end(refusals.BAD_TOKEN)
            await self._end_all_but(active)

    def _doubt(self) -> None:
        """Nobody can tell: what is open stays for a while, since a file may be locked for a moment."""
        now = self._ticks()
        if self._unsure_since is None:
            self._unsure_since = now
        if now - self._unsure_since >= UNSURE_S:
            for visit in tuple(self._visits):
                visit.end(refusals.LOCKED)
