"""Two laws over random policies, contexts and worlds: what is recorded comes out the same bytes again, and where one
kept input is another one, that one is named and no other."""

import json
import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from typing import Any

from drawn_rules import rule_texts
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from workbench import Bench, default

from smista_mcp import hosts
from smista_mcp.app import App
from smista_mcp.app.recording import kept_inputs, phase_facts
from smista_mcp.app.replaying import replay
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import ContextItem, LeftOut, PathFact, PhaseContext
from smista_mcp.core.origins import Link
from smista_mcp.core.replayed import ReplayAnswer
from smista_mcp.core.routing import route
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.subject import UNTRACKED
from smista_mcp.core.task import Task
from smista_mcp.core.values import ContextKind, Effort
from smista_mcp.ledger import RouteRecord

NAMES = st.sampled_from(("src/a.py", "src/b.rs", "a/b", ".env", "src/", "docs/städte.md", "git diff", "notes.md"))
FORMS = st.lists(NAMES, max_size=2).map(tuple)
SECRETS = st.lists(
    st.sampled_from((SecretFact("github_token", 3, "github_token-0123456789abcdef"), SecretFact("jwt", 0, None, "a"))),
    max_size=1,
).map(tuple)
ITEMS = st.builds(
    ContextItem,
    path=NAMES,
    kind=st.sampled_from(("file", "git_diff", "instructions", "attachment", "skill", "answer")),
    tokens=st.integers(0, 5000),
    required=st.booleans(),
    digest=st.sampled_from(("ab" * 32, "cd" * 32)),
    forms=FORMS,
    restricted=st.sampled_from((None, None, ".env", "(cannot be placed in the workspace)")),
    derived=st.sampled_from((None, None, "restricted", "local")),
    secrets=SECRETS,
    origin=st.sampled_from(((), (Link(name="answer of turn 1"), Link(name=".env", reason="restricted by `.env`")))),
)
PATHS = st.builds(
    PathFact,
    path=NAMES,
    source=st.sampled_from(("call", "attachment", "diff", "named", "inferred")),
    evidence=st.sampled_from(("", "auth middleware", "`x`")),
    forms=FORMS,
    required=st.booleans(),
)
LEFT = st.builds(
    LeftOut,
    path=NAMES,
    kind=st.sampled_from(("file", "git_diff", "answer")),
    reason=st.sampled_from(("restricted by .env", "binary", UNTRACKED, "nothing has changed")),
    tokens=st.sampled_from((None, 7)),
    part=st.booleans(),
)
CONTEXTS = st.builds(
    PhaseContext,
    paths=st.lists(PATHS, max_size=3).map(tuple),
    kinds=st.frozensets(st.sampled_from(list(ContextKind))),
    items=st.lists(ITEMS, max_size=4).map(tuple),
    left_out=st.lists(LEFT, max_size=3).map(tuple),
    secrets=SECRETS,
    text_tokens=st.none(),
    spoken=st.none(),
    tools=st.sampled_from((None, frozenset[str](), frozenset({"read_file", "search"}))),
)
TEXTS = ("review the changes", "sum it up", "edit it, then test it", "what does [Image #1] show?", "Schreibe Tests")


@st.composite
def tasks(draw: st.DrawFn) -> Task:
    return Task(
        text=draw(st.sampled_from(TEXTS)),
        model=draw(st.sampled_from((None, None, "ollama/a", "openai/gpt-luna", "nobody/m"))),
        effort=draw(st.sampled_from((None, Effort.LOW))),
    )


TASKS = tasks()
RULES = st.lists(rule_texts(), max_size=3).map(
    lambda texts: "".join(f'[[routing.rules]]\nname = "r{n}"\n{text}\n' for n, text in enumerate(texts))
)
REST = st.sampled_from(
    (
        '[privacy.remote]\nmode = "allow"\n',
        '[privacy.remote]\nmode = "ask"\n[routing]\nhandoff = "when_unavailable"\n',
        '[privacy]\nrestricted_paths = [".env"]\n[[budgets]]\nscope = "all"\nperiod = "task"\nlimit = "0.01"\n',
    )
)
POLICIES = st.builds("{1}{0}{2}".format, RULES, REST, st.just(default("anthropic/claude-haiku", "host/current")))
HOSTS = st.sampled_from([*hosts.HOSTS[:3], hosts.UNKNOWN])
KEYS = st.sampled_from(({}, {"ANTHROPIC_API_KEY": "k"}))


