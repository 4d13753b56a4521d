import io
import sys
from pathlib import Path

import pytest
from command_line import CommandLine, Here

TASK = "review src/auth/middleware.rs"
DIFF = """\
diff --git a/src/auth/login.rs b/src/auth/login.rs
--- a/src/auth/login.rs
+++ b/src/auth/login.rs
@@ -1 +1 @@
-fn old() {}
+fn new() {}
"""


class Piped(io.TextIOWrapper):
    def __init__(self, text: str) -> None:
        super().__init__(io.BytesIO(text.encode()), encoding="utf-8")


@pytest.mark.usefixtures("local_policy")
def test_a_decision_is_shown_with_all_that_a_person_asks_first(here: Here) -> None:
    told = here("route", TASK)
    assert told.status == 0
    shown = [tuple(line.split(":", 1)) for line in told.out.splitlines()]
    for label, words in [
        ("detected task", "review"),
        ("selected model", "ollama/tiny"),
        ("matched rule", "reviews stay here [user]"),
        ("included context", "src/auth/middleware.rs"),
        ("excluded context", "none"),
        ("estimated cost", "0 USD [it runs here]"),
        ("permissions", "network deny"),
    ]:
        assert any(key == label and words in value for key, value in shown), label


@pytest.mark.usefixtures("local_policy")
def test_the_same_decision_as_json_is_what_a_tool_gives(here: Here) -> None:
    told = here("route", TASK, "--json")
    (decision,) = told.json["decisions"]
    assert (decision["status"], decision["resolved_model"]) == ("routed", "ollama/tiny:latest")
    assert decision["class"] == "deep_reasoning"
    assert decision["matched_rule"] == {"name": "reviews stay here", "layer": "user"}
    assert told.err == ""


@pytest.mark.usefixtures("local_policy")
def test_several_phases_have_headings(here: Here) -> None:
    told = here("route", "review src/auth/middleware.rs, then summarize it")
    headings = [line for line in told.out.splitlines() if line.startswith("==")]
    assert headings == ["== phase 0 (of 2) ==", "== phase 1 (of 2), after 0 =="]


@pytest.mark.usefixtures("refusing_policy")
def test_a_refusal_is_told_by_the_status_too(here: Here) -> None:
    told = here("route", TASK)
    assert told.status == 1
    assert "refused (missing_provider_credentials)" in told.out


def test_what_a_person_should_know_of_the_policy_stands_beside_the_answer(here: Here) -> None:
    assert here("route", TASK).err.startswith("note: ")
    assert here("route", TASK, "--json").json["notices"]


def test_a_handoff_is_an_answer(here: Here) -> None:
    told = here("route", TASK, "--preset", "balanced", "--json")
    assert (told.status, told.json["decisions"][0]["status"]) == (0, "handoff")


@pytest.mark.usefixtures("local_policy")
def test_the_options_of_a_task_reach_the_decision(here: Here, tmp_path: Path) -> None:
    (tmp_path / "a.diff").write_text(DIFF, encoding="utf-8")
    arguments = ("--intent", "review", "--effort", "high", "--path", "src/auth", "--diff", str(tmp_path / "a.diff"))
    (decision,) = here("route", "look at it", *arguments, "--json").json["decisions"]
    assert (decision["intent"]["source"], decision["effort"]) == ("declared", "high")
    assert {"git_diff", "file"} <= {entry["kind"] for entry in decision["context"]["included"]}


@pytest.mark.usefixtures("local_policy")
def test_text_and_diff_may_come_from_standard_input(here: Here, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", Piped(TASK))
    assert here("route", "-", "--json").json["decisions"][0]["intent"]["name"] == "review"
    monkeypatch.setattr(sys, "stdin", Piped(DIFF))
    assert here("route", "review it", "--diff", "-", "--json").status == 0
    assert here("route", "-", "--diff", "-").status == 2


@pytest.mark.usefixtures("local_policy")
def test_a_name_with_control_characters_forges_no_line(here: Here, workspace: Path) -> None:
    (workspace / "a\nstatus: fine\x1b[31m.md").write_text("x", encoding="utf-8")
    told = here("route", "review it", "--path", "a\nstatus: fine\x1b[31m.md")
    assert "\x1b" not in told.out
    assert [line for line in told.out.splitlines() if line.startswith("status")] == ["status:           routed"]


@pytest.mark.usefixtures("local_policy")
def test_what_was_decided_is_explained_by_its_id_and_as_the_last(here: Here) -> None:
    decided = here("route", TASK, "--json").json["decisions"][0]["decision_id"]
    by_id, last = here("explain", decided[:12], "--json"), here("explain", "--last", "--json")
    assert by_id.status == last.status == 0
    assert by_id.json["phases"][0]["decision"]["decision_id"] == decided
    assert last.json["recorded_at"] == by_id.json["recorded_at"]


def test_an_explanation_tells_every_rule_and_what_would_have_to_change(here: Here) -> None:
    told = here("explain", TASK, "--preset", "balanced")
    assert told.status == 0
    assert "  won       review with the strongest [preset:" in told.out
    assert "  no match  commit texts [preset:" in told.out
    assert "what would have to change:" in told.out


@pytest.mark.parametrize(
    "arguments", [(), ("--last", "x"), ("--last", "--intent", "review"), ("0123456789", "--path", "a")]
)
def test_an_explanation_of_nothing_or_of_two_things_is_wrong_usage(arguments: tuple[str, ...], here: Here) -> None:
    assert here("explain", *arguments).status == 2


@pytest.mark.parametrize("arguments", [("01234567",), ("--last",), ("f" * 64,)])
def test_what_was_never_recorded_is_not_found(arguments: tuple[str, ...], here: Here) -> None:
    told = here("explain", *arguments, "--json")
    assert (told.status, told.json["error"]["code"]) == (1, "trace_not_found")


@pytest.mark.usefixtures("local_policy")
def test_a_command_answers_the_same_as_a_process_of_its_own(here: Here, shell: CommandLine) -> None:
    assert shell.run("route", TASK, "--json").json == here("route", TASK, "--json").json
    assert shell.run("--version").out.startswith("smista-mcp ")
