"""Notices what a function does besides computing: an audit hook of Python, which is there once it was needed."""

import io
import sys
import threading
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout

_TOUCHING = (
    "open",
    "socket.",
    "subprocess.",
    "os.system",
    "os.exec",
    "os.posix_spawn",
    "os.spawn",
    "os.fork",
    "os.putenv",
    "os.remove",
    "os.rename",
    "os.mkdir",
    "os.listdir",
    "os.scandir",
    "shutil.",
    "tempfile.",
    "urllib.",
    "http.client.",
    "ctypes.dlopen",
    "sqlite3.",
    "time.sleep",
)


class _Seen(threading.local):
    """What a thread has touched; None where it is not watched."""

    events: list[str] | None = None


_seen = _Seen()
_hooked: list[bool] = []


def untouched(work: Callable[[], None]) -> str:
    """What `work` touched, in a few words; empty where it touched nothing. Only this thread is watched."""
    if not _hooked:
        _hooked.append(True)
        sys.addaudithook(_note)
    printed = io.StringIO()
    events = _seen.events = list[str]()
    try:
        with redirect_stdout(printed), redirect_stderr(printed):
            work()
    finally:
        _seen.events = None
    return ", ".join((*dict.fromkeys(events), *(("print",) if printed.getvalue() else ())))


def _note(event: str, arguments: tuple[object, ...]) -> None:
    del arguments
    events = _seen.events
    if events is not None and event.startswith(_TOUCHING):
        events.append(event)
