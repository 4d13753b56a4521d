"""A headless CLI as provider: real processes, through both gates, in an empty folder, and gone afterwards."""

# What a process of its own does, nothing tells but its files.
# ruff: noqa: ASYNC110
import json
import os
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any

import anyio
import pytest
from fake_cli import ANSWER, fake_cli, heard
from raw_host import is_running
from workbench import ALLOWED, Bench, default, done, only, reports

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.core.values import Effort
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

FILE = "def answer():\n    return 41 + 1\n"
SECRET = "the canary of this test is yellow\n"
TASK = Task(text="explain @src/answer.py", effort=Effort.HIGH)


def policy(command: Path, more: str = "", model: str = "gpt-x") -> str:
    declared = f'[providers."cli:codex"]\ntype = "cli"\ncommand = {json.dumps(str(command))}\n{more}'
    return ALLOWED + default(f"cli:codex/{model}") + '[privacy]\nrestricted_paths = ["secrets/**"]\n' + declared


async def asked(
    bench: Bench, tmp_path: Path, body: str, more: str = "", *, version: str | None = "0.169.0", **env: str
) -> tuple[DispatchAnswer, Any]:
    """What becomes of the task with such a CLI, and the application that was asked."""
    bench.write("src/answer.py", FILE)
    bench.write("secrets/plan.txt", SECRET)
    app = bench.app(policy(fake_cli(tmp_path / "cli", body, version=version), more), **env)
    return await done(app, TASK), app


def nothing_left(bench: Bench) -> bool:
    return list((bench.state / "clis").glob("*")) == []


async def test_an_answer_comes_with_what_it_took(bench: Bench, tmp_path: Path) -> None:
    answer, app = await asked(bench, tmp_path, "answer()")
    phase = only(answer)
    assert (phase.status, phase.answer, phase.code) == ("completed", ANSWER, None)
    assert phase.usage is not None
    assert (phase.usage.input_tokens, phase.usage.cached_input_tokens, phase.usage.output_tokens) == (12, 2, 5)
    assert phase.cost is None
    (report,) = reports(app, answer)
    assert report.receipt is not None
    assert (report.receipt.method, report.receipt.address) == ("PIPE", "cli:codex")
    assert (report.receipt.effort, report.receipt.unmediated) == (Effort.HIGH, False)
    given = heard(tmp_path / "cli")
    assert report.receipt.body_bytes == len(str(given["asked"]).encode())
    assert nothing_left(bench)


async def test_it_gets_the_texts_and_nothing_else(bench: Bench, tmp_path: Path) -> None:
    await asked(bench, tmp_path, "answer()", OPENAI_API_KEY="k", CODEX_SANDBOX="1", LETHERPASS="x")
    given: dict[str, Any] = heard(tmp_path / "cli")
    assert given["inside"] == []
    assert FILE in given["asked"]
    assert SECRET not in given["asked"]
    assert not {"OPENAI_API_KEY", "CODEX_SANDBOX", "LETHERPASS", "SMISTA_HOME"} & set(given["env"])
    assert given["env"]["HOME"] != str(bench.home)
    assert given["env"]["SMISTA_DELEGATE"] == "1"
    assert Path(given["cwd"]).is_relative_to(bench.state / "clis")
    words = given["argv"]
    assert words[words.index("-m") + 1] == "gpt-x"
    assert 'model_reasoning_effort="high"' in words
    assert words[-1] == "-"


async def test_a_variable_that_is_let_through_is(bench: Bench, tmp_path: Path) -> None:
    await asked(bench, tmp_path, "answer()", 'variables = ["GATEWAY_KEY"]\n', GATEWAY_KEY="k")
    given: dict[str, Any] = heard(tmp_path / "cli")
    assert given["env"]["GATEWAY_KEY"] == "k"


async def test_the_model_that_it_is_set_to_needs_no_name(bench: Bench, tmp_path: Path) -> None:
    bench.write("src/answer.py", FILE)
    app = bench.app(policy(fake_cli(tmp_path / "cli", "answer()"), model="default"))
    assert only(await done(app, TASK)).answer == ANSWER
    given: dict[str, Any] = heard(tmp_path / "cli")
    assert "-m" not in given["argv"]


async def test_a_receipt_says_where_no_cli_was_started(bench: Bench, tmp_path: Path) -> None:
    app = bench.app(policy(fake_cli(tmp_path / "cli", "answer()"), model="-x"))
    (report,) = reports(app, await done(app, Task(text="What is a unit test?")))
    assert (report.code, report.receipt and report.receipt.departed) == (Code.UNKNOWN_MODEL, False)
    assert not (tmp_path / "cli" / "heard.json").exists()


