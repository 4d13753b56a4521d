"""A part of a secret looks like nothing: what was cut from a file or a change is judged by the whole of it."""

import base64
import subprocess
from collections.abc import Callable
from hashlib import sha256

import anyio.to_thread
import pytest
from canaries import CANARIES
from model_server import ModelServer, Reply, serving
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, done, ollama, only

from smista_mcp.core import clearance, routing
from smista_mcp.core.clearance import Bounds, Built, ClearedPayload, Matter, manifest_of
from smista_mcp.core.floor import Floor
from smista_mcp.core.task import Attachment, Task
from smista_mcp.core.values import Intent
from smista_mcp.dispatch import payloads
from smista_mcp.errors import Code
from smista_mcp.providers import sender

pytestmark = pytest.mark.anyio

A = "openai-compat:a/m"
ABLE = f'[catalog."{A}"]\ncapabilities = {{ tools = true }}\n'
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
_BODY = base64.b64encode(b"".join(sha256(bytes([n])).digest() for n in range(50))).decode()
ROWS = [_BODY[at : at + 64] for at in range(0, len(_BODY), 64)]
FIRST = 6
"""The line on which the block begins."""
OURS = {Code.RESTRICTED_CONTENT, Code.SECRET_DETECTED}


def block(rows: list[str], name: str = "RSA PRIVATE KEY") -> str:
    return f"-----BEGIN {name}-----\n" + "".join(f"{row}\n" for row in rows) + f"-----END {name}-----\n"


def notes(rows: list[str], name: str = "RSA PRIVATE KEY") -> str:
    return "hello\n" * (FIRST - 1) + block(rows, name) + "bye\n" * 10


def turned(*places: int) -> list[str]:
    return [row[::-1] if place in places else row for place, row in enumerate(ROWS)]


def leaked(remote: ModelServer) -> list[str]:
    secret = [*ROWS, *(row[::-1] for row in ROWS), TOKEN]
    return [row for row in secret if row[:40] in remote.heard_text]


def git(bench: Bench, *arguments: str) -> str:
    who = ["-c", "user.name=t", "-c", "user.email=t@example.org"]
    command = ["git", *who, "-C", str(bench.workspace), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(bench: Bench) -> None:
    git(bench, "init")
    git(bench, "add", ".")
    git(bench, "commit", "--message", "x")


RANGES = {
    "in the words": Task(text="explain notes.txt:10-14"),
    "one line": Task(text="explain notes.txt:10"),
    "two ranges": Task(text="explain notes.txt:7-9 and notes.txt:10-12"),
    "a path of the call": Task(text="explain", paths=("notes.txt:10-14",)),
    "as an address has it": Task(text="explain", paths=("notes.txt#L10-L14",)),
    "attached by its name": Task(
        text="explain this", attachments=(Attachment(path="notes.txt", content="\n".join(ROWS[3:8])),)
    ),
    "attached with lines": Task(
        text="explain this", attachments=(Attachment(path="notes.txt:10-14", content="\n".join(ROWS[3:8])),)
    ),
}
Patch = pytest.MonkeyPatch


def _open(*_: object) -> Floor:
    return Floor(local=False, remote_denied=False, restricted=False, only_models=(), reasons=(), withheld={})


def _sealed(matter: Matter, bounds: Bounds, build: Callable[..., Built[object]]) -> ClearedPayload[object]:
    built = build(matter.pieces)
    seal: object = vars(clearance)["_SEAL"]
    return ClearedPayload(built.request, manifest_of(built.pieces, built.texts), built.pieces, (), seal=seal)


def _nothing(*_: object) -> None:
    return None


@pytest.mark.parametrize("off", ["nothing", "floor", "floor and type", "floor and egress"])
@pytest.mark.parametrize("case", RANGES)
async def test_lines_of_a_key_stay_with_each_gate_alone(bench: Bench, monkeypatch: Patch, case: str, off: str) -> None:
    bench.write("notes.txt", notes(ROWS))
    if "floor" in off:
        monkeypatch.setattr(routing, "floor", _open)
    if "type" in off:
        monkeypatch.setattr(payloads, "clear", _sealed)
    if "egress" in off:
        monkeypatch.setattr(sender, "check_departure", _nothing)
    async with serving() as remote:
        answer = await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), RANGES[case])
    assert (answer.status, answer.code in OURS, remote.heard) == ("refused", True, [])


