"""Approvals in the ledger: what holds when, what is spent once, what is forgotten, what never reads otherwise later."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import smista_mcp
from smista_mcp.core.asked import AskedItem, AskedPhase, AskedTarget, CallRequest, ReleaseRequest
from smista_mcp.core.values import Locality
from smista_mcp.errors import NotFound, StateUnavailable
from smista_mcp.ledger import Ledger, prepare_folder
from smista_mcp.ledger.approval_tables import APPROVAL_TABLES
from smista_mcp.ledger.approvals import ApprovalBook
from smista_mcp.ledger.database import MIGRATIONS

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)
CALL = CallRequest(
    phases=(
        AskedPhase(
            phase=0,
            intent="chat",
            words="the words of the task",
            needs=("remote",),
            reason="because",
            targets=(
                AskedTarget(model="a/m", resolved="a/m", address="https://a", locality=Locality.REMOTE, cost="0.1"),
            ),
            items=(AskedItem(path="src/a.py", tokens=3),),
            stays=(),
        ),
    ),
    most="0.1",
    marks=("a https://a",),
    needs=("remote",),
)
TEXT = ReleaseRequest(
    phase=0,
    intent="chat",
    model="ollama/m",
    file="/answers/x.md",
    bytes=4,
    text_hash="keyed:00",
    origin=("`.env` is restricted by `.env`",),
    destinations=("host", "a/m"),
    host="claude-code",
)


@pytest.fixture
def book(state: Path) -> ApprovalBook:
    return Ledger.open(state).approvals


def asked(book: ApprovalBook, key: str = "k", now: datetime = NOW, workspace: str | None = "w") -> str:
    return book.request(key, CALL, workspace=workspace, host="claude-code", now=now)


def test_the_same_call_asks_under_the_same_id_until_it_is_answered(book: ApprovalBook) -> None:
    first = asked(book)
    assert asked(book, now=NOW + SECOND) == first
    assert asked(book, key="other") != first
    assert asked(book, workspace="elsewhere") != first
    book.grant(first, "terminal", NOW)
    assert asked(book, now=NOW + SECOND) == first
    assert book.use(first, "t", NOW + SECOND)
    assert asked(book, now=NOW + SECOND) != first


def test_a_yes_holds_for_a_day_from_its_own_moment(book: ApprovalBook) -> None:
    one = asked(book)
    book.grant(one, "terminal", NOW + DAY - SECOND)
    for when, holds in ((DAY, True), (2 * DAY - 2 * SECOND, True), (2 * DAY - SECOND, False), (3 * DAY, False)):
        assert bool(book.granted("w", NOW + when)) is holds
    assert not book.use(one, "t", NOW + 2 * DAY)


def test_a_request_that_nobody_answers_ends_after_a_day(book: ApprovalBook) -> None:
    one = asked(book)
    assert [stored.approval_id for stored in book.requests(NOW + DAY - SECOND) if stored.state == "open"] == [one]
    assert {stored.state for stored in book.requests(NOW + DAY)} == {"expired"}
    with pytest.raises(NotFound):
        book.grant(one, "terminal", NOW + DAY)


def test_a_yes_from_the_future_is_none(book: ApprovalBook) -> None:
    one = asked(book)
    book.grant(one, "terminal", NOW)
    assert book.granted("w", NOW - SECOND) == ()
    assert not book.use(one, "t", NOW - SECOND)


def test_a_no_ends_it_before_and_after_a_yes(book: ApprovalBook) -> None:
    one = asked(book)
    book.grant(one, "terminal", NOW)
    book.refuse(one, "terminal", NOW)
    assert (book.granted("w", NOW), book.use(one, "t", NOW), book.stored(one, NOW).state) == ((), False, "refused")
    with pytest.raises(NotFound):
        book.grant(one, "terminal", NOW)


def test_a_yes_is_for_its_workspace(book: ApprovalBook) -> None:
    book.grant(asked(book), "terminal", NOW)
    assert [len(book.granted(where, NOW)) for where in ("w", "elsewhere", None)] == [1, 0, 0]


def test_one_for_a_session_is_used_again_and_needs_a_workspace(book: ApprovalBook) -> None:
    one, nowhere = asked(book), asked(book, workspace=None)
    book.grant(one, "terminal", NOW, session=True)
    book.grant(nowhere, "terminal", NOW, session=True)
    assert book.use(one, "t", NOW + SECOND)
    assert book.use(one, "t", NOW + SECOND)
    assert [held.marks for held in book.granted("w", NOW + SECOND)] == [CALL.marks]
    assert [held.marks for held in book.granted(None, NOW)] == [()]
    assert not book.use(one, "t", NOW + DAY)


def test_of_many_at_once_one_spends_it(book: ApprovalBook) -> None:
    one = asked(book)
    book.grant(one, "terminal", NOW)

    def spend(trace_id: str) -> bool:
        return book.use(one, trace_id, NOW)

    with ThreadPoolExecutor(8) as pool:
        spent = list(pool.map(spend, "abcdefghijklmnop"))
    assert spent.count(True) == 1


def test_what_a_killed_process_has_spent_stays_spent(book: ApprovalBook, state: Path) -> None:
    one = asked(book)
    book.grant(one, "terminal", NOW)
    program = """\
