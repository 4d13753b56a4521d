"""Edits come back as patches: proved, repaired once, labelled like answers, and written by nobody."""

import json
import subprocess
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path

import anyio.to_thread
import pytest
from model_server import USAGE, ModelServer, Reply, serving
from patch_shop import Shop
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, done, ollama, only, reports

from smista_mcp.app.consents import Consents
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent
from smista_mcp.dispatch import deadlines, phases
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

CANARY = "canary-4c81d0"
A, B = "openai-compat:a/m", "openai-compat:b/m"
OLD = "def first():\n    return 1\n"
NEW = "def first():\n    return 11\n"
TASK = Task(text="Fix the return value of src/a.py", intent=Intent.EDIT)
DIFF = "--- a/src/a.py\n+++ b/src/a.py\n@@ -7,9 +7,9 @@\n def first():\n-    return 1\n+    return 11\n"
GOOD = Reply((f"It returns 11 now.\n```diff\n{DIFF}```\n",))
BAD = Reply((f"```diff\n{DIFF.replace('return 1', 'return one')}```",))
Policy = Callable[[ModelServer], str]


def remote_policy(server: ModelServer) -> str:
    return default(A) + compat("a", server.v1) + ALLOWED


def local_policy(server: ModelServer) -> str:
    return default("ollama/m") + ollama(server.root)


BOTH = pytest.mark.parametrize("policy", [remote_policy, local_policy])


@pytest.fixture
def shop(bench: Bench) -> Shop:
    bench.write("src/a.py", OLD)
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\nand more\n")
    return Shop(bench.workspace).repository()


@BOTH
async def test_an_edit_comes_back_as_a_patch_that_applies(bench: Bench, shop: Shop, policy: Policy) -> None:
    before = shop.state()
    async with serving(GOOD) as server:
        answer = await done(bench.app(policy(server)), TASK)
    phase = only(answer)
    assert shop.state() == before
    assert (phase.status, phase.code, phase.answer, phase.label) == ("completed", None, "It returns 11 now.", None)
    assert (phase.file_write, len(server.heard)) == ("ask", 1)
    assert "git apply" in (answer.next or "")
    assert answer.model_dump_json().count("return 11") == 1
    assert phase.patch is not None
    shop.apply(phase.patch)
    assert (bench.workspace / "src/a.py").read_text() == NEW


