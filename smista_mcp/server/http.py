"""The server over HTTP, for hosts that connect instead of starting it. Loopback only."""

import socket
import sys
from ipaddress import ip_address

import anyio

from smista_mcp.app import App
from smista_mcp.server.signals import Interruption
from smista_mcp.server.startup import prepare, send_spans, sparing

DEFAULT_PORT = 7331
BACKLOG = 128


def serve_http(
    app: App, host: str = "127.0.0.1", port: int = DEFAULT_PORT, interruption: Interruption | None = None
) -> int:
    """Serves hosts on this machine over HTTP until a signal comes; blocks.

    `/mcp` is Streamable HTTP, `/sse` with `/messages/` the older transport. The address is printed on standard error
    once connections are taken. After a signal the process ends within a second with status 128 + n.

    Args:
        app: what answers.
        host: a loopback address, or `localhost`.
        port: 0 lets the system choose.
        interruption: handlers that already stand; without them they are installed here.

    Returns:
        The exit status: 1 where the port cannot be had, 2 where the address is refused.
    """
    interruption = prepare(interruption)
    address = _loopback(host)
    if address is None or not 0 <= port <= 65535:
        sys.stderr.write(f"smista-mcp: {_refusal(host, port, loopback=address is not None)}\n")
        return 2
    try:
        listener = _listen(address, port)
    except OSError as error:
        sys.stderr.write(f"smista-mcp: cannot listen on {host} port {port}: {_reason(error)}\n")
        return 1
    with sparing():
        send_spans(app)
        from smista_mcp.server.endpoints import attend  # noqa: PLC0415 - after the handlers, without the collector
    return anyio.run(attend, app, listener, interruption)


def _loopback(host: str) -> str | None:
    """The address that `host` names on this machine, None where it is reachable from another."""
    if host == "localhost":
        return "127.0.0.1"
    try:
        address = ip_address(host)
    except ValueError:
        return None
    return str(address) if address.is_loopback else None


def _refusal(host: str, port: int, *, loopback: bool) -> str:
    if loopback:
        return f"port {port} does not exist; write one from 1 to 65535, or 0 for any free one"
    return (
        f"will not listen on `{host}`: whoever reaches this server spends your money and reads your files, and the"
        " guarded door for other machines comes with tokens; until then use --host 127.0.0.1, and a tunnel such as"
        " `ssh -L` from elsewhere"
    )


def _listen(address: str, port: int) -> socket.socket:
    listener = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
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
