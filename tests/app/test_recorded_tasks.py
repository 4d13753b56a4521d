"""Recorded tasks judged again, and what a change of policy does to them."""

import hashlib
import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from workbench import ALLOWED, Bench, default

from smista_mcp.app import App
from smista_mcp.app.caller import Caller
from smista_mcp.app.whatif import Answer, Side, Tasks, of_ledger, side, what_if
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Layer
from smista_mcp.core.whatif import Kind, Outcome
from smista_mcp.ledger import Ledger, PhaseFacts

KEYS = {"ANTHROPIC_API_KEY": "k", "OPENAI_API_KEY": "k"}
RULES = """
[[routing.rules]]
name = "auth is reviewed with care"
intent = "review"
paths = ["src/auth/**"]
effort = "high"
model = "anthropic/claude-opus"
fallbacks = ["openai/gpt-terra"]

[[routing.rules]]
name = "crypto stays"
paths = ["src/crypto/**"]
local_only = true
model = "anthropic/claude-opus"

[[routing.rules]]
name = "large"
min_context_tokens = 2000
model = "openai/gpt-terra"

[[routing.rules]]
name = "releases"
skill = "release"
model = "openai/gpt-terra"

[[routing.rules]]
name = "cheap"
intent = "commit"
cost_limit = "0.000001"
model = "anthropic/claude-haiku"
"""
POLICY = RULES + ALLOWED + default("anthropic/claude-sonnet")
DIFF = """\
diff --git a/src/auth/login.py b/src/auth/login.py
--- a/src/auth/login.py
+++ b/src/auth/login.py
@@ -1 +1 @@
-x = 1
+x = 2
"""
TOKEN = "gh" + "p_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
CALLS = (
    Task(text="review the login", paths=("src/auth/login.py",)),
    Task(text="review src/auth/login.py and then write its documentation"),
    Task(text="explain it", paths=(".env",)),
    Task(text="fix it", paths=("src",)),
    Task(text="fix src/api.py, don't touch .env"),
    Task(text="rename it", paths=("src/crypto/keys.py",)),
    Task(text="improve it", paths=("src/big.py",)),
    Task(text="improve it", paths=("src/hard.py",)),
    Task(text="improve it", skill="release"),
    Task(text="plan it", model="openai/gpt-terra", effort=None),
    Task(text="plan it", model="nobody/knows"),
    Task(text="write the commit message", diff=DIFF),
    Task(text="review these changes", diff=DIFF),
    Task(text="sum it up", attachments=(Attachment(path="secrets/a.md", content="words"),)),
    Task(text="sum it up", attachments=(Attachment(path="notes.md", content="words " * 3000),)),
    Task.model_validate({"text": "improve it", "effort": "xhigh", "skill": "changelog"}),
    Task(text="explain why " + TOKEN + " is refused"),
    Task(text="improve it", paths=("src/keyed.py",)),
    Task(text="sum it up", attachments=(Attachment(path="notes.md", content="export TOKEN=" + TOKEN),)),
)


@pytest.fixture
def app(bench: Bench) -> App:
    for file in ("src/auth/login.py", "src/api.py", "src/crypto/keys.py", ".env", "lib/a.py", "lib/server.pem"):
        bench.write(file, "x = 1\n")
    bench.write("src/big.py", "value = compute(1)\n" * 2000)
    bench.write("src/keyed.py", f"TOKEN = '{TOKEN}'\n")
    skill = bench.home / ".claude/skills/changelog/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text("---\nname: changelog\nallowed-tools: Read\n---\nWrite it.\n", encoding="utf-8")
    (bench.workspace / "src/linked.py").symlink_to("crypto/keys.py")
    (bench.workspace / "src/hard.py").hardlink_to(_outside(bench))
    return bench.app(POLICY, **KEYS)


def _outside(bench: Bench) -> Path:
    file = bench.home / "outside.py"
    file.write_text("x = 1\n", encoding="utf-8")
    return file


def policy(bench: Bench, app: App, text: str, name: str) -> Side:
    file = bench.home / name
    file.write_text(text, encoding="utf-8")
    return side(app.world, str(file), Layer.USER)


def changed(bench: Bench, app: App, new: str, old: str = POLICY) -> Answer:
    return what_if(policy(bench, app, old, "old.toml"), policy(bench, app, new, "new.toml"), of_ledger(app.world))


def kinds(answer: Answer) -> list[tuple[Kind, int]]:
    return [(change.kind, change.count) for change in answer.comparison.changes]


@pytest.mark.parametrize("task", CALLS, ids=range(len(CALLS)))
def test_a_recorded_task_judged_again_under_its_own_policy_comes_out_as_it_did(
    task: Task, bench: Bench, app: App
) -> None:
    answer = app.route(task)
    (recorded,) = of_ledger(app.world).asked
    again = recorded.judge(policy(bench, app, POLICY, "same.toml"))
    assert [one.outcome for one in again] == [Outcome.of(decision) for decision in answer.decisions]
    assert [one.reason for one in again] == [decision.reason for decision in answer.decisions]


