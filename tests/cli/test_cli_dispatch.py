import os
import re
import signal
import subprocess
from collections.abc import Mapping
from pathlib import Path

import pytest
from command_line import NOTHING, PATIENCE_S, CommandLine, Here
from fake_ollama import FakeOllama
from raw_host import children_of, is_running
from terminal import on_terminal, read_until
from tiny_gguf import write_tiny_gguf

from smista_mcp.app import App, open_app
from smista_mcp.cli.attempts import attempt_lines, attempts_lines, destinations
from smista_mcp.cli.delegation import leaves, report
from smista_mcp.core.answers import RouteAnswer
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.explained import AttemptReport, UsageReport
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.values import Locality, Status
from smista_mcp.dispatch.standing import Progress
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings

TASK = "review src/auth/middleware.rs"
EMBEDDED = """\
[routing.default]
model = "llamacpp/tiny"

[providers.llamacpp]
models_dir = "{folder}"
"""


@pytest.mark.usefixtures("local_policy")
def test_the_answer_comes_with_its_receipt(here: Here) -> None:
    told = here("dispatch", TASK)
    assert told.status == 0
    lines = told.out.splitlines()
    assert lines[0] == "fine"
    trace = next(line for line in lines if line.startswith("trace "))
    assert "ollama/tiny" in trace
    assert "cost 0 USD" in trace
    assert any(line.startswith("  rule:  reviews stay here") for line in lines)
    assert any("[local], nothing left this machine" in line for line in lines)
    assert any("src/auth/middleware.rs" in line and "sha256" in line for line in lines)
    assert any("withheld: " in line for line in lines)


@pytest.mark.usefixtures("local_policy")
def test_the_answer_as_json_is_what_a_tool_gives(here: Here) -> None:
    told = here("dispatch", TASK, "--json")
    assert (told.status, told.json["status"], told.json["phases"][0]["answer"]) == (0, "completed", "fine")
    trace = here("explain", told.json["trace_id"], "--json").json["phases"][0]["attempts"][0]
    assert trace["status"] == "completed"
    assert "src/auth/middleware.rs" in {item["path"] for item in trace["receipt"]["sent"]}


@pytest.mark.usefixtures("local_policy")
def test_each_phase_has_its_answer_and_its_receipt(here: Here) -> None:
    told = here("dispatch", "review src/auth/middleware.rs, then summarize it")
    assert [line for line in told.out.splitlines() if line.startswith("==")] == [
        "== phase 0: review, completed ==",
        "== phase 1: summarize, completed ==",
    ]
    assert told.out.count("\ntrace ") == 2


@pytest.mark.usefixtures("local_policy")
def test_a_withheld_answer_stays_in_a_file(here: Here, workspace: Path) -> None:
    (workspace / ".env").write_text("COLOUR=blue\n", encoding="utf-8")
    told = here("dispatch", "summarize .env")
    assert told.status == 0
    (line,) = (line for line in told.out.splitlines() if "stays on this machine" in line)
    path = Path(line.partition(": ")[2].partition(" (")[0])
    assert path.read_text(encoding="utf-8") == "fine\n"
    assert "(4 bytes)" in line


@pytest.mark.usefixtures("local_policy")
def test_an_explanation_of_what_was_done_has_its_attempts(here: Here) -> None:
    here("dispatch", TASK)
    told = here("explain", "--last")
    assert told.out.startswith("recorded: ")
    assert " answered; cost 0 USD\n" in told.out
    assert "attempts:\n  ollama/tiny" in told.out


def test_a_handoff_says_whose_work_it_is(here: Here) -> None:
    told = here("dispatch", TASK, "--preset", "balanced")
    assert told.status == 0
    assert told.out.startswith("yours to do (review, deep_reasoning, high): ")


@pytest.mark.usefixtures("refusing_policy")
def test_a_refusal_says_why(here: Here) -> None:
    told = here("dispatch", TASK)
    assert told.status == 1
    assert told.out.startswith("refused (missing_provider_credentials): ")


def test_a_job_that_nobody_began_is_not_found(here: Here) -> None:
    told = here("dispatch", "--job", "0123456789abcdef", "--json")
    assert (told.status, told.json["error"]["code"]) == (1, "job_not_found")
    assert here("dispatch", "x", "--job", "0123456789abcdef").status == 2


