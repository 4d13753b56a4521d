"""`policy diff` as it is typed: what it takes, prints and leaves alone."""

import hashlib
import json
import os
import re
import socket
import sys
from pathlib import Path

import pytest
from command_line import CommandLine, Here

OLD = """
[[routing.rules]]
name = "security is reviewed here"
intent = "review"
paths = ["src/auth/**"]
local_only = true
model = "ollama/tiny"

[routing.default]
model = "anthropic/claude-sonnet"

[privacy.remote]
mode = "allow"
"""
NEW = OLD.replace('paths = ["src/auth/**"]', 'paths = ["src/crypto/**"]')
CASE = """
[[test]]
name = "login"
task = { text = "review it", paths = ["src/auth/middleware.rs"] }
expect = { locality = "local" }
"""
TASKS = """\
{"text": "review it", "paths": ["src/auth/middleware.rs"]}

{"text": "plan it", "effort": "high", "intent": "plan", "model": "ollama/tiny", "skill": "s", "context": ["git_diff"]}
"""
CHANGE = ["kind", "count", "fields", "before", "after", "released", "tasks", "cost", "reason_before", "reason_after"]
OUTCOME = [
    *(
        "intent",
        "rule",
        "status",
        "code",
        "model",
        "resolved_model",
        "locality",
        "effort",
        "fallbacks",
        "escalation",
        "cost",
    ),
]


@pytest.fixture
def files(tmp_path: Path) -> tuple[str, str]:
    (tmp_path / "old.toml").write_text(OLD, encoding="utf-8")
    (tmp_path / "new.toml").write_text(NEW, encoding="utf-8")
    return str(tmp_path / "old.toml"), str(tmp_path / "new.toml")


@pytest.fixture
def tasks(tmp_path: Path) -> Path:
    file = tmp_path / "tasks.jsonl"
    file.write_text(TASKS, encoding="utf-8")
    return file


def test_the_document_has_the_fixed_shape(here: Here, files: tuple[str, str], tasks: Path) -> None:
    told = here("policy", "diff", *files, "--over", str(tasks), "--json")
    assert told.status == 1
    found = told.json
    assert list(found) == ["old", "new", "as", "over", "totals", "changes", "notes"]
    assert list(found["totals"]) == ["tasks", "phases", "changed", "leaks", "refusals", "approvals", "cost"]
    assert list(found["totals"]["cost"]) == ["before", "after", "unknown_before", "unknown_after"]
    (change,) = found["changes"]
    assert (list(change), list(change["before"]), list(change["after"])) == (CHANGE, OUTCOME, OUTCOME)
    assert (change["kind"], change["tasks"], change["after"]["locality"]) == ("leak", [f"{tasks}:1"], "remote")
    assert (found["totals"]["tasks"], found["totals"]["changed"]) == (2, 1)


def test_people_see_leaks_first_in_a_hundred_columns(here: Here, files: tuple[str, str], tasks: Path) -> None:
    told = here("policy", "diff", *files, "--over", str(tasks))
    assert told.status == 1
    heads = [line for line in told.out.splitlines() if re.match("[A-Z]+: ", line)]
    assert heads[0].startswith("LEAKS: ")
    assert "    - ollama/tiny [local], effort medium, rule `security is reviewed here`\n" in told.out
    assert "    + anthropic/claude-sonnet [remote], effort medium, default route\n" in told.out
    assert "2 tasks looked at, 1 changed: 1 leak, 0 refusals, 0 approvals\n" in told.out
    assert max(map(len, (told.out + told.err).splitlines())) <= 100


def test_nothing_that_becomes_worse_is_no_failure(here: Here, files: tuple[str, str], tasks: Path) -> None:
    assert here("policy", "diff", *files[::-1], "--over", str(tasks)).status == 0
    same = here("policy", "diff", files[0], files[0], "--over", str(tasks))
    assert (same.status, "2 tasks looked at, 0 changed" in same.out) == (0, True)


def test_a_new_refusal_is_one(here: Here, files: tuple[str, str], tasks: Path, tmp_path: Path) -> None:
    (tmp_path / "deny.toml").write_text(OLD.replace('"allow"', '"deny"'), encoding="utf-8")
    tasks.write_text('{"text": "plan it"}', encoding="utf-8")
    told = here("policy", "diff", files[0], str(tmp_path / "deny.toml"), "--over", str(tasks), "--json")
    assert (told.status, told.json["totals"]["refusals"]) == (1, 1)


def test_without_a_ledger_the_tests_of_both_are_the_tasks(here: Here, files: tuple[str, str], home: Path) -> None:
    Path(files[1]).write_text(NEW + CASE, encoding="utf-8")
    (home / "config.test.toml").write_text(CASE.replace("auth", "api"), encoding="utf-8")
    told = here("policy", "diff", *files, "--json").json
    assert (told["totals"]["tasks"], told["changes"][0]["tasks"]) == (2, [f"{files[1]}:15"])
    assert not (home / "state").exists()


