"""The start of a server: signals first, quiet logs, a clean standard output, and little work while loading."""

import gc
import logging
import os
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path

from pydantic import BaseModel

from smista_mcp.app import App
from smista_mcp.core.redaction import redacted
from smista_mcp.server.signals import Interruption
from smista_mcp.tracing.exporting import set_up

_ARENA_MAX = -8
"""M_ARENA_MAX of malloc.h."""
_HEAPS = 2


def prepare(interruption: Interruption | None) -> Interruption:
    """The first steps of every server: signals first, then where warnings go.

    Args:
        interruption: handlers that already stand; without them they are installed here.
    """
    if interruption is None:
        interruption = Interruption()
        interruption.watch()
    if not sys.stderr:  # closed by who started us; the next file that is opened must not become standard error
        sys.stderr = Path(os.devnull).open("w", encoding="utf-8")  # noqa: SIM115 - open to the end
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(OneLine())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    return interruption


def share_heaps() -> None:
    """Lets all threads share two heaps of the C library; to be called before there is a second thread.

    By itself glibc gives up to eight for each core to threads that ask at the same time, and each keeps what was freed
    in it: a busy server grows for minutes by memory that nobody uses. A user's own MALLOC_ARENA_MAX stays.
    """
    if sys.platform != "linux" or "MALLOC_ARENA_MAX" in os.environ:
        return
    import ctypes  # noqa: PLC0415  for servers with many callers alone

    with suppress(OSError, AttributeError):  # another C library
        ctypes.CDLL(None).mallopt(_ARENA_MAX, _HEAPS)


def send_spans(app: App) -> None:
    """Sets up where spans go, if the environment says so; where that fails, standard error tells why."""
    trouble = set_up(app.world.settings.environment.variables)
    if trouble:
        sys.stderr.write(f"smista-mcp: {trouble}\n")


class Diversion:
    """Standard output while nobody speaks the protocol on it yet: whatever prints goes to standard error instead."""

    def __init__(self) -> None:
        sys.stdout.flush()
        self._wire = os.dup(1)
        os.dup2(2, 1)

    def end(self) -> None:
        """Gives standard output back, for the protocol to take it over."""
        sys.stdout.flush()
        os.dup2(self._wire, 1)
        os.close(self._wire)


@contextmanager
def sparing() -> Generator[None]:
    """Surrounds the import of the protocol library, so that a host waits less for it.

    Its objects live as long as the process. The collector would look at them again and again; it is off meanwhile,
    and what was made is frozen. Its several hundred pydantic models, of all revisions of the protocol, are made ready
    when the first message needs them, which most never are.
    """
    gc.disable()
    BaseModel.model_config["defer_build"] = True  # inherited by every model that says nothing of it
    try:
        yield
    finally:
        del BaseModel.model_config["defer_build"]
        gc.freeze()
        gc.enable()


class OneLine(logging.Formatter):
    """A record as one line. Of an exception it says only the type: its text may quote what a host sent.

    Further lines of a message are dropped for the same reason: asyncio puts the exception there. The protocol library
    logs whole messages of a host where somebody turns debugging on, so secrets are covered here too.
    """

    def format(self, record: logging.LogRecord) -> str:
        kind = record.exc_info[0] if record.exc_info else None
        cause = f" ({kind.__name__})" if kind else ""
        message = redacted(record.getMessage().partition("\n")[0])
        return f"smista-mcp: {record.levelname.lower()} in {record.name}: {message}{cause}"
