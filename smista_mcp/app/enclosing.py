"""Which folders may hold files that came with a repository, and how a folder of ours is kept apart inside of one."""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from smista_mcp.loading.environment import account_home
from smista_mcp.loading.files import Foreign


def enclosing(root: Path | None, cwd: Path, *, home: Path | None = None) -> tuple[Path, ...]:
    """The git repositories around the root and around the working directory.

    Outside of any repository no file can have come with one: a `--policy` of the folder one stands in is one's own.
    A `.git` counts whoever owns it and whatever it holds: here it can only take trust away. The home folder of the
    account, and what is above it, never counts: what lies there is the user's own, under git or not.

    Args:
        root: the workspace, or None.
        cwd: the working directory.
        home: the home folder of the account; the running account's by default.
    """
    spared = _spared(cwd, home)
    around = [folder for start in (root, cwd) if start is not None for folder in _upwards(start)]
    return tuple(dict.fromkeys(f for f in around if f not in spared and os.path.lexists(f / ".git")))


def without_code(root: Path | None, around: Sequence[Path], *, home: Path | None = None) -> Foreign:
    """Where a repository, or whoever filled the folder one stands in, could have put code.

    Args:
        root: the workspace, or None.
        around: the repositories around it and around the working directory.
        home: the home folder of the account; the running account's by default. It and what is above it count as the
            working directory alone: people keep their packages below it.
    """
    try:
        cwd = Path.cwd()
    except OSError:  # it has been removed
        return Foreign((*([root] if root else []), *around))
    below = () if Path(os.path.realpath(cwd)) in _spared(cwd, home) else (cwd,)
    return Foreign((*([root] if root else []), *around, *below), cwd)


def folder_patterns(folder: Path, root: Path | None) -> tuple[str, ...]:
    """Patterns on paths below the root that together match everything in a folder; none where it lies elsewhere.

    Args:
        folder: as written; it need not exist.
        root: the real path of the workspace, or None.
    """
    if root is None:
        return ()
    forms = dict.fromkeys((Path(os.path.normpath(folder.absolute())), Path(os.path.realpath(folder))))
    if any(root.is_relative_to(form) for form in forms):
        return ("*",)
    return tuple(f"{_literal(form.relative_to(root).as_posix())}/**" for form in forms if form.is_relative_to(root))


def _spared(cwd: Path, home: Path | None) -> set[Path]:
    account = home or account_home()
    # the top of the file system holds everything and is nobody's repository; hosts start servers there
    return {Path(cwd.anchor), *(() if account is None else _upwards(account))}


def _literal(path: str) -> str:
    """A pattern that matches this path alone."""
    return re.sub(r"[\\*?\[]|^[!#]", lambda found: f"\\{found[0]}", path)


def _upwards(folder: Path) -> tuple[Path, ...]:
    real = Path(os.path.realpath(folder))
    return (real, *real.parents)