async def test_the_line_that_is_told_is_that_of_the_file(bench: Bench) -> None:
    bench.write("notes.txt", notes(ROWS))
    async with serving() as remote:
        answer = await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), RANGES["one line"])
    assert f"private_key in line {FIRST} " in only(answer).detail


async def test_lines_of_a_file_without_a_secret_go(bench: Bench) -> None:
    bench.write("notes.txt", "hello\n" * 40)
    async with serving(Reply(("done",))) as remote:
        answer = await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), RANGES["in the words"])
    assert (answer.status, len(remote.heard)) == ("completed", 1)


async def test_an_answer_from_lines_of_a_key_is_no_answer_for_the_host(bench: Bench) -> None:
    bench.write("notes.txt", notes(ROWS))
    async with serving(Reply((f"it says {ROWS[4]}",))) as local:
        answer = await done(bench.app(default("ollama/m") + ollama(local.root)), RANGES["in the words"])
    assert (only(answer).label, only(answer).answer) == ("restricted", None)
    assert ROWS[4] not in answer.model_dump_json()


async def test_what_a_skill_says_below_the_head_is_judged_by_the_whole_file(bench: Bench) -> None:
    file = bench.home / ".claude/skills/x/SKILL.md"
    file.parent.mkdir(parents=True)
    file.write_text(f"---\nname: x\n# {TOKEN}\n---\nDo it.\n", encoding="utf-8")
    async with serving(Reply(("done",))) as remote:
        answer = await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), Task(text="/x do it"))
    assert leaked(remote) == []
    assert (answer.status, answer.code in OURS) == ("refused", True)


# ------------------------------------------------------------------------------------------------------------- changes

NAMES = ["RSA PRIVATE KEY", "PRIVATE KEY", "EC PRIVATE KEY", "OPENSSH PRIVATE KEY", "PGP PRIVATE KEY BLOCK"]
HELPFUL = Task(text="write a haiku", intent=Intent.EDIT)
REQUIRED = Task(text="review the changes")


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("place", [0, 10, 24])
@pytest.mark.parametrize("task", [HELPFUL, REQUIRED], ids=["helpful", "required"])
async def test_a_changed_row_of_a_key_stays(bench: Bench, name: str, place: int, task: Task) -> None:
    bench.write("notes.txt", notes(ROWS, name))
    bench.write("src/a.py", "x = 1\n")
    commit(bench)
    bench.write("notes.txt", notes(turned(place), name))
    bench.write("src/a.py", "x = 2\n")
    async with serving(Reply(("done",))) as remote:
        answer = await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED + NO_PATCHES), task)
    assert leaked(remote) == []
    if task is HELPFUL:
        assert answer.status == "completed"
        assert "+x = 2" in remote.heard_text
    else:
        assert (answer.status, answer.code in OURS, remote.heard) == ("refused", True, [])


@pytest.mark.parametrize("task", [HELPFUL, REQUIRED], ids=["helpful", "required"])
async def test_rows_of_a_key_that_is_only_in_the_last_commit_stay(bench: Bench, task: Task) -> None:
    free = [f"row {number}" for number in range(len(ROWS))]
    bench.write("notes.txt", notes(ROWS))
    commit(bench)
    rows = [*ROWS[:10], "a row", *ROWS[11:]]
    bench.write("notes.txt", "hello\n" * FIRST + "".join(f"{row}\n" for row in rows) + "bye\n" * 11)
    bench.write("b.txt", "\n".join(free))
    async with serving(Reply(("done",))) as remote:
        await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), task)
    assert leaked(remote) == []


@pytest.mark.parametrize("task", [HELPFUL, REQUIRED], ids=["helpful", "required"])
async def test_what_is_staged_and_gone_from_the_working_tree_is_judged_by_the_whole(bench: Bench, task: Task) -> None:
    bench.write("notes.txt", notes(ROWS))
    commit(bench)
    bench.write("notes.txt", notes(turned(10)))
    git(bench, "add", ".")
    bench.write("notes.txt", notes(ROWS))
    assert ROWS[10] in git(bench, "diff", "--cached")
    async with serving(Reply(("done",))) as remote:
        await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), task)
    assert leaked(remote) == []


