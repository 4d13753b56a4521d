"""Each check by value: one thing is wrong, and its remark says so."""

from typing import Any

import pytest

from smista_mcp.core.diagnosis.ledgers import Held, LedgerFacts, judge_ledger
from smista_mcp.core.diagnosis.marks import Mask
from smista_mcp.core.diagnosis.policies import LayerSeen, PolicySeen, judge_policy, judge_workspace
from smista_mcp.core.diagnosis.program import (
    Clock,
    Git,
    Package,
    Running,
    judge_clock,
    judge_git,
    judge_running,
    judge_sqlite,
)
from smista_mcp.core.diagnosis.registered import EntrySeen, HostSeen, StartSeen, Wanted, judge_host, judge_start
from smista_mcp.core.diagnosis.remarks import Level, Remark
from smista_mcp.core.diagnosis.servers import EmbeddedSeen, ProviderSeen, judge_embedded, judge_providers
from smista_mcp.core.findings import Finding, FindingCode, Severity

DAY = 86_400.0
RUNNING = Running("1", (3, 11, 7), "/usr/bin/python3", "Linux", (Package("mcp", "2.3.0", ">=2.3,<3"),))
HELD = Held("/state/ledger.db", size=5_000_000)
LEDGER = LedgerFacts("/state", Held("/state", 0o700), HELD, Held("/state/key", size=32), version=4, known=4)
ENTRY = EntrySeen("/home/u/.codex/config.toml", "smista", "/bin/smista-mcp", ("serve-stdio",))
REQUIRED = Wanted("required", "it goes on", "required = true", late=True)
LONG = Wanted("tool_timeout_sec", "300 s", "tool_timeout_sec = 900", least=300)
CODEX = HostSeen("codex", installed=True, entries=(ENTRY,), start_limit_s=1.0, keys_reach=False)
QUICK, LATE = StartSeen((0.2, 0.1)), StartSeen((3.0, 1.5))


def told(*remarks: Remark) -> list[tuple[str, str]]:
    """What is not as it should be; each of these has a fix, and nothing else has one."""
    assert all(bool(one.fix) is (one.level is not Level.OK) for one in remarks)
    return [(one.check, one.level.value) for one in remarks if one.level is not Level.OK]


def test_an_installation_that_fits_is_fine() -> None:
    assert told(*judge_running(RUNNING)) == []


@pytest.mark.parametrize(
    ("version", "wanted", "fits"),
    [
        ("2.3", ">=2.3,<3", True),
        ("2.3.0rc1", ">=2.3,<3", True),
        ("2.10", ">=2.9", True),
        ("3.0", ">=2.3,<3", False),
        ("2.2.9", ">=2.3,<3", False),
        ("1.0", "==1.0.0", True),
        ("1.0", "<=0.9", False),
        ("1.0", ">1", False),
        (None, ">=1", False),
        (None, "", False),
    ],
)
def test_a_package_fits_what_is_asked_for(version: str | None, wanted: str, *, fits: bool) -> None:
    seen = RUNNING._replace(packages=(Package("mcp", version, wanted),))
    assert told(*judge_running(seen)) == ([] if fits else [("packages", "wrong")])


def test_an_old_python_and_a_missing_git_are_told() -> None:
    assert told(*judge_running(RUNNING._replace(python=(3, 10, 1)))) == [("python", "wrong")]
    assert told(judge_git(Git(None, "it is not on the PATH"))) == [("git", "note")]
    assert told(judge_git(Git("2.39"))) == []


@pytest.mark.parametrize(
    ("version", "found", "word"),
    [
        ((3, 8, 0), [("sqlite", "wrong")], "JSON"),
        ((3, 40, 1), [], "WAL"),
        ((3, 51, 3), [], "SQLite 3.51.3"),
    ],
)
def test_the_known_bugs_of_sqlite(version: tuple[int, ...], found: list[tuple[str, str]], word: str) -> None:
    assert told(judge_sqlite(version)) == found
    assert word in judge_sqlite(version).text
    assert ("WAL" in judge_sqlite(version).text) is (version == (3, 40, 1))


