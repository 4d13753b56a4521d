"""A recorded decision is made again from the record alone; an input that is another one is named, and no other."""

import os
import sqlite3
import subprocess
import sys
from collections.abc import Callable, Sequence
from contextlib import closing
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from distributions import install
from workbench import ALLOWED, Bench, default

from smista_mcp import hosts
from smista_mcp.app import App, replaying, world
from smista_mcp.app.caller import Badge, Caller
from smista_mcp.app.preparing import prepare
from smista_mcp.core import snapshot
from smista_mcp.core.decision import Decision
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.replayed import ALTERED, FileChange, ReplayAnswer, ReplayedPhase
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent, Locality, Status
from smista_mcp.errors import Code, NotFound
from smista_mcp.ledger import AttemptStart, NewTrace
from smista_mcp.ledger.sessions import NewTurn
from smista_mcp.loading.catalog_data import read_extract

ROOT = Path(__file__).parents[2]
KEYS = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
BUDGETS = """
[[budgets]]
scope = "all"
period = "day"
limit = "9.00"

[[budgets]]
scope = "token:ann"
period = "day"
limit = "3.00"
"""
RULES = """
[[routing.rules]]
name = "auth stays"
intent = "review"
paths = ["src/auth/**"]
local_only = true
model = "ollama/qwen"

[[routing.rules]]
name = "cheap"
intent = "commit"
cost_limit = "0.000001"
model = "anthropic/claude-haiku"

[[routing.rules]]
name = "hard"
min_context_tokens = 400
escalate = { on = ["empty_completion"], to = "openai/gpt-sol" }
model = "anthropic/claude-sonnet"
effort = "high"
"""
POLICY = RULES + BUDGETS + ALLOWED + default("anthropic/claude-sonnet", "openai/gpt-luna")
DIFF = "--- a/src/api.py\n+++ b/src/api.py\n@@ -1 +1 @@\n-x = 1\n+x = 2\n"
READ = Task(text="explain it", paths=("src/api.py",))
CALLS = (
    READ,
    Task(text="review src/auth/login.py and then write its documentation"),
    Task(text="explain it", paths=(".env",)),
    Task(text="explain .env, then shorten your answer, then plan a rewrite of it"),
    Task(text="fix src/api.py, don't touch .env"),
    Task(text="explain src/api.py:1-1"),
    Task(text="improve it", paths=("src/big.py",)),
    Task(text="plan it", model="openai/gpt-sol"),
    Task(text="plan it", model="nobody/knows"),
    Task(text="write the commit message", diff=DIFF),
    Task(text="write the commit message"),
    Task(text="review my changes"),
    Task(text="review the changes, [Image #1] shows why"),
    Task(text="what does [Image #1] show?"),
    Task(text="sum it up", attachments=(Attachment(path="a.png", content="words"),)),
    Task(text="sum it up", attachments=(Attachment(path="secrets/a.md", content="words"),)),
    Task(text="improve the login"),
    Task(text=f"explain why {TOKEN} is refused"),
    Task(text="improve it", paths=("src/keyed.py",)),
    Task(text="improve it", paths=("src",)),
    Task(text="explain it", paths=("src/caf\u00e9.py", "src/nonesuch.py")),
    Task(text="Baue ein Programm, das Zahlen sortiert"),
)


@pytest.fixture(autouse=True)
def files(bench: Bench) -> None:
    for file in ("src/auth/login.py", "src/api.py", ".env", "src/caf\u00e9.py"):
        bench.write(file, "x = 1\ny = 2\n")
    bench.write("src/big.py", "value = compute(1)\n" * 200)
    bench.write("src/keyed.py", f"TOKEN = '{TOKEN}'\n")


def git(bench: Bench) -> None:
    start = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(bench.workspace)]
    for command in (["init", "-q"], ["add", "-A", "-f"], ["commit", "-qm", "start"]):
        subprocess.run([*start, *command], check=True)


def bare(bench: Bench) -> App:
    """The product of somebody who has another policy, no keys and no workspace."""
    return bench.app(default("ollama/none"))


def names(changes: Sequence[Any]) -> list[str]:
    return [change.name for change in changes]


