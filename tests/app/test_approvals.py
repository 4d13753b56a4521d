"""A person's yes: what it lets happen, once, and what it never does."""

import subprocess
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path

import anyio
import anyio.to_thread
import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, done, ollama, only, reports

from smista_mcp.app import App, Caller
from smista_mcp.app.consents import Consents
from smista_mcp.core.asked import CallRequest, ReleaseRequest
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.errors import Code, NotFound
from smista_mcp.ledger.approvals import ApprovalBook

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
ASK = Task(text="What is a unit test?")
FILE = Task(text="explain src/a.py", paths=("src/a.py",))
SECRET = Task(text="explain secrets/plan.txt")
STEPS = Task(text="Explain secrets/plan.txt, then write a README")
A, B = "openai-compat:a/m", "openai-compat:b/m"
LIMIT = '[[routing.rules]]\nname = "cheap"\nmodel = "{model}"\ncost_limit = "0.000001"\n'
LOCAL_THEN = '[[routing.rules]]\nname = "questions stay"\nintent = "chat"\nmodel = "ollama/m"\n'


def yes(app: App, answer: DispatchAnswer, *, session: bool = False) -> None:
    assert answer.approval_id is not None
    Consents(app.world).grant(answer.approval_id, "terminal", session=session)


def state(bench: Bench, answer: DispatchAnswer) -> str:
    assert answer.approval_id is not None
    return ApprovalBook.open(bench.state).stored(answer.approval_id, datetime.now(UTC)).state


@pytest.fixture
def secret(bench: Bench) -> Path:
    return bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")


# ---------------------------------------------------------------------------------------------------- remote models


async def test_a_yes_lets_the_same_call_go_on_once(bench: Bench) -> None:
    async with serving(Reply(("one",)), Reply(("two",))) as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(ASK)
            assert (first.status, remote.heard) == ("approval_required", [])
            assert first.approval_id is not None
            assert f"smista-mcp approve {first.approval_id[:8]}" in (first.next or "")
            yes(app, first)
            second = await app.dispatch(ASK)
            third = await app.dispatch(ASK)
    assert (second.status, only(second).answer) == ("completed", "one")
    assert (second.job_id, state(bench, first)) == (first.job_id, "used")
    assert (third.status, len(remote.heard)) == ("approval_required", 1)
    assert third.approval_id != first.approval_id


async def test_a_person_is_asked_about_the_very_cost_that_route_shows(bench: Bench) -> None:
    async with serving(Reply(("one",))) as remote:
        app = bench.app(LIMIT.format(model=A) + compat("a", remote.v1, price="100") + ALLOWED)
        async with app.running():
            (decision,) = (await anyio.to_thread.run_sync(app.route, ASK)).decisions
            first = await app.dispatch(ASK)
            assert first.approval_id is not None
            request = Consents(app.world).stored(first.approval_id).request
            assert isinstance(request, CallRequest)
            assert decision.cost is not None
            assert request.most == request.phases[0].targets[0].cost == decision.cost.max
            assert f"{decision.cost.max} USD at most" in (first.next or "")
            yes(app, first)
            second = await app.dispatch(ASK)
    assert second.status == "completed"
    (row,) = bench.trace(second.trace_id).attempts
    assert Decimal(row.cost or "x") <= Decimal(row.reserved or 0) <= Decimal(decision.cost.max)


