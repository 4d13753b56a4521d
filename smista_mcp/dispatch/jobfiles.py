"""Answers of jobs that have ended, kept for whoever comes back for them: files of this machine's user alone."""

import os
import re
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import prepare_folder

KEPT_HOURS = 24
"""Hours for which an answer is kept."""
_ID = re.compile(r"[0-9a-f]{32}")


@dataclass(frozen=True, slots=True)
class JobFiles:
    """A folder (0700) of answers, each a file (0600) under the id of its job.

    What they say of restricted content, and what must not be kept, is taken out before: `dispatch.keepable`.

    Attributes:
        refusal: why nothing may be put there; None where it may.
    """

    folder: Path
    refusal: StateUnavailable | None = None

    def keep(self, job_id: str, answer: DispatchAnswer) -> None:
        """Writes an answer in place of an earlier one, whole or not at all; not where nothing can be written."""
        if self.refusal is not None or not _ID.fullmatch(job_id):
            return
        path = self._path(job_id)
        beside = path.with_suffix(f".{os.urandom(4).hex()}")
        with suppress(StateUnavailable, OSError):
            prepare_folder(self.folder)
            try:
                with os.fdopen(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:
                    file.write(answer.model_dump_json(by_alias=True).encode("utf-8", "backslashreplace"))
                beside.replace(path)
            finally:
                beside.unlink(missing_ok=True)

    def read(self, job_id: str, now: float) -> DispatchAnswer | None:
        """An answer; None where none is kept, or not any more. `now` is in seconds since 1970."""
        if self.refusal is not None or not _ID.fullmatch(job_id):
            return None
        try:
            with self._path(job_id).open("rb") as file:
                if _is_old(os.fstat(file.fileno()).st_mtime, now):
                    return None
                return DispatchAnswer.model_validate_json(file.read())
        except (OSError, ValidationError):
            return None

    def drop(self, job_id: str) -> None:
        """Removes an answer that does not stand any more; one that cannot be removed stays."""
        if self.refusal is None and _ID.fullmatch(job_id):
            with suppress(OSError):
                self._path(job_id).unlink(missing_ok=True)

    def forget(self, now: float) -> None:
        """Removes what was kept long enough; what cannot be removed waits for the next time."""
        if self.refusal is not None:
            return
        with suppress(OSError):
            for path in self.folder.iterdir():
                with suppress(OSError):
                    if _is_old(path.lstat().st_mtime, now):
                        path.unlink()

    def _path(self, job_id: str) -> Path:
        return self.folder / f"{job_id}.json"


def _is_old(changed: float, now: float) -> bool:
    return changed < now - KEPT_HOURS * 3600
