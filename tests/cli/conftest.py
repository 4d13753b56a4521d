"""A home, a git workspace and a model on loopback for the command line, in this process and as its own."""

import gc
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from command_line import PATIENCE_S, CommandLine, Here, Outcome
from fake_ollama import FakeOllama

from smista_mcp.cli import main
from smista_mcp.core.values import Locality
from smista_mcp.ledger import prepare_folder
from smista_mcp.providers.factcache import known_facts
from smista_mcp.providers.probe import ProbeTarget

POLICY = """\
[[routing.rules]]
name = "reviews stay here"
intent = "review"
model = "ollama/tiny"

[routing.default]
model = "ollama/tiny"

[privacy]
restricted_paths = [".env"]

[providers.ollama]
base_url = "{base_url}"
"""


@pytest.fixture
def home(tmp_path: Path) -> Path:
    folder = tmp_path / "home"
    folder.mkdir()
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    """A repository with one commit and nothing else."""
    folder = tmp_path / "work"
    (folder / "src/auth").mkdir(parents=True)
    (folder / "src/auth/middleware.rs").write_text("fn check() {}\n", encoding="utf-8")
    author = ["-c", "user.name=Ada", "-c", "user.email=ada@example.org", "-c", "commit.gpgsign=false"]
    for step in (["init", "--quiet"], ["add", "."], ["commit", "--quiet", "--message", "first"]):
        subprocess.run(["git", *author, *step], cwd=folder, check=True)
    return folder


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama.serving() as fake:
        yield fake


@pytest.fixture
def local_policy(home: Path, ollama: FakeOllama) -> Path:
    """The user's own policy: everything goes to the model on loopback.

    On a busy machine the server may miss the moment that a decision waits for it, so it is asked here, with patience;
    what it says is remembered for half a minute.
    """
    file = home / "config.toml"
    file.write_text(POLICY.format(base_url=ollama.base_url), encoding="utf-8")
    prepare_folder(home / "state")
    target = ProbeTarget("ollama", "ollama", ollama.base_url, Locality.LOCAL, wanted=("tiny",))
    known_facts([target], cache=home / "state/servers.json", now=time.time(), deadline_s=PATIENCE_S)
    return file


@pytest.fixture
def refusing_policy(home: Path) -> Path:
    """The user's own policy: everything is for a model whose key nobody has."""
    file = home / "config.toml"
    file.write_text('[routing.default]\nmodel = "anthropic/claude-sonnet"\n', encoding="utf-8")
    return file


@pytest.fixture
def shell(home: Path, workspace: Path) -> CommandLine:
    return CommandLine(home, workspace)


@pytest.fixture
def here(
    home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> Iterator[Here]:
    """Runs commands in this process."""
    clean = CommandLine(home, workspace).environment()
    for name in os.environ.keys() - clean.keys():
        monkeypatch.delenv(name)
    monkeypatch.setenv("SMISTA_HOME", str(home))
    monkeypatch.setenv("HOME", clean["HOME"])
    monkeypatch.chdir(workspace)

    def run(*arguments: str) -> Outcome:
        capfd.readouterr()
        status = main(arguments)
        told = capfd.readouterr()
        return Outcome(status, told.out, told.err)

    yield run
    gc.unfreeze()
    gc.enable()