def replayed(bench: Bench) -> ReplayAnswer:
    """What became of the call that was recorded last, in a process of somebody with another policy."""
    app = bench.app(default("ollama/none"))
    ledger = app.world.open_ledger()
    return replay(app.world, ledger, ledger.call(ledger.last().call_id), today=False)


def recorded(app: App, task: Task, context: PhaseContext, host: hosts.HostSpec) -> None:
    """Decides a task with one context for all of its phases, and records that as a call is."""
    book = app.world.book()
    snapshot = app.world.snapshot(book, host, task.model)
    phases = book.reader.read(task.text)
    contexts = [context] * len(phases)
    routed = route(task, phases, contexts, snapshot)
    app.world.open_ledger().record_route(
        RouteRecord(
            decisions=tuple(one.decision for one in routed),
            at=datetime.now(UTC),
            text_digest="ab",
            workspace=app.world.workspace_digest(),
            facts=tuple(phase_facts(one, context, task, app.world.key()) for one in routed),
            kept=kept_inputs(app.world, snapshot, routed),
        )
    )


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policy=POLICIES, keys=KEYS, task=TASKS, context=CONTEXTS, host=HOSTS)
def test_what_is_recorded_comes_out_the_same(
    policy: str, keys: dict[str, str], task: Task, context: PhaseContext, host: hosts.HostSpec, bench: Bench
) -> None:
    recorded(bench.app(policy, **keys), task, context, host)
    answer = replayed(bench)
    assert [(phase.same, phase.changed, phase.fields) for phase in answer.phases] == [(True, (), ())] * len(
        answer.phases
    )
    assert all(phase.sealed == ("phase", "task") for phase in answer.phases)


def other_policy(kept: Any) -> Any:
    return [{**kept[0], "digest": "00" * 32}, *kept[1:]]


def other_servers(kept: Any) -> Any:
    return {name: [row[0], row[1], not row[2], *row[3:]] for name, row in kept.items()} or {"new": ["remote"]}


def more_budgets(kept: Any) -> Any:
    return [*kept, ["all", "day", "1", "0"]]


def other_host(kept: Any) -> Any:
    return [*kept[:3], "another step"]


def other_day(kept: Any) -> Any:
    return [kept[0], "2001-01-01"]


SET_BODY = "UPDATE input SET body = ?, sha256 = ? WHERE digest = ? AND name = ?"
OTHER: dict[str, Callable[[Any], Any]] = {
    "policy": other_policy,
    "availability": other_servers,
    "budgets": more_budgets,
    "host": other_host,
    "catalog": other_day,
}


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(policy=POLICIES, task=TASKS, context=CONTEXTS, name=st.sampled_from(sorted(OTHER)))
def test_one_input_that_is_another_one_is_named_and_no_other(
    policy: str, task: Task, context: PhaseContext, name: str, bench: Bench
) -> None:
    app = bench.app(policy, ANTHROPIC_API_KEY="k")
    recorded(app, task, context, hosts.UNKNOWN)
    digest = app.world.open_ledger().last().decision.inputs[name]
    with closing(sqlite3.connect(bench.state / "ledger.db")) as db, db:
        db.execute("DROP TRIGGER IF EXISTS input_stays")
        (body,) = db.execute("SELECT body FROM input WHERE digest = ? AND name = ?", (digest, name)).fetchone()
        other = json.dumps(OTHER[name](json.loads(body)))
        db.execute(SET_BODY, (other, digest_of(other), digest, name))
    try:
        answer = replayed(bench)
    finally:
        with closing(sqlite3.connect(bench.state / "ledger.db")) as db, db:
            db.execute(SET_BODY, (body, digest_of(body), digest, name))
    assert not answer.same
    assert {change.name for phase in answer.phases for change in phase.changed} == {name}
