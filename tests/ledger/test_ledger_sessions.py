"""Sessions in the ledger: whose they are, how long they are kept, what becomes of them when processes meet or die."""

import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from subprocess import Popen

import pytest

from smista_mcp.core.decision import Decision
from smista_mcp.core.origins import Link
from smista_mcp.core.turns import BODY_DAYS, MAX_TURNS, SESSION_DAYS
from smista_mcp.errors import InvalidTask
from smista_mcp.ledger import Ledger, RouteRecord
from smista_mcp.ledger.answer_labels import AnswerLabel
from smista_mcp.ledger.sessions import MAX_BODY, NewTurn, SessionKey, Sessions

RecordOf = Callable[..., RouteRecord]
DecisionOf = Callable[..., Decision]
Child = Callable[..., Popen[str]]
AT = datetime(2026, 3, 14, 15, 9, 26, tzinfo=UTC)
DAY = timedelta(days=1)
SECOND = timedelta(seconds=1)
FROM = (Link(name="secrets/a.txt", reason="restricted by `secrets/**`"),)


def turn(words: str = "why?", answer: str = "because", **changes: object) -> NewTurn:
    one = NewTurn("ab" * 32, None, 0, "ollama/m", words, answer, "restricted", FROM, ("secrets/a.txt",))
    return one._replace(**changes)


@pytest.fixture
def sessions(ledger: Ledger) -> Sessions:
    return ledger.sessions


@pytest.fixture
def key(sessions: Sessions) -> SessionKey:
    return sessions.begin("pipe x", "77" * 32, AT)


def test_turns_come_back_as_they_were_kept(sessions: Sessions, key: SessionKey, state: Path) -> None:
    assert [sessions.add(key, turn(answer=text), AT) for text in ("one", "zwei ü")] == [1, 2]
    first, second = Ledger.open(state).sessions.turns(key, AT)
    assert (first.number, first.words, first.answer, second.answer) == (1, "why?", "one", "zwei ü")
    assert (first.label, first.origin, first.forms) == ("restricted", FROM, ("secrets/a.txt",))


def test_ids_are_128_random_bits_that_the_file_does_not_hold(sessions: Sessions, state: Path) -> None:
    keys = [sessions.begin("pipe x", None, AT) for _ in range(20)]
    assert len({key.session_id for key in keys}) == 20
    assert {len(bytes.fromhex(key.session_id)) for key in keys} == {16}
    kept = (state / "ledger.db").read_bytes()
    assert not any(key.session_id.encode() in kept or bytes.fromhex(key.session_id) in kept for key in keys)


@pytest.mark.parametrize(
    "changes", [{"session_id": "0" * 32}, {"owner": "pipe y"}, {"workspace": None}, {"workspace": "78" * 32}]
)
def test_nobody_else_finds_a_session(sessions: Sessions, key: SessionKey, changes: dict[str, str | None]) -> None:
    other = key._replace(**changes)
    for use in (
        lambda: sessions.turns(other, AT),
        lambda: sessions.touch(other, AT),
        lambda: sessions.add(other, turn(), AT),
    ):
        with pytest.raises(InvalidTask) as failure:
            use()
        assert key.session_id not in str(failure.value)
    assert sessions.turns(key, AT) == ()


def test_a_session_ends_thirty_days_after_its_last_use(sessions: Sessions, key: SessionKey) -> None:
    used = AT + 20 * DAY
    sessions.touch(key, used)
    last = used + SESSION_DAYS * DAY
    assert sessions.turns(key, last) == ()
    with pytest.raises(InvalidTask):
        sessions.turns(key, last + SECOND)
    with pytest.raises(InvalidTask):
        sessions.add(key, turn(), last + SECOND)


def test_to_read_a_session_is_no_use_of_it(sessions: Sessions, key: SessionKey) -> None:
    assert sessions.turns(key, AT + 29 * DAY) == ()
    with pytest.raises(InvalidTask):
        sessions.turns(key, AT + 31 * DAY)


def test_bodies_are_given_out_for_seven_days_and_labels_for_longer(sessions: Sessions, key: SessionKey) -> None:
    sessions.add(key, turn(), AT)
    last = AT + BODY_DAYS * DAY
    assert sessions.turns(key, last)[0].answer == "because"
    (old,) = sessions.turns(key, last + SECOND)
    assert (old.words, old.answer, old.label, old.origin) == (None, None, "restricted", FROM)


