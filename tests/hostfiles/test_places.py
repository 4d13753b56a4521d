"""The table of hosts and their files."""

from datetime import date
from pathlib import Path

import pytest

from smista_mcp.hostfiles.places import HOST_FILES, NAME, HostFile, Platform, host_file, resolved, roots
from smista_mcp.hosts import HOSTS

each_row = pytest.mark.parametrize("row", HOST_FILES, ids=lambda row: row.host)


@each_row
def test_every_row_has_a_source_a_date_and_a_host(row: HostFile) -> None:
    assert row.source
    assert date.fromisoformat(row.checked) >= date(2026, 11, 20)
    assert row.host in {host.name for host in HOSTS}
    assert row.keys[-1] == NAME


def test_every_host_that_is_known_has_a_file() -> None:
    assert {row.host for row in HOST_FILES} == {host.name for host in HOSTS} - {"unknown"}


@each_row
@pytest.mark.parametrize("platform", ["linux", "macos", "windows"])
def test_every_pattern_names_a_file(row: HostFile, platform: Platform) -> None:
    folders = roots(Path("/h"), {}, platform, Path("/p"))
    for place in (row.user, row.project):
        if place is None:
            continue
        top = Path("/h") if place is row.user else Path("/p")
        for pattern in (*place.files, *([place.note] if place.note else [])):
            assert resolved(pattern, folders).is_relative_to(top)
    for mark in row.marks:
        assert resolved(mark, folders).is_relative_to("/h")


@each_row
def test_an_entry_gives_limits_a_reason_and_no_others(row: HostFile) -> None:
    entry = row.entry(("/x", "serve-stdio"), ("A",))
    assert row.limits.keys() <= entry.keys()


def test_a_host_is_found_by_each_of_its_names() -> None:
    for row in HOST_FILES:
        for name in (row.host, *row.other_names):
            assert host_file(f" {name.upper()} ") is row
    names = [name for row in HOST_FILES for name in (row.host, *row.other_names)]
    assert len(set(names)) == len(names)
    assert host_file("emacs") is None


@pytest.mark.parametrize(
    ("host", "platform", "variables", "file"),
    [
        ("claude-code", "linux", {}, "/h/.claude.json"),
        ("claude-code", "linux", {"CLAUDE_CONFIG_DIR": "/c"}, "/c/.claude.json"),
        ("codex", "macos", {"CODEX_HOME": "/c"}, "/c/config.toml"),
        ("codex", "linux", {"CODEX_HOME": "relative"}, "/h/.codex/config.toml"),
        ("vscode", "linux", {}, "/h/.config/Code/User/mcp.json"),
        ("vscode", "linux", {"XDG_CONFIG_HOME": "/x"}, "/x/Code/User/mcp.json"),
        ("vscode", "macos", {"XDG_CONFIG_HOME": "/x"}, "/h/Library/Application Support/Code/User/mcp.json"),
        ("vscode", "windows", {"APPDATA": "/a"}, "/a/Code/User/mcp.json"),
        ("opencode", "macos", {}, "/h/.config/opencode/opencode.json"),
        ("copilot-cli", "linux", {"COPILOT_HOME": "/c"}, "/c/mcp-config.json"),
        ("gemini-cli", "linux", {"GEMINI_CLI_HOME": "/g"}, "/g/.gemini/settings.json"),
        ("zed", "windows", {"APPDATA": "/a"}, "/a/Zed/settings.json"),
        ("zed", "macos", {}, "/h/.config/zed/settings.json"),
    ],
)
def test_files_stand_where_the_hosts_look(host: str, platform: Platform, variables: dict[str, str], file: str) -> None:
    row = host_file(host)
    assert row
    assert resolved(row.user.files[-1], roots(Path("/h"), variables, platform)) == Path(file)
