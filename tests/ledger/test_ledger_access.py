"""Tokens: made once, kept as hashes, over when they are over, and known to every process at once."""

import sqlite3
import stat
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

import smista_mcp
from smista_mcp.core.redaction import redacted
from smista_mcp.core.secretscan import scan
from smista_mcp.errors import Code, InvalidTask, NotFound, StateUnavailable
from smista_mcp.ledger.access import MAX_DAYS, SCOPES, AccessToken, Keyring, TokenBook, digest_of, holds_one, is_shaped

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)
DAY = timedelta(days=1)


@pytest.fixture
def book(tmp_path: Path) -> TokenBook:
    return TokenBook(tmp_path / "state")


def keyring(book: TokenBook, now: datetime = NOW) -> Keyring:
    return Keyring(book, lambda: now)


def found(book: TokenBook, secret: str, now: datetime = NOW) -> AccessToken | None:
    return keyring(book, now).find(secret)


@pytest.mark.parametrize("scope", SCOPES)
def test_a_token_is_known_again_by_its_hash_alone(book: TokenBook, tmp_path: Path, scope: str) -> None:
    secret, made = book.create("alice", scope, NOW)
    assert (made.name, made.scope, made.digest) == ("alice", scope, digest_of(secret))
    assert found(book, secret) == made
    assert found(book, made.digest) is None
    assert [file for file in tmp_path.rglob("*") if file.is_file() and secret[10:].encode() in file.read_bytes()] == []


def test_only_its_owner_may_read_the_file(book: TokenBook, tmp_path: Path) -> None:
    book.create("alice", "dispatch", NOW)
    assert stat.S_IMODE((tmp_path / "state/tokens.db").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


@given(cut=st.integers(0, 52), put=st.characters(codec="ascii"))
def test_what_differs_in_one_place_is_another_token(once: tuple[TokenBook, str], cut: int, put: str) -> None:
    book, secret = once
    changed = f"{secret[:cut]}{put}{secret[cut + 1 :]}"
    assert (found(book, changed) is not None) == (changed == secret)


@pytest.fixture(scope="module")
def once(tmp_path_factory: pytest.TempPathFactory) -> tuple[TokenBook, str]:
    book = TokenBook(tmp_path_factory.mktemp("once"))
    return book, book.create("alice", "route", NOW)[0]


@pytest.mark.parametrize(
    ("days", "after", "good"), [(1, 0.99, True), (1, 1, False), (90, 89, True), (None, 9999, True)]
)
def test_a_token_holds_until_its_end(book: TokenBook, days: int | None, after: float, *, good: bool) -> None:
    secret, made = book.create("alice", "route", NOW, days)
    assert (found(book, secret, NOW + after * DAY) is not None) == good
    assert made.state(NOW + after * DAY) == ("active" if good else "expired")


def test_a_revoked_token_opens_nothing_and_its_name_is_free(book: TokenBook) -> None:
    secret, first = book.create("alice", "dispatch", NOW)
    ring = keyring(book)
    assert ring.find(secret) == first
    assert book.revoke("alice", NOW) == 1
    assert ring.find(secret) is None
    assert ring.active(ring.known()) == frozenset()
    again, second = book.create("alice", "route", NOW)
    assert ring.find(again) == second
    assert second.token_id != first.token_id
    assert [one.state(NOW) for one in book.all()] == ["revoked", "active"]


@pytest.mark.parametrize("name", ["", " ", "a b", "-x", ".x", "a/b", "ä", "a" * 65, "token:a", "a\n"])
def test_a_name_is_a_word(book: TokenBook, name: str) -> None:
    with pytest.raises(InvalidTask):
        book.create(name, "route", NOW)
    assert book.all() == ()


@pytest.mark.parametrize(
    ("scope", "days"), [("admin", 1), ("", 1), ("route", 0), ("route", -1), ("route", MAX_DAYS + 1)]
)
def test_scope_and_days_are_checked(book: TokenBook, scope: str, days: int) -> None:
    with pytest.raises(InvalidTask):
        book.create("alice", scope, NOW, days)


def test_a_name_has_one_token_that_holds(book: TokenBook) -> None:
    book.create("alice", "route", NOW, 1)
    with pytest.raises(InvalidTask):
        book.create("alice", "route", NOW)
    book.create("alice", "route", NOW + DAY)  # the first is over


def test_who_is_not_there_cannot_be_revoked(book: TokenBook) -> None:
    with pytest.raises(NotFound):
        book.revoke("alice", NOW)


def test_no_token_is_made_by_looking(book: TokenBook, tmp_path: Path) -> None:
    assert (book.all(), keyring(book).known(), keyring(book).any_active()) == ((), (), False)
    assert not (tmp_path / "state").exists()


def test_where_tokens_cannot_be_read_nobody_comes_in(book: TokenBook, tmp_path: Path) -> None:
    secret, made = book.create("alice", "route", NOW)
    ring = Keyring(book, lambda: datetime.now(UTC) + DAY)
    assert ring.find(secret) == made
    (tmp_path / "state/tokens.db").write_bytes(b"no database at all")
    with pytest.raises(StateUnavailable):
        ring.find(secret)
    assert ring.unchanged() is None
    (tmp_path / "state/tokens.db").unlink()
    assert ring.find(secret) is None


def test_who_writes_holds_up_nobody_who_looks(book: TokenBook, tmp_path: Path) -> None:
    secret, made = book.create("alice", "route", NOW)
    with sqlite3.connect(tmp_path / "state/tokens.db", isolation_level=None) as db:
        db.execute("BEGIN IMMEDIATE")
        assert found(book, secret) == made
        db.execute("ROLLBACK")
    db.close()


def test_a_file_of_a_later_version_is_left_alone(book: TokenBook, tmp_path: Path) -> None:
    book.create("alice", "route", NOW)
    with sqlite3.connect(tmp_path / "state/tokens.db") as db:
        db.execute("PRAGMA user_version = 9")
    db.close()
    with pytest.raises(StateUnavailable) as caught:
        book.all()
    assert caught.value.code is Code.PROVIDER_UNAVAILABLE


def test_of_processes_that_make_the_same_token_one_succeeds(book: TokenBook, tmp_path: Path) -> None:
    program = (
        "import sys; from pathlib import Path; from datetime import UTC, datetime\n"
        "from smista_mcp.ledger.access import TokenBook\n"
        "TokenBook(Path(sys.argv[1])).create('alice', 'route', datetime.now(UTC))\n"
    )
    environment = {"PYTHONPATH": str(Path(smista_mcp.__file__).parents[1])}
    command = [sys.executable, "-c", program, str(tmp_path / "state")]
    racing = [subprocess.Popen(command, env=environment, stderr=subprocess.DEVNULL) for _ in range(3)]
    assert sorted(one.wait(30) for one in racing) == [0, 1, 1]
    assert len(book.all()) == 1


def test_a_token_is_taken_for_a_secret_wherever_it_stands(book: TokenBook) -> None:
    secret, _ = book.create("alice", "route", NOW)
    assert [hit.kind for hit in scan(f"see {secret} there")] == ["smista_token"]
    assert secret not in redacted(f"bad token {secret}!")
    assert (is_shaped(secret), is_shaped(secret + "x"), holds_one(f"?t={secret}")) == (True, False, True)
