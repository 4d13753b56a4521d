"""The names below a directory, as the file system has them. No link is followed, and no file is opened."""

import os
from collections.abc import Iterator, Sequence
from pathlib import Path


def walk(root: Path, below: Sequence[str]) -> Iterator[tuple[os.DirEntry[str] | None, str]]:
    """Every entry below a directory and its path: what is no directory with its entry, a directory with None."""
    pending = ["/".join(below)]
    while pending:
        folder = pending.pop()
        for entry in entries_of(root / folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if not is_directory(entry):
                yield entry, name
            elif entry.name != ".git":
                pending.append(name)
                yield None, name


def is_directory(entry: os.DirEntry[str]) -> bool:
    """Whether an entry is a directory itself, and no link to one."""
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def is_file(entry: os.DirEntry[str], identity: tuple[int, int]) -> bool:
    """Whether an entry is a name of the file with this device and number."""
    try:
        facts = os.lstat(entry.path)  # an entry's own knowledge is old, and on Windows without a number
    except OSError:
        return False
    return (facts.st_dev, facts.st_ino) == identity


def entries_of(folder: Path) -> list[os.DirEntry[str]]:
    """The entries of a directory by name; none where it cannot be read, for then nothing in it can be either."""
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []
