"""Files that came with a workspace may point to what must stay; whatever is said of them quotes none of it."""

import pytest
from model_server import Reply, serving
from workbench import ALLOWED, Bench, compat, default, done

from smista_mcp.core.task import Task
from smista_mcp.errors import SmistaError

pytestmark = pytest.mark.anyio

A = "openai-compat:a/m"
CANARY = "canary77aa31"
POLICIES = (
    f'{CANARY} = "x"\n',
    f'preset = "{CANARY}"\n',
    f'[privacy]\nrestricted_paths = ["{{{CANARY}}}"]\n',
    f"{CANARY}\n",
    f'[[routing.rules]]\nname = "x"\nmodel = "{CANARY}"\n',
)
SKILL = f"---\nname: {CANARY}\n{CANARY}2: x\n---\nbody\n"


async def said(bench: Bench, task: Task) -> str:
    """All that the host is told, be it an answer or an error."""
    async with serving(Reply(("ok",))) as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        try:
            answer = await done(app, task)
        except SmistaError as error:
            return f"{error} {error.fix}"
        assert CANARY not in remote.heard_text
        return answer.model_dump_json()


def point(bench: Bench, name: str, target: str, how: str) -> None:
    file = bench.workspace / name
    file.parent.mkdir(parents=True, exist_ok=True)
    if how == "link":
        file.symlink_to(bench.workspace / target)
    else:
        file.hardlink_to(bench.workspace / target)


BOTH = pytest.mark.parametrize("how", ["link", "hard link"])


@BOTH
@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("name", [".smista/config.toml", ".smista/local.toml"])
async def test_a_policy_that_is_another_file_is_not_quoted(bench: Bench, name: str, policy: str, how: str) -> None:
    bench.write("secrets/c.toml", policy)
    point(bench, name, "secrets/c.toml", how)
    text = await said(bench, Task(text="hello there"))
    assert CANARY not in text
    assert name in text


@BOTH
async def test_a_skill_that_is_another_file_is_not_quoted(bench: Bench, how: str) -> None:
    bench.write("secrets/c.yml", SKILL)
    point(bench, ".claude/skills/x/SKILL.md", "secrets/c.yml", how)
    text = await said(bench, Task(text="/x do it"))
    assert CANARY not in text
    assert "does not go along" in text


async def test_a_skill_that_nobody_has_confirmed_is_not_quoted(bench: Bench) -> None:
    bench.write(".claude/skills/x/SKILL.md", SKILL)
    assert CANARY not in await said(bench, Task(text="/x do it"))


@BOTH
async def test_a_skill_of_the_home_folder_that_points_to_another_file_is_not_quoted(bench: Bench, how: str) -> None:
    bench.write("secrets/c.yml", SKILL)
    file = bench.home / ".claude/skills/x/SKILL.md"
    file.parent.mkdir(parents=True)
    if how == "link":
        file.symlink_to(bench.workspace / "secrets/c.yml")
    else:
        file.hardlink_to(bench.workspace / "secrets/c.yml")
    assert CANARY not in await said(bench, Task(text="/x do it"))


async def test_a_skill_whose_own_path_is_restricted_is_not_quoted(bench: Bench) -> None:
    file = bench.home / ".claude/skills/x/SKILL.md"
    file.parent.mkdir(parents=True)
    file.write_text(SKILL, encoding="utf-8")
    assert CANARY in await said(bench, Task(text="/x do it"))
    bench.write(".smista/config.toml", '[privacy]\nrestricted_paths = ["SKILL.md"]\n')
    assert CANARY not in await said(bench, Task(text="/x do it"))


@BOTH
async def test_an_ignore_file_that_is_another_file_is_not_quoted(bench: Bench, how: str) -> None:
    bench.write(".env", f"PASS={CANARY}zz[9\nT={CANARY}-{{name}}\n")
    bench.write("src/a.py", "x = 1\n")
    point(bench, "src/.smistaignore", ".env", how)
    text = await said(bench, Task(text="review src/", paths=("src",)))
    assert CANARY not in text
    assert "src/.smistaignore" in text
