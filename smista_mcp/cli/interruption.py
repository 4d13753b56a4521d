"""What ends a command that takes its time."""

import signal
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType


@contextmanager
def ending_on_sigterm() -> Generator[None]:
    """Lets SIGTERM end the work as Ctrl-C does: cancelled, recorded, children ended.

    A script starts what runs in its background deaf to Ctrl-C. As long as this lasts it is heard there, too: an event
    loop would take no other word.
    """
    before = {number: signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)}
    signal.signal(signal.SIGTERM, _interrupt)
    if before[signal.SIGINT] is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _interrupt(number: int, frame: FrameType | None) -> None:
    del number, frame
    signal.raise_signal(signal.SIGINT)
