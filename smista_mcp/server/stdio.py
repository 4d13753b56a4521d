"""The server over standard input and output, as hosts start it."""

import sys
from collections.abc import Callable

import anyio

from smista_mcp.app import App
from smista_mcp.server.ending import leave
from smista_mcp.server.handover import Handover
from smista_mcp.server.signals import Interruption
from smista_mcp.server.startup import Diversion, prepare, send_spans, sparing

Talk = Callable[[Diversion | Handover], int]
"""Serves the host to the end of its input, and ends the process; returns where it cannot."""


def serve_stdio(app: App, interruption: Interruption | None = None) -> int:
    """Serves one host over standard input and output until it closes its end; blocks.

    A signal ends the process within a second with status 128 + n, the end of input with status 0; either way nothing
    that `app` started is left behind, and this does not return. Nothing but the protocol is written to standard output.

    Args:
        app: what answers.
        interruption: handlers that already stand; without them they are installed here.

    Returns:
        1 where it cannot serve.
    """
    interruption = prepare(interruption)
    if not (sys.stdin and sys.stdout):
        sys.stderr.write("smista-mcp: standard input or output is closed; an MCP host has to hold both ends\n")
        return 1
    diversion = Diversion()
    talk = loaded(app, interruption)
    if sys.stdin.isatty():
        sys.stderr.write("smista-mcp: waiting for an MCP host on standard input; Ctrl-D ends\n")
    return talk(diversion)


def loaded(app: App, interruption: Interruption) -> Talk:
    """Loads the protocol library, and gives what serves the host with it."""
    with sparing():
        send_spans(app)
        from smista_mcp.server.conversation import converse  # noqa: PLC0415 - after the handlers, without the collector

    def talk(ends: Diversion | Handover) -> int:
        status = 0
        try:
            anyio.run(converse, app, interruption, ends)
        except* OSError:
            status = 1  # the host is gone: nobody reads what we write
        return leave(status)

    return talk
