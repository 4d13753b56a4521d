"""A user's file: read as it is, and put in place as a whole, with a copy of the old one beside it."""

import os
import stat
from contextlib import suppress
from pathlib import Path
from typing import Final, Literal, NamedTuple

from smista_mcp.errors import InvalidTask

MAX_BYTES: Final = 32_000_000
BACKUP: Final = ".smista.bak"
_BOM = b"\xef\xbb\xbf"
_OPEN = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
_AGAIN = "run it again to see what would change"


Copies = Literal["kept", "stays", "gone"]
"""What becomes of the copy beside a file: the file as it is now is `kept` there; the one that is there `stays`, for it
is from before anything of ours came; it is `gone`, for it says nothing that the file does not say again."""


class UserFile(NamedTuple):
    """A file that may be changed.

    Attributes:
        path: as it is named; it may be a link.
        place: the file itself, behind every link.
        data: its bytes; None where nothing is there yet.
        mode: its permissions.
        within: the project that it belongs to; None for a file of the user.
    """

    path: Path
    place: Path
    data: bytes | None
    mode: int
    within: Path | None = None

    @property
    def text(self) -> str:
        """Without a byte order mark; empty where nothing is there."""
        return (self.data or b"").removeprefix(_BOM).decode()

    def encoded(self, text: str) -> bytes:
        """A text as this file has it."""
        return (_BOM if (self.data or b"").startswith(_BOM) else b"") + text.encode()


def read_user_file(path: Path, *, within: Path | None = None) -> UserFile:
    """Reads a file that is to be changed.

    Args:
        path: the file.
        within: the project that it belongs to, and out of which no link of it may lead: a repository could let one
            point at a file of its user. A new file of a project may be read by others, any other one may not.

    Raises:
        InvalidTask: it leads out of its project, is no regular file of UTF-8 that its user may write, is too large, or
            has a second name.
    """
    try:
        place = Path(os.path.realpath(path, strict=os.path.lexists(path)))
        if within is not None and not place.is_relative_to(os.path.realpath(within)):
            raise InvalidTask(f"`{path}` leads out of the project", fix="put the file itself there")
        if not os.path.lexists(path):
            return UserFile(path, place, None, 0o600 if within is None else 0o666, within)
        if not stat.S_ISREG(place.stat().st_mode):  # opening a pipe or a device may have effects
            raise InvalidTask(f"`{path}` is no regular file", fix="put the file itself there")
        descriptor = os.open(place, _OPEN)
        with os.fdopen(descriptor, "rb") as file:
            info = os.fstat(file.fileno())
            data = file.read(MAX_BYTES + 1)
    except (OSError, ValueError) as error:
        reason = error.strerror if isinstance(error, OSError) and error.strerror else "its name is not valid"
        raise InvalidTask(f"`{path}` cannot be read: {reason}", fix="mend or remove it") from None
    _check(path, place, info, data)
    return UserFile(path, place, data, stat.S_IMODE(info.st_mode), within)


def kept_text(file: UserFile) -> str | None:
    """What the copy beside a file says; None where there is none that can be read."""
    data = _kept(file)
    try:
        return None if data is None else data.removeprefix(_BOM).decode()
    except UnicodeDecodeError:
        return None


def _kept(file: UserFile) -> bytes | None:
    try:
        descriptor = os.open(_copy_of(file), _OPEN | getattr(os, "O_NOFOLLOW", 0))
        with os.fdopen(descriptor, "rb") as copy:
            if not stat.S_ISREG(os.fstat(copy.fileno()).st_mode):
                return None
            return copy.read(MAX_BYTES)
    except OSError:
        return None


def _copy_of(file: UserFile) -> Path:
    return file.place.with_name(file.place.name + BACKUP)


