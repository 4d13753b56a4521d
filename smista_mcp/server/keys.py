"""The tokens as the event loop asks for them: a file that somebody else holds keeps nobody waiting but who needs it."""

from collections.abc import Callable

import anyio
import anyio.to_thread

from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger.access import AccessToken, Keyring


class Keys:
    """Looks at a keyring, where it must in a thread, and one at a time.

    Args:
        ring: the tokens.
        ticks: seconds on a clock that never jumps.
    """

    def __init__(self, ring: Keyring, ticks: Callable[[], float]) -> None:
        self._ring = ring
        self._ticks = ticks
        self._lock = anyio.Lock()
        self._failed_at = -1.0

    async def find(self, secret: str) -> AccessToken | None:
        """The token that a caller shows, if it is good now.

        Raises:
            StateUnavailable: nobody can tell.
        """
        return self._ring.among(await self._known(), secret)

    async def active(self) -> frozenset[str]:
        """The ids of all tokens that are good now.

        Raises:
            StateUnavailable: nobody can tell.
        """
        return self._ring.active(await self._known())

    async def _known(self) -> tuple[AccessToken, ...]:
        tokens = self._ring.unchanged()
        if tokens is not None:
            return tokens
        asked = self._ticks()
        async with self._lock:
            tokens = self._ring.unchanged()  # who waited for the lock may have been waited for
            if tokens is not None:
                return tokens
            if self._failed_at > asked:  # nor does each of those who waited wait for the file once more
                raise StateUnavailable("the tokens could not be read a moment ago")
            try:
                # a server that ends does not wait for who holds the file
                return await anyio.to_thread.run_sync(self._ring.known, abandon_on_cancel=True)
            except StateUnavailable:
                self._failed_at = self._ticks()
                raise
