"""What can be wrong with a call, its files and its surroundings: a code, a status, nothing half-written."""

import json
import os
import socket
from collections.abc import Callable
from pathlib import Path

import pytest
from command_line import CommandLine, Outcome

CODE = Callable[[Outcome], object]


def error_code(told: Outcome) -> object:
    return told.json["error"]["code"]


def decision_code(told: Outcome) -> object:
    return told.json["decisions"][0]["code"]


@pytest.mark.parametrize(
    ("arguments", "status", "code"),
    [
        (("route", ""), 2, "invalid_task"),
        (("route", " \n"), 2, "invalid_task"),
        (("classify", ""), 2, "invalid_task"),
        (("dispatch", ""), 2, "invalid_task"),
        (("explain", ""), 2, "invalid_task"),
        (("route", "x", "--intent", "revew"), 2, "invalid_task"),
        (("route", "x", "--effort", "max"), 2, "invalid_task"),
        (("route", "x", "--context", "everything"), 2, "invalid_task"),
        (("route", "x", "--model", ""), 2, "invalid_task"),
        (("route", "x", "--nope"), 2, "invalid_task"),
        (("route", "x", "y"), 2, "invalid_task"),
        (("nope",), 2, "invalid_task"),
        ((), 2, "invalid_task"),
        (("route", "x", "--diff", "none.diff"), 2, "invalid_task"),
        (("route", "x", "--diff", "src"), 2, "invalid_task"),
        (("route", "x", "--workspace", "none"), 2, "invalid_task"),
        (("route", "x", "--workspace", "/"), 2, "invalid_task"),
        (("route", "x", "--preset", "nope"), 1, "policy_invalid"),
        (("route", "x", "--policy", "none.toml"), 1, "policy_invalid"),
        (("route", "x", "--policy", "src"), 1, "policy_invalid"),
        (("route", "x", "--path", "../outside"), 1, "path_outside_workspace"),
        (("route", "x", "--path", "/etc/passwd"), 1, "path_outside_workspace"),
        (("route", "x", "--model", "no-slash"), 1, "unknown_model"),
        (("explain", "0123456789abcdef"), 1, "trace_not_found"),
        (("dispatch", "--job", "0123456789abcdef"), 1, "job_not_found"),
    ],
    ids=str,
)
def test_a_wrong_call_has_a_code_and_a_status(
    arguments: tuple[str, ...], status: int, code: str, shell: CommandLine
) -> None:
    told = shell.run("--json", *arguments)
    assert (told.status, error_code(told), told.err) == (status, code, "")
    assert told.json["error"]["fix"]


def test_without_json_the_same_stands_on_standard_error(shell: CommandLine) -> None:
    told = shell.run("route", "x", "--intent", "revew")
    assert (told.status, told.out) == (2, "")
    assert told.err.startswith("smista-mcp: invalid_task: ")
    assert "`review`" in told.err.splitlines()[1]


@pytest.mark.usefixtures("refusing_policy")
@pytest.mark.parametrize("model", ["nope/model", "ollama/none", "anthropic/claude-none"])
def test_an_unknown_model_is_refused_with_a_reason(model: str, shell: CommandLine) -> None:
    told = shell.run("route", "x", "--model", model, "--json")
    assert told.status == 1
    assert told.json["decisions"][0]["rejected"][0]["model"] == model


@pytest.mark.parametrize(
    "text",
    [b"a" * 10_000_000, b"a\0b", b"caf\xe9", b"", b"\n", b"\xed\xa0\x80"],
    ids=["long", "nul", "latin", "empty", "blank", "half"],
)
def test_a_text_on_standard_input_that_is_none_is_refused(text: bytes, shell: CommandLine) -> None:
    told = shell.run("route", "-", "--json", stdin=text)
    assert (told.status, error_code(told)) == (2, "invalid_task")


def test_an_argument_that_is_not_unicode_is_refused(shell: CommandLine) -> None:
    told = shell.run("route", os.fsdecode(b"caf\xe9"), "--json")
    assert (told.status, error_code(told)) == (2, "invalid_task")
    assert shell.run("route", "x", os.fsdecode(b"--caf\xe9")).status == 2


