"""What is kept about events beside them: changed with each, made anew from all, and compared with them."""

import sqlite3
from collections.abc import Sequence
from decimal import Decimal
from typing import Final, NamedTuple

from smista_mcp.ledger.event_tables import COUNTS, FILL_HOLDS, JOBS, SERVED, SERVING, SPENDING, TALLIES

_KEY_WIDTH: Final = 12
_TALLY: Final = (
    f"INSERT INTO tally VALUES ({', '.join('?' * (_KEY_WIDTH + len(COUNTS) + 2))}) ON CONFLICT DO UPDATE SET"  # noqa: S608  our own words
    f" {', '.join(f'{name} = {name} + excluded.{name}' for name in COUNTS)},"
    " cost = exact_added(cost, excluded.cost), held = exact_added(held, excluded.held)"
)
_NOT_SERVED: Final = (
    f"UPDATE tally SET served = served - 1, {', '.join(f'{name} = {name} - ?' for name in SERVED[1:])}"  # noqa: S608  as above
    " WHERE (day, workspace, caller, token, host, intent, provider, model, resolved_model, locality, cost_kind,"
    f" said_model) = ({', '.join('?' * _KEY_WIDTH)})"
)
_SPENDING: Final = (
    "INSERT INTO spending VALUES (?, ?, ?, ?, ?, ?)"
    " ON CONFLICT DO UPDATE SET amount = exact_added(amount, excluded.amount)"
)
OPEN_BUT_NOT_HELD: Final = (
    "SELECT attempt, max(held), max(open) FROM ("
    "SELECT attempt, attempt_id, owner, reserved, 1 AS held, 0 AS open FROM hold UNION ALL"
    " SELECT sequence, attempt_id, owner, reserved, 0, 1 FROM begun"
    " WHERE NOT EXISTS (SELECT 1 FROM settled WHERE attempt = sequence)"
    ") GROUP BY attempt, attempt_id, owner, reserved HAVING count(*) != 2"
)
"""Finds nothing exactly where the holds are those of the open attempts, with their amounts and owners."""

_PAIRS: Final = (
    (
        "tally",
        f"SELECT day, workspace, caller, token, host, intent, provider, model, resolved_model, locality, cost_kind,"  # noqa: S608  our own words
        f" said_model, {', '.join(COUNTS)}, canonical(cost), canonical(held) FROM tally"
        " WHERE day >= (SELECT coalesce(max(before), '') FROM vacuumed)",
        TALLIES,
    ),
    ("spending", "SELECT day, kind, name, resolved_model, said_model, canonical(amount) FROM spending", SPENDING),
    ("job", "SELECT * FROM job", JOBS),
)
"""What there is, and what there should be; amounts so that equal ones are equal texts."""


class Ended(NamedTuple):
    """What the end of an attempt adds to totals.

    Attributes:
        key: the columns of `tally` before the counts, the day first.
        held: what a budget counts although nobody knows whether it was charged.
        serves: whether it completed, and nobody says that it was of no use.
    """

    key: tuple[str, ...]
    status: str
    tokens: tuple[int | None, ...]
    microseconds: int
    cost: str | None
    held: str | None
    serves: bool


def add(db: sqlite3.Connection, ended: Ended) -> None:
    """Counts an attempt that has ended, in the transaction that says so."""
    status, cost, held = ended.status, ended.cost or "0", ended.held or "0"
    counts = [int(status == name) for name in ("completed", "failed", "uncertain", "cancelled")]
    tokens = [count or 0 for count in ended.tokens]
    lost = ended.cost is None and (ended.held is None or bool(Decimal(ended.held)))
    counts += [int(status == "completed" and ended.cost is None), int(status == "cancelled" and lost)]
    counts += [*tokens, int(ended.serves), *(count * ended.serves for count in tokens)]
    db.execute(_TALLY, (*ended.key, *counts, ended.microseconds, cost, held))
    amount = cost if ended.held is None else held  # never both
    if not Decimal(amount):
        return
    day, workspace, _, token, _, intent, _, model, resolved, *_, said = ended.key
    scopes = [("all", ""), ("project", workspace), ("intent", intent), *([("token", token)] if token else [])]
    rows = [(day, *scope, "", "", amount) for scope in scopes]
    db.executemany(_SPENDING, [*rows, (day, "model", model, resolved, said, amount)])


def take_back(db: sqlite3.Connection, attempt: int) -> None:
    """Counts an attempt no more among those that served, before the row is added that says why."""
    found = db.execute(SERVING, {"attempt": attempt}).fetchone()
    if found is not None:
        db.execute(_NOT_SERVED, found)


def rebuild(db: sqlite3.Connection) -> None:
    """Makes everything anew, in the transaction that is open. Totals of days whose events are gone stay as they are."""
    db.execute("DELETE FROM hold")
    db.execute("DELETE FROM tally WHERE day >= (SELECT coalesce(max(before), '') FROM vacuumed)")
    db.execute("DELETE FROM spending")
    db.execute("PRAGMA defer_foreign_keys = ON")  # until the jobs are there again
    db.execute("DELETE FROM job WHERE job_id IN (SELECT job_id FROM job_event)")
    db.execute(FILL_HOLDS)
    db.execute(f"INSERT INTO tally {TALLIES}")
    db.execute(f"INSERT INTO spending {SPENDING}")
    db.execute(f"INSERT INTO job {JOBS}")


def differing(db: sqlite3.Connection) -> tuple[str, ...]:
    """The names of projections that are not what the events say; none where all is well."""
    found = ["hold"] if db.execute(f"{OPEN_BUT_NOT_HELD} LIMIT 1").fetchone() else []
    found += [name for name, have, want in _PAIRS if _differ(db, have, want)]
    return tuple(found)


def _differ(db: sqlite3.Connection, one: str, other: str) -> bool:
    """Whether two queries find different rows; neither finds one twice."""
    columns = len(db.execute(f"{one} LIMIT 0").description)
    places = ", ".join(str(place + 1) for place in range(columns))
    both = f"SELECT * FROM (SELECT * FROM ({one}) UNION ALL SELECT * FROM ({other}))"  # noqa: S608  statements of the schema
    return db.execute(f"{both} GROUP BY {places} HAVING count(*) != 2 LIMIT 1").fetchone() is not None


def key_of(hold: Sequence[str | None], said: str | None) -> tuple[str, ...]:
    """The key of a tally, from a hold's columns from `started_at` on, and what the server said of the model."""
    started, *names = (part or "" for part in hold)
    return (started[:10], *names, said or "")