@pytest.mark.parametrize(
    ("now", "written", "level"),
    [
        (0.0, 0.0, None),
        (-2 * DAY, -3 * DAY, "wrong"),
        (-0.5 * DAY, -DAY, None),
        (0.0, 299.0, None),
        (0.0, 301.0, "wrong"),
        (0.0, 7300.0, "wrong"),
        (0.0, 3 * DAY, "wrong"),
        (4 * 365 * DAY, 0.0, "note"),
    ],
)
def test_a_clock_is_held_against_what_was_written(now: float, written: float, level: str | None) -> None:
    base = 1_800_000_000.0
    seen = Clock(base + now, base, (("a", base - DAY), ("b", base + written)))
    assert told(judge_clock(seen)) == ([("clock", level)] if level else [])


def test_a_ledger_that_is_well_is_fine() -> None:
    assert told(*judge_ledger(LEDGER)) == []
    assert told(*judge_ledger(LEDGER._replace(version=2))) == []
    assert told(*judge_ledger(LEDGER._replace(file=None))) == []
    assert told(*judge_ledger(LedgerFacts("/state"))) == []


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({"refusal": ("it came along", "set SMISTA_HOME")}, ("state_folder", "wrong")),
        ({"folder": Held("/state", 0o755)}, ("permissions", "wrong")),
        ({"file": HELD._replace(mode=0o640)}, ("permissions", "wrong")),
        ({"file": HELD._replace(plain=False)}, ("permissions", "wrong")),
        ({"key": Held("/state/key", foreign=True, size=32)}, ("permissions", "wrong")),
        ({"key": Held("/state/key", size=31)}, ("key", "wrong")),
        ({"free": 99_000_000}, ("disk", "wrong")),
        ({"failure": ("is damaged", "move it away")}, ("ledger", "wrong")),
        ({"locked": True}, ("lock", "wrong")),
        ({"version": 5}, ("schema", "wrong")),
        ({"journal": "wal"}, ("journal", "wrong")),
        ({"whole": "row 3 missing from index"}, ("integrity", "wrong")),
        ({"whole": None}, ("integrity", "note")),
        ({"differing": ("hold",)}, ("totals", "wrong")),
        ({"file": HELD._replace(size=1_000_000_001)}, ("size", "note")),
    ],
)
def test_what_is_wrong_with_a_ledger(change: dict[str, Any], found: tuple[str, str]) -> None:
    assert told(*judge_ledger(LEDGER._replace(**change))) == [found]


def test_a_policy_that_is_well_is_fine() -> None:
    seen = PolicySeen((LayerSeen("preset", "balanced"), LayerSeen("user", "/c.toml")), rules=3)
    assert told(*judge_policy(seen)) == []
    assert told(judge_workspace("/w")) == []
    assert told(judge_workspace(None)) == [("root", "note")]


def _finding(severity: Severity) -> Finding:
    return Finding(code=FindingCode.DEAD_RULE, severity=severity, message="m", fix="f", file="/c.toml", line=3)


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (PolicySeen(refusal=("writable by others", "chmod")), [("organisation", "wrong")]),
        (PolicySeen((LayerSeen("preset", "first-run"),)), [("own_policy", "note")]),
        (PolicySeen((LayerSeen("user", "/c"),), unconfirmed=(".smista/config.toml",)), [("trust", "note")]),
        (PolicySeen((LayerSeen("user", "/c"),), findings=(_finding(Severity.ERROR),)), [("errors", "wrong")]),
        (PolicySeen((LayerSeen("user", "/c"),), findings=(_finding(Severity.WARNING),) * 2), [("warnings", "note")]),
        (PolicySeen((LayerSeen("user", "/c"),), findings=(_finding(Severity.INFO),)), []),
        (PolicySeen((LayerSeen("user", "/c"),), findings=(_finding(Severity.ERROR),) * 8), [("errors", "wrong")] * 6),
    ],
)
def test_what_is_wrong_with_a_policy(seen: PolicySeen, found: list[tuple[str, str]]) -> None:
    assert told(*judge_policy(seen)) == found


