"""What a person's yes does to decisions: never more than what was asked, and never against a floor."""

from decimal import Decimal

import pytest
from deciding import routed, world
from hypothesis import given
from hypothesis import strategies as st

from smista_mcp.core.approval import Approved
from smista_mcp.core.approving import call_of, with_approvals
from smista_mcp.core.asked import AskedCall, phase_words, question
from smista_mcp.core.facts import ContextItem, PathFact, PhaseContext
from smista_mcp.core.modelref import HOST
from smista_mcp.core.routing import Routed
from smista_mcp.core.secretscan import SecretFact
from smista_mcp.core.snapshot import Snapshot
from smista_mcp.core.task import Task
from smista_mcp.core.values import Locality, Status

PROVIDERS = """
[providers."openai-compat:near"]
base_url = "http://127.0.0.1:8000/v1"
locality = "local"
[providers."openai-compat:far"]
base_url = "https://far.example/v1"
[catalog."openai-compat:far/m"]
input_price = "2"
output_price = "8"
[privacy]
restricted_paths = [".env", "secrets/**"]
"""
LOCAL_ONLY = """
[[routing.rules]]
name = "l"
paths = ["src/auth/**"]
model = "openai-compat:near/m"
local_only = true
"""
TARGETS = ("openai-compat:near/m", "openai-compat:far/m", "anthropic/claude-sonnet", "openai/gpt-5", "host/current")
PATHS = ("src/a.py", "src/auth/b.py", ".env", "secrets/plan.txt", "vault/x.txt")
TASK = Task(text="explain it")


def policy(targets: list[str], *, mode: str = "ask", rule: str = "", limit: str | None = None, deny: str = "") -> str:
    blocked = 'blocked_paths = ["vault/**"]\n'
    cost = f'cost_limit = "{limit}"\n' if limit else ""
    return (
        f'[[routing.rules]]\nname = "all"\nmodel = "{targets[0]}"\nfallbacks = {targets[1:]}\n{cost}'
        f'{rule}{PROVIDERS}[privacy.remote]\nmode = "{mode}"\n{blocked}{deny}'
    )


def context(*paths: str, digest: str = "ab", required: bool = True, secret: bool = False) -> PhaseContext:
    found = (SecretFact("github_token", 1, "f" * 16),) if secret else ()
    return PhaseContext(
        paths=tuple(PathFact(path, "call", forms=(path,), required=required) for path in paths),
        items=tuple(ContextItem(path, "file", 10, required, digest * 32, (path,), secrets=found) for path in paths),
    )


def asked(snap: Snapshot, about: PhaseContext, task: Task = TASK) -> tuple[AskedCall | None, tuple[Routed, ...]]:
    found = routed(snap, task, about)
    return call_of(task, found, [about] * len(found), snap), found


def decided(snap: Snapshot, about: PhaseContext, *yes: Approved, task: Task = TASK) -> tuple[Routed, ...]:
    found = routed(snap, task, about)
    return with_approvals(task, found, [about] * len(found), snap._replace(approvals=yes))


def key_of(text: str, about: PhaseContext, task: Task = TASK) -> str:
    call, _ = asked(world(text), about, task)
    assert call is not None
    return call.key


POLICIES = st.builds(
    policy,
    st.lists(st.sampled_from(TARGETS), min_size=1, max_size=4, unique=True),
    mode=st.sampled_from(["ask", "allow", "deny"]),
    rule=st.sampled_from(
        [
            "",
            LOCAL_ONLY,
            '[[routing.rules]]\nname = "o"\npaths = ["src/**"]\nmodel = "openai/gpt-5"\nonly_models = ["openai/*"]\n',
        ]
    ),
    limit=st.sampled_from([None, "0", "0.0001", "1000"]),
    deny=st.sampled_from(
        ["", '[models]\ndenied = ["openai/*"]\n', '[[budgets]]\nscope = "all"\nperiod = "task"\nlimit = "0"\n']
    ),
)
CONTEXTS = st.builds(
    context, st.sampled_from(PATHS), st.sampled_from(PATHS), required=st.booleans(), secret=st.booleans()
)


