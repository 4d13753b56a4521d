"""The process's environment, read once: the only place that looks at environment variables."""

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from smista_mcp.errors import StateUnavailable


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """What the surroundings say.

    Attributes:
        config_file: the user's own policy file, whether or not it exists.
        state_folder: the ledger, keys, answers and models of this user, whether or not it exists.
        home_config: whether `config_file` is where it customarily is, below the home folder.
        organisation_file: where an organisation's policy stands on this kind of machine.
        added_organisation_file: `SMISTA_ORG_POLICY`.
        project_dir: `CLAUDE_PROJECT_DIR`.
        host: `SMISTA_HOST`, the name of the host that starts us.
        claude_code: whether `CLAUDECODE` is present: an agent's shell; `gemini_cli` and `opencode` likewise.
        no_color: whether `NO_COLOR` is present and not empty.
        variables: all variables, for `secret`; never shown.
    """

    config_file: Path
    state_folder: Path
    home_config: bool = True
    organisation_file: Path = Path("/etc/smista/policy.toml")
    added_organisation_file: Path | None = None
    project_dir: Path | None = None
    host: str | None = None
    claude_code: bool = False
    gemini_cli: bool = False
    opencode: bool = False
    no_color: bool = False
    variables: Mapping[str, str] = field(default_factory=dict[str, str], repr=False, compare=False)

    @classmethod
    def read(cls, variables: Mapping[str, str] = os.environ, *, windows: bool = os.name == "nt") -> "Environment":
        """Takes the environment of this process, or the one given.

        Raises:
            StateUnavailable: neither a home folder nor `SMISTA_HOME` is known, or a variable names no usable path.
        """
        known = {name: value for name, value in variables.items() if value.strip()}
        config, state, customary = _own_folders(known, windows=windows)
        program_data = known.get("PROGRAMDATA", r"C:\ProgramData")
        return cls(
            config_file=config / "config.toml",
            state_folder=state,
            home_config=customary,
            organisation_file=(Path(program_data) / "smista" if windows else Path("/etc/smista")) / "policy.toml",
            added_organisation_file=_path(known, "SMISTA_ORG_POLICY"),
            project_dir=_path(known, "CLAUDE_PROJECT_DIR"),
            host=known.get("SMISTA_HOST"),
            claude_code="CLAUDECODE" in variables,
            gemini_cli="GEMINI_CLI" in variables,
            opencode="OPENCODE" in variables,
            no_color="NO_COLOR" in known,
            variables=known,
        )

    def secret(self, name: str) -> str | None:
        """The value of a variable that holds a key; None where it is unset or blank. Never show it."""
        value = self.variables.get(name)
        return value.strip() or None if value else None


def _own_folders(known: Mapping[str, str], *, windows: bool) -> tuple[Path, Path, bool]:
    """The folders of configuration and of state, and whether the first is the customary one."""
    moved = _path(known, "SMISTA_HOME")
    if moved is not None:
        return moved, moved / "state", False
    home = _home(known, windows=windows)
    if windows:
        roaming, machine = home / "AppData/Roaming", home / "AppData/Local"
        config, state = Path(known.get("APPDATA", roaming)), Path(known.get("LOCALAPPDATA", machine))
        return config / "smista", state / "smista", config == roaming
    customary = home / ".config"
    config = _absolute(known.get("XDG_CONFIG_HOME")) or customary
    state = _absolute(known.get("XDG_STATE_HOME")) or home / ".local/state"
    return config / "smista", state / "smista", config == customary


def _home(known: Mapping[str, str], *, windows: bool) -> Path:
    named = _absolute(known.get("USERPROFILE" if windows else "HOME"))
    if named is not None:
        return named
    try:
        return Path.home()
    except RuntimeError:
        raise StateUnavailable(
            "no home folder is known, so there is no place for policy and state",
            fix="set SMISTA_HOME to a folder of your own",
        ) from None


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
