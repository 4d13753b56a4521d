"""A home, a workspace, a policy and a model on loopback for servers under test."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_ollama import FakeOllama

from smista_mcp.app import App, open_app
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

POLICY = """\
[[routing.rules]]
name = "reviews stay here"
intent = "review"
model = "ollama/tiny"

[routing.default]
model = "ollama/tiny"

[providers.ollama]
base_url = "{base_url}"
"""


@pytest.fixture
def ollama() -> Iterator[FakeOllama]:
    with FakeOllama.serving() as fake:
        yield fake


@pytest.fixture
def home(tmp_path: Path, ollama: FakeOllama) -> Path:
    """A `SMISTA_HOME` whose policy sends everything to the model on loopback."""
    folder = tmp_path / "home"
    folder.mkdir()
    (folder / "config.toml").write_text(POLICY.format(base_url=ollama.base_url), encoding="utf-8")
    return folder


@pytest.fixture
def workspace(tmp_path: Path) -> Path:
    folder = tmp_path / "work"
    (folder / "src/auth").mkdir(parents=True)
    (folder / "src/auth/middleware.rs").write_text("fn check() {}\n", encoding="utf-8")
    return folder


@pytest.fixture
def app(home: Path, workspace: Path) -> App:
    """The real application over that home and workspace."""
    return open_app(Settings(environment=Environment.read({"SMISTA_HOME": str(home)}), workspace=workspace))
