"""From attempts and words to what is decided the next day: through the real application, ledger and servers."""

import itertools
from collections.abc import AsyncGenerator, Mapping, Sequence
from datetime import UTC, datetime, timedelta

import anyio.to_thread
import pytest
from model_server import Reply, serving
from workbench import NO_PATCHES, Bench, compat, default, done, only

from smista_mcp.app import App
from smista_mcp.app.learning import freeze, learned, reset, say, suggested, thaw
from smista_mcp.app.whatif import of_ledger, side, what_if
from smista_mcp.core.decision import Decision
from smista_mcp.core.evidence import NO_EVIDENCE, Count, Evidence
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent, Layer, Locality
from smista_mcp.errors import Cause, InvalidTask, NotFound
from smista_mcp.ledger import AttemptStart, Ledger, NewTrace, RouteRecord, Settlement
from smista_mcp.ledger.entries import SettlementEntry

pytestmark = pytest.mark.anyio

A, B = "openai-compat:a/m", "openai-compat:b/m"
ON = "[routing.adaptive]\nenabled = true\nmin_attempts = 4\nwindow_days = 7\n"
ASK = Task(text="What is a unit test?", intent=Intent.CHAT)
WEAK = {A: [False] * 9, B: [True] * 9}
_NUMBERS = itertools.count()


@pytest.fixture
async def policy() -> AsyncGenerator[str]:
    """Two local models in order; both answer."""
    async with serving(Reply(("from a",))) as a, serving(Reply(("from b",))) as b:
        yield default(A, B) + compat("a", a.v1, local=True) + compat("b", b.v1, local=True) + NO_PATCHES


async def decided(app: App, task: Task = ASK) -> Decision:
    (decision,) = (await anyio.to_thread.run_sync(app.route, task)).decisions
    return decision


async def tried(bench: Bench, policy: str, outcomes: Mapping[str, Sequence[bool]], days: int = 1) -> None:
    """Records tries of some days before this one, as dispatches of the decision on `ASK`."""
    decision = await decided(bench.app(policy))
    ledger, at = Ledger.open(bench.state), datetime.now(UTC) - timedelta(days=days)
    (place,) = ledger.record_route(RouteRecord((decision,), at, "0" * 32))
    receipt = Receipt(body_bytes=1, body_sha256="0" * 64)
    for model, good in ((model, good) for model, ends in outcomes.items() for good in ends):
        trace = NewTrace(f"{next(_NUMBERS):032x}", decision.decision_id, at, place)
        start = AttemptStart(0, Intent.CHAT, model, model.partition("/")[0], Locality.LOCAL, at, receipt)
        attempt = ledger.write(ledger.attempt(trace, start, ()))
        end = Settlement("completed", at) if good else Settlement("failed", at, cause=Cause.EMPTY)
        ledger.write(SettlementEntry(attempt, end))


async def test_what_was_tried_before_this_day_decides_where_the_policy_says_so(bench: Bench, policy: str) -> None:
    plain = await decided(bench.app(policy))
    await tried(bench, policy, WEAK)
    off = await decided(bench.app(policy))
    assert (off.model, off.decision_id, off.inputs) == (A, plain.decision_id, plain.inputs)
    app = bench.app(ON + policy)
    on = await decided(app)
    assert (on.model, on.fallbacks) == (B, (A,))
    assert on.decision_id == (await decided(bench.app())).decision_id
    (phase,) = app.explain(on.decision_id).phases
    assert phase.evidence is not None
    assert phase.evidence.digest == on.inputs["evidence"]
    assert [(one.model, one.good, one.bad) for one in phase.evidence.models] == [(B, 9, 0), (A, 0, 9)]
    assert app.explain(task=ASK).phases[0].evidence == phase.evidence
    kept = Ledger.open(bench.state).inputs.of(on.inputs).bodies["evidence"]
    assert Evidence.read(kept).digest == on.inputs["evidence"]


@pytest.mark.parametrize(
    ("settings", "model"), [(ON.replace("= 4", "= 10"), A), (ON.replace("= 7", "= 2"), A), (ON, B)]
)
async def test_each_threshold_can_change_a_decision(bench: Bench, policy: str, settings: str, model: str) -> None:
    await tried(bench, policy, WEAK, days=4)
    assert (await decided(bench.app(settings + policy))).model == model


async def test_what_is_tried_on_the_day_itself_changes_nothing_before_the_next(bench: Bench, policy: str) -> None:
    first = await decided(bench.app(ON + policy))
    await tried(bench, ON + policy, WEAK, days=0)
    assert (await decided(bench.app())).decision_id == first.decision_id


