"""The HTTP endpoints: two transports of the protocol, one guard before them, one orderly end."""

import socket
import sys
from collections.abc import Generator
from contextlib import contextmanager
from typing import NoReturn

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecurityMiddleware, TransportSecuritySettings
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from smista_mcp.app import App
from smista_mcp.server.departure import depart
from smista_mcp.server.protocol import serving
from smista_mcp.server.signals import Interruption
from smista_mcp.tracing import door

MAX_BODY_BYTES = 16 * 1024 * 1024
"""Holds the largest diff and text that a task may have, escaped as JSON."""
MAX_CONNECTIONS = 128
"""Connections and requests at once; further ones get 503."""
MAX_SESSIONS = 200
"""Sessions of Streamable HTTP at once; further ones get 503 until one ends or was idle for half an hour."""
_OWN_SITES = frozenset({"same-origin", "none"})
"""What a browser says of a request that no other site's page has made."""
GRACE_S = 0.3
"""Seconds that answers on their way get after a signal."""


async def attend(app: App, listener: socket.socket, interruption: Interruption) -> NoReturn:
    """Serves the connections of `listener` until a signal comes.

    Does not return then but ends the process once `app` is closed: connections that a host keeps open are not waited
    for.
    """
    try:
        async with serving(app, over_http=True) as protocol, anyio.create_task_group() as group:
            web = web_app(protocol, listener)
            config = uvicorn.Config(
                web,
                log_config=None,
                access_log=False,
                lifespan="on",
                ws="none",
                proxy_headers=False,
                limit_concurrency=MAX_CONNECTIONS,
            )
            server = _Uvicorn(config)
            group.start_soon(server.serve, [listener])
            sys.stderr.write(f"smista-mcp: listening on {_origin(listener)}/mcp\n")
            await interruption.came()
            server.should_exit = True
            group.cancel_scope.deadline = anyio.current_time() + GRACE_S
    finally:
        depart(interruption)


def web_app(protocol: Server[dict[str, object]], listener: socket.socket) -> ASGIApp:
    """The whole web application; it takes requests that name the address of `listener` and nothing else."""
    security = _security(listener)
    older = SseServerTransport("/messages/", security, max_request_body_size=MAX_BODY_BYTES)
    newer = protocol.streamable_http_app(
        transport_security=security,
        max_request_body_size=MAX_BODY_BYTES,
        max_sessions=MAX_SESSIONS,
        custom_starlette_routes=[Route("/sse", endpoint=_OlderTransport(protocol, older), methods=["GET"])],
    )
    newer.mount("/messages/", older.handle_post_message)
    return _Guard(newer, security)


def _origin(listener: socket.socket) -> str:
    address, port = listener.getsockname()[:2]
    return f"http://[{address}]:{port}" if ":" in address else f"http://{address}:{port}"


def _security(listener: socket.socket) -> TransportSecuritySettings:
    """Only the names of this very port: a page that another local port serves is a stranger too."""
    own = _origin(listener).removeprefix("http://")
    port = listener.getsockname()[1]
    hosts = list(dict.fromkeys([own, f"127.0.0.1:{port}", f"localhost:{port}", f"[::1]:{port}"]))
    return TransportSecuritySettings(allowed_hosts=hosts, allowed_origins=[f"http://{host}" for host in hosts])


class _Guard:
    """Refuses forged Host and Origin headers, and what a page of another site asks for, on every path.

    Nothing has read the request by then. Of a plain GET a browser gives no Origin, but it does say whose page asks.
    """

    def __init__(self, app: ASGIApp, security: TransportSecuritySettings) -> None:
        self._app = app
        self._security = TransportSecurityMiddleware(security)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "http":
            request = Request(scope)
            refused = await self._security.validate_request(request)
            if refused is None and not _OWN_SITES.issuperset(request.headers.getlist("sec-fetch-site")):
                refused = Response("Invalid Sec-Fetch-Site header", status_code=403)
            if refused is not None:
                await refused(scope, receive, send)
                return
            with door.joined(request.headers):  # for messages that name no trace themselves
                await self._app(scope, receive, send)
                return
        await self._app(scope, receive, send)


class _OlderTransport:
    """`GET /sse`: a stream of answers to what is posted to `/messages/`."""

    def __init__(self, protocol: Server[dict[str, object]], transport: SseServerTransport) -> None:
        self._protocol = protocol
        self._transport = transport

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        async with self._transport.connect_sse(scope, receive, send) as (read, write):
            await self._protocol.run(read, write, self._protocol.create_initialization_options())


class _Uvicorn(uvicorn.Server):
    """Leaves the signals alone: ours stand already."""

    @contextmanager
    def capture_signals(self) -> Generator[None]:
        yield
