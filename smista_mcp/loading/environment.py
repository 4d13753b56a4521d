"""The process's environment, read once: the only place that looks at environment variables."""

import os
import sys
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smista_mcp.core.headless import DELEGATE_MARK
from smista_mcp.errors import StateUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the surroundings say.

    Attributes:
        config_file: the user's own policy file, whether or not it exists.
        state_folder: the ledger, keys, answers and models of this user, whether or not it exists.
        own_config: whether `config_file` is where it customarily is below the home folder of this account: as the
            system's own list of users has it, whatever `HOME` says. A repository that is checked out cannot be there.
        own_state: the same of `state_folder`.
        organisation_file: where an organisation's policy stands on this kind of machine.
        added_organisation_file: `SMISTA_ORG_POLICY`.
        project_dir: `CLAUDE_PROJECT_DIR`.
        home: the home folder as `HOME` has it, or on Windows `USERPROFILE`; None where that names none.
        host: `SMISTA_HOST`, the name of the host that starts us.
        claude_code: whether `CLAUDECODE` is present: an agent's shell; `gemini_cli` and `opencode` likewise.
        delegate: whether we were started by a CLI that we run ourselves.
        no_color: whether `NO_COLOR` is present and not empty.
        variables: all variables, for `secret`; never shown.
    """

    config_file: Path
    state_folder: Path
    own_config: bool = False
    own_state: bool = False
    organisation_file: Path = Path("/etc/smista/policy.toml")
    added_organisation_file: Path | None = None
    project_dir: Path | None = None
    home: Path | None = None
    host: str | None = None
    claude_code: bool = False
    gemini_cli: bool = False
    opencode: bool = False
    delegate: bool = False
    no_color: bool = False
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, compare=False)

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ, *, windows: bool = os.name == "nt") -> "Environment":
        """Takes the environment of this process, or the one given.

        Raises:
            StateUnavailable: neither a home folder nor `SMISTA_HOME` is known, or a variable names no usable path.
        """
        known = {name: value for name, value in variables.items() if value.strip() and not _unfilled(name, value)}
        config, state = _folders(known, windows=windows)
        account = account_home(known, windows=windows)
        theirs = _below(account, {}, windows=windows) if account is not None else (None, None)
        return cls(
            config_file=config / "config.toml",
            state_folder=state,
            own_config=_same(config, theirs[0]),
            own_state=_same(state, theirs[1]),
            organisation_file=(program_data(known) / "smista" if windows else Path("/etc/smista")) / "policy.toml",
            added_organisation_file=_path(known, "SMISTA_ORG_POLICY"),
            project_dir=_path(known, "CLAUDE_PROJECT_DIR"),
            home=_named_home(known, windows=windows),
            host=known.get("SMISTA_HOST"),
            claude_code="CLAUDECODE" in variables,
            gemini_cli="GEMINI_CLI" in variables,
            opencode="OPENCODE" in variables,
            delegate=DELEGATE_MARK in variables,
            no_color="NO_COLOR" in known,
            variables=known,
        )

    def secret(self, name: str) -> str | None:
        """The value of a variable that holds a key; None where it is unset or blank. Never show it."""
        value = self.variables.get(name)
        return value.strip() or None if value else None


def _unfilled(name: str, value: str) -> bool:
    """Whether a value only names its variable: what some hosts hand on where their file names one that is not set."""
    return value.strip() in (f"${name}", f"${{{name}}}", f"${{env:{name}}}", f"{{env:{name}}}")


def program_data(variables: Mapping[str, str], ask: Callable[[], str | None] | None = None) -> Path:
    """The folder of Windows for what belongs to all users: the system's word, and the variable's only without one.

    Args:
        variables: of the environment; anybody can set `PROGRAMDATA` for a process of his own.
        ask: in place of the system.
    """
    return Path((ask or _windows_program_data)() or variables.get("PROGRAMDATA") or r"C:\ProgramData")


def _windows_program_data() -> str | None:
    """`FOLDERID_ProgramData`; None where the system does not say, as everywhere but on Windows."""
    if sys.platform != "win32":
        return None
    import ctypes  # noqa: PLC0415  Windows alone needs it
    import uuid  # noqa: PLC0415

    folder = ctypes.create_string_buffer(uuid.UUID("62ab5d82-fdc1-4dc3-a9dd-070d1d495d97").bytes_le)
    found = ctypes.c_wchar_p()
    try:
        failed = ctypes.windll.shell32.SHGetKnownFolderPath(folder, 0, None, ctypes.byref(found))
        path = None if failed else found.value
        ctypes.windll.ole32.CoTaskMemFree(found)
    except (AttributeError, OSError):
        return None
    return path


def account_home(variables: Mapping[str, str] = os.environ, *, windows: bool = os.name == "nt") -> Path | None:
    """The home folder that the system's list of users has for this account, whatever `HOME` says; None without one.

    Windows has no such list at hand: there `USERPROFILE` is believed.
    """
    if windows:
        return _absolute(variables.get("USERPROFILE"))
    try:
        import pwd  # noqa: PLC0415  POSIX alone has it

        return _absolute(pwd.getpwuid(os.geteuid()).pw_dir)
    except (ImportError, KeyError):  # a system, or an account, without an entry
        return None


def _folders(known: Mapping[str, str], *, windows: bool) -> tuple[Path, Path]:
    """The folders of configuration and of state."""
    moved = _path(known, "SMISTA_HOME")
    if moved is not None:
        return moved, moved / "state"
    return _below(_home(known, windows=windows), known, windows=windows)


def _below(home: Path, known: Mapping[str, str], *, windows: bool) -> tuple[Path, Path]:
    """The customary folders of configuration and of state, where no variable moves them."""
    if windows:
        roaming, machine = home / "AppData/Roaming", home / "AppData/Local"
        return Path(known.get("APPDATA", roaming)) / "smista", Path(known.get("LOCALAPPDATA", machine)) / "smista"
    config = _absolute(known.get("XDG_CONFIG_HOME")) or home / ".config"
    state = _absolute(known.get("XDG_STATE_HOME")) or home / ".local/state"
    return config / "smista", state / "smista"


def _same(folder: Path, other: Path | None) -> bool:
    return other is not None and os.path.realpath(folder) == os.path.realpath(other)


def _home(known: Mapping[str, str], *, windows: bool) -> Path:
    named = _named_home(known, windows=windows)
    if named is not None:
        return named
    try:
        return Path.home()
    except RuntimeError:
        raise StateUnavailable(
            "no home folder is known, so there is no place for policy and state",
            fix="set SMISTA_HOME to a folder of your own",
        ) from None


def _named_home(known: Mapping[str, str], *, windows: bool) -> Path | None:
    return _absolute(known.get("USERPROFILE" if windows else "HOME"))


def _absolute(text: str | None) -> Path | None:
    """A folder of the XDG variables; a relative one counts as unset, as their specification says."""
    path = Path(text) if text else None
    return path if path is not None and path.is_absolute() else None


def _path(known: Mapping[str, str], name: str) -> Path | None:
    """A path that a variable names, relative to the working directory; a host may hand over a `~` that no shell saw."""
    if name not in known:
        return None
    path = Path(known[name])
    try:
        return path.expanduser().absolute()
    except (OSError, RuntimeError):
        raise StateUnavailable(f"{name} names no usable path", fix=f"write an absolute path into {name}") from None
