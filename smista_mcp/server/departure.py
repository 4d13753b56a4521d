"""The last step of a server that cannot wait for its own threads and connections."""

import sys
from typing import NoReturn

import anyio

from smista_mcp.server.ending import leave
from smista_mcp.server.errors import report
from smista_mcp.server.signals import Interruption


def depart(interruption: Interruption) -> NoReturn:
    """Ends the process with the status that a signal asked for, else 1, once everything that must be closed is.

    Called while an exception passes, it says on standard error what failed.
    """
    error = sys.exception()
    if error is not None and not isinstance(error, anyio.get_cancelled_exc_class()):
        report("the server", error)
    leave(interruption.status or 1)