def test_the_same_policy_changes_nothing(bench: Bench, app: App) -> None:
    for task in CALLS:
        app.route(task)
    answer = changed(bench, app, POLICY)
    assert answer.comparison.changes == ()
    assert (answer.comparison.totals.tasks, answer.comparison.totals.changed) == (len(CALLS), 0)


def test_a_lifted_restriction_is_a_leak_and_a_new_one_a_refusal(bench: Bench, app: App) -> None:
    app.route(Task(text="explain it", paths=(".env",)))
    app.route(Task(text="fix it", paths=("src/api.py",)))
    freed = POLICY + '\n[privacy]\nrestricted_paths = ["src/api.py"]\n'
    assert kinds(changed(bench, app, freed.replace(ALLOWED, "") + "remote = { mode = 'allow' }\n")) == [
        (Kind.LEAK, 1),
        (Kind.REFUSAL, 1),
    ]


def test_a_file_of_a_directory_that_is_withheld_no_more_is_a_leak_though_the_model_stays(
    bench: Bench, app: App
) -> None:
    app.route(Task(text="fix it", paths=("lib/",)))
    answer = changed(bench, app, POLICY + '[privacy]\nrestricted_paths = [".env"]\n')
    (leak,) = answer.comparison.changes
    assert (leak.kind, leak.fields, leak.released) == (Kind.LEAK, ("withheld",), ("lib/server.pem",))


def test_a_restricted_file_that_only_lies_beside_is_nobodys_leak(bench: Bench, app: App) -> None:
    answered = app.route(Task(text="fix it", paths=("src/api.py",)))
    assert any(entry.path == ".env" for entry in answered.decisions[0].context.excluded)
    app.route(Task(text="fix src/api.py, don't touch .env"))
    assert changed(bench, app, POLICY + "[privacy]\nrestricted_paths = []\n").comparison.changes == ()


def test_context_that_only_helps_is_withheld_and_nothing_is_refused(bench: Bench, app: App) -> None:
    bench.write("docs/private.md", "be careful\n")
    (bench.workspace / "AGENTS.md").symlink_to("docs/private.md")
    app.route(Task(text="fix it", paths=("src/api.py",)))
    (change,) = changed(bench, app, POLICY + '[privacy]\nrestricted_paths = ["docs/private.md"]\n').comparison.changes
    assert (change.kind, change.fields) == (Kind.OTHER, ("cost", "withheld"))


def test_what_a_policy_says_of_a_host_holds_for_one_that_can_be_believed(bench: Bench, app: App) -> None:
    handing = '[routing]\nhandoff = "when_unavailable"\n' + default("openai/none") + '[models]\ndenied = ["openai/*"]\n'
    local = handing + '[hosts.claude-code]\nlocality = "local"\n'
    app.route(Task(text="plan it"), Caller("claude-code"))
    assert [(c.kind, c.fields) for c in changed(bench, app, handing, local).comparison.changes] == [
        (Kind.LEAK, ("reach",))
    ]
    app.route(Task(text="plan it"), Caller("claude-code", over_http=True))
    assert kinds(changed(bench, app, handing, local)) == [(Kind.LEAK, 1)]


def test_a_link_to_a_file_that_stays_is_judged_by_where_it_leads(bench: Bench, app: App) -> None:
    app.route(Task(text="fix it", paths=("src/linked.py",)))
    open_rules = POLICY.replace("local_only = true\n", "")
    assert kinds(changed(bench, app, open_rules)) == [(Kind.LEAK, 1)]


def test_a_remote_fallback_behind_a_local_model_is_a_leak(bench: Bench, app: App) -> None:
    app.route(Task(text="plan it"))
    old, new = default("ollama/tiny"), default("ollama/tiny", "openai/gpt-terra")
    answer = changed(bench, app, ALLOWED + new, ALLOWED + old)
    assert [(c.kind, c.fields) for c in answer.comparison.changes] == [(Kind.LEAK, ("fallbacks",))]
    assert changed(bench, app, ALLOWED + old, ALLOWED + new).comparison.totals.leaks == 0


def test_what_goes_without_being_asked_is_a_leak_and_what_is_asked_first_an_approval(bench: Bench, app: App) -> None:
    app.route(Task(text="plan it"))
    asking = POLICY.replace('"allow"', '"ask"')
    assert kinds(changed(bench, app, POLICY, asking)) == [(Kind.LEAK, 1)]
    assert kinds(changed(bench, app, asking, POLICY)) == [(Kind.APPROVAL, 1)]


def test_a_fallback_that_nobody_is_asked_about_any_more_is_a_leak(bench: Bench, app: App) -> None:
    app.route(Task(text="plan it"))
    free = ALLOWED + default("ollama/tiny", "openai/gpt-terra")
    asking = free.replace('"allow"', '"ask"')
    answer = changed(bench, app, free, asking)
    assert [(c.kind, c.fields) for c in answer.comparison.changes] == [(Kind.LEAK, ("reach",))]
    assert changed(bench, app, asking, free).comparison.totals.leaks == 0


