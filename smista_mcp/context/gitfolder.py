"""Which folder holds the data of a repository, and whether all of it lies where git puts it.

A `.git` that arrived in an archive could lead to the repository of another project, whose contents would then be read
as the old side of every difference.
"""

import os
import stat
from collections.abc import Iterator
from pathlib import Path

_INNER = ("HEAD", "refs", "objects", "packed-refs", "index", "config", "reftable")
_MOST_ENTRIES = 500_000
"""Over so many files a repository is not looked through; git itself packs them long before."""
_OBJECT_DEPTH = 2
_REF_DEPTH = 40


def git_folder(top: Path) -> Path | None:
    """The folder with the data of the repository whose working tree has this top; None where it cannot be trusted.

    Args:
        top: a real path with an entry `.git`.
    """
    entry = top / ".git"
    try:
        if entry.is_symlink():
            return None
        folder = entry if entry.is_dir() else _named_by(entry)
        return folder if _is_whole(folder, entry, top) else None
    except (OSError, ValueError, RuntimeError):
        return None


def _named_by(entry: Path) -> Path:
    return (entry.parent / os.fsdecode(entry.read_bytes()[8:].strip(b"\r\n"))).resolve(strict=True)


def _is_whole(folder: Path, entry: Path, top: Path) -> bool:
    if folder == entry:
        return _holds_its_own(folder)
    if (folder / "commondir").exists():
        return _is_linked_worktree(folder, entry)
    holders = (above / ".git" / "modules" for above in top.parents)
    return any(folder.is_relative_to(holder) for holder in holders) and _holds_its_own(folder)


def _is_linked_worktree(folder: Path, entry: Path) -> bool:
    back = Path(os.fsdecode((folder / "gitdir").read_bytes().strip(b"\r\n")))
    common = Path(os.fsdecode((folder / "commondir").read_bytes().strip(b"\r\n")))
    shared = folder.parent.parent
    return (
        folder.parent.name == "worktrees"
        and (folder / back).samefile(entry)
        and (folder / common).resolve(strict=True) == shared
        and _is_inside(folder)
        and _holds_its_own(shared)
    )


def _holds_its_own(folder: Path) -> bool:
    borrowed = (folder / "commondir", folder / "objects" / "info" / "alternates")
    return not any(os.path.lexists(path) for path in borrowed) and _is_inside(folder)


def _is_inside(folder: Path) -> bool:
    """Whether nothing that git reads of contents leads out of a folder: objects and refs hold no link at all."""
    real = folder.resolve(strict=True)
    if not all((folder / name).resolve().is_relative_to(real) for name in _INNER):
        return False
    left = _MOST_ENTRIES
    for name, depth in (("refs", _REF_DEPTH), ("reftable", _REF_DEPTH), ("objects", _OBJECT_DEPTH)):
        for entry in _entries(os.path.join(folder, name), depth):  # noqa: PTH118  thousands of them: text is quicker
            left -= 1
            if left < 0 or _is_link(entry):
                return False
    return True


def _entries(folder: str, depth: int) -> Iterator[os.DirEntry[str]]:
    """What lies in a folder down to some depth, nothing where there is none; links are named, not followed."""
    pending = [(folder, depth)]
    while pending:
        path, left = pending.pop()
        try:
            found = os.scandir(path)
        except FileNotFoundError:
            continue
        with found:
            for entry in found:
                yield entry
                if left > 1 and entry.is_dir(follow_symlinks=False):
                    pending.append((entry.path, left - 1))


def _is_link(entry: os.DirEntry[str]) -> bool:
    if entry.is_symlink():
        return True
    if os.name != "nt":
        return False
    attributes = getattr(entry.stat(follow_symlinks=False), "st_file_attributes", 0)
    return bool(attributes & getattr(stat, "FILE_ATTRIBUTE_REPARSE_POINT", 0))
