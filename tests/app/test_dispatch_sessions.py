"""Sessions: later calls build on earlier answers, and labels travel through them."""

import sqlite3
import stat
from collections.abc import Sequence
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from canaries import CANARIES, left_below
from model_server import ModelServer, Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app import App, Caller
from smista_mcp.app.consents import Consents
from smista_mcp.core.decision import Decision
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Locality, Status
from smista_mcp.errors import Code, InvalidTask, StateUnavailable

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
A = "openai-compat:a/m"
ASK = Task(text="What is a mutex?", session="new")
SECRET = Task(text="explain secrets/plan.txt", session="new")
FOLLOW = Task(text="now shorten that")
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
NOBODY = Caller()
RULE = '[[routing.rules]]\nname = "auth"\npaths = ["src/auth/**"]\nmodel = "ollama/m"\nlocal_only = true\n'


@pytest.fixture
def secret(bench: Bench) -> Path:
    return bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")


async def told(app: App, *tasks: Task, caller: Caller = NOBODY) -> list[DispatchAnswer]:
    """The answers to tasks, each in the session of the first."""
    answers: list[DispatchAnswer] = []
    async with app.running():
        for task in tasks:
            session = answers[0].session if answers else task.session
            answers.append(await app.dispatch(task.model_copy(update={"session": session}), caller))
    return answers


async def decided(app: App, text: str, session: str | None, caller: Caller = NOBODY) -> Decision:
    task = Task(text=text, session=session)
    (decision,) = (await anyio.to_thread.run_sync(app.route, task, caller)).decisions
    return decision


def prompts(server: ModelServer) -> list[str]:
    return [heard.text for heard in server.heard]


def rows(bench: Bench, table: str, *columns: str) -> list[tuple[object, ...]]:
    db = sqlite3.connect(bench.state / "ledger.db")
    try:
        return db.execute(f"SELECT {', '.join(columns)} FROM {table} ORDER BY sequence").fetchall()  # noqa: S608
    finally:
        db.close()


# ------------------------------------------------------------------------------------------------- going on with one