async def test_a_job_goes_on_by_its_id(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(ASK)
            assert first.job_id is not None
            assert (await app.join(first.job_id)).status == "approval_required"
            yes(app, first)
            assert (await app.join(first.job_id)).status == "completed"
            assert (await app.join(first.job_id)).status == "completed"
    assert len(remote.heard) == 1


async def test_who_only_looks_at_a_job_spends_no_yes(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(ASK)
            job_id = first.job_id or ""
            yes(app, first)
            looked = await app.kept(job_id, Caller())
            assert (looked.status, remote.heard, state(bench, first)) == ("approval_required", [], "granted")
            assert (await app.join(job_id)).status == "completed"
            assert (await app.kept(job_id, Caller())).status == "completed"
    assert (len(remote.heard), state(bench, first)) == (1, "used")


async def test_a_yes_is_found_by_another_process_and_spent_there(bench: Bench) -> None:
    async with serving() as remote:
        policy = default(A) + compat("a", remote.v1)
        app = bench.app(policy)
        async with app.running():
            first = await app.dispatch(ASK)
            yes(app, first)
        later = bench.app(policy)
        assert later.route(ASK).decisions[0].status == "routed"
        assert "approvals" in later.route(ASK).decisions[0].inputs
        async with later.running():
            assert (await later.dispatch(ASK)).status == "completed"
        assert later.route(ASK).decisions[0].status == "approval_required"
    assert len(remote.heard) == 1


async def test_of_two_dispatches_one_gets_the_yes(bench: Bench) -> None:
    async with serving() as remote:
        policy = default(A) + compat("a", remote.v1)
        apps = [bench.app(policy), bench.app(policy)]
        answers: list[DispatchAnswer] = []
        async with apps[0].running(), apps[1].running():
            yes(apps[0], await apps[0].dispatch(ASK))

            async def run(app: App) -> None:
                answers.append(await app.dispatch(ASK))

            async with anyio.create_task_group() as group:
                for app in apps:
                    group.start_soon(run, app)
    assert sorted(answer.status for answer in answers) == ["approval_required", "completed"]
    assert len(remote.heard) == 1


@pytest.mark.parametrize("session", [False, True])
async def test_a_yes_is_for_the_caller_that_asked(bench: Bench, *, session: bool) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            yes(app, await app.dispatch(ASK, Caller("codex")), session=session)
            for other in (Caller("cursor"), Caller("codex", over_http=True), Caller()):
                assert (await app.dispatch(ASK, other)).status == "approval_required"
            assert remote.heard == []
            assert (await app.dispatch(ASK, Caller("codex"))).status == "completed"


async def test_a_changed_byte_is_another_call(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(FILE)
            yes(app, first)
            bench.write("src/a.py", "x = 2\n")
            second = await app.dispatch(FILE)
            assert (second.status, remote.heard) == ("approval_required", [])
            assert second.approval_id != first.approval_id
            bench.write("src/a.py", "x = 1\n")
            assert (await app.dispatch(FILE)).status == "completed"
    assert len(remote.heard) == 1


@pytest.mark.parametrize("change", ["target", "address", "price", "words"])
async def test_another_target_address_price_or_word_is_another_call(bench: Bench, change: str) -> None:
    async with serving() as remote, serving() as other:
        first_policy = default(A) + compat("a", remote.v1, price="1") + compat("b", other.v1, price="1")
        app = bench.app(first_policy)
        async with app.running():
            yes(app, await app.dispatch(ASK))
            policies = {
                "target": first_policy.replace(default(A), default(B)),
                "address": default(A) + compat("a", other.v1, price="1"),
                "price": default(A) + compat("a", remote.v1, price="2"),
            }
            bench.write_policy(policies.get(change, first_policy))
            task = ASK.model_copy(update={"text": f"{ASK.text} "}) if change == "words" else ASK
            assert (await app.dispatch(task)).status == "approval_required"
    assert remote.heard == other.heard == []


async def test_a_fallback_is_covered_with_the_first_target(bench: Bench) -> None:
    async with serving(Reply(status=402)) as remote, serving(Reply(("from b",))) as other:
        app = bench.app(default(A, B) + compat("a", remote.v1) + compat("b", other.v1))
        async with app.running():
            yes(app, await app.dispatch(ASK))
            answer = await app.dispatch(ASK)
    assert only(answer).answer == "from b"
    assert len(remote.heard) == 1


async def test_a_yes_is_not_spent_where_a_local_model_answers(bench: Bench) -> None:
    async with serving() as remote, serving(Reply(status=402), Reply(("here",))) as local:
        app = bench.app(default("ollama/m", A) + compat("a", remote.v1) + ollama(local.root))
        async with app.running():
            first = await app.dispatch(ASK)
            assert first.status == "approval_required"
            yes(app, first)
            assert only(await app.dispatch(ASK)).answer == "here"
    assert (remote.heard, state(bench, first)) == ([], "granted")


async def test_a_yes_ends_after_a_day(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        async with app.running():
            first = await app.dispatch(ASK)
            assert first.approval_id is not None
            stored = Consents(app.world).stored(first.approval_id)
            book, before = ApprovalBook.open(bench.state), datetime.now(UTC) - timedelta(hours=25)
            assert stored.request is not None
            old = book.request(stored.key, stored.request, workspace="elsewhere", host="x", now=before)
            book.grant(old, "terminal", before)
            assert (await app.dispatch(ASK)).status == "approval_required"
    assert remote.heard == []


async def test_a_session_covers_the_provider_in_this_workspace_and_nothing_else(bench: Bench, secret: Path) -> None:
    bench.write("src/a.py", "x = 1\n")
    async with serving() as remote, serving() as other:
        providers = compat("a", remote.v1, price="1000") + compat("b", other.v1)
        app = bench.app(default(A) + providers)
        async with app.running():
            yes(app, await app.dispatch(ASK), session=True)
            assert (await app.dispatch(ASK)).status == "completed"
            assert (await app.dispatch(FILE)).status == "completed"
            assert (await app.dispatch(SECRET)).code == Code.RESTRICTED_CONTENT
            bench.write_policy(default(B) + providers)
            assert (await app.dispatch(ASK)).status == "approval_required"
            bench.write_policy(LIMIT.format(model=A) + providers)
            assert (await app.dispatch(ASK)).status == "approval_required"
    assert (len(remote.heard), other.heard) == (2, [])


async def test_denied_is_denied_whatever_was_approved(bench: Bench) -> None:
    async with serving() as remote:
        policy = default(A) + compat("a", remote.v1)
        app = bench.app(policy)
        async with app.running():
            yes(app, await app.dispatch(ASK), session=True)
            bench.write_policy(policy + '[privacy.remote]\nmode = "deny"\n')
            answer = await app.dispatch(ASK)
    assert (answer.status, remote.heard) == ("refused", [])


async def test_a_forged_id_answers_nothing(bench: Bench) -> None:
    app = bench.app(default(A))
    with pytest.raises(NotFound):
        Consents(app.world).grant("0" * 32, "terminal")


# ------------------------------------------------------------------------------------------------------------- cost


async def test_a_yes_lifts_the_limit_of_a_rule_up_to_what_was_shown(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(LIMIT.format(model=A) + compat("a", remote.v1, price="5") + ALLOWED)
        async with app.running():
            first = await app.dispatch(ASK)
            assert (first.status, remote.heard) == ("approval_required", [])
            request = Consents(app.world).stored(first.approval_id or "").request
            assert isinstance(request, CallRequest)
            assert (request.needs, request.most is not None) == (("cost",), True)
            yes(app, first)
            second = await app.dispatch(ASK)
    assert (second.status, len(remote.heard)) == ("completed", 1)


async def test_a_budget_is_lifted_by_nobody(bench: Bench) -> None:
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "0.000001"\n'
    async with serving() as remote:
        policy = LIMIT.format(model=A) + compat("a", remote.v1, price="5") + ALLOWED
        app = bench.app(policy)
        async with app.running():
            yes(app, await app.dispatch(ASK))
            bench.write_policy(policy + budget)
            answer = await app.dispatch(ASK)
    assert (answer.status, remote.heard) != ("completed", [])
    assert remote.heard == []


# ---------------------------------------------------------------------------------------------------------- release


async def test_a_released_text_reaches_the_host_marked_and_is_recorded(bench: Bench, secret: Path) -> None:
    async with serving(Reply(("it says ", CANARY))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        async with app.running():
            first = await app.dispatch(SECRET)
            phase = only(first)
            assert (phase.code, phase.answer, phase.released) == (Code.ANSWER_WITHHELD, None, False)
            assert phase.withheld is not None
            assert (phase.withheld.approval_id, first.job_id is not None) == (first.approval_id, True)
            assert phase.withheld.path in (first.next or "")
            consents = Consents(app.world)
            request = consents.stored(first.approval_id or "").request
            assert isinstance(request, ReleaseRequest)
            assert (consents.text_of(request), request.destinations) == (f"it says {CANARY}", ("host",))
            assert CANARY not in request.model_dump_json()
            for known in (phase.trace_id, first.approval_id):
                (kept,) = app.explain(known).phases[0].withheld
                assert (kept.path, kept.approval_id, kept.state) == (phase.withheld.path, first.approval_id, "open")
            yes(app, first)
            second = await app.dispatch(SECRET)
            again = await app.join(first.job_id or "")
    assert (only(second).answer, only(second).released, only(second).label) == (f"it says {CANARY}", True, "restricted")
    assert (only(again).answer, len(local.heard)) == (f"it says {CANARY}", 1)
    stored = ApprovalBook.open(bench.state).stored(first.approval_id or "", datetime.now(UTC))
    assert [event.event for event in stored.events][:3] == ["requested", "granted", "used"]
    assert stored.events[2].trace_id == phase.trace_id


async def test_a_text_that_was_changed_in_its_file_is_not_shown(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        async with app.running():
            first = await app.dispatch(SECRET)
    consents = Consents(app.world)
    request = consents.stored(first.approval_id or "").request
    assert isinstance(request, ReleaseRequest)
    Path(request.file).write_text("harmless", encoding="utf-8")
    with pytest.raises(Exception, match="not the text"):
        consents.text_of(request)


async def test_another_text_of_the_same_task_is_not_released(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,)), Reply((f"{CANARY} more",))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        async with app.running():
            yes(app, await app.dispatch(SECRET))
            bench.write("secrets/plan.txt", "another plan\n")
            second = await app.dispatch(SECRET)
    assert (only(second).answer, only(second).code) == (None, Code.ANSWER_WITHHELD)


async def test_a_released_text_goes_to_the_models_of_the_next_step(bench: Bench, secret: Path) -> None:
    async with serving(Reply(("a readme",))) as remote, serving(Reply((CANARY,))) as local:
        app = bench.app(LOCAL_THEN + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        async with app.running():
            first = await app.dispatch(STEPS)
            assert [phase.status for phase in first.phases] == ["completed", "refused"]
            request = Consents(app.world).stored(first.approval_id or "").request
            assert isinstance(request, ReleaseRequest)
            assert request.destinations == ("host", f"{A} at {remote.v1}")
            yes(app, first)
            second = await app.join(first.job_id or "")
    assert [phase.status for phase in second.phases] == ["completed", "completed"]
    assert (len(local.heard), len(remote.heard), CANARY in remote.heard_text) == (1, 1, True)
    made = second.phases[1]
    assert (made.answer, made.label, made.code) == (None, "restricted", Code.ANSWER_WITHHELD)
    rows = reports(app, second)
    assert rows[-1].receipt is not None
    assert [item.path for item in rows[-1].receipt.sent] == ["answer of phase 0"]
    assert (first.approval_id or "-") in rows[-1].receipt.sent[0].reason
    (used,) = app.explain(second.phases[1].trace_id).phases[0].approvals
    assert (used.approval_id, used.kind, used.text_hash) == (
        first.approval_id,
        "release",
        rows[-1].receipt.sent[0].sha256,
    )


@pytest.mark.parametrize("known", ["granted", "used"])
async def test_a_text_that_was_let_go_before_is_shown_without_a_question(
    bench: Bench, secret: Path, known: str
) -> None:
    async with serving(Reply((CANARY,)), Reply((CANARY,))) as local:
        policy = default("ollama/m") + ollama(local.root)
        app = bench.app(policy)
        async with app.running():
            first = await app.dispatch(SECRET)
            yes(app, first)
            if known == "used":
                assert only(await app.dispatch(SECRET)).answer == CANARY
        later = bench.app(policy)
        async with later.running():
            second = await later.dispatch(SECRET)
    assert (only(second).answer, only(second).released, second.approval_id, second.next) == (CANARY, True, None, None)
    (used,) = app.explain(only(second).trace_id).phases[0].approvals
    assert (used.approval_id, len(local.heard)) == (first.approval_id, 2)


async def test_what_comes_from_blocked_paths_is_released_by_nobody(bench: Bench) -> None:
    bench.write("vault/plan.txt", f"{CANARY}\n")
    blocked = '[privacy.remote]\nmode = "allow"\nblocked_paths = ["vault/**"]\n'
    async with serving() as remote, serving(Reply((CANARY,))) as local:
        app = bench.app(LOCAL_THEN + default(A) + compat("a", remote.v1) + ollama(local.root) + blocked)
        async with app.running():
            answer = await app.dispatch(Task(text="Explain vault/plan.txt, then write a README"))
    first = answer.phases[0]
    assert first.withheld is not None
    assert (first.withheld.approval_id, answer.approval_id, remote.heard) == (None, None, [])


async def test_a_text_with_a_secret_in_it_is_released_by_nobody(bench: Bench, secret: Path) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    async with serving(Reply((f"the token is {token}",))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root))
        async with app.running():
            answer = await app.dispatch(SECRET)
    phase = only(answer)
    assert phase.withheld is not None
    assert (phase.withheld.approval_id, answer.approval_id) == (None, None)
    assert "github_token-" in phase.withheld.reason
    assert "[secrets] allow" in phase.withheld.held
    assert token not in answer.model_dump_json()


async def test_a_secret_that_a_remote_model_writes_is_not_said_to_come_from_restricted_files(bench: Bench) -> None:
    token = "ghp_" + "a1B2c3D4e5F6g7H8i9J0" + "k1L2m3N4o5P6q7R8"
    async with serving(Reply((f"use {token}",))) as remote:
        answer = await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), ASK)
    phase = only(answer)
    assert (phase.code, phase.withheld is not None) == (Code.ANSWER_WITHHELD, True)
    assert ("github_token-" in (answer.next or ""), "restricted content" in (answer.next or "")) == (True, False)


async def test_a_binding_rule_keeps_a_text_from_models_whatever_a_person_says(bench: Bench, secret: Path) -> None:
    rule = '[[routing.rules]]\nname = "own"\npaths = ["secrets/**"]\nmodel = "ollama/m"\nlocal_only = true\n'
    async with serving() as remote, serving(Reply((CANARY,))) as local:
        app = bench.app(rule + LOCAL_THEN + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        async with app.running():
            first = await app.dispatch(STEPS)
            request = Consents(app.world).stored(first.approval_id or "").request
            assert isinstance(request, ReleaseRequest)
            assert request.destinations == ("host",)
            yes(app, first)
            second = await app.join(first.job_id or "")
    assert [phase.status for phase in second.phases] == ["completed", "refused"]
    assert remote.heard == []


async def test_a_part_that_a_rule_keeps_here_keeps_the_text_from_models(bench: Bench, secret: Path) -> None:
    bench.write("src/auth/a.py", "a = 1\n")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(bench.workspace)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *command], check=True)
    bench.write("src/auth/a.py", "a = 2\n")
    rule = '[[routing.rules]]\nname = "auth"\npaths = ["src/auth/**"]\nmodel = "ollama/m"\nlocal_only = true\n'
    async with serving() as remote, serving(Reply((CANARY,))) as local:
        docs = f'[[routing.rules]]\nname = "docs"\nintent = "document"\nmodel = "{A}"\n'
        app = bench.app(docs + rule + default("ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(Task(text="Rename the plan in secrets/plan.txt, then write the docs"))
        request = Consents(app.world).stored(answer.approval_id or "").request
    assert isinstance(request, ReleaseRequest)
    assert ("a = 2" in local.heard_text, request.destinations) == (True, ("host",))


async def test_an_organisation_that_says_file_keeps_it_from_the_host(bench: Bench, secret: Path) -> None:
    org = bench.home / "org.toml"
    org.write_text('[privacy]\nhost_answers = "file"\n', encoding="utf-8")
    org.chmod(0o600)
    async with serving(Reply((CANARY,))) as local:
        app = bench.app(default("ollama/m") + ollama(local.root), SMISTA_ORG_POLICY=str(org))
        async with app.running():
            answer = await app.dispatch(SECRET)
    kept = only(answer).withheld
    assert (answer.approval_id, kept is not None and "organisation" in kept.held) == (None, True)


async def test_who_cannot_change_the_mode_is_not_told_to(bench: Bench) -> None:
    org = bench.home / "org.toml"
    org.write_text('[privacy.remote]\nmode = "ask"\n', encoding="utf-8")
    org.chmod(0o600)
    async with serving() as remote:
        policy = default(A) + compat("a", remote.v1)
        free, bound = bench.app(policy), bench.app(policy, SMISTA_ORG_POLICY=str(org))
        told = [(await done(app, ASK)).next or "" for app in (free, bound)]
        changed = [app.explain(task=ASK).phases[0].changes[0] for app in (free, bound)]
    for words in (told, changed):
        assert ['mode = "allow"' in text for text in words] == [True, False]
        assert "organisation" in words[1]


async def test_where_nothing_can_be_kept_nobody_is_asked(bench: Bench) -> None:
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1))
        bench.state.mkdir()
        (bench.state / "ledger.db").write_text("no database", encoding="utf-8")
        async with app.running():
            answer = await app.dispatch(ASK)
    assert (answer.status, answer.approval_id, remote.heard) == ("approval_required", None, [])


async def test_no_form_counts_for_a_stranger_over_http(bench: Bench) -> None:
    async with serving() as remote:
        policy = default(A) + compat("a", remote.v1)
        for known, stranger in ((False, Caller("claude-code", over_http=True)), (True, Caller("claude-code"))):
            app = bench.app(policy)
            async with app.running():
                answer = await app.dispatch(ASK, stranger)
                assert (app.question(answer.approval_id or "", stranger) is not None) is known
        believed = bench.app(policy, SMISTA_HOST="claude-code")
        async with believed.running():
            answer = await believed.dispatch(ASK, Caller("x", over_http=True))
            assert believed.question(answer.approval_id or "", Caller("x", over_http=True))
