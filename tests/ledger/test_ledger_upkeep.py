"""What is too old goes, totals stay, and what is open is touched by nobody."""

from datetime import date, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smista_mcp.errors import Code, NotFound
from smista_mcp.ledger import JobStart, Ledger, Settlement
from smista_mcp.ledger.answer_labels import AnswerLabel
from smista_mcp.ledger.database import connected
from smista_mcp.ledger.entries import FollowupEntry
from tests.ledger.conftest import AT
from tests.recording import begin_attempt, open_trace, settle_attempt

if TYPE_CHECKING:
    from tests.ledger.conftest import DecisionOf, RecordOf, StartOf

DAY = timedelta(days=1)
NOTHING = {"attempts": 0, "traces": 0, "jobs": 0, "decisions": 0, "inputs": 0, "evidence": 0, "approvals": 0}


@pytest.fixture
def lived(ledger: Ledger, decision_of: "DecisionOf", record_of: "RecordOf", start_of: "StartOf") -> Ledger:
    """A ledger with one whole dispatch a day for ten days, the first of which has left an attempt open."""
    for number in range(10):
        at = AT + number * DAY
        made = decision_of(f"{number:064x}")
        job = JobStart(f"{number:032x}", "o", "r")
        ledger.record_route(record_of(made, at=at)._replace(job=job))
        trace = open_trace(ledger, made.decision_id, at)
        attempt = begin_attempt(ledger, trace, start_of(started_at=at))
        settle_attempt(ledger, attempt, Settlement("completed", at, cost=Decimal("0.01")))
        ledger.write(FollowupEntry(attempt, "again"))
        ledger.answer_labels.keep(AnswerLabel(trace, 0, "local", ()))
        ledger.jobs.end(job.job_id, "completed", None, at)
        if number == 0:
            begin_attempt(ledger, trace, start_of(started_at=at))
    return ledger


def test_what_is_older_than_that_goes_and_totals_stay(lived: Ledger) -> None:
    now = AT + 9 * DAY
    tallies = lived.tallies(date.min, date.max)
    spent = lived.spent("all", AT.replace(day=1, hour=0, minute=0, second=0, microsecond=0))
    done = lived.upkeep.vacuum(4, now)
    assert done.before == (now - 4 * DAY).date().isoformat()
    gone = {"attempts": 5, "traces": 4, "jobs": 5, "decisions": 4, "inputs": 0, "evidence": 0, "approvals": 0}
    assert done.rows == gone
    kept = [int(one.decision_id, 16) for one in lived.recent(100)]
    assert kept == [9, 8, 7, 6, 5, 0]  # of the first day an attempt is open
    assert lived.tallies(date.min, date.max) == tallies
    assert lived.spent("all", AT.replace(day=1, hour=0, minute=0, second=0, microsecond=0)) == spent
    assert lived.upkeep.check().well
    with pytest.raises(NotFound):
        lived.jobs.find(f"{1:032x}")
    assert lived.upkeep.vacuum(4, now).rows == NOTHING


def test_totals_of_days_that_are_gone_survive_being_made_anew(lived: Ledger, start_of: "StartOf") -> None:
    lived.upkeep.vacuum(4, AT + 9 * DAY)
    tallies = lived.tallies(date.min, date.max)
    lived.upkeep.mend()
    assert lived.tallies(date.min, date.max) == tallies
    assert lived.upkeep.check().well
    trace = lived.traces_of(lived.recent(100)[-1])[0]
    (held,) = [one for one in trace.attempts if one.status == "running"]
    settle_attempt(lived, held.attempt_id, Settlement("completed", AT, cost=Decimal("0.05")))
    assert lived.upkeep.check().well
    begin_attempt(lived, trace.trace_id, start_of(started_at=AT + 9 * DAY))
    assert lived.upkeep.check() == lived.upkeep.check()._replace(open=1)


def test_a_dry_run_tells_what_would_go_and_changes_nothing(lived: Ledger, state: Path) -> None:
    before = (state / "ledger.db").read_bytes()
    told = lived.upkeep.vacuum(4, AT + 9 * DAY, dry_run=True)
    assert (state / "ledger.db").read_bytes() == before
    assert told.left == told.size
    assert lived.upkeep.vacuum(4, AT + 9 * DAY).rows == told.rows


def test_the_file_is_guarded_again_after_it_and_smaller(
    lived: Ledger, state: Path, decision_of: "DecisionOf", record_of: "RecordOf"
) -> None:
    for number in range(100):
        lived.record_route(record_of(decision_of(f"{number:064x}", reason="why " * 1000), at=AT - 900 * DAY))
    done = lived.upkeep.vacuum(400, AT + 9 * DAY)
    assert done.rows["decisions"] == 99  # the newest recording keeps its place
    assert done.left < done.size / 2
    with connected(state, 1.0) as db:
        triggers = {name for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'")}
    assert {"decision_remains", "begun_remains", "approval_event_remains"} < triggers
    assert (state / "ledger.db").stat().st_mode & 0o777 == 0o600


def test_a_little_is_tidied_once_a_day(lived: Ledger) -> None:
    now = AT + 9 * DAY
    assert lived.upkeep.tidy(4, now) == 9
    assert lived.upkeep.check().well
    assert lived.upkeep.tidy(2, now) == 0
    assert lived.upkeep.tidy(2, now + DAY) > 0


def test_damage_is_told(lived: Ledger, state: Path) -> None:
    assert lived.upkeep.check().well
    with connected(state, 1.0) as db:
        db.execute("PRAGMA foreign_keys = OFF")
        db.execute("DROP TRIGGER trace_remains")
        db.execute("DELETE FROM trace WHERE trace_id = (SELECT max(trace_id) FROM trace)")
    found = lived.upkeep.check()
    assert not found.well
    assert found.dangling > 0


def test_an_attempt_that_failed_long_ago_goes_with_its_code(ledger: Ledger, start_of: "StartOf") -> None:
    trace = open_trace(ledger, "ab" * 32, AT)
    one = begin_attempt(ledger, trace, start_of())
    settle_attempt(ledger, one, Settlement("failed", AT, code=Code.PROVIDER_UNAVAILABLE))
    begin_attempt(ledger, open_trace(ledger, "cd" * 32, AT + 9 * DAY), start_of(started_at=AT + 9 * DAY))
    assert ledger.upkeep.vacuum(1, AT + 900 * DAY).rows["attempts"] == 1
    with pytest.raises(NotFound):
        ledger.trace(trace)
    assert sum(one.failed for one in ledger.tallies(date.min, date.max)) == 1


@pytest.mark.parametrize("tidies", [False, True])
def test_a_clock_that_is_years_ahead_takes_no_more_and_blinds_no_check(
    tidies: bool, lived: Ledger, state: Path
) -> None:
    ahead = AT + 1200 * DAY
    if tidies:
        lived.upkeep.tidy(4, ahead)
    else:
        assert lived.upkeep.vacuum(4, ahead).before == (AT + 5 * DAY).date().isoformat()
    assert [int(one.decision_id, 16) for one in lived.recent(100)] == [9, 8, 7, 6, 5, 0]
    tallies = lived.tallies(date.min, date.max)
    with connected(state, 1.0) as db:
        db.execute("DELETE FROM tally WHERE day = ?", ((AT + 8 * DAY).date().isoformat(),))
    assert "tally" in lived.upkeep.check().differing
    lived.upkeep.mend()
    assert lived.tallies(date.min, date.max) == tallies