UP = ProviderSeen("ollama", declared=True, local=True, address="http://127.0.0.1:1", reachable=True, models=1)


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"reachable": None}, []),
        ({"reachable": False}, [("reach", "wrong"), ("none", "wrong")]),
        ({"key_variable": "K", "key_there": True}, []),
        ({"key_variable": "K", "key_there": False}, [("key", "wrong"), ("none", "wrong")]),
        ({"missing": ("has no `x`",)}, [("model", "wrong")]),
        ({"missing": ("has none",), "models": 0}, [("model", "wrong"), ("none", "wrong")]),
    ],
)
def test_what_is_wrong_with_a_provider_that_its_user_declares(
    change: dict[str, Any], found: list[tuple[str, str]]
) -> None:
    seen = UP._replace(**change)
    assert told(*judge_providers((seen,), handoff=False)) == found
    of_preset = seen._replace(declared=False)
    notes = [(check, "wrong" if check == "none" else "note") for check, _ in found]
    assert told(*judge_providers((of_preset,), handoff=False)) == notes
    assert all(level == "note" for _, level in told(*judge_providers((of_preset,), handoff=True)))


def test_one_provider_that_can_serve_is_enough() -> None:
    down = UP._replace(name="openai", declared=False, reachable=False)
    assert told(*judge_providers((UP, down), handoff=False)) == [("reach", "note")]
    assert told(*judge_providers((), handoff=False)) == [("none", "note")]


@pytest.mark.parametrize(
    ("seen", "fine"),
    [
        (EmbeddedSeen(runs=True, models=1, named=True), True),
        (EmbeddedSeen(runs=False, models=0, named=False), True),
        (EmbeddedSeen(runs=False, models=0, named=True), False),
        (EmbeddedSeen(runs=False, models=2, named=True), False),
        (EmbeddedSeen(runs=True, models=0, named=True), False),
    ],
)
def test_the_embedded_model_matters_where_the_policy_names_it(seen: EmbeddedSeen, *, fine: bool) -> None:
    assert told(judge_embedded(seen)) == ([] if fine else [("embedded", "note")])


@pytest.mark.parametrize(
    ("change", "found"),
    [
        ({}, []),
        ({"enabled": False}, [("enabled", "note")]),
        ({"runs": "missing"}, [("command", "wrong")]),
        ({"runs": "no_program"}, [("command", "wrong")]),
        ({"runs": "relative"}, [("command", "wrong")]),
        ({"runs": "other"}, [("command", "note")]),
        ({"bare": True}, [("path", "note")]),
        ({"arguments": ()}, [("arguments", "wrong")]),
        ({"elsewhere": True}, [("home", "note")]),
        ({"command": None, "arguments": ()}, []),
    ],
)
def test_what_is_wrong_with_an_entry(change: dict[str, Any], found: list[tuple[str, str]]) -> None:
    seen = CODEX._replace(entries=(ENTRY._replace(**change),))
    assert told(*judge_host(seen, QUICK, ())) == found


def test_a_host_without_us_is_told_of_only_where_it_is() -> None:
    assert told(*judge_host(CODEX._replace(entries=()), QUICK, ())) == [("entry", "note")]
    assert list(judge_host(HostSeen("zed", installed=False), QUICK, ())) == []
    broken = HostSeen("zed", installed=True, broken=(("/z/settings.json", "line 3"),))
    assert told(*judge_host(broken, QUICK, ())) == [("file", "wrong")]


def test_keys_matter_where_a_host_passes_only_those_on_that_are_named() -> None:
    keys = ("ANTHROPIC_API_KEY",)
    assert told(*judge_host(CODEX, QUICK, keys)) == [("keys", "note")]
    assert told(*judge_host(CODEX._replace(keys_reach=True), QUICK, keys)) == []
    named = CODEX._replace(entries=(ENTRY._replace(variables=frozenset(keys)),))
    assert told(*judge_host(named, QUICK, keys)) == []