def test_what_is_kept_no_longer_is_erased_from_the_file(sessions: Sessions, key: SessionKey, state: Path) -> None:
    long = "a long answer " * 2000
    sessions.add(key, turn("the words of a person", "the answer to them"), AT)
    sessions.add(key, turn("other words", long), AT)
    held = [b"the words of a person", b"the answer to them", b"a long answer"]
    file = state / "ledger.db"
    assert all(text in file.read_bytes() for text in held)
    sessions.forget(AT + BODY_DAYS * DAY + SECOND)
    assert not any(text in file.read_bytes() for text in held)
    assert [one.label for one in sessions.turns(key, AT + 8 * DAY)] == ["restricted"] * 2
    sessions.forget(AT + 31 * DAY)
    db = sqlite3.connect(file)
    counted = "SELECT (SELECT count(*) FROM session), (SELECT count(*) FROM turn)"
    assert db.execute(counted).fetchone() == (0, 0)
    db.close()


def test_nothing_is_written_where_nothing_is_due(sessions: Sessions, key: SessionKey, state: Path) -> None:
    sessions.add(key, turn(), AT)
    before = (state / "ledger.db").read_bytes()
    sessions.forget(AT + DAY)
    assert (state / "ledger.db").read_bytes() == before


def test_a_clock_that_was_set_back_shortens_no_session(sessions: Sessions, key: SessionKey) -> None:
    sessions.touch(key, AT + 10 * DAY)
    sessions.touch(key, AT)
    assert sessions.turns(key, AT + 39 * DAY) == ()


def test_of_long_texts_the_beginning_is_kept(sessions: Sessions, key: SessionKey) -> None:
    sessions.add(key, turn("x" * (MAX_BODY + 1), "\ud800 half a pair"), AT)
    (kept,) = sessions.turns(key, AT)
    assert kept.words is not None
    assert MAX_BODY < len(kept.words) < MAX_BODY + 50
    assert kept.answer == "? half a pair"


def test_the_newest_turns_are_given_out(sessions: Sessions, key: SessionKey) -> None:
    for _ in range(MAX_TURNS + 5):
        sessions.add(key, turn(), AT)
    numbers = [one.number for one in sessions.turns(key, AT)]
    assert numbers == list(range(5, MAX_TURNS + 6))  # one more than go along, so that others know of more


def test_names_that_are_no_text_are_kept(sessions: Sessions, key: SessionKey) -> None:
    sessions.add(key, turn(forms=("a\udcff.txt", "b.txt")), AT)
    assert sessions.turns(key, AT)[0].forms == ("a\udcff.txt", "b.txt")


def test_the_way_to_a_label_is_found_by_its_trace(ledger: Ledger) -> None:
    labels = ledger.answer_labels
    first = AnswerLabel("01" * 16, 0, "restricted", FROM)
    second = AnswerLabel("02" * 16, 1, "local", (Link(name="rule `x`", reason="local_only"),))
    labels.keep(first)
    labels.keep(second)
    assert labels.of([second.trace_id, "03" * 16, first.trace_id]) == (second, first)


# -------------------------------------------------------------------------------------------------- several processes

BEGIN = """
from smista_mcp.ledger.sessions import NewTurn, SessionKey
sessions = Ledger.open(Path(sys.argv[1]), busy_s=30).sessions
key = SessionKey(sys.argv[2], "pipe x", "77" * 32)
print("ready", flush=True)
sys.stdin.readline()
"""
ADD = 'NewTurn("ab" * 32, None, 0, "m", "words", f"{sys.argv[3]}-{n}" * 500, "local", (), ("a.py",))'


def test_processes_that_add_at_once_lose_no_turn(state: Path, key: SessionKey, child: Child) -> None:
    program = f"{BEGIN}\nfor n in range(12):\n    sessions.add(key, {ADD}, AT)\n"
    children = [child(program, str(state), key.session_id, str(number)) for number in range(3)]
    for one in children:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in children:
        one.communicate("go\n")
    assert [one.returncode for one in children] == [0, 0, 0]
    turns = Ledger.open(state).sessions.turns(key, AT)
    assert [one.number for one in turns] == list(range(1, 37))
    assert len({one.answer for one in turns}) == 36


def test_a_process_that_is_killed_leaves_whole_turns(state: Path, key: SessionKey, child: Child) -> None:
    program = f"{BEGIN}\nfor n in range(10**6):\n    sessions.add(key, {ADD}, AT)\n    print(n, flush=True)\n"
    one = child(program, str(state), key.session_id, "k")
    assert one.stdin is not None
    assert one.stdout is not None
    one.stdin.write("go\n")
    one.stdin.flush()
    lines = [one.stdout.readline() for _ in range(6)]  # ready, and five turns
    one.kill()
    told = [*lines[1:], *one.stdout]
    turns = Ledger.open(state).sessions.turns(key, AT)
    assert [turn.number for turn in turns] == list(range(1, len(turns) + 1))
    assert len(turns) in (len(told), len(told) + 1)
    assert all(turn.answer == f"k-{turn.number - 1}" * 500 for turn in turns)
