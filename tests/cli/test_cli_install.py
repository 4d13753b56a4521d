"""`install` and `uninstall`: what is shown, asked, written, kept and refused."""

import json
import os
import stat
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine, Here
from terminal import on_terminal, read_until

from smista_mcp.hostfiles.files import BACKUP, MAX_BYTES

OWN = '{\n  // mine\n  "mcpServers": {\n    "other": { "url": "http://127.0.0.1:1/" }\n  }\n}\n'


@pytest.fixture
def account(shell: CommandLine, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The home folder of a user who has nothing on his PATH but what a shell needs."""
    monkeypatch.setenv("PATH", "/usr/bin:/bin")
    shell.account.mkdir()
    return shell.account


@pytest.fixture
def cursor(account: Path) -> Path:
    file = account / ".cursor/mcp.json"
    file.parent.mkdir()
    file.write_text(OWN)
    return file


def servers(file: Path) -> Any:
    lines = file.read_text(encoding="utf-8").splitlines()
    return json.loads("\n".join(line for line in lines if "//" not in line or "url" in line))


def litter(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_change_is_shown_and_nothing_is_written_without_a_yes(here: Here, cursor: Path) -> None:
    done = here("install", "cursor")
    assert done.status == 0
    assert '+    "smista": {' in done.out
    assert '-    "other"' in done.out
    assert "--yes" in done.err
    assert cursor.read_text(encoding="utf-8") == OWN
    assert litter(cursor.parent) == ["mcp.json"]


def test_yes_writes_the_entry_and_keeps_the_old_file_beside_it(here: Here, cursor: Path) -> None:
    cursor.chmod(0o640)
    assert here("install", "cursor", "--yes").status == 0
    command = servers(cursor)["mcpServers"]["smista"]
    assert Path(command["command"]).is_absolute()
    assert command["args"][-1] == "serve-stdio"
    assert "// mine" in cursor.read_text(encoding="utf-8")
    backup = cursor.with_name(cursor.name + BACKUP)
    assert backup.read_text() == OWN
    assert [stat.S_IMODE(path.stat().st_mode) for path in (cursor, backup)] == [0o640, 0o640]
    assert litter(cursor.parent) == ["mcp.json", "mcp.json" + BACKUP]
    written = cursor.stat().st_mtime_ns
    assert here("install", "cursor", "--yes").out.count("nothing to change") == 1
    assert cursor.stat().st_mtime_ns == written
    assert here("uninstall", "cursor", "--yes").status == 0
    assert cursor.read_text(encoding="utf-8") == OWN
    assert "nothing to change" in here("uninstall", "cursor", "--yes").out


@pytest.mark.parametrize(("typed", "status"), [(b"y\n", 0), (b"\n", 1)])
def test_a_person_is_asked(shell: CommandLine, cursor: Path, typed: bytes, status: int) -> None:
    with on_terminal(shell, "install", "cursor") as (process, ours):
        shown = read_until(ours, b"[y/N]")
        assert b"smista" in shown
        os.write(ours, typed)
        read_until(ours, b"\0never")
        assert process.wait() == status
    assert (cursor.read_text(encoding="utf-8") != OWN) == (status == 0)


def test_a_link_to_dotfiles_stays_a_link(here: Here, account: Path, tmp_path: Path) -> None:
    dotfiles = tmp_path / "dotfiles"
    dotfiles.mkdir()
    (dotfiles / "cursor.json").write_text(OWN)
    (account / ".cursor").mkdir()
    (tmp_path / "middle").symlink_to(dotfiles / "cursor.json")
    link = account / ".cursor/mcp.json"
    link.symlink_to(tmp_path / "middle")
    assert here("install", "cursor", "--yes").status == 0
    assert link.is_symlink()
    assert (tmp_path / "middle").is_symlink()
    assert "smista" in servers(dotfiles / "cursor.json")["mcpServers"]
    assert litter(dotfiles) == ["cursor.json", "cursor.json" + BACKUP]
    assert litter(link.parent) == ["mcp.json"]


def test_a_linked_folder_is_followed(here: Here, account: Path, tmp_path: Path) -> None:
    (tmp_path / "dotfiles/gemini").mkdir(parents=True)
    (account / ".gemini").symlink_to(tmp_path / "dotfiles/gemini")
    assert here("install", "gemini", "--yes").status == 0
    assert litter(tmp_path / "dotfiles/gemini") == ["settings.json"]


def _directory(file: Path) -> None:
    file.unlink()
    file.mkdir()


def _pipe(file: Path) -> None:
    file.unlink()
    os.mkfifo(file)


def _dangling(file: Path) -> None:
    file.unlink()
    file.symlink_to(file.parent / "nowhere")


def _loop(file: Path) -> None:
    file.unlink()
    file.symlink_to(file)


def _huge(file: Path) -> None:
    with file.open("ab") as open_file:
        open_file.truncate(MAX_BYTES + 1)


def _says(text: str, encoding: str = "utf-8") -> Callable[[Path], object]:
    return lambda file: file.write_text(text, encoding=encoding)


ODD: dict[str, Callable[[Path], object]] = {
    "read-only": lambda file: file.chmod(0o444),
    "folder": _directory,
    "pipe": _pipe,
    "link to nothing": _dangling,
    "link to itself": _loop,
    "huge": _huge,
    "second name": lambda file: os.link(file, file.with_name("second")),
    "not UTF-8": _says('{"a": "ÿ"}', "latin-1"),
    "UTF-16": _says(OWN, "utf-16"),
    "not JSON": _says('{"mcpServers": {\n"a": }}'),
    "half written": _says(OWN[:-8]),
    "no object": _says("[]"),
    "servers no object": _says('{"mcpServers": []}'),
    "servers twice": _says('{"mcpServers": {}, "mcpServers": {}}'),
    "too deep": _says("[" * 100_000),
}


@pytest.mark.parametrize("odd", ODD)
def test_an_odd_file_is_refused_and_nothing_is_lost(here: Here, cursor: Path, odd: str) -> None:
    ODD[odd](cursor)
    before = {path.name: path.lstat() for path in cursor.parent.iterdir()}
    content = cursor.read_bytes() if cursor.is_file() and odd != "huge" else b""
    done = here("install", "cursor", "--yes", "--json")
    assert done.status == 2
    error = json.loads(done.out)["error"]
    assert error["code"] == "invalid_task"
    assert str(cursor) in error["message"]
    assert error["fix"]
    after = {path.name: path.lstat() for path in cursor.parent.iterdir()}
    assert after.keys() == before.keys()
    assert [one.st_mtime_ns for one in after.values()] == [one.st_mtime_ns for one in before.values()]
    if content:
        assert cursor.read_bytes() == content


def test_a_comment_is_refused_where_the_host_reads_none(here: Here, account: Path) -> None:
    (account / ".claude.json").write_text("{\n// c\n}")
    done = here("install", "claude", "--yes")
    assert done.status == 2
    assert "line 2" in done.err


def test_a_file_that_is_not_toml_is_refused(here: Here, account: Path) -> None:
    file = account / ".codex/config.toml"
    file.parent.mkdir()
    file.write_text("a = 1\nb = \n")
    done = here("install", "codex", "--yes")
    assert done.status == 2
    assert "line 2" in done.err
    assert file.read_text() == "a = 1\nb = \n"


def test_all_takes_what_is_there_and_one_that_fails_holds_back_none(
    here: Here, account: Path, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    for folder in (".claude", ".cursor", ".codex", ".codeium/windsurf"):
        (account / folder).mkdir(parents=True)
    (account / ".cursor/mcp.json").write_text("{")
    programs = tmp_path / "programs"
    programs.mkdir()
    (programs / "opencode").write_text("#!/bin/sh\nexit 1\n")
    (programs / "opencode").chmod(0o755)
    monkeypatch.setenv("PATH", f"{programs}:/usr/bin:/bin")
    done = here("install", "--all", "--yes", "--json")
    assert done.status == 1
    found = {one["host"]: one for one in json.loads(done.out)}
    assert {host: one["status"] for host, one in found.items()} == {
        "claude-code": "written",
        "codex": "written",
        "cursor": "failed",
        "opencode": "written",
        "windsurf": "paste",
    }
    assert found["cursor"]["error"]["code"] == "invalid_task"
    assert '"smista"' in (account / ".claude.json").read_text()
    assert '"smista"' in (account / ".config/opencode/opencode.json").read_text()
    assert stat.S_IMODE((account / ".claude.json").stat().st_mode) == 0o600


def test_print_writes_nothing(here: Here, account: Path) -> None:
    for host, words in (("codex", "[mcp_servers.smista]"), ("zed", '"context_servers"'), ("windsurf", '"mcpServers"')):
        done = here("install", host, "--print", "--yes", "--note")
        assert done.status == 0
        assert words in done.out
        assert "dispatch" in done.out
    assert litter(account) == []


def test_a_host_that_is_only_told_what_to_paste_is_never_written(here: Here, account: Path) -> None:
    file = account / ".config/zed/settings.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    for verb in ("install", "uninstall"):
        done = here(verb, "zed", "--yes")
        assert done.status == 0
        assert "~/.config/zed/settings.json" in done.out
    assert file.read_text() == "{}"


@pytest.mark.parametrize("words", [("install",), ("install", "emacs"), ("install", "codex", "--all"), ("uninstall",)])
def test_a_host_has_to_be_named(here: Here, account: Path, words: tuple[str, ...]) -> None:
    assert here(*words).status == 2


def test_a_machine_without_hosts_is_told_so(here: Here, account: Path) -> None:
    assert here("install", "--all", "--yes").status == 2


def test_names_of_keys_are_passed_on_and_values_never(
    here: Here, account: Path, refusing_policy: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    value = "sk-" + "ant-" + "0123456789abcdef" * 2
    monkeypatch.setenv("ANTHROPIC_API_KEY", value)
    shown = "".join(here("install", host, "--yes", "--json").out for host in ("codex", "gemini", "cursor", "copilot"))
    codex = (account / ".codex/config.toml").read_text()
    assert 'env_vars = ["ANTHROPIC_API_KEY", "SMISTA_HOME"]' in codex
    gemini = json.loads((account / ".gemini/settings.json").read_text())["mcpServers"]["smista"]
    assert gemini["env"] == {"ANTHROPIC_API_KEY": "${ANTHROPIC_API_KEY:-}", "SMISTA_HOME": "${SMISTA_HOME:-}"}
    assert "secret:NAME" in shown  # Copilot CLI holds that variable back
    files = [path.read_text() for path in account.rglob("*") if path.is_file()]
    assert value not in shown + "".join(files)


def test_the_secrets_of_neighbours_are_not_shown(here: Here, account: Path) -> None:
    key = "ghp_" + "R4nd0mR4nd0mR4nd0mR4nd0mR4nd0mR4nd0m"
    (account / ".cursor").mkdir()
    for indent in (2, None):
        entry = {"command": "x", "env": {"TOKEN": key}}
        (account / ".cursor/mcp.json").write_text(json.dumps({"mcpServers": {"a": entry}}, indent=indent))
        done = here("install", "cursor", "--json")
        assert "[secret]" in done.out
        assert key not in done.out + done.err
        assert '"smista' in json.loads(done.out)[0]["change"]


def test_a_long_line_is_cut_to_what_differs(here: Here, account: Path) -> None:
    (account / ".cursor").mkdir()
    text = json.dumps({"a": "x" * 50_000, "mcpServers": {"b": {}}, "c": "y" * 50_000})
    (account / ".cursor/mcp.json").write_text(text)
    done = here("install", "cursor")
    assert '"serve-stdio"' in done.out
    assert len(done.out) < 3000


def test_a_note_is_written_and_taken_away(here: Here, account: Path) -> None:
    (account / ".claude").mkdir()
    memory = account / ".claude/CLAUDE.md"
    memory.write_text("Be brief.\n")
    assert here("install", "claude-code", "--yes", "--note").status == 0
    assert memory.read_text().startswith("Be brief.\n\n<!-- smista-mcp begin")
    assert here("uninstall", "claude-code", "--yes").status == 0
    assert memory.read_text() == "Be brief.\n"


def test_a_note_whose_lines_are_broken_is_refused(here: Here, account: Path) -> None:
    (account / ".claude").mkdir()
    (account / ".claude/CLAUDE.md").write_text("<!-- smista-mcp begin: codex -->\nx\n")
    assert here("install", "claude-code", "--yes", "--note").status == 2
    assert not (account / ".claude.json").exists()


def test_a_project_has_files_of_its_own(here: Here, account: Path, workspace: Path) -> None:
    for host in ("claude", "codex", "cursor", "vscode", "gemini", "opencode", "copilot"):
        assert here("install", host, "--project", "--yes", "--note").status == 0
    found = {str(path.relative_to(workspace)) for path in workspace.rglob("*") if ".git/" not in str(path)}
    assert {
        *(".mcp.json", ".codex/config.toml", ".cursor/mcp.json", ".cursor/rules/smista.mdc", ".vscode/mcp.json"),
        *(".gemini/settings.json", "opencode.json", ".github/mcp.json", "AGENTS.md", "CLAUDE.md", "GEMINI.md"),
    } <= found
    assert "begin: codex copilot-cli opencode vscode" in (workspace / "AGENTS.md").read_text()
    assert litter(account) == []
    assert here("install", "windsurf", "--project").status == 2


def test_a_link_of_a_repository_leads_to_no_file_of_its_user(here: Here, account: Path, workspace: Path) -> None:
    (account / ".profile").write_text("umask 022\n", encoding="utf-8")
    (account / "servers").mkdir()
    (workspace / "CLAUDE.md").symlink_to(account / ".profile")
    (workspace / ".aider.conf.yml").symlink_to(account / ".profile")
    (workspace / ".vscode").symlink_to(account / "servers")
    for words in ("install claude --note", "install vscode", "install aider", "uninstall claude", "uninstall aider"):
        assert here(*words.split(), "--project", "--yes").status == 2
    assert (account / ".profile").read_text(encoding="utf-8") == "umask 022\n"
    assert litter(account / "servers") == []


# ----------------------------------------------------------------------------------------------------------- aider


def test_aider_gets_the_models_of_the_routes(
    here: Here, account: Path, home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (home / "config.toml").write_text(
        '[[routing.rules]]\nname = "commits"\nintent = "commit"\nmodel = "openai/gpt-6-luna"\n'
        '[routing.default]\nmodel = "anthropic/claude-sonnet"\n[privacy.remote]\nmode = "allow"\n'
    )
    file = account / ".aider.conf.yml"
    file.write_text("# mine\nmodel: gpt-4\n")
    for name in ("ANTHROPIC_API_KEY", "OPENAI_API_KEY"):
        monkeypatch.setenv(name, "no key")
    done = here("install", "aider", "--yes")
    assert done.status == 0
    assert "MCP" in done.out
    assert file.read_text() == (
        "# mine\n# smista-mcp replaced: model: gpt-4\nmodel: anthropic/claude-sonnet-5-5 # smista-mcp\n"
        "weak-model: openai/gpt-6-luna # smista-mcp\neditor-model: anthropic/claude-sonnet-5-5 # smista-mcp\n"
    )
    assert "nothing to change" in here("install", "aider", "--yes").out
    assert here("uninstall", "aider", "--yes").status == 0
    assert file.read_text() == "# mine\nmodel: gpt-4\n"


def test_aider_is_never_sent_past_an_address_of_the_users_own(here: Here, account: Path, local_policy: Path) -> None:
    done = here("install", "aider", "--yes", "--json")
    assert done.status == 2
    assert json.loads(done.out)["error"]["code"] == "invalid_task"
    assert not (account / ".aider.conf.yml").exists()


def test_aiders_file_that_was_empty_stays(here: Here, account: Path) -> None:
    (account / ".aider.conf.yml").write_text("")
    assert here("uninstall", "aider", "--yes").status == 0
    assert (account / ".aider.conf.yml").exists()
