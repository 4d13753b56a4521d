"""A person's yes is for one text and one destination, under the policy of the moment, and passes on to nothing."""

from collections.abc import Callable
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from model_server import ModelServer, Reply, serving
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, ollama, only

from smista_mcp.app import App
from smista_mcp.app.consents import Consents
from smista_mcp.core.asked import ReleaseRequest
from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.errors import Code

CANARY = "canary-7f3a9c"
A, B = "openai-compat:a/m", "openai-compat:b/m"
SECRET = Task(text="Explain secrets/plan.txt")
STEPS = Task(text="Explain secrets/plan.txt, then write a README from that, then review the README")
PATTERNS = '[privacy]\nrestricted_paths = ["secrets/**"]\n'
BLOCKED = ALLOWED + 'blocked_paths = ["secrets/**"]\n'
STAYS = '[[routing.rules]]\nname = "own"\npaths = ["secrets/**"]\nlocal_only = true\nmodel = "ollama/m"\n'


def rule(name: str, intents: str, model: str) -> str:
    return f'[[routing.rules]]\nname = "{name}"\nintent = {intents}\nmodel = "{model}"\n'


QUESTIONS = rule("questions", '["chat", "analyze"]', "ollama/m")


def yes(app: App, answer: DispatchAnswer) -> None:
    assert answer.approval_id is not None
    Consents(app.world).grant(answer.approval_id, "terminal")


def asked(app: App, answer: DispatchAnswer) -> ReleaseRequest:
    request = Consents(app.world).stored(answer.approval_id or "").request
    assert isinstance(request, ReleaseRequest)
    return request


@pytest.fixture
def secret(bench: Bench) -> Path:
    return bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")


@pytest.mark.anyio
async def test_what_a_remote_model_makes_of_a_released_text_is_as_restricted(bench: Bench, secret: Path) -> None:
    derived = Reply((f"readme of {CANARY}",))
    async with serving(derived) as a, serving() as b, serving(Reply((CANARY,))) as local:
        routes = QUESTIONS + rule("docs", '"document"', A) + default(B)
        app = bench.app(ALLOWED + routes + ollama(local.root) + compat("a", a.v1) + compat("b", b.v1))
        async with app.running():
            first = await app.dispatch(STEPS)
            assert asked(app, first).destinations == ("host", f"{A} at {a.v1}")
            yes(app, first)
            second = await app.join(first.job_id or "")
            assert [(one.status, one.label) for one in second.phases] == [
                *(("completed", "restricted"), ("completed", "restricted"), ("refused", None))
            ]
            assert (second.phases[1].answer, second.phases[1].code) == (None, Code.ANSWER_WITHHELD)
            assert (len(a.heard), b.heard) == (1, [])
            request = asked(app, second)
            assert (request.phase, request.destinations) == (1, ("host", f"{B} at {b.v1}"))
            assert request.origin == ("answer of phase 0",)
            yes(app, second)
            third = await app.join(first.job_id or "")
    assert [phase.status for phase in third.phases] == ["completed"] * 3
    assert third.phases[1].answer == f"readme of {CANARY}"
    assert (third.phases[2].label, third.phases[2].answer) == ("restricted", None)
    assert (len(a.heard), len(b.heard)) == (1, 1)


@pytest.mark.anyio
async def test_what_a_local_model_makes_of_a_text_released_to_the_host_is_as_restricted(
    bench: Bench, secret: Path
) -> None:
    replies = (Reply(status=500), Reply((f"derived {CANARY}",)))
    async with serving(Reply((CANARY,))) as local, serving(*replies) as second_local, serving() as b:
        routes = QUESTIONS + STAYS + rule("docs", '"document"', "openai-compat:l/m") + default(B)
        providers = ollama(local.root) + compat("l", second_local.v1, local=True) + compat("b", b.v1)
        app = bench.app(ALLOWED + routes + providers + "[dispatch]\nmax_retries = 0\n")
        async with app.running():
            task = STEPS.model_copy(update={"session": "new"})
            first = await app.dispatch(task)
            assert asked(app, first).destinations == ("host",)
            yes(app, first)
            second = await app.join(first.job_id or "")
            session = await app.dispatch(Task(text="Write tests for your last answer", session=second.session))
    assert [(one.status, one.label) for one in second.phases] == [
        *(("completed", "restricted"), ("completed", "restricted"), ("refused", None))
    ]
    assert (second.phases[0].released, second.phases[1].answer) == (True, None)
    assert (b.heard, session.status) == ([], "refused")


