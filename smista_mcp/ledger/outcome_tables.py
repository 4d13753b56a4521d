"""The tables of outcomes and of evidence: one step of the ledger's schema."""

from typing import Final

from smista_mcp.ledger.guards import guards

OUTCOME_TABLES: Final[tuple[str, ...]] = (
    """CREATE TABLE outcome (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        source TEXT NOT NULL CHECK (source IN ('person', 'host')),
        via TEXT NOT NULL,
        verdict TEXT NOT NULL CHECK (verdict IN ('good', 'bad')),
        trace_id TEXT NOT NULL,
        model TEXT NOT NULL,
        note TEXT NOT NULL
    )""",
    "CREATE INDEX outcome_by_trace ON outcome (trace_id, model)",
    """CREATE TABLE evidence (
        digest TEXT NOT NULL PRIMARY KEY,
        body TEXT NOT NULL
    )""",
    """CREATE TABLE evidence_day (
        until TEXT NOT NULL,
        window_days INTEGER NOT NULL,
        epoch INTEGER NOT NULL,
        taken_at TEXT NOT NULL,
        digest TEXT NOT NULL REFERENCES evidence (digest),
        PRIMARY KEY (until, window_days, epoch)
    )""",
    """CREATE TABLE evidence_event (
        sequence INTEGER PRIMARY KEY AUTOINCREMENT,
        at TEXT NOT NULL,
        event TEXT NOT NULL CHECK (event IN ('frozen', 'thawed', 'reset')),
        digest TEXT REFERENCES evidence (digest)
    )""",
    *guards("outcome", "evidence", "evidence_day", "evidence_event"),
)
"""Words about answers, of which a later one counts and an earlier one stays; counts by the hash of what they say; which
of them is for a day, where `epoch` is the number of the last reset; and what people did about them."""