import os, signal, sys
from datetime import UTC, datetime
from pathlib import Path
from smista_mcp.ledger import Ledger
assert Ledger.open(Path(sys.argv[1])).approvals.use(sys.argv[2], "t", datetime(2026, 11, 20, 12, tzinfo=UTC))
os.kill(os.getpid(), signal.SIGKILL)
"""
    env = {"PYTHONPATH": str(Path(smista_mcp.__file__).parents[1])}
    ended = subprocess.run([sys.executable, "-c", program, str(state), one], env=env, check=False)
    assert (ended.returncode, book.use(one, "t", NOW), book.granted("w", NOW)) == (-9, False, ())


def test_a_release_names_hash_and_destinations_and_is_for_its_host(book: ApprovalBook) -> None:
    one = book.request("k", TEXT, workspace="w", host="claude-code", now=NOW)
    assert book.released("claude-code", NOW) == {}
    book.grant(one, "terminal", NOW)
    assert book.granted("w", NOW) == ()
    assert book.released("claude-code", NOW) == {"keyed:00": {"host", "a/m"}}
    assert book.released("codex", NOW) == {"keyed:00": {"a/m"}}
    assert book.use(one, "t", NOW)
    assert book.released("claude-code", NOW + SECOND)["keyed:00"] == {"host", "a/m"}
    assert book.released("claude-code", NOW + DAY) == {}
    (used,) = book.of_traces(["t"], NOW)
    assert used.approval_id == one


def test_the_words_of_a_task_are_forgotten_and_the_rest_is_kept(book: ApprovalBook, state: Path) -> None:
    used, unanswered = asked(book), asked(book, key="other")
    book.grant(used, "terminal", NOW)
    book.use(used, "t", NOW)
    assert b"the words of the task" in (state / "ledger.db").read_bytes()
    asked(book, key="new", now=NOW + DAY)
    words = CALL.model_copy(update={"phases": (CALL.phases[0].model_copy(update={"words": ""}),)})
    assert book.stored(used, NOW + DAY).request == words
    assert [event.event for event in book.stored(unanswered, NOW + DAY).events] == ["requested", "expired"]
    book.request("last", TEXT, workspace="w", host="x", now=NOW + 2 * DAY)
    assert b"the words of the task" not in (state / "ledger.db").read_bytes()


def test_events_are_only_added(book: ApprovalBook, state: Path) -> None:
    asked(book)
    db = sqlite3.connect(state / "ledger.db")
    for statement in ("UPDATE approval_event SET event = 'granted'", "DELETE FROM approval_event"):
        with pytest.raises(sqlite3.IntegrityError):
            db.execute(statement)
    db.close()


@pytest.mark.parametrize("given", ["0" * 32, "nonsense", "", "' OR 1=1 --", "00000000"])
def test_an_id_that_was_not_given_answers_nothing(book: ApprovalBook, given: str) -> None:
    asked(book)
    for answer in (
        lambda: book.stored(given, NOW),
        lambda: book.grant(given, "terminal", NOW),
        lambda: book.refuse(given, "terminal", NOW),
        lambda: book.use(given, "t", NOW),
    ):
        with pytest.raises(NotFound):
            answer()


def test_a_request_of_another_version_is_approved_by_nobody(book: ApprovalBook, state: Path) -> None:
    one = asked(book)
    db = sqlite3.connect(state / "ledger.db")
    db.execute('UPDATE approval SET body = \'{"kind": "more"}\'')
    db.commit()
    db.close()
    assert book.stored(one, NOW).request is None
    with pytest.raises(NotFound):
        book.grant(one, "terminal", NOW)


def test_a_ledger_without_approvals_gets_them_and_keeps_what_it_has(state: Path) -> None:
    prepare_folder(state)
    before = MIGRATIONS.index(APPROVAL_TABLES)
    old = sqlite3.connect(state / "ledger.db")
    for statements in MIGRATIONS[:before]:
        for statement in statements:
            old.execute(statement)
    old.execute("INSERT INTO trace (trace_id, decision_id, at) VALUES ('ab', 'cd', 'now')")
    old.execute(f"PRAGMA user_version = {before}")
    old.commit()
    old.close()
    ledger = Ledger.open(state)
    assert asked(ledger.approvals)
    db = sqlite3.connect(state / "ledger.db")
    assert db.execute("SELECT count(*) FROM trace").fetchone() == (1,)
    db.close()


def test_a_damaged_ledger_approves_nothing(book: ApprovalBook, state: Path) -> None:
    book.grant(asked(book), "terminal", NOW)
    (state / "ledger.db").write_text("no database", encoding="utf-8")
    with pytest.raises(StateUnavailable):
        book.granted("w", NOW)


def test_whoever_looked_at_the_clock_before_it_waited_ends_nobodys_yes(state: Path) -> None:
    book = ApprovalBook.open(state)
    ids = [book.request(key, CALL, workspace="w", host="h", now=NOW + SECOND) for key in ("open", "granted")]
    book.grant(ids[1], "terminal", NOW + SECOND)
    book.request("late", CALL, workspace="w", host="h", now=NOW)
    assert [book.stored(one, NOW + 2 * SECOND).state for one in ids] == ["open", "granted"]