def test_tests_that_give_no_task_are_counted(here: Here, files: tuple[str, str], home: Path) -> None:
    outside = CASE.replace("src/auth/middleware.rs", "../x.rs")
    (home / "config.test.toml").write_text(CASE + outside.replace("login", "out"), encoding="utf-8")
    (home / "b.test.toml").write_text("foo = 1\n", encoding="utf-8")
    told = here("policy", "diff", *files, "--json").json
    assert told["totals"]["tasks"] == 1
    assert [note.split(" left out")[0] for note in told["notes"][1:]] == ["1 test", "1 test file"]


def test_a_ledger_is_read_first_and_left_as_it_was(here: Here, files: tuple[str, str], home: Path) -> None:
    (home / "config.toml").write_text(OLD, encoding="utf-8")
    here("route", "review it", "--path", "src/auth/middleware.rs")
    Path(files[1]).write_text(NEW + CASE, encoding="utf-8")

    def state() -> list[tuple[str, int, str]]:
        found = sorted(file for file in (home / "state").rglob("*") if file.is_file())
        return [(str(f), f.stat().st_mtime_ns, hashlib.sha256(f.read_bytes()).hexdigest()) for f in found]

    before = state()
    told = here("policy", "diff", *files, "--json")
    assert (told.json["over"], told.json["totals"]["leaks"]) == (
        "the tasks that the ledger recorded for this workspace",
        1,
    )
    assert here("explain", told.json["changes"][0]["tasks"][0]).status == 0
    assert here("policy", "diff", *files, "--over", "tests", "--json").json["totals"]["tasks"] == 1
    assert here("policy", "diff", *files, "--over", "ledger", "--json").out == told.out
    assert state() == before


