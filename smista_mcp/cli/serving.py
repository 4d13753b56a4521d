"""`serve-stdio` and `serve-http`: handed over early, because a host may end a server while it still starts."""

from typing import TYPE_CHECKING

from smista_mcp.cli.parser import Options
from smista_mcp.server.signals import Interruption

if TYPE_CHECKING:
    from smista_mcp.app import App


def stdio(options: Options) -> int:
    """Serves one host until it closes its end. Standard output belongs to the protocol."""
    interruption = _watched()
    from smista_mcp.server.stdio import serve_stdio  # noqa: PLC0415  after the handlers stand

    return serve_stdio(_opened(options), interruption)


def http(options: Options) -> int:
    """Serves hosts on this machine until a signal comes."""
    interruption = _watched()
    from smista_mcp.server.http import serve_http  # noqa: PLC0415  after the handlers stand

    return serve_http(_opened(options), options.host, options.port, interruption)


def _opened(options: Options) -> "App":
    """The product, unless this server was started by a CLI that one of ours runs: that would go round in circles."""
    from smista_mcp.cli.inputs import opened  # noqa: PLC0415  after the handlers stand
    from smista_mcp.errors import InvalidTask  # noqa: PLC0415

    app = opened(options)
    if app.world.settings.environment.delegate:
        raise InvalidTask("this CLI was started by smista-mcp itself, which does not serve it", fix="")
    return app


def _watched() -> Interruption:
    interruption = Interruption()
    interruption.watch()
    return interruption
