"""What a delegate's tools show passes both gates again: either stops it, where the tools themselves would not."""

import subprocess
from collections.abc import Callable, Sequence
from typing import Any

import pytest
from canaries import CANARIES
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, done, only

from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.survey import Survey
from smista_mcp.core import clearance
from smista_mcp.core.clearance import Bounds, Built, ClearedPayload, Manifest, Matter, manifest_of
from smista_mcp.core.pieces import Piece
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent
from smista_mcp.dispatch import payloads, rounds
from smista_mcp.errors import Code
from smista_mcp.providers import sender

pytestmark = pytest.mark.anyio

A = "openai-compat:a/m"
CANARY = "canary-91d0ce, and more than a few letters of it"
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
POLICY = f'[catalog."{A}"]\ncapabilities = {{ tools = true }}\n' + ALLOWED + 'blocked_paths = ["vault/**"]\n'
SEAL: object = vars(clearance)["_SEAL"]
Patch = pytest.MonkeyPatch


class _Blind(SecretLabels):
    """Sees no secret anywhere."""

    def of_content(self, text: str, digest: str, first_line: int = 1) -> tuple[SecretFact, ...]:
        del text, digest, first_line
        return ()

    def of_part(self, text: str) -> tuple[tuple[SecretFact, int, int], ...]:
        del text
        return ()

    def of_names(self, names: object) -> tuple[SecretFact, ...]:
        del names
        return ()


def no_sight(patch: Patch) -> None:
    """The tools show whatever is asked for."""

    def nothing(*_: object) -> None:
        return None

    patch.setattr(rounds, "sight", nothing)
    patch.setattr(rounds, "SecretLabels", _Blind)
    patch.setattr(Survey, "restriction", nothing)


def _lying(matter: Matter, bounds: Bounds, build: Callable[[Sequence[Piece]], Built[Any]]) -> ClearedPayload[Any]:
    """A gate that lets everything pass and says that all of it is free."""
    del bounds
    built = build(matter.pieces)
    true = manifest_of(built.pieces, built.texts)
    items = [i._replace(forms=("free.txt",), path="free.txt", label=None, restricted=None) for i in true.items]
    return ClearedPayload(built.request, Manifest(tuple(items), true.texts), built.pieces, (), seal=SEAL)


def none_off(patch: Patch) -> None:
    del patch


def no_gate(patch: Patch) -> None:
    patch.setattr(payloads, "clear", _lying)


def no_egress(patch: Patch) -> None:
    def nothing(*_: object) -> None:
        return None

    patch.setattr(sender, "check_departure", nothing)


OFF = {"none": none_off, "type": no_gate, "egress": no_egress}
WISHES: dict[str, Sequence[tuple[str, object]]] = {
    "a restricted file": [("read_file", {"path": "secrets/plan.txt"})],
    "a restricted file by a link": [("read_file", {"path": "docs/link.txt"})],
    "a blocked file": [("read_file", {"path": "vault/plan.txt"})],
    "a secret": [("read_file", {"path": "src/key.py"})],
    "lines": [("search", {"text": "canary"}), ("search", {"text": "key"})],
    "names": [("list_files", {})],
    "changes": [("git_diff", {})],
}


@pytest.mark.parametrize("off", OFF)
@pytest.mark.parametrize("wish", WISHES)
async def test_each_gate_alone_stops_what_the_tools_let_pass(
    bench: Bench, monkeypatch: Patch, wish: str, off: str
) -> None:
    bench.write("secrets/plan.txt", "one\n")
    bench.write("vault/plan.txt", f"the plan: {CANARY}\n")
    bench.write("src/key.py", "x = 1\n")
    bench.write("docs/a.txt", "x")
    (bench.workspace / "docs/link.txt").symlink_to("../secrets/plan.txt")
    git = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", "-C", str(bench.workspace)]
    for command in (["init", "-q"], ["add", "-A"], ["commit", "-qm", "start"]):
        subprocess.run([*git, *command], check=True)
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    bench.write("src/key.py", f"x = 1\nkey = '{TOKEN}'\ny = 2\n")
    no_sight(monkeypatch)
    OFF[off](monkeypatch)
    task = Task(text="plan the next step", intent=Intent.PLAN, paths=("docs/a.txt",))
    async with serving(Reply((), calls=tuple(WISHES[wish])), Reply(("ok",))) as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + POLICY)
        answer = await done(app, task)
    assert remote.heard
    for text in (CANARY, TOKEN, TOKEN[:20]):
        assert text not in remote.heard_text
    assert "secrets/plan" not in remote.heard[-1].text
    if len(remote.heard) == 2:
        assert "[left out]" in remote.heard[-1].results
        assert only(answer).status == "completed"
    else:
        assert only(answer).code in {Code.RESTRICTED_CONTENT, Code.SECRET_DETECTED}