def replayed(app: App, decision: Decision) -> ReplayedPhase:
    (phase,) = app.replay(decision.decision_id).phases
    return phase


@pytest.mark.parametrize("task", CALLS, ids=range(len(CALLS)))
@pytest.mark.parametrize("mode", ["allow", "ask"])
def test_it_comes_out_the_same_though_everything_around_it_has_changed(mode: str, task: Task, bench: Bench) -> None:
    if "changes" in task.text or task.paths == (".env",):
        git(bench)
    decisions = bench.app(POLICY.replace('"allow"', f'"{mode}"'), **KEYS).route(task).decisions
    for file in ("src/api.py", ".env"):
        bench.write(file, "z = 3\n")
    answer = bare(bench).replay()
    assert answer.same
    assert [phase.changed for phase in answer.phases] == [()] * len(decisions)
    assert all((phase.fields, phase.sealed) == ((), ("phase", "task")) for phase in answer.phases)
    assert [phase.replayed_id for phase in answer.phases] == [one.decision_id for one in decisions]
    assert all("policy" in names(phase.since) for phase in answer.phases)


def test_every_phase_of_a_call_can_be_asked_for_by_itself(bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    decisions = app.route(Task(text="Explain .env, then plan a rewrite of src/api.py, then write a README")).decisions
    assert any("before" in one.inputs for one in decisions)
    for decision in decisions:
        assert replayed(app, decision) == ReplayedPhase(
            decision_id=decision.decision_id,
            phase=decision.phase,
            same=True,
            replayed_id=decision.decision_id,
            sealed=("phase", "task"),
        )


def test_so_it_is_of_a_call_that_goes_on_with_a_session(bench: Bench) -> None:
    app, caller = bench.app(POLICY, **KEYS), Caller("codex")
    sessions, now = app.world.open_ledger().sessions, datetime.now(UTC)
    key = sessions.begin(caller.owner, app.world.workspace_digest(), now)
    turn = NewTurn("ab" * 32, None, 0, "ollama/m", "explain .env", "it is", "restricted", (), (".env",))
    sessions.add(key, turn, now)
    (decision,) = app.route(Task(text="now shorten that", session=key.session_id), caller).decisions
    assert "session" in decision.inputs
    assert replayed(app, decision).same


def test_so_it_is_of_one_that_a_person_has_approved(bench: Bench) -> None:
    app = bench.app(POLICY.replace('"allow"', '"ask"'), **KEYS)
    asked = prepare(app.world, READ, Caller()).asked
    assert asked is not None
    book, now = app.world.open_ledger().approvals, datetime.now(UTC)
    workspace = app.world.workspace_digest()
    book.grant(book.request(asked.key, asked.request, workspace=workspace, host="x", now=now), "terminal", now)
    (decision,) = app.route(READ).decisions
    assert (decision.status, "approvals" in decision.inputs) == (Status.ROUTED, True)
    assert replayed(bare(bench), decision).same
    dropped(bench, "approvals")
    without = replayed(app, decision)
    assert (without.same, names(without.changed), without.changed[0].new) == (False, ["approvals"], None)


@pytest.mark.parametrize("caller", [Caller("claude-code"), Caller("codex-mcp-client", over_http=True)])
def test_so_it_is_of_every_host_and_token(caller: Caller, bench: Bench) -> None:
    badge = Badge("0011", "ann", "dispatch") if caller.over_http else None
    policy = POLICY + '[hosts.codex]\nlocality = "local"\n[routing]\nhandoff = "when_unavailable"\n'
    app = bench.app(policy.replace("anthropic/claude-sonnet", "host/current"), **KEYS)
    (decision,) = app.route(READ, caller._replace(badge=badge)).decisions
    phase = app.replay(decision.decision_id, anywhere=True).phases[0]
    assert (phase.same, phase.since) == (True, ())


def test_so_it_is_where_a_file_that_nobody_has_confirmed_narrows_and_our_state_lies_in_the_workspace(
    bench: Bench,
) -> None:
    inner = Bench(bench.workspace / "own", bench.workspace)
    inner.home.mkdir()
    bench.write(".smista/config.toml", '[models]\ndenied = ["ollama/*"]\n')
    bench.write_policy(default("ollama/qwen", "openai/gpt-luna") + ALLOWED)
    app = bench.app(**KEYS)
    for path in ("src/api.py", "own/state/key"):
        (decision,) = app.route(Task(text="explain it", paths=(path,))).decisions
        (bench.workspace / ".smista/config.toml").write_text("", encoding="utf-8")
        assert replayed(app, decision).same


# ------------------------------------------------------------------------------------- an input that is another one


def dropped(bench: Bench, name: str) -> None:
    """As in a record of a version that did not keep this input."""
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db, db:
        db.execute("DROP TRIGGER IF EXISTS input_remains")
        assert db.execute("DELETE FROM input WHERE name = ?", (name,)).rowcount


def another_policy(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> App:
    del monkeypatch
    return bench.app(POLICY.replace('effort = "high"', 'effort = "low"'), **KEYS)


def another_price(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> App:
    extract = {**read_extract(), "version": "9.9.9"}
    for module in (replaying, world):
        monkeypatch.setattr(module, "read_extract", lambda: extract)
    return bench.app(POLICY, **KEYS)


def another_key(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> App:
    del monkeypatch
    return bench.app(POLICY, OPENAI_API_KEY="k")


def another_row(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> App:
    rows = [row._replace(switch="none", models={}, further_models=()) for row in hosts.HOSTS]
    monkeypatch.setattr(hosts, "HOSTS", tuple(rows))
    return bench.app(POLICY, **KEYS)


def less_left(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> App:
    del monkeypatch
    app, now = bench.app(POLICY, **KEYS), datetime.now(UTC)
    receipt = Receipt(body_bytes=1, body_sha256="00" * 32)
    start = AttemptStart(
        *(0, Intent.EDIT, "openai/gpt-luna", "openai", Locality.REMOTE, now, receipt), reserved=Decimal("0.25")
    )
    ledger = app.world.open_ledger()
    ledger.write(ledger.attempt(NewTrace("cd" * 16, "ab" * 32, now), start, ()))
    return app


def another_version(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> App:
    for module in (replaying, world):
        monkeypatch.setattr(module, "__version__", "9.9.9")
    return bench.app(POLICY, **KEYS)


def another_scan(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> App:
    monkeypatch.setattr(snapshot, "rules_digest", lambda: "ab" * 16)
    return bench.app(POLICY, **KEYS)


CHANGES: dict[str, Callable[[Bench, pytest.MonkeyPatch], App]] = {
    "policy": another_policy,
    "catalog": another_price,
    "availability": another_key,
    "host": another_row,
    "budgets": less_left,
    "version": another_version,
    "secret_rules": another_scan,
}
OF_THE_PROGRAM = {"version", "secret_rules", "catalog"}
"""What is not kept but belongs to the version of the program: it cannot be had as it was."""


@pytest.mark.parametrize("name", CHANGES)
def test_the_one_input_that_is_another_one_is_named(name: str, bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    (decision,) = bench.app(POLICY, **KEYS).route(READ, Caller("claude-code")).decisions
    app = CHANGES[name](bench, monkeypatch)
    (phase,) = app.replay(decision.decision_id, anywhere=True).phases
    (since,) = phase.since
    assert (since.name, since.old) == (name, decision.inputs[name])
    assert since.old != since.new
    assert name == "secret_rules" or (since.was, since.now) != (since.now, since.was)
    if name in OF_THE_PROGRAM:
        assert phase.changed == (since,)
    else:
        assert (phase.same, phase.changed) == (True, ())
        dropped(bench, name)
        (phase,) = app.replay(decision.decision_id, anywhere=True).phases
        assert [(one.name, one.old, one.new, one.was) for one in phase.changed] == [(name, since.old, since.new, "")]
    assert not phase.same
    assert phase.replayed_id != decision.decision_id


def test_where_nothing_of_a_decision_comes_out_otherwise_that_is_told(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    bench.app(POLICY, **KEYS).route(READ)
    (phase,) = another_version(bench, monkeypatch).replay().phases
    assert (phase.same, phase.fields) == (False, ())
    dropped(bench, "policy")
    other = bench.app(POLICY.replace("claude-sonnet", "claude-haiku"), **KEYS)
    assert {"model", "resolved_model", "cost"} <= set(other.replay().phases[0].fields)


def test_a_policy_that_the_command_names_stands_in_place_of_the_recorded_one(bench: Bench) -> None:
    bench.app(POLICY, **KEYS).route(READ)
    answer = bench.app(preset="quality", **KEYS).replay()
    assert (answer.same, names(answer.phases[0].changed)) == (False, ["policy"])
    assert "policies/quality.toml" in answer.phases[0].changed[0].now


def test_an_organisation_counts_as_one_of_its_own(bench: Bench, tmp_path: Path) -> None:
    file = tmp_path / "company.toml"
    file.write_text('[models]\ndenied = ["ollama/*"]\n', encoding="utf-8")
    file.chmod(0o644)
    (decision,) = bench.app(POLICY, SMISTA_ORG_POLICY=str(file), **KEYS).route(READ).decisions
    phase = replayed(bench.app(POLICY, **KEYS), decision)
    assert phase.same
    assert names(phase.since) == ["organisation", "policy"]


def test_a_plugin_of_another_version_is_named_and_asked(
    bench: Bench, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    site = tmp_path / "site"
    site.mkdir()
    monkeypatch.setattr(sys, "path", [str(site), *sys.path])
    monkeypatch.chdir(bench.workspace)
    body = "def select(asked):\n    return [one['model'] for one in asked['candidates']{0}]\n"
    install(site, {"picks_again.py": body.format("")}, name="picks_again")
    policy = POLICY + '[plugins]\nselect = "picks_again:select"\n'
    app = bench.app(policy, **KEYS)
    (decision,) = app.route(READ).decisions
    assert replayed(app, decision).same
    install(site, {"picks_again.py": body.format("[::-1]")}, name="picks_again", version="2")
    monkeypatch.delitem(sys.modules, "picks_again")
    phase = replayed(bench.app(policy, **KEYS), decision)
    assert (names(phase.changed), names(phase.since), "model" in phase.fields) == (["plugin"], ["plugin"], True)
    assert '"1.0"' in phase.changed[0].was
    monkeypatch.delitem(sys.modules, "picks_again")
    silent = replayed(bench.app(POLICY, **KEYS), decision)
    assert (names(silent.changed), "picks_again" in sys.modules) == (["plugin"], False)


def test_files_that_have_other_content_today_are_named(bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    app.route(Task(text="explain src/api.py:2-2 and src/big.py and src/auth/login.py"))
    bench.write("src/api.py", "x = 3\ny = 2\n")
    assert app.replay().phases[0].files == ()
    bench.write("src/api.py", "x = 3\ny = 4\n")
    (bench.workspace / "src/big.py").unlink()
    (phase,) = app.replay().phases
    assert phase.same
    assert {file.path.partition(":")[0]: file.state for file in phase.files} == {
        "src/api.py": "changed",
        "src/big.py": "gone",
    }
    assert bare_elsewhere(bench).replay(anywhere=True).phases[0].files == ()


def bare_elsewhere(bench: Bench) -> App:
    other = Bench(bench.home, bench.home.parent / "other")
    other.workspace.mkdir()
    return other.app()


def test_what_it_would_come_to_today_is_told(bench: Bench) -> None:
    bench.app(POLICY, **KEYS).route(READ)
    assert bench.app(**KEYS).replay().phases[0].today is None
    today = bench.app(default("anthropic/claude-haiku") + "[privacy.remote]\nmode = 'deny'\n", **KEYS)
    reached = today.replay().phases[0].today
    assert reached is not None
    assert (reached.status, reached.code) == (Status.REFUSED, Code.MODEL_NOT_ALLOWED)


def test_a_policy_that_cannot_be_used_today_hinders_nothing(bench: Bench) -> None:
    bench.app(POLICY, **KEYS).route(READ)
    answer = bench.app("[routing", **KEYS).replay()
    assert (answer.same, answer.phases[0].since) == (True, ())


def unguarded(db: sqlite3.Connection) -> None:
    """Takes away what keeps events from being changed, as whoever wants to lie would."""
    for (name,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'trigger'").fetchall():
        db.execute(f"DROP TRIGGER {name}")


def test_what_an_earlier_version_recorded_cannot_be_made_again(bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    app.route(READ)
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db, db:
        unguarded(db)
        db.execute("UPDATE decision SET facts = json_remove(facts, '$.spoken')")
    with pytest.raises(NotFound):
        app.replay()
    with pytest.raises(NotFound):
        bare(bench).replay("ab" * 16)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("policy", "replace(body, '9.00', '9999.00')"),
        ("budgets", "replace(body, '\"9', '\"99')"),
        ("host", "replace(body, 'unknown', 'codex')"),
        ("catalog", "replace(body, '2026', '2025')"),
    ],
)
def test_an_input_that_is_not_what_was_kept_is_named_and_counts_for_nothing(
    name: str, change: str, bench: Bench
) -> None:
    app = bench.app(POLICY, **KEYS)
    (decision,) = app.route(READ).decisions
    assert replayed(app, decision).same
    with closing(sqlite3.connect(bench.state / "ledger.db", isolation_level=None)) as db:
        (guard,) = db.execute("SELECT sql FROM sqlite_master WHERE name = 'input_stays'").fetchone()
        db.execute("DROP TRIGGER input_stays")
        changed = db.execute(f"UPDATE input SET body = {change} WHERE name = ? AND body != {change}", (name,))  # noqa: S608
        assert changed.rowcount == 1
        db.execute(guard)
    told = replayed(app, decision)
    assert not told.same
    assert [(one.name, one.old, one.was) for one in told.changed] == [(name, decision.inputs[name], ALTERED)]


@pytest.mark.parametrize(
    ("place", "value"),
    [("$.items[0].digest", "00" * 16), ("$.items[0].path", "src/other.py"), ("$.left_out[0].reason", "too large")],
)
def test_a_context_that_was_changed_does_not_pass(place: str, value: str, bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    (decision,) = app.route(Task(text="explain it", paths=("src/api.py", "src/nonesuch.py"))).decisions
    assert replayed(app, decision).same
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db, db:
        db.execute("DROP TRIGGER decision_stays")
        db.execute("UPDATE decision SET facts = json_set(facts, ?, ?)", (place, value))
    told = replayed(app, decision)
    assert (told.same, names(told.changed)) == (False, ["context"])


def test_a_record_that_was_changed_does_not_pass(bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    app.route(READ)
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db, db:
        unguarded(db)
        db.execute("UPDATE decision SET body = json_set(body, '$.model', 'ollama/other')")
    (phase,) = app.replay().phases
    assert (phase.same, phase.changed, phase.fields) == (False, (), ("model",))


def test_names_that_are_not_kept_are_told_of(bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    app.route(Task(text="explain it", paths=(f"src/{TOKEN}.py",)))
    answer = app.replay()
    assert (answer.same, answer.phases[0].sealed) == (True, ("context", "phase", "task"))


def test_each_input_is_kept_once(bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    for task in CALLS[:6]:
        app.route(task)
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db:
        rows = db.execute("SELECT name, count(*) FROM input GROUP BY name").fetchall()
    assert dict(rows) == dict.fromkeys(
        ("availability", "budgets", "catalog", "host", "policy", "version", "workspace"), 1
    )


def test_other_processes_decide_the_same_again() -> None:
    command = [sys.executable, str(ROOT / "scripts/replay_recorded.py"), "--decisions", "30"]
    environment = {**os.environ, "PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, env=environment, capture_output=True, text=True, encoding="utf-8", check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert " the same, 0 other" in done.stdout


def test_the_answer_is_plain_json(bench: Bench) -> None:
    app = bench.app(POLICY, **KEYS)
    app.route(READ)
    answer = bare(bench).replay()
    assert ReplayAnswer.model_validate_json(answer.model_dump_json()) == answer
    assert FileChange(path="a", state="gone") not in answer.phases[0].files
