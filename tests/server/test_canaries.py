"""Canaries of every kind in every input of a server that logs at DEBUG: none of them in anything that it leaves."""

import json
import logging
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARIES, NAMES, Canary, batches, found_in, left_below, parrot
from fake_ollama import FakeOllama
from raw_host import RawHost, WebHost

from smista_mcp.server.startup import OneLine

DEBUG = """
import logging
_real = logging.basicConfig
logging.basicConfig = lambda **k: _real(**{**k, "level": logging.DEBUG})
"""
TASKS = ("review this", "explain this, and break off")


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with parrot() as fake:
        yield fake


def inputs(canaries: Sequence[Canary]) -> list[dict[str, Any]]:
    """Arguments of calls with the canaries in one place each."""
    lines = "\n".join(canary.text for canary in canaries)
    names = [canary for canary in canaries if canary.is_name]
    patch = [
        f"--- a/conf/{n}\n+++ b/conf/{n}\n@@ -1 +1 @@\n-x\n+{c.text}\n"
        for n, c in enumerate(canaries)
        if "\n" not in c.text
    ]
    calls: list[dict[str, Any]] = [{"text": f"{task}:\n{lines}"} for task in TASKS]
    for task in TASKS:
        calls.append({"text": task, "attachments": [{"path": "notes.txt", "content": lines}]})
        calls.append({"text": task, "diff": "".join(patch)})
        calls.append({"text": task, "paths": ["conf/all.txt"]})
    if names:
        calls.append(
            {"text": TASKS[0], "attachments": [{"path": f"{c.value}.txt", "content": "x"} for c in names[:90]]}
        )
        calls.append({"text": TASKS[0], "paths": [f"keys/{c.value}" for c in names]})
        calls += [{"text": TASKS[0], field: names[0].value} for field in ("model", "skill")]
        calls.append({"text": TASKS[0], "paths": [f"../{names[-1].value}"]})
        calls.append({"text": "explain " + " and ".join(f"src/{c.value}.py" for c in names[:20])})
    return calls


def told(answer: dict[str, Any]) -> str:
    return json.dumps(answer, ensure_ascii=False)


@pytest.mark.parametrize("canaries", batches(CANARIES, 60), ids=lambda batch: batch[0].kind)
def test_over_stdio(home: Path, workspace: Path, canaries: Sequence[Canary]) -> None:
    (workspace / "conf").mkdir()
    (workspace / "conf/all.txt").write_text("\n".join(c.text for c in canaries), encoding="utf-8")
    with RawHost.started(home, workspace, before=DEBUG) as host:
        host.greet()
        for arguments in inputs(canaries):
            for tool in ("explain", "dispatch"):
                answer = host.call(tool, arguments, _meta={"progressToken": "t"})
                assert found_in(told(answer), canaries) == [], (tool, sorted(arguments))
        assert found_in(told(host.call("classify", {"text": inputs(canaries)[0]["text"]})), canaries) == []
        for alone in [canary for canary in canaries if canary.is_name][:1]:  # others are known by what stands around
            assert found_in(told(host.call("explain", {"decision_id": alone.value})), canaries) == []
        assert found_in(json.dumps(host.noted), canaries) == []
        host.end_input()
        host.exit()
        log = host.rest("err")
    assert "debug in" in log
    assert found_in(log, canaries) == []
    assert left_below(home) == []
    assert list((home / "state/answers").iterdir())  # the answers that repeat them


def test_over_http(home: Path, workspace: Path, tmp_path: Path) -> None:
    canaries = batches(CANARIES, 60)[0]
    log = tmp_path / "log"
    with WebHost.started(home, workspace, log) as host:
        for arguments in inputs(canaries)[:4]:
            for tool in ("route", "dispatch"):
                assert found_in(host.call(tool, arguments), canaries) == []
    assert found_in(log.read_text(encoding="utf-8"), canaries) == []
    assert left_below(home) == []
    assert list((home / "state/answers").iterdir())


def test_a_policy_with_canaries_in_it(home: Path, workspace: Path) -> None:
    policy = home / "config.toml"
    before = policy.read_text(encoding="utf-8")
    for canary in NAMES[::40]:
        policy.write_text(
            f'{before}\n[classes.own]\nmodels = ["ollama/{canary.value}"]\n# {canary.text}\n', encoding="utf-8"
        )
        with RawHost.started(home, workspace, before=DEBUG) as host:
            host.greet()
            assert found_in(told(host.call("route", {"text": "review this"})), [canary]) == []
            host.end_input()
            host.exit()
            assert found_in(host.rest("err"), [canary]) == []
    assert [entry for entry in left_below(home) if entry[0] != "config.toml"] == []


def test_in_a_line_of_the_log() -> None:
    """Libraries log what they like; the formatter is the last to see it."""
    for canary in CANARIES:
        text = canary.text.replace("\n", "\\n")
        record = logging.LogRecord("any.library", logging.DEBUG, "x.py", 1, "got %r", ({"text": text},), None)
        line = OneLine().format(record)
        assert "any.library" in line
        assert canary.value not in line, canary.kind
