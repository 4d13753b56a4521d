"""The private folder of one attempt at a headless CLI, and the environment that the CLI gets."""

import os
import shutil
import tempfile
from collections.abc import Mapping
from pathlib import Path

from smista_mcp.core.headless import DELEGATE_MARK
from smista_mcp.providers.cli_finding import folder_of, kept, read_settings, written
from smista_mcp.providers.cli_specs import INHERITED, CliSpec, Login, Settings

WORK = "work"
"""The empty folder below the private one in which the CLI runs."""


def made_folder(row: CliSpec, variables: Mapping[str, str], parent: Path) -> Path:
    """A new folder (0700) with an empty one to work in, an empty home, and what the CLI needs to find its models.

    Raises:
        OSError: it cannot be made.
    """
    parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    private = Path(tempfile.mkdtemp(prefix="cli-", dir=parent))
    try:
        for name in (WORK, "home", "tmp"):
            (private / name).mkdir(mode=0o700)
        for name, text in row.files.items():
            _write(private / name, text)
        if row.login is not None:
            _link(row.login, variables, private)
        if row.settings is not None:
            _copy(row.settings, variables, private)
    except BaseException:
        shutil.rmtree(private, ignore_errors=True)
        raise
    return private


def environment(row: CliSpec, variables: Mapping[str, str], allowed: tuple[str, ...], private: Path) -> dict[str, str]:
    """Everything that the CLI gets to know of our environment.

    Args:
        row: the CLI.
        variables: ours.
        allowed: names of further ones that user or organisation let through.
        private: the folder of this attempt.
    """
    found = {name: variables[name] for name in (*INHERITED, *row.inherited, *allowed) if name in variables}
    found["HOME"] = variables.get("HOME", str(private / "home")) if row.own_home else str(private / "home")
    found |= {name: str(folder_of(place, variables)) for name, place in row.places.items()}
    found |= {name: filled(value, private) for name, value in row.fixed.items()}
    return found | {"TMPDIR": str(private / "tmp"), "TERM": "dumb", "NO_COLOR": "1", "CI": "1", DELEGATE_MARK: "1"}


def filled(text: str, private: Path) -> str:
    """A text of the table with the private folder in its place."""
    return text.replace("{private}", str(private))


def _link(login: Login, variables: Mapping[str, str], private: Path) -> None:
    """Links, not copies: a login that the CLI renews must be renewed for its user too."""
    folder, to = folder_of(login.place, variables), private / login.to
    to.mkdir(mode=0o700, parents=True, exist_ok=True)
    for name in login.names:
        if (folder / name).is_file():
            (to / name).symlink_to((folder / name).resolve())


def _copy(settings: Settings, variables: Mapping[str, str], private: Path) -> None:
    folder, to = folder_of(settings.place, variables), private / settings.to
    there = next((folder / name for name in settings.names if (folder / name).is_file()), None)
    found = kept(read_settings(there, settings.form), settings.keep) if there else {}
    to.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    _write(to, written(found, settings.form))


def _write(path: Path, text: str) -> None:
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    with os.fdopen(descriptor, "w", encoding="utf-8") as file:
        file.write(text)
