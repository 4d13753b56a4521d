import sqlite3
from collections.abc import Callable
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from subprocess import Popen

from smista_mcp.core.decision import Decision
from smista_mcp.ledger import Ledger
from smista_mcp.ledger.living import Mark, is_alive

Child = Callable[..., Popen[str]]
BEGINNING = datetime(2026, 1, 1, tzinfo=UTC)


def _together(children: list[Popen[str]]) -> list[str]:
    """Lets children that are ready begin at one moment; returns what each of them printed."""
    for one in children:
        assert one.stdout is not None
        assert one.stdout.readline() == "ready\n"
    for one in children:
        assert one.stdin is not None
        one.stdin.write("go\n")
        one.stdin.flush()
    printed = [one.communicate()[0] for one in children]
    assert [one.returncode for one in children] == [0] * len(children)
    return printed


def test_of_processes_that_write_at_once_none_loses_a_row(state: Path, child: Child) -> None:
    program = """
number = int(sys.argv[2])
print("ready", flush=True)
sys.stdin.readline()
ledger = Ledger.open(Path(sys.argv[1]), busy_s=30)
for row in range(25):
    ledger.record_route(record(f"{number * 100 + row:064x}"))
"""
    _together([child(program, str(state), str(number)) for number in range(4)])
    recorded = [int(one.decision_id, 16) for one in Ledger.open(state).recent(1000)]
    assert sorted(recorded) == [number * 100 + row for number in range(4) for row in range(25)]


def test_of_processes_that_ask_first_exactly_one_makes_the_key(state: Path, child: Child) -> None:
    program = """
from smista_mcp.ledger import installation_key
print("ready", flush=True)
sys.stdin.readline()
print(installation_key(Path(sys.argv[1])).hex())
"""
    keys = _together([child(program, str(state)) for _ in range(4)])
    assert len(set(keys)) == 1
    assert [file.name for file in state.iterdir()] == ["key"]


def test_processes_that_reserve_at_once_never_overstep_a_budget(state: Path, child: Child) -> None:
    program = """
ledger = Ledger.open(Path(sys.argv[1]), busy_s=30)
trace_id = open_trace(ledger, "ab" * 32, AT)
receipt = Receipt(body_bytes=1, body_sha256="00" * 32)
start = AttemptStart(phase=0, intent=Intent.EDIT, model="m", provider="p", locality=Locality.REMOTE, started_at=AT,
                     receipt=receipt, reserved=Decimal("0.07"))
limit = SpendingLimit("all", AT, Decimal(1))
print("ready", flush=True)
sys.stdin.readline()
begun = 0
for _ in range(8):
    try:
        begin_attempt(ledger, trace_id, start, [limit])
        begun += 1
    except BudgetExceeded:
        pass
print(begun)
"""
    begun = _together([child(program, str(state)) for _ in range(4)])
    assert sum(map(int, begun)) == 14
    assert Ledger.open(state).spent("all", BEGINNING) == Decimal("0.98")


def test_a_killed_process_loses_nothing_that_it_acknowledged(state: Path, child: Child) -> None:
    program = """
ledger = Ledger.open(Path(sys.argv[1]))
number = int(sys.argv[2])
while True:
    ledger.record_route(record(f"{number:064x}"))
    print(number, flush=True)
    number += 1
"""
    acknowledged: list[int] = []
    for round_ in range(5):
        one = child(program, str(state), str(round_ * 10_000))
        assert one.stdout is not None
        acknowledged += [int(one.stdout.readline()) for _ in range(3 + round_)]
        one.kill()
        acknowledged += [int(line) for line in one.stdout.read().splitlines()]  # with what was read ahead
    found = {int(one.decision_id, 16) for one in Ledger.open(state).recent(100_000)}
    assert found >= set(acknowledged)
    assert len(found) <= len(acknowledged) + 5, "at most one row each was on the disk and not yet acknowledged"
    db = sqlite3.connect(state / "ledger.db")
    assert db.execute("PRAGMA integrity_check").fetchone() == ("ok",)
    db.close()


