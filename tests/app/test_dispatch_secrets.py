"""Secrets in content: they stay on this machine, whatever path they came by, and the reason never repeats them."""

import stat
import subprocess
from pathlib import Path

import anyio.to_thread
import pytest
from canaries import CANARIES
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, done, ollama, only, reports

from smista_mcp.app import App
from smista_mcp.core.answers import RouteAnswer
from smista_mcp.core.decision import Decision
from smista_mcp.core.secretscan import secrets_in
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent, Status
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
(FACT,) = secrets_in(TOKEN)
A = "openai-compat:a/m"
DIFF = f"--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1,2 @@\n x = 1\n+key = '{TOKEN}'\n"


async def routed(app: App, task: Task) -> RouteAnswer:
    return await anyio.to_thread.run_sync(app.route, task)  # the servers answer meanwhile


async def decided(app: App, task: Task) -> Decision:
    (decision,) = (await routed(app, task)).decisions
    return decision


TASKS = {
    "words": (Task(text=f"explain what {TOKEN} is for"), 1),
    "wrapped words": (Task(text=f"what is this?\n{TOKEN[:20]}\n{TOKEN[20:]}"), 2),
    "attachment": (Task(text="explain this", attachments=(Attachment(path="n.txt", content=f"a\nb\n{TOKEN}"),)), 3),
    "name of an attachment": (Task(text="explain this", attachments=(Attachment(path=TOKEN, content="x"),)), 0),
    "diff": (Task(text="review this diff", diff=DIFF), 2),
    "file": (Task(text="explain src/a.py"), 2),
    "lines of a file": (Task(text="explain src/a.py:2-3"), 2),
    "path": (Task(text="explain this", paths=(f"src/{TOKEN}.py",)), 0),
}


@pytest.fixture
def written(bench: Bench) -> Path:
    bench.write(f"src/{TOKEN}.py", "z = 3\n")
    return bench.write("src/a.py", f"x = 1\nkey = '{TOKEN}'\ny = 2\n")


@pytest.mark.parametrize("name", TASKS)
async def test_what_a_task_needs_keeps_it_here(bench: Bench, written: Path, name: str) -> None:
    task, line = TASKS[name]
    async with serving() as remote, serving() as local:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        decision = await decided(app, task)
        refused = await done(app, task)
        app = bench.app(default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        served = await done(app, task)
        again = await decided(app, task)
    assert remote.heard == []
    assert (decision.status, decision.code) == (Status.REFUSED, Code.SECRET_DETECTED)
    where = f"line {line}" if line else "in its name"
    print_of = "fingerprint" if name == "wrapped words" else str(FACT.fingerprint)
    assert all(part in decision.reason for part in ("github_token", where, print_of))
    assert (refused.status, refused.code) == ("refused", Code.SECRET_DETECTED)
    assert only(served).label == "restricted"
    assert TOKEN not in decision.model_dump_json() + refused.model_dump_json() + again.model_dump_json()
    assert again.rejected[0].code is Code.SECRET_DETECTED


async def test_a_discardable_file_stays_here_and_the_rest_goes(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    bench.write("AGENTS.md", f"# Rules\n\nUse {TOKEN} to deploy.\n")
    task = Task(text="rename x to y in src/a.py", intent=Intent.EDIT)
    async with serving(Reply(status=402)) as remote, serving() as local:
        app = bench.app(default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        decision = await decided(app, task)
        answer = await done(app, task)
    assert decision.model == A
    (excluded,) = [entry for entry in decision.context.excluded if entry.path == "AGENTS.md"]
    assert all(part in excluded.reason for part in ("github_token", "line 3"))
    assert (len(remote.heard), TOKEN in remote.heard_text, TOKEN in local.heard_text) == (1, False, True)
    assert only(answer).label == "restricted"
    receipts = [report.receipt for report in reports(app, answer)]
    assert all(receipt is not None and TOKEN not in receipt.model_dump_json() for receipt in receipts)


async def test_one_file_of_a_helpful_diff_is_cut_out_of_it(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    bench.write("src/b.py", "b = 1\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(bench.workspace)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *command], check=True)
    bench.write("src/a.py", f"x = '{TOKEN}'\n")
    bench.write("src/b.py", "b = 'changed here'\n")
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        decision = await decided(app, Task(text="write a function that adds two numbers", intent=Intent.EDIT))
        await done(app, Task(text="write a function that adds two numbers", intent=Intent.EDIT))
    assert ("changed here" in remote.heard_text, TOKEN in remote.heard_text) == (True, False)
    assert any(entry.path == "src/a.py" and "github_token" in entry.reason for entry in decision.context.excluded)


async def test_an_answer_with_a_secret_in_it_goes_to_a_file_and_to_no_remote_model(bench: Bench) -> None:
    steps = Task(text="Explain what a deploy key is, then write a README")
    rule = '[[routing.rules]]\nname = "questions stay"\nintent = "chat"\nmodel = "ollama/m"\n'
    async with serving() as remote, serving(Reply((f"use {TOKEN[:9]}", TOKEN[9:]))) as local:
        app = bench.app(rule + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answer = await done(app, steps)
    first, second = answer.phases
    assert (first.label, first.code, first.answer) == ("restricted", Code.ANSWER_WITHHELD, None)
    assert first.withheld is not None
    kept = Path(first.withheld.path)
    assert (kept.read_text(encoding="utf-8"), stat.S_IMODE(kept.stat().st_mode)) == (f"use {TOKEN}\n", 0o600)
    assert (second.status, remote.heard) == ("refused", [])
    assert TOKEN not in answer.model_dump_json()


async def test_a_path_that_restricts_is_named_first(bench: Bench) -> None:
    bench.write(".env", f"K={TOKEN}\n")
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        decision = await decided(app, Task(text="explain .env"))
    assert decision.code is Code.RESTRICTED_CONTENT
    assert TOKEN not in decision.model_dump_json()


async def test_the_user_may_allow_a_value_by_its_fingerprint(bench: Bench, written: Path) -> None:
    allow = f'[secrets]\nallow = ["{FACT.fingerprint}"]\n'
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED + allow)
        answer = await done(app, Task(text="explain src/a.py"))
    assert (only(answer).status, only(answer).label, TOKEN in remote.heard_text) == ("completed", None, True)


async def test_a_file_of_the_workspace_allows_nothing(bench: Bench, written: Path) -> None:
    bench.write(".smista/config.toml", f'[secrets]\nallow = ["{FACT.fingerprint}"]\n')
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        answer = await routed(app, Task(text="explain src/a.py"))
    assert answer.decisions[0].code is Code.SECRET_DETECTED
    assert any("secrets.allow" in notice for notice in answer.notices)


async def test_the_rules_are_an_input_of_the_decision(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        plain, held = [await decided(app, Task(text=text)) for text in ("explain this", f"explain this {TOKEN}")]
    assert plain.inputs["secret_rules"] == held.inputs["secret_rules"]
    assert plain.inputs["context"] != held.inputs["context"]
