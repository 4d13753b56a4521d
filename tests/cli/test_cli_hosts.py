"""`hosts`, and how the host is told that calls."""

import pytest
from command_line import CommandLine, Here
from raw_host import RawHost

from smista_mcp.hosts import HOSTS


def test_the_table_has_a_line_for_every_host_in_eighty_columns(here: Here) -> None:
    told = here("hosts")
    lines = told.out.splitlines()
    assert told.status == 0
    assert [line.split()[0] for line in lines[1 : len(HOSTS) + 1]] == [host.name for host in HOSTS]
    assert all(len(line) <= 80 for line in lines)
    assert lines[-1] == "detected: unknown (by nothing)"


def test_a_program_gets_every_fact_with_date_and_source(here: Here) -> None:
    told = here("hosts", "--json").json
    assert [one["name"] for one in told["hosts"]] == [host.name for host in HOSTS]
    for one, host in zip(told["hosts"], HOSTS, strict=True):
        assert {**host._asdict(), "can_switch": host.can_switch} == {
            key: (*value,) if type(value) is list else value for key, value in one.items()
        }


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ([], ("unknown", "nothing")),
        (["--client", "codex-mcp-client"], ("codex", "client")),
        (["--client", "nobody's"], ("unknown", "client")),
        (["--host", "Zed", "--client", "codex-mcp-client"], ("zed", "override")),
    ],
)
def test_what_calls_is_told_with_what_decided_it(
    arguments: list[str], found: tuple[str, str], here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = here("hosts", "--json", *arguments).json
    assert (told["detected"], told["by"]) == found
    monkeypatch.setenv("CLAUDECODE", "1")
    told = here("hosts", "--json", *arguments).json
    assert (told["detected"], told["by"]) == (found if arguments else ("claude-code", "environment"))
    monkeypatch.setenv("SMISTA_HOST", "gemini-cli")
    told = here("hosts", "--json", *arguments).json
    overridden = "zed" if "--host" in arguments else "gemini-cli"
    assert (told["detected"], told["by"]) == (overridden, "override")


def test_one_host_is_shown_in_full(here: Here) -> None:
    told = here("hosts", "codex")
    assert told.out.splitlines()[0] == "name: codex"
    assert "checked: 2026-" in told.out
    assert here("hosts", "codex", "--json").json["hosts"][0]["name"] == "codex"


@pytest.mark.parametrize(
    "arguments", [["hosts", "emacs"], ["hosts", "--host", "emacs"], ["serve-stdio", "--host", "x"]]
)
def test_a_host_that_nobody_knows_is_refused_with_those_that_are(arguments: list[str], here: Here) -> None:
    told = here(*arguments)
    assert (told.status, told.out) == (2, "")
    assert "claude-code" in told.err


@pytest.mark.parametrize(("arguments", "name"), [([], "codex"), (["--host", "zed"], "zed")])
def test_a_server_believes_its_command_line_before_its_client(
    arguments: list[str], name: str, shell: CommandLine
) -> None:
    with shell.started("serve-stdio", *arguments) as process:
        host = RawHost(process)
        host.greet(name="codex-mcp-client")
        answer = host.call("route", {"text": "what is a monad?"})
        host.end_input()
        assert host.exit() == 0
    assert [one["host"] for one in answer["structuredContent"]["decisions"]] == [name]
