"""`serve-stdio` and `serve-http`: handed over early, because a host may end a server while it still starts."""

from smista_mcp.cli.parser import Options
from smista_mcp.server.signals import Interruption


def stdio(options: Options) -> int:
    """Serves one host until it closes its end. Standard output belongs to the protocol."""
    interruption = _watched()
    from smista_mcp.cli.inputs import opened  # noqa: PLC0415  after the handlers stand
    from smista_mcp.server.stdio import serve_stdio  # noqa: PLC0415

    return serve_stdio(opened(options), interruption)


def http(options: Options) -> int:
    """Serves hosts on this machine until a signal comes."""
    interruption = _watched()
    from smista_mcp.cli.inputs import opened  # noqa: PLC0415  after the handlers stand
    from smista_mcp.server.http import serve_http  # noqa: PLC0415

    return serve_http(opened(options), options.host, options.port, interruption)


def _watched() -> Interruption:
    interruption = Interruption()
    interruption.watch()
    return interruption