@pytest.mark.anyio
async def test_a_remote_model_that_looks_around_has_its_own_words_back(bench: Bench, secret: Path) -> None:
    bench.write("src/a.py", "x = 1\n")
    look = Reply(("looking",), calls=(("read_file", {"path": "src/a.py"}),))
    async with serving(look, Reply(("a readme",))) as a, serving(Reply((CANARY,))) as local:
        able = f'[catalog."{A}"]\ncapabilities = {{ tools = true }}\n'
        policy = ALLOWED + able + NO_PATCHES + QUESTIONS + default(A) + ollama(local.root) + compat("a", a.v1)
        app = bench.app(policy)
        async with app.running():
            first = await app.dispatch(Task(text="Explain secrets/plan.txt, then write a README from that"))
            yes(app, first)
            second = await app.join(first.job_id or "")
    assert [phase.status for phase in second.phases] == ["completed", "completed"]
    assert "looking" in a.heard[1].text
    assert "x = 1" in a.heard[1].results[0]


@pytest.mark.parametrize("later", ["blocked", "organisation"])
@pytest.mark.anyio
async def test_a_yes_does_not_outlive_a_prohibition(bench: Bench, secret: Path, later: str) -> None:
    org = bench.home / "org.toml"
    org.write_text('[privacy]\nrestricted_paths = ["other"]\n', encoding="utf-8")
    org.chmod(0o600)
    async with serving(Reply((CANARY,))) as local, serving() as a:
        rest = default(A) + QUESTIONS + ollama(local.root) + compat("a", a.v1)
        app = bench.app(ALLOWED + rest, SMISTA_ORG_POLICY=str(org))
        async with app.running():
            first = await app.dispatch(STEPS)
            yes(app, first)
            if later == "blocked":
                bench.write_policy(BLOCKED + rest)
            else:
                org.write_text('[privacy]\nhost_answers = "file"\n', encoding="utf-8")
            second = await app.join(first.job_id or "")
    phase = second.phases[0]
    assert (phase.code, phase.answer, phase.released) == (Code.ANSWER_WITHHELD, None, False)
    assert len(a.heard) == (0 if later == "blocked" else 1)


@pytest.mark.anyio
async def test_a_rule_that_binds_later_keeps_a_released_text_from_models(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,))) as local, serving() as a:
        rest = ALLOWED + default(A) + QUESTIONS + ollama(local.root) + compat("a", a.v1)
        app = bench.app(rest)
        async with app.running():
            first = await app.dispatch(STEPS)
            yes(app, first)
            bench.write_policy(rest + STAYS)
            second = await app.join(first.job_id or "")
    assert (second.phases[0].released, second.phases[1].status, a.heard) == (True, "refused", [])


@pytest.mark.anyio
async def test_another_address_is_another_destination(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,))) as local, serving() as a, serving() as other:
        rest = ALLOWED + default(A) + QUESTIONS + ollama(local.root)
        app = bench.app(rest + compat("a", a.v1))
        async with app.running():
            first = await app.dispatch(STEPS)
            yes(app, first)
            bench.write_policy(rest + compat("a", other.v1))
            second = await app.join(first.job_id or "")
    assert (second.phases[0].released, second.phases[1].status) == (True, "refused")
    assert a.heard == other.heard == []


