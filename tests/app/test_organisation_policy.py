"""Every call under an organisation's policy, while that is in order and while it is not."""

from collections.abc import Callable
from pathlib import Path

import anyio
import pytest
from model_server import Reply, serving
from workbench import Bench, default, ollama, only

from smista_mcp.app import App
from smista_mcp.core.task import Task
from smista_mcp.core.values import Status
from smista_mcp.errors import Code, OrgPolicyInvalid

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")
VERBS: tuple[Callable[[App], object], ...] = (
    lambda app: app.classify(ASK.text),
    lambda app: app.route(ASK),
    lambda app: app.explain(task=ASK),
    lambda app: app.explain(last=True),
)
DENIED = '[models]\ndenied = ["ollama/*"]\n'


@pytest.fixture
def company(tmp_path: Path) -> Path:
    file = tmp_path / "company.toml"
    file.write_text(DENIED, encoding="utf-8")
    file.chmod(0o644)
    return file


def opened(bench: Bench, company: Path, *models: str) -> App:
    return bench.app(default(*models), SMISTA_ORG_POLICY=str(company))


def test_what_it_forbids_is_refused_and_its_hash_is_an_input(bench: Bench, company: Path) -> None:
    app = opened(bench, company, "ollama/m")
    (first,) = app.route(ASK).decisions
    assert (first.status, first.code) == (Status.REFUSED, Code.MODEL_NOT_ALLOWED)
    company.write_text(DENIED + "# and more\n", encoding="utf-8")
    (second,) = app.route(ASK).decisions
    assert first.inputs["organisation"] != second.inputs["organisation"]
    assert first.decision_id != second.decision_id


@pytest.mark.parametrize("wrong", ["writable", "empty", "malformed", "gone"])
def test_every_verb_is_refused_for_as_long_as_it_is_not_in_order(bench: Bench, company: Path, wrong: str) -> None:
    app = opened(bench, company, "host/current")
    app.route(ASK)
    if wrong == "writable":
        company.chmod(0o666)
    elif wrong == "gone":
        company.unlink()
    else:
        company.write_text("" if wrong == "empty" else "[models", encoding="utf-8")
    for verb in (*VERBS, *VERBS):
        with pytest.raises(OrgPolicyInvalid) as failure:
            verb(app)
        assert failure.value.code is Code.ORG_POLICY_INVALID
        assert "company.toml" in str(failure.value)
        assert failure.value.fix
    company.write_text(DENIED, encoding="utf-8")
    company.chmod(0o644)
    assert app.route(ASK).decisions[0].status is Status.HANDOFF


async def test_a_running_job_keeps_what_it_saw_and_no_other_is_begun(bench: Bench, company: Path) -> None:
    hold = anyio.Event()
    company.write_text('[models]\ndenied = ["openai/*"]\n', encoding="utf-8")
    async with serving(Reply(("at last",), hold=hold)) as server:
        app = bench.app(default("ollama/m") + ollama(server.root), SMISTA_ORG_POLICY=str(company))
        async with app.running():
            running = await app.dispatch(ASK, limit_s=0.1)
            await server.asked.wait()
            company.chmod(0o666)
            with pytest.raises(OrgPolicyInvalid):
                await app.dispatch(Task(text="What is a type?"))
            hold.set()
            assert running.job_id is not None
            answer = await app.join(running.job_id)
            assert (answer.status, only(answer).answer) == ("completed", "at last")


def test_a_locked_key_is_noticed_by_every_answer(bench: Bench, company: Path) -> None:
    company.write_text('locked = ["routing.overrides"]\n', encoding="utf-8")
    app = bench.app(default("host/current") + '[routing]\noverrides = "allow"\n', SMISTA_ORG_POLICY=str(company))
    for notices in (app.classify("x").notices, app.route(ASK).notices, app.explain(task=ASK).notices):
        assert any("`routing.overrides` (1)" in notice for notice in notices)
