"""`--all` and `--project`: several hosts at once, files that they share, and where a project is."""

import json
from pathlib import Path

import pytest
from command_line import CommandLine, Here

HOSTS = ("claude-code", "codex", "cursor", "vscode", "gemini-cli", "opencode", "copilot-cli")
FOLDERS = (".claude", ".codex", ".cursor", ".config/Code/User", ".gemini", ".config/opencode", ".copilot")


@pytest.fixture
def account(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user who has a folder of every host, and no program of any."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    for folder in (*FOLDERS, ".codeium/windsurf"):
        (shell.account / folder).mkdir(parents=True)
    return shell.account


def statuses(text: str) -> dict[str, str]:
    return {one["host"]: one["status"] for one in json.loads(text)}


def test_hosts_that_share_a_file_of_instructions_get_one_note(here: Here, account: Path, workspace: Path) -> None:
    (workspace / "AGENTS.md").write_text("# Mine\n")
    done = here("install", "--all", "--project", "--note", "--yes", "--json")
    assert done.status == 0
    assert statuses(done.out) == dict.fromkeys(HOSTS, "written")
    assert "begin: codex copilot-cli opencode vscode -->" in (workspace / "AGENTS.md").read_text()
    assert statuses(here("install", "--all", "--project", "--note", "--yes", "--json").out) == dict.fromkeys(
        HOSTS, "unchanged"
    )
    done = here("uninstall", "--all", "--project", "--yes", "--json")
    assert done.status == 0
    assert statuses(done.out) == dict.fromkeys(HOSTS, "written")
    assert (workspace / "AGENTS.md").read_text() == "# Mine\n"
    assert sorted(path.name for path in workspace.iterdir()) == [".git", "AGENTS.md", "src"]


@pytest.mark.parametrize("json_too", [(), ("--json",)])
def test_what_was_written_before_a_failure_is_named(here: Here, account: Path, json_too: tuple[str, ...]) -> None:
    (account / ".codex/AGENTS.md").write_text("# Mine\n")
    (account / ".codex/AGENTS.md.smista.bak").mkdir()
    done = here("install", "codex", "--yes", "--note", *json_too)
    assert done.status == 1
    entry = account / ".codex/config.toml"
    assert "smista" in entry.read_text()
    assert (account / ".codex/AGENTS.md").read_text() == "# Mine\n"
    assert "config.toml" in done.out + done.err.partition("AGENTS.md")[0]
    if json_too:
        (one,) = json.loads(done.out)
        assert (one["status"], one["written"]) == ("failed", [str(entry)])


def test_all_takes_it_out_of_hosts_that_are_gone_and_of_aider(here: Here, account: Path) -> None:
    for host in HOSTS:
        assert here("install", host, "--yes").status == 0
    (account / ".claude").rmdir()
    (account / ".aider.conf.yml").write_text("dark-mode: true\nmodel: a/b # smista-mcp\n")
    done = here("uninstall", "--all", "--yes", "--json")
    assert done.status == 0
    assert statuses(done.out) == dict.fromkeys((*HOSTS, "aider"), "written")
    assert (account / ".aider.conf.yml").read_text() == "dark-mode: true\n"
    assert not (account / ".claude.json").exists()
    assert json.loads(here("uninstall", "--all", "--json").out)[0]["host"] == "aider"
    (account / ".aider.conf.yml").unlink()
    done = here("uninstall", "--all", "--yes")
    assert done.status == 0
    assert "nothing to change" in done.out


def test_a_project_has_to_be_known(shell: CommandLine, account: Path) -> None:
    plain = account / "plain"
    plain.mkdir()
    for folder in (account, plain):
        for words in (("install", "claude"), ("uninstall", "claude"), ("install", "aider"), ("install", "--all")):
            done = CommandLine(shell.home, folder).run(*words, "--project", "--yes", "--json")
            assert done.status == 2
            assert done.json["error"]["code"] == "invalid_task"
    assert not list(account.rglob(".mcp.json"))
    done = CommandLine(shell.home, account).run("install", "claude", "--project", "--yes", "--workspace", str(plain))
    assert done.status == 0
    assert (plain / ".mcp.json").is_file()