async def test_where_a_plan_pays_it_costs_nothing_more(bench: Bench, tmp_path: Path) -> None:
    (bench.home / ".codex").mkdir()
    (bench.home / ".codex" / "auth.json").write_text('{"auth_mode": "chatgpt", "OPENAI_API_KEY": null}')
    answer, app = await asked(
        bench, tmp_path, "answer()", '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "0.1"\n'
    )
    assert Decimal(only(answer).cost or "1") == 0
    (decision,) = app.route(TASK).decisions
    assert decision.cost is not None
    assert (decision.cost.kind, decision.cost.max) == ("plan", "0")
    assert [(one.cost, one.cost_kind) for one in reports(app, answer)] == [("0", "plan")]


async def test_an_unknown_price_is_refused_where_a_budget_holds(bench: Bench, tmp_path: Path) -> None:
    answer, _ = await asked(bench, tmp_path, "answer()", '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "0.1"\n')
    assert (only(answer).status, only(answer).code) == ("refused", Code.PRICE_UNKNOWN)


async def test_where_a_list_price_is_paid_nothing_holds_it_to_a_limit(bench: Bench, tmp_path: Path) -> None:
    price = '[catalog."cli:codex/gpt-x"]\ninput_price = "1"\noutput_price = "1"\n'
    answer, app = await asked(bench, tmp_path, "answer()", price)
    (report,) = reports(app, answer)
    assert (report.cost, report.cost_kind) == ("0.000017", "list")
    budget = '[[budgets]]\nscope = "all"\nperiod = "day"\nlimit = "100"\n'
    refused, _ = await asked(bench, tmp_path, "answer()", price + budget)
    assert (only(refused).status, only(refused).code) == ("refused", Code.PRICE_UNKNOWN)


async def test_a_restricted_file_goes_to_no_cli(bench: Bench, tmp_path: Path) -> None:
    bench.write("secrets/plan.txt", SECRET)
    app = bench.app(policy(fake_cli(tmp_path / "cli", "answer()")))
    answer = await done(app, Task(text="explain @secrets/plan.txt"))
    assert (only(answer).status, only(answer).code) == ("refused", Code.RESTRICTED_CONTENT)
    assert not (tmp_path / "cli" / "heard.json").exists()


@pytest.mark.parametrize("version", ["0.168.9", "1.0.0", None])
async def test_a_version_that_nobody_has_seen_is_no_candidate(
    bench: Bench, tmp_path: Path, version: str | None
) -> None:
    answer, app = await asked(bench, tmp_path, "answer()", version=version)
    assert (only(answer).status, only(answer).code) == ("refused", Code.RESTRICTED_CONTENT)
    (decision,) = app.route(TASK).decisions
    assert [(one.model, one.code) for one in decision.rejected] == [("cli:codex/gpt-x", Code.RESTRICTED_CONTENT)]
    assert not (tmp_path / "cli" / "heard.json").exists() or heard(tmp_path / "cli")["argv"] == ["--version"]


async def test_who_lets_it_look_around_is_told_so(bench: Bench, tmp_path: Path) -> None:
    answer, app = await asked(bench, tmp_path, "answer()", "unmediated = true\n", version="0.100.0")
    assert only(answer).answer == ANSWER
    (report,) = reports(app, answer)
    assert report.receipt is not None
    assert report.receipt.unmediated


@pytest.mark.parametrize(
    ("body", "code"),
    [
        ("sys.exit(3)", Code.PROVIDER_PROTOCOL),
        ("print('not json at all'); print('{')", Code.PROVIDER_PROTOCOL),
        ("print('Not logged in', file=sys.stderr); sys.exit(1)", Code.PROVIDER_AUTH),
        ("say(type='turn.failed', error=dict(message='HTTP 429 slow down')); sys.exit(1)", Code.PROVIDER_RATE_LIMITED),
        ("answer('')", Code.EMPTY_COMPLETION),
        ("sys.stdout.write('x' * 5_000_000)", Code.PROVIDER_PROTOCOL),
        ("os.kill(os.getpid(), 9)", Code.PROVIDER_PROTOCOL),
    ],
)
async def test_each_failure_has_its_code(bench: Bench, tmp_path: Path, body: str, code: Code) -> None:
    answer, _ = await asked(bench, tmp_path, body)
    assert [row[2] for row in bench.attempts(answer)] == [code]
    assert nothing_left(bench)


async def test_what_it_complains_of_is_not_repeated_as_it_is(bench: Bench, tmp_path: Path) -> None:
    key = "sk-proj-" + "a1B2" * 12
    answer, _ = await asked(bench, tmp_path, f"print('bad key {key}', file=sys.stderr); sys.exit(1)")
    assert key not in answer.model_dump_json()


async def test_a_cli_that_is_not_there_is_no_candidate(bench: Bench, tmp_path: Path) -> None:
    bench.write("src/answer.py", FILE)
    app = bench.app(policy(tmp_path / "none"))
    (decision,) = app.route(TASK).decisions
    assert [one.code for one in decision.rejected] == [Code.PROVIDER_UNAVAILABLE]


