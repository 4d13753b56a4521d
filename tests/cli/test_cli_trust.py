"""`smista-mcp trust`: a person at a terminal sees the files and types a word; nobody and nothing else confirms them."""

import os
import stat
from dataclasses import dataclass
from pathlib import Path

import pytest
from command_line import CommandLine, Here
from terminal import on_terminal, read_until

from smista_mcp.cli.trust import wishes
from smista_mcp.core.values import Layer
from smista_mcp.loading.documents import parse

CONFIG = """\
[[routing.rules]]
name = "edits far away"
intent = "edit"
model = "openai/gpt-5"

[providers.ollama]
base_url = "http://127.0.0.1:1"
"""
QUESTION = b"Type `trust`"


@dataclass(frozen=True)
class AgentShell(CommandLine):
    """A shell that an agent has opened."""

    mark: str = ""

    def command(self, *arguments: str) -> list[str]:
        return ["env", f"{self.mark}=1", *super().command(*arguments)]


@pytest.fixture
def config(workspace: Path) -> Path:
    (workspace / ".smista").mkdir()
    file = workspace / ".smista/config.toml"
    file.write_text(CONFIG, encoding="utf-8")
    return file


def asked(shell: CommandLine, answer: bytes) -> tuple[str, int]:
    """What a terminal shows, and how the command ends once somebody has answered."""
    with on_terminal(shell, "trust") as (process, ours):
        shown = read_until(ours, QUESTION)
        if QUESTION in shown:
            os.write(ours, answer + b"\n")
            shown += read_until(ours, b"\0")
        return shown.decode(), process.wait()


def records(home: Path) -> list[Path]:
    return sorted((home / "state/trust").glob("*")) if (home / "state/trust").exists() else []


def waiting(shell: CommandLine) -> list[str]:
    notices: list[str] = shell.run("route", "x", "--json").json["notices"]
    return [notice for notice in notices if "smista-mcp trust" in notice]


def test_a_typed_word_confirms_what_was_shown(shell: CommandLine, home: Path, config: Path) -> None:
    assert len(waiting(shell)) == 1
    shown, status = asked(shell, b"trust")
    assert status == 0
    for line in CONFIG.splitlines():
        assert f"  | {line}" in shown
    assert "work led by rule `edits far away`: openai/gpt-5" in shown
    assert "never applied from such a file: `providers` (1)" in shown
    (record,) = records(home)
    assert stat.S_IMODE(record.stat().st_mode) == 0o600
    assert waiting(shell) == []
    assert shell.run("policy", "show", "--json").json["rules"][0]["name"] == "edits far away"
    config.write_text(CONFIG + "# more\n", encoding="utf-8")
    assert len(waiting(shell)) == 1


SKILL = "---\ndescription: x\nallowed-tools: Read\n---\nDo A, then B.\n"


@pytest.fixture
def skill(workspace: Path) -> Path:
    file = workspace / ".claude/skills/changelog/SKILL.md"
    file.parent.mkdir(parents=True)
    file.write_text(SKILL, encoding="utf-8")
    return file


def test_skills_are_shown_and_confirmed_like_policy_files(shell: CommandLine, home: Path, skill: Path) -> None:
    (skill.parents[1] / "broken").mkdir()
    (skill.parents[1] / "broken/SKILL.md").symlink_to("/etc/hosts")
    assert len(waiting(shell)) == 1
    told = shell.run("trust", "--json").json
    assert told["files"] == []
    assert [(one["skill"], one["trusted"], bool(one["refusal"])) for one in told["skills"]] == [
        ("broken", False, True),
        ("changelog", False, False),
    ]
    shown, status = asked(shell, b"no")
    assert (status, records(home)) == (1, [])
    shown, status = asked(shell, b"trust")
    assert status == 0
    for line in SKILL.splitlines():
        assert f"  | {line}" in shown
    assert "these tools: read_file" in shown
    assert "broken/SKILL.md cannot be confirmed" in shown
    assert [one["trusted"] for one in shell.run("trust", "--json").json["skills"]] == [False, True]
    assert shell.run("classify", "use changelog", "--json").json["phases"][0]["skill"] == "changelog"
    skill.write_text(SKILL + "Then C.\n", encoding="utf-8")
    assert shell.run("classify", "use changelog", "--json").json["phases"][0]["skill"] is None
    assert QUESTION in asked(shell, b"no")[0].encode()
    skill.write_text(SKILL, encoding="utf-8")
    assert "SKILL.md is confirmed" in shell.run("trust").out
    assert shell.run("trust", "--revoke").status == 0
    assert len(waiting(shell)) == 1


