"""Where each host keeps its configuration, and what smista's entry says there: one table, dated and with its sources.

`observed` means: the real product, of the version named, found the entry that was written there and started us.
"""

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final, Literal, NamedTuple

Platform = Literal["linux", "macos", "windows"]
Form = Literal["json", "jsonc", "toml"]
Shape = Form | Literal["yaml", "words"]
"""What a file is written in: that of a host's settings, aider's, or instructions to a model."""
Entry = Mapping[str, object]

NAME: Final = "smista"
"""What the server is called in every host: their names for its tools begin with it."""
CALL_LIMIT_S: Final = 900


class Place(NamedTuple):
    """The files of one host for one scope, as patterns: `{config}` and the like are `roots`.

    Attributes:
        files: the first that is there counts, else the last.
        note: the file of instructions to its model; empty where that is no file.
    """

    files: tuple[str, ...]
    note: str = ""


class HostFile(NamedTuple):
    """One host.

    Attributes:
        host: its name, as in `[hosts.NAME]`.
        title: as people call it.
        form: of its file; `json` allows no comments.
        keys: those that lead to our entry.
        entry: makes it from our command and the names of variables that it has to pass on.
        limits: why the entry says more than the command, by key.
        program: its command; empty where it has none.
        marks: folders that are there where the host is, if it is not on the PATH.
        other_names: by which a user may call it.
        trust: what a project's file still needs before it counts.
        withheld: names of variables that it gives to no server, whatever its file says.
        writes: False where it is only told what to paste.
        source: where the row comes from.
        checked: ISO date of that.
    """

    host: str
    title: str
    form: Form
    keys: tuple[str, ...]
    entry: Callable[[Sequence[str], Sequence[str]], Entry]
    user: Place
    source: str
    checked: str
    project: Place | None = None
    limits: Mapping[str, str] = MappingProxyType({})
    program: str = ""
    marks: tuple[str, ...] = ()
    other_names: tuple[str, ...] = ()
    trust: str = ""
    withheld: tuple[str, ...] = ()
    writes: bool = True


def _claude(command: Sequence[str], _: Sequence[str]) -> Entry:
    return {"type": "stdio", "command": command[0], "args": list(command[1:]), "alwaysLoad": True}


def _codex(command: Sequence[str], names: Sequence[str]) -> Entry:
    passed = {"env_vars": list(names)} if names else {}
    limits = {"required": True, "tool_timeout_sec": CALL_LIMIT_S}
    return {"command": command[0], "args": list(command[1:]), **passed, **limits}


def _cursor(command: Sequence[str], names: Sequence[str]) -> Entry:
    passed = {"env": {name: f"${{env:{name}}}" for name in names}} if names else {}
    return {"type": "stdio", "command": command[0], "args": list(command[1:]), **passed}


def _vscode(command: Sequence[str], _: Sequence[str]) -> Entry:
    return {"type": "stdio", "command": command[0], "args": list(command[1:])}


def _gemini(command: Sequence[str], names: Sequence[str]) -> Entry:
    passed = {"env": {name: f"${{{name}:-}}" for name in names}} if names else {}
    return {"command": command[0], "args": list(command[1:]), **passed, "trust": True}


def _opencode(command: Sequence[str], _: Sequence[str]) -> Entry:
    return {"type": "local", "command": list(command), "enabled": True, "timeout": CALL_LIMIT_S * 1000}


def opencode_second(command: Sequence[str], _: Sequence[str] = ()) -> Entry:
    """The entry of opencode in the form of its second version, below `mcp.servers`."""
    return {"type": "local", "command": list(command), "timeout": {"request": CALL_LIMIT_S * 1000}}


def _copilot(command: Sequence[str], _: Sequence[str]) -> Entry:
    ours = {"type": "local", "command": command[0], "args": list(command[1:])}
    return {**ours, "tools": ["*"], "timeout": CALL_LIMIT_S * 1000}


def _windsurf(command: Sequence[str], _: Sequence[str]) -> Entry:
    return {"command": command[0], "args": list(command[1:])}


def _zed(command: Sequence[str], _: Sequence[str]) -> Entry:
    return {"source": "custom", "command": command[0], "args": list(command[1:]), "env": {}}