@pytest.mark.usefixtures("local_policy")
def test_a_job_of_another_process_is_told_from_the_record(here: Here, tmp_path: Path) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    first = here("dispatch", TASK, "--json").json
    told = here("dispatch", "--job", first["job_id"][:10], "--json", "--workspace", str(elsewhere))
    assert (told.status, told.json) == (0, first)
    shown = here("dispatch", "--job", first["job_id"])
    assert shown.out.startswith("fine\n")
    assert f"trace {first['trace_id']}" in shown.out
    assert here("explain", first["job_id"]).status == 0
    story = here("explain", first["job_id"], "--json").json
    assert [attempt["status"] for attempt in story["phases"][0]["attempts"]] == ["completed"]


@pytest.mark.usefixtures("local_policy")
def test_on_a_terminal_the_decision_is_shown_first_and_local_work_is_not_asked_about(shell: CommandLine) -> None:
    with on_terminal(shell, "dispatch", TASK) as (process, ours):
        shown = read_until(ours, b"never")
        assert process.wait(PATIENCE_S) == 0
    assert shown.index(b"matched rule:") < shown.index(b"\r\nfine\r\n") < shown.index(b"trace ")
    assert b"Go on?" not in shown


REMOTE = '[routing.default]\nmodel = "anthropic/claude-sonnet"\n[privacy.remote]\nmode = "{mode}"\n'


@pytest.mark.parametrize(("typed", "asked_for"), [(b"n\n", False), (b"\x04", False), (b"y\n", True)])
def test_on_a_terminal_a_person_is_asked_before_anything_could_leave(
    typed: bytes, asked_for: bool, shell: CommandLine, home: Path
) -> None:
    (home / "config.toml").write_text(REMOTE.format(mode="allow"), encoding="utf-8")
    with_key = CommandLineWithKey(shell.home, shell.folder)
    with on_terminal(with_key, "dispatch", "explain what a mutex is") as (process, ours):
        shown = read_until(ours, b"[y/N]")
        assert b"selected model:" in shown
        os.write(ours, typed)
        shown = read_until(ours, b"never")
        assert process.wait(PATIENCE_S) == 1
    assert (b"nothing was sent" in shown) is not asked_for
    assert (b"provider_unavailable" in shown) is asked_for


@pytest.mark.parametrize("further", ["fallbacks = ['anthropic/claude-sonnet']", "escalate = {escalate}"])
def test_on_a_terminal_a_person_is_asked_before_a_model_that_is_asked_later_could_be_told(
    further: str, shell: CommandLine, local_policy: Path, ollama: FakeOllama
) -> None:
    to = '{ on = ["empty_completion"], to = "anthropic/claude-sonnet" }'
    model = 'model = "ollama/tiny"\n'
    policy = local_policy.read_text(encoding="utf-8").replace(
        model, model + further.replace("{escalate}", to) + "\n", 1
    )
    local_policy.write_text(f'{policy}\n[privacy.remote]\nmode = "allow"\n', encoding="utf-8")
    with_key = CommandLineWithKey(shell.home, shell.folder)
    with on_terminal(with_key, "dispatch", TASK) as (process, ours):
        shown = read_until(ours, b"[y/N]")
        os.write(ours, b"n\n")
        shown += read_until(ours, b"never")
        assert process.wait(PATIENCE_S) == 1
    assert b"anthropic/claude-sonnet. Go on?" in shown
    assert not ollama.asked.is_set()


class CommandLineWithKey(CommandLine):
    """A command line in whose environment a remote provider's key is set."""

    def environment(self, variables: Mapping[str, str] = NOTHING) -> dict[str, str]:
        return super().environment({"ANTHROPIC_API_KEY": "not-a-key", **variables})


def test_a_yes_in_advance_skips_the_question_and_approves_nothing(shell: CommandLine, home: Path) -> None:
    (home / "config.toml").write_text(REMOTE.format(mode="ask"), encoding="utf-8")
    with_key = CommandLineWithKey(shell.home, shell.folder)
    with on_terminal(with_key, "dispatch", "explain what a mutex is", "--yes", "--json") as (process, ours):
        shown = read_until(ours, b"Type `approve`")
        assert b"explain what a mutex is" in shown
        os.write(ours, b"y\n")
        shown += read_until(ours, b"never")
        assert process.wait(PATIENCE_S) == 1
    assert b"Go on?" not in shown
    assert b'"status": "approval_required"' in shown