async def test_silence_ends_it_and_all_that_it_started(bench: Bench, tmp_path: Path) -> None:
    body = """
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (HERE / "child").write_text(str(child.pid))
    time.sleep(600)
    """
    answer, _ = await asked(bench, tmp_path, body, "[dispatch]\ndeadline_s = 2\n")
    assert [row[2] for row in bench.attempts(answer)] == [Code.PROVIDER_TIMEOUT]
    for pid in (heard(tmp_path / "cli")["pid"], int((tmp_path / "cli" / "child").read_text())):
        assert isinstance(pid, int)
        assert not is_running(pid)
    assert nothing_left(bench)


async def test_a_child_that_it_leaves_behind_ends_with_it(bench: Bench, tmp_path: Path) -> None:
    body = """
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (HERE / "child").write_text(str(child.pid))
    answer()
    """
    answer, _ = await asked(bench, tmp_path, body)
    assert only(answer).answer == ANSWER
    assert not is_running(int((tmp_path / "cli" / "child").read_text()))


async def test_cancelling_ends_it(bench: Bench, tmp_path: Path) -> None:
    bench.write("src/answer.py", FILE)
    app = bench.app(policy(fake_cli(tmp_path / "cli", "time.sleep(600)")))
    noted = tmp_path / "cli" / "heard.json"
    async with app.running(), anyio.create_task_group() as tasks:
        tasks.start_soon(app.dispatch, TASK)
        while not noted.exists() or not noted.read_text():
            await anyio.sleep(0.01)
        tasks.cancel_scope.cancel()
    pid = heard(tmp_path / "cli")["pid"]
    assert isinstance(pid, int)
    assert not is_running(pid)
    assert nothing_left(bench)


async def test_what_it_writes_goes_with_its_folder(bench: Bench, tmp_path: Path) -> None:
    body = "pathlib.Path('written').write_text('x'); pathlib.Path(os.environ['HOME'], 'y').write_text('x'); answer()"
    answer, _ = await asked(bench, tmp_path, body)
    assert only(answer).answer == ANSWER
    assert nothing_left(bench)
    assert [path.name for path in (bench.workspace / "src").iterdir()] == ["answer.py"]


async def test_a_renewed_login_is_renewed_where_it_was(bench: Bench, tmp_path: Path) -> None:
    (bench.home / ".codex").mkdir()
    login = bench.home / ".codex" / "auth.json"
    login.write_text("old")
    (bench.home / ".codex" / "config.toml").write_text('model_provider = "mine"\n[mcp_servers.smista]\ncommand = "x"\n')
    body = """
    home = pathlib.Path(os.environ["CODEX_HOME"])
    (HERE / "config").write_text((home / "config.toml").read_text())
    (home / "auth.json").write_text("new")
    answer()
    """
    answer, _ = await asked(bench, tmp_path, body)
    assert only(answer).answer == ANSWER
    assert login.read_text() == "new"
    assert (tmp_path / "cli" / "config").read_text().split() == ["model_provider", "=", '"mine"']


async def test_our_own_end_ends_it(bench: Bench, tmp_path: Path) -> None:
    body = """
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(600)"], start_new_session=True)
    (HERE / "child").write_text(str(child.pid))
    time.sleep(600)
    """
    bench.write("src/answer.py", FILE)
    bench.write_policy(policy(fake_cli(tmp_path / "cli", body)))
    environment = {"SMISTA_HOME": str(bench.home), "HOME": str(bench.home), "PATH": os.environ["PATH"]}
    command = [sys.executable, "-m", "smista_mcp", "dispatch", TASK.text, "--yes", "--json"]
    process = await anyio.open_process(
        [*command, "--workspace", str(bench.workspace)], env=environment, cwd=bench.workspace
    )
    noted = tmp_path / "cli" / "child"
    while not noted.exists() or not noted.read_text():
        await anyio.sleep(0.01)
    process.kill()
    await process.aclose()
    pids = [heard(tmp_path / "cli")["pid"], int(noted.read_text())]
    with anyio.fail_after(20):
        while any(is_running(pid) for pid in pids if isinstance(pid, int)) or not nothing_left(bench):
            await anyio.sleep(0.01)


async def test_a_server_that_a_cli_of_ours_starts_does_not_serve(bench: Bench) -> None:
    environment = {"SMISTA_HOME": str(bench.home), "HOME": str(bench.home), "PATH": os.environ["PATH"]}
    done = await anyio.run_process(
        [sys.executable, "-m", "smista_mcp", "serve-stdio"],
        env={**environment, "SMISTA_DELEGATE": "1"},
        cwd=bench.workspace,
        check=False,
    )
    assert (done.returncode, done.stdout) == (2, b"")
    assert b"invalid_task" in done.stderr
