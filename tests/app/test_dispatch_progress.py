"""What a waiting caller hears: what is being done, and what it has cost by then."""

from collections.abc import Callable

import anyio
import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama

from smista_mcp.app import App
from smista_mcp.core.task import Task
from smista_mcp.core.values import Intent
from smista_mcp.dispatch.standing import Progress, Spent
from smista_mcp.ledger import CostKind

pytestmark = pytest.mark.anyio

ASK = Task(text="What is a unit test?")
A, B = "openai-compat:a/m", "openai-compat:b/m"
STALLS = Reply(("a ", "b"), ending="stall")


async def heard_when(app: App, wanted: Callable[[Progress], bool], task: Task = ASK) -> Progress:
    """The first news of a dispatch that are wanted; it is cancelled then, and ends within two seconds."""
    found: list[Progress] = []
    enough = anyio.Event()

    async def listener(progress: Progress) -> None:
        if wanted(progress):
            found.append(progress)
            enough.set()

    with anyio.fail_after(30) as patience:
        async with app.running(), anyio.create_task_group() as group:
            group.start_soon(lambda: app.dispatch(task, listener=listener))
            await enough.wait()
            patience.deadline = anyio.current_time() + 2
            group.cancel_scope.cancel()
    return found[0]


def wrote(tokens: int) -> Callable[[Progress], bool]:
    return lambda progress: progress.tokens == tokens


@pytest.mark.parametrize(
    ("catalog", "kind", "amount"),
    [
        ('input_price = "0"\noutput_price = "1000000"\n', "list", "2"),  # a dollar for a piece
        ('price_kind = "plan"\n', "plan", "0"),
        ("", "unknown", "0"),
    ],
)
async def test_it_hears_what_has_been_spent(bench: Bench, catalog: str, kind: CostKind, amount: str) -> None:
    async with serving(STALLS) as server:
        entry = f'[catalog."{A}"]\n{catalog}'
        app = bench.app(default(A) + compat("a", server.v1) + entry + ALLOWED)
        progress = await heard_when(app, wrote(2))
    assert progress.spent == Spent(amount, kind, estimated=amount != "0")
    assert progress.told().endswith(str(progress.spent))


async def test_what_is_done_here_costs_nothing(bench: Bench) -> None:
    async with serving(STALLS) as server:
        progress = await heard_when(bench.app(default("ollama/m") + ollama(server.root)), wrote(2))
    assert (progress.message, progress.spent) == ("chat on ollama/m", Spent("0", "local"))


async def test_what_failed_attempts_cost_is_in_it(bench: Bench) -> None:
    async with serving(Reply(())) as first, serving(STALLS) as second:
        providers = compat("a", first.v1, price="1") + compat("b", second.v1, local=True)
        app = bench.app(default(A, B) + providers + ALLOWED)
        progress = await heard_when(app, wrote(2))
    (phase,) = app.explain(last=True).phases
    cost = phase.attempts[0].cost
    assert cost not in (None, "0")
    assert progress.spent == Spent(cost or "", "list")


async def test_it_hears_of_a_wait_before_the_next_request_and_can_end_it(bench: Bench) -> None:
    async with serving(Reply(status=429, headers=("Retry-After: 30",))) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        progress = await heard_when(app, lambda progress: "30 s" in progress.message)
        assert len(server.heard) == 1
    assert progress.message == "chat on ollama/m, waiting 30 s before it is asked again"
    (phase,) = app.explain(last=True).phases
    assert [attempt.status for attempt in phase.attempts] == ["failed"]


async def test_it_hears_of_rounds(bench: Bench) -> None:
    bench.write("a.py", "a = 1\n")
    looks = Reply((), calls=(("read_file", {"path": "a.py"}),))
    async with serving(looks, STALLS, tools=True) as server:
        app = bench.app(default("ollama/m") + ollama(server.root))
        task = Task(text="review the code", intent=Intent.REVIEW)
        progress = await heard_when(app, wrote(2), task)
    assert progress.message == "review on ollama/m, round 2 of looking around"


async def test_it_hears_of_an_escalation(bench: Bench) -> None:
    rule = f'[[routing.rules]]\nname = "r"\nmodel = "{A}"\nescalate = {{ on = ["empty_completion"], to = "{B}" }}\n'
    async with serving(Reply(())) as first, serving(STALLS) as second:
        app = bench.app(rule + compat("a", first.v1, local=True) + compat("b", second.v1, local=True))
        progress = await heard_when(app, wrote(2))
    assert progress.message == f"chat on {B}, escalated"


@pytest.mark.parametrize(
    ("spent", "words"),
    [
        (Spent("0.0123", "list", estimated=True), "cost about 0.0123 USD (list)"),
        (Spent("0", "local"), "cost 0 USD (local)"),
        (Spent("0", "unknown"), "cost unknown"),
        (Spent("0.5", "unknown"), "cost unknown, at least 0.5 USD"),
    ],
)
def test_what_nobody_knows_is_not_called_nothing(spent: Spent, words: str) -> None:
    assert str(spent) == words
