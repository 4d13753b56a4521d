"""What is known of the products that call us: how to recognise them, how long they wait, what they can do.

One table of facts, each row dated and with its source. `observed` means: seen in a run of the real product, of the
version named, against a scripted model on loopback. What nobody documents and nobody has seen is not claimed: a row
then says the cautious thing. A host is what it says it is; nothing here grants it anything.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

from smista_mcp.core.facts import HostFacts
from smista_mcp.core.redaction import shown
from smista_mcp.core.values import Locality
from smista_mcp.errors import InvalidTask

LEAST_CAP: Final = 16_000
"""Characters of both forms of a result together that every host passes on whose cap is known: the least for one form
is 12,000, for both 16,000."""


class HostSpec(NamedTuple):
    """One host.

    Attributes:
        name: as in policy files (`[hosts.NAME]`), decisions and SMISTA_HOST.
        client_names: its `clientInfo.name`, compared without case.
        marks: names of environment variables that it sets for the servers that it starts.
        call_limit_s: how long a tool call may take, in seconds, before the host gives up, if its user changed nothing.
        progress_resets_limit: whether a progress notification starts that time anew.
        reads: which part of a result reaches its model; `both` also where that is not known.
        elicitation: whether it can ask its user; the capabilities of the session, where they are known, say it better.
        result_cap: characters of a result that surely reach its model; None where that is not known.
        start_limit_s: how long it surely waits for a server, in seconds from its start, before it goes on without it,
            if its user changed nothing; None where that is not known.
        keys_reach: whether what its user exports reaches a server whose entry names no variables; None where that is
            not known.
        switch: how work gets to another model: by the call of an agent that names one (`agent`), by an agent whose
            file names one (`agent_file`), or not at all.
        switch_step: what the host does to have work done on the model `{model}`; None where it cannot.
        model_option: what starts it on a model of the user's choice; None where that takes a menu.
        models: its own name for a model of each capability class.
        further_models: other names that `switch_step` takes.
        source: where the row comes from.
        checked: ISO date of that.
    """

    name: str
    source: str
    checked: str
    client_names: tuple[str, ...] = ()
    marks: tuple[str, ...] = ()
    call_limit_s: float = 60.0
    progress_resets_limit: bool = False
    reads: Literal["structured", "text", "both"] = "both"
    elicitation: bool = False
    result_cap: int | None = None
    start_limit_s: float | None = None
    keys_reach: bool | None = None
    switch: Literal["agent", "agent_file", "none"] = "none"
    switch_step: str | None = None
    model_option: str | None = None
    models: Mapping[str, str] = MappingProxyType({})
    further_models: tuple[str, ...] = ()

    @property
    def room(self) -> int:
        """Bytes that one form of a result may have, text or structured, so that all of it reaches the host's model.

        Where nothing is known it is the least of what is. A host that reads both forms passes on both together; a
        twentieth is left for what hosts write around a result.
        """
        cap = LEAST_CAP if self.result_cap is None else self.result_cap
        return cap * 19 // (40 if self.reads == "both" else 20)

    @property
    def can_switch(self) -> bool:
        """Whether it can have work done on another model than the one it runs on."""
        return self.switch_step is not None


UNKNOWN: Final = HostSpec(
    name="unknown",
    source="the lowest limit of all hosts below",
    checked="2026-11-20",
)
"""A host that says nothing, or nothing that is known: it gets the most cautious treatment."""

HOSTS: Final[tuple[HostSpec, ...]] = (
    HostSpec(
        name="claude-code",
        client_names=("claude-code",),
        marks=("CLAUDECODE",),
        call_limit_s=1800.0,
        progress_resets_limit=True,
        reads="structured",
        elicitation=True,
        result_cap=50_000,
        start_limit_s=2.0,
        keys_reach=True,
        switch="agent",
        model_option="claude --model {model}",
        switch_step=(
            'Call the Agent tool with `model: "{model}"`, a `subagent_type` other than "fork", and this prompt.'
        ),
        models={"deep_reasoning": "opus", "coding": "sonnet", "balanced": "sonnet", "fast": "haiku"},
        further_models=("fable",),
        source=(
            "Claude Code 2.1.328, observed: the Agent tool takes sonnet, opus, haiku and fable, and an agent that was"
            " started with opus asked claude-opus-5-5, with haiku claude-haiku-5-5; which alias is for what:"
            " code.claude.com/docs/en/model-config; limit: constants of the program, an idle limit over stdio"
            " (5 minutes over HTTP); MCP_TOOL_TIMEOUT sets a hard one that progress does not reset"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="codex",
        client_names=("codex-mcp-client", "codex"),
        call_limit_s=300.0,
        reads="structured",
        elicitation=True,
        result_cap=12_000,
        start_limit_s=1.0,
        keys_reach=False,
        switch="agent",
        model_option="codex -m {model}",
        switch_step=('If your user agrees to a sub-agent, call `spawn_agent` with `model: "{model}"` and this prompt.'),
        models={
            "deep_reasoning": "gpt-6-astra",
            "coding": "gpt-6.1-sol",
            "balanced": "gpt-6.1-sol",
            "fast": "gpt-6-luna",
        },
        further_models=("gpt-6-sol", "gpt-5.6-sol"),
        source=(
            "Codex 0.169.0, observed: `spawn_agent` names these five models and what each is for, may be called only"
            " when the user or AGENTS.md asks for sub-agents, and an agent that was started with gpt-6-astra asked"
            " gpt-6-astra; limits and cap observed (`tool_timeout_sec`, `tool_output_token_limit` change two of them);"
            " start: openai/codex pull request 31641 and issue 38689 (`required = true` or"
            " `mcp_optional_startup_grace_ms` change it);"
            " developers.openai.com/codex/subagents; client name `Codex`: mcp-client-capabilities 0.0.14"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="gemini-cli",
        client_names=("gemini-cli-mcp-client",),
        marks=("GEMINI_CLI",),
        call_limit_s=600.0,
        reads="text",
        result_cap=40_000,
        start_limit_s=8.0,
        keys_reach=False,
        switch="agent_file",
        model_option="gemini -m {model}",
        switch_step=(
            "Call `invoke_agent`, with this prompt, for an agent whose file in ~/.gemini/agents/ says `model: {model}`;"
            " where there is none, ask your user to add one and to run `/agents reload`."
        ),
        models={"deep_reasoning": "pro", "coding": "pro", "balanced": "flash", "fast": "flash-lite"},
        further_models=(
            *("gemini-2.5-pro", "gemini-2.5-flash", "gemini-2.5-flash-lite", "gemini-3-pro-preview"),
            *("gemini-3-flash-preview", "gemini-3.8-flash", "gemini-3.5-flash-lite"),
        ),
        source=(
            "Gemini CLI 0.61.0, observed: agents with `model: pro`, `flash`, `flash-lite` and gemini-2.5-flash-lite"
            " asked gemini-3.1-pro-preview-customtools, gemini-3.8-flash, gemini-3.5-flash-lite and"
            " gemini-2.5-flash-lite; its docs/cli/cli-reference.md and docs/cli/model.md (names, and what each is for),"
            " docs/core/subagents.md and docs/tools/mcp-server.md (`timeout`, 600,000 ms)"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="opencode",
        client_names=("opencode",),
        marks=("OPENCODE",),
        call_limit_s=60.0,
        progress_resets_limit=True,
        reads="text",
        result_cap=51_200,
        start_limit_s=8.0,
        keys_reach=True,
        switch="agent_file",
        model_option="opencode -m {model}",
        switch_step=(
            "Call `task`, with this prompt, for a subagent whose definition (.opencode/agent/NAME.md, or `agent` in"
            " opencode.json) says `model: {model}`, written provider/model."
        ),
        source=(
            "opencode 1.18.33, observed: a subagent whose file in .opencode/agent/ named another model asked that"
            " model; limit and cap observed; opencode.ai/docs/agents; its models are those of its user's providers"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="copilot-cli",
        client_names=("copilot-cli", "github-copilot-developer"),
        call_limit_s=60.0,
        elicitation=True,
        result_cap=16_000,
        start_limit_s=8.0,
        keys_reach=True,
        switch="agent",
        model_option="copilot --model {model}",
        switch_step=(
            'If your user agrees to it, call `task` with `agent_type: "general-purpose"`, `model: "{model}"` and'
            " this prompt."
        ),
        models={
            "deep_reasoning": "claude-opus-5.5",
            "coding": "claude-sonnet-5.5",
            "balanced": "claude-sonnet-5.5",
            "fast": "claude-haiku-5.5",
        },
        further_models=(
            *("claude-sonnet-5", "claude-fable-5.1", "claude-fable-5", "claude-opus-5", "claude-opus-4.8"),
            *("claude-opus-4.8-fast", "claude-sonnet-4.6", "claude-haiku-4.5", "gpt-6.1-sol", "gpt-6-sol"),
            *("gpt-6-luna", "gpt-6-astra", "gpt-5.6-sol", "gpt-5.6-terra", "gpt-5.6-luna", "gpt-5.5", "gpt-5.4"),
            *("gpt-5.4-mini", "gpt-5.3-codex", "gpt-5-mini", "mai-code-1.1-flash", "gemini-4-argon"),
            *("gemini-3.8-flash", "gemini-3.7-flash", "grok-4.7", "grok-4.6", "grok-4.5"),
        ),
        source=(
            "Copilot CLI 1.0.102, observed: an agent that `task` started with another model asked that model; `task`"
            " may name a model only when the user or standing instructions ask for it; names: `copilot help config`"
            " (which of them a user has depends on the plan), classes as for Claude Code; 16,000 characters of text and"
            " JSON passed, 23,700 were cut; limit: github/copilot-cli issue 1535, though 70 s were seen to pass"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="cursor",
        client_names=("cursor-vscode",),
        call_limit_s=300.0,
        elicitation=True,
        switch="agent_file",
        switch_step="Have a subagent whose file in .cursor/agents/ says `model: {model}` do it, with this prompt.",
        source=(
            "cursor.com/docs/agent/subagents (subagents with prompts, tools and models of their own); limit:"
            " cursor/cursor issue 3510; elicitation: cursor.com/docs/context/mcp; client name:"
            " mcp-client-capabilities 0.0.14; not run"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="vscode",
        client_names=("Visual Studio Code", "Visual-Studio-Code"),
        call_limit_s=300.0,
        elicitation=True,
        switch="agent_file",
        switch_step=(
            "Run a custom agent whose .agent.md file says `model: {model}` as a subagent (`runSubagent`), with this"
            " prompt."
        ),
        source=(
            "code.visualstudio.com/docs/copilot/agents/subagents and .../customization/custom-agents: a custom agent's"
            " model overrides the session's when it runs as a subagent, which is experimental; `runSubagent` itself"
            " takes no model; limit: microsoft/vscode issues 261734 and 311595; client names and elicitation:"
            " mcp-client-capabilities 0.0.14; not run"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="windsurf",
        client_names=("windsurf-client", "windsurf"),
        source=(
            "docs.windsurf.com/windsurf/cascade: its user picks the model in a menu; its page on MCP documents no limit"
            " of time and no elicitation, but 100 tools in all; client names: mcp-client-capabilities 0.0.14; not run"
        ),
        checked="2026-11-20",
    ),
    HostSpec(
        name="zed",
        client_names=("Zed",),
        call_limit_s=60.0,
        source=(
            "zed.dev/docs/ai/tools and zed.dev/docs/ai/agent-settings: its tool for subagents takes no model, which the"
            " user's `agent.subagent_model` sets for all; limit: zed-industries/zed pull request 45378"
            " (`context_server_timeout`, or `timeout` of the entry; 10 minutes at most); tools and prompts alone:"
            " zed.dev/docs/ai/mcp; client name: mcp-client-capabilities 0.0.14; not run"
        ),
        checked="2026-11-20",
    ),
    UNKNOWN,
)


def detect(host_override: str | None, client_info_name: str | None, marks: frozenset[str]) -> HostSpec:
    """The host that calls.

    The first of these that is given decides, and where it names no known host, the host is unknown: a client that says
    who it is may well run inside another host, whose variables it inherits.

    Args:
        host_override: what `--host` says, else the value of SMISTA_HOST.
        client_info_name: `clientInfo.name` of the session or request.
        marks: names of the environment variables that are set; marks of several hosts at once decide nothing.
    """
    if host_override:
        return _only([host for host in HOSTS if host.name == host_override.strip().casefold()])
    if client_info_name:
        given = client_info_name.strip().casefold()
        return _only([host for host in HOSTS if given in {name.casefold() for name in host.client_names}])
    return _only([host for host in HOSTS if not marks.isdisjoint(host.marks)])


def known_host(name: str) -> HostSpec:
    """The row of a host.

    Raises:
        InvalidTask: there is none of that name; the error says which there are.
    """
    found = [host for host in HOSTS if host.name == name.strip().casefold()]
    if not found:
        raise InvalidTask(f"no host `{shown(name)}` is known", fix=f"name one of {', '.join(h.name for h in HOSTS)}")
    return found[0]


def facts(spec: HostSpec, locality: Locality) -> HostFacts:
    """What a decision may know of a host.

    Args:
        spec: the host.
        locality: what user or organisation say in `[hosts.NAME]`; remote where they say nothing.

    Returns:
        facts whose `models` hold a name for each capability class that has one, and every further name under itself.
    """
    models = {**{name: name for name in spec.further_models}, **spec.models}
    return HostFacts(name=spec.name, locality=locality, models=models, switch_step=spec.switch_step)


def _only(found: list[HostSpec]) -> HostSpec:
    return found[0] if len(found) == 1 else UNKNOWN
