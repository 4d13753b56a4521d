"""`smista-mcp approve`: a person at a terminal sees everything and types a word; nobody and nothing else says yes."""

import os
import stat
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from command_line import CommandLine
from fake_ollama import FakeOllama
from terminal import on_terminal, read_until

from smista_mcp.agentshells import MARKS
from smista_mcp.ledger.approvals import ApprovalBook

QUESTION = b"Type `approve`"
CANARY = "canary-7f3a9c"
FAR = """\
[routing.default]
model = "ollama/tiny"

[providers.ollama]
base_url = "{base_url}"
locality = "remote"

[catalog."ollama/tiny:latest"]
input_price = "1"
output_price = "5"
"""


@dataclass(frozen=True)
class AgentShell(CommandLine):
    """A shell that an agent has opened."""

    mark: str = ""

    def command(self, *arguments: str) -> list[str]:
        return ["env", f"{self.mark}=1", *super().command(*arguments)]


class Talker(FakeOllama):
    """A model that answers with a file's words and with what would steer a terminal."""

    def __init__(self) -> None:
        super().__init__()
        self.heard = threading.Event()

    def write(self, question: str, send: Any) -> None:
        del question
        self.heard.set()
        said = f"the plan: {CANARY}\n\x1b[2Jend of the text\n\u202eesrever"
        send({"model": "tiny", "message": {"role": "assistant", "content": said}, "done": False})
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 7, "eval_count": 1}
        send({"model": "tiny", "message": {"role": "assistant", "content": ""}, **end})


@pytest.fixture
def ollama() -> Iterator[Talker]:
    with Talker.serving() as fake:
        yield fake


@pytest.fixture
def asked(shell: CommandLine, home: Path, workspace: Path, ollama: FakeOllama) -> str:
    """The id of what a dispatch asks for: a file may go to a remote model."""
    (home / "config.toml").write_text(FAR.format(base_url=ollama.base_url), encoding="utf-8")
    (workspace / "src/a.py").write_text("x = 1\n", encoding="utf-8")
    answer = shell.run("dispatch", "explain src/a.py", "--path", "src/a.py", "--json").json
    assert answer["status"] == "approval_required"
    return answer["approval_id"]


@pytest.fixture
def withheld(shell: CommandLine, workspace: Path, local_policy: Path) -> dict[str, Any]:
    """The answer to a dispatch that was made from a restricted file."""
    assert local_policy.exists()
    (workspace / ".env").write_text("a plan\n", encoding="utf-8")
    answer = shell.run("dispatch", "explain .env", "--json").json
    assert answer["code"] == "answer_withheld"
    return answer


def answered(shell: CommandLine, word: bytes, *arguments: str) -> tuple[str, int]:
    """What a terminal shows, and how the command ends once somebody has answered."""
    with on_terminal(shell, "approve", *arguments) as (process, ours):
        shown = read_until(ours, QUESTION)
        if QUESTION in shown:
            os.write(ours, word + b"\n")
            shown += read_until(ours, b"\0")
        return shown.decode(), process.wait()


def state(home: Path, approval_id: str) -> str:
    return ApprovalBook.open(home / "state").stored(approval_id, datetime.now(UTC)).state


def test_a_person_sees_all_of_it_and_types_the_word(
    shell: CommandLine, home: Path, asked: str, ollama: FakeOllama
) -> None:
    shown, status = answered(shell, b"approve", asked[:8])
    assert (status, state(home, asked)) == (0, "granted")
    for told in ("explain src/a.py", "ollama/tiny", ollama.base_url, "src/a.py, ", " tokens", "USD"):
        assert told in shown
    events = ApprovalBook.open(home / "state").stored(asked, datetime.now(UTC)).events
    assert [event.event for event in events] == ["requested", "shown", "granted"]
    assert stat.S_IMODE((home / "state/ledger.db").stat().st_mode) == 0o600
    assert shell.run("route", "explain src/a.py", "--path", "src/a.py").status == 0


@pytest.mark.parametrize(
    ("word", "left"), [(b"", "open"), (b"y", "open"), (b"yes", "open"), (b"APPROVE", "open"), (b"refuse", "refused")]
)
def test_any_other_word_approves_nothing(shell: CommandLine, home: Path, asked: str, word: bytes, left: str) -> None:
    assert answered(shell, word, asked)[1] == 1
    assert state(home, asked) == left


def test_what_was_refused_is_not_approved_later(shell: CommandLine, home: Path, asked: str) -> None:
    answered(shell, b"refuse", asked)
    shown, status = answered(shell, b"approve", asked)
    assert (status, QUESTION.decode() in shown, state(home, asked)) == (1, False, "refused")


