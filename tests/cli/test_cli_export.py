"""`ledger export` and `explain --replay` as somebody runs them."""

import json
import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from collector import Receiver
from command_line import CommandLine, Here

from smista_mcp.core.logline import LogLine

pytestmark = pytest.mark.usefixtures("refusing_policy")


def lines(text: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in text.splitlines()]


def test_each_decision_is_a_line(here: Here, workspace: Path) -> None:
    (workspace / "hidden.py").write_text("x = 1\n", encoding="utf-8")
    here("route", "explain hidden.py")
    here("route", "plan it, then review it")
    told = here("ledger", "export")
    found = [LogLine.model_validate(line) for line in lines(told.out)]
    assert [one.sequence for one in found] == [1, 2, 3]
    assert [one.call_id == found[0].call_id for one in found] == [True, False, False]
    assert {one.format for one in found} == {"smista-decision/1"}
    assert found[0].paths == ("hidden.py",)
    assert here("ledger", "export", "--since", "2031-01-01").out == ""
    assert len(lines(here("ledger", "export", "--since", "1d").out)) == 3


def test_a_file_of_it_is_for_its_owner_alone(here: Here, tmp_path: Path) -> None:
    here("route", "plan it")
    file = tmp_path / "log.jsonl"
    file.write_text("old " * 9999, encoding="utf-8")
    file.chmod(0o644)
    told = here("ledger", "export", "--jsonl", str(file), "--json")
    assert told.json == {"decisions": 1, "done": "written"}
    assert (len(lines(file.read_text(encoding="utf-8"))), stat.S_IMODE(file.stat().st_mode)) == (1, 0o600)
    link = tmp_path / "link"
    link.symlink_to(file)
    assert here("ledger", "export", "--jsonl", str(link)).status == 1


def test_masks_of_all_three_places_take_away(here: Here, workspace: Path, refusing_policy: Path) -> None:
    (workspace / "hidden.py").write_text("x = 1\n", encoding="utf-8")
    here("route", "explain hidden.py")
    masked = here("ledger", "export", "--masked").out
    assert "hidden" not in masked
    assert lines(masked)[0]["workspace"].startswith("keyed:")
    rules = workspace / "mask.toml"
    rules.write_text('mask = ["drop decision.cost"]\n', encoding="utf-8")
    (line,) = lines(here("ledger", "export", "--mask", str(rules)).out)
    assert "cost" not in line["decision"]
    assert "hidden.py" in line["paths"]
    with refusing_policy.open("a", encoding="utf-8") as policy:
        policy.write('\n[ledger]\nmask = ["hash paths", "drop call_id"]\n')
    (line,) = lines(here("ledger", "export").out)
    assert "call_id" not in line
    assert "hidden.py" not in line["paths"]
    for wrong in ('mask = ["keep a"]', "mask = 3", "mask = [", ""):
        rules.write_text(wrong, encoding="utf-8")
        assert here("ledger", "export", "--mask", str(rules)).status == 2


@pytest.mark.parametrize("since", ["yesterday", "0d", "2026-13-01"])
def test_what_is_no_time_is_refused(here: Here, since: str) -> None:
    assert here("ledger", "export", "--since", since).status == 2


def test_a_collector_gets_the_same_spans_each_time(shell: CommandLine) -> None:
    shell.run("route", "plan it, then review it")
    assert shell.run("ledger", "export", "--otel").status == 2
    with Receiver.serving() as receiver:
        variables = {"OTEL_EXPORTER_OTLP_ENDPOINT": receiver.url}
        for _ in range(2):
            told = shell.run("ledger", "export", "--otel", "--json", variables=variables)
            assert (told.status, told.json) == (0, {"decisions": 2, "done": "sent"}), told.err
        spans = receiver.collected.named("smista.decision")
    assert [(one.trace, one.id) for one in spans[:2]] == [(one.trace, one.id) for one in spans[2:]]
    kept = lines(shell.run("ledger", "export").out)
    assert {one.trace for one in spans} == {kept[0]["call_id"]}
    assert [json.loads(one.facts["smista.record"]) for one in spans[:2]] == kept
    assert spans[0].facts["smista.decision_id"] == kept[0]["decision"]["decision_id"]


def test_without_the_extra_it_says_what_to_install(home: Path) -> None:
    program = (
        "import sys\nfor name in ('opentelemetry.sdk', 'opentelemetry.exporter'):\n    sys.modules[name] = None\n"
        "from smista_mcp.tracing.exporting import sent_records\n"
        "from smista_mcp.errors import StateUnavailable\n"
        "try:\n    sent_records([], {'OTEL_EXPORTER_OTLP_ENDPOINT': 'http://127.0.0.1:9'})\n"
        "except StateUnavailable as error:\n    assert 'smista-mcp[otel]' in error.fix\nelse:\n    sys.exit(3)\n"
    )
    assert (
        subprocess.run([sys.executable, "-c", program], env={**os.environ, "HOME": str(home)}, check=False).returncode
        == 0
    )


def test_the_last_call_is_made_again(here: Here, refusing_policy: Path) -> None:
    here("route", "plan it, then review it")
    told = here("explain", "--last", "--replay", "--json")
    assert (told.status, told.json["same"], len(told.json["phases"])) == (0, True, 2)
    one = told.json["phases"][0]["decision_id"]
    assert here("explain", "--replay", one[:10]).status == 0
    other = refusing_policy.with_name("other.toml")
    other.write_text('[routing.default]\nmodel = "anthropic/claude-opus"\n', encoding="utf-8")
    told = here("explain", one, "--replay", "--policy", str(other), "--json")
    assert told.status == 1
    assert [change["name"] for change in told.json["phases"][0]["changed"]] == ["policy"]
    shown = here("explain", one, "--replay", "--policy", str(other))
    assert (shown.status, "NOT the same" in shown.out, "policy" in shown.out) == (1, True, True)
    for wrong in (["--replay"], ["--replay", "plan it"], ["--replay", "--last", "--intent", "plan"]):
        assert here("explain", *wrong).status == 2
