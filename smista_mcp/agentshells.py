"""How the shell of an agent is told from that of a person: variables that agents set for the commands they run.

A table of facts like that of hosts. Its absence proves nothing: an agent can take a variable away, and a person's own
terminal can be driven by a program. It keeps an agent that means well from answering for its user.
"""

from collections.abc import Mapping
from typing import Final, NamedTuple


class AgentMark(NamedTuple):
    """A variable.

    Attributes:
        name: of the variable, whatever its value.
        agent: whose it is.
        source: where that is known from.
    """

    name: str
    agent: str
    source: str


_STANDARD = "agentsmd/agents.md issue 136; vercel/vercel packages/detect-agent"
MARKS: Final = (
    AgentMark("AI_AGENT", "an agent", f"{_STANDARD}; Claude Code 2.1.328, observed"),
    AgentMark("AGENT", "an agent", "agentsmd/agents.md issue 136 (Goose, Amp); opencode 1.18.34, observed"),
    AgentMark("CLAUDECODE", "Claude Code", "Claude Code 2.1.328, observed"),
    AgentMark("CLAUDE_CODE_SESSION_ID", "Claude Code", "Claude Code 2.1.328, observed"),
    AgentMark("CODEX_SANDBOX", "Codex", "vercel/vercel packages/detect-agent; openai/codex"),
    AgentMark("CODEX_SANDBOX_NETWORK_DISABLED", "Codex", "openai/codex codex-rs/core/src/spawn.rs"),
    AgentMark("CODEX_THREAD_ID", "Codex", "aws/aws-cdk-cli detect-agent.ts"),
    AgentMark("CODEX_CI", "Codex", "openai/codex; unjs/std-env"),
    AgentMark("GEMINI_CLI", "Gemini CLI", "Gemini CLI 0.61.0, observed"),
    AgentMark("OPENCODE", "opencode", "opencode 1.18.34, observed"),
    AgentMark("OPENCODE_CLIENT", "opencode", "vercel/vercel packages/detect-agent"),
    AgentMark("CURSOR_AGENT", "Cursor", "vercel/vercel packages/detect-agent"),
    AgentMark("COPILOT_CLI", "Copilot CLI", "public detection tables; not run"),
    AgentMark("COPILOT_AGENT", "Copilot", "public detection tables; not run"),
    AgentMark("CLINE_ACTIVE", "Cline", "cline/cline discussion 5366"),
    AgentMark("AUGMENT_AGENT", "Augment", "vercel/vercel packages/detect-agent"),
    AgentMark("ANTIGRAVITY_AGENT", "Antigravity", "vercel/vercel packages/detect-agent"),
    AgentMark("TRAE_AI_SHELL_ID", "Trae", "agentsmd/agents.md issue 136"),
)
"""`CURSOR_TRACE_ID`, `REPL_ID` and the like are not here: they stand in terminals that people type into."""


def agents_in(variables: Mapping[str, str]) -> tuple[str, ...]:
    """The variables by which this is an agent's shell, with the agent, in order; empty where none is set.

    Args:
        variables: of the environment; an empty one counts as well, for somebody has set it.
    """
    return tuple(f"{mark.name} of {mark.agent}" for mark in MARKS if mark.name in variables)