@BOTH
async def test_what_does_not_apply_is_repaired_by_the_same_model(bench: Bench, shop: Shop, policy: Policy) -> None:
    async with serving(BAD, GOOD) as server:
        app = bench.app(policy(server))
        answer = await done(app, TASK)
    phase = only(answer)
    assert (phase.code, phase.answer) == (None, "It returns 11 now.")
    shop.apply(phase.patch or "")
    first, second = server.heard
    assert [m["role"] for m in second.asked["messages"]] == ["system", "user", "assistant", "user"]
    assert second.asked["messages"][2]["content"] == BAD.pieces[0].strip()
    assert "src/a.py: the change does not stand in the file" in second.text
    assert OLD.strip() in second.asked["messages"][3]["content"]
    assert [row.status for row in reports(app, answer)] == ["completed", "completed"]
    told = [receipt for row in reports(app, answer) if (receipt := row.receipt) is not None]
    assert [item.reason for item in told[1].sent if item.path == "your answer"] == ["its change did not apply"]
    assert "read_file src/a.py" in {item.path for item in told[1].sent}
    tokens = sum(max(40, len(heard.body) // 4) for heard in (first, second))
    assert (phase.usage.input_tokens, phase.usage.output_tokens) == (tokens, 10)


@BOTH
async def test_what_is_not_repaired_comes_back_as_it_was_written(bench: Bench, shop: Shop, policy: Policy) -> None:
    last = Reply((BAD.pieces[0].replace("return one", "return two"),))
    async with serving(BAD, last) as server:
        answer = await done(bench.app(policy(server)), TASK)
    phase = only(answer)
    assert len(server.heard) == 2
    assert (phase.status, phase.code, phase.patch, phase.file_write) == (
        "failed",
        Code.PATCH_DOES_NOT_APPLY,
        None,
        None,
    )
    assert phase.answer == last.pieces[0]
    assert (answer.status, answer.code) == ("failed", Code.PATCH_DOES_NOT_APPLY)
    assert "src/a.py" in phase.detail


async def test_nothing_builds_on_a_change_that_does_not_apply(bench: Bench, shop: Shop) -> None:
    steps = Task(text="Fix the return value of src/a.py, then refactor src/a.py")
    async with serving(BAD) as server:
        answer = await done(bench.app(local_policy(server)), steps)
    first, second = answer.phases
    assert len(server.heard) == 2
    assert (answer.status, answer.code) == ("failed", Code.PATCH_DOES_NOT_APPLY)
    assert (first.status, first.answer) == ("failed", BAD.pieces[0])
    assert (second.status, second.answer, second.trace_id) == ("failed", None, None)


async def test_a_repair_that_fails_loses_nothing(bench: Bench, shop: Shop) -> None:
    async with serving(BAD, Reply(status=500)) as server:
        app = bench.app(remote_policy(server))
        answer = await done(app, TASK)
    phase = only(answer)
    assert (phase.status, phase.code, phase.answer) == ("failed", Code.PATCH_DOES_NOT_APPLY, BAD.pieces[0])
    assert Code.PROVIDER_UNAVAILABLE in phase.detail
    assert next(row.status for row in reports(app, answer)) == "completed"


async def test_a_repair_is_in_what_the_decision_says_that_it_may_cost(bench: Bench, shop: Shop) -> None:
    # where no more than one request can be paid for, that one is made
    limit = f'[[routing.rules]]\nname = "dear"\nmodel = "{A}"\ncost_limit = "0.04"\n'
    async with serving(BAD, GOOD) as server:
        provider = compat("a", server.v1, price="1") + ALLOWED
        app = bench.app(default(A) + provider)
        answer = await done(app, TASK)
        (decision,) = (await anyio.to_thread.run_sync(app.route, TASK)).decisions
        rows = bench.trace(answer.trace_id).attempts
        (limited,) = (await anyio.to_thread.run_sync(bench.app(limit + provider).route, TASK)).decisions
    assert (only(answer).code, len(rows)) == (None, 2)
    assert decision.cost is not None
    assert sum(Decimal(row.reserved or 0) for row in rows) <= Decimal(decision.cost.max)
    assert limited.cost is not None
    assert Decimal(limited.cost.max) < Decimal("0.04") < Decimal(decision.cost.max)
    assert limited.status == "routed"


async def test_a_repair_keeps_to_the_limit_of_the_rule(bench: Bench, shop: Shop) -> None:
    rule = f'[[routing.rules]]\nname = "dear"\nintent = "edit"\nmodel = "{A}"\ncost_limit = "10"\n'
    used = {"prompt_tokens": 1_000_000, "completion_tokens": 8_999_000}
    async with serving(Reply(BAD.pieces, used=used), GOOD) as server:
        app = bench.app(rule + compat("a", server.v1, price="1") + ALLOWED)
        answer = await done(app, TASK)
    phase = only(answer)
    assert (len(server.heard), phase.code) == (1, Code.PATCH_DOES_NOT_APPLY)
    assert Code.COST_LIMIT_EXCEEDED in phase.detail
    assert phase.cost == "9.999"


@pytest.mark.parametrize(("on", "asked"), [("patch_does_not_apply", 1), ("refusal", 0)])
@pytest.mark.parametrize("mended", [True, False])
async def test_a_rule_may_escalate_where_no_change_applies(
    bench: Bench, shop: Shop, on: str, asked: int, *, mended: bool
) -> None:
    rule = f'[[routing.rules]]\nname = "cheap"\nmodel = "{A}"\nescalate = {{ on = ["{on}"], to = "{B}" }}\n'
    async with serving(BAD, BAD) as server, serving(GOOD if mended else Reply(status=402)) as strong:
        app = bench.app(rule + compat("a", server.v1) + compat("b", strong.v1) + ALLOWED)
        phase = only(await done(app, TASK))
    assert (len(server.heard), len(strong.heard), phase.escalated) == (2, asked, bool(asked))
    if asked and mended:
        assert (phase.code, phase.model) == (None, B)
        assert Code.PATCH_DOES_NOT_APPLY in phase.detail
        assert "src/a.py" not in phase.detail
        shop.apply(phase.patch or "")
    else:  # what the first has written is not lost
        assert (phase.status, phase.code, phase.model) == ("failed", Code.PATCH_DOES_NOT_APPLY, A)
        assert phase.answer == BAD.pieces[0]


@pytest.mark.parametrize("said", ["yes", "no"])
@pytest.mark.parametrize(("first", "intent"), [(BAD, Intent.EDIT), (Reply(("half",), stop="length"), Intent.ANALYZE)])
async def test_a_person_is_asked_before_a_stronger_remote_model_mends_it(
    bench: Bench, shop: Shop, first: Reply, intent: Intent, said: str
) -> None:
    on = 'on = ["patch_does_not_apply", "length"]'
    rule = f'[[routing.rules]]\nname = "cheap"\nmodel = "{A}"\nescalate = {{ {on}, to = "{B}" }}\n'
    mode = '[privacy.remote]\nmode = "ask"\n'
    task = TASK.model_copy(update={"intent": intent})
    async with serving(first) as server, serving(GOOD) as strong:
        app = bench.app(rule + compat("a", server.v1, local=True) + compat("b", strong.v1) + mode)
        async with app.running():
            waits = await app.dispatch(task)
            phase, asked = only(waits), len(strong.heard)
            consents = Consents(app.world)
            assert waits.approval_id is not None
            standing = await anyio.to_thread.run_sync(consents.standing)
            answering = consents.grant if said == "yes" else consents.refuse
            await anyio.to_thread.run_sync(answering, waits.approval_id, "a test")
            after = await app.dispatch(task)
    assert (waits.status, waits.code, phase.escalated, asked) == (
        "approval_required",
        Code.APPROVAL_REQUIRED,
        False,
        0,
    )
    assert [one.approval_id for one in standing] == [waits.approval_id]
    assert phase.answer == first.pieces[0]  # whoever says no has it all the same
    if said == "yes":
        assert (only(after).status, only(after).model, only(after).escalated) == ("completed", B, True)
        assert len(strong.heard) == 1
    else:
        assert (len(strong.heard), only(after).escalated) == (0, False)


def cheap_first(on: str = "patch_does_not_apply", more: str = "") -> str:
    return f'[[routing.rules]]\nname = "cheap"\nmodel = "{A}"\n{more}escalate = {{ on = ["{on}"], to = "{B}" }}\n'


async def test_a_slow_repair_leaves_time_for_the_stronger_model(bench: Bench, shop: Shop) -> None:
    async with serving(BAD, Reply(("half",), ending="stall")) as server, serving(GOOD) as strong:
        providers = compat("a", server.v1, local=True) + compat("b", strong.v1) + ALLOWED
        app = bench.app(cheap_first(more="deadline_s = 2\n") + providers)
        answer = await done(app, TASK)
        assert (len(server.heard), len(strong.heard)) == (2, 1)
        told = await anyio.to_thread.run_sync(app.explain, answer.trace_id)
    assert (only(answer).status, only(answer).model, only(answer).code) == ("completed", B, None)
    assert [(row.cause, row.followup) for row in told.phases[0].attempts] == [
        ("patch", "repair"),
        ("deadline", "escalated"),
        (None, None),
    ]


async def test_a_repair_may_write_no_more_than_it_needs(bench: Bench, shop: Shop) -> None:
    async with (
        serving(BAD, GOOD) as short,
        serving(Reply(BAD.pieces, used={**USAGE, "completion_tokens": 700})) as long,
    ):
        await done(bench.app(local_policy(short)), TASK)
        await done(bench.app(remote_policy(long)), TASK)
    assert [heard.asked["options"]["num_predict"] for heard in short.heard][1] == deadlines.REPAIR_LEAST
    assert long.heard[1].asked["max_tokens"] == 1400 < long.heard[0].asked["max_tokens"]


@pytest.mark.parametrize("first", [BAD, Reply(())])
async def test_nothing_is_sent_where_no_time_is_left_for_an_answer(
    bench: Bench, shop: Shop, monkeypatch: pytest.MonkeyPatch, first: Reply
) -> None:
    monkeypatch.setattr(phases, "least_of", float)  # all of the time
    on = 'patch_does_not_apply", "empty_completion'
    async with serving(first) as server, serving(GOOD) as strong:
        app = bench.app(cheap_first(on) + compat("a", server.v1, local=True) + compat("b", strong.v1) + ALLOWED)
        answer = await done(app, TASK)
    phase = only(answer)
    assert (len(server.heard), len(strong.heard), len(bench.attempts(answer))) == (1, 0, 1)
    assert (phase.status, phase.escalated, phase.cost) == ("failed", False, "0")
    assert phase.code == (Code.PATCH_DOES_NOT_APPLY if first is BAD else Code.PROVIDER_TIMEOUT)
    assert Code.PROVIDER_TIMEOUT in phase.detail
    assert "charge" not in phase.detail


async def test_an_answer_that_was_cut_is_never_a_patch(bench: Bench, shop: Shop) -> None:
    async with serving(Reply(GOOD.pieces, stop="length")) as server:
        answer = await done(bench.app(local_policy(server)), TASK)
    phase = only(answer)
    assert (len(server.heard), phase.code, phase.patch) == (1, Code.PATCH_DOES_NOT_APPLY, None)
    assert phase.answer == GOOD.pieces[0].strip()


async def test_the_policy_says_whether_a_patch_is_asked_for_and_how_it_is_applied(bench: Bench, shop: Shop) -> None:
    async with serving(GOOD) as server:
        allowed = '[tools.permissions]\nfile_write = "allow"\n'
        free = await done(bench.app(local_policy(server) + allowed), TASK)
        denied = await done(bench.app(local_policy(server) + NO_PATCHES), TASK)
    assert only(free).file_write == "allow"
    assert "agrees" not in (free.next or "")
    phase = only(denied)
    assert (phase.patch, phase.code, phase.answer) == (None, None, GOOD.pieces[0].strip())


async def test_a_task_without_files_may_be_answered_in_words(bench: Bench, shop: Shop) -> None:
    async with serving(Reply(("shorter",))) as server:
        answer = await done(bench.app(local_policy(server)), Task(text="shorten the greeting", intent=Intent.EDIT))
    assert (only(answer).code, only(answer).answer, len(server.heard)) == (None, "shorter", 1)


async def test_a_model_that_looked_around_may_change_what_it_saw(bench: Bench, shop: Shop) -> None:
    looks = Reply((), calls=(("read_file", {"path": "src/a.py"}),))
    whole = Reply((f"src/a.py:\n```python\n{NEW}```",))
    task = Task(text="make the first function return 11", intent=Intent.EDIT)
    async with serving(looks, BAD, whole, tools=True) as server:
        answer = await done(bench.app(local_policy(server)), task)
    assert [bool(heard.offered) for heard in server.heard] == [True, True, False]
    shop.apply(only(answer).patch or "")
    assert (bench.workspace / "src/a.py").read_text() == NEW


# ------------------------------------------------------------------------------------------------- what stays here

PLAN = "--- a/secrets/plan.txt\n+++ b/secrets/plan.txt\n@@ -2 +2 @@\n-and more\n+and less\n"
SECRET_TASK = Task(text="Replace more by less in secrets/plan.txt", intent=Intent.EDIT)


async def test_a_restricted_patch_lies_in_a_file_until_a_person_lets_it_go(bench: Bench, shop: Shop) -> None:
    async with serving(Reply((f"Here:\n{PLAN}",))) as local:
        app = bench.app(local_policy(local))
        async with app.running():
            first = await app.dispatch(SECRET_TASK)
            phase = only(first)
            assert (phase.answer, phase.patch, phase.label, phase.code) == (
                None,
                None,
                "restricted",
                Code.ANSWER_WITHHELD,
            )
            assert CANARY not in first.model_dump_json()
            assert phase.withheld is not None
            assert phase.withheld.patch is not None
            assert phase.withheld.patch in (first.next or "")
            whole, patch = (
                Path(name).read_text(encoding="utf-8") for name in (phase.withheld.path, phase.withheld.patch)
            )
            assert whole == f"Here:\n\n{patch}"
            assert CANARY in patch
            assert Path(phase.withheld.patch).stat().st_mode & 0o777 == 0o600
            Consents(app.world).grant(first.approval_id or "", "terminal")
            second = only(await app.join(first.job_id or ""))
    assert (second.answer, second.patch, second.released) == ("Here:", patch, True)
    shop.apply(patch)
    assert (bench.workspace / "secrets/plan.txt").read_text() == f"the plan: {CANARY}\nand less\n"


async def test_lines_around_a_change_label_it_even_where_the_model_never_saw_them(bench: Bench, shop: Shop) -> None:
    """A local model guesses a line of a file that must stay: the lines around it come from the file itself."""
    async with serving(Reply((PLAN,))) as local:
        answer = await done(bench.app(local_policy(local)), TASK)
    phase = only(answer)
    assert (phase.label, phase.patch, phase.code) == ("restricted", None, Code.ANSWER_WITHHELD)
    assert CANARY not in answer.model_dump_json()


@pytest.mark.parametrize("name", ["secrets/plan.txt", "secrets/none.txt"])
async def test_a_remote_model_learns_nothing_of_what_it_may_not_see(bench: Bench, shop: Shop, name: str) -> None:
    reach = f"--- a/{name}\n+++ b/{name}\n@@ -1,2 +1,2 @@\n-and more\n+and less\n"
    async with serving(Reply((reach,))) as remote:
        answer = await done(bench.app(remote_policy(remote)), TASK)
    phase = only(answer)
    assert (phase.code, phase.patch, len(remote.heard)) == (Code.PATCH_DOES_NOT_APPLY, None, 2)
    assert CANARY not in remote.heard_text
    told = json.dumps(remote.heard[1].asked["messages"][3]).replace(name, "NAME")
    assert "the change touches a file that this model may not see" in told
    assert "NAME: the change" in told
    assert told.count("NAME") == 1


async def test_a_secret_in_a_patch_keeps_it_here(bench: Bench, shop: Shop) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    async with serving(Reply((DIFF.replace("return 11", f"return '{token}'"),))) as remote:
        answer = await done(bench.app(remote_policy(remote)), TASK)
    phase = only(answer)
    assert (phase.label, phase.patch, phase.code) == ("restricted", None, Code.ANSWER_WITHHELD)
    assert token not in answer.model_dump_json()


async def test_a_name_in_a_withheld_change_is_not_told(bench: Bench, shop: Shop) -> None:
    wrong = f"--- a/{CANARY}.txt\n+++ b/{CANARY}.txt\n@@ -1 +1 @@\n-a\n+b\n"
    async with serving(Reply((wrong,))) as local:
        answer = await done(bench.app(local_policy(local)), SECRET_TASK)
    phase = only(answer)
    assert (phase.status, phase.code, phase.patch) == ("failed", Code.PATCH_DOES_NOT_APPLY, None)
    assert phase.withheld is not None
    assert phase.withheld.patch is None
    assert CANARY not in answer.model_dump_json()


async def test_a_host_that_may_have_answers_gets_the_patch(bench: Bench, shop: Shop) -> None:
    async with serving(Reply((PLAN,))) as local:
        policy = local_policy(local) + '[privacy]\nhost_answers = "return"\n'
        phase = only(await done(bench.app(policy), SECRET_TASK))
    assert (phase.label, phase.withheld) == ("restricted", None)
    shop.apply(phase.patch or "")


# --------------------------------------------------------------------------------------------------- what follows it


async def test_a_later_step_builds_on_the_patch_before_it(bench: Bench, shop: Shop) -> None:
    second = DIFF.replace("return 11", "return 12").replace("-    return 1\n", "-    return 11\n")
    steps = Task(text="Fix the return value of src/a.py, then refactor src/a.py")
    async with serving(GOOD, Reply((second,))) as server:
        answer = await done(bench.app(local_policy(server)), steps)
    assert [(phase.intent, phase.code) for phase in answer.phases] == [("edit", None), ("refactor", None)]
    assert "+    return 11" in server.heard[1].text
    assert [line.endswith("after that of phase 0") for line in (answer.next or "").splitlines()] == [False, True]
    for phase in answer.phases:
        shop.apply(phase.patch or "")
    assert (bench.workspace / "src/a.py").read_text() == NEW.replace("11", "12")


async def test_a_session_remembers_words_and_patch(bench: Bench, shop: Shop) -> None:
    async with serving(GOOD, Reply(("because",))) as server:
        app = bench.app(local_policy(server))
        async with app.running():
            first = await app.dispatch(TASK.model_copy(update={"session": "new"}))
            await app.dispatch(Task(text="Explain why you did that", session=first.session))
    assert f"It returns 11 now.\n\n{only(first).patch}" in server.heard[1].text


async def test_an_attached_file_is_no_file_of_the_workspace(bench: Bench, shop: Shop) -> None:
    task = Task(text="fix it", intent=Intent.EDIT, attachments=(Attachment(path="other.py", content=OLD),))
    async with serving(Reply((DIFF.replace("src/a.py", "other.py"),))) as server:
        phase = only(await done(bench.app(local_policy(server)), task))
    assert (phase.code, phase.patch) == (Code.PATCH_DOES_NOT_APPLY, None)


async def test_without_git_the_patch_says_who_proved_it(bench: Bench) -> None:
    bench.write("src/a.py", OLD)
    async with serving(GOOD) as server:
        phase = only(await done(bench.app(local_policy(server), PATH=str(bench.home)), TASK))
    assert "without git" in phase.detail
    Shop(bench.workspace).apply(phase.patch or "")
    assert subprocess.run(["git", "--version"], check=True, capture_output=True).returncode == 0
