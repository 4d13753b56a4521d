"""The end of a process of ours."""

import atexit
import os
from typing import NoReturn


def leave(status: int) -> NoReturn:
    """Ends the process after its exit hooks, but waits for no thread and takes no object apart: there are many."""
    atexit._run_exitfuncs()  # noqa: SLF001  # pyright: ignore[reportPrivateUsage]  no public way exists
    os._exit(status)
