"""The examples that the product was ordered with: loaded as written, routed as said."""

import subprocess
from pathlib import Path

import pytest

from smista_mcp.app import App, open_app
from smista_mcp.core.decision import Decision
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort, Grant, Intent, Layer, Locality, Status
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

POLICY = """
[[routing.rules]]
name = "plans use the strongest reasoning model"
priority = 10
intent = "plan"
model = "class:deep_reasoning"
fallbacks = ["anthropic/claude-sonnet"]
effort = "high"

[[routing.rules]]
name = "changelog is local"
priority = 20
skill = "changelog"
model = "ollama/qwen2.5-coder"
fallbacks = ["openai/gpt-5.5-mini"]
effort = "low"

[[routing.rules]]
name = "auth code uses Claude"
priority = 30
intent = "edit"
paths = ["src/auth/**"]
model = "anthropic/claude-sonnet"
fallbacks = ["openai/gpt-5.5-thinking"]
effort = "medium"

[[routing.rules]]
name = "review security-sensitive code locally"
priority = 5
intent = "review"
paths = ["src/crypto/**", "src/auth/**"]
model = "ollama/qwen2.5-coder"
effort = "low"
local_only = true

[classes.deep_reasoning]
models = ["anthropic/claude-opus"]

[classes.coding]
models = ["anthropic/claude-sonnet"]

[classes.balanced]
models = ["anthropic/claude-haiku"]

[routing.default]
model = "class:balanced"

[privacy]
restricted_paths = [".env", "secrets.toml"]

[privacy.remote]
mode = "allow"

[providers.ollama]
base_url = "{ollama}"
"""
KEYS = {"ANTHROPIC_API_KEY": "not a real key", "OPENAI_API_KEY": "not a real key"}


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    root = tmp_path / "work"
    files = {
        "src/auth/middleware.rs": "fn check() {}\n",
        "src/auth/login.rs": "fn login() {}\n",
        "src/main.rs": "fn main() {}\n",
        "SMISTA.md": "Use small functions.\n",
    }
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text, encoding="utf-8")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(root)]
    subprocess.run([*git, "init", "-q"], check=True)
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-qm", "start"], check=True)
    (root / "src/main.rs").write_text("fn main() { run() }\n", encoding="utf-8")
    (root / ".env").write_text("TOKEN=1\n", encoding="utf-8")
    (root / "secrets.toml").write_text("a = 1\n", encoding="utf-8")
    return root


@pytest.fixture
def app(tmp_path: Path, workspace: Path, ollama: str) -> App:
    home = tmp_path / "home"
    home.mkdir()
    (home / "config.toml").write_text(POLICY.replace("{ollama}", ollama), encoding="utf-8")
    variables = {"SMISTA_HOME": str(home), "HOME": str(tmp_path), "PATH": "/usr/bin:/bin", **KEYS}
    return open_app(Settings(environment=Environment.read(variables), workspace=workspace))


def included(decision: Decision) -> set[str]:
    return {entry.path for entry in decision.context.included}


def excluded(decision: Decision) -> set[str]:
    return {entry.path for entry in decision.context.excluded}


def rules(decisions: tuple[Decision, ...]) -> list[str | None]:
    return [decision.matched_rule.name if decision.matched_rule else None for decision in decisions]


@pytest.mark.parametrize("paths", [("src/auth/middleware.rs",), ()], ids=["named by the call", "inferred"])
def test_refactoring_the_auth_middleware_goes_to_claude(app: App, paths: tuple[str, ...]) -> None:
    (decision,) = app.route(Task(text="refactor the auth middleware", paths=paths)).decisions

    assert decision.intent.name is Intent.REFACTOR
    assert decision.matched_rule is not None
    assert decision.matched_rule.name == "auth code uses Claude"
    assert decision.matched_rule.layer is Layer.USER
    assert decision.model == "anthropic/claude-sonnet"
    assert decision.resolved_model is not None
    assert decision.resolved_model.startswith("anthropic/claude-sonnet-")
    assert (decision.status, decision.code) == (Status.ROUTED, None)
    assert (decision.locality, decision.effort) == (Locality.REMOTE, Effort.MEDIUM)
    assert included(decision) == {"src/auth/middleware.rs", "git diff", "SMISTA.md"}
    (reason,) = [e.reason for e in decision.context.included if e.path == "src/auth/middleware.rs"]
    assert reason == ("required" if paths else "required, inferred from `auth middleware`")
    assert {".env", "secrets.toml"} <= excluded(decision)
    assert decision.cost is not None
    assert 0 < float(decision.cost.min) < float(decision.cost.max)
    assert decision.permissions["file_write"] is Grant.ASK
    assert decision.fallbacks == ("openai/gpt-5.5-thinking",)
    assert decision.recorded


def test_a_model_in_no_catalog_is_used_as_written_with_its_nearest_names(app: App) -> None:
    task = Task(text="refactor the auth middleware", model="openai/gpt-5.5-thinking")
    (decision,) = app.route(task).decisions
    assert decision.model == decision.resolved_model == "openai/gpt-5.5-thinking"
    assert decision.cost is None
    assert decision.override_used
    assert "gpt-5.5" in decision.reason


def test_a_mixed_task_is_split_and_each_step_goes_its_own_way(app: App) -> None:
    text = "Plan the new login flow, implement it in src/auth/login.rs with tests, review src/auth, then the changelog"
    decisions = app.route(Task(text=text)).decisions
    assert rules(decisions) == [
        "plans use the strongest reasoning model",
        "auth code uses Claude",
        "auth code uses Claude",
        "review security-sensitive code locally",
        "changelog is local",
    ]
    assert [d.intent.name for d in decisions[:4]] == [Intent.PLAN, Intent.EDIT, Intent.TEST, Intent.REVIEW]
    assert [d.effort for d in decisions] == [Effort.HIGH, Effort.MEDIUM, Effort.MEDIUM, Effort.LOW, Effort.LOW]
    review = decisions[3]
    assert review.locality is Locality.LOCAL
    assert review.resolved_model == "ollama/qwen2.5-coder:7b"
    assert decisions[4].locality is Locality.LOCAL
    assert [d.depends_on for d in decisions] == [(), (0,), (1,), (2,), (3,)]


def test_a_whole_program_is_planned_first_and_every_step_waits_for_the_one_before(app: App) -> None:
    text = "Build me a simple expense tracker with authentication, add tests, and write a README"
    phases = app.classify(text).phases
    assert [phase.intent for phase in phases] == [Intent.PLAN, Intent.EDIT, Intent.TEST, Intent.DOCUMENT]
    assert [phase.capability_class for phase in phases] == ["deep_reasoning", "coding", "coding", "balanced"]
    assert [phase.depends_on for phase in phases] == [(), (0,), (1,), (2,)]
    assert [phase.implied for phase in phases] == [True, False, False, False]
    assert phases[0].source == "implied"


def test_a_classification_rule_sees_that_the_working_tree_has_changes(
    app: App, tmp_path: Path, workspace: Path
) -> None:
    policy = tmp_path / "home/config.toml"
    rule = '[[classification.rules]]\nintent = "review"\nkeywords = ["inspect"]\nrequires_any_context = ["git_diff"]\n'
    policy.write_text(f"{policy.read_text(encoding='utf-8')}\n{rule}", encoding="utf-8")
    task = Task(text="inspect it")
    assert app.route(task).decisions[0].intent.source == "rule:1"
    subprocess.run(["git", "-C", str(workspace), "checkout", "-q", "--", "."], check=True)
    assert app.route(task).decisions[0].intent.source != "rule:1"
