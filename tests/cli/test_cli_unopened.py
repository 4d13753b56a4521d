"""What a decision never opens: the interpreter itself tells of every file that is opened."""

import os
import subprocess
import sys
from pathlib import Path

import pytest
from command_line import PATIENCE_S, CommandLine

WATCHED = """\
import os, sys
opened = []
def hear(event, arguments):
    if event == "open":
        opened.append(os.fsdecode(arguments[0]) if isinstance(arguments[0], (str, bytes)) else "")
sys.addaudithook(hear)
from smista_mcp.cli import main
status = main(sys.argv[1:])
print("opened:", *sorted({os.path.basename(name) for name in opened}), sep="\\n", file=sys.stderr)
sys.exit(status)
"""
POLICY = '[privacy]\nrestricted_paths = [".env", "*.key", "vault/**", "deploy/prod.toml"]\n'


@pytest.fixture
def guarded(home: Path, workspace: Path) -> Path:
    (home / "config.toml").write_text(POLICY, encoding="utf-8")
    for name in ("server.key", "vault/plan", "deploy/prod.toml", "src/deep.key", "out.log", ".gitignore"):
        (workspace / name).parent.mkdir(parents=True, exist_ok=True)
        (workspace / name).write_text("*.log\n" if name == ".gitignore" else "K=1\n", encoding="utf-8")
    os.mkfifo(workspace / ".env")  # whoever opened it would wait, or be heard
    return workspace


def opened(shell: CommandLine, *arguments: str) -> tuple[set[str], str]:
    done = subprocess.run(
        [sys.executable, "-c", WATCHED, *arguments],
        cwd=shell.folder,
        env=shell.environment(),
        capture_output=True,
        text=True,
        timeout=PATIENCE_S,
        check=False,
    )
    assert "opened:" in done.stderr
    return set(done.stderr.partition("opened:\n")[2].splitlines()), done.stdout


def test_restricted_and_ignored_files_are_named_and_not_opened(shell: CommandLine, guarded: Path) -> None:
    assert guarded.exists()
    found, told = opened(shell, "route", "refactor the auth middleware", "--path", "src", "--json")
    assert "middleware.rs" in found
    assert found.isdisjoint({".env", "server.key", "plan", "prod.toml", "deep.key", "out.log"})
    assert all(name in told for name in (".env", "server.key", "vault/", "deploy/prod.toml", "src/deep.key"))


def test_what_is_named_is_opened(shell: CommandLine, guarded: Path) -> None:
    (guarded / ".env").unlink()
    (guarded / ".env").write_text("K=1\n", encoding="utf-8")
    assert ".env" in opened(shell, "route", "explain this", "--path", ".env", "--json")[0]


def test_skills_are_listed_by_name_alone_until_one_is_run(shell: CommandLine, workspace: Path) -> None:
    for top in (shell.account, workspace):
        for name in ("one", "two"):
            file = top / ".claude/skills" / name / "SKILL.md"
            file.parent.mkdir(parents=True)
            file.write_text("Do it.\n", encoding="utf-8")
    assert "SKILL.md" not in opened(shell, "route", "fix it", "--json")[0]
    assert "SKILL.md" not in opened(shell, "classify", "run the one skill", "--json")[0]
    assert "SKILL.md" in opened(shell, "route", "run the one skill", "--json")[0]
