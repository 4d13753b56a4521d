"""Which processes still work on what the ledger says is running.

Each ledger that begins an attempt holds a lock on a file of its own for as long as it lives; the system lets go of it
however the process ends. A row whose file nobody holds belongs to the dead. Numbers of processes would not do: they
are given anew, and mean nothing in another container that shares the folder.
"""

import os
import re
import sys
import weakref
from contextlib import suppress
from pathlib import Path
from typing import Final

from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger.folder import prepare_folder, reported

OWNER_COLUMNS: Final = (
    "ALTER TABLE attempt ADD COLUMN owner TEXT",
    "ALTER TABLE attempt ADD COLUMN partial_bytes INTEGER",
    "ALTER TABLE attempt ADD COLUMN partial_sha256 TEXT",
    "CREATE INDEX attempt_running ON attempt (owner) WHERE status = 'running'",
)
"""What became of an attempt whose process is gone; what of its answer was there."""
CACHE_COLUMNS: Final = (
    "ALTER TABLE attempt ADD COLUMN cache_write_tokens INTEGER",
    "ALTER TABLE turn ADD COLUMN opening TEXT",
)
"""Input that the provider wrote to its cache, which some charge for; with what the request of a turn began."""
FOLLOWUP_COLUMNS: Final = (
    "ALTER TABLE attempt ADD COLUMN cause TEXT",
    "ALTER TABLE attempt ADD COLUMN http_status INTEGER",
    "ALTER TABLE attempt ADD COLUMN followup TEXT",
    "ALTER TABLE attempt ADD COLUMN wait_s REAL",
)
"""Why an attempt was no good, and what was done about it."""
_FOLDER: Final = "running"
_NAME: Final = re.compile("[0-9a-f]{16}")

if sys.platform == "win32":
    import msvcrt

    def _held(handle: int) -> bool:
        try:
            msvcrt.locking(handle, msvcrt.LK_NBLCK, 1)
        except OSError:
            return False
        return True
else:
    import fcntl

    def _held(handle: int) -> bool:
        """Takes the lock; false where somebody else has it, be it in this process."""
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        return True


class Mark:
    """That somebody lives.

    Attributes:
        name: what rows call the owner.
    """

    def __init__(self, state: Path) -> None:
        """Makes the mark and holds it until this object, or the process, is gone.

        Raises:
            StateUnavailable: it cannot be made.
        """
        folder = state / _FOLDER
        prepare_folder(folder)
        with reported(folder):
            handle = None
            while handle is None:
                self.name = os.urandom(8).hex()
                handle = _taken(folder / self.name)
        weakref.finalize(self, _let_go, folder / self.name, handle)


def is_alive(state: Path, name: str) -> bool:
    """Whether somebody holds the mark; one that nobody holds is removed.

    Raises:
        StateUnavailable: that cannot be told.
    """
    file = state / _FOLDER / name
    with reported(file):
        try:
            handle = os.open(file, os.O_RDWR)
        except FileNotFoundError:
            return False
        try:
            if not _held(handle):
                return True
            with suppress(OSError):  # another process was faster; Windows removes no open file
                file.unlink()
            return False
        finally:
            os.close(handle)


def forget_dead(state: Path) -> None:
    """Removes the marks of the dead, as far as that can be done: of those too who left nothing else behind."""
    folder = state / _FOLDER
    with suppress(OSError):
        for name in filter(_NAME.fullmatch, os.listdir(folder)):  # noqa: PTH208  names alone
            with suppress(StateUnavailable):
                is_alive(state, name)


def _taken(file: Path) -> int | None:
    """The open and locked file; None where somebody took it for a dead one's before it was locked."""
    handle = os.open(file, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600)
    if _held(handle):
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(handle), file.stat()):
                return handle
    os.close(handle)
    return None


def _let_go(file: Path, handle: int) -> None:
    with suppress(OSError):
        file.unlink()
    with suppress(OSError):
        os.close(handle)
