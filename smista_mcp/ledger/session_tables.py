"""The tables of sessions, and of where labels of answers come from: one step of the ledger's schema."""

from typing import Final

SESSION_TABLES: Final = (
    """CREATE TABLE session (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        id_digest TEXT NOT NULL UNIQUE,
        owner TEXT NOT NULL,
        workspace TEXT,
        began_at TEXT NOT NULL,
        used_at TEXT NOT NULL
    )""",
    "CREATE INDEX session_by_use ON session (used_at)",
    """CREATE TABLE turn (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        session INTEGER NOT NULL REFERENCES session (sequence) ON DELETE CASCADE,
        number INTEGER NOT NULL,
        at TEXT NOT NULL,
        decision_id TEXT NOT NULL,
        trace_id TEXT,
        phase INTEGER NOT NULL,
        model TEXT NOT NULL,
        label TEXT CHECK (label IN ('restricted', 'local')),
        origin TEXT NOT NULL,
        forms TEXT NOT NULL,
        words_digest TEXT NOT NULL,
        answer_digest TEXT NOT NULL,
        words TEXT,
        answer TEXT,
        UNIQUE (session, number)
    )""",
    "CREATE INDEX turn_with_body ON turn (at) WHERE answer IS NOT NULL",
    """CREATE TABLE answer_label (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        trace_id TEXT NOT NULL,
        phase INTEGER NOT NULL,
        label TEXT NOT NULL CHECK (label IN ('restricted', 'local')),
        origin TEXT NOT NULL
    )""",
    "CREATE INDEX answer_label_by_trace ON answer_label (trace_id)",
)
