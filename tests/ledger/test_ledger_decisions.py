import sqlite3
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest
from recording import begin_attempt, open_trace, settle_attempt

from smista_mcp.core.decision import Decision
from smista_mcp.core.receipt import Receipt, SentItem, WithheldItem
from smista_mcp.errors import Code, NotFound, StateUnavailable
from smista_mcp.ledger import AttemptStart, Ledger, PhaseFacts, RouteRecord, Settlement

DecisionOf = Callable[..., Decision]
RecordOf = Callable[..., RouteRecord]
StartOf = Callable[..., AttemptStart]


def test_a_decision_is_found_again_by_its_id_after_a_restart(
    state: Path, decision_of: DecisionOf, record_of: RecordOf
) -> None:
    Ledger.open(state).record_route(record_of(decision_of("ab" * 32)))
    found = Ledger.open(state).decision("ab" * 32)
    assert found.decision == decision_of("ab" * 32, recorded=True)
    assert (found.at, found.host) == ("2026-03-14T15:09:26.535000+00:00", "claude-code")
    assert (found.workspace, found.text_digest) == ("77" * 32, "3c" * 32)


def test_a_decision_is_found_by_the_first_eight_characters_of_its_id(
    ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf
) -> None:
    ledger.record_route(record_of(decision_of("12345678" + "0" * 56), decision_of("f" * 64)))
    assert ledger.decision(" 12345678\n").decision_id == "12345678" + "0" * 56
    assert ledger.decision("FFFFFFFF").decision_id == "f" * 64


def test_the_beginning_of_two_ids_finds_neither(ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf) -> None:
    ledger.record_route(record_of(decision_of("12345678" + "0" * 56), decision_of("12345678" + "1" * 56)))
    with pytest.raises(NotFound) as refused:
        ledger.decision("12345678")
    assert refused.value.code is Code.TRACE_NOT_FOUND
    assert ledger.decision("123456781").decision_id == "12345678" + "1" * 56


@pytest.mark.parametrize("given", ["", "1234567", "ab" * 32, "not hexadecimal", "%", "ab" * 33, "12345678'; --"])
def test_an_id_that_nothing_stands_behind_is_not_found(
    ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf, given: str
) -> None:
    ledger.record_route(record_of(decision_of("12345678" + "0" * 56)))
    with pytest.raises(NotFound) as refused:
        ledger.decision(given)
    assert refused.value.code is Code.TRACE_NOT_FOUND
    assert refused.value.fix


def test_the_same_decision_recorded_twice_is_two_recordings_and_the_newest_is_found(
    ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf
) -> None:
    ledger.record_route(record_of(decision_of("ab" * 32, host="codex")))
    ledger.record_route(record_of(decision_of("ab" * 32, host="zed")))
    assert ledger.decision("ab" * 32).host == "zed"
    assert [one.host for one in ledger.recent(10)] == ["zed", "codex"]


def test_the_decisions_of_one_call_stay_together(ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf) -> None:
    phases = [decision_of(f"{phase}" * 64, phase=phase) for phase in range(3)]
    ledger.record_route(record_of(*phases))
    ledger.record_route(record_of(decision_of("e" * 64)))
    middle = ledger.decision("1" * 64)
    assert [one.phase for one in ledger.call(middle.call_id)] == [0, 1, 2]
    assert ledger.last().decision_id == "e" * 64
    assert [one.decision_id[0] for one in ledger.recent(2)] == ["e", "2"]


def test_a_call_whose_decisions_cannot_all_be_recorded_leaves_none(
    ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf
) -> None:
    unstorable = decision_of("b" * 64).model_copy(update={"phase": 2**63})
    with pytest.raises(OverflowError):
        ledger.record_route(record_of(decision_of("a" * 64), unstorable))
    assert ledger.recent(10) == ()


def test_an_empty_ledger_has_no_last_decision(ledger: Ledger) -> None:
    with pytest.raises(NotFound):
        ledger.last()


def test_a_recorded_decision_says_so_and_lacks_the_words_that_only_the_host_needs(
    state: Path, ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf
) -> None:
    handoff = {
        "prompt": "CANARY rewrite the billing module",
        "class": "coding",
        "intent": "edit",
        "effort": "high",
        "context": ["src/billing.rs"],
        "step": None,
        "detail": "this host cannot switch",
    }
    ledger.record_route(record_of(decision_of("ab" * 32, status="handoff", handoff=handoff)))
    kept = ledger.last().decision
    assert kept.recorded
    assert kept.handoff is not None
    assert (kept.handoff.prompt, kept.handoff.context) == ("", ("src/billing.rs",))
    assert not [file for file in state.iterdir() if b"CANARY" in file.read_bytes()]


def test_a_decision_of_another_version_is_listed_and_refuses_only_to_be_read(
    ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf
) -> None:
    newer = decision_of("ab" * 32).model_copy(update={"status": "a status of tomorrow"})
    with pytest.warns(UserWarning, match="serialized value"):
        ledger.record_route(record_of(newer))
    found = ledger.last()
    assert "a status of tomorrow" in found.body
    with pytest.raises(StateUnavailable):
        _ = found.decision


def test_many_threads_use_one_ledger(ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf) -> None:
    def use(decision_id: str) -> str:
        ledger.record_route(record_of(decision_of(decision_id)))
        return ledger.decision(decision_id).decision_id

    ids = [f"{number:064x}" for number in range(24)]
    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(use, ids)) == ids
    assert len(ledger.recent(100)) == 24


def test_a_time_without_a_zone_is_refused(ledger: Ledger, record_of: RecordOf) -> None:
    with pytest.raises(ValueError, match="zone"):
        ledger.record_route(record_of(at=datetime(2026, 3, 14)))  # noqa: DTZ001


def test_no_row_holds_what_looks_like_a_key(
    state: Path, ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf, start_of: StartOf
) -> None:
    key = "sk-" + "made-up-0123456789abcdefgh"
    rejected = [{"model": f"openai/{key}", "code": "unknown_model", "detail": f"no `{key}`"}]
    decision = decision_of(model=f"openai/{key}", reason=f"because of {key}", rejected=rejected)
    facts = (PhaseFacts(skill=key, paths=(f"src/{key}.txt",), tokens=3),)
    ledger.record_route(record_of(decision)._replace(facts=facts))
    at = datetime(2026, 3, 14, tzinfo=UTC)
    trace = open_trace(ledger, decision.decision_id, at)
    sent = SentItem(path=key, sha256="9d" * 32, tokens=1, reason=key)
    receipt = Receipt(sent=(sent,), withheld=(WithheldItem(path=key, reason=key),), body_bytes=1, body_sha256="c4" * 32)
    names = dict.fromkeys(("model", "resolved_model", "token"), f"openai/{key}")
    attempt = begin_attempt(ledger, trace, start_of(receipt=receipt, **names))
    settle_attempt(ledger, attempt, Settlement("completed", at, resolved_model=key))
    with closing(sqlite3.connect(state / "ledger.db")) as db:
        assert not [line for line in db.iterdump() if key in line]
    assert ledger.last().facts == PhaseFacts(skill="[secret]", paths=("src/[secret].txt",), tokens=3)
    assert ledger.last().decision.model == "openai/[secret]"
    assert ledger.trace(trace).attempts[0].receipt.sent[0].path == "[secret]"
