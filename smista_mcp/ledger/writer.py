"""The connection through which a ledger writes: kept between uses, since opening one costs more than a transaction."""

import os
import sqlite3
import threading
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from smista_mcp.ledger.database import FILE, is_as_opened, open_database, reported_database
from smista_mcp.ledger.folder import prepare_file, prepare_folder

_JOURNAL: Final = "persist"
"""The journal stays where it is, and its length too, with its head wiped: to give a disk space back and take it again
each time takes longer than what is written. What it goes on holding is older states of the pages that were changed
here; whoever erases words does it with a journal that is deleted."""


class Writer:
    """Writes to the ledger of one folder, one transaction after the other, from any thread.

    A kept connection serves again only while the file under the ledger's name is the one that it opened, with the same
    rights, of this version and in this journal mode. It keeps no pages of the file: what somebody did to it is seen.

    Args:
        folder: the state folder, absolute.
        busy_s: seconds to wait for others that hold the file.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._file = folder / FILE
        self._busy_s = busy_s
        self._lock = threading.Lock()
        self._db: sqlite3.Connection | None = None
        self._opened: tuple[int, ...] | None = None

    @contextmanager
    def transaction(self) -> Generator[sqlite3.Connection]:
        """A transaction that holds the write lock from its start: all of it is on the disk at the end, or nothing.

        Raises:
            StateUnavailable: the ledger cannot be opened or written.
        """
        with self._lock, reported_database(self._file):
            done = False
            try:
                db = self._begun()
                yield db
                db.execute("COMMIT")
                db.execute("PRAGMA shrink_memory")
                done = True
            finally:
                if not done:
                    self.close()  # what was not committed is undone

    def close(self) -> None:
        """Closes the connection; the next use opens one anew."""
        db, self._db, self._opened = self._db, None, None
        if db is not None:
            db.close()

    def _begun(self) -> sqlite3.Connection:
        if self._db is not None and self._opened == self._there():
            self._db.execute("BEGIN IMMEDIATE")
            if is_as_opened(self._db, _JOURNAL):
                return self._db
        self.close()
        prepare_folder(self._folder)
        prepare_file(self._file)
        there = self._there()
        self._db = open_database(self._file, self._busy_s, journal=_JOURNAL)
        self._opened = there
        self._db.execute("BEGIN IMMEDIATE")
        return self._db

    def _there(self) -> tuple[int, ...] | None:
        """What stands under the file's name, whose it is and who may read it; None where nothing does.

        What was fit to be opened is so as long as this stays as it was. A connection does not survive a fork.
        """
        try:
            info = os.lstat(self._file)
        except OSError:
            return None
        return info.st_dev, info.st_ino, info.st_mode, info.st_uid, os.getpid()