HOST_FILES: Final[tuple[HostFile, ...]] = (
    HostFile(
        host="claude-code",
        title="Claude Code",
        form="json",
        keys=("mcpServers", NAME),
        entry=_claude,
        limits={"alwaysLoad": "its first turn waits for us, and our tools need no search"},
        user=Place(("{claude}/.config.json", "{claude_file}/.claude.json"), "{claude}/CLAUDE.md"),
        project=Place(("{project}/.mcp.json",), "{project}/CLAUDE.md"),
        trust="Claude Code asks at its next start whether it may be used",
        program="claude",
        marks=("{claude}",),
        other_names=("claude",),
        source=(
            "Claude Code 2.1.328, observed; its bundle reads .config.json in its folder first, where there is"
            " one; code.claude.com/docs/en/mcp; a running Claude Code writes its file as well"
        ),
        checked="2026-11-20",
    ),
    HostFile(
        host="codex",
        title="Codex",
        form="toml",
        keys=("mcp_servers", NAME),
        entry=_codex,
        limits={
            "required": "it waits for us at its start; where we cannot be started, neither is a session of it",
            "tool_timeout_sec": "longer than its 300 s",
            "env_vars": "it passes no other variable on; those that are not set do no harm",
        },
        user=Place(("{codex}/config.toml",), "{codex}/AGENTS.md"),
        project=Place(("{project}/.codex/config.toml",), "{project}/AGENTS.md"),
        trust="Codex reads it once the project is trusted",
        program="codex",
        marks=("{codex}",),
        source=(
            "Codex 0.169.0, observed; developers.openai.com/codex/mcp; a project's file counts once the project is"
            " trusted"
        ),
        checked="2026-11-20",
    ),
    HostFile(
        host="cursor",
        title="Cursor",
        form="jsonc",
        keys=("mcpServers", NAME),
        entry=_cursor,
        limits={"env": "what it starts may not see them otherwise; they have to be set where Cursor itself starts"},
        user=Place(("{home}/.cursor/mcp.json",)),
        project=Place(("{project}/.cursor/mcp.json",), "{project}/.cursor/rules/smista.mdc"),
        program="cursor",
        marks=("{home}/.cursor",),
        source="cursor.com/docs/mcp (files, `${env:NAME}`); cursor.com/docs/context/rules (.mdc files); not run",
        checked="2026-11-20",
    ),
    HostFile(
        host="vscode",
        title="VS Code",
        form="jsonc",
        keys=("servers", NAME),
        entry=_vscode,
        user=Place(("{apps}/Code/User/mcp.json",), "{apps}/Code/User/prompts/smista.instructions.md"),
        project=Place(("{project}/.vscode/mcp.json",), "{project}/AGENTS.md"),
        program="code",
        marks=("{apps}/Code/User",),
        other_names=("code", "vs-code"),
        source=(
            "code.visualstudio.com/docs/agents/reference/mcp-configuration (`servers`, the user profile's mcp.json);"
            " docs/configure/settings (folders by platform); microsoft/vscode issue 305642 (User/prompts is the one"
            " that is read); it has no setting for a time limit (issue 311595); not run"
        ),
        checked="2026-11-20",
    ),
    HostFile(
        host="gemini-cli",
        title="Gemini CLI",
        form="jsonc",
        keys=("mcpServers", NAME),
        entry=_gemini,
        limits={
            "trust": "without it our tools are not offered in a run without a terminal; our policy asks all the same",
            "env": "it holds back variables that look like keys",
        },
        user=Place(("{gemini}/settings.json",), "{gemini}/GEMINI.md"),
        project=Place(("{project}/.gemini/settings.json",), "{project}/GEMINI.md"),
        trust="Gemini CLI reads it in a trusted folder alone",
        program="gemini",
        marks=("{gemini}",),
        other_names=("gemini",),
        source=(
            "Gemini CLI 0.61.0, observed; its docs/tools/mcp-server.md (`trust`, `timeout`, which is 600,000 ms"
            " already) and its bundle (`${NAME:-}`, GEMINI_CLI_HOME)"
        ),
        checked="2026-11-20",
    ),
    HostFile(
        host="opencode",
        title="opencode",
        form="jsonc",
        keys=("mcp", NAME),
        entry=_opencode,
        limits={"timeout": "longer than its 60 s"},
        user=Place(("{xdg}/opencode/opencode.jsonc", "{xdg}/opencode/opencode.json"), "{xdg}/opencode/AGENTS.md"),
        project=Place(("{project}/opencode.jsonc", "{project}/opencode.json"), "{project}/AGENTS.md"),
        program="opencode",
        marks=("{xdg}/opencode",),
        source=(
            "opencode 1.18.33, observed; opencode.ai/docs/config; opencode.ai/v2/docs/mcp-servers (`mcp.servers`,"
            " which is used where the file has it)"
        ),
        checked="2026-11-20",
    ),
    HostFile(
        host="copilot-cli",
        title="Copilot CLI",
        form="jsonc",
        keys=("mcpServers", NAME),
        entry=_copilot,
        limits={"timeout": "longer than its 60 s"},
        user=Place(("{copilot}/mcp-config.json",), "{copilot}/copilot-instructions.md"),
        project=Place(("{project}/.github/mcp.json",), "{project}/AGENTS.md"),
        trust="Copilot CLI reads it in a trusted folder alone",
        program="copilot",
        marks=("{copilot}",),
        other_names=("copilot",),
        withheld=("ANTHROPIC_API_KEY", "OPENAI_API_KEY"),
        source=(
            "Copilot CLI 1.0.102, observed: what its own `mcp add --timeout` writes, that it reads comments, where it"
            " looks in a project, and which variables it holds back, also from `${NAME}` in its file; limit:"
            " github/copilot-cli issue 1535"
        ),
        checked="2026-11-20",
    ),
    HostFile(
        host="windsurf",
        title="Windsurf",
        form="json",
        keys=("mcpServers", NAME),
        entry=_windsurf,
        user=Place(("{home}/.codeium/windsurf/mcp_config.json",)),
        marks=("{home}/.codeium/windsurf",),
        writes=False,
        source="docs.windsurf.com/windsurf/cascade/mcp; not run",
        checked="2026-11-20",
    ),
    HostFile(
        host="zed",
        title="Zed",
        form="jsonc",
        keys=("context_servers", NAME),
        entry=_zed,
        user=Place(("{zed}/settings.json",)),
        project=Place(("{project}/.zed/settings.json",)),
        program="zed",
        marks=("{zed}",),
        writes=False,
        source="zed.dev/docs/ai/mcp; zed.dev/docs/configuring-zed (folders by platform); not run",
        checked="2026-11-20",
    ),
)

