"""Real repositories in temporary folders, kept apart from the settings of whoever runs the tests."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

Git = Callable[..., str]


@pytest.fixture
def environ(tmp_path: Path) -> dict[str, str]:
    home = tmp_path / "home"
    home.mkdir()
    return {"PATH": os.environ.get("PATH", os.defpath), "HOME": str(home)}


@pytest.fixture
def root(tmp_path: Path) -> Path:
    folder = tmp_path.resolve() / "project"
    folder.mkdir()
    return folder


@pytest.fixture
def git(root: Path, environ: dict[str, str]) -> Git:
    """Runs git in the root, which it makes a repository first."""
    author = {"GIT_AUTHOR_NAME": "a", "GIT_AUTHOR_EMAIL": "a@example.invalid"}
    committer = {"GIT_COMMITTER_NAME": "a", "GIT_COMMITTER_EMAIL": "a@example.invalid"}

    def run(*arguments: str) -> str:
        done = subprocess.run(
            ["git", *arguments], cwd=root, env={**environ, **author, **committer}, check=True, capture_output=True
        )
        return done.stdout.decode("utf-8", "surrogateescape")

    run("init", "--quiet", "--initial-branch=main")
    return run
