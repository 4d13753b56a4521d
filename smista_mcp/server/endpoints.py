"""The HTTP endpoints: two transports of the protocol, one guard before them, one orderly end."""

import logging
import socket
import ssl
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import NamedTuple, NoReturn

import anyio
import uvicorn
from mcp.server.lowlevel import Server
from mcp.server.sse import SseServerTransport
from mcp.server.transport_security import TransportSecuritySettings
from starlette.routing import Route
from starlette.types import ASGIApp, Receive, Scope, Send

from smista_mcp.app import App
from smista_mcp.ledger.access import Keyring
from smista_mcp.server.bodies import MAX_BODY_BYTES
from smista_mcp.server.connections import protocol_for
from smista_mcp.server.departure import depart
from smista_mcp.server.door import Door
from smista_mcp.server.guard import Guard
from smista_mcp.server.health import Health
from smista_mcp.server.keys import Keys
from smista_mcp.server.protocol import serving
from smista_mcp.server.signals import Interruption

MAX_CONNECTIONS = 256
"""Connections and requests at once; further ones get 503."""
MAX_SESSIONS = 200
"""Sessions of Streamable HTTP at once; further ones get 503 until one ends or was idle for half an hour."""
_LOGGERS = ("mcp.server.sse", "mcp.server.streamable_http_manager", "mcp.server.transport_security")
"""Of the library: what they warn of is what strangers send, in their own words, one line each time."""
GRACE_S = 0.3
"""Seconds that answers on their way get after a signal, besides what the door grants."""


class Entrance(NamedTuple):
    """Where and how an application is reached.

    Attributes:
        tls: None for plain HTTP.
        keyring: the tokens; None where everyone may come in.
    """

    door: Door
    listener: socket.socket
    tls: ssl.SSLContext | None
    keyring: Keyring | None

    @property
    def origin(self) -> str:
        address, port = self.listener.getsockname()[:2]
        scheme = "http" if self.tls is None else "https"
        return f"{scheme}://[{address}]:{port}" if ":" in address else f"{scheme}://{address}:{port}"

    @property
    def allowed(self) -> tuple[frozenset[str], frozenset[str]]:
        """The Host and the Origin headers that are accepted: a page that another local port serves is a stranger too.

        A browser reaches a name of ours by TLS alone; on this machine as we speak.
        """
        address, port = self.listener.getsockname()[:2]
        names = self.door.names(address, port)
        own = Door().names(address, port)
        scheme = "http" if self.tls is None else "https"
        return names, frozenset(f"{scheme if name in own else 'https'}://{name}" for name in names)


async def attend(app: App, entrance: Entrance, interruption: Interruption) -> NoReturn:
    """Serves the connections of a listener until a signal comes.

    Calls under way then get the seconds that the door grants. Does not return but ends the process once `app` is
    closed: connections that a host keeps open are not waited for.
    """
    door, tls = entrance.door, entrance.tls
    try:
        async with serving(app, over_http=True) as protocol, anyio.create_task_group() as group:
            keys = None if entrance.keyring is None else Keys(entrance.keyring, anyio.current_time)
            health = Health(app, keys, anyio.current_time)
            guard = Guard(web_app(protocol, entrance), door, entrance.allowed, keys, app.cancel_all_but, health)
            config = uvicorn.Config(
                guard,
                http=protocol_for(door),
                log_config=None,
                log_level="error",  # what strangers send is no news
                access_log=False,
                lifespan="on",
                ws="none",
                proxy_headers=False,
                server_header=False,
                limit_concurrency=MAX_CONNECTIONS,
                ssl_context_factory=None if tls is None else lambda _config, _default: tls,
            )
            server = _Uvicorn(config)
            group.start_soon(server.serve, [entrance.listener])
            group.start_soon(guard.watch)
            sys.stderr.write(f"smista-mcp: listening on {entrance.origin}/mcp\n")
            await interruption.came()
            server.should_exit = True
            with anyio.move_on_after(door.grace_s):
                await guard.drained()
            group.cancel_scope.deadline = anyio.current_time() + GRACE_S
    finally:
        depart(interruption)


def web_app(protocol: Server[dict[str, object]], entrance: Entrance) -> ASGIApp:
    """The whole web application behind the guard; it looks at Host and Origin once more by itself."""
    hosts, origins = entrance.allowed
    security = TransportSecuritySettings(allowed_hosts=sorted(hosts), allowed_origins=sorted(origins))
    older = SseServerTransport("/messages/", security, max_request_body_size=MAX_BODY_BYTES)
    newer = protocol.streamable_http_app(
        transport_security=security,
        max_request_body_size=MAX_BODY_BYTES,
        max_sessions=MAX_SESSIONS,
        custom_starlette_routes=[Route("/sse", endpoint=_OlderTransport(protocol, older), methods=["GET"])],
    )
    newer.router.redirect_slashes = False  # behind a proxy that ends TLS it would lead into the clear
    newer.mount("/messages/", _posted(older))
    for name in _LOGGERS:
        logging.getLogger(name).setLevel(logging.ERROR)
    return newer


def _posted(older: SseServerTransport) -> ASGIApp:
    """`POST /messages/`: a message for a stream. Where its host leaves meanwhile, nobody is there to be answered."""

    async def take(scope: Scope, receive: Receive, send: Send) -> None:
        with suppress(anyio.ClosedResourceError, anyio.BrokenResourceError):  # the POST itself is answered by then
            await older.handle_post_message(scope, receive, send)

    return take


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
