"""State that a repository could have brought: it is not believed, nothing is added to it, nothing of it leaves."""

import os
from pathlib import Path

import anyio.to_thread
import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama, only

from smista_mcp.app import open_app
from smista_mcp.app.application import App
from smista_mcp.core.task import Task
from smista_mcp.core.values import Locality, Status
from smista_mcp.errors import Code, StateUnavailable
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

pytestmark = pytest.mark.anyio

A = "openai-compat:a/m"
CANARY = "canary-51f7"


def opened(bench: Bench, policy: str) -> App:
    """The application with its state below the workspace and the user's policy outside."""
    file = bench.home / "policy.toml"
    file.write_text(policy, encoding="utf-8")
    variables = {"HOME": str(bench.home), "SMISTA_HOME": str(bench.workspace / "own"), "PATH": os.environ["PATH"]}
    environment = Environment.read(variables)
    return open_app(Settings(environment=environment, workspace=bench.workspace, policy_file=file))


def test_key_ledger_and_models_of_it_are_neither_used_nor_made(bench: Bench) -> None:
    key = bench.write("own/state/key", "A" * 32)
    before = sorted(key.parent.iterdir())
    app = opened(bench, default("host/current"))
    (decision,) = app.route(Task(text="What is a unit test?")).decisions
    assert (decision.status, decision.recorded) == (Status.HANDOFF, False)
    assert app.world.key() == b""
    for use in (app.world.open_ledger, app.world.own_state):
        with pytest.raises(StateUnavailable) as failure:
            use()
        assert "SMISTA_HOME" in failure.value.fix
    assert sorted(key.parent.iterdir()) == before


def test_a_model_of_it_is_not_run(bench: Bench) -> None:
    bench.write("own/state/models/tiny.gguf", "GGUF")
    (decision,) = opened(bench, default("llamacpp/tiny")).route(Task(text="What is a unit test?")).decisions
    assert (decision.status, decision.code) == (Status.REFUSED, Code.PROVIDER_UNAVAILABLE)
    assert [rejected.detail for rejected in decision.rejected] == ["the state folder with its models is not believed"]


async def test_what_it_says_of_servers_is_not_believed(bench: Bench) -> None:
    async with serving(models=("m",)) as server:
        app = opened(bench, default("ollama/m") + ollama(server.root))
        for _ in range(2):
            asked = server.listed
            answer = await anyio.to_thread.run_sync(app.route, Task(text="What is a unit test?"))
            assert answer.decisions[0].locality is Locality.LOCAL
            assert server.listed > asked
    assert not (bench.workspace / "own").exists()


async def test_a_restricted_answer_is_not_laid_down_there(bench: Bench) -> None:
    bench.write(".env", "x")
    async with serving(Reply((CANARY,))) as server:
        app = opened(bench, default("ollama/m") + ollama(server.root))
        async with app.running():
            answer = await app.dispatch(Task(text="explain .env"))
    assert (answer.status, only(answer).answer, only(answer).withheld) == ("failed", None, None)
    assert not (bench.workspace / "own").exists()


@pytest.mark.parametrize("freed", ["", '[privacy]\nfree_paths = ["own/state/**"]\nrestricted_paths = []\n'])
async def test_an_answer_that_lies_there_never_leaves(bench: Bench, freed: str) -> None:
    bench.write("own/state/answers/x.md", CANARY)
    async with serving() as server:
        app = opened(bench, default(A) + compat("a", server.v1) + ALLOWED + freed)
        for text in ("explain own/state/answers/x.md", "explain OWN/State/answers/x.md", "explain own/"):
            async with app.running():
                await app.dispatch(Task(text=text))
        assert not any(CANARY in request.body.decode() for request in server.heard)


def test_a_state_folder_that_holds_the_workspace_restricts_all_of_it(tmp_path: Path) -> None:
    bench = Bench(tmp_path / "home", tmp_path / "home/state/answers")
    bench.workspace.mkdir(parents=True)
    bench.write("x.md", CANARY)
    app = bench.app(default("openai/gpt-5") + ALLOWED, OPENAI_API_KEY="none")
    (decision,) = app.route(Task(text="explain x.md")).decisions
    assert (decision.status, decision.code) == (Status.REFUSED, Code.RESTRICTED_CONTENT)
