"""The server over HTTP, for hosts that connect instead of starting it: on this machine, or by a token from others."""

import socket
import sys
from ipaddress import ip_address

import anyio

from smista_mcp.app import App
from smista_mcp.app.world import utc_now
from smista_mcp.errors import SmistaError
from smista_mcp.ledger.access import Keyring, TokenBook
from smista_mcp.server.door import Door, Refused, check_place, tls_context
from smista_mcp.server.signals import Interruption
from smista_mcp.server.startup import prepare, send_spans, share_heaps, sparing

DEFAULT_PORT = 7331
BACKLOG = 128


def serve_http(
    app: App,
    host: str = "127.0.0.1",
    port: int = DEFAULT_PORT,
    interruption: Interruption | None = None,
    door: Door = Door(),  # noqa: B008  a value
) -> int:
    """Serves hosts over HTTP until a signal comes; blocks.

    `/mcp` is Streamable HTTP, `/sse` with `/messages/` the older transport, `/healthz` and `/readyz` are for
    supervisors. The address is printed on standard error once connections are taken. After a signal the process ends
    with status 128 + n: within a second, and the seconds that `door` grants to calls under way.

    Args:
        app: what answers.
        host: an address of this machine, or `localhost`.
        port: 0 lets the system choose.
        interruption: handlers that already stand; without them they are installed here.
        door: what is asked of those who come in.

    Returns:
        The exit status: 1 where the port or the tokens cannot be had, 2 where the door may not stand so.
    """
    interruption = prepare(interruption)
    try:
        address = _address(host, port)
        keyring = _keyring(app, door, loopback=ip_address(address).is_loopback)
        tls = tls_context(door.tls_cert, door.tls_key) if door.tls_cert and door.tls_key else None
    except Refused as error:
        sys.stderr.write(f"smista-mcp: {error}\n")
        return 2
    except SmistaError as error:
        sys.stderr.write(f"smista-mcp: {error}\n")
        return 1
    try:
        listener = _listen(address, port)
    except OSError as error:
        sys.stderr.write(f"smista-mcp: cannot listen on {host} port {port}: {_reason(error)}\n")
        return 1
    if keyring is None:
        door = door._replace(grace_s=0.0)  # one's own hosts are gone as fast as one's own server
    interruption.grace_s = door.grace_s
    share_heaps()
    with sparing():
        send_spans(app)
        from smista_mcp.server.endpoints import Entrance, attend  # noqa: PLC0415 - after the handlers, without the collector
    return anyio.run(attend, app, Entrance(door, listener, tls, keyring), interruption)


def _address(host: str, port: int) -> str:
    """The address to listen on.

    Raises:
        Refused: it is none, or the port does not exist.
    """
    if not 0 <= port <= 65535:
        raise Refused(f"port {port} does not exist; write one from 1 to 65535, or 0 for any free one")
    if host == "localhost":
        return "127.0.0.1"
    try:
        return str(ip_address(host))
    except ValueError:
        raise Refused(
            f"`{host}` is no address to listen on; write one of this machine's, for example 127.0.0.1"
        ) from None


def _keyring(app: App, door: Door, *, loopback: bool) -> Keyring | None:
    """The tokens that open the door; None where nobody needs one: on loopback, for as long as none was ever made.

    Raises:
        Refused: the door may not stand so.
        StateUnavailable: nobody can tell which tokens there are.
    """
    inside = loopback and not door.outside
    if inside and app.world.believed_state is None:  # then nobody has made one that counts
        keyring = None
    else:
        keyring = Keyring(TokenBook(app.world.own_state()), utc_now)
    active = keyring is not None and keyring.any_active()
    check_place(door, loopback=loopback, active=active, reads_files=app.world.settings.workspace is not None)
    if keyring is None or not door.tokens:
        return None
    return keyring if keyring.known() or not inside else None


def _listen(address: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    # the event loop turns Nagle's waiting off only where the protocol is named: 40 ms of each answer
    listener = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        if sys.platform != "win32":  # where the same option would let a second program take the port
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind((address, port))
        listener.listen(BACKLOG)
    except OSError:
        listener.close()
        raise
    listener.setblocking(False)  # noqa: FBT003 - its only form
    return listener


def _reason(error: OSError) -> str:
    words = (error.strerror or type(error).__name__).lower()
    return f"{words}; stop the program that uses it, or choose another with --port"
