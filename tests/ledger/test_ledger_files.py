import os
import sqlite3
import stat
import tempfile
from collections.abc import Callable, Generator
from pathlib import Path

import pytest

from smista_mcp.core.decision import Decision
from smista_mcp.errors import StateUnavailable
from smista_mcp.ledger import Ledger, RouteRecord, installation_key, prepare_folder
from smista_mcp.ledger.database import connected
from smista_mcp.ledger.writer import Writer

NOBODY = 65534
DecisionOf = Callable[..., Decision]
RecordOf = Callable[..., RouteRecord]


def _mode(path: Path) -> int:
    return stat.S_IMODE(path.lstat().st_mode)


@pytest.fixture
def umask(state: Path, request: pytest.FixtureRequest) -> Generator[None]:
    """Another umask from after the folder of the test was made until its end."""
    assert state.parents[1].exists()
    before = os.umask(request.param)
    yield
    os.umask(before)


@pytest.fixture
def unprivileged() -> Generator[Path]:
    """A folder of a user whom file modes bind, and that user's rights."""
    with tempfile.TemporaryDirectory() as name:
        root = os.geteuid() == 0
        if root:
            os.chown(name, NOBODY, NOBODY)
            os.seteuid(NOBODY)
        try:
            yield Path(name)
        finally:
            Path(name).chmod(0o700)
            if root:
                os.seteuid(0)


@pytest.mark.parametrize("umask", [0, 0o022, 0o777], indirect=True)
@pytest.mark.usefixtures("umask")
def test_the_owner_and_nobody_else_can_read_what_is_kept(state: Path, record_of: RecordOf) -> None:
    ledger = Ledger.open(state)
    ledger.installation_key()
    ledger.record_route(record_of())
    assert _mode(state) == _mode(state.parent) == 0o700
    assert {file.name: _mode(file) for file in state.iterdir()} == {
        "ledger.db": 0o600,
        "ledger.db-journal": 0o600,  # emptied when a transaction ends
        "key": 0o600,
    }
    assert not any((state / "ledger.db-journal").read_bytes()[:28])  # without a head it is played back by nobody


def test_a_folder_and_files_that_others_can_read_are_closed_to_them(state: Path) -> None:
    ledger = Ledger.open(state)
    key = ledger.installation_key()
    for path in (state, state / "ledger.db", state / "key"):
        path.chmod(0o755)
    assert Ledger.open(state).installation_key() == key
    assert (_mode(state), _mode(state / "ledger.db"), _mode(state / "key")) == (0o700, 0o600, 0o600)


@pytest.mark.parametrize("name", ["ledger.db", "key"])
def test_a_linked_file_is_refused_and_its_target_is_left_alone(state: Path, tmp_path: Path, name: str) -> None:
    target = tmp_path / "precious"
    target.write_bytes(b"p" * 32)
    target.chmod(0o644)
    prepare_folder(state)
    (state / name).symlink_to(target)
    with pytest.raises(StateUnavailable):
        Ledger.open(state).installation_key()
    assert (target.read_bytes(), _mode(target)) == (b"p" * 32, 0o644)


@pytest.mark.parametrize("name", ["ledger.db", "key"])
def test_a_link_to_nothing_is_refused_and_makes_nothing(state: Path, tmp_path: Path, name: str) -> None:
    prepare_folder(state)
    (state / name).symlink_to(tmp_path / "nothing")
    with pytest.raises(StateUnavailable):
        Ledger.open(state).installation_key()
    assert not (tmp_path / "nothing").exists()


def test_a_linked_folder_is_refused(state: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir(mode=0o755)
    state.parent.mkdir()
    state.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StateUnavailable):
        Ledger.open(state)
    assert list((tmp_path / "elsewhere").iterdir()) == []


