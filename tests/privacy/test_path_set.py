"""Hundreds of ways to name a file, over real trees: what is restricted stays, what is free arrives."""

import re
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio.to_thread
import pytest
from model_server import ModelServer, serving
from path_trees import CANARY, MARK, Case, Group, Tree, groups
from workbench import ALLOWED, Bench, compat, default

from smista_mcp.app import App
from smista_mcp.core import clearance, routing
from smista_mcp.core.clearance import Bounds, Built, ClearedPayload, Matter, manifest_of
from smista_mcp.core.floor import Floor
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.pieces import Piece
from smista_mcp.core.task import Task
from smista_mcp.dispatch import payloads
from smista_mcp.errors import Code, SmistaError
from smista_mcp.providers import sender

GROUPS = groups()
CASES = [case for group in GROUPS for case in group.cases]
AWAY, HOME = "openai-compat:away/m", "openai-compat:home/m"


def test_the_set_is_large_and_not_all_of_it_is_refused() -> None:
    outcomes = Counter(case.outcome for case in CASES)
    assert len(CASES) >= 700
    assert outcomes["sent"] * 4 >= outcomes["local"]
    assert outcomes["sent"] + outcomes["without"] >= len(CASES) // 4
    assert len({case.name for case in CASES}) == len(CASES)


def policy(group: Group, remote: str, local: str) -> str:
    blocked, _, rules = group.policy.partition("[[")
    return "\n".join(
        (
            f"[privacy]\nrestricted_paths = {list(group.restricted)!r}",
            f"{ALLOWED}{blocked}",
            default(AWAY, HOME) + compat("away", remote) + compat("home", local, local=True),
            f"[[{rules}" if rules else "",
        )
    )


class Standing:
    """One group's tree, its policy, and a remote and a local model that are asked anew for each case."""

    def __init__(self, app: App, tree: Tree, remote: ModelServer, local: ModelServer) -> None:
        self.app = app
        self.tree = tree
        self.remote = remote
        self.local = local

    @property
    def sent(self) -> str:
        return "".join(one.head + one.body.decode() for one in self.remote.heard)

    async def become(self, case: Case) -> str:
        """What becomes of a case; a canary at the remote model is `leak`."""
        self.remote.heard.clear()
        self.local.heard.clear()
        try:
            answer = await self.app.dispatch(case.task(self.tree))
        except SmistaError as error:
            return str(error.code)
        if CANARY in self.sent:
            return "leak"
        if self.remote.heard:
            return "sent" if MARK in self.sent else "without"
        if self.local.heard:
            heard = self.local.heard_text
            return "local" if CANARY in heard or MARK in heard else "unseen"
        return "unseen" if answer.code is Code.INVALID_TASK else str(answer.code)

    async def check_route(self, case: Case) -> None:
        """That the decision by itself says what dispatch does, and that nothing is sent for it."""
        self.remote.heard.clear()
        self.local.heard.clear()
        models, codes = await anyio.to_thread.run_sync(decided, self.app, case.task(self.tree))
        assert (self.remote.heard, self.local.heard) == ([], [])
        if case.outcome in ("sent", "without"):
            assert AWAY in models, case.name
        if case.outcome == "local":
            assert HOME in models, case.name
            assert codes <= {"restricted_content"}, case.name  # a rule that binds and wins names no other model


def decided(app: App, task: Task) -> tuple[set[str | None], set[str]]:
    """The models that a route chooses, and the codes for which it rejects the remote one."""
    try:
        decisions = app.route(task).decisions
    except SmistaError as error:
        return set(), {str(error.code)}
    rejected = (entry for decision in decisions for entry in decision.rejected)
    return {decision.model for decision in decisions}, {str(entry.code) for entry in rejected if entry.model == AWAY}


@asynccontextmanager
async def standing(group: Group, place: Path) -> AsyncGenerator[Standing]:
    tree = Tree(place, group.below)
    home = place / "smista"
    home.mkdir()
    try:
        tree.grow(group.steps)
        async with serving() as remote, serving() as local:
            app = Bench(home, tree.root).app(policy(group, remote.v1, local.v1))
            async with app.running():
                yield Standing(app, tree, remote, local)
    finally:
        tree.close()


