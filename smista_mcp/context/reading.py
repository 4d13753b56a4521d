"""Reads one file of the workspace so that what is labelled is what was read.

Where the platform can, the file is opened segment by segment below the root without following a link, so that nobody
can swap a folder or the file for a link in between; it is read once, and its bytes are never read a second time.
"""

import hashlib
import os
import stat
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

CHANGED = "changed while it was looked at"
_SNIFFED = 8_000
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_BINARY", 0)
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_DIRECTORY = getattr(os, "O_PATH", 0) | getattr(os, "O_DIRECTORY", 0)
_FILE = getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_NOCTTY", 0)  # a pipe or a terminal must neither block nor bind us
SEGMENTWISE = os.open in os.supports_dir_fd and bool(_NO_FOLLOW)
"""Whether this platform can open relative to a descriptor without following links."""


class Reading(NamedTuple):
    """A text file as it was read.

    Attributes:
        text: the content, UTF-8, line ends untouched.
        size: bytes.
        digest: SHA-256 of these bytes, in hex.
        names: how many names (hard links) the file has.
        identity: device and inode.
    """

    text: str
    size: int
    digest: str
    names: int
    identity: tuple[int, int]


class Octets(NamedTuple):
    """A file as it was read, whatever is in it; names and identity as in `Reading`."""

    data: bytes
    names: int
    identity: tuple[int, int]


class Unread(NamedTuple):
    """Why a file was not taken: `binary`, `too large: ...`, `not a regular file`, ..."""

    reason: str


def read_file(root: Path, parts: Sequence[str], cap: int, identity: tuple[int, int] | None = None) -> Reading | Unread:
    """Reads a file below the root.

    Args:
        root: a real path.
        parts: the real names from the root to the file, without links, `.` and `..`.
        cap: the most bytes that are taken; a larger file is not read at all.
        identity: of the file that was judged; another one that stands there now is not taken. None: any.
    """
    read = read_octets(root, parts, cap, identity)
    return read if isinstance(read, Unread) else _as_text(read)


def read_octets(root: Path, parts: Sequence[str], cap: int, identity: tuple[int, int] | None = None) -> Octets | Unread:
    """As `read_file`, whatever is in the file."""
    if not parts or any(part in ("", ".", "..") or "/" in part or "\0" in part for part in parts):
        return Unread("not a path inside the workspace")
    opened = _open_segmentwise(root, parts) if SEGMENTWISE else open_checked(root, parts)
    if isinstance(opened, Unread):
        return opened
    try:
        return _read(opened, cap, identity if SEGMENTWISE else None)
    except OSError as error:
        return Unread(f"cannot be read: {_words(error)}")
    finally:
        os.close(opened)


def _open_segmentwise(root: Path, parts: Sequence[str]) -> int | Unread:
    folder = -1
    try:
        folder = os.open(root, _FLAGS | _NO_FOLLOW | _DIRECTORY)
        for part in parts[:-1]:
            inner = os.open(part, _FLAGS | _NO_FOLLOW | _DIRECTORY, dir_fd=folder)
            os.close(folder)
            folder = inner
        return os.open(parts[-1], _FLAGS | _NO_FOLLOW | _FILE, dir_fd=folder)
    except OSError as error:
        return Unread(f"cannot be opened: {_words(error)}")
    finally:
        if folder >= 0:
            os.close(folder)


def open_checked(root: Path, parts: Sequence[str]) -> int | Unread:
    """Opens where the platform has no descriptors of folders: the path must be its own real path, before and after."""
    path = root.joinpath(*parts)
    try:
        before = path.lstat()
        if not stat.S_ISREG(before.st_mode):
            return Unread("not a regular file")
        if path.resolve(strict=True) != path:
            return Unread("reached through a link")
        descriptor = os.open(path, _FLAGS | _NO_FOLLOW | _FILE)
    except (OSError, RuntimeError) as error:
        return Unread(f"cannot be opened: {_words(error)}")
    with suppress(OSError):
        after = os.fstat(descriptor)
        same = (before.st_dev, before.st_ino) == (after.st_dev, after.st_ino)
        if same and path.resolve(strict=True) == path:
            return descriptor
    os.close(descriptor)
    return Unread(CHANGED)


def _read(descriptor: int, cap: int, identity: tuple[int, int] | None) -> Octets | Unread:
    facts = os.fstat(descriptor)
    if not stat.S_ISREG(facts.st_mode):
        return Unread("not a regular file")
    if identity is not None and identity != (facts.st_dev, facts.st_ino):
        return Unread(CHANGED)
    if facts.st_size > cap:
        return too_large(cap)
    data = bytearray()
    while len(data) <= cap:
        piece = os.read(descriptor, min(cap + 1 - len(data), 1 << 20))
        if not piece:
            break
        data += piece
    if len(data) > cap:
        return too_large(cap)
    return Octets(bytes(data), facts.st_nlink, (facts.st_dev, facts.st_ino))


def _as_text(read: Octets) -> Reading | Unread:
    data = read.data
    if b"\0" in data[:_SNIFFED]:
        return Unread("binary")
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return Unread("binary")
    return Reading(text, len(data), hashlib.sha256(data).hexdigest(), read.names, read.identity)


def too_large(cap: int) -> Unread:
    """What is said of a file of more than so many bytes."""
    return Unread(f"too large: over {cap / 1_000_000:g} MB")


def _words(error: OSError | RuntimeError) -> str:
    return (error.strerror or "no reason given") if isinstance(error, OSError) else "links lead in a circle"
