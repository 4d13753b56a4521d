"""Canaries in everything that is restricted and in every channel, every tool, every failure: nothing reaches a remote.

A local model that repeats all that it gets stands first, a remote one behind it; the local one fails in every way.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from canaries import CANARIES, Canary, found_in, left_below
from collector import Receiver
from command_line import CommandLine
from fault_server import FAULTS, FINE, FaultServer
from path_trees import CANARY, MARK
from raw_host import LOGGED, RawHost, WebHost

TOKEN = next(canary for canary in CANARIES if canary.kind == "github_token")
PLANTED = (TOKEN, Canary("restricted", CANARY, CANARY))
POLICY = """
[privacy]
restricted_paths = [".env", "secrets/**", "*.pem"]
[privacy.remote]
mode = "allow"
[dispatch]
first_byte_s = 0.4
idle_s = 0.4
max_retries = 0
[routing.default]
model = "openai-compat:away/m"
fallbacks = ["openai-compat:home-fine/m"]
[providers."openai-compat:away"]
base_url = "{away}/fine/v1"
"""
HOME = """
[[routing.rules]]
name = "first {fault} and then away"
skill = "{fault}"
model = "openai-compat:home-{fault}/m"
fallbacks = ["openai-compat:away/m"]
[providers."openai-compat:home-{fault}"]
base_url = "{home}/{fault}/v1"
locality = "local"
"""
PATCH = "diff --git a/{0} b/{0}\n--- a/{0}\n+++ b/{0}\n@@ -1 +1,2 @@\n x\n+{1}\n"
TEXT = f"{CANARY}\n" * 3
NAMES = (".env", "plan.txt", "src/", "app.py", "notes.txt", "server.pem", "SKILL.md", "new.txt", "log.txt", "CLAUDE")
WORDS = ("explain this", "the changes", "this diff", "write a README", "explain what", "rename x")


@pytest.fixture
def home_server() -> Iterator[FaultServer]:
    with FaultServer.serving() as server:
        yield server


@pytest.fixture
def away() -> Iterator[FaultServer]:
    with FaultServer.serving() as server:
        yield server


@pytest.fixture
def spans(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    """What a collector gets of the spans: none of the canaries, of the words, nor of the names in the workspace."""
    with Receiver.serving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_EXPERIMENTAL_RESOURCE_DETECTORS", "otel,process,os")
        yield receiver
    assert len(receiver.collected.named("invoke_workflow dispatch")) > 3
    assert {span.described for span in receiver.collected.spans} == {""}
    told = receiver.everything.decode("latin-1")
    assert clean(told)
    for word in (MARK, *NAMES, *WORDS):
        assert word not in told, word


@pytest.fixture
def home(tmp_path: Path, home_server: FaultServer, away: FaultServer) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    rules = "".join(HOME.format(fault=fault, home=home_server.base_url) for fault in (*FAULTS, FINE))
    (folder / "config.toml").write_text(POLICY.format(away=away.base_url) + rules, encoding="utf-8")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with a canary in everything that is restricted, and one that is free to show that things arrive."""
    root = tmp_path / "work"
    for path, text in {
        ".env": TEXT,
        "secrets/plan.txt": TEXT,
        "src/app.py": f"# {MARK}\n",
        "src/key.py": f"key = '{TOKEN.value}'\n",
        "certs/server.pem": TEXT,
        "skills.txt": "x\n",
        "secrets/SKILL.md": TEXT,
    }.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, encoding="utf-8")
    git = ("git", "-C", str(root), "-c", "user.name=t", "-c", "user.email=t@example.invalid")
    for words in (("init", "-q"), ("add", "-A"), ("commit", "-qm", "start")):
        subprocess.run((*git, *words), check=True)
    for path in (".env", "secrets/plan.txt", "certs/server.pem", "src/app.py"):
        with (root / path).open("a", encoding="utf-8") as file:
            file.write(TEXT if path != "src/app.py" else f"# {MARK} again\n")
    (root / "notes.txt").symlink_to(".env")
    (root / "hard.txt").hardlink_to(root / "secrets/plan.txt")
    for name in ("CLAUDE.md", "AGENTS.md", ".claude/skills/x/SKILL.md", ".smista/skills/y/SKILL.md"):
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).symlink_to(root / "secrets/SKILL.md")
    return root


def inputs() -> list[dict[str, Any]]:
    """Calls of which nothing may leave, one channel each."""
    return [
        {"text": "explain this", "paths": [".env"]},
        {"text": "explain this", "paths": ["notes.txt", "hard.txt"]},
        {"text": "explain secrets/plan.txt"},
        {"text": "review the changes"},
        {"text": "explain secrets/plan.txt, then write a README"},
        {"text": "review this diff", "diff": PATCH.format("secrets/new.txt", CANARY)},
        {"text": "review this diff", "diff": PATCH.format("src/new.py", TOKEN.text)},
        {"text": "explain this", "attachments": [{"path": "x/.env", "content": TEXT}]},
        {"text": "explain this", "attachments": [{"path": "log.txt", "content": TOKEN.text}]},
        {"text": f"explain what {TOKEN.text} is for"},
        {"text": "explain src/key.py"},
    ]


