"""The tables of jobs: one step of the ledger's schema."""

from typing import Final

JOB_TABLES: Final = (
    """CREATE TABLE job (
        job_id TEXT NOT NULL PRIMARY KEY,
        owner TEXT NOT NULL,
        workspace TEXT,
        keeper TEXT NOT NULL,
        revision TEXT NOT NULL,
        began_at TEXT NOT NULL,
        ended_at TEXT,
        status TEXT NOT NULL,
        code TEXT
    )""",
    "CREATE INDEX job_running ON job (keeper) WHERE status = 'running'",
    """CREATE TABLE job_call (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        job_id TEXT NOT NULL REFERENCES job (job_id),
        call_id TEXT NOT NULL
    )""",
    "CREATE INDEX job_call_by_job ON job_call (job_id)",
    "CREATE INDEX job_call_by_call ON job_call (call_id)",
)
"""`keeper` is the mark of the process that carries a job out; `call_id` is that of the decisions it goes by, one more
each time it goes on after a person's yes."""
