"""What follows a failed attempt: the next candidate, the same once more, or nothing; and how each is recorded."""

import sys
from collections.abc import Iterator
from decimal import Decimal

import anyio
import anyio.to_thread
import pytest
from model_server import Reply, serving, unused_port
from workbench import ALLOWED, Bench, compat, default, only, reports

from smista_mcp.core.digests import digest_of
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.dispatch.cooldown import FAILURES, REST_S
from smista_mcp.dispatch.payloads import keyed_hash
from smista_mcp.errors import Code

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")
TWO = default("openai-compat:a/m", "openai-compat:b/m")
A, B = "openai-compat:a/m", "openai-compat:b/m"
DOUBLE = "possible_duplicate_charge"


async def both(
    bench: Bench, first: Reply, *, dispatch: str = "", local: bool = False, price: str | None = "1"
) -> DispatchAnswer:
    """Dispatches with `first` from the first candidate and a sound answer from the second."""
    async with serving(first) as a, serving(Reply(("from b",))) as b:
        told = "" if local else ALLOWED
        providers = [compat(name, server.v1, local=local, price=price) for name, server in (("a", a), ("b", b))]
        app = bench.app(TWO + "".join(providers) + told + dispatch)
        async with app.running():
            answer = await app.dispatch(ASK)
        assert len(bench.attempts(answer)) == len(a.heard) + len(b.heard)  # one row for one request
        for heard, row in zip((*a.heard, *b.heard), reports(app, answer), strict=True):
            assert row.receipt is not None
            assert row.receipt.body_bytes == len(heard.body)
    return answer


@pytest.mark.parametrize(
    ("first", "status", "code"),
    [
        (Reply(status=402), "failed", Code.PROVIDER_RATE_LIMITED),
        (Reply(()), "failed", Code.EMPTY_COMPLETION),
        (Reply((" \n",)), "failed", Code.EMPTY_COMPLETION),
        (Reply(("half an ans",), ending="reset"), "uncertain", Code.PROVIDER_PROTOCOL),
        (Reply(("half an ans",), ending="cut"), "uncertain", Code.PROVIDER_PROTOCOL),
        (Reply((), ending="cut"), "uncertain", Code.PROVIDER_PROTOCOL),
        (Reply((), used=None), "uncertain", Code.EMPTY_COMPLETION),
    ],
)
async def test_a_failed_candidate_is_followed_by_the_next(bench: Bench, first: Reply, status: str, code: Code) -> None:
    answer = await both(bench, first)
    phase = only(answer)
    assert (answer.status, phase.answer, phase.model) == ("completed", "from b", B)
    assert bench.attempts(answer) == [(A, status, code), (B, "completed", None)]
    assert (DOUBLE in phase.detail) == (status == "uncertain")
    assert code in phase.detail


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (408, Code.PROVIDER_TIMEOUT),
        (429, Code.PROVIDER_RATE_LIMITED),
        (500, Code.PROVIDER_UNAVAILABLE),
        (502, Code.PROVIDER_UNAVAILABLE),
        (503, Code.PROVIDER_UNAVAILABLE),
        (529, Code.PROVIDER_UNAVAILABLE),
    ],
)
async def test_what_may_pass_is_asked_once_more_and_then_the_next(bench: Bench, status: int, code: Code) -> None:
    answer = await both(bench, Reply(status=status))
    assert bench.attempts(answer) == [(A, "failed", code), (A, "failed", code), (B, "completed", None)]
    assert DOUBLE not in only(answer).detail


@pytest.mark.parametrize(
    ("status", "code"),
    [
        (400, Code.PROVIDER_INVALID_REQUEST),
        (401, Code.PROVIDER_AUTH),
        (403, Code.PROVIDER_AUTH),
        (404, Code.PROVIDER_INVALID_REQUEST),
        (422, Code.PROVIDER_INVALID_REQUEST),
    ],
)
async def test_what_another_candidate_cannot_mend_stops(bench: Bench, status: int, code: Code) -> None:
    answer = await both(bench, Reply(status=status))
    phase = only(answer)
    assert (answer.status, answer.code, phase.answer) == ("failed", code, None)
    assert bench.attempts(answer) == [(A, "failed", code)]
    assert DOUBLE not in phase.detail


async def test_a_model_that_declines_is_not_followed_by_another(bench: Bench) -> None:
    answer = await both(bench, Reply((), stop="content_filter"))
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_INVALID_REQUEST)
    assert len(bench.attempts(answer)) == 1


