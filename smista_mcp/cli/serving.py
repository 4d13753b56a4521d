"""`serve-stdio` and `serve-http`: handed over early, because a host may end a server while it still starts."""

from typing import TYPE_CHECKING

from smista_mcp.errors import InvalidTask
from smista_mcp.server.signals import Interruption

if TYPE_CHECKING:
    from collections.abc import Callable

    from smista_mcp.app import App
    from smista_mcp.cli.parser import Options


def stdio(options: "Options") -> int:
    """Serves one host until it closes its end. Standard output belongs to the protocol."""
    interruption = _watched()
    if options.workspace is not None:  # what is named may be no workspace; told before a host is greeted
        from pathlib import Path  # noqa: PLC0415  as above

        from smista_mcp.context.workspace import find_root  # noqa: PLC0415

        find_root(options.workspace, None, Path.cwd())
    return _fronted(lambda: _opened(options), interruption)


def stdio_at_once() -> int:
    """The same without options, before the command line is read: this is how hosts start us."""
    return _fronted(_opened_plainly, _watched())


def http(options: "Options") -> int:
    """Serves hosts on this machine, or by a token from others, until a signal comes.

    No file is read unless a workspace is named: the folder that the server was started in is nobody's wish.
    """
    interruption = _watched()
    from smista_mcp.server.door import Door, Refused, networks  # noqa: PLC0415  after the handlers stand
    from smista_mcp.server.http import serve_http  # noqa: PLC0415  as above

    try:
        proxies = networks(options.behind_proxy)
    except Refused as error:
        raise InvalidTask(str(error)) from None
    door = Door(
        hosts=tuple(options.allowed_host),
        tls_cert=options.tls_cert,
        tls_key=options.tls_key,
        proxies=proxies,
        rate=options.rate,
        at_once=options.at_once,
        grace_s=float(options.grace),
        tokens=not options.no_tokens,
    )
    app = _opened(options, rootless=options.workspace is None)
    return serve_http(app, options.host, options.port, interruption, door)


def _fronted(opened: "Callable[[], App]", interruption: Interruption) -> int:
    from smista_mcp.server.front import serve_fronted  # noqa: PLC0415  after the handlers stand

    return serve_fronted(opened, interruption)


def _opened_plainly() -> "App":
    from smista_mcp.cli.parser import parse  # noqa: PLC0415  while a host waits for nothing

    return _opened(parse(["serve-stdio"]))


def _opened(options: "Options", *, rootless: bool = False) -> "App":
    """The product, unless this server was started by a CLI that one of ours runs: that would go round in circles."""
    from smista_mcp.cli.inputs import opened  # noqa: PLC0415  after the handlers stand

    app = opened(options, rootless=rootless)
    if app.world.settings.environment.delegate:
        raise InvalidTask("this CLI was started by smista-mcp itself, which does not serve it", fix="")
    return app


def _watched() -> Interruption:
    interruption = Interruption()
    interruption.watch()
    return interruption
