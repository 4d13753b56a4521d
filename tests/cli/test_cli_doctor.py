"""`doctor` as a process of its own, in homes of every kind."""

import json
import socket
import sqlite3
from pathlib import Path

import pytest
from command_line import CommandLine, Outcome

from smista_mcp.ledger import Ledger


def _checks(told: Outcome, level: str) -> list[tuple[str, str]]:
    return [(one["area"], one["check"]) for one in told.json["remarks"] if one["level"] == level]


@pytest.fixture
def broken(home: Path, workspace: Path) -> CommandLine:
    """A home in which a good deal is wrong, of a user and a project whose names nobody else may learn."""
    account = home.parent / "account-of-quentin"
    project = workspace.rename(workspace.parent / "rocket-for-acme")
    (home / "config.toml").write_text(
        '[[routing.rules]]\nname = "acme only"\nmodel = "openai-compat:acme/x"\ncolour = "red"\n', encoding="utf-8"
    )
    (project / ".smista").mkdir()
    (project / ".smista/config.toml").write_text('[privacy]\nrestricted_paths = ["acme/**"]\n', encoding="utf-8")
    Ledger.open(home / "state").installation_key()
    (home / "state/ledger.db").write_bytes(b"of acme, and no database" * 500)
    (account / ".codex").mkdir(parents=True)
    (account / ".codex/config.toml").write_text(
        f'[mcp_servers.smista]\ncommand = "{account}/acme/smista-mcp"\n', encoding="utf-8"
    )
    (account / ".cursor").mkdir()
    (account / ".cursor/mcp.json").write_text('{"mcpServers": {"acme": ', encoding="utf-8")
    return CommandLine(home, project)


def test_an_empty_home_has_nothing_that_is_wrong(shell: CommandLine, home: Path) -> None:
    told = shell.run("doctor", "--json", variables={"SMISTA_HOME": str(home / "none")})
    assert (told.status, told.err) == (0, "")
    assert (told.json["ok"], told.json["wrong"], told.json["redacted"]) == (True, 0, False)
    assert ("policy", "own_policy") in _checks(told, "note")
    assert ("start", "time") in [*_checks(told, "ok"), *_checks(told, "note")]  # a busy machine is late
    assert all(bool(one["fix"]) is (one["level"] != "ok") for one in told.json["remarks"])
    assert not (home / "none").exists()


def test_everything_that_is_wrong_is_told_and_masked(broken: CommandLine, home: Path) -> None:
    account = home.parent / "account-of-quentin"
    variables = {"HOME": str(account), "OPENAI_API_KEY": "sk-" + "proj-" + "a1B2" * 10, "USER": "quentin"}
    told = broken.run("doctor", "--json", "--redacted", variables=variables)
    assert (told.status, told.err) == (1, "")
    found = _checks(told, "wrong")
    assert {("policy", "errors"), ("ledger", "ledger"), ("hosts", "command"), ("hosts", "arguments")} <= set(found)
    assert ("hosts", "file") in found
    assert (told.json["ok"], told.json["wrong"], told.json["redacted"]) == (False, len(found), True)
    for secret in ("acme", "quentin", "rocket", str(home.parent), "a1B2a1B2", socket.gethostname()):
        assert secret not in told.out
    assert "~/.codex/config.toml" in told.out


def test_people_read_it_in_the_width_of_their_terminal(broken: CommandLine) -> None:
    told = broken.run("doctor", variables={"COLUMNS": "70"})
    assert told.status == 1
    lines = told.out.splitlines()
    assert lines[0] == "program"
    assert all(len(line) <= 70 or max(map(len, line.split())) > 40 for line in lines)  # a path is not broken
    assert sum(line.startswith("  WRONG  ") for line in lines) == int(lines[-1].split(" wrong")[0])
    assert "rocket-for-acme" in told.out


def test_a_ledger_that_is_held_is_told(home: Path, shell: CommandLine) -> None:
    Ledger.open(home / "state").installation_key()
    db = sqlite3.connect(home / "state/ledger.db", isolation_level=None)
    db.execute("BEGIN IMMEDIATE")
    told = shell.run("doctor", "--json")
    db.close()
    assert _checks(told, "wrong") == [("ledger", "lock")]


def test_without_any_home_it_says_so_in_a_line(shell: CommandLine) -> None:
    told = shell.run("doctor", "--json", variables={"SMISTA_ORG_POLICY": "~nobody-of-that-name/p"})
    assert (told.status, json.loads(told.out)["error"]["code"]) == (1, "state_unavailable")