def test_no_server_that_a_policy_names_is_asked(here: Here, files: tuple[str, str], tasks: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        address = f'\n[providers.ollama]\nbase_url = "http://127.0.0.1:{server.getsockname()[1]}"\n'
        for file, text in zip(files, (OLD, NEW), strict=True):
            Path(file).write_text(text + address, encoding="utf-8")
        assert here("policy", "diff", *files, "--over", str(tasks)).status == 1
        server.setblocking(False)
        with pytest.raises(BlockingIOError):
            server.accept()


def test_a_ledger_that_cannot_be_read_is_said_to_be_left_out(here: Here, files: tuple[str, str], home: Path) -> None:
    (home / "state").mkdir(mode=0o700)
    (home / "state/ledger.db").write_bytes(b"no database " * 100)
    Path(files[1]).write_text(NEW + CASE, encoding="utf-8")
    told = here("policy", "diff", *files, "--json")
    assert told.json["totals"]["leaks"] == 1
    assert any(str(home / "state/ledger.db") in note for note in told.json["notes"])
    assert here("policy", "diff", *files, "--over", "ledger").status == 1


def test_no_task_at_all_is_said(here: Here, files: tuple[str, str]) -> None:
    told = here("policy", "diff", *files)
    assert (told.status, "nothing to compare" in told.out) == (0, True)


@pytest.mark.parametrize(
    ("line", "word"),
    [
        ("nonsense", "JSON"),
        ("[1]", "object"),
        ('{"text": "a", "pathes": []}', "pathes"),
        ('{"paths": ["a"]}', "text"),
        ('{"text": ""}', "text"),
        ('{"text": "a", "intent": "reviews"}', "intent"),
        ('{"text": "a", "effort": 3}', "effort"),
        ('{"text": "a", "model": "gpt"}', "gpt"),
        ('{"text": "a", "paths": ["../b"]}', "outside"),
        ('{"text": "a", "model": "ollama/a", "model": "openai/b"}', "`model` twice"),
        ("[" * 100_000, "JSON"),
    ],
)
def test_a_bad_line_is_an_error_with_its_number(
    line: str, word: str, here: Here, files: tuple[str, str], tasks: Path
) -> None:
    tasks.write_text(f"{TASKS}{line}\n", encoding="utf-8")
    told = here("policy", "diff", *files, "--over", str(tasks), "--json")
    assert (told.status, told.json["error"]["code"]) == (2, "invalid_task")
    assert told.json["error"]["message"].startswith(f"{tasks}:4: ")
    assert word in told.json["error"]["message"]


def test_all_bad_lines_are_named(here: Here, files: tuple[str, str], tasks: Path) -> None:
    tasks.write_text("x\n" * 3, encoding="utf-8")
    told = here("policy", "diff", *files, "--over", str(tasks), "--json")
    assert "also wrong: line 2, 3" in told.json["error"]["message"]


def test_tasks_come_from_standard_input_too(shell: CommandLine, files: tuple[str, str]) -> None:
    told = shell.run("policy", "diff", *files, "--over", "-", "--json", stdin=TASKS.encode())
    assert (told.status, told.json["changes"][0]["tasks"]) == (1, ["standard input:1"])


def test_presets_are_compared_by_name(here: Here, tasks: Path) -> None:
    told = here("policy", "diff", "balanced", "team", "--over", str(tasks), "--json")
    assert [change["after"]["rule"] for change in told.json["changes"]] == [
        "plans",
        "security code is reviewed locally",
    ]
    assert told.status == 1


def test_files_of_the_workspace_stand_above_the_users_own(
    here: Here, files: tuple[str, str], tasks: Path, home: Path
) -> None:
    (home / "config.toml").write_text(OLD, encoding="utf-8")
    bound = '[[routing.rules]]\nname = "ours"\npriority = 1\nintent = "plan"\nmodel = "openai/gpt-terra"\n'
    Path(files[0]).write_text("", encoding="utf-8")
    Path(files[1]).write_text(bound, encoding="utf-8")
    tasks.write_text('{"text": "plan it"}', encoding="utf-8")
    command = ("policy", "diff", *files, "--as", "workspace", "--over", str(tasks), "--json")
    (change,) = here(*command).json["changes"]
    assert (change["before"]["rule"], change["after"]["rule"]) == (None, "ours")
    assert here(*command, "--untrusted").json["changes"] == []


def test_a_file_in_the_repository_counts_as_the_users_own(here: Here, workspace: Path, tasks: Path) -> None:
    for name, text in (("old.toml", OLD), ("new.toml", NEW)):
        (workspace / name).write_text(text, encoding="utf-8")
    told = here("policy", "diff", "old.toml", "new.toml", "--over", str(tasks), "--json")
    assert told.json["totals"]["leaks"] == 1


def test_a_policy_that_cannot_be_used_is_named(here: Here, files: tuple[str, str], tasks: Path) -> None:
    Path(files[1]).write_text(NEW + "foo = 1\n", encoding="utf-8")
    told = here("policy", "diff", *files, "--over", str(tasks), "--json")
    assert (told.status, told.json["error"]["code"]) == (1, "policy_invalid")
    assert told.json["error"]["message"].startswith(f"{files[1]}:14: ")
    gone = here("policy", "diff", files[0], "no-such", "--over", str(tasks), "--json")
    assert (gone.status, gone.json["error"]["code"]) == (1, "policy_invalid")


@pytest.mark.parametrize(
    "more",
    [("--policy", "f"), ("--untrusted",), ("--preset", "team"), ("--as", "organisation"), ("--over", "no-such-file")],
)
def test_what_makes_no_sense_is_wrong_usage(more: tuple[str, ...], here: Here) -> None:
    assert here("policy", "diff", "balanced", "team", *more).status == 2


def test_more_than_twenty_changes_of_a_kind_are_counted(here: Here, tmp_path: Path) -> None:
    rules = "".join(
        f'[[routing.rules]]\nname = "r{n}"\npaths = ["d{n}/**"]\nmodel = "ollama/m{n}"\n' for n in range(25)
    )
    (tmp_path / "a.toml").write_text(OLD, encoding="utf-8")
    (tmp_path / "b.toml").write_text(OLD + rules, encoding="utf-8")
    lines = [json.dumps({"text": "fix it", "paths": [f"d{n}/x.py"]}) for n in range(25)]
    (tmp_path / "t.jsonl").write_text("\n".join(lines), encoding="utf-8")
    arguments = (str(tmp_path / "a.toml"), str(tmp_path / "b.toml"), "--over", str(tmp_path / "t.jsonl"))
    told = here("policy", "diff", *arguments)
    assert told.status == 0
    assert told.out.count("  1 task of edit") == 20
    assert "  5 more changes like these, over 5 tasks; see --json" in told.out
    assert len(here("policy", "diff", *arguments, "--json").json["changes"]) == 25


def test_names_from_files_steer_no_terminal(here: Here, files: tuple[str, str], tasks: Path) -> None:
    tasks.write_text('{"text": "a", "\\u001b[31m": 1}', encoding="utf-8")
    told = here("policy", "diff", *files, "--over", str(tasks))
    assert "\x1b" not in told.out + told.err


def test_a_name_too_long_for_a_file_is_no_policy(here: Here) -> None:
    for names in (("a" * 300, "balanced"), ("balanced", "a" * 300)):
        told = here("policy", "diff", *names, "--json")
        assert (told.status, told.json["error"]["code"]) == (1, "policy_invalid")


def test_presets_stand_for_the_users_file_alone(here: Here, files: tuple[str, str]) -> None:
    told = here("policy", "diff", files[0], "team", "--as", "workspace", "--json")
    assert (told.status, told.json["error"]["code"]) == (2, "invalid_task")
    assert "preset" in told.json["error"]["message"]


def test_a_byte_order_mark_before_tasks_counts_for_nothing(here: Here, files: tuple[str, str], tasks: Path) -> None:
    tasks.write_text(TASKS, encoding="utf-8-sig")
    assert here("policy", "diff", *files, "--over", str(tasks), "--json").json["totals"]["tasks"] == 2


@pytest.mark.skipif(sys.platform == "win32", reason="it has no named pipes in folders")
def test_a_pipe_without_a_writer_is_refused_and_not_waited_for(
    shell: CommandLine, files: tuple[str, str], tmp_path: Path
) -> None:
    os.mkfifo(tmp_path / "pipe")
    told = shell.run("policy", "diff", *files, "--over", str(tmp_path / "pipe"), "--json")
    assert (told.status, told.json["error"]["code"]) == (2, "invalid_task")
    assert "`-`" in told.json["error"]["fix"]