@pytest.mark.parametrize("mark", [mark.name for mark in MARKS])
def test_an_agents_shell_is_refused_even_on_a_terminal(home: Path, workspace: Path, asked: str, mark: str) -> None:
    shown, status = answered(AgentShell(home, workspace, mark), b"approve", asked)
    assert (status, "approval_required" in shown, mark in shown) == (1, True, True)
    assert state(home, asked) == "open"


def test_without_a_terminal_nobody_approves(shell: CommandLine, home: Path, asked: str) -> None:
    told = shell.run("approve", asked, stdin=b"approve\n")
    assert (told.status, "approval_required" in told.err, state(home, asked)) == (1, True, "open")


def test_showing_asks_nothing(shell: CommandLine, home: Path, asked: str) -> None:
    plain = shell.run("approve", asked, "--show")
    assert (plain.status, "explain src/a.py" in plain.out) == (0, True)
    told = shell.run("approve", asked, "--json").json
    assert (told["state"], told["request"]["phases"][0]["items"][0]["path"]) == ("open", "src/a.py")
    assert [one["approval_id"] for one in shell.run("approve", "--json").json] == [asked]
    assert asked[:8] in shell.run("approve").out
    assert state(home, asked) == "open"


def test_the_text_of_a_release_is_shown_to_a_person_alone(
    shell: CommandLine, home: Path, workspace: Path, withheld: dict[str, Any]
) -> None:
    given = withheld["approval_id"]
    piped = shell.run("approve", given, "--show")
    assert (piped.status, CANARY in piped.out, "would go" in piped.out) == (0, False, True)
    assert CANARY not in shell.run("approve", given, "--json").out
    for one, seen in ((shell, True), (AgentShell(home, workspace, "CLAUDECODE"), False)):
        with on_terminal(one, "approve", given, "--show") as (process, ours):
            shown = read_until(ours, b"\0")
            assert process.wait() == 0
        assert ((CANARY.encode() in shown), b"to whatever program called" in shown) == (seen, True)


def test_nothing_to_answer_and_unknown_ids(shell: CommandLine, home: Path) -> None:
    assert shell.run("approve").out.startswith("nothing waits for an answer")
    assert shell.run("approve", "0" * 32).status == 1
    assert shell.run("approve", "no id").status == 1
    assert shell.run("approve", "--for-session").status == 2
    assert shell.run("approve", "--revoke").status == 2
    assert home.exists()


def test_a_session_is_for_what_may_leave_anyway(shell: CommandLine, home: Path, asked: str) -> None:
    shown, status = answered(shell, b"approve", asked, "--for-session")
    assert (status, "24 hours" in shown, state(home, asked)) == (0, True, "granted")
    for text in ("explain src/a.py", "what is a unit test?"):
        assert shell.run("route", text).status == 0


@pytest.mark.parametrize("options", [(), ("--for-session",)])
def test_a_person_sees_which_workspace_it_is(
    shell: CommandLine, home: Path, workspace: Path, asked: str, options: tuple[str, ...]
) -> None:
    elsewhere = CommandLine(home, home.parent)
    assert str(workspace) in elsewhere.run("approve").out
    shown, _ = answered(elsewhere, b"approve", asked, *options)
    assert shown.count(str(workspace)) == 1 + len(options)
    assert state(home, asked) == "granted"


@pytest.mark.parametrize("options", [(), ("--for-session",)])
def test_a_yes_is_taken_back(shell: CommandLine, home: Path, asked: str, options: tuple[str, ...]) -> None:
    task = ("explain src/a.py", "--path", "src/a.py")
    answered(shell, b"approve", asked, *options)
    assert "granted" in shell.run("approve").out
    assert "--revoke" in answered(shell, b"", asked)[0]
    assert shell.run("route", *task).status == 0
    assert shell.run("approve", asked[:8], "--revoke").status == 0
    assert (state(home, asked), shell.run("route", *task).status) == ("refused", 1)
    assert (shell.run("approve", asked, "--revoke").status, shell.run("approve", "--json").json) == (1, [])
    assert ApprovalBook.open(home / "state").stored(asked, datetime.now(UTC)).events[-1].via == "command line"


def test_an_agent_may_take_a_yes_back(home: Path, workspace: Path, shell: CommandLine, asked: str) -> None:
    answered(shell, b"approve", asked)
    assert AgentShell(home, workspace, "CLAUDECODE").run("approve", asked, "--revoke").status == 0
    assert state(home, asked) == "refused"


