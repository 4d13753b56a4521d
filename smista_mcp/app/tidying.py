"""What is too old goes from the ledger while a server runs, a little each day."""

import logging

import anyio
import anyio.to_thread

from smista_mcp.app.world import World, utc_now
from smista_mcp.errors import SmistaError

_LOGGER = logging.getLogger(__name__)
FIRST_S = 60.0
"""Seconds before the first time: what just starts has a call to answer."""
EVERY_S = 86_400.0


async def keep_tidy(world: World) -> None:
    """Tidies the ledger of a server until it is cancelled."""
    await anyio.sleep(FIRST_S)
    while True:
        await anyio.to_thread.run_sync(tidy, world)
        await anyio.sleep(EVERY_S)


def tidy(world: World) -> int:
    """Removes some of what is older than the policy keeps; how many rows. What cannot be done now is done later."""
    try:
        days = world.book().policy.keep_days
        return world.open_ledger().upkeep.tidy(days, utc_now())
    except SmistaError as error:
        _LOGGER.info("the ledger is not tidied: %s", error.code)
        return 0