def _check(path: Path, place: Path, info: os.stat_result, data: bytes) -> None:
    if len(data) > MAX_BYTES:
        raise InvalidTask(f"`{path}` is larger than {MAX_BYTES // 1_000_000} MB", fix="change it by hand")
    if not info.st_mode & 0o222 or not os.access(place, os.W_OK):
        raise InvalidTask(f"`{path}` is read-only", fix="make it writable, or change what it is made from")
    if info.st_nlink > 1:
        raise InvalidTask(f"`{path}` has another name (a hard link)", fix="change it by hand")
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise InvalidTask(f"`{path}` is not UTF-8 at byte {error.start}", fix="save it as UTF-8") from None


def write_user_file(file: UserFile, data: bytes | None, copies: Copies = "kept") -> Path | None:
    """Puts new bytes in place of a file, or takes it away where there are none; links to it stay links.

    Args:
        file: as it was read.
        data: None to take it away.
        copies: of the old file.

    Returns:
        The copy beside it; None where there is none.

    Raises:
        InvalidTask: somebody else changed it meanwhile, or it or its copy cannot be written.
    """
    try:
        if file.data is None:
            _create(file, data or b"")
            return None
        kept, older = _copy_of(file), _kept(file)
        if copies == "kept" or (copies == "stays" and older is None):
            _keep(kept, file.data, file)
        _replace(file, data)
        if copies == "gone" and older is not None:
            kept.unlink()
        if data is None and copies == "gone" and file.within is not None:
            _remove_empty(file.path.parent, file.within)
    except FileExistsError:
        raise InvalidTask(f"`{file.path}` was changed meanwhile", fix=_AGAIN) from None
    except OSError as error:
        raise _unwritten(file.path, error, "make its folder one that you may write") from None
    return None if copies == "gone" else kept


def _keep(copy: Path, data: bytes, like: UserFile) -> None:
    try:
        _put(copy, data, like)
    except OSError as error:
        raise _unwritten(
            copy, error, "move away what stands there, or make its folder one that you may write"
        ) from None


def _unwritten(path: Path, error: OSError, fix: str) -> InvalidTask:
    return InvalidTask(f"`{path}` cannot be written: {error.strerror or type(error).__name__}", fix=fix)


def _remove_empty(folder: Path, within: Path) -> None:
    """Takes away a folder of a project and those above it, as far as nothing is in them."""
    with suppress(OSError):
        while folder != within and folder.is_relative_to(within):
            folder.rmdir()
            folder = folder.parent


def _create(file: UserFile, data: bytes) -> None:
    file.place.parent.mkdir(parents=True, exist_ok=True)
    part = _part(file.place, data, file.mode)
    try:
        try:
            os.link(part, file.place)  # unlike a rename, it never replaces what another process just wrote
        except FileExistsError:
            raise
        except OSError:  # a file system without links
            if os.path.lexists(file.place):
                raise FileExistsError from None
            part.replace(file.place)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _put(place: Path, data: bytes, like: UserFile) -> None:
    """Writes a file as a whole, with the permissions and the owner of another."""
    part = _part(place, data, 0o600)
    try:
        _dress(part, like)
        part.replace(place)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _replace(file: UserFile, data: bytes | None) -> None:
    if data is None:
        if file.place.read_bytes() != file.data:
            raise FileExistsError
        file.place.unlink()
        return
    part = _part(file.place, data, 0o600)
    try:
        _dress(part, file)
        if file.place.read_bytes() != file.data:  # somebody changed it since it was shown
            raise FileExistsError
        part.replace(file.place)
    finally:
        with suppress(OSError):
            part.unlink(missing_ok=True)


def _dress(part: Path, like: UserFile) -> None:
    part.chmod(like.mode)
    if hasattr(os, "chown"):
        old, new = like.place.stat(), part.stat()
        if (old.st_uid, old.st_gid) != (new.st_uid, new.st_gid):
            os.chown(part, old.st_uid, old.st_gid)
            part.chmod(like.mode)


def _part(place: Path, data: bytes, mode: int) -> Path:
    part = place.with_name(f".{place.name}.{os.urandom(8).hex()}.part")
    descriptor = os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_BINARY", 0), mode)
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())
    return part
