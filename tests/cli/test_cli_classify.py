import json
from pathlib import Path

import pytest
from command_line import CommandLine, Here

MIXED = "Plan the login, then implement it"


def test_a_text_is_shown_phase_by_phase(here: Here) -> None:
    told = here("classify", MIXED)
    assert told.status == 0
    assert [line.split()[:2] for line in told.out.splitlines()] == [["phase", "intent"], ["0", "plan"], ["1", "edit"]]
    assert told.err.startswith("note: ")


def test_the_same_as_json_is_one_document(here: Here) -> None:
    told = here("classify", MIXED, "--json")
    assert [(phase["intent"], phase["depends_on"]) for phase in told.json["phases"]] == [("plan", []), ("edit", [0])]
    assert told.json["notices"]
    assert told.err == ""


def test_a_named_skill_is_shown_with_its_intent(here: Here) -> None:
    assert "skill (release-notes)" in here("classify", "/release-notes for this week").out


def test_each_line_of_a_file_has_a_line_of_its_own(here: Here, tmp_path: Path) -> None:
    asked = [
        {"id": 7, "text": MIXED},
        {"id": "b", "text": "what is this?", "paths": ["src/a.rs"], "context": ["git_diff"]},
        {"text": "fix the parser", "paths": None},
    ]
    file = tmp_path / "tasks.jsonl"
    file.write_text("\n\n".join(map(json.dumps, asked)), encoding="utf-8")
    told = here("classify", "--jsonl", str(file))
    assert told.status == 0
    first, second, third = told.lines
    assert first == {
        "id": 7,
        "phases": [
            {"intent": "plan", "text": "Plan the login", "confidence": "high", "depends_on": []},
            {"intent": "edit", "text": "implement it", "confidence": "high", "depends_on": [0]},
        ],
    }
    assert (second["id"], second["phases"][0]["intent"], third["id"]) == ("b", "chat", None)


@pytest.mark.parametrize(
    ("line", "known"),
    [
        (b"nonsense", None),
        (b"[1]", None),
        (b'"text"', None),
        (b"[" * 100_000, None),
        (b'{"id": 1, "text": "caf\xe9"}', None),
        (b'{"id": 1}', 1),
        (b'{"id": 1, "text": null}', 1),
        (b'{"id": 1, "text": " "}', 1),
        (b'{"id": 1, "text": 5}', 1),
        (b'{"id": 1, "text": "\\ud800"}', 1),
        (b'{"id": 1, "text": "a\\u0000b"}', 1),
        (b'{"id": 1, "text": "x", "intent": "edit"}', 1),
        (b'{"id": 1, "text": "x", "paths": "a"}', 1),
        (b'{"id": 1, "text": "x", "context": ["nope"]}', 1),
        (b'{"id": 1, "text": "' + b"a" * 1_000_001 + b'"}', 1),
        (b'{"id": 1, "text": "' + b"a" * 16_000_000 + b'"}', None),
    ],
    ids=range(16),
)
def test_a_bad_line_is_told_in_its_place_and_the_next_one_answered(
    line: bytes, known: int | None, here: Here, tmp_path: Path
) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_bytes(line + b'\n{"id": 2, "text": "fix the parser"}\n')
    told = here("classify", "--jsonl", str(file))
    assert told.status == 1
    bad, good = told.lines
    assert (bad["id"], bad["error"]["code"]) == (known, "invalid_task")
    assert bad["error"]["fix"]
    assert (good["id"], good["phases"][0]["intent"]) == (2, "edit")


def test_lines_are_answered_while_the_input_is_still_open(shell: CommandLine) -> None:
    process = shell.started("classify", "--jsonl", "-")
    assert process.stdin
    assert process.stdout
    for number in (1, 2):
        process.stdin.write(json.dumps({"id": number, "text": "fix the parser"}).encode() + b"\n")
        process.stdin.flush()
        assert json.loads(process.stdout.readline())["id"] == number
    assert process.communicate()[0] == b""
    assert process.returncode == 0


def test_a_policy_that_cannot_be_used_fails_all_lines_at_once(here: Here, home: Path, tmp_path: Path) -> None:
    (home / "config.toml").write_text("nonsense", encoding="utf-8")
    (tmp_path / "tasks.jsonl").write_text('{"text": "fix"}\n' * 2, encoding="utf-8")
    told = here("classify", "--jsonl", str(tmp_path / "tasks.jsonl"))
    assert (told.status, told.out) == (1, "")
    assert "policy_invalid" in told.err


@pytest.mark.parametrize("name", ["missing.jsonl", "."])
def test_a_file_of_lines_that_cannot_be_read_is_wrong_usage(name: str, here: Here) -> None:
    told = here("classify", "--jsonl", name)
    assert (told.status, told.out) == (2, "")


def test_lines_and_a_text_do_not_go_together(here: Here) -> None:
    assert here("classify", "x", "--jsonl", "-").status == 2
    assert here("classify", "--skill", "x", "--jsonl", "-").status == 2


def test_a_byte_order_mark_counts_for_nothing_and_a_key_stands_once(here: Here, tmp_path: Path) -> None:
    lines = '{"id": 1, "text": "fix it"}\n{"id": 2, "text": "fix it", "text": "plan it"}\n'
    (tmp_path / "tasks.jsonl").write_text(lines, encoding="utf-8-sig")
    good, bad = here("classify", "--jsonl", str(tmp_path / "tasks.jsonl")).lines
    assert (good["id"], good["phases"][0]["intent"]) == (1, "edit")
    assert bad["error"]["code"] == "invalid_task"
    assert "`text` twice" in bad["error"]["message"]


def test_the_words_that_decided_are_shown_where_they_are_asked_for(here: Here) -> None:
    told = here("classify", "--explain", "If it is slow, plan a cache in src/plan.py")
    assert told.status == 0
    assert [line.split("  ")[0] for line in told.out.splitlines()[-2:]] == [
        "If it is slow",
        "plan a cache in src/plan.py",
    ]
    plain = here("classify", "--explain", "--json", "If it is slow, plan a cache in src/plan.py").json
    assert [(span["said"], span["phase"], span["decided"]) for span in plain["reading"]] == [
        ("condition", None, []),
        ("request", 0, ["plan"]),
    ]
    assert "reading" not in here("classify", "--json", "plan a cache").json


def test_lines_of_a_file_are_not_explained(here: Here, tmp_path: Path) -> None:
    file = tmp_path / "tasks.jsonl"
    file.write_text('{"text": "fix it"}\n', encoding="utf-8")
    assert here("classify", "--explain", "--jsonl", str(file)).status == 2
