"""How a server ends: on SIGINT, SIGTERM or end of input, within a second, whatever else is going on.

A thread reads standard input and cannot be interrupted, so that a server which only cancelled its tasks would hang
until its host sends another line. Hosts end servers by signal and by end of input; both are bounded here.
"""

import os
import signal
import time
from queue import SimpleQueue
from threading import Event, Thread
from types import FrameType

BOUND_S = 0.75
"""Seconds from a signal, or from the end of input, to the end of the process at the latest."""

SIGNALS = (signal.SIGINT, signal.SIGTERM)


class Interruption:
    """SIGINT and SIGTERM from the first moment of a server's life.

    The exit status is 128 + n, by which a shell or a supervisor tells an ended server from one that ended by itself.

    Attributes:
        status: the exit status that a signal asks for; None while none came.
        grace_s: seconds on top of `BOUND_S` for what is under way; a second signal cuts them short.
    """

    def __init__(self) -> None:
        self.status: int | None = None
        self.grace_s = 0.0
        self._orderly = False
        self._came = Event()
        # put() of this queue is the one that may be called from a signal handler
        self._received: SimpleQueue[int] = SimpleQueue()

    def watch(self) -> None:
        """Installs the handlers; call it from the main thread, before anything slow."""
        for number in SIGNALS:
            signal.signal(number, self._note)
        Thread(target=self._await_signal, name="signals", daemon=True).start()

    async def came(self) -> None:
        """Returns when a signal comes; from the call on a signal leaves `BOUND_S` for a tidy end.

        Until this is called a signal ends the process at once.
        """
        from anyio import CapacityLimiter, to_thread  # noqa: PLC0415  handlers stand before anything slow is loaded

        self._orderly = True
        await to_thread.run_sync(self._came.wait, abandon_on_cancel=True, limiter=CapacityLimiter(1))

    def bound(self, status: int) -> None:
        """Ends the process in `BOUND_S`, and the grace, with `status`, if it has not ended by itself."""
        Thread(target=_leave_later, args=(status, BOUND_S + self.grace_s), name="bound", daemon=True).start()

    def _note(self, number: int, frame: FrameType | None) -> None:
        del frame
        self._received.put(number)

    def _await_signal(self) -> None:
        status = self.status = 128 + self._received.get()
        if not self._orderly:
            os._exit(status)
        self.bound(status)
        self._came.set()
        if self.grace_s:
            self._received.get()
            os._exit(status)


def _leave_later(status: int, seconds: float) -> None:
    time.sleep(seconds)
    os._exit(status)
