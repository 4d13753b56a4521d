"""How attempts turned out: what was reported, what was said, and the evidence that is counted from it once a day."""

import sqlite3
from collections.abc import Callable
from datetime import datetime, timedelta
from pathlib import Path

import pytest
from ledger.conftest import AT, DecisionOf, RecordOf, StartOf
from recording import begin_attempt, open_trace, settle_attempt

from smista_mcp.core.evidence import UNABLE, Cell, reported
from smista_mcp.core.values import Intent
from smista_mcp.errors import Cause, InvalidTask, NotFound
from smista_mcp.ledger import Followup, Ledger, Settlement
from smista_mcp.ledger.entries import FollowupEntry
from smista_mcp.ledger.outcomes import Tried

A, B = "anthropic/claude-sonnet", "openai/gpt-sol"
DAY, MINUTE = timedelta(days=1), timedelta(minutes=1)
NOON = AT.replace(hour=12, minute=0, second=0, microsecond=0)

Tell = Callable[..., str]
"""Records a trace with attempts, each `(model, status, cause)`, and gives its id."""


@pytest.fixture
def tell(ledger: Ledger, decision_of: DecisionOf, record_of: RecordOf, start_of: StartOf) -> Tell:
    told = iter(range(1000))

    def record(
        *attempts: tuple[str, str, Cause | None], at: datetime = NOON, intent: str = "edit", host: str = "codex"
    ) -> str:
        decision_id = f"{next(told):064x}"
        ledger.record_route(record_of(decision_of(decision_id, host=host), at=at))
        trace = open_trace(ledger, decision_id, at)
        for place, (model, status, cause) in enumerate(attempts):
            begun = at + place * timedelta(seconds=1)
            one = begin_attempt(ledger, trace, start_of(model=model, intent=Intent(intent), started_at=begun))
            if status != "running":
                own = None if status == "completed" else cause
                settle_attempt(ledger, one, Settlement(status, begun, cause=own))  # pyright: ignore[reportArgumentType]
            if status == "completed" and cause is not None:
                followup: Followup | None = "repair" if place + 1 < len(attempts) else None
                ledger.write(FollowupEntry(one, followup, None, cause))
        return trace

    return record


def tried(ledger: Ledger) -> tuple[Tried, ...]:
    return ledger.outcomes.tried(NOON - DAY, NOON + DAY)


def test_each_cause_speaks_against_the_model_or_says_nothing_of_it() -> None:
    assert reported("completed", None) == "good"
    assert {cause for cause in Cause if reported("failed", cause) == "bad"} == UNABLE
    assert {reported(status, None) for status in ("failed", "uncertain", "cancelled", "running")} == {None}
    assert all(reported("completed", cause) in ("bad", None) for cause in Cause)


@pytest.mark.parametrize(
    ("attempts", "good", "bad", "unjudged"),
    [
        ([(A, "completed", None)], 1, 0, 0),
        ([(A, "completed", Cause.PATCH)], 0, 1, 0),
        ([(A, "completed", Cause.PATCH), (A, "completed", None)], 1, 0, 0),
        ([(A, "failed", Cause.EMPTY)], 0, 1, 0),
        ([(A, "uncertain", Cause.REFUSAL)], 0, 1, 0),
        ([(A, "failed", Cause.RATE_LIMITED)], 0, 0, 1),
        ([(A, "failed", Cause.SERVER_ERROR), (A, "completed", None)], 1, 0, 0),
        ([(A, "completed", None), (A, "completed", None), (A, "completed", None)], 1, 0, 0),
        ([(A, "cancelled", None)], 0, 0, 1),
        ([(A, "running", None)], 0, 0, 1),
    ],
)
def test_a_try_is_what_its_last_request_came_to(
    ledger: Ledger, tell: Tell, attempts: list[tuple[str, str, Cause | None]], good: int, bad: int, unjudged: int
) -> None:
    tell(*attempts)
    assert tried(ledger) == (Tried("codex", "edit", A, good, bad, unjudged),)


def test_tries_are_counted_by_host_intent_and_model(ledger: Ledger, tell: Tell) -> None:
    tell((A, "failed", Cause.EMPTY), (B, "completed", None))
    tell((B, "completed", None), intent="refactor", host="zed")
    tell((B, "completed", None), at=NOON - 2 * DAY)
    assert tried(ledger) == (
        Tried("codex", "edit", A, 0, 1),
        Tried("codex", "edit", B, 1, 0),
        Tried("zed", "refactor", B, 1, 0),
    )


def test_the_last_word_of_a_person_replaces_what_was_reported_and_all_words_stay(ledger: Ledger, tell: Tell) -> None:
    trace = tell((A, "failed", Cause.EMPTY), (B, "completed", None))
    ledger.outcomes.say(trace, "bad", "person", "terminal", NOON, "wrong " + "AKIA" + "IOSFODNN7EXAMPLF")
    assert tried(ledger)[1] == Tried("codex", "edit", B, 0, 1, said=1)
    ledger.outcomes.say(trace[:12], "good", "person", "terminal", NOON + MINUTE)
    assert tried(ledger)[1] == Tried("codex", "edit", B, 1, 0, said=1)
    said = ledger.outcomes.of_traces([trace])
    assert [(one.verdict, one.source, one.model) for one in said] == [("bad", "person", B), ("good", "person", B)]
    assert "AKIA" not in said[0].note
    assert said[0].note.startswith("wrong ")