async def test_a_value_whose_name_stands_outside_of_the_hunk_stays(bench: Bench) -> None:
    value = "Zq8kkP0sTr7Vw2xLm4"
    text = "a = 1\n" * 5 + f'config = {{\n  "password":\n  "{value}",\n  1,\n  2,\n' + "b = 2\n" * 9
    bench.write("c.py", text)
    commit(bench)
    bench.write("c.py", text.replace("b = 2\n", "b = 3\n"))
    assert '"password"' not in (difference := git(bench, "diff"))
    assert value in difference
    async with serving(Reply(("done",))) as remote:
        await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), HELPFUL)
    assert value not in remote.heard_text


async def test_the_words_behind_the_figures_of_a_hunk_show_no_secret(bench: Bench) -> None:
    long = "SETTING_WITH_A_VERY_LONG_NAME_THAT_FILLS_THE_LINE_BEFORE_THE_TOKEN_IS = "
    text = f"{long}'{TOKEN}'\n" + "  x\n" * 30
    bench.write("c.py", text)
    commit(bench)
    bench.write("c.py", text + "  y\n")
    assert TOKEN[:4] in git(bench, "diff")
    async with serving(Reply(("done",))) as remote:
        await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), HELPFUL)
    assert TOKEN[:4] not in remote.heard_text


@pytest.mark.parametrize("kept", [True, False], ids=["there", "in git alone"])
async def test_a_given_diff_is_judged_by_what_it_names(bench: Bench, *, kept: bool) -> None:
    bench.write("notes.txt", notes(ROWS))
    commit(bench)
    bench.write("notes.txt", notes(turned(10)))
    diff = git(bench, "diff")
    if not kept:
        bench.write("notes.txt", "nothing\n")
        git(bench, "commit", "--all", "--message", "y")
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        answer = await done(app, Task(text="summarize this diff", diff=diff))
    assert (answer.status, answer.code in OURS, remote.heard) == ("refused", True, [])


async def test_a_delegate_is_shown_no_row_of_a_key_by_any_tool(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    bench.write("notes.txt", notes(ROWS))
    commit(bench)
    bench.write("notes.txt", notes(turned(10)))
    asked: tuple[tuple[str, object], ...] = (
        ("git_diff", {}),
        ("git_diff", {"path": "notes.txt"}),
        ("read_file", {"path": "notes.txt", "first_line": 9, "last_line": 11}),
        ("read_file", {"path": "notes.txt:9-11"}),
        ("search", {"text": ROWS[4][:12]}),
    )
    async with serving(Reply((), calls=asked), Reply(("done",))) as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ABLE + ALLOWED)
        answer = await done(app, Task(text="review src/a.py", intent=Intent.REVIEW))
    assert answer.status == "completed"
    shown = "\n".join(remote.heard[-1].results)
    assert [row for row in (*ROWS, *turned(10)) if row in shown] == []


async def test_no_hash_of_a_file_with_a_secret_goes_along(bench: Bench) -> None:
    text = "a = 1\n" * 10 + f"token = '{TOKEN}'\n" + "b = 2\n" * 20
    bench.write("c.py", text)
    commit(bench)
    bench.write("c.py", text + "c = 3\n")
    hashes = [git(bench, "rev-parse", "HEAD:c.py").strip(), git(bench, "hash-object", "c.py").strip()]
    for task in (HELPFUL, REQUIRED):
        async with serving(Reply(("done",))) as remote:
            await done(bench.app(default(A) + compat("a", remote.v1) + ALLOWED), task)
        assert "+c = 3" in remote.heard_text
        assert [one for one in hashes if one in remote.heard_text] == []


async def test_changes_too_large_to_be_read_are_changes(bench: Bench) -> None:
    bench.write("big.txt", "x\n")
    commit(bench)
    bench.write("big.txt", "a longer line than there was before\n" * 150_000)
    rule = '[[classification.rules]]\nintent = "commit"\nkeywords = ["zebra"]\nrequires_any_context = ["git_diff"]\n'
    app = bench.app(ALLOWED + rule)
    decision = await anyio.to_thread.run_sync(app.route, Task(text="zebra"))
    assert decision.decisions[0].intent.name is Intent.COMMIT
