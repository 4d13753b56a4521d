"""What hosts say of smista in their own files: read, never changed; what they would start is never run."""

import os
import shutil
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import MappingProxyType
from typing import Final, NamedTuple, cast

from smista_mcp.core.diagnosis.registered import EntrySeen, HostSeen, Runs, Wanted
from smista_mcp.hostfiles import jsontext, tomltext
from smista_mcp.hostfiles.merging import OVER_HTTP
from smista_mcp.hostfiles.places import HOST_FILES, NAME, HostFile, Place, Platform, resolved, roots
from smista_mcp.hostfiles.unfit import Unfit
from smista_mcp.hosts import known_host

_MOST: Final = 32_000_000
"""Bytes of a file of settings; Claude Code keeps its history in one."""
_OURS: Final = ("smista-mcp", "smista_mcp")
_ADDRESSES: Final = ("url", "httpUrl", "serverUrl")
_GRACE: Final = "mcp_optional_startup_grace_ms"
"""Of Codex: 0 waits for each server's own `startup_timeout_sec`."""
_UNSAID: Final = ("env", "environment", "headers")
"""What may hold keys, and is not looked at but for names."""
WANTED: Final[Mapping[str, tuple[Wanted, ...]]] = MappingProxyType(
    {
        "claude-code": (
            Wanted("alwaysLoad", "a turn begins without a server that is late", '"alwaysLoad": true', late=True),
        ),
        "codex": (
            Wanted("required", "Codex goes on without a server that is late", "required = true", late=True),
            Wanted("tool_timeout_sec", "a call is given up after 300 s", "tool_timeout_sec = 900", least=300),
        ),
        "gemini-cli": (Wanted("trust", "no tool is offered where nobody can be asked", '"trust": true'),),
        "opencode": (Wanted("timeout", "a call is given up after 60 s", '"timeout": 900000', least=60_001),),
        "copilot-cli": (
            Wanted("tools", "no tool is offered", '"tools": ["*"]', value="*"),
            Wanted("timeout", "a call may be given up after 60 s", '"timeout": 900000', least=60_001),
        ),
    }
)
"""What an entry of a host should say besides the command, and what happens without it."""


class Surroundings(NamedTuple):
    """Where files of hosts are looked for.

    Attributes:
        home: the home folder.
        workspace: whose own files of hosts count too; None where there is none.
        variables: of the environment.
        platform: the kind of machine.
        smista_home: the folder that SMISTA_HOME names for this command; None where it is not set.
    """

    home: Path
    workspace: Path | None
    variables: Mapping[str, str]
    platform: Platform = "linux"
    smista_home: Path | None = None

    @property
    def search(self) -> str:
        return self.variables.get("PATH", os.defpath)


def this_platform() -> Platform:
    """The kind of machine that this is."""
    return "windows" if sys.platform == "win32" else "macos" if sys.platform == "darwin" else "linux"


def hosts_seen(around: Surroundings) -> tuple[HostSeen, ...]:
    """Every host whose files are known."""
    return tuple(_host_seen(row, around) for row in HOST_FILES)


def _host_seen(row: HostFile, around: Surroundings) -> HostSeen:
    spec = known_host(row.host)
    folders = roots(around.home, around.variables, around.platform, around.workspace)
    places = [row.user, *([row.project] if row.project and around.workspace else [])]
    entries: list[EntrySeen] = []
    broken: list[tuple[str, str]] = []
    limit = spec.start_limit_s
    files = {_file(place, folders): place is not row.user for place in reversed(places)}
    for path, project in reversed(files.items()):
        try:
            value = _value(path, row)
        except (OSError, ValueError) as error:
            broken.append((str(path), _why(error)))
            continue
        limit = _start_limit(row, value, limit)
        for keys in _tables(row, around):
            strange = keys[:1] != row.keys[:1]  # the scope `local` of Claude Code
            found = _entries(path, _table(value, keys), around, keys_reach=spec.keys_reach)
            entries += (one._replace(project=project, strange=strange or one.entry != NAME) for one in found)
    return HostSeen(
        host=row.host,
        installed=_is_there(row, folders, around),
        entries=tuple(entries),
        broken=tuple(broken),
        wanted=WANTED.get(row.host, ()),
        start_limit_s=limit,
        keys_reach=spec.keys_reach,
        withheld=row.withheld,
    )


def _file(place: Place, folders: Mapping[str, Path]) -> Path:
    """The first file that is there, else the last."""
    paths = [resolved(pattern, folders) for pattern in place.files]
    return next((path for path in paths if os.path.lexists(path)), paths[-1])


