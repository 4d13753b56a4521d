"""The tables of events, and of what is kept about them: one step of the ledger's schema.

What happened is added and never changed: the file itself keeps defects from it. What follows from it, which would take
long to find out each time, is kept beside it and changed in the same transaction: who holds how much (`hold`), what
was used day by day (`tally`), what budgets count (`spending`), and how jobs stand (`job`). Each of these can be made
anew from the events. Words that are absent are empty in them, so that they can be part of a key.
"""

from typing import Final

from smista_mcp.ledger.guards import guards

EVENTS: Final = ("decision", "trace", "begun", "settled", "followed_up", "answer_label", "job_event", "job_call")
"""Tables in which nothing is changed, guarded from here on; of approvals their events, which were before."""
_KEY: Final = (
    "workspace TEXT NOT NULL, caller TEXT NOT NULL, token TEXT NOT NULL, host TEXT NOT NULL, intent TEXT NOT NULL,"
    " provider TEXT NOT NULL, model TEXT NOT NULL, resolved_model TEXT NOT NULL, locality TEXT NOT NULL,"
    " cost_kind TEXT NOT NULL"
)
TOKENS: Final = ("input_tokens", "cached_input_tokens", "output_tokens", "reasoning_tokens", "cache_write_tokens")
SERVED: Final = ("served", *(f"served_{name}" for name in TOKENS))
"""What came of attempts that completed and of which nobody says that they were of no use."""
COUNTS: Final = (
    *("completed", "failed", "uncertain", "cancelled", "unpriced", "abandoned"),
    *TOKENS,
    *SERVED,
    "microseconds",
)
"""Columns of `tally` that are whole numbers."""

FILL_HOLDS: Final = (
    "INSERT INTO hold SELECT b.sequence, b.attempt_id, b.owner, b.started_at, coalesce(b.workspace, ''),"
    " coalesce(json_extract(d.facts, '$.owner'), ''), coalesce(b.token, ''), coalesce(d.host, ''), b.intent,"
    " b.provider, b.model, coalesce(b.resolved_model, ''), b.locality, b.cost_kind, b.reserved"
    " FROM begun b JOIN trace t USING (trace_id) LEFT JOIN decision d ON d.sequence = t.decision"
    " WHERE NOT EXISTS (SELECT 1 FROM settled s WHERE s.attempt = b.sequence)"
)
_TALLIED: Final = (
    "substr(b.started_at, 1, 10), coalesce(b.workspace, ''), coalesce(json_extract(d.facts, '$.owner'), ''),"
    " coalesce(b.token, ''), coalesce(d.host, ''), b.intent, b.provider, b.model, coalesce(b.resolved_model, ''),"
    " b.locality, b.cost_kind, coalesce(s.resolved_model, '')"
)
_SETTLED: Final = (
    " FROM settled s JOIN begun b ON b.sequence = s.attempt JOIN trace t USING (trace_id)"
    " LEFT JOIN decision d ON d.sequence = t.decision"
)
_SERVES: Final = "s.status = 'completed' AND s.cause IS NULL AND u.attempt IS NULL"
TALLIES: Final = (
    f"SELECT {_TALLIED},"  # noqa: S608  our own words, as below
    " sum(s.status = 'completed'), sum(s.status = 'failed'), sum(s.status = 'uncertain'), sum(s.status = 'cancelled'),"
    " sum(s.status = 'completed' AND s.cost IS NULL),"
    " sum(s.status = 'cancelled' AND s.cost IS NULL AND canonical(coalesce(b.reserved, '1')) != '0'),"
    f" {', '.join(f'sum(coalesce(s.{name}, 0))' for name in TOKENS)}, sum({_SERVES}),"
    f" {', '.join(f'sum(({_SERVES}) * coalesce(s.{name}, 0))' for name in TOKENS)},"
    " sum(microseconds(b.started_at, s.ended_at)),"
    " exact_sum(s.cost), exact_sum(CASE WHEN s.cost IS NULL AND s.status != 'failed' THEN b.reserved END)"
    f"{_SETTLED} LEFT JOIN (SELECT DISTINCT attempt FROM followed_up WHERE cause IS NOT NULL) u"
    " ON u.attempt = s.attempt"
    " WHERE b.started_at >= (SELECT coalesce(max(before), '') FROM vacuumed)"
    " GROUP BY 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12"
)
"""What `tally` has to hold of the days of which all events are there."""
SERVING: Final = (
    f"SELECT {', '.join(f'coalesce(s.{name}, 0)' for name in TOKENS)}, {_TALLIED}{_SETTLED}"  # noqa: S608  as above
    " WHERE s.attempt = :attempt AND s.status = 'completed' AND s.cause IS NULL"
    " AND NOT EXISTS (SELECT 1 FROM followed_up f WHERE f.attempt = :attempt AND f.cause IS NOT NULL)"
)
"""The tokens and the key of an attempt that counts among those that served; nothing where it does not."""
SPENDING: Final = " UNION ALL ".join(
    f"SELECT day, '{kind}', {name}, {resolved}, {said}, exact_sum(amount)"  # noqa: S608  our own words, as below
    " FROM (SELECT *, exact_added(cost, held) AS amount FROM tally) WHERE canonical(amount) != '0'"
    f" AND {condition} GROUP BY 1, 3, 4, 5"
    for kind, name, resolved, said, condition in (
        ("all", "''", "''", "''", "TRUE"),
        ("project", "workspace", "''", "''", "TRUE"),
        ("token", "token", "''", "''", "token != ''"),
        ("intent", "intent", "''", "''", "TRUE"),
        ("model", "model", "resolved_model", "said_model", "TRUE"),
    )
)
"""What `spending` has to hold."""
JOBS: Final = (
    "SELECT f.job_id, f.owner, f.workspace, b.keeper, b.revision, f.at, CASE e.event WHEN 'ended' THEN e.at END,"
    " CASE e.event WHEN 'ended' THEN e.status ELSE 'running' END, e.code"
    " FROM (SELECT min(sequence) AS first, max(sequence) AS last,"
    "  max(CASE event WHEN 'begun' THEN sequence END) AS latest FROM job_event GROUP BY job_id) j"
    " JOIN job_event f ON f.sequence = j.first JOIN job_event b ON b.sequence = j.latest"
    " JOIN job_event e ON e.sequence = j.last"
)
"""What `job` has to hold."""