@pytest.mark.anyio
async def test_an_ended_job_is_read_again_under_the_policy_of_the_moment(bench: Bench, secret: Path) -> None:
    async with serving(Reply((CANARY,))) as local:
        rest = default("ollama/m") + ollama(local.root)
        app = bench.app(rest + '[privacy]\nhost_answers = "return"\n')
        async with app.running():
            first = await app.dispatch(SECRET)
            assert only(first).answer == only(await app.join(first.job_id or "")).answer == CANARY
            bench.write_policy(rest)
            later = await app.join(first.job_id or "")
    assert (only(later).answer, only(later).code, only(later).label) == (None, Code.ANSWER_WITHHELD, "restricted")


@pytest.mark.parametrize("handoff", ["", '[routing]\nhandoff = "when_unavailable"\n'])
@pytest.mark.anyio
async def test_only_models_binds_what_is_made_from_its_files(bench: Bench, handoff: str) -> None:
    bench.write("src/auth/a.py", f"{CANARY} = 1\n")
    task = Task(text="Explain src/auth/a.py, then write a README from that")
    for model, status in ((A, "completed"), (B, "refused")):
        bound = f'[[routing.rules]]\nname = "auth"\npaths = ["src/auth/**"]\nmodel = "{A}"\nonly_models = ["{A}"]\n'
        async with serving(Reply((f"it says {CANARY}",))) as a, serving() as b:
            policy = handoff + ALLOWED + bound + default(model) + compat("a", a.v1) + compat("b", b.v1)
            app = bench.app(policy)
            async with app.running():
                answer = await app.dispatch(task)
        assert [phase.status for phase in answer.phases] == ["completed", status]
        assert answer.phases[1].code == (None if status == "completed" else Code.MODEL_NOT_ALLOWED)
        assert (b.heard, answer.phases[1].handoff) == ([], None)


@pytest.mark.anyio
async def test_a_rule_for_an_intent_binds_the_step_of_that_intent(bench: Bench) -> None:
    bench.write("src/auth/a.py", f"{CANARY} = 1\n")
    bound = '[[routing.rules]]\nname = "auth"\npaths = ["src/auth/**"]\nintent = "edit"\nlocal_only = true\n'
    bound += 'model = "ollama/m"\n'
    async with serving(Reply((f"it says {CANARY}",))) as a, serving() as b, serving() as local:
        providers = compat("a", a.v1) + compat("b", b.v1) + ollama(local.root)
        app = bench.app(ALLOWED + bound + QUESTIONS.replace("ollama/m", A) + default(B, "ollama/m") + providers)
        async with app.running():
            answer = await app.dispatch(Task(text="Explain src/auth/a.py, then write a README from that"))
    assert [(phase.status, phase.label) for phase in answer.phases] == [("completed", None), ("completed", "local")]
    assert (len(a.heard), b.heard, len(local.heard)) == (1, [], 1)


# ------------------------------------------------------------------------------------------------------ random graphs

MODELS = ("ollama/m", "openai-compat:l/m", A, B)
TEXTS = (
    "Explain secrets/plan.txt, then write a README from that, then review the README",
    "Summarize secrets/plan.txt, then plan the work from that, then write tests for it",
    "Explain src/a.py, then explain secrets/plan.txt, then write a README from that",
)
AFTER = ("now shorten your last answer", "write a README from your answer, then review it", "explain src/a.py")


class Graph(NamedTuple):
    """What a user does: how intents are routed, which requests fail, what is asked, and every step after it."""

    routes: tuple[str, str, str]
    failing: frozenset[tuple[int, int]]
    text: str
    steps: tuple[str, ...]


STEPS_OF_A_USER = st.sampled_from(("yes", "yes", "again", "block", "unblock", "move", *AFTER))
GRAPHS = st.builds(
    Graph,
    st.tuples(*(st.sampled_from(MODELS) for _ in range(3))),
    st.frozensets(st.tuples(st.integers(0, 3), st.integers(0, 2)), max_size=2),
    st.sampled_from(TEXTS),
    st.lists(STEPS_OF_A_USER, min_size=1, max_size=6).map(lambda steps: ("yes", *steps)),
)


