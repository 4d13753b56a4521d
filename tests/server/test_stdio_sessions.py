"""A host over standard input in one session: what is restricted at turn 1 is at no later turn where it must not be."""

import json
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from model_server import Reply, serving
from raw_host import RawHost
from warming import warm
from workbench import ALLOWED, compat, default, ollama

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c"
A = "openai-compat:a/m"
STAYS = '[[routing.rules]]\nname = "s"\npaths = ["secrets/**"]\nmodel = "ollama/m"\n'
FOLLOW_UPS = (
    *("now shorten that", "translate it into German", "What is a mutex?", "list the risks of your last answer"),
    *("compare your answer with turn 1", "What is a trait?"),
)
NEEDS_IT = {0, 1, 4}
DEBUG = """
import logging
_real = logging.basicConfig
logging.basicConfig = lambda **k: _real(**{**k, "level": logging.DEBUG})
"""


def talk(home: Path, workspace: Path, root: str) -> tuple[list[dict[str, Any]], list[dict[str, Any]], str]:
    """Answers of dispatch, what `explain` says of the first phase of each, and all that the server said besides."""
    answers: list[dict[str, Any]] = []
    stories: list[dict[str, Any]] = []
    with RawHost.started(home, workspace, before=DEBUG) as host:
        host.greet()
        session = "new"
        for text in ("explain secrets/plan.txt", *FOLLOW_UPS):
            arguments = {"text": text, "session": session}
            warm(home, root)
            routed = host.call("route", arguments)
            assert not routed.get("isError"), routed
            done = host.call("dispatch", arguments, _meta={"progressToken": "t"})
            assert json.loads(done["content"][0]["text"]) == done["structuredContent"]
            answers.append(done["structuredContent"])
            session = answers[0]["session"]
            trace = answers[-1]["trace_id"] or answers[-1]["phases"][0]["trace_id"]
            asked = {"trace_id": trace} if trace else arguments
            stories.append(host.call("explain", asked)["structuredContent"])
        host.end_input()
        host.exit()
        return answers, stories, json.dumps(host.noted) + host.rest("err")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "own"
    folder.mkdir()
    return folder


async def test_no_remote_body_and_no_host_sees_what_turn_1_was_made_from(home: Path, workspace: Path) -> None:
    (workspace / "secrets").mkdir()
    (workspace / "secrets/plan.txt").write_text(f"the plan: {CANARY}\n", encoding="utf-8")
    async with serving(Reply(("free",))) as remote, serving(Reply((f"it says {CANARY}",))) as local:
        policy = STAYS + default(A, "ollama/m") + compat("a", remote.v1) + ollama(local.root) + ALLOWED
        (home / "config.toml").write_text(policy, encoding="utf-8")
        answers, stories, rest = await anyio.to_thread.run_sync(talk, home, workspace, local.root)
    assert len(remote.heard) > 2
    assert CANARY not in remote.heard_text
    assert CANARY not in json.dumps([answers, stories]) + rest
    assert {answer["session"] for answer in answers} == {answers[0]["session"]}
    labels = [answer["phases"][0]["label"] for answer in answers]
    assert labels == ["restricted", *("restricted" if n in NEEDS_IT else None for n in range(len(FOLLOW_UPS)))]
    told = [label["told"] for story in stories for label in story["phases"][0]["labels"]]
    assert len(told) == 1 + len(NEEDS_IT)
    assert all(way.endswith("secrets/plan.txt (restricted by `secrets/**`)") for way in told)
    assert told[1].startswith("answer of phase 0 <- turn 1 of the session <- ")


async def test_with_remote_models_alone_a_follow_up_is_refused_and_says_where_from(home: Path, workspace: Path) -> None:
    (workspace / "secrets").mkdir()
    (workspace / "secrets/plan.txt").write_text(f"the plan: {CANARY}\n", encoding="utf-8")
    async with serving(Reply(("free",))) as remote, serving(Reply((f"it says {CANARY}",))) as local:
        policy = STAYS + default(A) + compat("a", remote.v1) + ollama(local.root) + ALLOWED
        (home / "config.toml").write_text(policy, encoding="utf-8")
        answers, stories, rest = await anyio.to_thread.run_sync(talk, home, workspace, local.root)
    statuses = [answer["status"] for answer in answers]
    assert statuses == ["completed", *("refused" if n in NEEDS_IT else "completed" for n in range(len(FOLLOW_UPS)))]
    assert CANARY not in remote.heard_text + json.dumps([answers, stories]) + rest
    for number in NEEDS_IT:
        decision = stories[1 + number]["phases"][0]["decision"]
        assert decision["code"] == "restricted_content"
    first = stories[1]["phases"][0]["decision"]["reason"]
    assert "`turn 1 of the session` is restricted <- secrets/plan.txt (restricted by `secrets/**`)" in first


async def test_a_session_of_one_host_is_not_there_for_another(home: Path, workspace: Path) -> None:
    def ask(name: str, session: str) -> dict[str, Any]:
        warm(home, local.root)
        with RawHost.started(home, workspace) as host:
            host.greet(name=name)
            return host.call("dispatch", {"text": "What is a mutex?", "session": session})

    async with serving() as local:
        (home / "config.toml").write_text(default("ollama/m") + ollama(local.root), encoding="utf-8")
        mine = await anyio.to_thread.run_sync(ask, "opencode", "new")
        session = mine["structuredContent"]["session"]
        theirs = await anyio.to_thread.run_sync(ask, "codex-mcp-client", session)
        again = await anyio.to_thread.run_sync(ask, "opencode", session)
    assert theirs["isError"]
    assert theirs["content"][0]["text"].startswith("invalid_task")
    assert session not in theirs["content"][0]["text"]
    assert again["structuredContent"]["session"] == session