@pytest.mark.parametrize(
    ("content", "finding"),
    [
        (b"[routing\n", "parse_error"),
        (b"\xff\xfe", "parse_error"),
        (b"a = \0", "parse_error"),
        (b"[" * 5_000, "parse_error"),
        (b"unknown = 1\n", "unknown_key"),
        (b"routing = 3\n", "invalid_type"),
        (b'[routing]\noverrides = "perhaps"\n', "invalid_enum"),
        (b'[[routing.rules]]\nname = "a"\nmodel = "no-slash"\n', "invalid_model_ref"),
        (b'[routing.default]\nmodel = "nobody/model"\n', "unknown_provider"),
        (b'preset = "nope"\n', "invalid_enum"),
    ],
)
def test_a_broken_policy_stops_every_verb_and_is_found(
    content: bytes, finding: str, shell: CommandLine, home: Path
) -> None:
    (home / "config.toml").write_bytes(content)
    told = shell.run("route", "x", "--json")
    assert (told.status, error_code(told), told.err) == (1, "policy_invalid", "")
    checked = shell.run("policy", "check", "--json")
    assert (checked.status, checked.json["ok"], checked.err) == (1, False, "")
    assert finding in {found["code"] for found in checked.json["findings"]}


@pytest.mark.parametrize(
    "arguments",
    [
        ("classify", "x"),
        ("explain", "x"),
        ("dispatch", "x"),
        ("policy", "test"),
        ("policy", "show"),
        ("models",),
        ("local", "install"),
    ],
    ids=str,
)
def test_no_verb_works_under_a_broken_policy(arguments: tuple[str, ...], shell: CommandLine, home: Path) -> None:
    (home / "config.toml").write_text("nonsense", encoding="utf-8")
    told = shell.run(*arguments, "--json")
    assert (told.status, error_code(told), told.err) == (1, "policy_invalid", "")


def test_an_organisations_policy_refuses_every_call(shell: CommandLine, tmp_path: Path) -> None:
    variables = {"SMISTA_ORG_POLICY": str(tmp_path / "none.toml")}
    every = (
        ("route", "x"),
        ("classify", "x"),
        ("explain", "x"),
        ("explain", "--last"),
        ("dispatch", "x"),
        ("policy", "check"),
        ("policy", "test"),
        ("policy", "show"),
        ("models",),
        ("init", "--yes"),
        ("local", "install"),
    )
    for arguments in every:
        told = shell.run(*arguments, "--json", variables=variables)
        assert (told.status, error_code(told)) == (1, "org_policy_invalid")


def test_without_any_workspace_no_file_is_read(home: Path, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    (tmp_path / "elsewhere/a.md").write_text("x", encoding="utf-8")
    told = CommandLine(home, tmp_path / "elsewhere").run("route", "summarize a.md", "--json")
    (decision,) = told.json["decisions"]
    assert decision["context"]["included"] == []


def test_a_home_that_is_a_file_still_decides_and_says_that_nothing_is_recorded(workspace: Path, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine", encoding="utf-8")
    shell = CommandLine(tmp_path / "file", workspace)
    assert shell.run("route", "x", "--json").json["decisions"][0]["recorded"] is False
    for arguments in (("explain", "--last"), ("init", "--yes"), ("local", "install")):
        told = shell.run(*arguments, "--json")
        assert (told.status, error_code(told)) == (1, "state_unavailable")
    assert shell.run("models", "--json").json["state"]["writable"] is False
    assert (tmp_path / "file").read_text(encoding="utf-8") == "mine"


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="modes do not bind root; a file in place of the home does"
)
def test_a_home_that_cannot_be_written_still_decides(workspace: Path, home: Path) -> None:
    home.chmod(0o500)
    shell = CommandLine(home, workspace)
    assert shell.run("route", "x", "--json").json["decisions"][0]["recorded"] is False
    assert shell.run("init", "--yes", "--json").status == 1
    home.chmod(0o700)
    assert list(home.iterdir()) == []


def test_a_full_disk_leaves_nothing_half_written(shell: CommandLine, home: Path) -> None:
    full = "ulimit -f 0; unset COVERAGE_PROCESS_CONFIG COVERAGE_PROCESS_START;"  # nor could that be written
    assert shell.run("route", "x", "--json", before=full).json["decisions"][0]["recorded"] is False
    told = shell.run("init", "--yes", "--json", before=full)
    assert (told.status, error_code(told)) == (1, "state_unavailable")
    assert [path.name for path in home.iterdir() if path.name != "state"] == []
    assert shell.run("route", "x", "--json").json["decisions"][0]["recorded"] is True


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="only Linux has a disk that is always full")
@pytest.mark.parametrize("arguments", [("route", "x"), ("route", "x", "--json"), ("policy", "show"), ("--help",)])
def test_output_that_cannot_be_written_is_an_error(arguments: tuple[str, ...], shell: CommandLine) -> None:
    told = shell.run(*arguments, before="exec >/dev/full;")
    assert (told.status, told.out) == (1, "")
    assert told.err.splitlines()[-2].startswith("smista-mcp: io_error: ")
    assert "Traceback" not in told.err
    assert "Exception ignored" not in told.err