async def test_a_later_call_is_told_what_was_asked_and_answered(bench: Bench) -> None:
    async with serving(Reply(("a lock with one holder",)), Reply(("one holder",)), Reply(("ja",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        answers = await told(app, ASK, FOLLOW, Task(text="And in German?"))
    assert len({answer.session for answer in answers}) == 1
    assert answers[0].session is not None
    assert len(answers[0].session) == 32
    first, second, third = prompts(server)
    assert "session" not in first
    assert "a lock with one holder" in second
    assert ASK.text in second
    # the oldest first, and what is asked now last: each prompt begins as the one before it did
    assert third.index("a lock with one holder") < third.index("Answered: one holder") < third.index("And in German?")
    assert [only(answer).label for answer in answers] == [None] * 3


async def test_a_remote_model_is_told_of_free_turns(bench: Bench) -> None:
    async with serving(Reply(("a lock",))) as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        answers = await told(app, ASK, FOLLOW)
    assert "a lock" in prompts(remote)[1]
    assert only(answers[1]).status == "completed"


async def test_each_completed_phase_is_a_turn_and_no_other(bench: Bench) -> None:
    steps = Task(text="Explain what a mutex is, then write a README", session="new")
    async with serving(Reply(("a lock",)), Reply(("# Locks",)), Reply(status=500)) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        await told(app, steps, FOLLOW)
    assert rows(bench, "turn", "number", "phase", "answer") == [(1, 0, "a lock"), (2, 1, "# Locks")]


async def test_a_task_without_a_session_has_none(bench: Bench) -> None:
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        (answer,) = await told(app, Task(text="What is a mutex?"))
    assert answer.session is None
    assert rows(bench, "turn", "number") == rows(bench, "session", "sequence") == []


async def test_two_sessions_know_nothing_of_each_other(bench: Bench) -> None:
    async with serving(Reply(("a lock",)), Reply(("a type",)), Reply(("short",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        (first,) = await told(app, ASK)
        (second,) = await told(app, Task(text="What is a trait?", session="new"))
        await told(app, FOLLOW.model_copy(update={"session": second.session}))
    assert first.session != second.session
    assert ("a type" in prompts(server)[2], "a lock" in prompts(server)[2]) == (True, False)


async def test_to_decide_with_a_session_only_reads_it(bench: Bench) -> None:
    async with serving(Reply(("a lock",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        (answer,) = await told(app, ASK)
        before = rows(bench, "session", "*"), rows(bench, "turn", "*")
        first, second = [await decided(app, FOLLOW.text, answer.session) for _ in range(2)]
        new = await decided(app, FOLLOW.text, "new")
        explained = await anyio.to_thread.run_sync(
            lambda: app.explain(task=FOLLOW.model_copy(update={"session": answer.session}))
        )
    assert (rows(bench, "session", "*"), rows(bench, "turn", "*")) == before
    assert first == second == explained.phases[0].decision
    assert [entry.path for entry in first.context.included] == ["turn 1 of the session"]
    assert new.context.included == ()


async def test_a_session_outlives_the_process(bench: Bench) -> None:
    policy = default("ollama/m")
    async with serving(Reply(("a lock",)), Reply(("short",))) as server:
        (answer,) = await told(bench.app(policy + ollama(server.root)), ASK)
        await told(bench.app(policy + ollama(server.root)), FOLLOW.model_copy(update={"session": answer.session}))
    assert "a lock" in prompts(server)[1]


async def test_the_oldest_turns_are_the_first_that_do_not_fit(bench: Bench) -> None:
    said = [" ".join(f"{name}{number}" for number in range(300)) for name in ("red", "green", "blue")]
    async with serving(*(Reply((one,)) for one in (*said, "fine")), window=2000) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        answers = await told(app, ASK, *[Task(text=f"What is a {thing}?") for thing in ("trait", "type", "loop")])
    last = prompts(server)[3]
    assert [one in last for one in said] == [False, True, True]
    (attempt,) = bench.trace(only(answers[3]).trace_id).attempts
    assert [item.path for item in attempt.receipt.withheld] == ["turn 1 of the session"]


async def test_a_call_that_joins_a_running_one_is_given_the_same_session(bench: Bench) -> None:
    hold = anyio.Event()
    async with serving(Reply(hold=hold)) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        async with app.running():
            first, second = [await app.dispatch(ASK, limit_s=0) for _ in range(2)]
            assert first.job_id is not None
            assert first.job_id == second.job_id
            hold.set()
            ended = [await app.join(first.job_id) for _ in range(2)]
    assert ended[0] == ended[1]
    assert ended[0].session is not None
    assert len(rows(bench, "session", "sequence")) == 1


# ----------------------------------------------------------------------------------------------------- whose it is


@pytest.mark.parametrize("given", ["0" * 32, "NEW", "7f3a", "turn 1", TOKEN, "'; DROP TABLE session; --"])
async def test_an_unknown_session_is_refused(bench: Bench, given: str) -> None:
    app = bench.app(default("ollama/m"))
    with pytest.raises(InvalidTask) as failure:
        app.route(Task(text="shorten that", session=given))
    assert failure.value.code is Code.INVALID_TASK
    assert '"new"' in failure.value.fix
    assert given not in str(failure.value)
    async with app.running():
        with pytest.raises(InvalidTask):
            await app.dispatch(Task(text="shorten that", session=given))


async def test_a_session_is_not_there_for_another_caller_or_workspace(bench: Bench, tmp_path: Path) -> None:
    mine = Caller("claude-code")
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        (answer,) = await told(app, ASK, caller=mine)
        for other in (Caller("codex"), NOBODY, Caller("claude-code", over_http=True)):
            with pytest.raises(InvalidTask):
                await decided(app, "shorten that", answer.session, other)
        elsewhere = tmp_path / "elsewhere"
        elsewhere.mkdir()
        with pytest.raises(InvalidTask):
            await decided(Bench(bench.home, elsewhere).app(), "shorten that", answer.session, mine)
        assert (await decided(app, "shorten that", answer.session, mine)).status is Status.ROUTED


# ---------------------------------------------------------------------------------------------------- labels travel


async def test_a_follow_up_on_a_restricted_answer_never_leaves(bench: Bench, secret: Path) -> None:
    rounds = [Task(text=text) for text in ("now shorten that", "translate it into German", "compare that with turn 1")]
    async with serving() as remote, serving(Reply((f"it says {CANARY}",))) as local:
        policy = default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED
        app = bench.app(policy + '[[routing.rules]]\nname = "s"\npaths = ["secrets/**"]\nmodel = "ollama/m"\n')
        answers = await told(app, SECRET, *rounds)
        decision = await decided(app, FOLLOW.text, answers[0].session)
    assert remote.heard == []
    assert [answer.status for answer in answers] == ["completed", "refused", "refused", "refused"]
    assert {answer.code for answer in answers[1:]} == {Code.RESTRICTED_CONTENT}
    assert CANARY not in "".join(answer.model_dump_json() for answer in answers)
    assert "turn 1 of the session" in decision.reason
    assert "secrets/plan.txt (restricted by `secrets/**`)" in decision.reason


async def test_a_local_model_goes_on_with_it_and_each_answer_is_withheld_in_turn(bench: Bench, secret: Path) -> None:
    rounds = [FOLLOW, Task(text="translate it into German"), Task(text="What is a mutex?")]
    async with serving() as remote, serving(Reply((f"it says {CANARY}",))) as local:
        app = bench.app(default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answers = await told(app, SECRET, *rounds)
    labels = [(only(answer).label, only(answer).code, only(answer).answer) for answer in answers[:3]]
    assert labels == [("restricted", Code.ANSWER_WITHHELD, None)] * 3
    assert CANARY in prompts(local)[1]
    assert CANARY not in "".join(answer.model_dump_json() for answer in answers)
    # the last question stands for itself: the remote model answers it, without what it must not have
    assert (only(answers[3]).status, only(answers[3]).label, len(remote.heard)) == ("completed", None, 1)
    assert CANARY not in remote.heard_text


async def test_what_is_left_out_of_a_request_is_named_in_its_receipt(bench: Bench, secret: Path) -> None:
    async with serving() as remote, serving(Reply((CANARY,))) as local:
        app = bench.app(default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answers = await told(app, SECRET, Task(text="What is a mutex?"))
        (phase,) = app.explain(only(answers[1]).trace_id).phases
    receipt = phase.attempts[0].receipt
    assert receipt is not None
    assert "turn 1 of the session" in {item.path for item in receipt.withheld}
    assert receipt.sent == ()


async def test_what_a_rule_keeps_here_stays_here_in_a_later_call(bench: Bench) -> None:
    bench.write("src/auth/a.py", "a = 1\n")
    async with serving() as remote, serving(Reply(("one",)), Reply(("two",))) as local:
        app = bench.app(RULE + default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answers = await told(app, Task(text="explain src/auth/a.py", session="new"), FOLLOW)
    assert [(only(answer).label, only(answer).answer) for answer in answers] == [("local", "one"), ("local", "two")]
    assert remote.heard == []


async def test_what_the_host_was_shown_keeps_its_label_when_it_hands_it_on(bench: Bench) -> None:
    bench.write("src/auth/a.py", "a = 1\n")
    said = f"the login waits {CANARY} seconds before it lets anybody try again"
    async with serving() as remote, serving(Reply((said,))) as local:
        app = bench.app(RULE + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        notes = (Attachment(path="notes.md", content=f"# Notes\n{said}\n"),)
        answers = await told(
            app,
            Task(text="explain src/auth/a.py", session="new"),
            Task(text=f"Write a README that says: {said}"),
            Task(text="Write a README from the notes", attachments=notes),
            Task(text="Write a README"),
        )
    assert only(answers[0]).answer == said
    assert [answer.status for answer in answers] == ["completed", "refused", "refused", "completed"]
    assert [phase.status for phase in answers[1].phases] == ["completed", "refused"]
    assert (len(remote.heard), CANARY in remote.heard_text) == (2, False)


async def test_the_host_is_not_given_a_step_that_builds_on_it(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,))) as local:
        rule = '[[routing.rules]]\nname = "s"\npaths = ["secrets/**"]\nmodel = "ollama/m"\n'
        app = bench.app(default("host/current") + rule + ollama(local.root))
        answers = await told(app, SECRET, FOLLOW, Task(text="What is a mutex?"))
    assert [answer.status for answer in answers] == ["completed", "refused", "handoff"]
    assert answers[1].phases[0].handoff is None
    assert CANARY not in answers[2].model_dump_json()


@pytest.mark.parametrize(("answers", "shown"), [("return", True), ("file", False)])
async def test_the_policy_says_whether_the_host_sees_a_later_answer(
    bench: Bench, secret: Path, answers: str, *, shown: bool
) -> None:
    async with serving(Reply((CANARY,))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root) + f'[privacy]\nhost_answers = "{answers}"\n')
        found = await told(app, SECRET, FOLLOW)
    assert [only(answer).answer == CANARY for answer in found] == [shown, shown]


async def test_an_answer_made_from_what_is_restricted_now_stays_here_from_now_on(bench: Bench) -> None:
    bench.write("notes/a.md", f"{CANARY}\n")
    async with serving() as remote, serving(Reply((CANARY,))) as local:
        providers = default("ollama/m", A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED
        (first,) = await told(bench.app(providers), Task(text="explain notes/a.md", session="new"))
        stricter = default(A) + providers.partition("\n")[2].partition("\n")[2].partition("\n")[2]
        app = bench.app(stricter + '[privacy]\nrestricted_paths = ["notes/**"]\n')
        decision = await decided(app, FOLLOW.text, first.session)
    assert only(first).label is None
    assert (decision.status, decision.code) == (Status.REFUSED, Code.RESTRICTED_CONTENT)


# -------------------------------------------------------------------------------------------------- what is explained


def origins(app: App, answers: Sequence[DispatchAnswer]) -> list[str]:
    traces = [phase.trace_id for answer in answers for phase in answer.phases if phase.trace_id]
    return [one.told for trace in traces for phase in app.explain(trace).phases for one in phase.labels]


async def test_explain_tells_the_shortest_way_to_what_labelled_an_answer(bench: Bench, secret: Path) -> None:
    steps = Task(text="Explain secrets/plan.txt, then write a README", session="new")
    async with serving(Reply((CANARY,))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        answers = await told(app, steps, FOLLOW, Task(text="summarize secrets/plan.txt and your last answer"))
        lines = origins(app, answers)
    cause = "secrets/plan.txt (restricted by `secrets/**`)"
    assert lines == [
        f"answer of phase 0 <- {cause}",
        f"answer of phase 1 <- answer of phase 0 <- {cause}",
        f"answer of phase 0 <- turn 1 of the session <- {cause}",
        f"answer of phase 0 <- {cause}",
    ]


async def test_explain_names_the_rule_or_the_secret_that_labelled_it(bench: Bench) -> None:
    bench.write("src/auth/a.py", "a = 1\n")
    bench.write("AGENTS.md", f"Deploy with {TOKEN}\n")
    async with serving(Reply(("one",)), Reply((f"use {TOKEN}",)), Reply(("three",)), Reply(("x",))) as local:
        app = bench.app(RULE + default("ollama/m") + ollama(local.root))
        tasks = (
            Task(text="summarize src/auth/a.py", session="new"),
            Task(text="What is a deploy key?"),
            Task(text=f"What is {TOKEN}?", session=None),
            Task(text="rename a to b in src/b.py", attachments=(Attachment(path="src/b.py", content="a = 1"),)),
        )
        answers = [(await told(app, task))[0] for task in tasks]
        lines = origins(app, answers)
    assert lines[0] == "answer of phase 0 <- rule `auth` (local_only)"
    assert lines[1].startswith("answer of phase 0 <- the answer itself (holds a secret: github_token in line 1")
    assert lines[2].startswith("answer of phase 0 <- the words of the task (holds a secret: github_token in line 1")
    assert lines[3].startswith("answer of phase 0 <- AGENTS.md (holds a secret: github_token in line 1")
    assert TOKEN not in "".join(lines)


async def test_an_answer_without_a_label_is_explained_without_one(bench: Bench) -> None:
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        answers = await told(app, ASK)
        assert origins(app, answers) == []


# -------------------------------------------------------------------------------------------------- what is kept of it


async def test_secrets_in_words_and_answers_are_not_kept(bench: Bench) -> None:
    async with serving(Reply((f"that is {TOKEN}",)), Reply(("done",))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        answers = await told(app, Task(text=f"what is {TOKEN} for?", session="new"), FOLLOW)
    assert left_below(bench.home) == []
    assert TOKEN not in prompts(local)[1]
    assert "[secret]" in prompts(local)[1]
    assert [only(answer).label for answer in answers] == ["restricted", "restricted"]


async def test_the_ledger_with_the_turns_is_this_users_alone_and_knows_no_id(bench: Bench) -> None:
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        (answer,) = await told(app, ASK)
    file = bench.state / "ledger.db"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert answer.session is not None
    assert answer.session.encode() not in file.read_bytes()


async def test_without_a_ledger_nothing_is_begun_and_nothing_gone_on_with(bench: Bench) -> None:
    async with serving() as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        (answer,) = await told(app, ASK)
        (bench.state / "ledger.db").unlink()
        (bench.state / "ledger.db").mkdir()
        broken = bench.app()
        (new,) = await told(broken, ASK)
        with pytest.raises(StateUnavailable):
            await told(broken, FOLLOW.model_copy(update={"session": answer.session}))
    assert (only(new).status, new.session) == ("completed", None)
    assert any("session" in notice for notice in new.notices)


async def test_a_labelled_turn_is_recorded_as_it_was_judged(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        answers = await told(app, SECRET, FOLLOW)
        (phase,) = app.explain(only(answers[1]).trace_id).phases
    assert phase.decision.locality is Locality.LOCAL
    assert {"session", "context"} <= phase.decision.inputs.keys()
    assert [row[1:] for row in rows(bench, "answer_label", "sequence", "phase", "label")] == [(0, "restricted")] * 2


# ------------------------------------------------------------------------------------------------- with a person's yes

FIRST_HERE = '[[routing.rules]]\nname = "questions stay"\nintent = "chat"\nmodel = "ollama/m"\n'
STEPS = "Explain what a mutex is, then write a README"


@pytest.mark.parametrize("begun", [True, False])
async def test_a_job_that_goes_on_after_a_yes_stays_in_its_session(bench: Bench, *, begun: bool) -> None:
    async with serving(Reply(("# Locks",))) as remote, serving(Reply(("hi",)), Reply(("a lock",))) as local:
        app = bench.app(FIRST_HERE + default(A) + compat("a", remote.v1) + ollama(local.root))
        async with app.running():
            session = "new"
            if begun:
                session = (await app.dispatch(Task(text="What is a trait?", session="new"))).session or ""
            task = Task(text=STEPS, session=session)
            first = await app.dispatch(task)
            assert first.approval_id is not None
            Consents(app.world).grant(first.approval_id, "terminal", session=False)
            second = await app.dispatch(task)
    assert (first.status, second.status) == ("approval_required", "completed")
    assert (second.session, len(remote.heard)) == (first.session, 1)
    assert (second.session == session, len(local.heard)) == (begun, 1 + begun)
    answers = [answer for (answer,) in rows(bench, "turn", "answer")]
    assert answers == [*(["hi"] if begun else []), "hi" if not begun else "a lock", "# Locks"]


async def test_a_released_answer_keeps_its_label_in_the_session(bench: Bench, secret: Path) -> None:
    async with serving() as remote, serving(Reply((f"it says {CANARY}",))) as local:
        app = bench.app(FIRST_HERE + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        async with app.running():
            first = await app.dispatch(SECRET)
            withheld = only(first).withheld
            assert withheld is not None
            if withheld.approval_id is not None:
                Consents(app.world).grant(withheld.approval_id, "terminal", session=False)
            plan = Task(text="plan a rewrite of it", session=first.session)
            later = await app.dispatch(plan)
    assert (later.status, later.code, remote.heard) == ("refused", Code.RESTRICTED_CONTENT, [])
