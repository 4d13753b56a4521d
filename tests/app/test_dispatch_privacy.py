"""What may leave this machine, to which model and to which host, attempt by attempt."""

import stat
import subprocess
from pathlib import Path

import pytest
from model_server import Reply, serving
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, done, ollama, only, reports

from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
SECRET = Task(text="explain secrets/plan.txt")
A, B = "openai-compat:a/m", "openai-compat:b/m"


@pytest.fixture
def secret(bench: Bench) -> Path:
    return bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")


# ----------------------------------------------------------------------------------------------- what a model gets


async def test_only_a_local_model_is_given_what_is_restricted(bench: Bench, secret: Path) -> None:
    async with serving() as remote, serving(Reply(("in short",))) as local:
        app = bench.app(default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answer = await done(app, SECRET)
    assert (answer.status, remote.heard) == ("completed", [])
    assert CANARY in local.heard_text


async def test_a_local_failure_never_leads_to_a_remote_model(bench: Bench, secret: Path) -> None:
    async with serving() as remote, serving(Reply(status=500)) as local:
        app = bench.app(default("ollama/m", A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answer = await done(app, SECRET)
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_UNAVAILABLE)
    assert remote.heard == []


async def test_a_remote_model_on_this_loopback_stays_remote(bench: Bench, secret: Path) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        answer = await done(app, SECRET)
    assert (answer.status, answer.code, remote.heard) == ("refused", Code.RESTRICTED_CONTENT, [])
    assert answer.trace_id is None


async def test_a_passing_mention_of_a_restricted_file_is_withheld(bench: Bench, secret: Path) -> None:
    bench.write("src/a.py", "x = 1\n")
    task = Task(text="explain src/a.py, but do not touch secrets/plan.txt")
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        answer = await done(app, task)
    (attempt,) = reports(app, answer)
    assert answer.status == "completed"
    assert CANARY not in remote.heard_text
    assert attempt.receipt is not None
    assert [item.path for item in attempt.receipt.sent] == ["src/a.py"]
    assert "secrets/plan.txt" in {item.path for item in attempt.receipt.withheld}


async def test_an_attachment_with_a_restricted_name_never_leaves(bench: Bench) -> None:
    task = Task(text="explain this", attachments=(Attachment(path="deploy/.env", content=f"TOKEN={CANARY}"),))
    async with serving() as remote, serving() as local:
        app = bench.app(default(A, B) + compat("a", remote.v1) + compat("b", local.v1, local=True) + ALLOWED)
        answer = await done(app, task)
    assert (remote.heard, CANARY in local.heard_text) == ([], True)
    assert only(answer).label == "restricted"


async def test_a_diff_that_touches_what_a_rule_keeps_here_goes_to_local_models_alone(bench: Bench) -> None:
    bench.write("src/auth/a.py", "a = 1\n")
    bench.write("src/b.py", "b = 1\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(bench.workspace)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *command], check=True)
    bench.write("src/auth/a.py", f"a = '{CANARY}'\n")
    rule = '[[routing.rules]]\nname = "auth stays"\npaths = ["src/auth/**"]\nmodel = "ollama/m"\nlocal_only = true\n'
    task = Task(text="rename b to c in src/b.py", intent=Intent.EDIT)
    async with serving(Reply(status=402)) as remote, serving() as local:
        providers = compat("a", remote.v1) + compat("b", local.v1, local=True)
        app = bench.app(default(A, B) + rule + providers + ALLOWED + NO_PATCHES)
        answer = await done(app, task)
    assert len(remote.heard) == len(local.heard) == 1
    assert (CANARY in remote.heard_text, CANARY in local.heard_text) == (False, True)
    first, second = reports(app, answer)
    assert first.receipt is not None
    assert second.receipt is not None
    assert ("git diff", "kept local by rule `auth stays`") in {(i.path, i.reason) for i in first.receipt.withheld}
    assert ("git diff", "helpful") in {(item.path, item.reason) for item in second.receipt.sent}
    assert (only(answer).label, only(answer).answer) == ("local", "done")


# ------------------------------------------------------------------------------------------------ what the host gets


async def test_an_answer_from_restricted_content_goes_to_a_file_of_this_user_alone(bench: Bench, secret: Path) -> None:
    async with serving(Reply(("it says ", CANARY))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        answer = await done(app, SECRET)
    phase = only(answer)
    assert (phase.status, phase.code, phase.answer) == ("completed", Code.ANSWER_WITHHELD, None)
    assert (answer.code, phase.label) == (Code.ANSWER_WITHHELD, "restricted")
    assert CANARY not in answer.model_dump_json()
    assert phase.withheld is not None
    file = Path(phase.withheld.path)
    assert file.read_text(encoding="utf-8") == f"it says {CANARY}\n"
    assert file.is_relative_to(bench.state)
    assert phase.withheld.bytes == len(file.read_bytes()) - 1
    assert (stat.S_IMODE(file.stat().st_mode), stat.S_IMODE(file.parent.stat().st_mode)) == (0o600, 0o700)
    assert str(file) in (answer.next or "")


@pytest.mark.parametrize(
    ("told", "returned"),
    [
        ('[privacy]\nhost_answers = "return"\n', True),
        ('[privacy]\nhost_answers = "ask"\n', False),  # nobody can be asked
        ('[privacy]\nhost_answers = "file"\n', False),
        ('[hosts.unknown]\nlocality = "local"\n', True),
        ('[hosts.claude-code]\nlocality = "local"\n', False),
    ],
)
async def test_the_policy_says_whether_the_host_sees_it(bench: Bench, secret: Path, told: str, returned: bool) -> None:
    async with serving(Reply((CANARY,))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root) + told)
        answer = await done(app, SECRET)
    phase = only(answer)
    assert (phase.answer == CANARY, phase.withheld is None, phase.label) == (returned, returned, "restricted")


async def test_an_answer_that_can_be_neither_shown_nor_kept_is_lost(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        bench.state.mkdir()
        (bench.state / "answers").write_text("in the way", encoding="utf-8")
        answer = await done(app, SECRET)
    assert (answer.status, answer.code) == ("failed", Code.ANSWER_WITHHELD)
    assert CANARY not in answer.model_dump_json()


async def test_an_answer_that_only_a_rule_keeps_here_is_returned_and_marked(bench: Bench) -> None:
    bench.write("src/auth/a.py", "a = 1\n")
    rule = '[[routing.rules]]\nname = "auth"\npaths = ["src/auth/**"]\nmodel = "ollama/m"\nlocal_only = true\n'
    async with serving() as local:
        answer = await done(bench.app(rule + ollama(local.root)), Task(text="explain src/auth/a.py"))
    assert (only(answer).label, only(answer).answer, answer.code) == ("local", "done", None)


# ------------------------------------------------------------------------------------------------------ labels travel

STEPS = Task(text="Explain secrets/plan.txt, then write a README")
LOCAL_THEN = """
[[routing.rules]]
name = "questions stay"
intent = "chat"
model = "ollama/m"
"""


async def test_a_remote_model_never_gets_an_answer_made_from_restricted_content(bench: Bench, secret: Path) -> None:
    async with serving() as remote, serving(Reply((CANARY,))) as local:
        app = bench.app(LOCAL_THEN + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answer = await done(app, STEPS)
    first, second = answer.phases
    assert (first.status, first.label) == ("completed", "restricted")
    assert (second.status, second.code) == ("refused", Code.RESTRICTED_CONTENT)
    assert (answer.status, remote.heard) == ("refused", [])


async def test_a_local_model_gets_it_and_its_own_answer_is_labelled_in_turn(bench: Bench, secret: Path) -> None:
    async with serving() as remote, serving(Reply((CANARY,)), Reply(("and so on",))) as local:
        route = default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root)
        app = bench.app(LOCAL_THEN + route + ALLOWED)
        answer = await done(app, STEPS)
    assert remote.heard == []
    assert [(phase.status, phase.label) for phase in answer.phases] == [("completed", "restricted")] * 2
    assert CANARY in local.heard[1].text
    assert all(phase.withheld for phase in answer.phases)
    row = reports(app, answer)[1]
    assert row.receipt is not None
    assert [item.path for item in row.receipt.sent] == ["answer of phase 0"]


async def test_what_a_rule_keeps_here_stays_here_in_the_next_step_too(bench: Bench) -> None:
    bench.write("src/auth/a.py", "a = 1\n")
    rule = '[[routing.rules]]\nname = "auth"\npaths = ["src/auth/**"]\nmodel = "ollama/m"\nlocal_only = true\n'
    async with serving() as remote, serving() as local:
        app = bench.app(rule + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        answer = await done(app, Task(text="Explain src/auth/a.py, then write a README"))
    assert [phase.status for phase in answer.phases] == ["completed", "refused"]
    assert remote.heard == []


@pytest.mark.parametrize("targets", [("host/current",), (A,), (A, "host/current")])
async def test_a_step_that_builds_on_it_is_not_handed_to_the_host(
    bench: Bench, secret: Path, targets: tuple[str, ...]
) -> None:
    async with serving(Reply(status=500)) as remote, serving() as local:
        handoff = '[routing]\nhandoff = "when_unavailable"\n'
        providers = compat("a", remote.v1) + ollama(local.root) + ALLOWED
        answer = await done(bench.app(handoff + LOCAL_THEN + default(*targets) + providers), STEPS)
    assert [phase.status for phase in answer.phases] == ["completed", "refused"]
    assert answer.phases[1].handoff is None


async def test_a_host_of_this_machine_may_do_it(bench: Bench, secret: Path) -> None:
    async with serving() as local:
        host = '[hosts.unknown]\nlocality = "local"\n'
        app = bench.app(LOCAL_THEN + default("host/current") + host + ollama(local.root))
        answer = await done(app, STEPS)
    assert [phase.status for phase in answer.phases] == ["completed", "handoff"]


async def test_a_restricted_phase_is_never_handed_to_a_remote_host(bench: Bench, secret: Path) -> None:
    async with serving(Reply(status=500)) as local:
        app = bench.app('[routing]\nhandoff = "when_unavailable"\n' + default("ollama/m") + ollama(local.root))
        answer = await done(app, SECRET)
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_UNAVAILABLE)
    assert only(answer).handoff is None


async def test_a_rule_that_names_the_models_keeps_the_phase_from_the_host(bench: Bench) -> None:
    rule = '[[routing.rules]]\nname = "approved"\nmodel = "ollama/m"\nonly_models = ["ollama/m"]\n'
    async with serving(Reply(status=500)) as local:
        app = bench.app('[routing]\nhandoff = "when_unavailable"\n' + rule + ollama(local.root))
        answer = await done(app, Task(text="what is a unit test?"))
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_UNAVAILABLE)


# ---------------------------------------------------------------------------------------------------------- approvals

ASK = Task(text="What is a unit test?")


async def test_nothing_is_sent_to_a_remote_model_before_a_person_said_so(bench: Bench) -> None:
    async with serving() as remote:
        answer = await done(bench.app(default(A) + compat("a", remote.v1)), ASK)
    assert (answer.status, answer.code) == ("approval_required", Code.APPROVAL_REQUIRED)
    assert (remote.heard, answer.trace_id) == ([], None)
    assert "mode" in (answer.next or "")


async def test_falling_back_to_a_remote_model_asks_first_too(bench: Bench) -> None:
    async with serving() as remote, serving(Reply(status=500)) as local:
        app = bench.app(default("ollama/m", A) + compat("a", remote.v1) + ollama(local.root))
        answer = await done(app, ASK)
    assert (answer.status, answer.code) == ("approval_required", Code.APPROVAL_REQUIRED)
    assert remote.heard == []
    assert Code.PROVIDER_UNAVAILABLE in only(answer).detail


async def test_a_local_model_behind_one_that_needs_approval_is_asked(bench: Bench) -> None:
    async with serving() as remote, serving(Reply(status=500)) as bad, serving(Reply(("from b",))) as good:
        providers = compat("a", remote.v1) + ollama(bad.root) + compat("b", good.v1, local=True)
        answer = await done(bench.app(default("ollama/m", A, B) + providers), ASK)
    assert (only(answer).answer, remote.heard) == ("from b", [])


async def test_what_waits_for_a_person_is_not_handed_to_the_host(bench: Bench) -> None:
    async with serving() as remote, serving(Reply(status=500)) as local:
        handoff = '[routing]\nhandoff = "when_unavailable"\n'
        app = bench.app(handoff + default("ollama/m", A) + compat("a", remote.v1) + ollama(local.root))
        answer = await done(app, ASK)
    assert answer.status == "approval_required"


async def test_no_remote_model_is_asked_where_the_policy_denies_it(bench: Bench) -> None:
    async with serving() as remote, serving() as local:
        denied = '[privacy.remote]\nmode = "deny"\n'
        app = bench.app(default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + denied)
        answer = await done(app, ASK)
    assert (only(answer).answer, only(answer).label, remote.heard) == ("done", None, [])
