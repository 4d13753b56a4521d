"""What `uninstall` leaves behind: the user's files as they were, his links and his text, and no litter of ours."""

import json
from pathlib import Path

import pytest
from command_line import CommandLine, Here

from smista_mcp.hostfiles.files import BACKUP

HOSTS = ("claude", "codex", "cursor", "vscode", "gemini", "opencode", "copilot")


@pytest.fixture
def account(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user who has nothing on his PATH but what a shell needs."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    shell.account.mkdir()
    (shell.account / ".claude").mkdir()
    return shell.account


def files(folder: Path) -> dict[str, bytes | None]:
    """Everything below a folder but the insides of git; None for a folder."""
    found = (path for path in folder.rglob("*") if ".git" not in path.relative_to(folder).parts)
    return {str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None for path in found}


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n", "Be brief.\n"])
def test_a_linked_file_of_instructions_stays_as_it_was(here: Here, account: Path, tmp_path: Path, text: str) -> None:
    dotfiles = tmp_path / "df"
    dotfiles.mkdir()
    (dotfiles / "CLAUDE.md").write_text(text)
    link = account / ".claude/CLAUDE.md"
    link.symlink_to(dotfiles / "CLAUDE.md")
    for _ in range(2):
        assert here("install", "claude", "--yes", "--note").status == 0
        assert "begin: claude-code" in link.read_text()
        assert here("uninstall", "claude", "--yes").status == 0
        assert link.is_symlink()
        assert files(dotfiles) == {"CLAUDE.md": text.encode()}


@pytest.mark.parametrize("keeps", [False, True])
def test_a_link_never_dangles(here: Here, account: Path, tmp_path: Path, *, keeps: bool) -> None:
    (tmp_path / "df").mkdir()
    links = (account / ".claude/CLAUDE.md", account / ".claude.json", account / ".aider.conf.yml")
    for link in links:
        (tmp_path / "df" / link.name).write_text("")
        link.symlink_to(tmp_path / "df" / link.name)
    assert here("install", "claude", "--yes", "--note").status == 0
    links[2].write_text("model: a/b # smista-mcp\n")
    for copy in (tmp_path / "df").glob("*.bak"):
        if not keeps:
            copy.unlink()
    for host in ("claude", "aider"):
        assert here("uninstall", host, "--yes").status == 0
    assert [link.exists() for link in links] == [True] * 3
    assert "smista" not in "".join(link.read_text() for link in links)


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n"])
def test_a_file_of_blank_lines_is_the_users(here: Here, account: Path, workspace: Path, text: str) -> None:
    rules = workspace / ".cursor/rules/smista.mdc"
    rules.parent.mkdir(parents=True)
    for file in (rules, workspace / "CLAUDE.md"):
        file.write_text(text)
    before = files(workspace)
    for host in ("claude", "cursor"):
        assert here("install", host, "--project", "--yes", "--note").status == 0
    for host in ("claude", "cursor"):
        assert here("uninstall", host, "--project", "--yes").status == 0
    assert files(workspace) == before


def test_text_of_the_user_between_the_marked_lines_is_never_lost(here: Here, account: Path, workspace: Path) -> None:
    file = workspace / "AGENTS.md"
    file.write_text("# Mine\n")
    assert here("install", "codex", "--project", "--yes", "--note").status == 0
    text = file.read_text().replace("## smista\n", "## smista\n\nPRECIOUS\n")
    file.write_text(text)
    for words in ("install vscode --note", "install codex --note", "uninstall codex", "uninstall vscode"):
        assert here(*words.split(), "--project", "--yes").status == 2
        assert file.read_text() == text
    assert (workspace / f"AGENTS.md{BACKUP}").read_text() == "# Mine\n"


def test_marked_lines_that_were_spread_around_a_text_are_refused(here: Here, account: Path) -> None:
    file = account / ".claude/CLAUDE.md"
    text = "<!-- smista-mcp begin: claude-code -->\nPRECIOUS\n<!-- smista-mcp end -->\n"
    file.write_text(text)
    assert here("uninstall", "claude", "--yes").status == 2
    assert here("install", "claude", "--yes", "--note").status == 2
    assert file.read_text() == text


def test_a_note_whose_lines_were_broken_anew_is_still_ours(here: Here, account: Path) -> None:
    file = account / ".claude/CLAUDE.md"
    file.write_text("# Mine\n")
    assert here("install", "claude", "--yes", "--note").status == 0
    file.write_text(file.read_text().replace("\n- ", "\n* ").replace(" which model", "\nwhich model"))
    assert here("uninstall", "claude", "--yes").status == 0
    assert file.read_text() == "# Mine\n"


def test_a_copy_from_before_our_note_is_not_written_over(here: Here, account: Path, workspace: Path) -> None:
    file, copy = workspace / "AGENTS.md", workspace / f"AGENTS.md{BACKUP}"
    file.write_text("# Mine\n")
    for host in ("codex", "vscode", "opencode"):
        assert here("install", host, "--project", "--yes", "--note").status == 0
        assert copy.read_text() == "# Mine\n"
    for host in ("codex", "vscode"):
        assert here("uninstall", host, "--project", "--yes").status == 0
        assert copy.read_text() == "# Mine\n"
    assert here("uninstall", "opencode", "--project", "--yes").status == 0
    assert file.read_text() == "# Mine\n"
    assert not copy.exists()


@pytest.mark.parametrize("there", [False, True])
def test_a_project_is_left_without_litter(here: Here, account: Path, workspace: Path, *, there: bool) -> None:
    if there:
        (workspace / ".vscode").mkdir()
        (workspace / ".vscode/mcp.json").write_text('{"servers": {}}\n')
        (workspace / "AGENTS.md").write_text("# Mine\n")
    before = files(workspace)
    for host in HOSTS:
        assert here("install", host, "--project", "--yes", "--note").status == 0
    for host in HOSTS:
        assert here("uninstall", host, "--project", "--yes").status == 0
    assert files(workspace) == before


def test_a_copy_that_says_more_stays_and_is_named(here: Here, account: Path) -> None:
    file = account / ".claude.json"
    file.write_text("{}\n")
    assert here("install", "claude", "--yes").status == 0
    whole = json.loads(file.read_text()) | {"theme": "dark"}
    file.write_text(json.dumps(whole))
    done = here("uninstall", "claude", "--yes")
    assert f".claude.json{BACKUP}" in done.out
    assert json.loads(file.read_text()) == {"theme": "dark"}
    assert json.loads((account / f".claude.json{BACKUP}").read_text()) == whole