@pytest.mark.parametrize(
    ("start", "settings", "found"),
    [
        (QUICK, {"required": True, "tool_timeout_sec": 900}, []),
        (LATE, {"required": True, "tool_timeout_sec": 900}, []),
        (QUICK, {"tool_timeout_sec": 900}, [("limits", "note")]),
        (LATE, {"tool_timeout_sec": 900}, [("limits", "wrong")]),
        (LATE, {"required": "true", "tool_timeout_sec": 900}, [("limits", "wrong")]),
        (QUICK, {"required": True}, [("limits", "note")]),
        (QUICK, {"required": True, "tool_timeout_sec": 60}, [("limits", "note")]),
        (QUICK, {"required": True, "tool_timeout_sec": True}, [("limits", "note")]),
    ],
)
def test_a_late_server_is_wrong_where_the_host_does_not_wait(
    start: StartSeen, settings: dict[str, object], found: list[tuple[str, str]]
) -> None:
    seen = CODEX._replace(entries=(ENTRY._replace(settings=settings),), wanted=(REQUIRED, LONG))
    assert told(*judge_host(seen, start, ())) == found


def test_a_late_server_is_wrong_where_nothing_makes_the_host_wait() -> None:
    assert told(*judge_host(CODEX, LATE, ())) == [("start", "wrong")]
    assert told(*judge_host(CODEX._replace(start_limit_s=None), LATE, ())) == []
    assert told(*judge_host(CODEX, StartSeen(failure="it ended"), ())) == []


def test_a_list_holds_what_is_wanted() -> None:
    tools = Wanted("tools", "none is offered", '"tools": ["*"]', value="*")
    assert tools.holds({"tools": ["*"]})
    assert not tools.holds({"tools": ["route"]})
    assert not tools.holds({})


@pytest.mark.parametrize(
    ("seen", "found"),
    [
        (QUICK, []),
        (LATE, [("time", "note")]),
        (StartSeen(failure="it ended with status 1", said="no home"), [("answer", "wrong")]),
        (QUICK._replace(noise="hello"), [("output", "wrong")]),
        (StartSeen(failure="nothing came", noise="hello"), [("output", "wrong"), ("answer", "wrong")]),
    ],
)
def test_what_is_wrong_with_a_start(seen: StartSeen, found: list[tuple[str, str]]) -> None:
    assert told(*judge_start(seen, {"codex": 1.0, "zed": 5.0})) == found


def test_a_masked_report_names_the_key_that_is_wrong() -> None:
    found = Finding(
        code=FindingCode.UNKNOWN_KEY, at='routing.rules[2].acme."my own".priority', line=7, message="`acme` is wrong"
    )
    (remark, *_) = judge_policy(PolicySeen(findings=(found,)))
    (masked,) = Mask().masked([remark.text])
    assert "unknown_key at routing.rules[2].NAME1.NAME2.priority" in masked
    assert ":7 " in masked
    assert "acme" not in masked


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"runs": "missing"}, "run `smista-mcp install codex`"),
        ({"runs": "missing", "project": True}, "run `smista-mcp install codex --project`"),
        ({"arguments": (), "strange": True}, "add it, or take that entry out and run `smista-mcp install codex`"),
    ],
)
def test_the_advice_mends_the_entry_that_is_meant(change: dict[str, Any], words: str) -> None:
    (remark,) = judge_host(CODEX._replace(entries=(ENTRY._replace(**change),)), QUICK, ())
    assert remark.fix == words


def test_what_has_no_list_of_models_is_no_ollama() -> None:
    silent = UP._replace(name="ollama", models=None, missing=(), listless="answers 404 when asked for its models")
    assert told(*judge_providers((silent,), handoff=False))[0] == ("reach", "wrong")
    assert not silent.usable
    assert told(*judge_providers((silent._replace(name="openai-compat:x"),), handoff=False)) == [("reach", "note")]