def test_a_refusal_says_that_another_yes_covers_the_same(shell: CommandLine, home: Path, asked: str) -> None:
    other = shell.run("dispatch", "what is a unit test?", "--json").json["approval_id"]
    answered(shell, b"approve", asked, "--for-session")
    shown, _ = answered(shell, b"refuse", other)
    assert (state(home, other), f"--revoke {asked[:8]}" in shown) == ("refused", True)
    assert shell.run("route", "what is a unit test?").status == 0
    shell.run("approve", asked, "--revoke")
    assert shell.run("route", "what is a unit test?").status == 1


def test_a_release_has_no_session(shell: CommandLine, withheld: dict[str, Any]) -> None:
    shown, status = answered(shell, b"approve", withheld["approval_id"], "--for-session")
    assert (status, "approval_required" in shown) == (1, True)


def test_a_release_shows_the_whole_text_and_where_it_goes(
    shell: CommandLine, home: Path, withheld: dict[str, Any]
) -> None:
    shown, status = answered(shell, b"approve", withheld["approval_id"])
    assert (status, state(home, withheld["approval_id"])) == (0, "granted")
    assert f"  | the plan: {CANARY}" in shown
    assert "  | \\x1b[2Jend of the text" in shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
    assert ("to whatever program called" in shown, withheld["phases"][0]["withheld"]["path"] in shown) == (True, True)


@pytest.mark.parametrize("agent", [False, True])
def test_a_person_and_an_agent_are_told_different_things(
    shell: CommandLine, home: Path, workspace: Path, withheld: dict[str, Any], *, agent: bool
) -> None:
    command = AgentShell(home, workspace, "CLAUDECODE") if agent else shell
    with on_terminal(command, "dispatch", "explain .env") as (process, ours):
        shown = read_until(ours, b"\0").decode()
        assert process.wait() == 0
    assert ("do not open it" in shown, "cat " in shown) == (agent, not agent)
    assert "job_id" not in shown
    assert CANARY not in shown
    assert "job_id" not in withheld["next"]


@pytest.mark.parametrize("agent", [False, True])
def test_what_waits_names_a_way_that_works_here(
    shell: CommandLine, home: Path, workspace: Path, asked: str, *, agent: bool
) -> None:
    command = AgentShell(home, workspace, "CLAUDECODE") if agent else shell
    told = command.run("dispatch", "explain src/a.py", "--path", "src/a.py", "--json").json
    assert ("job_id" in told["next"], asked[:8] in told["next"]) == (False, True)
    answered(shell, b"approve", asked)
    assert command.run("dispatch", "explain src/a.py", "--path", "src/a.py").status == 0


def test_a_text_that_is_no_longer_the_same_is_not_released(
    shell: CommandLine, home: Path, withheld: dict[str, Any]
) -> None:
    Path(withheld["phases"][0]["withheld"]["path"]).write_text("harmless", encoding="utf-8")
    shown, status = answered(shell, b"approve", withheld["approval_id"])
    assert (status, QUESTION.decode() in shown, state(home, withheld["approval_id"])) == (1, False, "refused")
    assert ("answer_withheld" in shown, shell.run("approve", "--json").json) == (True, [])


@pytest.mark.parametrize(("word", "status"), [(b"approve", 0), (b"y", 1)])
def test_dispatch_on_a_terminal_shows_it_and_asks_for_the_word(
    shell: CommandLine, home: Path, asked: str, ollama: Talker, word: bytes, status: int
) -> None:
    with on_terminal(shell, "dispatch", "explain src/a.py", "--path", "src/a.py", "--yes") as (process, ours):
        shown = read_until(ours, QUESTION)
        assert not ollama.heard.is_set()
        os.write(ours, word + b"\n")
        rest = read_until(ours, b"\0")
        assert process.wait() == status
    assert b"  | explain src/a.py" in shown
    assert (b"still waits" in rest) == (status == 1)
    assert (CANARY.encode() in rest, ollama.heard.is_set()) == (status == 0, status == 0)
    assert state(home, asked) == ("used" if status == 0 else "open")


def test_dispatch_in_an_agents_shell_asks_nobody(home: Path, workspace: Path, asked: str) -> None:
    with on_terminal(AgentShell(home, workspace, "CODEX_SANDBOX"), "dispatch", "explain src/a.py", "--yes") as (
        p,
        ours,
    ):
        shown = read_until(ours, b"\0")
        assert p.wait() == 1
    assert QUESTION not in shown
    assert state(home, asked) == "open"
