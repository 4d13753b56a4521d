"""From arguments to an exit status.

A host waits for the start of a server, so nothing is imported here that only other commands need.
"""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from types import ModuleType
from typing import TYPE_CHECKING, NoReturn, cast

from smista_mcp.server.ending import leave

if TYPE_CHECKING:
    from smista_mcp.cli.parser import Options

    Command = Callable[[Options], int]

_BY_HOSTS = ["serve-stdio"]
"""How hosts start a server."""


def program() -> NoReturn:
    """The program `smista-mcp`: `main` with the arguments of this process, and its end."""
    status = main()
    for stream in (sys.stdout, sys.stderr):
        with suppress(OSError, ValueError):  # `main` told of what could not be written
            if stream:
                stream.flush()
    leave(status)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs one command.

    Args:
        arguments: without the program's name; None for those of this process.

    Returns:
        The exit status: 0 done, 1 the answer is no, 2 wrong usage; 130 after Ctrl-C.
    """
    given = sys.argv[1:] if arguments is None else list(arguments)
    # what a failure before and inside the parser has to know
    json, debug = _asked("--json", given) and "serve-stdio" not in given, _asked("--debug", given)
    _leave_plugins_out()
    gc.disable()  # a short life needs no collector; what lives longer turns it on again
    try:
        return _run(given)
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  nobody may see a traceback
        from smista_mcp.cli.failures import tell  # noqa: PLC0415  for a failure alone

        return tell(error, json=json, debug=debug)


def _leave_plugins_out() -> None:
    """Keeps out plugins of pydantic that happen to be installed: they would see every task.

    Even where its variable says so, pydantic asks a module of its own for them, which loads half of `email`: 4 % of
    what `route` takes. What that would answer stands there already.
    """
    if os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__") == "__all__":
        loader = ModuleType("pydantic.plugin._loader")
        loader.__dict__["get_plugins"] = tuple
        sys.modules.setdefault(loader.__name__, loader)


def _run(given: Sequence[str]) -> int:
    if given == _BY_HOSTS:
        from smista_mcp.cli.serving import stdio_at_once  # noqa: PLC0415  as above

        return stdio_at_once()
    from smista_mcp.cli.parser import parse  # noqa: PLC0415
    from smista_mcp.cli.printing import flush_output, prepare_output  # noqa: PLC0415

    prepare_output()
    try:
        options = parse(given)
        status = _command(options.command)(options)
    except SystemExit as end:  # --help, --version
        status = int(end.code or 0)
    flush_output()
    return status


def _command(name: str) -> "Command":
    """A command's function; its module is loaded now, so that no command pays for another."""
    from importlib import import_module  # noqa: PLC0415  as above

    module, _, function = name.partition(":")
    return cast("Command", getattr(import_module(f"smista_mcp.cli.{module}"), function))


def _asked(option: str, given: Sequence[str]) -> bool:
    return option in given[: given.index("--")] if "--" in given else option in given
