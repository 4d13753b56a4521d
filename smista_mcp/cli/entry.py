"""From arguments to an exit status."""

import gc
import os
import sys
from collections.abc import Callable, Sequence
from contextlib import suppress
from importlib import import_module
from typing import NoReturn, cast

from smista_mcp.cli.failures import tell
from smista_mcp.cli.parser import Options, parse
from smista_mcp.cli.printing import flush_output, prepare_output
from smista_mcp.server.ending import leave

Command = Callable[[Options], int]


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
    # a plugin of pydantic that happens to be installed would see every task; to look for one takes time, too
    os.environ.setdefault("PYDANTIC_DISABLE_PLUGINS", "__all__")
    gc.disable()  # a short life needs no collector; what lives longer turns it on again
    try:
        prepare_output()
        try:
            options = parse(given)
            status = _command(options.command)(options)
        except SystemExit as end:  # --help, --version
            status = int(end.code or 0)
        flush_output()
    except (Exception, KeyboardInterrupt) as error:  # noqa: BLE001  nobody may see a traceback
        status = tell(error, json=json, debug=debug)
    return status


def _command(name: str) -> Command:
    """A command's function; its module is loaded now, so that no command pays for another."""
    module, _, function = name.partition(":")
    return cast("Command", getattr(import_module(f"smista_mcp.cli.{module}"), function))


def _asked(option: str, given: Sequence[str]) -> bool:
    return option in given[: given.index("--")] if "--" in given else option in given