@pytest.mark.usefixtures("local_policy")
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_job_is_cancelled_and_recorded(
    number: signal.Signals, shell: CommandLine, here: Here, ollama: FakeOllama
) -> None:
    with shell.started("dispatch", "review: hold") as process:
        assert ollama.asked.wait(PATIENCE_S)
        process.send_signal(number)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert ollama.left.wait(PATIENCE_S)
    (attempt,) = here("explain", "--last", "--json").json["phases"][0]["attempts"]
    assert attempt["status"] == "cancelled"
    (job_id,) = re.findall(rb"--job ([0-9a-f]{32})`", err)
    back = here("dispatch", "--job", job_id.decode(), "--json")  # what is left of it, by the id that was told
    assert (back.status, back.json["job_id"], back.json["status"]) == (1, job_id.decode(), "failed")


@pytest.mark.usefixtures("local_policy")
def test_a_job_in_the_background_of_a_script_can_be_ended(shell: CommandLine, here: Here, ollama: FakeOllama) -> None:
    with shell.started("dispatch", "review: hold", before="trap '' INT;") as process:
        assert ollama.asked.wait(PATIENCE_S)
        process.send_signal(signal.SIGTERM)
        out, err = process.communicate(timeout=PATIENCE_S)
    assert (process.returncode, out) == (130, b"")
    assert b"Traceback" not in err
    assert ollama.left.wait(PATIENCE_S)
    (attempt,) = here("explain", "--last", "--json").json["phases"][0]["attempts"]
    assert attempt["status"] == "cancelled"


def test_the_embedded_model_answers_and_leaves_no_child(shell: CommandLine, home: Path, tmp_path: Path) -> None:
    (home / "config.toml").write_text(EMBEDDED.format(folder=tmp_path), encoding="utf-8")
    write_tiny_gguf(tmp_path / "tiny.gguf")
    with shell.started("dispatch", "What is a unit test?", "--json") as process:
        children: set[int] = set()
        while True:
            try:
                out, err = process.communicate(timeout=0.05)
                break
            except subprocess.TimeoutExpired:
                children.update(children_of(process.pid))
    assert (process.returncode, b'"status": "completed"' in out) == (0, True), err
    assert children
    assert not any(map(is_running, children))


@pytest.mark.parametrize(
    ("status", "locality", "asks"),
    [
        ("routed", "local", False),
        ("routed", "remote", True),
        ("approval_required", "remote", False),
        ("handoff", "remote", False),
        ("refused", None, False),
    ],
)
def test_a_person_is_asked_only_about_what_would_leave(
    status: str, locality: str | None, asks: bool, here: Here
) -> None:
    answer = RouteAnswer.model_validate(here("route", TASK, "--json").json)
    words = {"status": Status(status), "locality": locality and Locality(locality)}
    changed = answer.decisions[0].model_copy(update=words)
    assert bool(leaves(answer.model_copy(update={"decisions": (changed,)}))) is asks


def answer_of(**words: object) -> DispatchAnswer:
    phase: dict[str, object] = {
        "phase": 0,
        "intent": "edit",
        "status": "completed",
        "code": None,
        "model": "ollama/tiny",
        "answer": None,
        "patch": None,
        "label": None,
        "usage": {},
        "cost": None,
        "trace_id": None,
        "effort": "low",
    }
    return DispatchAnswer.model_validate(
        {"status": phase["status"], "code": None, "phases": (phase | words,), "job_id": "0123456789abcdef"}
    )


@pytest.fixture
def app(home: Path, workspace: Path) -> App:
    return open_app(Settings(environment=Environment.read({"SMISTA_HOME": str(home)}), workspace=workspace))


def test_a_patch_is_shown_without_what_would_steer_the_terminal(app: App) -> None:
    shown, note = report(app, answer_of(patch="--- a\n+++ b\x1b[31m\n"))
    assert shown == "--- a\n+++ b\\x1b[31m"
    assert "nothing was written" in note


