"""`--session` on the command line: begun, gone on with, shown, explained."""

from pathlib import Path

import anyio.to_thread
import pytest
from command_line import CommandLine, Outcome
from model_server import Reply, serving
from warming import warm
from workbench import ALLOWED, compat, default, ollama

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
A = "openai-compat:a/m"
STAYS = '[[routing.rules]]\nname = "s"\npaths = ["secrets/**"]\nmodel = "ollama/m"\n'


async def run(shell: CommandLine, *arguments: str, root: str = "") -> Outcome:
    def work() -> Outcome:
        if root:
            warm(shell.home, root)
        return shell.run(*arguments)

    return await anyio.to_thread.run_sync(work)


async def test_labels_hold_from_command_to_command(shell: CommandLine, home: Path, workspace: Path) -> None:
    (workspace / "secrets").mkdir()
    (workspace / "secrets/plan.txt").write_text(f"the plan: {CANARY}\n", encoding="utf-8")
    async with serving(Reply(("free",))) as remote, serving(Reply((f"it says {CANARY}",))) as local:
        policy = STAYS + default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED
        (home / "config.toml").write_text(policy, encoding="utf-8")
        first = await run(shell, "dispatch", "explain secrets/plan.txt", "--session", "new", "--json", root=local.root)
        session = first.json["session"]
        shown = await run(shell, "dispatch", "now shorten that", "--session", session, root=local.root)
        free = await run(shell, "dispatch", "What is a mutex?", "--session", session, "--json", root=local.root)
        routed = await run(shell, "route", "go on from turn 2", "--session", session, "--json", root=local.root)
        told = await run(shell, "explain", free.json["trace_id"])
        story = await run(shell, "explain", first.json["trace_id"])
        unknown = await run(shell, "route", "now shorten that", "--session", "0" * 32)
    done = (first, shown, free, routed, told, story)
    assert [one.status for one in done] == [0] * 6
    assert CANARY not in remote.heard_text + "".join(one.out + one.err for one in done)
    assert len(remote.heard) == 1
    assert f"--session {session}" in shown.out
    assert "answer of phase 0 <- turn 1 of the session <- secrets/plan.txt (restricted by `secrets/**`)" in shown.out
    assert "the answer is restricted:\n  answer of phase 0 <- secrets/plan.txt" in story.out
    assert "turn 2 of the session [answer" in told.out
    assert routed.json["decisions"][0]["locality"] == "local"
    assert (unknown.status, unknown.out, '"new"' in unknown.err) == (2, "", True)


async def test_a_recorded_decision_takes_no_session(shell: CommandLine) -> None:
    refused = await run(shell, "explain", "--last", "--session", "new")
    assert (refused.status, "--session" in refused.err) == (2, True)
