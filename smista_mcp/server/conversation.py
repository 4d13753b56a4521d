"""One host at the other end of two pipes: from its first line to its last."""

import anyio
from mcp.server.stdio import stdio_server

from smista_mcp.app import App
from smista_mcp.server.departure import depart
from smista_mcp.server.handover import Handover
from smista_mcp.server.pipes import Answers, Requests
from smista_mcp.server.protocol import serving
from smista_mcp.server.signals import Interruption
from smista_mcp.server.startup import Diversion


async def converse(app: App, interruption: Interruption, ends: Diversion | Handover) -> None:
    """Serves the host until its input ends or a signal comes.

    Returns at the end of input. After a signal, or when the host reads no more, it ends the process itself once all
    that `app` started is closed: a thread still waits for the next line, and nothing can wake it.

    Args:
        app: what answers.
        interruption: tells of signals.
        ends: standard output is diverted until the protocol library takes it over, which it then guards itself; or
            both ends are handed over, with what was said before.
    """
    if isinstance(ends, Handover):
        transport, replayed = stdio_server(anyio.wrap_file(ends.source()), anyio.wrap_file(ends.sink())), ends.replayed
    else:
        ends.end()
        transport, replayed = stdio_server(), None
    async with transport as (read, write):
        ended = False
        try:
            async with serving(app, over_http=False) as server, anyio.create_task_group() as group:
                group.start_soon(_cancel_on_signal, interruption, group.cancel_scope)
                answers = Answers(write, replayed)
                requests = Requests(read, answers, on_end=lambda: interruption.bound(0))
                await server.run(requests, answers, server.create_initialization_options())
                ended = True
                group.cancel_scope.cancel()
        finally:
            if not ended:
                depart(interruption)


async def _cancel_on_signal(interruption: Interruption, scope: anyio.CancelScope) -> None:
    await interruption.came()
    scope.cancel()
