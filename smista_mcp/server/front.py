"""The first moments of a server over standard input and output.

A host waits for the answer to its first message, and some leave a server out that takes a second for it. To load the
protocol library takes most of that. So a front answers the usual opening by itself; at the first message that is not
usual, it hands everything over: what was read, and what the library has to know of what was answered. The library is
loaded beside, once the host knows the tools and so may call one; a host that only greets never pays for it.
"""

import os
import sys
from collections.abc import Callable, Mapping
from threading import Thread
from typing import TYPE_CHECKING

from smista_mcp.server.ending import leave
from smista_mcp.server.handover import Handover, Wire
from smista_mcp.server.handshake import Handshake, usual_handshake
from smista_mcp.server.shapes import LONGEST
from smista_mcp.server.signals import Interruption
from smista_mcp.tracing.exporting import wanted

if TYPE_CHECKING:
    from smista_mcp.app import App
    from smista_mcp.server.stdio import Talk

_DELEGATE_MARK = "SMISTA_DELEGATE"
_PATHS = ("SMISTA_HOME", "SMISTA_ORG_POLICY", "CLAUDE_PROJECT_DIR")


def serve_fronted(opened: Callable[[], "App"], interruption: Interruption) -> int:
    """Serves one host as `stdio.serve_stdio` does, but answers its usual opening before the product is loaded.

    Args:
        opened: opens what answers; called at most once, perhaps in another thread.
        interruption: handlers that already stand.

    Returns:
        The exit status, where the process has not ended by itself.
    """
    handshake = usual_handshake() if _is_usual_start(os.environ) else None
    if handshake is None:
        from smista_mcp.server.stdio import serve_stdio  # noqa: PLC0415  what is put off here

        return serve_stdio(opened(), interruption)
    wire = Wire.taken()
    loading = _Loading(opened, interruption)
    unread = _answer(handshake, wire, loading)
    return loading.talk()(Handover.of(handshake, wire, unread))


class _Loading:
    """The rest of the server, loaded in a thread or when it is needed."""

    def __init__(self, opened: Callable[[], "App"], interruption: Interruption) -> None:
        self._opened = opened
        self._interruption = interruption
        self._thread: Thread | None = None
        self._talk: Talk | None = None
        self._error: BaseException | None = None

    def begin(self) -> None:
        if self._thread is None:
            self._thread = Thread(target=self._load, name="loading", daemon=True)
            self._thread.start()

    def talk(self) -> "Talk":
        """What carries the conversation on; waits for it.

        Raises:
            Exception: whatever kept the product from opening.
        """
        if self._thread is None:
            self._load()
        else:
            self._thread.join()
        if self._talk is None:
            raise self._error or RuntimeError("nothing was loaded")
        return self._talk

    def _load(self) -> None:
        try:
            app = self._opened()
            from smista_mcp.server.startup import prepare  # noqa: PLC0415  what is put off here
            from smista_mcp.server.stdio import loaded  # noqa: PLC0415

            prepare(self._interruption)
            self._talk = loaded(app, self._interruption)
        except BaseException as error:  # noqa: BLE001  raised again by who waits
            self._error = error


def _answer(handshake: Handshake, wire: Wire, loading: _Loading) -> bytes:
    """Answers lines for as long as they are usual; gives what is not answered. Ends the process where input ends."""
    unread = b""
    while True:
        piece = wire.read()
        if not piece:
            return unread or leave(0)
        unread += piece
        while b"\n" in unread:
            end = unread.index(b"\n") + 1
            answer = handshake.answer(unread[:end])
            if answer is None:
                return unread
            try:
                wire.write(answer)
            except OSError:
                leave(1)  # the host is gone: nobody reads what we write
            unread = unread[end:]
        if len(unread) > LONGEST or b"\r" in unread:
            return unread
        if handshake.has_listed:
            loading.begin()


def _is_usual_start(variables: Mapping[str, str]) -> bool:
    """Whether nothing can keep the product from opening, so that a host is not greeted in vain.

    Where spans are collected the library answers from the start, so that every message has its own. On Windows the ends
    of a host have not been tried.
    """
    if os.name != "posix" or _DELEGATE_MARK in variables or not _are_the_hosts():
        return False
    if wanted(variables) or "opentelemetry" in sys.modules:
        return False
    if any(variables.get(name, "").lstrip().startswith("~") for name in _PATHS):
        return False
    try:
        os.getcwd()  # noqa: PTH109  as everywhere here
    except OSError:
        return False
    return os.path.isabs(variables.get("HOME", "")) or bool(variables.get("SMISTA_HOME", "").strip())  # noqa: PTH117


def _are_the_hosts() -> bool:
    """Whether the three standard streams are open where they belong, and no person sits at the other end."""
    streams = (sys.stdin, sys.stdout, sys.stderr)
    try:
        return all(stream.fileno() == n for n, stream in enumerate(streams)) and not sys.stdin.isatty()
    except (AttributeError, OSError, ValueError):  # closed by who started us, or replaced
        return False