class History:
    """What may be where: every text by the mark in it, what it was made from, and to whom a person let it go."""

    def __init__(self, servers: dict[str, ModelServer]) -> None:
        self.servers = servers
        self.allowed: set[tuple[str, str]] = set()
        self.blocked = False
        self._seen = dict.fromkeys(servers, 0)
        self._tainted = {CANARY}

    def mark(self, name: str, number: int) -> str:
        return f"mark-{name}-{number:02}."

    def check(self, answer: DispatchAnswer) -> None:
        """Nothing that was made from the secret has come to anybody to whom nobody has let it go."""
        fresh = True
        while fresh:  # a text can come from another server whose request stands later in this loop
            fresh = False
            for name, server in self.servers.items():
                for number, heard in enumerate(server.heard):
                    if self.mark(name, number) not in self._tainted and any(t in heard.text for t in self._tainted):
                        self._tainted.add(self.mark(name, number))
                        fresh = True
        for name, server in self.servers.items():
            for heard in server.heard[self._seen[name] :]:
                if name in ("a", "b", "c"):
                    self._check(heard.text, f"{'a' if name == 'c' else name} at {server.v1}")
            self._seen[name] = len(server.heard)
        for phase in answer.phases:
            self._check(phase.answer or "", "host")

    def _check(self, text: str, destination: str) -> None:
        for mark in self._tainted:
            if mark in text:
                assert not self.blocked, (mark, destination)
                assert (mark, destination) in self.allowed, (mark, destination)

    def grant(self, app: App, answer: DispatchAnswer, texts: Callable[[ReleaseRequest], str]) -> None:
        if answer.approval_id is None:
            return
        request = asked(app, answer)
        text = texts(request)
        for destination in request.destinations:
            self.allowed.add((text, destination.removeprefix("openai-compat:").replace("/m at", " at")))
        yes(app, answer)


async def lived(graph: Graph, bench: Bench) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    bench.write("src/a.py", "x = 1\n")

    def replies(number: int, name: str) -> tuple[Reply, ...]:
        return tuple(
            Reply(status=500) if (number, at) in graph.failing else Reply((f"mark-{name}-{at:02}.",))
            for at in range(40)
        )

    async with (
        serving(*replies(0, "o")) as o,
        serving(*replies(1, "l")) as near,
        serving(*replies(2, "a")) as a,
        serving(*replies(3, "b")) as b,
        serving(*replies(4, "c")) as c,
    ):
        history = History({"o": o, "l": near, "a": a, "b": b, "c": c})
        first, second, third = graph.routes
        rest = ollama(o.root) + compat("l", near.v1, local=True) + compat("b", b.v1) + "[dispatch]\nmax_retries = 0\n"
        rest += rule("r1", '["chat", "summarize"]', first) + rule("r2", '["document", "plan"]', second)
        rest += rule("secrets", '["chat", "summarize"]', "ollama/m").replace("model", 'paths = ["secrets/**"]\nmodel')
        rest += default(third, "ollama/m")

        def policy(*, blocked: bool, at: ModelServer) -> str:
            return PATTERNS + (BLOCKED if blocked else ALLOWED) + rest + compat("a", at.v1)

        where = a
        app = bench.app(policy(blocked=False, at=where))
        async with app.running():
            answer = await app.dispatch(Task(text=graph.text, session="new"))
            history.check(answer)
            session = answer.session
            for step in graph.steps:
                if step == "yes":
                    history.grant(app, answer, Consents(app.world).text_of)
                elif step in ("block", "unblock", "move"):
                    history.blocked = step == "block" or (step == "move" and history.blocked)
                    where = c if step == "move" else where
                    bench.write_policy(policy(blocked=history.blocked, at=where))
                elif step != "again":
                    answer = await app.dispatch(Task(text=step, session=session))
                answer = await app.join(answer.job_id or "")
                history.check(answer)


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(GRAPHS)
def test_nothing_made_from_a_secret_comes_to_whom_nobody_let_it_go(graph: Graph) -> None:
    with TemporaryDirectory() as folder:
        home, workspace = Path(folder, "home"), Path(folder, "work")
        home.mkdir(mode=0o700)
        workspace.mkdir()
        anyio.run(lived, graph, Bench(home, workspace))
