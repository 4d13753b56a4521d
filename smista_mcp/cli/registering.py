"""Which hosts this machine has a command of, and what registers smista there. They are looked for, never run."""

import shlex
import shutil
import sys
from pathlib import Path
from typing import Final, NamedTuple

from smista_mcp.cli.parser import PROG


class Registration(NamedTuple):
    """How a host is told of smista.

    Attributes:
        host: its name, as in `[hosts.NAME]`.
        program: its command.
        arguments: behind it; `{smista}` is where our own command goes.
        then: what is still to be written, and where.
    """

    host: str
    program: str
    arguments: str
    then: str = ""

    def words(self, smista: str) -> str:
        """What to type, for a shell."""
        typed = f"{self.program} {self.arguments.replace('{smista}', shlex.quote(smista))}"
        return f"{typed}  # then {self.then}" if self.then else typed


REGISTRATIONS: Final = (
    Registration("claude-code", "claude", "mcp add --scope user smista -- {smista} serve-stdio"),
    Registration(
        "codex",
        "codex",
        "mcp add smista -- {smista} serve-stdio",
        "`required = true` and `tool_timeout_sec = 900` under `[mcp_servers.smista]`",
    ),
    Registration("gemini-cli", "gemini", "mcp add --scope user --trust smista {smista} serve-stdio"),
    Registration("opencode", "opencode", "mcp add smista -- {smista} serve-stdio"),
    Registration("copilot-cli", "copilot", "mcp add smista -- {smista} serve-stdio"),
)


def found_hosts(search: str) -> tuple[Registration, ...]:
    """The hosts whose command stands in one of the folders of a PATH."""
    return tuple(one for one in REGISTRATIONS if shutil.which(one.program, path=search) is not None)


def own_command(search: str) -> str:
    """What starts smista from anywhere: its name, or its absolute path where a virtual environment alone knows it."""
    found = shutil.which(PROG, path=search)
    if found is not None and not Path(found).is_relative_to(sys.prefix):
        return PROG
    beside = Path(sys.executable).absolute().with_name(PROG)
    return found or (str(beside) if beside.exists() else PROG)
