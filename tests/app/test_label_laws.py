"""A law over random conversations: nothing made from what must stay here reaches a remote model, or a host unshown.

The local model repeats all that it is sent, so that a canary is in every text that was made from its file.
"""

import json
from collections.abc import Sequence
from pathlib import Path

import anyio
import pytest
from canaries import parrot
from fake_ollama import FakeOllama
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import ModelServer, Reply, serving
from workbench import ALLOWED, Bench, compat, default, ollama

from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.core.task import Task

A, HERE = "openai-compat:a/m", "ollama/tiny"
RESTRICTED, BOUND, FREE = "canaryrestricted7f3a", "canarybound9c1e", "canaryfree22d8"
FILES = {"secrets/plan.txt": RESTRICTED, "src/auth/a.py": BOUND, "src/free.py": FREE}
RULES = f"""
[[routing.rules]]
name = "auth stays"
paths = ["src/auth/**"]
model = "{HERE}"
local_only = true

[[routing.rules]]
name = "secrets"
paths = ["secrets/**"]
model = "{HERE}"
"""
WORDS = st.sampled_from(
    (
        *("explain secrets/plan.txt", "explain src/auth/a.py", "explain src/free.py", "summarize what a mutex is"),
        *("What is a mutex?", "now shorten that", "compare your last answer with turn 1", "what does turn 2 say?"),
        "Explain src/free.py, then write a README about it",
        "Explain secrets/plan.txt, then plan a rewrite of src/free.py, then write a README",
        "Explain what a mutex is, then shorten your last answer, then review src/free.py",
        "explain src/free.py, but leave secrets/plan.txt alone",
    )
)
ROUTES = st.sampled_from(((A, HERE), (HERE, A), (A,), (HERE,), ("host/current",), (A, "host/current")))
CALLS = st.lists(st.tuples(WORDS, ROUTES), min_size=2, max_size=6)


def texts_of(phase: DispatchedPhase) -> str:
    """What a phase came to, wherever it lies."""
    if phase.withheld is not None:
        return Path(phase.withheld.path).read_text(encoding="utf-8")
    return phase.answer or ""


def check(answer: DispatchAnswer) -> None:
    assert RESTRICTED not in answer.model_dump_json()
    for phase in answer.phases:
        made = texts_of(phase)
        if RESTRICTED in made:
            assert (phase.label, phase.answer) == ("restricted", None)
        if BOUND in made:
            assert phase.label is not None
        if phase.handoff is not None:
            assert BOUND not in json.dumps(phase.handoff.model_dump(mode="json"))


async def converse(bench: Bench, local: FakeOllama, calls: Sequence[tuple[str, tuple[str, ...]]]) -> ModelServer:
    async with serving(Reply(("done",)), Reply(status=500), Reply(("done",))) as remote:
        session = "new"
        for words, route in calls:
            policy = RULES + default(*route) + compat("a", remote.v1) + ollama(local.base_url) + ALLOWED
            app = bench.app(policy)
            async with app.running():
                answer = await app.dispatch(Task(text=words, session=session))
                check(answer)
                session = answer.session or session
    return remote


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(calls=CALLS)
def test_labels_hold_over_random_conversations(
    tmp_path_factory: pytest.TempPathFactory, calls: list[tuple[str, tuple[str, ...]]]
) -> None:
    folder = tmp_path_factory.mktemp("talk")
    bench = Bench(folder / "home", folder / "work")
    for one in (bench.home, bench.workspace):
        one.mkdir()
    for path, canary in FILES.items():
        bench.write(path, f"note = '{canary}'\n")
    with parrot() as local:
        remote = anyio.run(converse, bench, local, calls)
    assert RESTRICTED not in remote.heard_text
    assert BOUND not in remote.heard_text
