"""The folder that holds everything smista keeps on this machine, and the key in it.

Only the owner may read it. What somebody else could have put there is refused, never used.
"""

import errno
import os
import stat
import sys
from collections.abc import Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from smista_mcp.errors import StateUnavailable

KEY_BYTES: Final = 32
_ELSEWHERE: Final = "give your user write access, or let SMISTA_HOME name a folder that can be written"
_FIXES: Final = {
    errno.EACCES: _ELSEWHERE,
    errno.EPERM: _ELSEWHERE,
    errno.EROFS: _ELSEWHERE,
    errno.ENOSPC: "free some space on this disk",
    errno.EDQUOT: "free some space: your disk quota is used up",
    errno.EFBIG: "raise the limit of this process on file sizes",
    errno.ENOTDIR: "move the file that stands where a folder is needed, or let SMISTA_HOME name another folder",
    errno.ELOOP: "replace the link by the file or folder itself",
}


@contextmanager
def reported(path: Path) -> Generator[None]:
    """Turns a failure of the file system into one that names the path and says what to do.

    Raises:
        StateUnavailable: in place of any `OSError`.
    """
    try:
        yield
    except OSError as error:
        reason = os.strerror(error.errno) if error.errno else type(error).__name__
        fix = _FIXES.get(error.errno or 0, _ELSEWHERE)
        raise StateUnavailable(f"`{path}` cannot be used: {reason}", fix=fix) from error


def prepare_folder(folder: Path) -> None:
    """Makes the folder, and each missing one above it, with mode 0700; tightens ours where it is more open.

    Raises:
        StateUnavailable: it cannot be made, is a link, is no folder, or belongs to another user.
    """
    with reported(folder):
        missing = [step for step in (folder, *folder.parents) if not os.path.lexists(step)]
        for step in reversed(missing):
            try:
                step.mkdir(mode=0o700)
            except FileExistsError:
                continue  # another process was faster
            step.chmod(0o700)  # a umask may have taken even the owner's rights
        info = folder.lstat()
        if not stat.S_ISDIR(info.st_mode):
            raise StateUnavailable(f"`{folder}` is not a folder of its own", fix=_FIXES[errno.ELOOP])
        _own(folder, info, 0o700)


def prepare_file(file: Path) -> os.stat_result:
    """Makes an empty file with mode 0600, or checks the one that is there, without opening it.

    Under its name the file is never opened here: closing it would drop all locks that SQLite holds on it in this
    process.

    Returns:
        What the file is.

    Raises:
        StateUnavailable: it cannot be made, is a link, is no regular file, or belongs to another user.
    """
    with reported(file):
        if not os.path.lexists(file):
            _offer(file, b"")
        info = file.lstat()
        _regular(file, info)
        _own(file, info, 0o600)
    return info


def installation_key(folder: Path) -> bytes:
    """The 32 random bytes of this installation; of several processes that ask first, exactly one makes them.

    Args:
        folder: the state folder; made where it is missing.

    Raises:
        StateUnavailable: the key cannot be made or read, or what is there is no key of ours.
    """
    prepare_folder(folder)
    file = folder / "key"
    with reported(file):
        if not os.path.lexists(file):
            _offer(file, os.urandom(KEY_BYTES))
        info = file.lstat()
        _regular(file, info)
        _own(file, info, 0o600)
        key = file.read_bytes()
    if len(key) != KEY_BYTES:
        fix = "remove it; a new one is made, and ids of earlier decisions can then no longer be compared"
        raise StateUnavailable(f"`{file}` is not a key of {KEY_BYTES} bytes", fix=fix)
    return key


def _offer(file: Path, content: bytes) -> None:
    """Puts a complete file of mode 0600 in place unless there is one: a link, unlike a rename, never replaces."""
    draft = file.with_name(f".{file.name}-{os.urandom(8).hex()}")
    handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        try:
            os.write(handle, content)
            os.fsync(handle)
        finally:
            os.close(handle)
        draft.chmod(0o600)  # a umask may have taken even the owner's rights
        with suppress(FileExistsError):  # another process was faster
            os.link(draft, file)
    finally:
        draft.unlink()


def _regular(file: Path, info: os.stat_result) -> None:
    if not stat.S_ISREG(info.st_mode):
        raise StateUnavailable(f"`{file}` is a link or no regular file", fix="move it away; a new one is made")


def _own(path: Path, info: os.stat_result, mode: int) -> None:
    """Refuses what belongs to somebody else, and closes to others what is ours."""
    if sys.platform == "win32":
        return  # profile folders are private there, and modes say nothing
    if info.st_uid != os.geteuid():
        fix = "let SMISTA_HOME name a folder of your own, or run as the user it belongs to"
        raise StateUnavailable(f"`{path}` belongs to another user", fix=fix)
    if stat.S_IMODE(info.st_mode) & ~mode:
        path.chmod(mode)