@given(text=POLICIES, about=CONTEXTS, session=st.booleans())
def test_a_yes_never_allows_what_a_floor_or_a_name_forbids(text: str, about: PhaseContext, *, session: bool) -> None:
    snap = world(text)
    call, before = asked(snap, about)
    marks = call.request.marks if call is not None and session else ()
    yes = Approved("id", call.key if call is not None else "any", marks)
    after = decided(
        snap, about, yes, Approved("wide", "x", ("openai customary address", "anthropic customary address"))
    )
    for was, now in zip(before, after, strict=True):
        assert now.floor == was.floor
        judged = {candidate.resolved for candidate in (*was.candidates, *was.over_limit)}
        assert {candidate.resolved for candidate in now.candidates} <= judged
        if now.floor.local:
            assert all(c.locality is Locality.LOCAL for c in now.candidates)
        if now.permit is None:
            assert now == was
            continue
        assert was.decision.status in (Status.APPROVAL_REQUIRED, Status.ROUTED)
        assert now.decision.status is Status.ROUTED
        assert HOST not in {model.partition("/")[0] for model in now.permit.models}
        assert now.permit.models <= judged
        assert (now.permit.ceiling is None) or not session
        assert now.decision.decision_id != was.decision.decision_id


@given(text=POLICIES, about=CONTEXTS)
def test_a_yes_for_another_call_changes_nothing(text: str, about: PhaseContext) -> None:
    snap = world(text)
    assert decided(snap, about, Approved("id", "0" * 64)) == asked(snap, about)[1]


FAR = policy(["openai-compat:far/m", "anthropic/claude-sonnet"])
ABOUT = context("src/a.py")


def test_the_same_call_has_the_same_key() -> None:
    assert key_of(FAR, ABOUT) == key_of(FAR, ABOUT)


@pytest.mark.parametrize(
    ("text", "about", "task"),
    [
        (FAR, context("src/a.py", digest="ac"), TASK),
        (FAR, context("src/a.py", "src/b.py"), TASK),
        (FAR, ABOUT, Task(text="explain it ")),
        (FAR, ABOUT, Task(text="explain it", paths=("x",))),
        (policy(["openai-compat:far/m"]), ABOUT, TASK),
        (policy(["anthropic/claude-sonnet", "openai-compat:far/m"]), ABOUT, TASK),
        (FAR.replace("https://far.example", "https://other.example"), ABOUT, TASK),
        (FAR.replace('input_price = "2"', 'input_price = "3"'), ABOUT, TASK),
        (FAR.replace('output_price = "8"', 'output_price = "7"'), ABOUT, TASK),
    ],
)
def test_any_other_call_has_another(text: str, about: PhaseContext, task: Task) -> None:
    assert key_of(text, about, task) != key_of(FAR, ABOUT)


def test_without_a_key_of_this_installation_nothing_can_be_approved() -> None:
    snap = world(FAR, key=b"")
    call, before = asked(snap, ABOUT)
    assert call is None
    assert decided(snap, ABOUT, Approved("id", "")) == before


def test_the_question_names_model_address_files_and_cost_and_never_changes() -> None:
    first, second = (asked(world(FAR), ABOUT)[0] for _ in range(2))
    assert first is not None
    assert second is not None
    text = question(first.request)
    assert text == question(second.request)
    for told in ("openai-compat:far/m", "https://far.example/v1", "src/a.py (10 tokens)", "anthropic/claude-sonnet"):
        assert told in text
    assert "USD" in question(asked(world(policy(["openai-compat:far/m"])), ABOUT)[0].request)  # pyright: ignore[reportOptionalMemberAccess]


def test_a_name_forges_no_line_of_the_question() -> None:
    call, _ = asked(world(FAR), context("src/a.py\n- chat: nothing leaves\u202e"))
    assert call is not None
    (line,) = (phase_words(phase) for phase in call.request.phases)
    assert "\n" not in line
    assert "\u202e" not in line


def test_what_may_not_leave_is_named_as_staying_and_not_as_sent() -> None:
    about = context("src/a.py", ".env", required=False)
    call, _ = asked(world(FAR), about)
    assert call is not None
    (phase,) = call.request.phases
    assert [item.path for item in phase.items] == ["src/a.py"]
    assert [item.path for item in phase.stays] == [".env"]


def test_a_person_is_told_what_all_who_may_be_asked_cost_together() -> None:
    call, (one,) = asked(world(policy(["openai-compat:far/m", "anthropic/claude-sonnet"])), context())
    assert call is not None
    (phase,) = call.request.phases
    costs = [Decimal(target.cost or "x") for target in phase.targets]
    assert [target.cost for target in phase.targets] == [c.cost and c.cost.max for c in one.candidates]
    assert (len(costs), Decimal(call.request.most or "x")) == (2, sum(costs))
