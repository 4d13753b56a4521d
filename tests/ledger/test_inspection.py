"""A look at the state folder: what it finds, and that it changes nothing."""

import os
import sqlite3
from collections.abc import Callable
from pathlib import Path

import pytest

from smista_mcp.core.diagnosis.ledgers import LedgerFacts, judge_ledger
from smista_mcp.core.diagnosis.remarks import Level
from smista_mcp.ledger import Ledger, RouteRecord, prepare_folder
from smista_mcp.ledger.database import MIGRATIONS
from smista_mcp.ledger.inspection import inspect

RecordOf = Callable[..., RouteRecord]


def look(state: Path) -> LedgerFacts:
    """What is found; a second look finds the same, and every byte is as it was."""
    before = {file: file.read_bytes() for file in state.rglob("*") if file.is_file()} if state.is_dir() else {}
    found = inspect(state, 5.0)
    assert {file: file.read_bytes() for file in before} == before
    assert inspect(state, 5.0)._replace(free=None) == found._replace(free=None)
    return found


def wrong(seen: LedgerFacts) -> list[str]:
    return [one.check for one in judge_ledger(seen) if one.level is Level.WRONG]


@pytest.fixture
def ledger(state: Path, record_of: RecordOf) -> Path:
    """A ledger with one decision."""
    opened = Ledger.open(state)
    opened.installation_key()
    opened.record_route(record_of())
    return state / "ledger.db"


def test_nothing_is_made(state: Path) -> None:
    seen = look(state)
    assert (seen.folder, seen.file, wrong(seen)) == (None, None, [])
    assert not state.exists()
    prepare_folder(state)
    assert wrong(look(state)) == []
    assert list(state.iterdir()) == []


def test_a_ledger_in_use_is_well(ledger: Path) -> None:
    seen = look(ledger.parent)
    assert wrong(seen) == []
    assert (seen.decisions, seen.version, seen.whole, seen.locked) == (1, len(MIGRATIONS), "ok", False)
    assert seen.latest is not None


def test_others_may_not_read_it(ledger: Path) -> None:
    ledger.chmod(0o644)
    ledger.parent.chmod(0o755)
    assert wrong(look(ledger.parent)) == ["permissions"] * 2
    assert ledger.stat().st_mode & 0o777 == 0o644  # told, not mended


def test_a_link_in_its_place_is_not_followed(ledger: Path) -> None:
    away = ledger.rename(ledger.parent.parent / "away.db")
    ledger.symlink_to(away)
    assert wrong(look(ledger.parent)) == ["permissions"]


def test_a_damaged_ledger_is_told(ledger: Path) -> None:
    pages = bytearray(ledger.read_bytes())
    pages[4096 * 2 : 4096 * 4] = os.urandom(4096 * 2)
    ledger.write_bytes(pages)
    assert wrong(look(ledger.parent)) in (["integrity"], ["ledger"])


@pytest.mark.parametrize(
    "content", [b"not a database, but a text that is long enough" * 100, b"SQLite format 3\0" * 99]
)
def test_what_is_no_database_is_told(ledger: Path, content: bytes) -> None:
    ledger.write_bytes(content)
    (found,) = [one for one in judge_ledger(look(ledger.parent)) if one.level is Level.WRONG]
    assert found.check == "ledger"
    assert "move it away" in found.fix


def test_a_ledger_of_a_newer_version_and_one_in_wal_mode_are_told(ledger: Path) -> None:
    db = sqlite3.connect(ledger)
    db.execute("PRAGMA user_version = 99")
    db.commit()
    db.close()
    assert wrong(look(ledger.parent)) == ["schema"]
    db = sqlite3.connect(ledger)
    db.execute(f"PRAGMA user_version = {len(MIGRATIONS)}")
    db.execute("PRAGMA journal_mode = wal")
    db.close()
    assert wrong(inspect(ledger.parent, 5.0)) == ["journal"]


def test_a_ledger_that_somebody_holds_is_told(ledger: Path) -> None:
    db = sqlite3.connect(ledger, isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    assert wrong(look(ledger.parent)) == ["lock"]
    db.execute("ROLLBACK")
    db.close()
    assert wrong(look(ledger.parent)) == []


def test_tables_of_another_program_are_told(ledger: Path) -> None:
    ledger.unlink()
    db = sqlite3.connect(ledger)
    db.execute("CREATE TABLE bookmark (url)")
    db.close()
    ledger.chmod(0o600)
    assert wrong(look(ledger.parent)) == ["ledger"]


def test_totals_that_are_not_what_the_events_say_are_told(ledger: Path) -> None:
    db = sqlite3.connect(ledger)
    db.execute("INSERT INTO spending VALUES ('2026-03-13', 'all', '', '', '', '1')")
    db.commit()
    db.close()
    assert wrong(look(ledger.parent)) == ["totals"]


def test_a_key_that_is_none_is_told(ledger: Path) -> None:
    (ledger.parent / "key").write_bytes(b"short")
    assert wrong(look(ledger.parent)) == ["key"]


def test_a_check_ends_when_its_time_is_over(ledger: Path) -> None:
    db = sqlite3.connect(ledger)
    db.execute("CREATE TABLE much (line TEXT)")
    db.executemany("INSERT INTO much VALUES (?)", ((f"{n:064}",) for n in range(20_000)))
    db.commit()
    db.close()
    assert inspect(ledger.parent, 0.0).whole is None
    assert inspect(ledger.parent, 30.0).whole == "ok"
