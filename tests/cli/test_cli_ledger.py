"""`ledger`: takes away what is too old, and tells whether the record is whole."""

import sqlite3
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from command_line import Here

pytestmark = pytest.mark.usefixtures("refusing_policy")


def age(home: Path, days: int) -> None:
    """Makes what is recorded so old."""
    at = (datetime.now(UTC) - timedelta(days=days)).isoformat(timespec="microseconds")
    db = sqlite3.connect(home / "state/ledger.db")
    guard = db.execute("SELECT sql FROM sqlite_master WHERE name = 'decision_stays'").fetchone()[0]
    db.execute("DROP TRIGGER decision_stays")
    db.execute("UPDATE decision SET at = ?", (at,))
    db.execute(guard)
    db.commit()
    db.close()


def test_what_is_older_than_the_policy_keeps_goes(here: Here, home: Path, refusing_policy: Path) -> None:
    for task in ("plan it", "plan that", "review it"):
        here("route", task)
    age(home, 30)
    here("route", "plan more")
    assert here("ledger", "vacuum", "--json").json["rows"]["decisions"] == 0
    with refusing_policy.open("a", encoding="utf-8") as policy:
        policy.write("\n[ledger]\nkeep_days = 20\n")
    told = here("ledger", "vacuum", "--dry-run", "--json").json
    assert (told["keep_days"], told["dry_run"], told["rows"]["decisions"]) == (20, True, 3)
    done = here("ledger", "vacuum")
    assert (done.status, "3 decisions" in done.out) == (0, True)
    assert here("ledger", "check", "--json").json["well"] is True


def test_a_total_that_is_wrong_is_told_and_mended(here: Here, home: Path) -> None:
    here("route", "plan it")
    assert here("ledger", "check").status == 0
    db = sqlite3.connect(home / "state/ledger.db")
    db.execute("INSERT INTO spending VALUES ('2026-03-13', 'all', '', '', '', '1')")
    db.commit()
    db.close()
    wrong = here("ledger", "check", "--json")
    assert (wrong.status, wrong.json["differing"]) == (1, ["spending"])
    assert "--mend" in here("ledger", "check").err
    assert here("ledger", "check", "--mend").status == 0
    assert here("ledger", "check").status == 0


@pytest.mark.parametrize("verb", ["vacuum", "check"])
def test_where_there_is_no_ledger_none_is_made(here: Here, home: Path, verb: str) -> None:
    done = here("ledger", verb)
    assert (done.status, (home / "state/ledger.db").exists()) == (0, False)


@pytest.mark.parametrize("arguments", [("usage",), ("traces",), ("ledger", "check")])
def test_a_damaged_ledger_is_no_matter_of_a_provider(arguments: tuple[str, ...], here: Here, home: Path) -> None:
    here("route", "plan it")
    (home / "state/ledger.db").write_bytes(b"no database at all" * 100)
    told = here(*arguments, "--json")
    assert (told.status, told.json["error"]["code"]) == (1, "state_unavailable")