@pytest.mark.parametrize(
    ("stop", "judged"),
    [("stop", Count(1, 0)), ("length", Count()), ("content_filter", Count(0, 1))],
)
async def test_an_answer_that_was_cut_is_no_good_one(bench: Bench, stop: str, judged: Count) -> None:
    async with serving(Reply(("half of it",), stop=stop)) as server:
        app = bench.app(default(A) + compat("a", server.v1, local=True) + NO_PATCHES)
        assert only(await done(app, ASK)).answer == "half of it"
    now = datetime.now(UTC)
    (one,) = Ledger.open(bench.state).outcomes.tried(now - timedelta(days=1), now + timedelta(days=1))
    assert (one.model, Count(one.good, one.bad), one.unjudged) == (A, judged, int(judged == Count()))


async def test_what_is_held_stays_and_what_is_begun_anew_is_empty(bench: Bench, policy: str) -> None:
    await tried(bench, policy, WEAK)
    app = bench.app(ON + policy)
    held = freeze(app.world)
    reset(app.world)
    empty = await decided(app)
    assert (empty.model, learned(app.world).standing.frozen) == (A, None)
    assert empty.inputs["evidence"] != held.digest
    thaw(app.world)
    assert learned(app.world).tried == ()


async def test_where_the_ledger_cannot_be_read_the_route_stands_as_written(bench: Bench, policy: str) -> None:
    await tried(bench, policy, WEAK)
    (bench.state / "ledger.db").write_bytes(b"no database")
    decision = await decided(bench.app(ON + policy))
    assert (decision.model, decision.inputs["evidence"]) == (A, NO_EVIDENCE.digest)


async def test_a_word_about_a_trace_a_decision_or_a_job_goes_to_the_model_that_answered(
    bench: Bench, policy: str
) -> None:
    app = bench.app(policy)
    answer = await done(app, ASK)
    trace = only(answer).trace_id or ""
    decision = Ledger.open(bench.state).last().decision_id
    for given, verdict in ((trace, "bad"), (decision, "good"), (decision[:10], "bad")):
        (said,) = say(app.world, given, verdict, "person", "terminal", "n")  # pyright: ignore[reportArgumentType]
        assert (said.trace_id, said.model, said.verdict) == (trace, A, verdict)
    say(app.world, trace, "good", "host", "command line")
    (phase,) = app.explain(trace).phases
    told = [(one.verdict, one.source, one.counts) for one in phase.outcomes]
    assert told == [
        ("bad", "person", False),
        ("good", "person", False),
        ("bad", "person", True),
        ("good", "host", False),
    ]
    (one,) = learned(app.world).tried
    assert (one.model, one.good, one.bad, one.said, one.host_good) == (A, 0, 1, 1, 1)


async def test_a_job_of_several_phases_is_good_as_a_whole_and_bad_in_one_of_them(bench: Bench, policy: str) -> None:
    app = bench.app(policy)
    answer = await done(app, Task(text="Explain what a unit test is. Then write a plan for a parser."))
    assert len(answer.phases) == 2
    ledger = Ledger.open(bench.state)
    job = ledger.jobs.of_call(ledger.last().call_id)
    assert job is not None
    assert {one.trace_id for one in say(app.world, job.job_id, "good", "person", "terminal")} == {
        phase.trace_id for phase in answer.phases
    }
    with pytest.raises(InvalidTask) as refusal:
        say(app.world, job.job_id, "bad", "person", "terminal")
    assert all((phase.trace_id or "?")[:16] in refusal.value.fix for phase in answer.phases)


async def test_what_was_only_decided_cannot_be_judged(bench: Bench, policy: str) -> None:
    app = bench.app(policy)
    decision = await decided(app)
    with pytest.raises(InvalidTask):
        say(app.world, decision.decision_id, "good", "person", "terminal")
    with pytest.raises(NotFound):
        say(app.world, "ab" * 16, "good", "person", "terminal")


async def test_a_suggestion_counts_what_was_said_a_moment_ago(bench: Bench, policy: str) -> None:
    await tried(bench, policy, {A: [True] * 9, B: [True] * 9})
    app = bench.app(ON + policy)
    assert not suggested(app.world).suggestions
    for stored in Ledger.open(bench.state).recent(3):
        for trace in Ledger.open(bench.state).traces_of(stored):
            if trace.attempts[0].model == A:
                say(app.world, trace.trace_id, "bad", "person", "terminal")
    (one,) = suggested(app.world).suggestions
    assert (one.weak.model, one.weak.bad, one.better and one.better.model) == (A, 9, B)
    assert (await decided(app)).model == A  # of this day's words the next day hears


async def test_a_policy_that_turns_it_on_is_compared_by_the_evidence_in_force(bench: Bench, policy: str) -> None:
    await tried(bench, policy, WEAK)
    new = bench.home / "new.toml"
    new.write_text(ON + policy, encoding="utf-8")
    world = bench.app(policy).world
    found = what_if(
        side(world, str(bench.home / "config.toml"), Layer.USER), side(world, str(new), Layer.USER), of_ledger(world)
    )
    changes = {(one.kind, one.before.model, one.after.model) for one in found.comparison.changes}
    assert changes == {("other", A, B)}
    assert any("NEW lets evidence count" in note for note in found.notes)