def _tables(row: HostFile, around: Surroundings) -> Iterator[tuple[str, ...]]:
    """The keys that lead to tables of servers."""
    yield row.keys[:-1]
    if row.host == "opencode":  # its second version
        yield ("mcp", "servers")
    if row.host == "claude-code" and around.workspace is not None:  # its scope `local`
        yield ("projects", str(around.workspace), "mcpServers")


def _start_limit(row: HostFile, value: object, limit: float | None) -> float | None:
    """How long a host waits for a server, as its user may have changed it; None where it waits as long as it takes."""
    said = cast("dict[str, object]", value).get(_GRACE) if row.host == "codex" and isinstance(value, dict) else None
    if not isinstance(said, int) or isinstance(said, bool):
        return limit
    return said / 1000 or None


def _is_there(row: HostFile, folders: Mapping[str, Path], around: Surroundings) -> bool:
    if row.program and shutil.which(row.program, path=around.search):
        return True
    return any(resolved(mark, folders).is_dir() for mark in row.marks)


def _value(path: Path, row: HostFile) -> object:
    """What a file says; None where it is not there, or blank.

    Raises:
        OSError: it cannot be read.
        ValueError: it is not of its format.
    """
    try:
        if not path.is_file() and path.exists():
            raise ValueError("it is no file")
        with path.open("rb") as file:
            data = file.read(_MOST + 1)
    except (FileNotFoundError, NotADirectoryError):
        return None
    if len(data) > _MOST:
        raise ValueError("it is too large")
    text = data.decode("utf-8-sig")
    if not text.strip():
        return None
    return tomltext.read(text) if row.form == "toml" else jsontext.read(text, comments=row.form == "jsonc")


def _why(error: OSError | ValueError) -> str:
    if isinstance(error, OSError):
        return error.strerror or type(error).__name__
    if isinstance(error, Unfit):
        line = f"line {error.line}: " if error.line else ""
        return f"{line}{error.message}"
    return "it is not UTF-8" if isinstance(error, UnicodeDecodeError) else str(error)


def _table(value: object, keys: tuple[str, ...]) -> Mapping[str, object]:
    for key in keys:
        value = cast("dict[str, object]", value).get(key) if isinstance(value, dict) else None
    return cast("dict[str, object]", value) if isinstance(value, dict) else {}


def _entries(
    path: Path, servers: Mapping[str, object], around: Surroundings, *, keys_reach: bool | None
) -> Iterator[EntrySeen]:
    for name, said in servers.items():
        if not isinstance(said, dict):
            continue
        entry = cast("dict[str, object]", said)
        words = _words(entry)
        ours = name == NAME or any(Path(word).stem in _OURS for word in words[:4])
        if ours and (words or any(key in entry for key in _ADDRESSES)):
            yield _entry(path, name, entry, around, keys_reach=keys_reach)


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
    path: Path, name: str, entry: Mapping[str, object], around: Surroundings, *, keys_reach: bool | None
) -> EntrySeen:
    words = _words(entry)
    command, arguments = (words[0], words[1:]) if words else (None, ())
    given = _given(entry)
    variables = frozenset((*given, *_named(entry)))
    return EntrySeen(
        file=str(path),
        entry=name,
        command=command,
        arguments=arguments,
        runs=_runs(command, arguments, around) if command else "ours",
        bare=command is not None and not _has_folder(command),
        enabled=entry.get("enabled") is not False and entry.get("disabled") is not True,
        settings={key: _setting(value) for key, value in entry.items() if key not in _UNSAID},
        variables=variables,
        mixed=tuple(key for key in OVER_HTTP if key in entry) if words else (),
        elsewhere=_elsewhere(given.get("SMISTA_HOME"), variables, around, keys_reach=keys_reach),
    )


def _setting(value: object) -> object:
    """A value; of limits of several kinds, that of a call."""
    return cast("dict[str, object]", value).get("request") if isinstance(value, dict) else value


def _elsewhere(home: str | None, variables: frozenset[str], around: Surroundings, *, keys_reach: bool | None) -> bool:
    """Whether the server that an entry starts has another SMISTA_HOME than this command, as far as can be told."""
    if home is not None and "${" not in home and "{env:" not in home:
        return Path(home).absolute() != around.smista_home
    return around.smista_home is not None and keys_reach is False and "SMISTA_HOME" not in variables


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