def harmless() -> list[dict[str, Any]]:
    """Calls that may go, without what lies beside them: directories, instructions, skills, the ambient difference."""
    return [
        {"text": "rename x to y in src/app.py", "intent": "edit"},
        {"text": "explain src/app.py, but don't touch .env"},
        {"text": "explain this", "paths": ["src/app.py"]},
    ]


def clean(text: str) -> bool:
    return found_in(text, PLANTED) == []


def check_sinks(home: Path, away: FaultServer, *texts: str) -> None:
    assert clean(away.everything)
    assert [entry for entry in left_below(home) if entry[0] != "config.toml"] == []
    below = [path for path in home.rglob("*") if path.is_file() and path.parent.name != "answers"]
    assert all(CANARY.encode() not in path.read_bytes() for path in below)
    for text in texts:
        assert clean(text)


def told(host: RawHost, tool: str, arguments: dict[str, Any]) -> str:
    """All that a tool says, with what `explain` tells of a dispatch behind it."""
    answer = json.dumps(host.call(tool, arguments, _meta={"progressToken": "t"}), ensure_ascii=False)
    traces = set(re.findall(r'"trace_id": "([0-9a-z]+)"', answer)) if tool == "dispatch" else ()
    return answer + "".join(json.dumps(host.call("explain", {"trace_id": trace})) for trace in traces)


def fail_in_every_way(host: RawHost, home_server: FaultServer) -> None:
    """Calls until the local model has failed in all ways; on a busy machine it may seem not to be there at first."""
    pending = [*FAULTS, FINE]
    for calls in (inputs()[:3], inputs(), inputs(), inputs()):
        for fault in pending:
            for arguments in calls:
                assert clean(told(host, "dispatch", {**arguments, "skill": fault})), fault
        pending = [fault for fault in pending if not home_server.asked(fault)]
    assert pending == []


@pytest.mark.timeout(300)
@pytest.mark.usefixtures("spans")
def test_over_stdio_in_every_failure(home: Path, workspace: Path, home_server: FaultServer, away: FaultServer) -> None:
    log = home.parent / "log"
    with RawHost.started(home, workspace, before=LOGGED.format(log=str(log))) as host:
        host.greet()
        for arguments in inputs():
            assert clean(told(host, "classify", {"text": arguments["text"]}))
            for tool in ("route", "explain", "dispatch"):
                for skill in ("429", FINE, None):
                    assert clean(told(host, tool, {**arguments, "skill": skill} if skill else arguments)), tool
        fail_in_every_way(host, home_server)
        assert away.asked(FINE) == 0  # nothing at all was sent for any of them
        for fault in ("500", "reset", "empty"):
            assert all(clean(told(host, "dispatch", {**arguments, "skill": fault})) for arguments in harmless())
        notes = json.dumps(host.noted)
        host.end_input()
        host.exit()
    assert CANARY in home_server.everything  # the local model did get it
    assert away.asked(FINE) >= 3
    assert MARK in away.everything
    said = log.read_text(encoding="utf-8")
    assert "debug in" in said
    check_sinks(home, away, said, notes)


@pytest.mark.usefixtures("spans")
def test_over_http(home: Path, workspace: Path, home_server: FaultServer, away: FaultServer) -> None:
    log = home.parent / "log"
    with WebHost.started(home, workspace, log) as host:
        for fault in ("500", "midstream", FINE):
            for arguments in inputs():
                for tool in ("route", "explain", "dispatch"):
                    assert clean(host.call(tool, {**arguments, "skill": fault})), (fault, tool)
        assert away.asked(FINE) == 0
    assert CANARY in home_server.everything
    check_sinks(home, away, log.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("spans")
def test_on_the_command_line(home: Path, workspace: Path, home_server: FaultServer, away: FaultServer) -> None:
    shell = CommandLine(home, workspace)
    diff = workspace.parent / "given.diff"
    diff.write_text(PATCH.format("secrets/new.txt", CANARY), encoding="utf-8")
    calls = (
        ("explain this", "--path", ".env"),
        ("review this diff", "--diff", str(diff)),
        (f"explain what {TOKEN.text} is for",),
        ("explain secrets/plan.txt, then write a README",),
    )
    for words in calls:
        for fault in ("502", FINE):
            for command in ("route", "dispatch"):
                done = shell.run("--debug", command, *words, "--skill", fault)
                assert clean(done.out + done.err), (command, words[0], fault)
        for command in (("classify", words[0]), ("explain", words[0]), ("explain", "--last")):
            done = shell.run("--debug", *command)
            assert clean(done.out + done.err), command
    assert CANARY in home_server.everything
    assert away.asked(FINE) == 0
    check_sinks(home, away)
