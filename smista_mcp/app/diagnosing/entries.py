"""What hosts say of smista in their own files: read, never changed, and never run."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final, NamedTuple, cast

from smista_mcp.core.diagnosis.registered import EntrySeen, HostSeen, Runs, Wanted
from smista_mcp.hosts import HOSTS

_MOST = 20_000_000
"""Bytes of a file of settings; Claude Code keeps its history in one."""
_OURS = ("smista-mcp", "smista_mcp")


class Surroundings(NamedTuple):
    """Where files of hosts are looked for.

    Attributes:
        home: the home folder.
        workspace: whose own files of hosts count too; None where there is none.
        variables: of the environment.
        smista_home: the folder of configuration that this command uses, where SMISTA_HOME names it.
    """

    home: Path
    workspace: Path | None
    variables: Mapping[str, str]
    smista_home: Path | None = None

    @property
    def search(self) -> str:
        return self.variables.get("PATH", os.defpath)


class HostFile(NamedTuple):
    """A file in which a host keeps entries of servers.

    Attributes:
        path: below `base`.
        keys: that lead to the table of servers; `{root}` stands for the workspace.
        base: `home`, `workspace`, or a variable and, behind a `|`, where the folder is without it.
    """

    base: str
    path: str
    keys: tuple[str, ...]


class HostFiles(NamedTuple):
    """A host, as far as its files go.

    Attributes:
        programs: its command.
        wanted: what an entry should say.
    """

    host: str
    programs: tuple[str, ...]
    files: tuple[HostFile, ...]
    wanted: tuple[Wanted, ...] = ()


_SERVERS = ("mcpServers",)
FILES: Final = (
    HostFiles(
        "claude-code",
        ("claude",),
        (
            HostFile("CLAUDE_CONFIG_DIR|.", ".claude.json", _SERVERS),
            HostFile("CLAUDE_CONFIG_DIR|.", ".claude.json", ("projects", "{root}", "mcpServers")),
            HostFile("workspace", ".mcp.json", _SERVERS),
        ),
        (
            Wanted(
                "alwaysLoad",
                "a turn begins without the tools of a server that is late",
                '"alwaysLoad": true',
                late=True,
            ),
        ),
    ),
    HostFiles(
        "codex",
        ("codex",),
        (
            HostFile("CODEX_HOME|.codex", "config.toml", ("mcp_servers",)),
            HostFile("workspace", ".codex/config.toml", ("mcp_servers",)),
        ),
        (
            Wanted(
                "required", "Codex goes on without a server that is not ready after 1 s", "required = true", late=True
            ),
            Wanted("tool_timeout_sec", "Codex gives a call up after 300 s", "tool_timeout_sec = 900", least=300),
        ),
    ),
    HostFiles(
        "gemini-cli",
        ("gemini",),
        (
            HostFile("GEMINI_CLI_HOME|.", ".gemini/settings.json", _SERVERS),
            HostFile("workspace", ".gemini/settings.json", _SERVERS),
        ),
        (Wanted("trust", "without it, no tool is offered where nobody can be asked", '"trust": true'),),
    ),
    HostFiles(
        "opencode",
        ("opencode",),
        (
            HostFile("XDG_CONFIG_HOME|.config", "opencode/opencode.json", ("mcp",)),
            HostFile("XDG_CONFIG_HOME|.config", "opencode/opencode.jsonc", ("mcp",)),
            HostFile("workspace", "opencode.json", ("mcp",)),
            HostFile("workspace", "opencode.jsonc", ("mcp",)),
        ),
        (Wanted("timeout", "a call is given up after 60 s without progress", '"timeout": 900000', least=60_000),),
    ),
    HostFiles(
        "copilot-cli",
        ("copilot",),
        (
            HostFile("COPILOT_HOME|.copilot", "mcp-config.json", _SERVERS),
            HostFile("workspace", ".github/mcp.json", _SERVERS),
        ),
        (Wanted("tools", "no tool is offered", '"tools": ["*"]', value="*"),),
    ),
    HostFiles(
        "cursor",
        ("cursor", "cursor-agent"),
        (HostFile("home", ".cursor/mcp.json", _SERVERS), HostFile("workspace", ".cursor/mcp.json", _SERVERS)),
    ),
    HostFiles(
        "vscode",
        ("code",),
        (
            HostFile("XDG_CONFIG_HOME|.config", "Code/User/mcp.json", ("servers",)),
            HostFile("home", "Library/Application Support/Code/User/mcp.json", ("servers",)),
            HostFile("APPDATA|AppData/Roaming", "Code/User/mcp.json", ("servers",)),
            HostFile("workspace", ".vscode/mcp.json", ("servers",)),
        ),
    ),
    HostFiles("windsurf", ("windsurf",), (HostFile("home", ".codeium/windsurf/mcp_config.json", _SERVERS),)),
    HostFiles(
        "zed",
        ("zed", "zeditor"),
        (
            HostFile("XDG_CONFIG_HOME|.config", "zed/settings.json", ("context_servers",)),
            HostFile("workspace", ".zed/settings.json", ("context_servers",)),
        ),
    ),
)


def hosts_seen(around: Surroundings) -> tuple[HostSeen, ...]:
    """Every host of the table."""
    return tuple(_host_seen(one, around) for one in FILES)


def _host_seen(one: HostFiles, around: Surroundings) -> HostSeen:
    spec = next(host for host in HOSTS if host.name == one.host)
    entries: list[EntrySeen] = []
    broken: list[tuple[str, str]] = []
    for place in one.files:
        path = _path(place, around)
        if path is None:
            continue
        try:
            value = _value(path)
        except (OSError, ValueError, RecursionError) as error:
            broken.append((str(path), _why(error)))
            continue
        entries += _entries(path, _table(value, place.keys, around), around)
    return HostSeen(
        host=one.host,
        installed=any(shutil.which(program, path=around.search) for program in one.programs),
        entries=tuple(entries),
        broken=tuple(dict(broken).items()),
        wanted=one.wanted,
        start_limit_s=spec.start_limit_s,
        keys_reach=spec.keys_reach,
    )


def _path(place: HostFile, around: Surroundings) -> Path | None:
    if place.base == "workspace":
        return around.workspace / place.path if around.workspace else None
    if place.base == "home":
        return around.home / place.path
    variable, _, customary = place.base.partition("|")
    named = around.variables.get(variable)
    return (Path(named) if named else around.home / customary) / place.path


def _value(path: Path) -> object:
    """What a file says; None where it is not there.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not of its format.
    """
    try:
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(data) > _MOST:
        raise ValueError("is too large")
    text = data.decode("utf-8-sig")
    if path.suffix == ".toml":
        import tomllib  # noqa: PLC0415  one host has it

        return tomllib.loads(text)
    return _json(text)


def _json(text: str) -> object:
    import json  # noqa: PLC0415  rare

    return json.loads(text) if text.strip() else None


def _why(error: Exception) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, RecursionError):
        return "it is nested too deep"
    if isinstance(error, UnicodeDecodeError):
        return "it is not UTF-8"
    return str(error)


def _table(value: object, keys: tuple[str, ...], around: Surroundings) -> Mapping[str, object]:
    for key in keys:
        if key == "{root}":
            key = str(around.workspace)  # noqa: PLW2901  the one key that depends
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _entries(path: Path, servers: Mapping[str, object], around: Surroundings) -> Iterator[EntrySeen]:
    for name, said in servers.items():
        if not isinstance(said, dict):
            continue
        entry = cast("dict[str, object]", said)
        words = _words(entry)
        ours = name == "smista" or any(Path(word).stem in _OURS or word in _OURS for word in words[:4])
        if ours and (words or any(key in entry for key in ("url", "httpUrl", "serverUrl"))):
            yield _entry(path, name, entry, words, around)


def _words(entry: Mapping[str, object]) -> tuple[str, ...]:
    """Command and arguments, in whatever form a host has them."""
    command, arguments = entry.get("command"), entry.get("args")
    if isinstance(command, dict):  # as Zed once wrote it
        inner = cast("dict[str, object]", command)
        command, arguments = inner.get("path"), inner.get("args", arguments)
    first = cast("list[object]", command) if isinstance(command, list) else [command]
    rest = cast("list[object]", arguments) if isinstance(arguments, list) else []
    return tuple(word for word in (*first, *rest) if isinstance(word, str))


def _entry(
    path: Path, name: str, entry: Mapping[str, object], words: tuple[str, ...], around: Surroundings
) -> EntrySeen:
    command, arguments = (words[0], words[1:]) if words else (None, ())
    given = _given(entry)
    home = given.get("SMISTA_HOME")
    return EntrySeen(
        file=str(path),
        entry=name,
        command=command,
        arguments=arguments,
        runs=_runs(command, arguments, around) if command else "ours",
        bare=command is not None and not _has_folder(command),
        enabled=entry.get("enabled") is not False and entry.get("disabled") is not True,
        settings={key: value for key, value in entry.items() if key not in ("env", "environment", "headers")},
        variables=frozenset((*given, *_named(entry))),
        elsewhere=home is not None and (around.smista_home is None or Path(home).absolute() != around.smista_home),
    )


def _given(entry: Mapping[str, object]) -> dict[str, str]:
    found: dict[str, str] = {}
    for key in ("env", "environment"):
        table = entry.get(key)
        if isinstance(table, dict):
            pairs = cast("dict[str, object]", table).items()
            found |= {name: value for name, value in pairs if isinstance(value, str)}
    return found


def _named(entry: Mapping[str, object]) -> tuple[str, ...]:
    listed = entry.get("env_vars")
    names = cast("list[object]", listed) if isinstance(listed, list) else []
    return tuple(name for name in names if isinstance(name, str))


def _runs(command: str, arguments: tuple[str, ...], around: Surroundings) -> Runs:
    """What a command is, found out without running it."""
    if not _has_folder(command):
        found = shutil.which(command, path=around.search)
        if found is None:
            return "missing"
    else:
        path = Path(command)
        if not path.is_absolute():
            return "relative"
        try:
            if not path.exists():
                return "missing"
            if not path.is_file() or not os.access(path, os.X_OK):
                return "no_program"
        except OSError:
            return "missing"
        found = command
    return "ours" if _is_own(found, arguments) else "other"


def _is_own(program: str, arguments: tuple[str, ...]) -> bool:
    script = Path(sys.executable).absolute().with_name("smista-mcp")
    scripts = {os.path.realpath(script), os.path.realpath(f"{script}.exe")}
    if os.path.realpath(program) in scripts:
        return True
    # not the real path: all environments of one Python share that, and each has its own packages
    return Path(program).absolute() == Path(sys.executable).absolute() and "smista_mcp" in arguments


def _has_folder(command: str) -> bool:
    return "/" in command or "\\" in command