@pytest.mark.anyio
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
async def test_what_is_restricted_stays_and_what_is_free_arrives(group: Group, tmp_path: Path) -> None:
    async with standing(group, tmp_path.resolve()) as there:
        for case in group.cases:
            await there.check_route(case)
        wrong = [(became, case.name) for case in group.cases if (became := await there.become(case)) != case.outcome]
    assert wrong == []


# ------------------------------------------------------------------------------------------------------ each gate alone

SEAL: object = vars(clearance)["_SEAL"]
Patch = pytest.MonkeyPatch
BY_FLOOR_ALONE = "rules that bind"
"""Such a rule is judged once, by the floor, which both gates are told."""


def _open(*_: object) -> Floor:
    return Floor(local=False, remote_denied=False, restricted=False, only_models=(), reasons=(), withheld={})


def _nothing(*_: object) -> None:
    return None


def _sealed(matter: Matter, bounds: Bounds, build: Callable[[Sequence[Piece]], Built[Any]]) -> ClearedPayload[Any]:
    built = build(matter.pieces)
    return ClearedPayload(built.request, manifest_of(built.pieces, built.texts), built.pieces, (), seal=SEAL)


def switch_off(patch: Patch, *which: str) -> None:
    """The floor, which chooses candidates before any gate, and one gate or both."""
    patch.setattr(routing, "floor", _open)
    if "type" in which:
        patch.setattr(payloads, "clear", _sealed)
    if "egress" in which:
        patch.setattr(sender, "check_departure", _nothing)


ALONE = [group for group in GROUPS if group.name != BY_FLOOR_ALONE]


@pytest.mark.anyio
@pytest.mark.parametrize("off", ["type", "egress"])
@pytest.mark.parametrize("group", ALONE, ids=lambda group: group.name)
async def test_each_gate_alone_keeps_all_of_it(group: Group, tmp_path: Path, off: str, monkeypatch: Patch) -> None:
    switch_off(monkeypatch, off)
    async with standing(group, tmp_path.resolve()) as there:
        out = [case.name for case in group.cases if await there.become(case) == "leak"]
    assert out == []


@pytest.mark.anyio
@pytest.mark.parametrize("group", ALONE, ids=lambda group: group.name)
async def test_without_floor_and_gates_it_leaves(group: Group, tmp_path: Path, monkeypatch: Patch) -> None:
    """Nothing else stops these cases: what is kept in the other tests is kept by the one gate that is left."""
    switch_off(monkeypatch, "type", "egress")
    cases = [case for case in group.cases if case.outcome == "local"]
    async with standing(group, tmp_path.resolve()) as there:
        kept = [case.name for case in cases if await there.become(case) not in ("leak", "sent")]
    assert kept == []


# ------------------------------------------------------------------------------------------------- how hard the set is

_HEADER = re.compile(r"^(?:diff --git a/(\S+) b/(\S+)|\+\+\+ b/(\S+))$", re.MULTILINE)


def naive_names(task: Task) -> Iterator[str]:
    """The names that somebody would judge who takes them as they stand."""
    yield from task.paths
    yield from (attachment.path for attachment in task.attachments)
    yield from (word.strip("`'\"(),.;?") for word in task.text.split())
    for match in _HEADER.finditer(task.diff or ""):
        yield from filter(None, match.groups())


def test_a_naive_decider_lets_many_of_them_out(tmp_path: Path) -> None:
    out: list[str] = []
    for number, group in enumerate(GROUPS):
        tree = Tree(tmp_path.resolve() / str(number), group.below)
        try:
            tree.grow(group.steps)
            patterns = GlobSet(group.restricted)
            for case in group.cases:
                kept = case.outcome == "local" and any(map(patterns.hits, naive_names(case.task(tree))))
                if case.outcome == "local" and not kept:
                    out.append(case.name)
        finally:
            tree.close()
    assert len(out) * 10 >= len(CASES), len(out)
