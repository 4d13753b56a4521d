"""`outcome` takes a person's word on a terminal and nobody else's; `evidence` shows what decisions see of it."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from command_line import CommandLine, Here
from terminal import on_terminal, read_until

from smista_mcp.core.receipt import Receipt
from smista_mcp.core.values import Intent, Locality
from smista_mcp.errors import Cause
from smista_mcp.ledger import AttemptStart, Ledger, NewTrace, Settlement
from smista_mcp.ledger.entries import SettlementEntry

ON = "[routing.adaptive]\nenabled = true\n"


@pytest.fixture
def trace(here: Here, local_policy: Path) -> str:
    """The trace of an answer."""
    assert local_policy.exists()
    return str(here("dispatch", "What is a unit test?", "--yes", "--json").json["trace_id"])


def sources(home: Path, trace: str) -> list[tuple[str, str, str]]:
    said = Ledger.open(home / "state").outcomes.of_traces([trace])
    return [(one.source, one.verdict, one.note) for one in said]


def test_a_person_on_a_terminal_says_how_an_answer_turned_out(shell: CommandLine, home: Path, trace: str) -> None:
    with on_terminal(shell, "outcome", trace[:12], "bad", "--note", "made up") as (process, ours):
        shown = read_until(ours, b"in place of what was reported")
        assert process.wait() == 0
    assert trace[:16].encode() in shown
    assert sources(home, trace) == [("person", "bad", "made up")]


def test_without_a_terminal_and_in_a_shell_of_an_agent_it_is_refused(
    shell: CommandLine, home: Path, trace: str, here: Here, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = here("outcome", trace, "good", "--json")
    assert (refused.status, refused.json["error"]["code"]) == (1, "approval_required")
    monkeypatch.setenv("CODEX_SANDBOX", "seatbelt")
    inside = here("outcome", trace, "good", "--json").json["error"]
    assert "CODEX_SANDBOX" in inside["message"]
    assert "--as-host" in inside["fix"]
    assert sources(home, trace) == []


def test_the_word_of_a_host_is_kept_apart(here: Here, home: Path, trace: str) -> None:
    assert here("outcome", trace, "good", "--as-host").status == 0
    assert sources(home, trace) == [("host", "good", "")]
    (row,) = here("evidence", "show", "--json").json["tried"]
    assert (row["good"], row["said"], row["host_good"]) == (1, 0, 1)
    assert "counts for nothing" in here("evidence", "show").out
    assert "a host said good of the answer of ollama/tiny" in here("explain", trace).out


def test_evidence_is_shown_held_let_go_and_begun_anew(here: Here, local_policy: Path, trace: str) -> None:
    assert "[routing.adaptive] is off" in here("evidence", "show").out
    local_policy.write_text(ON + local_policy.read_text(encoding="utf-8"), encoding="utf-8")
    shown = here("evidence", "show", "--json").json
    assert shown["rules"] == {"enabled": True, "min_attempts": 20, "window_days": 30}
    assert (shown["frozen"], shown["in_force"]["cells"]) == (None, [])
    held = here("evidence", "freeze", "--json").json["frozen"]
    assert held == shown["in_force"]["digest"] == here("evidence", "show", "--json").json["frozen"]
    assert "frozen since" in here("evidence", "show").out
    assert here("evidence", "thaw", "--json").json == {"frozen": None}
    assert here("evidence", "show", "--json").json["frozen"] is None
    assert len(here("evidence", "show", "--json").json["tried"]) == 1
    assert here("evidence", "reset").status == 0
    after = here("evidence", "show", "--json").json
    assert (after["tried"], after["reset_at"] is None) == ([], False)
    assert "begun anew" in here("evidence", "show").out
    assert trace


@pytest.mark.parametrize(
    ("arguments", "code"),
    [(("x", "good"), "trace_not_found"), (("ab" * 16, "good"), "trace_not_found"), (("ab", "fine"), "invalid_task")],
)
def test_what_cannot_be_judged_is_said(here: Here, arguments: tuple[str, ...], code: str) -> None:
    found = here("outcome", *arguments, "--as-host", "--json")
    assert found.json["error"]["code"] == code
    assert found.status != 0


def test_a_note_has_an_end(here: Here, trace: str) -> None:
    found = here("outcome", trace, "good", "--as-host", "--note", "n" * 501, "--json")
    assert found.json["error"]["code"] == "invalid_task"


def tried(home: Path, model: str, times: int, *, good: bool) -> None:
    """Records further tries of the decision that was recorded last."""
    ledger, at, receipt = Ledger.open(home / "state"), datetime.now(UTC), Receipt(body_bytes=1, body_sha256="0" * 64)
    last = ledger.last()
    for number in range(times):
        trace = NewTrace(f"{model}{number}".encode().hex().rjust(32, "0"), last.decision_id, at, last.sequence)
        start = AttemptStart(0, Intent.CHAT, model, "ollama", Locality.LOCAL, at, receipt)
        end = Settlement("completed", at) if good else Settlement("failed", at, cause=Cause.EMPTY)
        ledger.write(SettlementEntry(ledger.write(ledger.attempt(trace, start, ())), end))


def test_suggestions_say_what_is_missing_then_what_is_weak_then_what_to_change(
    here: Here, home: Path, local_policy: Path, trace: str
) -> None:
    assert trace
    little = here("usage", "--suggest")
    assert "the evidence speaks against no route" in little.out
    assert "1 of 1 good" in little.out
    assert "19 more judged attempts are needed" in little.out
    tried(home, "ollama/tiny", 20, good=False)
    assert "it fails more often than not" in here("usage", "--suggest").out
    tried(home, "ollama/big", 20, good=True)
    text = local_policy.read_text(encoding="utf-8").replace(
        '[routing.default]\nmodel = "ollama/tiny"',
        '[routing.default]\nmodel = "ollama/tiny"\nfallbacks = ["ollama/big"]',
    )
    local_policy.write_text(text, encoding="utf-8")
    told = here("usage", "--suggest").out
    for line in (
        "ollama/tiny: 1 of 21 good",
        "[routing.default]",
        'model = "ollama/big"',
        'fallbacks = ["ollama/tiny"]',
    ):
        assert line in told
    assert here("usage", "--suggest", "--json").json["suggestions"][0]["kind"] == "order"