def test_a_folder_of_another_user_is_refused(state: Path) -> None:
    foreign = Path("/")  # belongs to root everywhere
    if os.geteuid() == 0:
        foreign = state
        prepare_folder(foreign)
        os.chown(foreign, NOBODY, NOBODY)
    with pytest.raises(StateUnavailable):
        Ledger.open(foreign)
    assert not (foreign / "ledger.db").exists()


def test_a_file_in_the_place_of_the_folder_is_reported(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", encoding="utf-8")
    for state in (tmp_path / "home", tmp_path / "home" / "state"):
        with pytest.raises(StateUnavailable) as refused:
            Ledger.open(state)
        assert refused.value.fix


def test_a_folder_in_the_place_of_the_ledger_is_reported(state: Path) -> None:
    prepare_folder(state)
    (state / "ledger.db").mkdir()
    with pytest.raises(StateUnavailable):
        Ledger.open(state)


def test_a_home_that_cannot_be_written_is_reported(unprivileged: Path) -> None:
    unprivileged.chmod(0o500)
    with pytest.raises(StateUnavailable) as refused:
        Ledger.open(unprivileged / "state")
    assert "SMISTA_HOME" in refused.value.fix


def test_a_ledger_that_cannot_be_written_can_still_be_read(unprivileged: Path, record_of: RecordOf) -> None:
    ledger = Ledger.open(unprivileged)
    ledger.record_route(record_of())
    (unprivileged / "ledger.db").chmod(0o400)
    unprivileged.chmod(0o500)
    with pytest.raises(StateUnavailable):
        ledger.record_route(record_of())
    assert len(Ledger.open(unprivileged).recent(10)) == 1


@pytest.mark.parametrize("content", [b"not a database at all, but long enough to have a header" * 9, b"\0" * 4096])
def test_a_file_that_is_no_database_is_reported_and_left_alone(state: Path, content: bytes) -> None:
    prepare_folder(state)
    (state / "ledger.db").write_bytes(content)
    with pytest.raises(StateUnavailable) as refused:
        Ledger.open(state)
    assert "move it away" in refused.value.fix
    assert (state / "ledger.db").read_bytes() == content


def test_a_database_of_another_program_is_reported_and_left_alone(state: Path) -> None:
    prepare_folder(state)
    for version in (0, 1):
        other = sqlite3.connect(state / "ledger.db")
        other.execute(f"CREATE TABLE t{version} (x)")
        other.execute(f"PRAGMA user_version = {version}")
        other.close()
        before = (state / "ledger.db").read_bytes()
        with pytest.raises(StateUnavailable):
            Ledger.open(state).recent(1)
        assert (state / "ledger.db").read_bytes() == before


def test_a_damaged_ledger_is_reported_and_left_alone(state: Path, record_of: RecordOf, decision_of: DecisionOf) -> None:
    ledger = Ledger.open(state)
    ledger.record_route(record_of(*(decision_of(f"{number:064x}") for number in range(40))))
    file = state / "ledger.db"
    whole = file.read_bytes()
    pages = [whole[start : start + 4096] for start in range(0, len(whole), 4096)]
    damaged = b"".join([pages[0], *(b"\xff" * 4096 for _ in pages[1:])])
    file.write_bytes(damaged)
    with pytest.raises(StateUnavailable) as refused:
        ledger.recent(40)
    assert "move it away" in refused.value.fix
    with pytest.raises(StateUnavailable):
        ledger.record_route(record_of())
    assert file.read_bytes() == damaged


def test_a_ledger_that_was_moved_away_is_begun_anew(state: Path, ledger: Ledger, record_of: RecordOf) -> None:
    ledger.record_route(record_of())
    (state / "ledger.db").rename(state / "old.db")
    assert ledger.recent(10) == ()
    ledger.record_route(record_of())
    assert len(ledger.recent(10)) == 1


def test_a_ledger_of_a_newer_version_is_refused_and_left_alone(state: Path, record_of: RecordOf) -> None:
    ledger = Ledger.open(state)
    ledger.record_route(record_of())
    newer = sqlite3.connect(state / "ledger.db")
    newer.execute("PRAGMA user_version = 99")
    newer.close()
    before = (state / "ledger.db").read_bytes()
    for use in (lambda: Ledger.open(state), lambda: ledger.record_route(record_of()), ledger.last):
        with pytest.raises(StateUnavailable) as refused:
            use()
        assert "update" in refused.value.fix
    assert (state / "ledger.db").read_bytes() == before


def test_a_ledger_that_stays_locked_is_reported_and_works_again_after_it(state: Path, record_of: RecordOf) -> None:
    ledger = Ledger.open(state, busy_s=0.05)
    holder = sqlite3.connect(state / "ledger.db", isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    with pytest.raises(StateUnavailable):
        ledger.record_route(record_of())
    assert ledger.recent(1) == ()
    holder.execute("COMMIT")
    holder.close()
    ledger.record_route(record_of())
    assert len(ledger.recent(10)) == 1


def test_a_ledger_that_another_program_keeps_in_another_mode_is_reported(state: Path) -> None:
    Ledger.open(state)
    other = sqlite3.connect(state / "ledger.db")
    other.execute("PRAGMA journal_mode = WAL")
    other.execute("SELECT count(*) FROM decision").fetchall()
    with pytest.raises(StateUnavailable):
        Ledger.open(state, busy_s=0.05)
    other.close()
    assert Ledger.open(state).recent(1) == ()


def test_commits_survive_a_power_cut(state: Path) -> None:
    with connected(state, 1.0) as db, Writer(state, 1.0).transaction() as writing:
        for connection, journal in ((db, "delete"), (writing, "persist")):
            settings = [connection.execute(f"PRAGMA {name}").fetchone()[0] for name in ("journal_mode", "synchronous")]
            assert settings == [journal, 3]
            assert connection.execute("PRAGMA foreign_keys").fetchone() == (1,)


def test_what_is_no_failure_of_the_file_is_not_reported_as_one(state: Path) -> None:
    with pytest.raises(sqlite3.IntegrityError), connected(state, 1.0) as db:
        db.execute("INSERT INTO trace (trace_id, decision_id, decision, at) VALUES ('a', 'b', 7, 'c')")


def test_a_failure_of_a_rare_kind_is_reported_by_its_name(state: Path) -> None:
    def interrupt(db: sqlite3.Connection) -> None:
        db.set_progress_handler(lambda: 1, 1)
        db.execute("SELECT count(*) FROM decision")

    with pytest.raises(StateUnavailable) as refused, connected(state, 1.0) as db:
        interrupt(db)
    assert "SQLITE_INTERRUPT" in refused.value.message


def test_the_key_stays_and_differs_between_installations(tmp_path: Path) -> None:
    one = installation_key(tmp_path / "one")
    assert len(one) == 32
    assert installation_key(tmp_path / "one") == Ledger.open(tmp_path / "one").installation_key() == one
    assert installation_key(tmp_path / "two") != one
    assert [file.name for file in (tmp_path / "two").iterdir()] == ["key"]


@pytest.mark.parametrize("content", [b"", b"k" * 31, b"k" * 33])
def test_a_key_of_the_wrong_size_is_refused_and_left_alone(state: Path, content: bytes) -> None:
    prepare_folder(state)
    (state / "key").write_bytes(content)
    with pytest.raises(StateUnavailable):
        installation_key(state)
    assert (state / "key").read_bytes() == content


def test_a_key_does_not_need_a_readable_ledger(state: Path) -> None:
    prepare_folder(state)
    (state / "ledger.db").write_bytes(b"not a database" * 99)
    assert installation_key(state) == installation_key(state)


def test_a_failed_use_never_tells_more_than_the_path(state: Path) -> None:
    prepare_folder(state)
    (state / "ledger.db").write_bytes(b"SECRET-VALUE" * 99)
    with pytest.raises(StateUnavailable) as refused:
        Ledger.open(state)
    assert str(state / "ledger.db") in refused.value.message
    assert "SECRET" not in str(refused.value)