def test_a_reader_that_has_gone_ends_the_command_quietly(shell: CommandLine) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with shell.started("policy", "show", "--preset", "balanced", stdout=writing) as process:
        os.close(writing)
        _, err = process.communicate()
    assert (process.returncode, err) == (141, b"")


@pytest.mark.usefixtures("refusing_policy")
@pytest.mark.parametrize("closed", ["exec 2>&-;", "exec >&-;", "exec <&-;", "exec 2>/dev/full;"])
def test_a_closed_stream_harms_nobody(closed: str, shell: CommandLine) -> None:
    told = shell.run("route", "x", before=closed)
    assert told.status == 1
    assert "Traceback" not in told.err + told.out
    assert ("detected task" in told.out) is (">&-" not in closed or "2" in closed)


def test_standard_input_that_is_closed_cannot_be_read(shell: CommandLine) -> None:
    for arguments in (("route", "-"), ("classify", "--jsonl", "-")):
        told = shell.run(*arguments, "--json", before="exec <&-;")
        assert (told.status, error_code(told)) == (2, "invalid_task")


def test_a_provider_that_is_down_is_told_as_such(shell: CommandLine, home: Path) -> None:
    with socket.socket() as nobody:
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        text = f'[routing.default]\nmodel = "ollama/tiny"\n[providers.ollama]\nbase_url = "http://127.0.0.1:{port}"\n'
        (home / "config.toml").write_text(text, encoding="utf-8")
        routed = shell.run("route", "explain it", "--json")
        assert (routed.status, decision_code(routed)) == (1, "provider_unavailable")
        dispatched = shell.run("dispatch", "explain it", "--json")
        assert (dispatched.status, dispatched.json["status"], dispatched.json["code"]) == (
            1,
            "refused",
            "provider_unavailable",
        )
        assert "Traceback" not in routed.err + dispatched.err


def test_a_defect_is_one_line_and_its_traceback_is_shown_on_demand(shell: CommandLine, tmp_path: Path) -> None:
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken/sitecustomize.py").write_text(
        "import hmac\ndef digest(*a, **k): raise ZeroDivisionError('x')\nhmac.digest = digest\n",
        encoding="utf-8",
    )
    path = f"{tmp_path / 'broken'}:{shell.environment()['PYTHONPATH']}"
    told = shell.run("route", "x", variables={"PYTHONPATH": path})
    assert (told.status, told.out) == (1, "")
    assert "smista-mcp: internal_error: ZeroDivisionError" in told.err
    assert "Traceback" not in told.err
    assert "Traceback" in shell.run("route", "x", "--debug", variables={"PYTHONPATH": path}).err


def test_lines_of_json_with_lone_surrogates_are_told_one_by_one(shell: CommandLine) -> None:
    lines = b'{"id": 1, "text": "\\ud800"}\n{"id": "\\ud800", "text": "explain it"}\n'
    told = shell.run("classify", "--jsonl", "-", stdin=lines)
    assert told.status == 1
    first, second = (json.loads(line) for line in told.out.splitlines())
    assert (first["error"]["code"], second["id"]) == ("invalid_task", "\ud800")
