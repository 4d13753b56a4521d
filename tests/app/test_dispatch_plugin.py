"""Dispatch tries candidates in the order that the policy's plugin gives them, and none that it drops."""

import sys
from pathlib import Path

import pytest
from distributions import install
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, only

from smista_mcp.core.task import Task
from smista_mcp.errors import Code

A, B = "openai-compat:a/m", "openai-compat:b/m"
PLUGIN = '[plugins]\nselect = "chooses_{0}:select"\n'

pytestmark = pytest.mark.anyio


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, bench: Bench) -> Path:
    folder = tmp_path / "site"
    folder.mkdir()
    monkeypatch.setattr(sys, "path", [str(folder), *sys.path])
    monkeypatch.chdir(bench.workspace)
    return folder


@pytest.mark.parametrize(
    ("kind", "body", "models", "code"),
    [
        ("backwards", "return [c['model'] for c in reversed(asked['candidates'])]", [B], None),
        ("first", "return [asked['candidates'][0]['model']]", [A], None),
        ("none", "return []", [], Code.MODEL_NOT_ALLOWED),
        ("stops", "raise KeyboardInterrupt", [], Code.POLICY_INVALID),
        ("more", "return ['openai-compat:b/m', 'ollama/more']", [], Code.POLICY_INVALID),
    ],
)
async def test_what_is_asked_is_what_the_plugin_left(
    kind: str, body: str, models: list[str], code: Code | None, bench: Bench, site: Path
) -> None:
    install(site, {f"chooses_{kind}.py": f"def select(asked):\n    {body}\n"}, name=f"chooses_{kind}")
    async with serving(Reply(("from a",))) as a, serving(Reply(("from b",))) as b:
        servers = compat("a", a.v1, local=True) + compat("b", b.v1, local=True)
        app = bench.app(default(A, B) + servers + ALLOWED + PLUGIN.format(kind))
        async with app.running():
            answer = await app.dispatch(Task(text="what is a unit test?"))
    assert [model for model, _, _ in bench.attempts(answer)] == models
    assert (answer.code, only(answer).code) == (code, code)
