"""Hundreds of ways to name a file, over real trees: what is restricted stays, what is free arrives."""

import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import anyio.to_thread
import pytest
from model_server import ModelServer, serving
from path_trees import CANARY, MARK, Case, Group, Tree, groups
from workbench import ALLOWED, Bench, compat, default

from smista_mcp.app import App
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.task import Task
from smista_mcp.errors import Code, SmistaError

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


class Servers:
    """A remote and a local model, asked anew for each case."""

    def __init__(self, remote: ModelServer, local: ModelServer) -> None:
        self.remote = remote
        self.local = local

    def forget(self) -> None:
        self.remote.heard.clear()
        self.local.heard.clear()

    @property
    def sent(self) -> str:
        return "".join(one.head + one.body.decode() for one in self.remote.heard)


def decided(app: App, task: Task) -> tuple[set[str | None], set[str]]:
    """The models that a route chooses, and the codes for which it rejects the remote one."""
    decisions = app.route(task).decisions
    rejected = (entry for decision in decisions for entry in decision.rejected)
    return {decision.model for decision in decisions}, {str(entry.code) for entry in rejected if entry.model == AWAY}


async def become(app: App, case: Case, tree: Tree, servers: Servers) -> str:
    """What became of a case; a canary at the remote model is `leak`."""
    servers.forget()
    task = case.task(tree)
    try:
        models, codes = await anyio.to_thread.run_sync(decided, app, task)
        assert not servers.remote.heard
        assert not servers.local.heard
        answer = await app.dispatch(task)
    except SmistaError as error:
        return str(error.code)
    if CANARY in servers.sent:
        return "leak"
    if servers.remote.heard:
        assert AWAY in models
        return "sent" if MARK in servers.sent else "without"
    if servers.local.heard:
        heard = servers.local.heard_text
        assert HOME in models, case.name
        assert codes <= {"restricted_content"}, case.name  # a rule that binds and wins names no other model
        return "local" if CANARY in heard or MARK in heard else "unseen"
    return "unseen" if answer.code is Code.INVALID_TASK else str(answer.code)


async def unlike(group: Group, place: Path) -> list[str]:
    """The cases of a group that end otherwise than the table says, and how."""
    tree = Tree(place, group.below)
    home = place / "smista"
    home.mkdir()
    found: list[str] = []
    try:
        tree.grow(group.steps)
        async with serving() as remote, serving() as local:
            app = Bench(home, tree.root).app(policy(group, remote.v1, local.v1))
            async with app.running():
                for case in group.cases:
                    became = await become(app, case, tree, Servers(remote, local))
                    if became != case.outcome:
                        found.append(f"{became}: {case.name}")
    finally:
        tree.close()
    return found


@pytest.mark.anyio
@pytest.mark.parametrize("group", GROUPS, ids=lambda group: group.name)
async def test_what_is_restricted_stays_and_what_is_free_arrives(group: Group, tmp_path: Path) -> None:
    assert await unlike(group, tmp_path.resolve()) == []


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
