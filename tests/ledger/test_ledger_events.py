# ruff: noqa: S608  tables of the schema
"""What happened is only added, and what is kept about it beside follows from it: held as laws over drawn histories."""

import sqlite3
import tempfile
from datetime import timedelta
from decimal import Decimal
from fnmatch import fnmatchcase
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from smista_mcp.core.values import Intent, Locality
from smista_mcp.errors import Cause, Code
from smista_mcp.ledger import JobStart, Ledger, Settlement, TokenCounts
from smista_mcp.ledger.database import connected
from smista_mcp.ledger.entries import FollowupEntry
from smista_mcp.ledger.guards import KEYS
from smista_mcp.ledger.projections import OPEN_BUT_NOT_HELD, differing, rebuild
from tests.ledger.conftest import AT
from tests.recording import begin_attempt, open_trace, settle_attempt

if TYPE_CHECKING:
    from tests.ledger.conftest import RecordOf, StartOf

SEEDS = {
    "answer_label": "(trace_id, phase, label, origin) VALUES ('a', 0, 'local', '[]')",
    "vacuumed": "VALUES ('2026', '2025')",
    "input": "(digest, name, used_on, sha256, body) VALUES ('d', 'host', '2026-01-01', 's', '[]')",
    "outcome": "(at, source, via, verdict, trace_id, model, note) VALUES ('2026', 'person', 'c', 'bad', 't', 'm', '')",
    "evidence": "VALUES ('d', '{}')",
    "evidence_day": "VALUES ('2026-01-01', 30, 0, '2026', 'd')",
    "evidence_event": "(at, event) VALUES ('2026', 'reset')",
    "approval_event": "(approval_id, event, at, via) VALUES ('a', 'granted', '2026', 'c')",
}
"""A row for each table that `fill` leaves empty."""
PROJECTIONS = ("hold", "tally", "spending", "job")


def everything(state: Path) -> dict[str, list[tuple[object, ...]]]:
    with connected(state, 1.0) as db:
        return {table: sorted(db.execute(f"SELECT * FROM {table}"), key=repr) for table in PROJECTIONS}


def fill(ledger: Ledger, start_of: "StartOf", record_of: "RecordOf") -> str:
    """A row of every kind; gives an attempt that is still open."""
    ledger.record_route(record_of()._replace(job=JobStart("0a" * 16, "o", "r")))
    trace = open_trace(ledger, "ab" * 32, AT)
    one = begin_attempt(ledger, trace, start_of())
    settle_attempt(ledger, one, Settlement("failed", AT, code=Code.PROVIDER_UNAVAILABLE))
    ledger.write(FollowupEntry(one, "again", 0.5, Cause.PATCH))
    return begin_attempt(ledger, trace, start_of())


@pytest.mark.parametrize("table", KEYS)
def test_the_file_itself_lets_nobody_change_what_happened(
    table: str, ledger: Ledger, state: Path, start_of: "StartOf", record_of: "RecordOf"
) -> None:
    fill(ledger, start_of, record_of)
    db = sqlite3.connect(state / "ledger.db")
    if table in SEEDS:
        db.execute(f"INSERT INTO {table} {SEEDS[table]}")
    rows = db.execute(f"SELECT * FROM {table}").fetchall()
    assert rows
    names = ", ".join(name for (name,) in db.execute(f"SELECT name FROM pragma_table_info('{table}')"))
    first = names.split(", ")[0]
    statements = [f"DELETE FROM {table}", f"UPDATE {table} SET {first} = {first}"]
    statements.append(f"REPLACE INTO {table} SELECT * FROM {table}")
    if "rowid" in KEYS[table]:  # under its number a row is replaced whatever its key says
        statements[-1] = f"REPLACE INTO {table} (rowid, {names}) SELECT rowid, {names} FROM {table}"
    for key in set(KEYS[table]) - {"rowid"}:
        statements.append(f"REPLACE INTO {table} ({names}) SELECT {names} FROM {table}")
        assert set(key.split(", ")) <= set(names.split(", "))
    for statement in statements:
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)
    assert db.execute(f"SELECT * FROM {table}").fetchall() == rows
    db.close()


@pytest.mark.parametrize("table", PROJECTIONS)
def test_a_projection_that_is_not_what_the_events_say_is_found_and_made_anew(
    table: str, ledger: Ledger, state: Path, start_of: "StartOf", record_of: "RecordOf"
) -> None:
    fill(ledger, start_of, record_of)
    right = everything(state)
    change = {
        "hold": "UPDATE hold SET reserved = '9'",
        "tally": "UPDATE tally SET failed = failed + 1",
        "spending": "INSERT INTO spending VALUES ('2026-03-13', 'all', '', '', '', '1')",
        "job": "UPDATE job SET status = 'completed'",
    }[table]
    with connected(state, 1.0) as db:
        assert differing(db) == ()
        db.execute(change)
        assert table in differing(db)
        db.execute("BEGIN IMMEDIATE")
        rebuild(db)
        db.execute("COMMIT")
        assert differing(db) == ()
    assert everything(state) == right