FORWARDED: Final = ("SMISTA_HOME", "SMISTA_ORG_POLICY", "XDG_CONFIG_HOME", "XDG_STATE_HOME")
"""Variables that say where our own files are: what a host starts must find the same ones."""


def host_file(name: str) -> HostFile | None:
    """The row of a host by its name or another one of it, without regard to case."""
    wanted = name.strip().casefold()
    return next((row for row in HOST_FILES if wanted in (row.host, *row.other_names)), None)


def roots(home: Path, variables: Mapping[str, str], platform: Platform, project: Path | None = None) -> dict[str, Path]:
    """The folders that patterns name.

    Args:
        home: of the user.
        variables: of the environment; those that move a host's folder count where they are absolute.
        platform: the kind of machine.
        project: the workspace; only patterns for one name it.
    """

    def moved(name: str, customary: Path) -> Path:
        given = Path(variables.get(name, ""))
        return given if given.is_absolute() else customary

    xdg = moved("XDG_CONFIG_HOME", home / ".config")
    roaming = moved("APPDATA", home / "AppData/Roaming")
    apps = {"linux": xdg, "macos": home / "Library/Application Support", "windows": roaming}[platform]
    return {
        "home": home,
        "xdg": xdg,
        "apps": apps,
        "claude": moved("CLAUDE_CONFIG_DIR", home / ".claude"),
        "claude_file": moved("CLAUDE_CONFIG_DIR", home),
        "codex": moved("CODEX_HOME", home / ".codex"),
        "copilot": moved("COPILOT_HOME", home / ".copilot"),
        "gemini": moved("GEMINI_CLI_HOME", home) / ".gemini",
        "zed": {"linux": xdg / "zed", "macos": home / ".config/zed", "windows": roaming / "Zed"}[platform],
        "project": project or home,
    }


def resolved(pattern: str, folders: Mapping[str, Path]) -> Path:
    """The file or folder that a pattern names."""
    root, _, rest = pattern.partition("/")
    return folders[root.strip("{}")] / rest if rest else folders[root.strip("{}")]
