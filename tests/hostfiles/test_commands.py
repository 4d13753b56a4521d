"""Which words start us from anywhere, and go on doing so."""

from pathlib import Path

import pytest

from smista_mcp.errors import InvalidTask
from smista_mcp.hostfiles.commands import own_command


def program(file: Path) -> Path:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("#!/bin/sh\n", encoding="utf-8")
    file.chmod(0o755)
    return file


def command(prefix: Path, *search: Path) -> tuple[str, ...]:
    path = ":".join(map(str, search))
    return own_command({"PATH": path}, executable=str(prefix / "bin/python"), prefix=str(prefix), windows=False)


def test_a_virtual_environments_own_script_is_named_in_full(tmp_path: Path) -> None:
    script = program(tmp_path / "venv/bin/smista-mcp")
    assert command(tmp_path / "venv") == (str(script),)
    assert command(tmp_path / "venv", script.parent) == (str(script),)


def test_the_link_of_pipx_or_uv_tool_comes_before_what_it_leads_to(tmp_path: Path) -> None:
    venv = tmp_path / "pipx/venvs/smista-mcp"
    script = program(venv / "bin/smista-mcp")
    link = tmp_path / "local/bin/smista-mcp"
    link.parent.mkdir(parents=True)
    link.symlink_to(script)
    assert command(venv, link.parent) == (str(link),)


def test_another_smista_on_the_path_is_not_ours(tmp_path: Path) -> None:
    script = program(tmp_path / "venv/bin/smista-mcp")
    other = program(tmp_path / "other/smista-mcp")
    assert command(tmp_path / "venv", other.parent) == (str(script),)


def test_without_a_script_python_itself_starts_us(tmp_path: Path) -> None:
    python = program(tmp_path / "venv/bin/python")
    assert command(tmp_path / "venv") == (str(python), "-m", "smista_mcp")


@pytest.mark.parametrize(
    ("prefix", "runner", "words"),
    [
        ("cache/uv/archive-v0/Q1w2E3", "uvx", ("smista-mcp",)),
        ("cache/uv/environments-v2/0a1b", "uvx", ("smista-mcp",)),
        ("local/share/pipx/.cache/0a1b", "pipx", ("run", "smista-mcp")),
        (".cache/pipx/0a1b", "pipx", ("run", "smista-mcp")),
    ],
)
def test_what_is_kept_for_a_while_is_started_by_its_keeper(
    tmp_path: Path, prefix: str, runner: str, words: tuple[str, ...]
) -> None:
    program(tmp_path / prefix / "bin/smista-mcp")
    keeper = program(tmp_path / "bin" / runner)
    assert command(tmp_path / prefix, tmp_path / prefix / "bin", keeper.parent) == (str(keeper), *words)
    with pytest.raises(InvalidTask):
        command(tmp_path / prefix)


def test_windows_has_an_exe(tmp_path: Path) -> None:
    script = program(tmp_path / "venv/Scripts/smista-mcp.exe")
    python = str(script.with_name("python.exe"))
    assert own_command({}, executable=python, prefix=str(tmp_path / "venv"), windows=True) == (str(script),)
