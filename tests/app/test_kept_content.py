"""What is kept of contents: labels and hashes. Bodies stand with sessions and jobs, for a while.

Restricted text stands nowhere but in the answer that its user is to read.
"""

import sqlite3
import stat
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app.exporting import Export
from smista_mcp.core.asked import CallRequest
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.turns import BODY_DAYS
from smista_mcp.dispatch.jobfiles import JobFiles
from smista_mcp.ledger.approvals import ApprovalBook

pytestmark = pytest.mark.anyio

A = "openai-compat:a/m"
PROMPT, FILE, DIFFED, ATTACHED, SKILLED = (
    "canarypromptq1",
    "canaryfileq2",
    "canarydiffq3",
    "canaryattachq4",
    "canaryskillq5",
)
ANSWER, WRONG, RESTRICTED, DERIVED = "canaryanswerq6", "canaryerrorq7", "canaryrestrictedq8", "canaryderivedq9"
EVERY = (PROMPT, FILE, DIFFED, ATTACHED, SKILLED, ANSWER, WRONG, RESTRICTED, DERIVED)
DIFF = f"--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1 @@\n-x = 1\n+x = '{DIFFED}'\n"
SECRETS = '[[routing.rules]]\nname = "s"\npaths = ["secrets/**"]\nmodel = "ollama/m"\n'
TASKS = (
    Task(text=f"What does {PROMPT} mean?"),
    Task(text=f"explain src/a.py and {PROMPT}"),
    Task(text=f"review this for {PROMPT}", diff=DIFF),
    Task(text=f"sum up what it says of {PROMPT}", attachments=(Attachment(path="notes.md", content=ATTACHED * 9),)),
    Task(text=f"/changelog {PROMPT}", skill="changelog"),
    Task(text=f"Explain src/a.py, then write a README for {PROMPT}"),
)
PRIVATE = (Task(text="explain secrets/plan.txt"), Task(text="Explain secrets/plan.txt, then shorten that"))
SESSION = Task(text=f"What is {PROMPT}?", session="new")


def contents(bench: Bench) -> dict[str, set[str]]:
    """Which canaries stand where below the state folder: in a table and column, in a folder's files, in free space."""
    found: dict[str, set[str]] = {}
    for file in bench.state.rglob("*"):
        if file.is_file() and file.name != "ledger.db":
            seen = {one for one in EVERY if one.encode() in file.read_bytes()}
            if seen:
                assert stat.S_IMODE(file.stat().st_mode) == 0o600
                found.setdefault(file.relative_to(bench.state).parts[0], set()).update(seen)
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db:
        for (table,) in db.execute("SELECT name FROM sqlite_master WHERE type = 'table'").fetchall():
            rows = db.execute(f"SELECT * FROM {table}")  # noqa: S608  of the file itself
            names = [one[0] for one in rows.description]
            for row in rows:
                for name, value in zip(names, row, strict=True):
                    seen = {one for one in EVERY if one in str(value)}
                    if seen:
                        found.setdefault(f"{table}.{name}", set()).update(seen)
    known = set[str]().union(*(seen for place, seen in found.items() if "." in place))
    raw = (bench.state / "ledger.db").read_bytes()
    rest = {one for one in EVERY if one.encode() in raw} - known
    return found | ({"free space": rest} if rest else {})


@pytest.fixture
def filled(bench: Bench) -> Bench:
    bench.write("src/a.py", f"x = '{FILE}'\n")
    bench.write("secrets/plan.txt", f"the plan: {RESTRICTED}\n")
    skill = bench.home / ".claude/skills/changelog/SKILL.md"
    skill.parent.mkdir(parents=True)
    skill.write_text(f"---\nname: changelog\n---\nWrite {SKILLED}.\n", encoding="utf-8")
    return bench


async def test_it_is_kept_nowhere_but_with_sessions_and_jobs_and_not_for_long(filled: Bench) -> None:
    bad = Reply(status=503, said=WRONG)
    replies = [Reply((f"it is {ANSWER}",)), bad, *(Reply((f"{ANSWER} {n}",)) for n in range(20))]
    async with serving(*replies) as remote, serving(*(Reply((f"{DERIVED}: {RESTRICTED}",)) for _ in range(9))) as local:
        policy = SECRETS + default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root)
        app = filled.app(policy + ALLOWED)
        async with app.running():
            answers = [await app.dispatch(task) for task in (*TASKS, *PRIVATE)]
        plain = contents(filled)
        async with app.running():
            first = await app.dispatch(SESSION)
            await app.dispatch(Task(text="now shorten that", session=first.session))
        strict = filled.app(policy + SECRETS.replace('"s"', '"t"'))
        async with strict.running():
            asked = await strict.dispatch(Task(text=f"What is {PROMPT}?"))
        exported = str(list(Export(strict.world, strict.world.open_ledger(), ()).lines()))
    assert {answer.status for answer in answers} <= {"completed", "failed", "refused"}
    assert [answer.status for answer in answers].count("completed") >= 5
    assert only(answers[-2]).withheld is not None
    assert len(remote.heard) >= 5
    assert PROMPT in remote.heard_text
    assert FILE in remote.heard_text
    assert RESTRICTED not in remote.heard_text
    # without sessions: in the files of jobs, and of answers that their user is to read
    assert plain.keys() == {"answers", "jobs"}
    assert plain["answers"] == {DERIVED, RESTRICTED}
    assert plain["jobs"] == {ANSWER, WRONG}  # what a server said of its failure is told to the host, too
    # with one: its turns, too; and for a day the words that a person is asked about
    assert asked.status == "approval_required"
    kept = contents(filled)
    assert kept.keys() - plain.keys() == {"turn.words", "turn.answer", "approval.body"}
    assert [kept[place] for place in ("turn.words", "turn.answer", "approval.body")] == [{PROMPT}, {ANSWER}, {PROMPT}]
    assert [one for one in EVERY if one in exported] == []
    forget(filled)
    assert contents(filled) == {"answers": {DERIVED, RESTRICTED}}


def forget(bench: Bench) -> None:
    """What the next use does once their time is over."""
    later = datetime.now(UTC) + timedelta(days=BODY_DAYS, minutes=1)
    app = bench.app()
    app.world.open_ledger().sessions.forget(later)
    JobFiles(bench.state / "jobs", None).forget(later.timestamp())
    nothing = CallRequest(phases=(), most=None, marks=(), needs=())
    ApprovalBook.open(bench.state).request("another", nothing, workspace=None, host="x", now=later)


async def test_the_last_use_of_a_session_erases_what_is_too_old_by_then(filled: Bench) -> None:
    async with serving(Reply((ANSWER,))) as remote:
        app = filled.app(default(A) + compat("a", remote.v1) + ALLOWED)
        async with app.running():
            await app.dispatch(SESSION)
        assert contents(filled)["turn.answer"] == {ANSWER}
        sessions = app.world.open_ledger().sessions
        sessions.begin("another", None, datetime.now(UTC) + timedelta(days=BODY_DAYS, minutes=1))
    assert not contents(filled).keys() & {"turn.answer", "turn.words", "free space"}
