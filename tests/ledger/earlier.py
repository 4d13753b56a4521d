"""A ledger of the last schema whose attempts were rows that changed, written by the SQL of then."""

import sqlite3
from pathlib import Path

from smista_mcp.ledger.database import MIGRATIONS
from smista_mcp.ledger.event_tables import EVENT_TABLES
from smista_mcp.ledger.folder import prepare_folder

LAST = MIGRATIONS.index(EVENT_TABLES)
DAY = "2026-03-14"
RECEIPT = '{"sent":[],"withheld":[],"body_bytes":7,"body_sha256":"c4"}'
ATTEMPTS = (
    # status, ended, code, tokens, cost, reserved, resolved, cause, followup, wait, owner
    ("completed", "00:00:02.500000", None, (10, 4, 5, 2, 1), "0.0100", "0.12", "a/said", None, None, None, "m1"),
    ("completed", "00:00:01.000000", None, (10, None, 5, None, None), "0.02", "0.12", "a/r", None, None, None, "m1"),
    ("failed", "00:00:01.000000", "provider_unavailable", (None,) * 5, None, "0.12", "a/r", "s", "again", 0.5, "m1"),
    ("uncertain", None, "cancelled", (None,) * 5, None, "0.3", "a/r", None, "fallback", None, "m1"),
    ("completed", "00:00:01.000000", None, (None,) * 5, None, "0.12", None, None, None, None, None),
    ("running", None, None, (None,) * 5, None, "0.7", "a/r", None, None, None, "gone"),
)


def make(state: Path, version: int = LAST) -> Path:
    """Writes it, and gives its file."""
    prepare_folder(state)
    file = state / "ledger.db"
    file.touch(mode=0o600)
    db = sqlite3.connect(file)
    for statements in MIGRATIONS[:version]:
        for statement in statements:
            db.execute(statement)
    db.execute(f"PRAGMA user_version = {version}")
    _decide(db)
    if version == LAST:
        _attempt(db)
        _jobs(db)
    db.commit()
    db.close()
    return file


def _decide(db: sqlite3.Connection) -> None:
    db.execute(
        "INSERT INTO decision (call_id, decision_id, phase, at, host, workspace, text_digest, facts, body)"
        " VALUES ('ca11', ?, 0, ?, 'codex', 'w1', 'd1', '{\"owner\":\"o1\"}', '{}')",
        ("ab" * 32, f"{DAY}T00:00:00.000000+00:00"),
    )
    db.execute("INSERT INTO trace VALUES (?, ?, 1, ?)", ("01" * 16, "ab" * 32, f"{DAY}T00:00:00.000000+00:00"))
    db.execute("INSERT INTO trace VALUES (?, ?, NULL, ?)", ("02" * 16, "cd" * 32, f"{DAY}T00:00:00.000000+00:00"))


def _attempt(db: sqlite3.Connection) -> None:
    names = (
        *("attempt_id", "trace_id", "phase", "intent", "model", "resolved_model", "provider", "locality", "workspace"),
        *("token", "started_at", "ended_at", "status", "code", "input_tokens", "cached_input_tokens", "output_tokens"),
        *("reasoning_tokens", "cache_write_tokens", "reserved", "cost", "cost_kind", "receipt", "owner"),
        *("partial_bytes", "partial_sha256", "cause", "http_status", "followup", "wait_s"),
    )
    for number, (status, ended, code, tokens, cost, reserved, resolved, cause, followup, wait, owner) in enumerate(
        ATTEMPTS
    ):
        row = (
            *(f"{number:032x}", "01" * 16 if number < 4 else "02" * 16, 0, "edit", "a/m", resolved, "a", "remote"),
            *("w1", "ci" if number % 2 else None, f"{DAY}T00:00:00.000000+00:00"),
            *(ended and f"{DAY}T{ended}+00:00", status, code, *tokens, reserved, cost, "list", RECEIPT, owner),
            *(9 if status == "uncertain" else None, "ff" if status == "uncertain" else None, cause, None),
            *(followup, wait),
        )
        db.execute(f"INSERT INTO attempt ({', '.join(names)}) VALUES ({', '.join('?' * len(names))})", row)  # noqa: S608  our own columns


def _jobs(db: sqlite3.Connection) -> None:
    began = f"{DAY}T00:00:00.000000+00:00"
    done = ("0b" * 16, "o1", "w1", "m1", "r1", began, began, "completed", None)
    left = ("0c" * 16, "o1", None, "gone", "r1", began, None, "running", None)
    for job in (done, left):
        db.execute("INSERT INTO job VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", job)
        db.execute("INSERT INTO job_call (job_id, call_id) VALUES (?, 'ca11')", (job[0],))
    db.execute("INSERT INTO answer_label (trace_id, phase, label, origin) VALUES (?, 0, 'local', '[]')", ("01" * 16,))
