"""Which hosts a command line means, which of them this machine has, and where their files are."""

import os
import re
import shutil
import sys
from pathlib import Path
from typing import Final

from smista_mcp.app import App
from smista_mcp.app.availability import named_models
from smista_mcp.cli.parser import Options
from smista_mcp.errors import InvalidTask, SmistaError
from smista_mcp.hostfiles.changes import Target
from smista_mcp.hostfiles.places import FORWARDED, HOST_FILES, HostFile, Platform, host_file, resolved, roots
from smista_mcp.loading.environment import Environment

AIDER: Final = "aider"
_AIDER_FILE = ".aider.conf.yml"
_PROJECT = "start in a git repository, or name a folder with --workspace; the home folder is none"
_VARIABLE = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_NAMES = ", ".join((*(row.host for row in HOST_FILES), AIDER))


def chosen(app: App, options: Options) -> tuple[str, ...]:
    """The hosts that a command line means, by their names.

    Raises:
        InvalidTask: it names none, or one that is not known, or this machine has none.
    """
    if options.every == (options.text is not None):
        raise InvalidTask("no host is named" if not options.every else "a host is named beside --all", fix=_hint())
    if options.text is not None:
        row = host_file(options.text)
        if row is None and options.text.strip().casefold() != AIDER:
            raise InvalidTask(f"`{options.text}` is no host that is known here", fix=_hint())
        return (row.host if row else AIDER,)
    found = tuple(row.host for row in _meant(options) if is_here(row, app.world.settings.environment))
    if not found:
        raise InvalidTask("this machine has none of the hosts that are known here", fix=_hint())
    return found


def holding(app: App, options: Options) -> tuple[str, ...]:
    """The hosts of which a file is there that may hold something of ours, whether or not the host itself still is.

    Raises:
        InvalidTask: a host is named beside --all.
    """
    if options.text is not None:
        raise InvalidTask("a host is named beside --all", fix=_hint())
    targets = ((row, target_of(row.host, app, options)) for row in _meant(options))
    found = [row.host for row, meant in targets if any(map(os.path.lexists, meant.all_files))]
    return (*found, *((AIDER,) if os.path.lexists(aider_file(app, options)[0]) else ()))


def _meant(options: Options) -> tuple[HostFile, ...]:
    return tuple(row for row in HOST_FILES if row.project is not None or not options.project)


def is_here(row: HostFile, environment: Environment) -> bool:
    """Whether this machine has a host: its command is on the PATH, or its folder is there."""
    if row.program and shutil.which(row.program, path=environment.variables.get("PATH", "")):
        return True
    folders = _folders(environment, None)
    return any(resolved(mark, folders).is_dir() for mark in row.marks)


def target_of(host: str, app: App, options: Options) -> Target:
    """The files of a host that a command line means.

    Raises:
        InvalidTask: it has none for a project, or none is known here.
    """
    row = host_file(host)
    if row is None:
        raise InvalidTask(f"`{host}` is no host that is known here", fix=_hint())
    settings = app.world.settings
    if not options.project:
        return Target(row, row.user, _folders(settings.environment, None))
    if row.project is None:
        raise InvalidTask(f"{row.title} has no file for a project", fix="leave --project out")
    root = _project(app)
    return Target(row, row.project, _folders(settings.environment, root), within=root)


def aider_file(app: App, options: Options) -> tuple[Path, Path | None]:
    """The file of aider that a command line means, and the project that it belongs to, if it does.

    Raises:
        InvalidTask: no project is known here.
    """
    settings = app.world.settings
    if not options.project:
        return _home(settings.environment) / _AIDER_FILE, None
    root = _project(app)
    return root / _AIDER_FILE, root


def _project(app: App) -> Path:
    root = app.world.settings.workspace
    if root is None:
        raise InvalidTask("no workspace is known here, so there is no project", fix=_PROJECT)
    return root


def passed_names(app: App) -> tuple[str, ...]:
    """The variables that a host has to pass on to us: those of keys that the policy's routes need, and of our folders.

    Where the policy cannot be used, only the latter: an entry can be brought up to date later.
    """
    environment = app.world.settings.environment
    try:
        policy = app.world.book().policy
        specs = [policy.providers[name] for name in named_models(policy, None)]
    except SmistaError:
        specs = []
    keys = {name for spec in specs for name in (spec.key_variable, *spec.variables) if name}
    moved = {name for name in FORWARDED if name in environment.variables}
    return tuple(sorted(name for name in keys | moved if _VARIABLE.fullmatch(name)))


def _folders(environment: Environment, project: Path | None) -> dict[str, Path]:
    return roots(_home(environment), environment.variables, _platform(), project)


def _home(environment: Environment) -> Path:
    return environment.home or Path.home()


def _platform() -> Platform:
    return "windows" if sys.platform == "win32" else "macos" if sys.platform == "darwin" else "linux"


def _hint() -> str:
    return f"name one of {_NAMES}; or write --all"
