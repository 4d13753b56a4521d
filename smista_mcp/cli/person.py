"""Whether a person sits at this terminal, as far as a program can tell."""

import sys

from smista_mcp.agentshells import agents_in
from smista_mcp.cli.printing import is_terminal
from smista_mcp.errors import Code, SmistaError
from smista_mcp.loading.environment import Environment


def is_there(environment: Environment) -> bool:
    """Whether a person can be asked here."""
    return is_terminal(sys.stdin) and is_terminal(sys.stdout) and not _agents(environment)


def check_is_there(environment: Environment, what: str, fix: str) -> None:
    """Refuses where a program, not a person, may be asking.

    Args:
        environment: of this process.
        what: only a person can do, in words.
        fix: what to do instead.

    Raises:
        SmistaError: `approval_required`.
    """
    inside = _agents(environment)
    if inside:
        message = f"this is an agent's shell ({', '.join(inside)} is set), and only a person can {what}"
        raise SmistaError(message, fix=fix, code=Code.APPROVAL_REQUIRED)
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)):
        message = f"standard input and output are no terminal, and only a person can {what}"
        raise SmistaError(message, fix=fix, code=Code.APPROVAL_REQUIRED)


def _agents(environment: Environment) -> tuple[str, ...]:
    """The marks of agents, those included that are set to nothing."""
    empty = {
        "CLAUDECODE": environment.claude_code,
        "GEMINI_CLI": environment.gemini_cli,
        "OPENCODE": environment.opencode,
    }
    return agents_in({**dict.fromkeys((name for name, there in empty.items() if there), ""), **environment.variables})