def test_a_job_that_still_runs_is_named(app: App) -> None:
    answer = answer_of().model_copy(update={"status": "running", "phases": ()})
    assert list(report(app, answer)) == ["running as job 0123456789abcdef"]


def test_a_receipt_that_cannot_be_read_takes_no_answer_away(app: App) -> None:
    lines = list(report(app, answer_of(answer="done", trace_id="f" * 32, label="local")))
    assert lines[0] == "done"
    assert "the answer is local" in lines[2]
    assert lines[-1].startswith("  the receipt cannot be read: ")


def test_where_no_policy_can_be_read_an_attempt_still_has_its_receipt(app: App, home: Path) -> None:
    (home / "config.toml").write_text("nonsense", encoding="utf-8")
    assert destinations(app) == {}
    sent = {"path": "a.md", "sha256": "ab" * 32, "tokens": 3, "reason": "required"}
    withheld = {"path": ".env", "reason": "restricted"}
    attempt = AttemptReport.model_validate(
        {
            "trace_id": "f" * 32,
            "model": "openai/gpt",
            "resolved_model": "openai/gpt-6",
            "locality": "remote",
            "started_at": "2026-11-20T00:00:00+00:00",
            "ended_at": None,
            "status": "failed",
            "code": "provider_timeout",
            "usage": {"input_tokens": 5, "reasoning_tokens": 1},
            "cost": None,
            "receipt": {"sent": [sent], "withheld": [withheld], "body_bytes": 9, "body_sha256": "cd" * 32},
        }
    )
    assert list(attempt_lines(attempt, {})) == [
        "openai/gpt = openai/gpt-6: failed (provider_timeout), trace ffffffffffffffff",
        "  time:  2026-11-20 00:00:00.000 UTC to now",
        "  usage: 5 in, 1 of them reasoning tokens; cost unknown",
        "  to:    an address that the policy no longer has [remote]",
        "  sent:  9 bytes, sha256 cdcdcdcdcdcdcdcd",
        "    a.md: 3 tokens, sha256 abababababababab, required",
        "  withheld: 1",
        "    .env: restricted",
    ]
    bare = attempt.model_copy(update={"usage": UsageReport(), "receipt": None, "cost": "0.01"})
    assert list(attempt_lines(bare, {}))[2:] == [
        "  usage: tokens not reported; cost 0.01 USD",
        "  to:    an address that the policy no longer has [remote]",
    ]


def test_what_is_sent_again_is_listed_once() -> None:
    item = {"path": "a.md", "sha256": "ab" * 32, "tokens": 3, "reason": "required"}
    first = {"sent": [item], "withheld": [{"path": ".env", "reason": "restricted"}], "body_bytes": 9}
    receipt = Receipt.model_validate(first | {"body_sha256": "cd" * 32})
    further = receipt.sent[0].model_copy(update={"path": "b.md", "tokens": 4})
    looked = receipt.model_copy(update={"sent": (*receipt.sent, further)})
    attempt = AttemptReport.model_construct(
        trace_id="f" * 32,
        model="ollama/m",
        resolved_model="ollama/m",
        locality="local",
        started_at="2026-11-20T00:00:00+00:00",
        ended_at=None,
        status="completed",
        code=None,
        usage=UsageReport(),
        cost="0",
        receipt=receipt,
    )
    again = attempt.model_copy(update={"receipt": looked})
    another = again.model_copy(update={"resolved_model": "ollama/n"})
    lines = [line.strip() for line in attempts_lines([attempt, again, another], {})]
    told = [line for line in lines if line.startswith(("a.md", "b.md", "as before", "withheld"))]
    of_a, of_b = (f"{name}: {n} tokens, sha256 abababababababab, required" for name, n in (("a.md", 3), ("b.md", 4)))
    assert told == [
        of_a,
        "withheld: 1",
        of_b,
        "as before: 1 item, 3 tokens",
        "withheld: as before",
        of_a,
        of_b,
        "withheld: 1",
    ]


def test_progress_names_the_phase_where_there_are_several() -> None:
    assert Progress(0, 1, "review on ollama/tiny", 12, 3.4).told() == "review on ollama/tiny, 12 tokens, 3 s"
    assert Progress(1, 3, "edit", 0, 0.0).told() == "phase 2 of 3: edit, 0 s"