def test_a_hold_that_is_missing_or_too_many_is_found_by_one_query(
    ledger: Ledger, state: Path, start_of: "StartOf", record_of: "RecordOf"
) -> None:
    fill(ledger, start_of, record_of)
    with connected(state, 1.0) as db:
        assert db.execute(OPEN_BUT_NOT_HELD).fetchall() == []
        db.execute("UPDATE hold SET attempt = attempt + 5")
        assert db.execute(OPEN_BUT_NOT_HELD).fetchall() == [(2, 0, 1), (7, 1, 0)]
        db.execute("DELETE FROM hold")
        assert db.execute(OPEN_BUT_NOT_HELD).fetchall() == [(2, 0, 1)]


def test_an_answer_that_was_of_no_use_has_a_cause_in_what_is_shown_of_it(
    ledger: Ledger, state: Path, start_of: "StartOf"
) -> None:
    one = begin_attempt(ledger, open_trace(ledger, "ab" * 32, AT), start_of())
    settle_attempt(ledger, one, Settlement("completed", AT))
    ledger.write(FollowupEntry(one, "repair", cause=Cause.PATCH))
    ledger.write(FollowupEntry(one, cause=Cause.BROKEN))
    with connected(state, 1.0) as db:
        assert db.execute("SELECT status, cause FROM attempt").fetchall() == [("completed", Cause.PATCH.value)]


AMOUNTS = st.none() | st.decimals(0, 5, places=9) | st.sampled_from([Decimal(0), Decimal("0.10"), Decimal("1E+3")])
STARTS = st.fixed_dictionaries(
    {
        "intent": st.sampled_from([Intent.EDIT, Intent.TEST, Intent.CHAT]),
        "model": st.sampled_from(["a/m", "b/m"]),
        "resolved_model": st.sampled_from([None, "a/x", "b/x"]),
        "locality": st.sampled_from(list(Locality)),
        "token": st.sampled_from([None, "ci"]),
        "workspace": st.sampled_from([None, "77" * 32]),
        "started_at": st.integers(-40, 40).map(lambda days: AT + timedelta(days=days)),
        "reserved": AMOUNTS,
    }
)
ENDS = st.none() | st.builds(
    Settlement,
    status=st.sampled_from(["completed", "failed", "uncertain", "cancelled"]),
    ended_at=st.integers(-9, 9).map(lambda s: AT + timedelta(seconds=s)),
    usage=st.builds(TokenCounts, *[st.none() | st.integers(0, 9)] * 5),
    cost=AMOUNTS,
    resolved_model=st.sampled_from([None, "a/said", "c/said"]),
    unsent=st.booleans(),
    code=st.none(),
    partial=st.none(),
    cause=st.none() | st.just(Cause.EMPTY),
    http_status=st.none(),
)
SAID = st.sampled_from([None, Cause.PATCH, Cause.LENGTH])
"""What is noted of an attempt: before its end is on record, or behind it."""
SCOPES = ("all", "project", "token:ci", "intent:edit", "intent:test", "model:a/*", "model:*/said", "model:*/x")


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=st.lists(st.tuples(STARTS, st.lists(ENDS | SAID, max_size=3)), max_size=8), shift=st.integers(-41, 41))
def test_totals_are_what_the_events_say_whatever_happened(
    history: "list[tuple[dict[str, object], list[Settlement | Cause | None]]]", shift: int, start_of: "StartOf"
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        ledger = Ledger.open(Path(folder) / "state")
        trace = open_trace(ledger, "ab" * 32, AT)
        for start, ends in history:
            attempt = begin_attempt(ledger, trace, start_of(**start))
            for end in ends:
                if isinstance(end, Cause):
                    ledger.write(FollowupEntry(attempt, "again", cause=end))
                elif end is not None:
                    settle_attempt(ledger, attempt, end)
        with connected(Path(folder) / "state", 1.0) as db:
            assert differing(db) == ()
            resolved = dict(db.execute("SELECT attempt_id, resolved_model FROM begun"))
        attempts = ledger.trace(trace).attempts
        since = AT + timedelta(days=shift)
        for moment in (since, since.replace(hour=0, minute=0, second=0, microsecond=0), since.replace(day=1)):
            for scope in SCOPES:
                counted = [one for one in attempts if one.started_at >= moment.isoformat(timespec="microseconds")]
                amounts = [
                    _counts(one.status, one.cost, one.reserved)
                    for one in counted
                    if _in(scope, one, resolved[one.attempt_id])
                ]
                assert ledger.spent(scope, moment, "77" * 32) == sum(amounts, Decimal(0))


def _counts(status: str, cost: str | None, reserved: str | None) -> Decimal:
    return Decimal((cost if cost is not None or status == "failed" else reserved) or 0)


def _in(scope: str, one: object, resolved: str | None) -> bool:
    kind, _, name = scope.partition(":")
    value = {key: getattr(one, key) for key in ("workspace", "token", "intent", "model", "resolved_model")}
    match kind:
        case "all":
            return True
        case "project":
            return value["workspace"] == "77" * 32
        case "token":
            return value["token"] == name
        case "intent":
            return value["intent"] in ({"edit", "test"} if name == "edit" else {name})
        case _:
            names = [value["model"], value["resolved_model"], resolved]
            return any(one and fnmatchcase(one, name) for one in names)