def test_policy_files_and_skills_are_confirmed_together(
    shell: CommandLine, home: Path, config: Path, skill: Path
) -> None:
    assert config.exists()
    assert skill.exists()
    assert len(waiting(shell)) == 2
    assert asked(shell, b"trust")[1] == 0
    assert waiting(shell) == []


@pytest.mark.parametrize("answer", [b"", b"y", b"yes", b"TRUST", b"trust me", b"no"])
def test_any_other_answer_confirms_nothing(shell: CommandLine, home: Path, config: Path, answer: bytes) -> None:
    assert config.exists()
    assert asked(shell, answer)[1] == 1
    assert records(home) == []


def test_what_would_steer_the_terminal_is_shown_escaped(shell: CommandLine, config: Path) -> None:
    config.write_text('# \u202eTrust me\n[privacy]\nrestricted_paths = ["x"] # \u2066 hidden\n', encoding="utf-8")
    shown, _ = asked(shell, b"no")
    assert "\\u202e" in shown
    assert "\u202e" not in shown
    assert "asks for nothing more" in shown


@pytest.mark.parametrize("mark", ["CLAUDECODE", "GEMINI_CLI", "OPENCODE"])
def test_an_agents_shell_is_refused_even_on_a_terminal(home: Path, workspace: Path, config: Path, mark: str) -> None:
    assert config.exists()
    shown, status = asked(AgentShell(home, workspace, mark), b"trust")
    assert status == 1
    assert "approval_required" in shown
    assert mark in shown
    assert records(home) == []


def test_without_a_terminal_nobody_confirms(shell: CommandLine, home: Path, config: Path) -> None:
    assert config.exists()
    told = shell.run("trust", stdin=b"trust\n")
    assert told.status == 1
    assert "approval_required" in told.err
    assert records(home) == []


@pytest.mark.parametrize("text", ["broken =", '[routing.default]\nmodel = "class:nobody-knows"\n'])
def test_a_file_that_could_not_be_applied_is_not_confirmed(
    shell: CommandLine, home: Path, config: Path, text: str
) -> None:
    config.write_text(text, encoding="utf-8")
    shown, status = asked(shell, b"trust")
    assert (status, "policy_invalid" in shown, records(home)) == (1, True, [])


def test_where_there_is_nothing_to_confirm_it_says_so(here: Here, home: Path) -> None:
    told = here("trust")
    assert (told.status, "nothing to confirm" in told.out, records(home)) == (0, True, [])


def test_the_state_is_printed_without_a_question_and_revoked_without_one(
    shell: CommandLine, home: Path, config: Path
) -> None:
    before = shell.run("trust", "--json").json
    (file,) = before["files"]
    assert (file["file"], file["trusted"]) == (".smista/config.toml", False)
    assert file["asks_for"] == ["work led by rule `edits far away`: openai/gpt-5"]
    assert before["workspace"] == str(config.parents[1])
    asked(shell, b"trust")
    assert shell.run("trust", "--json").json["files"][0]["trusted"] is True
    assert "is confirmed" in shell.run("trust").out
    assert shell.run("trust", "--revoke").status == 0
    assert records(home) == []
    assert shell.run("trust", "--revoke", "--json").json["files"][0]["trusted"] is False


def test_a_flag_for_ci_counts_for_one_command(shell: CommandLine, home: Path, config: Path) -> None:
    assert config.exists()
    told = shell.run("route", "fix it", "--intent", "edit", "--trust-workspace", "--json").json
    assert told["decisions"][0]["matched_rule"] == {"name": "edits far away", "layer": "workspace"}
    assert any("--trust-workspace" in notice for notice in told["notices"])
    assert records(home) == []
    assert shell.run("route", "fix it", "--intent", "edit", "--json").json["decisions"][0]["matched_rule"] is None


def test_state_that_lies_in_the_workspace_confirms_nothing(workspace: Path, config: Path) -> None:
    assert config.exists()
    shell = CommandLine(workspace / "own", workspace)
    shown, status = asked(shell, b"trust")
    assert status == 1
    assert "SMISTA_HOME" in shown
    assert not (workspace / "own").exists()


def test_without_a_workspace_there_is_nothing_to_be_asked_about(home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    assert CommandLine(home, tmp_path / "elsewhere").run("trust").status == 2


def test_a_name_forges_no_line_of_what_is_asked_for() -> None:
    name = "quiet" + " " * 150 + "- nothing more"
    parsed = parse(f'[[routing.rules]]\nname = "{name}"\nmodel = "ollama/m"\n'.encode(), Layer.WORKSPACE, "config.toml")
    assert parsed.document is not None, parsed.findings
    (wish,) = wishes(parsed.document)
    assert "nothing more" not in wish
    assert "…`: ollama/m" in wish