def test_context_that_a_fallback_gets_now_is_a_leak(bench: Bench, app: App) -> None:
    bench.write("AGENTS.md", "be kind\n")
    app.route(Task(text="improve it", paths=("src/api.py",)))
    free = ALLOWED + default("ollama/tiny", "openai/gpt-terra") + "[privacy]\nrestricted_paths = []\n"
    answer = changed(bench, app, free, free.replace("= []\n", '= ["*.md"]\n'))
    (change,) = answer.comparison.changes
    assert (change.kind, change.released) == (Kind.LEAK, ("AGENTS.md",))


def test_the_model_and_effort_of_the_call_still_count(bench: Bench, app: App) -> None:
    app.route(Task.model_validate({"text": "plan it", "model": "openai/gpt-terra", "effort": "low"}))
    (refused,) = changed(bench, app, POLICY + '[routing]\noverrides = "deny"\n').comparison.changes
    assert (refused.kind, refused.after.code) == (Kind.REFUSAL, "override_not_allowed")
    other = POLICY.replace("anthropic/claude-sonnet", "anthropic/claude-haiku")
    assert changed(bench, app, other).comparison.changes == ()


def test_costs_are_summed_where_they_are_known_and_counted_where_not(bench: Bench, app: App) -> None:
    first = app.route(Task(text="plan it")).decisions[0]
    app.route(Task(text="plan it", paths=("src/api.py",)))
    cost = changed(bench, app, ALLOWED + default("openai/of-nobody")).comparison.totals.cost
    assert first.cost is not None
    assert float(cost.before) > float(first.cost.max)
    assert (cost.after, cost.unknown_before, cost.unknown_after) == ("0", 0, 2)


def test_tasks_of_another_workspace_are_left_out_and_counted(bench: Bench, app: App, tmp_path: Path) -> None:
    app.route(Task(text="plan it"))
    (tmp_path / "elsewhere").mkdir()
    Bench(bench.home, tmp_path / "elsewhere").app(**KEYS).route(Task(text="plan it"))
    tasks = of_ledger(app.world)
    assert len(tasks.asked) == 1
    assert any("1 phase of other workspaces" in note for note in tasks.notes)


def _rows(bench: Bench) -> list[str]:
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db:
        return [row[0] for row in db.execute("SELECT facts FROM decision ORDER BY sequence")]


def test_a_row_holds_labels_and_no_words(bench: Bench, app: App) -> None:
    app.route(Task(text="explain the zanzibar CANARY", paths=("src/api.py", ".env")))
    (facts,) = _rows(bench)
    assert "CANARY" not in facts
    assert "x = 1" not in facts
    assert [item["path"] for item in json.loads(facts)["items"]] == ["src/api.py", ".env"]


def test_a_row_of_an_earlier_version_is_judged_by_its_paths_and_said_to_be(bench: Bench, app: App) -> None:
    app.route(Task(text="explain it", paths=(".env",)))
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db:
        db.execute("DROP TRIGGER decision_stays")
        db.execute("UPDATE decision SET facts = ?", ('{"skill":null,"paths":[".env"],"tokens":9}',))
        db.commit()
    tasks = of_ledger(app.world)
    assert any("1 phase recorded by an earlier version" in note for note in tasks.notes)
    (judged,) = tasks.asked[0].judge(policy(bench, app, POLICY, "p.toml"))
    assert judged.outcome.code == "restricted_content"


def test_facts_of_a_later_version_are_read_as_far_as_they_are_known() -> None:
    assert PhaseFacts.model_validate_json('{"tokens": 3, "of_tomorrow": [1]}') == PhaseFacts(tokens=3)


def test_a_row_that_cannot_be_read_is_counted(bench: Bench, app: App) -> None:
    app.route(Task(text="plan it"))
    app.route(Task(text="plan that"))
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db:
        db.execute("DROP TRIGGER decision_stays")
        db.execute("UPDATE decision SET body = '{}' WHERE sequence = 1")
        db.commit()
    tasks = of_ledger(app.world)
    assert len(tasks.asked) == 1
    assert any("1 phase recorded by another version" in note for note in tasks.notes)


def test_to_look_makes_no_ledger_and_changes_none(bench: Bench, app: App) -> None:
    assert of_ledger(app.world) == Tasks((), of_ledger(app.world).source)
    assert not bench.state.exists()
    app.route(CALLS[0])

    def state() -> dict[str, str]:
        files = [file for file in bench.state.rglob("*") if file.is_file()]
        return {str(file): hashlib.sha256(file.read_bytes()).hexdigest() for file in files}

    before = state()
    changed(bench, app, default("ollama/tiny"))
    assert state() == before
    assert len(Ledger.open(bench.state).recent(10)) == 1
