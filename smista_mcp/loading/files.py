"""Policy files on disk: read once, without waiting; of those that came with a workspace no link is followed."""

import os
import stat
from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

MAX_BYTES = 4_000_000
"""A policy of ten thousand rules has 1.5 MB."""
MAX_FOREIGN_BYTES = 256_000
"""The most of a file that came with a repository, confirmed or not."""

Stamp = tuple[str, str] | tuple[str, int, int, int, int]
"""Path with modification and change time in nanoseconds, size and inode; or with a word: why there is none of these,
or who may write to a folder."""

_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)
_BINARY = getattr(os, "O_BINARY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_MEND = "mend the link or remove it"
_ITSELF = "put the file itself there"
_KINDS = (
    (stat.S_ISDIR, "is a folder"),
    (stat.S_ISFIFO, "is a named pipe"),
    (stat.S_ISSOCK, "is a socket"),
    (stat.S_ISCHR, "is a device"),
    (stat.S_ISBLK, "is a device"),
)


class Unreadable(NamedTuple):
    """A file that is there, and cannot be read as a policy."""

    message: str
    fix: str


class Foreign(NamedTuple):
    """Where no code is loaded from.

    Attributes:
        folders: with everything below them.
        cwd: the working directory, itself alone; None where there is none.
    """

    folders: tuple[Path, ...]
    cwd: Path | None = None

    def holds(self, path: Path) -> bool:
        return any(is_inside(path, folder) for folder in self.folders)


def read_file(path: Path, root: Path | None = None, *, most: int = MAX_BYTES) -> bytes | Unreadable | None:
    """The bytes of a regular file; None where nothing is there.

    Args:
        path: the file.
        root: where given, the file stands below this folder under its only name, and no link leads to it: what is said
            of a policy quotes it, and may quote nothing that a repository only points to.
        most: bytes that it may have.
    """
    try:
        if not os.path.lexists(path):
            gone = path.parent.is_symlink() and not path.parent.exists()
            return Unreadable("lies in a folder that is a link to nothing", _MEND) if gone else None
        wrong = _irregular(path.stat().st_mode)
        if wrong:
            return wrong
        descriptor = os.open(path, _FLAGS | _BINARY) if root is None else _open_below(root, path)
    except FileNotFoundError:
        return Unreadable("is a link to nothing", _MEND)
    except (OSError, ValueError) as error:
        return _failed(error)
    if isinstance(descriptor, Unreadable):
        return descriptor
    return _read(descriptor, most, alone=root is not None)


class Opened(NamedTuple):
    """A regular file as one descriptor showed it: what was judged is what was read."""

    info: os.stat_result
    content: bytes


def open_regular(path: Path, *, most: int = MAX_BYTES) -> Opened | Unreadable:
    """The bytes of a regular file that is no link, and who may change it."""
    try:
        wrong = _irregular(path.lstat().st_mode)
        if wrong:
            return wrong  # opening a pipe or a device may have effects
        descriptor = os.open(path, _FLAGS | _BINARY | _NO_FOLLOW)
        try:
            info = os.fstat(descriptor)
        except OSError:
            os.close(descriptor)
            raise
    except (OSError, ValueError) as error:
        return _failed(error)
    data = _read(descriptor, most)
    return data if isinstance(data, Unreadable) else Opened(info, data)


def stamps(paths: Iterable[Path]) -> tuple[Stamp, ...]:
    """What tells a changed file from an unchanged one, without opening it."""
    return tuple(map(_stamp, paths))


def is_inside(path: Path, folder: Path) -> bool:
    """Whether a path is or lies in a folder, by its name or by where its links lead, however either is spelled."""
    try:
        top = folder.stat()
    except (OSError, ValueError):
        return False
    for form in (Path(os.path.normpath(path.absolute())), Path(os.path.realpath(path))):
        for above in (form, *form.parents):
            try:
                if os.path.samestat(above.stat(), top):
                    return True
            except (OSError, ValueError):
                continue
    return False


def _stamp(path: Path) -> Stamp:
    try:
        found = path.stat()
    except FileNotFoundError:
        return (str(path), "dangling" if path.is_symlink() else "absent")
    except (OSError, ValueError) as error:
        return (str(path), type(error).__name__)
    return (str(path), found.st_mtime_ns, found.st_ctime_ns, found.st_size, found.st_ino)


def _irregular(mode: int) -> Unreadable | None:
    if stat.S_ISREG(mode):
        return None
    kind = next((text for test, text in _KINDS if test(mode)), "is no regular file")
    return Unreadable(kind, "put a TOML file there")


def _failed(error: Exception) -> Unreadable:
    reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is not valid"
    return Unreadable(f"cannot be read: {reason}", "make it readable, or remove it")


def _open_below(root: Path, path: Path) -> int | Unreadable:
    """Opens a file below a folder, segment by segment, so that no link can be swapped in meanwhile."""
    top = Path(os.path.realpath(root))
    parts = path.relative_to(root).parts
    if os.path.normcase(os.path.realpath(path)) != os.path.normcase(top.joinpath(*parts)):
        return Unreadable("is a link, or lies in a folder that is one", _ITSELF)
    if os.open not in os.supports_dir_fd:
        return os.open(top.joinpath(*parts), _FLAGS | _BINARY)
    folder = os.open(top, _FLAGS | os.O_DIRECTORY)
    try:
        *steps, name = parts
        for step in steps:
            inner = os.open(step, _FLAGS | os.O_DIRECTORY | _NO_FOLLOW, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(name, _FLAGS | _NO_FOLLOW, dir_fd=folder)
    finally:
        os.close(folder)


def _read(descriptor: int, most: int, *, alone: bool = False) -> bytes | Unreadable:
    try:
        with open(descriptor, "rb") as file:
            facts = os.fstat(descriptor)
            wrong = _irregular(facts.st_mode)
            if wrong is None and alone and facts.st_nlink > 1:
                wrong = Unreadable("has another name (a hard link)", _ITSELF)
            data = b"" if wrong else file.read(most + 1)
    except OSError as error:
        return _failed(error)
    if wrong:
        return wrong
    if len(data) > most:
        return Unreadable(f"is larger than {most // 1000} kB", "keep only what routes tasks in it")
    return data