async def test_a_server_that_vanished_since_the_decision_is_followed_by_the_next(bench: Bench) -> None:
    async with serving(Reply(("from b",))) as b:
        async with serving() as a:
            app = bench.app(TWO + compat("a", a.v1) + compat("b", b.v1) + ALLOWED)
            await anyio.to_thread.run_sync(app.route, ASK)  # remembers that `a` answers
        async with app.running():
            answer = await app.dispatch(ASK)
    assert only(answer).answer == "from b"
    assert bench.attempts(answer) == [(A, "failed", Code.PROVIDER_UNAVAILABLE), (B, "completed", None)]
    assert DOUBLE not in only(answer).detail


async def test_a_candidate_that_is_known_to_be_down_is_not_asked(bench: Bench) -> None:
    async with serving(Reply(("from b",))) as b:
        app = bench.app(TWO + compat("a", f"http://127.0.0.1:{unused_port()}/v1") + compat("b", b.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
    assert bench.attempts(answer) == [(B, "completed", None)]


@pytest.mark.parametrize("ending", ["reset", "cut"])
async def test_what_was_heard_of_an_answer_is_told_by_size_and_hash(bench: Bench, ending: str) -> None:
    async with serving(Reply(("half an ", "answer"), ending=ending)) as a, serving() as b:
        app = bench.app(TWO + compat("a", a.v1) + compat("b", b.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
        broken, whole = reports(app, answer)
    assert broken.partial is not None
    assert broken.partial.bytes == len("half an answer")
    assert broken.partial.sha256 == keyed_hash(app.world.key(), digest_of("half an answer"))
    assert (broken.status, whole.partial) == ("uncertain", None)
    assert "half an answer" not in answer.model_dump_json()
    assert "half an answer" not in (bench.state / "ledger.db").read_bytes().decode("latin-1")


async def test_a_local_model_that_breaks_off_cannot_have_been_charged(bench: Bench) -> None:
    answer = await both(bench, Reply(("half",), ending="reset"), local=True, price=None)
    assert bench.attempts(answer) == [(A, "failed", Code.PROVIDER_PROTOCOL), (B, "completed", None)]
    assert DOUBLE not in only(answer).detail
    assert only(answer).cost == "0"


async def test_what_a_failed_attempt_has_cost_counts(bench: Bench) -> None:
    used = {"prompt_tokens": 1000, "completion_tokens": 1000}
    answer = await both(bench, Reply((), used=used))
    assert Decimal(only(answer).cost or 0) > Decimal("0.002")


async def test_a_cost_is_unknown_where_one_attempt_is_uncertain(bench: Bench) -> None:
    answer = await both(bench, Reply(("half",), ending="reset"))
    assert only(answer).cost is None


async def test_whoever_would_not_pay_twice_stops_at_an_uncertain_charge(bench: Bench) -> None:
    stop = '[dispatch]\non_uncertain = "stop"\n'
    answer = await both(bench, Reply(("half",), ending="reset"), dispatch=stop)
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_PROTOCOL)
    assert bench.attempts(answer) == [(A, "uncertain", Code.PROVIDER_PROTOCOL)]
    assert DOUBLE in only(answer).detail


async def test_whoever_would_not_pay_twice_goes_on_where_nothing_was_charged(bench: Bench) -> None:
    stop = '[dispatch]\non_uncertain = "stop"\n'
    answer = await both(bench, Reply(status=500), dispatch=stop)
    assert only(answer).answer == "from b"


async def test_where_all_fail_every_failure_is_told(bench: Bench) -> None:
    async with serving(Reply(status=500)) as a, serving(Reply(())) as b:
        app = bench.app(TWO + compat("a", a.v1) + compat("b", b.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
    phase = only(answer)
    assert (answer.status, answer.code) == ("failed", Code.FALLBACK_EXHAUSTED)
    assert all(word in phase.detail for word in (A, B, Code.PROVIDER_UNAVAILABLE, Code.EMPTY_COMPLETION))
    assert answer.next is not None


async def test_a_single_candidate_fails_with_its_own_code(bench: Bench) -> None:
    async with serving(Reply(status=500)) as a:
        app = bench.app(default(A) + compat("a", a.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_UNAVAILABLE)


async def test_a_phase_whose_candidates_all_fail_goes_back_to_the_host_where_the_policy_says_so(bench: Bench) -> None:
    async with serving(Reply(status=500)) as a:
        handoff = '[routing]\nhandoff = "when_unavailable"\n'
        app = bench.app(handoff + default(A) + compat("a", a.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
    phase = only(answer)
    assert (answer.status, phase.code) == ("handoff", Code.PROVIDER_UNAVAILABLE)
    assert phase.handoff is not None
    assert phase.handoff.prompt == ASK.text
    assert phase.trace_id is not None


async def test_a_host_that_stands_behind_a_model_takes_over_when_that_fails(bench: Bench) -> None:
    async with serving(Reply(status=500)) as a:
        app = bench.app(default(A, "host/current", "openai-compat:a/n") + compat("a", a.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
    assert (answer.status, len(bench.attempts(answer))) == ("handoff", 2)
    assert only(answer).handoff is not None


# ------------------------------------------------------------------------------------------------------- once more


async def test_a_provider_that_says_when_is_asked_once_more_then(bench: Bench) -> None:
    busy = Reply(status=429, headers=("Retry-After-Ms: 300",))
    async with serving(busy, Reply(("at last",))) as a, serving() as b:
        app = bench.app(TWO + compat("a", a.v1) + compat("b", b.v1) + ALLOWED)
        async with app.running():
            began = anyio.current_time()
            answer = await app.dispatch(ASK)
            assert anyio.current_time() - began >= 0.3
    assert only(answer).answer == "at last"
    assert bench.attempts(answer) == [(A, "failed", Code.PROVIDER_RATE_LIMITED), (A, "completed", None)]
    assert DOUBLE not in only(answer).detail


async def test_a_provider_that_stays_busy_is_followed_by_the_next(bench: Bench) -> None:
    answer = await both(bench, Reply(status=429, headers=("Retry-After: 0",)))
    busy = (A, "failed", Code.PROVIDER_RATE_LIMITED)
    assert bench.attempts(answer) == [busy, busy, (B, "completed", None)]


async def test_a_provider_is_not_waited_for_beyond_the_deadline(bench: Bench) -> None:
    with anyio.fail_after(3):
        later = Reply(status=429, headers=("Retry-After: 30",))
        answer = await both(bench, later, dispatch="[dispatch]\ndeadline_s = 20\n")
    assert bench.attempts(answer) == [(A, "failed", Code.PROVIDER_RATE_LIMITED), (B, "completed", None)]


async def test_no_model_is_asked_twice_where_retries_are_off(bench: Bench) -> None:
    busy = Reply(status=429, headers=("Retry-After: 0",))
    answer = await both(bench, busy, dispatch="[dispatch]\nmax_retries = 0\n")
    assert bench.attempts(answer) == [(A, "failed", Code.PROVIDER_RATE_LIMITED), (B, "completed", None)]


async def test_waits_that_nobody_named_come_from_a_source_that_can_be_held(bench: Bench) -> None:
    drawn: list[float] = []

    def draw() -> float:
        drawn.append(0.0)
        return 0.0

    async with serving(Reply(status=503), Reply(status=503), Reply(("at last",))) as a:
        app = bench.app(default(A) + compat("a", a.v1) + ALLOWED + "[dispatch]\nmax_retries = 2\n")
        app.world.draw = draw
        async with app.running():
            answer = await app.dispatch(ASK)
    assert only(answer).answer == "at last"
    assert (len(bench.attempts(answer)), len(drawn)) == (3, 2)


# ------------------------------------------------------------------------------------------------------- left alone


async def test_a_provider_that_failed_five_times_is_left_alone_and_then_tried_once(bench: Bench) -> None:
    at = 0.0
    async with serving(Reply(("half",), ending="cut")) as a, serving(Reply(("from b",))) as b:
        app = bench.app(TWO + compat("a", a.v1) + compat("b", b.v1) + ALLOWED)
        app.world.ticks = lambda: at
        async with app.running():
            for number in range(FAILURES):
                await app.dispatch(Task(text=f"What is unit test number {number}?"))
            assert len(a.heard) == FAILURES
            rested = await app.dispatch(ASK)
            (decision,) = (await anyio.to_thread.run_sync(app.route, ASK)).decisions
            told = await anyio.to_thread.run_sync(app.explain, decision.decision_id)
            at = REST_S
            a.replies[:] = [Reply(("well again",))]
            well = await app.dispatch(ASK)
    assert (bench.attempts(rested), len(a.heard)) == ([(B, "completed", None)], FAILURES + 1)
    assert [(gone.model, gone.code) for gone in decision.rejected] == [(A, Code.PROVIDER_COOLDOWN)]
    assert decision.fallback_used
    assert told.phases[0].decision.rejected == decision.rejected
    assert told.phases[0].changes
    assert only(well).answer == "well again"


async def test_a_decision_knows_of_the_rest_by_a_hash_of_its_own(bench: Bench) -> None:
    async with serving(Reply(("half",), ending="cut")) as a:
        app = bench.app(default(A) + compat("a", a.v1) + ALLOWED)
        (before,) = (await anyio.to_thread.run_sync(app.route, ASK)).decisions
        async with app.running():
            for number in range(FAILURES):
                await app.dispatch(Task(text=f"What is unit test number {number}?"))
            (after,) = (await anyio.to_thread.run_sync(app.route, ASK)).decisions
    assert (before.code, after.code) == (None, Code.PROVIDER_COOLDOWN)
    changed = {name for name in before.inputs if before.inputs[name] != after.inputs[name]}
    assert changed == {"availability"}


async def test_refusals_of_our_own_leave_nobody_alone(bench: Bench) -> None:
    async with serving() as a:
        app = bench.app(default(A) + compat("a", a.v1) + '[privacy.remote]\nmode = "ask"\n')
        async with app.running():
            answers = [await app.dispatch(ASK) for _ in range(2 * FAILURES)]
        assert {answer.status for answer in answers} == {"approval_required"}
        assert app.world.cooldowns.cooled() == frozenset()


# -------------------------------------------------------------------------------------------------------- deadlines


async def test_the_deadline_ends_the_phase_and_counts_as_a_possible_charge(bench: Bench) -> None:
    with anyio.fail_after(5):
        stalled = Reply(("half",), ending="stall")
        answer = await both(bench, stalled, dispatch="[dispatch]\ndeadline_s = 0.3\n")
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_TIMEOUT)
    assert bench.attempts(answer) == [(A, "uncertain", Code.PROVIDER_TIMEOUT)]
    assert DOUBLE in only(answer).detail


async def test_the_deadline_of_a_rule_beats_the_general_one(bench: Bench) -> None:
    rule = '[[routing.rules]]\nname = "quick"\nmodel = "openai-compat:a/m"\ndeadline_s = 0.2\n'
    async with serving(Reply(("half",), ending="stall")) as a:
        app = bench.app(rule + compat("a", a.v1, local=True) + "[dispatch]\ndeadline_s = 60\n")
        with anyio.fail_after(5):
            async with app.running():
                answer = await app.dispatch(ASK)
    assert (answer.status, answer.code) == ("failed", Code.PROVIDER_TIMEOUT)
    assert bench.attempts(answer) == [(A, "failed", Code.PROVIDER_TIMEOUT)]  # local: nothing can have been charged


async def test_a_silent_model_is_followed_by_the_next_inside_the_deadline(bench: Bench) -> None:
    with anyio.fail_after(5):
        stalled = Reply(("half",), ending="stall")
        answer = await both(bench, stalled, dispatch="[dispatch]\nidle_s = 0.2\nfirst_byte_s = 0.2\n")
    assert bench.attempts(answer) == [(A, "uncertain", Code.PROVIDER_TIMEOUT), (B, "completed", None)]
    assert DOUBLE in only(answer).detail


# ---------------------------------------------------------------------------------------------------- no such address


_CONNECTED: list[object] = []
_LISTENING: list[bool] = []
_HOOKED: list[bool] = []


def _hear(event: str, arguments: tuple[object, ...]) -> None:
    if _LISTENING and event in ("socket.connect", "socket.getaddrinfo"):
        _CONNECTED.append(arguments[1 if event == "socket.connect" else 0])


@pytest.fixture
def connected() -> Iterator[list[object]]:
    """Every address that this process connects to or asks a resolver for, while the test runs."""
    if not _HOOKED:
        sys.addaudithook(_hear)  # there is no way to take one off again
        _HOOKED.append(True)
    _CONNECTED.clear()
    _LISTENING.append(True)
    yield _CONNECTED
    _LISTENING.clear()


LAN = '[providers."openai-compat:a"]\nbase_url = "http://0.0.0.0:9/v1"\nlocality = "local"\nallow_plain_lan = true\n'


@pytest.mark.parametrize(
    "provider",
    [compat("a", "https://169.254.169.254/v1"), compat("a", "https://[fe80::1]/v1"), LAN],
    ids=["of a cloud's own", "of the link", "of no machine"],
)
async def test_an_address_where_no_model_can_be_is_refused_before_any_socket_is_opened(
    bench: Bench, connected: list[object], provider: str
) -> None:
    async with serving(Reply(("from b",))) as b:
        app = bench.app(TWO + provider + compat("b", b.v1) + ALLOWED)
        async with app.running():
            answer = await app.dispatch(ASK)
        assert set(connected) == {("127.0.0.1", b.port)}
    assert bench.attempts(answer) == [(B, "completed", None)]
    assert f"{A}: {Code.PROVIDER_UNAVAILABLE}" in only(answer).detail
