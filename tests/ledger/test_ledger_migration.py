"""A ledger of an earlier schema is carried over without loss, or not touched."""

import sqlite3
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import Ledger, Scope
from smista_mcp.ledger.database import MIGRATIONS, connected
from smista_mcp.ledger.projections import differing
from smista_mcp.ledger.sessions import NewTurn
from tests.ledger import earlier

if TYPE_CHECKING:
    from tests.ledger.conftest import Child

DAY = date.fromisoformat(earlier.DAY)
AT = datetime(2026, 3, 14, tzinfo=UTC)


def dump(file: Path) -> list[str]:
    db = sqlite3.connect(file)
    found = [*db.iterdump(), str(db.execute("PRAGMA user_version").fetchone())]
    db.close()
    return found


def test_every_row_of_the_last_schema_is_told_as_before(state: Path) -> None:
    earlier.make(state)
    ledger = Ledger.open(state)
    with connected(state, 1.0) as db:
        assert differing(db) == ()
        assert db.execute("PRAGMA user_version").fetchone() == (len(MIGRATIONS),)
        assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert db.execute("PRAGMA foreign_key_check").fetchall() == []
    first, second = ledger.trace("01" * 16), ledger.trace("02" * 16)
    attempts = [*first.attempts, *second.attempts]
    assert [one.attempt_id for one in attempts] == [f"{number:032x}" for number in range(6)]
    for one, then in zip(attempts, earlier.ATTEMPTS, strict=True):
        status, ended, code, tokens, cost, reserved, resolved, cause, followup, wait, _ = then
        dead = status == "running"
        assert (one.status, one.code) == (("uncertain", "cancelled") if dead else (status, code))
        assert one.ended_at == (ended and f"{earlier.DAY}T{ended}+00:00")
        assert (tuple(one.usage), one.cost, one.reserved, one.resolved_model) == (tokens, cost, reserved, resolved)
        assert (one.cause, one.followup, one.wait_s) == (cause, followup, wait)
    assert attempts[3].partial is not None
    assert first.decision is not None
    assert [trace.trace_id for trace in ledger.traces_of(first.decision)] == ["01" * 16]
    assert second.decision is None


def test_totals_are_made_from_its_rows(state: Path) -> None:
    earlier.make(state)
    ledger = Ledger.open(state)
    assert ledger.spent("all", AT) == Decimal("0.01") + Decimal("0.02") + Decimal("0.3") + Decimal("0.12") + Decimal(
        "0.7"
    )
    assert ledger.spent("token:ci", AT) == Decimal("0.02") + Decimal("0.3") + Decimal("0.7")
    assert ledger.spent("model:a/said", AT) == Decimal("0.01")
    found = ledger.tallies(DAY, DAY)
    assert sum(one.requests for one in found) == len(earlier.ATTEMPTS)
    assert sum(one.seconds for one in found) == 5.5
    assert {one.host for one in found} == {"codex", None}
    assert sum(one.requests for one in ledger.tallies(DAY, DAY, Scope("w1", "o1"))) == 4


def test_jobs_of_an_earlier_schema_stand_as_they_stood(state: Path) -> None:
    earlier.make(state)
    jobs = Ledger.open(state).jobs
    done, left = jobs.find("0b" * 16), jobs.find("0c" * 16)
    assert (done.status, done.ended_at is not None, done.calls) == ("completed", True, ("ca11",))
    assert (left.status, left.code, left.ended_at) == ("failed", "cancelled", None)


def test_a_ledger_of_the_first_schema_gains_the_tables_and_keeps_its_rows(state: Path) -> None:
    earlier.make(state, version=1)
    ledger = Ledger.open(state)
    key = ledger.sessions.begin("pipe x", None, AT)
    turn = NewTurn("ab" * 32, None, 0, "m", "words", "answer", None, (), ())
    assert ledger.sessions.add(key, turn, AT) == 1
    assert len(ledger.recent(10)) == 1
    assert ledger.trace("01" * 16).attempts == ()


def test_a_newer_schema_is_refused_and_left_alone(state: Path) -> None:
    file = earlier.make(state)
    db = sqlite3.connect(file)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS) + 1}")
    db.close()
    before = file.read_bytes()
    with pytest.raises(StateUnavailable) as refused:
        Ledger.open(state)
    assert str(len(MIGRATIONS)) in refused.value.message
    assert file.read_bytes() == before


FULL = """
import signal
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
size = (Path(sys.argv[1]) / "ledger.db").stat().st_size
resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))
try:
    Ledger.open(Path(sys.argv[1]))
except StateUnavailable as error:
    print(error.code)
"""
KILLED = """
import os
from smista_mcp.ledger import spending
spending._ExactSum.step = lambda *_: os.kill(os.getpid(), 9)
Ledger.open(Path(sys.argv[1]))
print("never")
"""


@pytest.mark.parametrize(("program", "said"), [(FULL, "provider_unavailable"), (KILLED, "")], ids=["full", "killed"])
def test_a_migration_that_is_broken_off_has_changed_nothing(
    state: Path, child: "Child", program: str, said: str
) -> None:
    file = earlier.make(state)
    before = dump(file)
    assert child(program, str(state)).communicate()[0].strip() == said
    assert dump(file) == before
    assert len(Ledger.open(state).trace("01" * 16).attempts) == 4
