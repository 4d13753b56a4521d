"""Answers that must not reach a remote host: files of this machine's user alone."""

import os
import secrets
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from smista_mcp.core.dispatched import Withheld
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import prepare_folder

KEPT_DAYS = 30
"""Days for which a withheld answer is kept."""


@dataclass(frozen=True, slots=True)
class AnswerFiles:
    """A folder (0700) of answers, each a file (0600) of its own.

    Attributes:
        refusal: why nothing may be put there; None where it may.
    """

    folder: Path
    refusal: StateUnavailable | None = None

    def keep(self, text: str, patch: str | None = None) -> Withheld:
        """Writes one answer, whole or not at all. A line break ends the file, whatever ends the text.

        Args:
            text: all of it.
            patch: that it holds; it lies beside the answer in a file of its own, as `git apply` takes it.

        Raises:
            StateUnavailable: it cannot be written; the answer is then lost rather than shown.
        """
        if self.refusal is not None:
            raise self.refusal
        prepare_folder(self.folder)
        path = self.folder / f"{secrets.token_hex(16)}.md"
        beside = None if patch is None else path.with_suffix(".patch")
        try:
            if beside is not None and patch is not None:
                self._write(beside, patch.encode())
            self._write(path, text.encode())
        except StateUnavailable:
            if beside is not None:
                beside.unlink(missing_ok=True)
            raise
        return Withheld(path=str(path), bytes=len(text.encode()), patch=str(beside) if beside else None)

    def _write(self, path: Path, data: bytes) -> None:
        try:
            with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                file.write(data if data.endswith(b"\n") else data + b"\n")
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            path.unlink(missing_ok=True)
            raise StateUnavailable(
                f"a restricted answer cannot be kept in {self.folder}: {error.strerror}",
                fix="make room there, or set SMISTA_HOME to a folder that can be written",
            ) from None

    def forget(self, now: float) -> None:
        """Removes what was kept long enough; what cannot be removed waits for the next time.

        Args:
            now: seconds since 1970.
        """
        if self.refusal is not None:
            return
        with suppress(OSError):
            for path in [*self.folder.glob("*.md"), *self.folder.glob("*.patch")]:
                with suppress(OSError):
                    if path.lstat().st_mtime < now - KEPT_DAYS * 86400:
                        path.unlink()
