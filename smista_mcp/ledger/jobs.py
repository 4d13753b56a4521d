"""Jobs as the ledger knows them: who may ask for one, by which decisions it went, and how it ended."""

import sqlite3
from datetime import datetime
from pathlib import Path
from typing import Final, NamedTuple

from smista_mcp.core.values import JobStatus
from smista_mcp.errors import Code, NotFound
from smista_mcp.ledger.database import reading
from smista_mcp.ledger.living import is_alive
from smista_mcp.ledger.queries import id_range
from smista_mcp.ledger.records import Scope
from smista_mcp.ledger.spending import timestamp
from smista_mcp.ledger.writer import Writer

_COLUMNS: Final = "job_id, owner, workspace, keeper, revision, began_at, ended_at, status, code"


class StoredJob(NamedTuple):
    """A job as recorded. Times are UTC, ISO 8601.

    Attributes:
        owner: keyed hash of the caller.
        workspace: keyed hash of the root.
        revision: of the policy that it last went by.
        ended_at: None for one that runs, and for one whose process is gone: nobody knows when.
        calls: ids of the calls by whose decisions it went, oldest first.
    """

    job_id: str
    owner: str
    workspace: str | None
    keeper: str
    revision: str
    began_at: str
    ended_at: str | None
    status: JobStatus
    code: str | None
    calls: tuple[str, ...] = ()


class JobBook:
    """The jobs of one ledger.

    Every method raises `StateUnavailable` where the ledger cannot be read or written.
    """

    def __init__(self, folder: Path, busy_s: float, writer: Writer) -> None:
        self._folder = folder
        self._busy_s = busy_s
        self._writer = writer

    def end(self, job_id: str, status: JobStatus, code: Code | None, at: datetime) -> None:
        """Records how a job ended; nothing where its decisions could not be recorded."""
        from smista_mcp.ledger.settling import end_job  # noqa: PLC0415  who only asks for jobs ends none

        with self._writer.transaction() as db:
            end_job(db, job_id, status, None if code is None else code.value, timestamp(at))

    def find(self, given: str, scope: Scope | None = None) -> StoredJob:
        """A job by its id, or the beginning of one.

        Args:
            given: eight characters or more.
            scope: whose it has to be; None for whatever stands in the ledger.

        Raises:
            NotFound: `job_not_found`: none, or several.
        """
        start, past = id_range(given)
        with reading(self._folder, self._busy_s) as db:
            rows = db.execute(
                f"SELECT {_COLUMNS} FROM job WHERE job_id >= ? AND job_id < ? LIMIT 2",  # noqa: S608  our own words
                (start, past),
            ).fetchall()
            found = [_read(db, row) for row in rows]
        owned = [one for one in found if scope is None or _within(one, scope)]
        if len(owned) != 1:
            raise NotFound(f"there is no job `{given[:80]}`", code=Code.JOB_NOT_FOUND)
        return owned[0]

    def is_carried(self, job: StoredJob) -> bool:
        """Whether the process that carries the job out, or has, still runs."""
        return is_alive(self._folder, job.keeper)

    def of_call(self, call_id: str) -> StoredJob | None:
        """The job that went by the decisions of a call; None where none did."""
        with reading(self._folder, self._busy_s) as db:
            row = db.execute(
                f"SELECT {_COLUMNS} FROM job WHERE job_id = (SELECT job_id FROM job_call WHERE call_id = ?)",  # noqa: S608  as above
                (call_id,),
            ).fetchone()
            return None if row is None else _read(db, row)


_Row = tuple[str, str, str | None, str, str, str, str | None, JobStatus, str | None]


def _read(db: sqlite3.Connection, row: _Row) -> StoredJob:
    calls = db.execute("SELECT call_id FROM job_call WHERE job_id = ? ORDER BY sequence", (row[0],)).fetchall()
    return StoredJob(*row, calls=tuple(call_id for (call_id,) in calls))


def _within(job: StoredJob, scope: Scope) -> bool:
    return job.workspace == scope.workspace and scope.owner in (None, job.owner)