_ATTEMPT: Final = (
    "sequence, attempt_id, trace_id, phase, intent, model, resolved_model, provider, locality, workspace, token,"
    " started_at, reserved, cost_kind, owner, receipt"
)
_USAGE: Final = ", ".join(TOKENS)

EVENT_TABLES: Final[tuple[str, ...]] = (
    "ALTER TABLE attempt RENAME TO old_attempt",
    "ALTER TABLE trace RENAME TO old_trace",
    """CREATE TABLE trace (
        trace_id TEXT NOT NULL PRIMARY KEY,
        decision_id TEXT NOT NULL,
        decision INTEGER REFERENCES decision (sequence),
        at TEXT NOT NULL
    ) WITHOUT ROWID""",
    "INSERT INTO trace SELECT trace_id, decision_id, decision, at FROM old_trace",
    """CREATE TABLE begun (
        sequence INTEGER PRIMARY KEY,
        attempt_id TEXT NOT NULL,
        trace_id TEXT NOT NULL REFERENCES trace (trace_id),
        phase INTEGER NOT NULL,
        intent TEXT NOT NULL,
        model TEXT NOT NULL,
        resolved_model TEXT,
        provider TEXT NOT NULL,
        locality TEXT NOT NULL,
        workspace TEXT,
        token TEXT,
        started_at TEXT NOT NULL,
        reserved TEXT,
        cost_kind TEXT NOT NULL,
        owner TEXT,
        receipt TEXT NOT NULL
    )""",
    f"INSERT INTO begun SELECT {_ATTEMPT} FROM old_attempt ORDER BY sequence",  # noqa: S608  as above
    """CREATE TABLE settled (
        attempt INTEGER PRIMARY KEY REFERENCES begun (sequence),
        status TEXT NOT NULL CHECK (status IN ('completed', 'failed', 'uncertain', 'cancelled')),
        ended_at TEXT,
        code TEXT,
        input_tokens INTEGER,
        cached_input_tokens INTEGER,
        output_tokens INTEGER,
        reasoning_tokens INTEGER,
        cache_write_tokens INTEGER,
        cost TEXT,
        resolved_model TEXT,
        unsent INTEGER NOT NULL,
        partial_bytes INTEGER,
        partial_sha256 TEXT,
        cause TEXT,
        http_status INTEGER,
        cut TEXT CHECK (cut IN ('length', 'content_filter'))
    )""",
    f"INSERT INTO settled SELECT sequence, status, ended_at, code, {_USAGE}, cost, NULL, 0, partial_bytes,"  # noqa: S608  as above
    " partial_sha256, cause, http_status, NULL FROM old_attempt WHERE status != 'running' ORDER BY sequence",
    """CREATE TABLE followed_up (
        attempt INTEGER NOT NULL REFERENCES begun (sequence),
        number INTEGER NOT NULL,
        followup TEXT,
        wait_s REAL,
        cause TEXT,
        PRIMARY KEY (attempt, number)
    ) WITHOUT ROWID""",
    "INSERT INTO followed_up SELECT sequence, 1, followup, wait_s, NULL FROM old_attempt"
    " WHERE followup IS NOT NULL OR wait_s IS NOT NULL",
    "DROP TABLE old_attempt",
    "DROP TABLE old_trace",
    "CREATE INDEX trace_by_decision ON trace (decision, at)",
    "CREATE INDEX begun_by_trace ON begun (trace_id)",
    f"""CREATE VIEW attempt AS SELECT b.*, s.resolved_model AS said_model, coalesce(s.status, 'running') AS status,
        s.ended_at, s.code, {_USAGE}, s.cost, s.unsent, s.partial_bytes, s.partial_sha256, s.http_status, s.cut,
        coalesce(s.cause, (SELECT f.cause FROM followed_up f WHERE f.attempt = b.sequence AND f.cause IS NOT NULL
            ORDER BY f.number LIMIT 1)) AS cause
        FROM begun b LEFT JOIN settled s ON s.attempt = b.sequence""",  # noqa: S608  as above
    """CREATE TABLE job_event (
        sequence INTEGER PRIMARY KEY,
        job_id TEXT NOT NULL,
        event TEXT NOT NULL CHECK (event IN ('begun', 'ended')),
        at TEXT,
        owner TEXT,
        workspace TEXT,
        keeper TEXT,
        revision TEXT,
        status TEXT,
        code TEXT
    )""",
    "INSERT INTO job_event (job_id, event, at, owner, workspace, keeper, revision)"
    " SELECT job_id, 'begun', began_at, owner, workspace, keeper, revision FROM job ORDER BY rowid",
    "INSERT INTO job_event (job_id, event, at, status, code)"
    " SELECT job_id, 'ended', ended_at, status, code FROM job WHERE status != 'running' ORDER BY rowid",
    "CREATE TABLE vacuumed (at TEXT NOT NULL, before TEXT NOT NULL)",
    f"CREATE TABLE hold (attempt INTEGER PRIMARY KEY, attempt_id TEXT NOT NULL, owner TEXT, started_at TEXT NOT NULL,"
    f" {_KEY}, reserved TEXT)",
    f"CREATE TABLE tally (day TEXT NOT NULL, {_KEY}, said_model TEXT NOT NULL,"
    f" {', '.join(f'{name} INTEGER NOT NULL' for name in COUNTS)},"
    " cost TEXT NOT NULL, held TEXT NOT NULL, PRIMARY KEY (day, workspace, caller, token, host, intent, provider,"
    " model, resolved_model, locality, cost_kind, said_model)) WITHOUT ROWID",
    """CREATE TABLE spending (
        day TEXT NOT NULL,
        kind TEXT NOT NULL CHECK (kind IN ('all', 'project', 'token', 'intent', 'model')),
        name TEXT NOT NULL,
        resolved_model TEXT NOT NULL,
        said_model TEXT NOT NULL,
        amount TEXT NOT NULL,
        PRIMARY KEY (day, kind, name, resolved_model, said_model)
    ) WITHOUT ROWID""",
    FILL_HOLDS,
    f"INSERT INTO tally {TALLIES}",
    f"INSERT INTO spending {SPENDING}",
    "DROP TRIGGER approval_event_stays",
    "DROP TRIGGER approval_event_remains",
    *guards(*EVENTS, "approval_event", "vacuumed"),
)
"""An attempt is `begun`, `settled` once, and `followed_up` where it was no good; `attempt` shows both its ends. In
`followed_up` what is NULL leaves as it was what an earlier row says, and the first cause stands."""