def test_the_word_of_a_host_is_kept_apart_and_counts_for_nothing(ledger: Ledger, tell: Tell) -> None:
    trace = tell((A, "completed", None))
    ledger.outcomes.say(trace, "bad", "host", "command line", NOON)
    assert tried(ledger) == (Tried("codex", "edit", A, 1, 0, host_bad=1),)
    ledger.outcomes.say(trace, "good", "person", "terminal", NOON)
    ledger.outcomes.say(trace, "bad", "host", "command line", NOON)
    assert tried(ledger) == (Tried("codex", "edit", A, 1, 0, said=1, host_bad=1),)


def test_a_word_counts_only_once_it_was_said(ledger: Ledger, tell: Tell) -> None:
    trace = tell((A, "completed", None))
    ledger.outcomes.say(trace, "bad", "person", "terminal", NOON + 2 * DAY)
    assert tried(ledger) == (Tried("codex", "edit", A, 1, 0),)


def test_without_an_answer_there_is_nothing_to_judge(ledger: Ledger, tell: Tell) -> None:
    with pytest.raises(InvalidTask):
        ledger.outcomes.say(tell((A, "failed", Cause.EMPTY)), "bad", "person", "terminal", NOON)
    with pytest.raises(NotFound):
        ledger.outcomes.say("ab" * 16, "bad", "person", "terminal", NOON)


def test_words_are_only_added(ledger: Ledger, tell: Tell, state: Path) -> None:
    ledger.outcomes.say(tell((A, "completed", None)), "bad", "person", "terminal", NOON)
    with sqlite3.connect(state / "ledger.db") as db, pytest.raises(sqlite3.IntegrityError):
        db.execute("UPDATE outcome SET verdict = 'good'")
    db.close()


# -------------------------------------------------------------------------------------------------------- evidence


def test_a_day_sees_what_began_before_it_and_sees_the_same_until_it_ends(ledger: Ledger, tell: Tell) -> None:
    trace = tell((A, "completed", None), at=NOON - DAY)
    tell((A, "completed", None), at=NOON - MINUTE)
    tell((A, "completed", None), at=NOON - 40 * DAY)
    first = ledger.evidence.current(NOON, 30)
    assert (first.until, first.window_days) == (f"{NOON:%Y-%m-%d}", 30)
    assert first.cells == (Cell(A, "edit", "codex", 1, 0),)
    ledger.outcomes.say(trace, "bad", "person", "terminal", NOON)
    tell((B, "completed", None), at=NOON - DAY)
    assert ledger.evidence.current(NOON + 11 * 60 * MINUTE, 30) == first
    assert ledger.evidence.body(first.digest) == first
    tomorrow = ledger.evidence.current(NOON + DAY, 30)
    assert tomorrow.cells == (Cell(A, "edit", "codex", 1, 1, 1), Cell(B, "edit", "codex", 1, 0))


def test_two_windows_have_evidence_of_their_own_and_old_attempts_fade(ledger: Ledger, tell: Tell) -> None:
    tell((A, "completed", None), at=NOON - 5 * DAY)
    assert ledger.evidence.current(NOON, 5).cells
    assert not ledger.evidence.current(NOON, 4).cells
    assert not ledger.evidence.current(NOON + DAY, 5).cells


def test_what_is_frozen_stays_until_it_is_thawed(ledger: Ledger, tell: Tell, state: Path) -> None:
    tell((A, "completed", None), at=NOON - DAY)
    held = ledger.evidence.freeze(NOON, 30)
    tell((B, "completed", None), at=NOON)
    other = Ledger.open(state)
    assert other.evidence.current(NOON + 90 * DAY, 7) == held
    assert other.evidence.standing().frozen == held.digest
    other.evidence.thaw(NOON + DAY)
    assert {cell.model for cell in ledger.evidence.current(NOON + DAY, 30).cells} == {A, B}
    assert ledger.evidence.standing().frozen is None


def test_after_a_reset_only_what_begins_later_counts(ledger: Ledger, tell: Tell) -> None:
    tell((A, "completed", None), at=NOON - DAY)
    ledger.evidence.freeze(NOON, 30)
    ledger.evidence.reset(NOON)
    assert ledger.evidence.standing().frozen is None
    assert ledger.evidence.current(NOON, 30).cells == ()
    tell((B, "completed", None), at=NOON + MINUTE)
    assert ledger.evidence.current(NOON + DAY, 30).cells == (Cell(B, "edit", "codex", 1, 0),)
    assert ledger.evidence.since(NOON + DAY, 30) == NOON


def test_to_look_at_what_would_count_writes_nothing_down(ledger: Ledger, tell: Tell) -> None:
    tell((A, "completed", None), at=NOON - DAY)
    before = ledger.evidence.current(NOON, 30, keep=False)
    tell((B, "completed", None), at=NOON - DAY)
    assert ledger.evidence.current(NOON, 30).cells != before.cells


def test_words_and_counts_go_with_the_record_and_what_is_frozen_stays(ledger: Ledger, tell: Tell, state: Path) -> None:
    old = tell((A, "completed", None), at=NOON - 50 * DAY)
    ledger.outcomes.say(old, "bad", "person", "terminal", NOON - 50 * DAY)
    past = [ledger.evidence.current(NOON - days * DAY, 30) for days in (49, 48)]
    ledger.evidence.freeze(NOON - 48 * DAY, 30)
    tell((A, "completed", None))
    ledger.upkeep.vacuum(30, NOON)
    assert ledger.outcomes.of_traces([old]) == ()
    assert [ledger.evidence.body(one.digest) for one in past] == [None, past[1]]
    assert ledger.upkeep.check().well
    assert Ledger.open(state).evidence.current(NOON, 30) == past[1]
