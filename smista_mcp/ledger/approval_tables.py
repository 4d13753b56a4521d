"""The tables of approvals."""

from typing import Final

APPROVAL_TABLES: Final[tuple[str, ...]] = (
    """CREATE TABLE approval (
        approval_id TEXT NOT NULL PRIMARY KEY,
        key TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('call', 'release')),
        workspace TEXT,
        host TEXT NOT NULL,
        at TEXT NOT NULL,
        body TEXT NOT NULL,
        has_words INTEGER NOT NULL
    )""",
    "CREATE INDEX approval_by_key ON approval (key)",
    "CREATE INDEX approval_with_words ON approval (has_words) WHERE has_words = 1",
    """CREATE TABLE approval_event (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        approval_id TEXT NOT NULL REFERENCES approval (approval_id),
        event TEXT NOT NULL CHECK (event IN ('requested', 'shown', 'granted', 'refused', 'used', 'expired')),
        at TEXT NOT NULL,
        via TEXT NOT NULL,
        trace_id TEXT,
        session INTEGER NOT NULL DEFAULT 0
    )""",
    "CREATE INDEX approval_event_by_approval ON approval_event (approval_id)",
    "CREATE INDEX approval_event_by_trace ON approval_event (trace_id)",
    # events are added, never changed: who said yes to what must not read otherwise later
    "CREATE TRIGGER approval_event_stays BEFORE UPDATE ON approval_event"
    " BEGIN SELECT RAISE(ABORT, 'events are only added'); END",
    "CREATE TRIGGER approval_event_remains BEFORE DELETE ON approval_event"
    " BEGIN SELECT RAISE(ABORT, 'events are only added'); END",
)
"""Requests with, for a day, the words of tasks; and every event about them."""
