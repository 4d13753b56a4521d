"""Where the workspace begins: the one folder below which files may be read."""

import os
from pathlib import Path

from smista_mcp.errors import InvalidTask

_GITFILE = b"gitdir: "


def find_root(workspace: Path | None, project_dir: str | None, cwd: Path, *, home: Path | None = None) -> Path | None:
    """Finds the workspace root.

    Args:
        workspace: what the user named (`--workspace`); it decides alone.
        project_dir: the value of `CLAUDE_PROJECT_DIR`; skipped where it is no usable folder.
        cwd: the working directory; the top of the git working tree that holds it is the last choice.
        home: the home folder; the running user's own by default.

    Returns:
        The real path of the root, or None: then no file is read. Never the home folder or one
        above it, never the top of a file system.

    Raises:
        InvalidTask: `workspace` is missing, no directory, the home folder or one above it, or the top of a file
            system.
    """
    homes = _homes(home)
    if workspace is not None:
        return _named(workspace, cwd, homes)
    if project_dir:
        chosen = _real_directory(Path(project_dir)) if Path(project_dir).is_absolute() else None
        if chosen is not None and _refusal(chosen, homes) is None:
            return chosen
    top = git_top(cwd)
    return top if top is not None and _refusal(top, homes) is None else None


def git_top(directory: Path) -> Path | None:
    """The top of the git working tree that holds a directory, as a real path; None where there is none.

    Looks at files only, so that no configuration of a repository is read. A `.git` that belongs to another user is no
    top, as for git itself: in a shared folder anyone could plant one.
    """
    start = _real_directory(directory)
    if start is None:
        return None
    return next((folder for folder in (start, *start.parents) if _is_top(folder)), None)


def _named(workspace: Path, cwd: Path, homes: tuple[Path, ...]) -> Path:
    chosen = _real_directory(cwd / workspace)
    if chosen is None:
        raise InvalidTask(
            f"the workspace `{workspace}` is not a directory that exists", fix="name the folder of your project"
        )
    wrong = _refusal(chosen, homes)
    if wrong is not None:
        raise InvalidTask(f"the workspace `{workspace}` is {wrong}", fix="name the folder of one project below it")
    return chosen


def _homes(home: Path | None) -> tuple[Path, ...]:
    if home is not None:
        return (home,)
    try:
        return (Path.home(),)
    except RuntimeError:  # neither the environment nor the account names one
        return ()


def _refusal(folder: Path, homes: tuple[Path, ...]) -> str | None:
    if folder == folder.parent:
        return "the top of the file system"
    for home in homes:
        try:
            if folder.samefile(home):
                return "the home folder"
            if home.resolve(strict=True).is_relative_to(folder):
                return "a folder that holds the home folder"
        except (OSError, ValueError, RuntimeError):
            continue  # a home that does not exist is nobody's workspace
    return None


def _real_directory(folder: Path) -> Path | None:
    try:
        real = folder.resolve(strict=True)
        return real if real.is_dir() else None
    except (OSError, ValueError, RuntimeError):  # missing, unreadable, not a name, a circle of links
        return None


def _is_top(folder: Path) -> bool:
    entry = folder / ".git"
    try:
        owner = entry.stat().st_uid
        if not _trusted(owner):
            return False
        if entry.is_dir():
            return (entry / "HEAD").exists() and (entry / "objects").is_dir() and (entry / "refs").is_dir()
        with entry.open("rb") as file:
            return file.read(len(_GITFILE)) == _GITFILE
    except OSError:
        return False


def _trusted(owner: int) -> bool:
    if not hasattr(os, "geteuid"):
        return True
    user = os.geteuid()
    return user == 0 or owner in (0, user)
