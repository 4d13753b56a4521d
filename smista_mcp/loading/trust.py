"""Which files of a workspace a person has confirmed: the record that `smista-mcp trust` writes, as it is believed.

One file for each workspace, in the state folder: its real path, and the SHA-256 of every policy file that was shown.
Whoever could write that file could lift every restriction, so it counts only where nobody but this user can.
"""

import hashlib
import json
import os
import stat
from collections.abc import Generator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import cast

FOLDER = "trust"
_VERSION = 1
_MOST = 1_000_000
_MOST_RECORDS = 1_000
_NO_FOLLOW = getattr(os, "O_NOFOLLOW", 0)
_FLAGS = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0) | _NO_FOLLOW
_FOLDER = _FLAGS | getattr(os, "O_DIRECTORY", 0)


def record_file(state: Path, root: Path) -> Path:
    """Where the record of a workspace stands, or would. `root` is its real path."""
    return state / FOLDER / f"{hashlib.sha256(os.fsencode(root)).hexdigest()}.json"


def record_text(root: Path, digests: Mapping[str, str]) -> str:
    """A record: file as it is shown -> SHA-256 of its bytes, in hex."""
    return json.dumps({"version": _VERSION, "root": str(root), "files": dict(digests)}, indent=2) + "\n"


def confirmed_files(state: Path, root: Path) -> Mapping[str, str]:
    """The files that a person has confirmed, with their hashes. What is odd about a record makes it count for nothing.

    Args:
        state: our own folder, if it is believed.
        root: the real path of the workspace.
    """
    try:
        data = _read(record_file(state, root))
        found: object = json.loads(data)
    except (OSError, ValueError, RecursionError):
        return {}
    record = cast("dict[str, object]", found) if isinstance(found, dict) else {}
    files = record.get("files")
    if (record.get("version"), record.get("root")) != (_VERSION, str(root)) or not isinstance(files, dict):
        return {}
    pairs = cast("dict[str, object]", files).items()
    return {name: digest for name, digest in pairs if isinstance(digest, str)}


def confirmed_roots(state: Path) -> list[str]:
    """The workspaces of which a person has ever confirmed a file, as their records name them; the odd ones left out.

    Args:
        state: our own folder, if it is believed.
    """
    try:
        files = sorted((state / FOLDER).glob("*.json"))[:_MOST_RECORDS]
    except OSError:
        return []
    found: list[str] = []
    for file in files:
        try:
            record: object = json.loads(_read(file))
        except (OSError, ValueError, RecursionError):
            continue
        root = cast("dict[str, object]", record).get("root") if isinstance(record, dict) else None
        if isinstance(root, str) and record_file(state, Path(root)) == file:
            found.append(root)
    return found


def _read(path: Path) -> bytes:
    """The bytes of a file that nobody else can write, through folders that nobody else can write.

    Raises:
        OSError: it is not there, or not of that kind.
    """
    if os.open not in os.supports_dir_fd:
        return path.read_bytes()  # Windows keeps the profile's folders private
    with (
        _opened(str(path.parents[1]), _FOLDER) as state,
        _opened(path.parent.name, _FOLDER, state) as folder,
        _opened(path.name, _FLAGS, folder) as file,
    ):
        if not stat.S_ISREG(os.fstat(file).st_mode):
            raise OSError("no regular file")
        data = b""
        while len(data) <= _MOST and (piece := os.read(file, _MOST)):
            data += piece
        return data


@contextmanager
def _opened(name: str, flags: int, folder: int | None = None) -> Generator[int]:
    descriptor = os.open(name, flags, dir_fd=folder)
    try:
        info = os.fstat(descriptor)
        if info.st_uid != os.geteuid() or info.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
            raise PermissionError("somebody else could have written it")
        yield descriptor
    finally:
        os.close(descriptor)