def test_a_full_disk_is_reported_and_leaves_nothing_half_written(state: Path, child: Child) -> None:
    program = """
state = Path(sys.argv[1])
ledger = Ledger.open(state)
ledger.record_route(record("a" * 64))
_, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
resource.setrlimit(resource.RLIMIT_FSIZE, ((state / "ledger.db").stat().st_size, hard))
large = ONE.model_copy(update={"decision_id": "b" * 64, "reason": "x" * 100_000})
small = ONE.model_copy(update={"decision_id": "c" * 64})
try:
    ledger.record_route(RouteRecord(decisions=(small, large), at=AT, text_digest="3c" * 32))
except StateUnavailable as error:
    print(bool(error.fix))
print([one.decision_id[0] for one in ledger.recent(9)])
resource.setrlimit(resource.RLIMIT_FSIZE, (hard, hard))
ledger.record_route(record("d" * 64))
"""
    one = child(program, str(state))
    printed, _ = one.communicate()
    assert one.returncode == 0
    assert printed.splitlines() == ["True", "['a']"]
    assert [one.decision_id[0] for one in Ledger.open(state).recent(9)] == ["d", "a"]


def test_a_disk_that_is_full_from_the_start_is_reported(state: Path, child: Child) -> None:
    program = """
from smista_mcp.ledger import installation_key
resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
for use in (Ledger.open, installation_key):
    try:
        use(Path(sys.argv[1]))
    except StateUnavailable as error:
        print(bool(error.fix))
"""
    printed, _ = child(program, str(state)).communicate()
    assert printed.splitlines() == ["True", "True"]
    assert [(file.name, file.stat().st_size) for file in state.iterdir()] == [("ledger.db", 0)]


def test_another_process_finds_a_decision_by_its_id(state: Path, child: Child) -> None:
    writer = child("Ledger.open(Path(sys.argv[1])).record_route(record('e' * 64))", str(state))
    writer.communicate()
    assert writer.returncode == 0
    found = Ledger.open(state).decision("eeeeeeee").decision
    assert isinstance(found, Decision)
    assert found.recorded


RUNNING = """
ledger = Ledger.open(Path(sys.argv[1]))
ledger.record_route(record("a" * 64))
receipt = Receipt(body_bytes=1, body_sha256="x")
start = AttemptStart(phase=0, intent=Intent.EDIT, model="m", provider="p", locality=Locality.REMOTE, started_at=AT,
                     receipt=receipt, reserved=Decimal("0.07"))
trace_id = open_trace(ledger, "a" * 64, AT)
begin_attempt(ledger, trace_id, start)
print(trace_id, flush=True)
sys.stdin.readline()
"""


def test_what_a_killed_process_left_running_is_uncertain_and_counts_in_full(state: Path, child: Child) -> None:
    one = child(RUNNING, str(state))
    assert one.stdout is not None
    trace_id = one.stdout.readline().strip()
    (alive,) = Ledger.open(state).trace(trace_id).attempts
    assert (alive.status, len(list((state / "running").iterdir()))) == ("running", 1)
    one.kill()
    one.wait()
    found = Ledger.open(state)
    (left,) = found.trace(trace_id).attempts
    assert (left.status, left.code, left.cost, left.ended_at) == ("uncertain", "cancelled", None, None)
    assert found.spent("all", BEGINNING) == Decimal("0.07")
    assert list((state / "running").iterdir()) == []


def test_what_runs_in_a_living_process_is_left_alone_whoever_opens_the_ledger(state: Path, child: Child) -> None:
    ones = [child(RUNNING, str(state)) for _ in range(2)]
    traces = [one.stdout.readline().strip() for one in ones if one.stdout is not None]
    ones[0].kill()
    ones[0].wait()
    for _ in range(3):
        found = [Ledger.open(state).trace(trace_id).attempts[0].status for trace_id in traces]
        assert found == ["uncertain", "running"]


def test_rows_of_a_version_that_had_no_owners_are_buried(state: Path, child: Child) -> None:
    one = child(RUNNING, str(state))
    assert one.stdout is not None
    trace_id = one.stdout.readline().strip()
    db = sqlite3.connect(state / "ledger.db")
    db.execute("DROP TRIGGER begun_stays")
    db.execute("UPDATE begun SET owner = NULL")
    db.execute("UPDATE hold SET owner = NULL")
    db.commit()
    db.close()
    assert Ledger.open(state).trace(trace_id).attempts[0].status == "uncertain"


def test_a_ledger_that_is_let_go_lets_its_mark_go(state: Path) -> None:
    mark = Mark(state)
    name = mark.name
    assert is_alive(state, name)
    del mark
    assert not is_alive(state, name)
