"""Two gates, either enough: whatever was decided before, each stops every case while the other is switched off."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest
from canaries import CANARIES
from model_server import ModelServer, Reply, serving, unused_port
from workbench import ALLOWED, NO_PATCHES, Bench, compat, default, done, ollama, only

from smista_mcp.app import dispatching
from smista_mcp.context.collection import Collected
from smista_mcp.core import clearance, routing, selection
from smista_mcp.core.clearance import Bounds, Built, ClearedPayload, Manifest, Matter, manifest_of
from smista_mcp.core.floor import Floor
from smista_mcp.core.pieces import Piece
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.task import Attachment, Task
from smista_mcp.dispatch import payloads
from smista_mcp.errors import Code
from smista_mcp.providers import sender

pytestmark = pytest.mark.anyio

CANARY = "canary-7f3a9c, and more than a few letters of it"
TOKEN = next(canary.value for canary in CANARIES if canary.kind == "github_token")
A = "openai-compat:a/m"
OURS = {Code.RESTRICTED_CONTENT, Code.SECRET_DETECTED}

SEAL: object = vars(clearance)["_SEAL"]
PIECES_OF: Callable[[Collected], list[Piece]] = vars(dispatching)["_pieces"]
Patch = pytest.MonkeyPatch


def _open(*_: object) -> Floor:
    return Floor(local=False, remote_denied=False, restricted=False, only_models=(), reasons=(), withheld={})


def _nothing(*_: object) -> None:
    return None


def no_floor(patch: Patch) -> None:
    """Nothing is decided about privacy, and nothing that was read carries a mark."""
    patch.setattr(routing, "floor", _open)
    patch.setattr(dispatching, "_restriction", _nothing)


def _sealed(matter: Matter, bounds: Bounds, build: Callable[[Sequence[Piece]], Built[Any]]) -> ClearedPayload[Any]:
    built = build(matter.pieces)
    return ClearedPayload(built.request, manifest_of(built.pieces, built.texts), built.pieces, (), seal=SEAL)


def _lying(matter: Matter, bounds: Bounds, build: Callable[[Sequence[Piece]], Built[Any]]) -> ClearedPayload[Any]:
    built = build(matter.pieces)
    true = manifest_of(built.pieces, built.texts)
    items = [i._replace(forms=("free.txt",), path="free.txt", label=None, restricted=None) for i in true.items]
    return ClearedPayload(built.request, Manifest(tuple(items), true.texts), built.pieces, (), seal=SEAL)


def no_gate(patch: Patch) -> None:
    patch.setattr(payloads, "clear", _sealed)


def lying_gate(patch: Patch) -> None:
    """The gate lets everything pass and says that all of it is free."""
    patch.setattr(payloads, "clear", _lying)


def no_egress(patch: Patch) -> None:
    patch.setattr(sender, "check_departure", _nothing)


SWITCHED_OFF = {"none": (), "type": (no_gate,), "type, which lies": (lying_gate,), "egress": (no_egress,)}
both_ways = pytest.mark.parametrize("off", SWITCHED_OFF)

DIFF = "--- a/{0}\n+++ b/{0}\n@@ -1 +1,2 @@\n x = 1\n+key = '{1}'\n"
CASES = {
    "restricted file": Task(text="explain secrets/plan.txt"),
    "restricted file by a link": Task(text="explain docs/link.txt"),
    "blocked path": Task(text="explain vault/plan.txt"),
    "diff": Task(text="review this diff", diff=DIFF.format("secrets/plan.txt", CANARY)),
    "diff with odd names": Task(text="review this diff", diff=DIFF.format("./x/../SECRETS/plan.txt", CANARY)),
    "attachment": Task(text="explain this", attachments=(Attachment(path="deploy/.env", content=f"A={CANARY}"),)),
    "secret in words": Task(text=f"explain what {TOKEN} is for"),
    "secret in wrapped words": Task(text=f"what is this?\n{TOKEN[:20]}\n{TOKEN[20:]}"),
    "secret in a file": Task(text="explain src/key.py"),
    "secret in lines of a file": Task(text="explain src/key.py:2-3"),
    "secret in a file name": Task(text="explain this", paths=(f"src/{TOKEN}.py",)),
    "secret in a diff": Task(text="review this diff", diff=DIFF.format("src/a.py", TOKEN)),
    "secret in an attachment": Task(text="explain this", attachments=(Attachment(path="n.txt", content=TOKEN),)),
    "name of an attachment": Task(text="explain this", attachments=(Attachment(path=TOKEN, content="x"),)),
}
PRIVACY = ALLOWED + 'blocked_paths = ["vault/**"]\n'


def switch_off(off: str, patch: Patch) -> None:
    for switch in SWITCHED_OFF[off]:
        switch(patch)


def fill(bench: Bench) -> None:
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n")
    bench.write("vault/plan.txt", f"the plan: {CANARY}\n")
    bench.write("src/key.py", f"x = 1\nkey = '{TOKEN}'\ny = 2\n")
    bench.write(f"src/{TOKEN}.py", "z = 3\n")
    bench.write("src/a.py", "x = 1\n")
    bench.write("docs/a.txt", "x")
    (bench.workspace / "docs/link.txt").symlink_to("../secrets/plan.txt")


def leaked(remote: ModelServer) -> list[str]:
    halves = (TOKEN[:20], TOKEN[20:])
    return [text for text in (CANARY, TOKEN, *halves) if text in remote.heard_text]


@both_ways
@pytest.mark.parametrize("case", CASES)
async def test_each_gate_alone_stops_each_case(bench: Bench, monkeypatch: Patch, case: str, off: str) -> None:
    fill(bench)
    no_floor(monkeypatch)
    switch_off(off, monkeypatch)
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1, price="1") + PRIVACY)
        answer = await done(app, CASES[case])
    assert remote.heard == []
    assert (answer.status, answer.code in OURS, only(answer).cost) == ("refused", True, only(answer).cost)
    assert only(answer).cost in (None, "0")
    assert TOKEN not in answer.model_dump_json()


@pytest.mark.parametrize("case", CASES)
async def test_without_any_gate_each_case_would_leave(bench: Bench, monkeypatch: Patch, case: str) -> None:
    fill(bench)
    no_floor(monkeypatch)
    for off in ("type", "egress"):
        switch_off(off, monkeypatch)
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + PRIVACY)
        await done(app, CASES[case])
    assert leaked(remote)


# ------------------------------------------------------------------------------------------------------ what travels

STEPS = Task(text="Explain secrets/plan.txt, then write a README")
FREE_STEPS = Task(text="Explain src/a.py, then write a README")
LOCAL_FIRST = '[[routing.rules]]\nname = "questions stay"\nintent = "chat"\nmodel = "ollama/m"\n'


@both_ways
@pytest.mark.parametrize(("task", "said"), [(STEPS, CANARY), (FREE_STEPS, TOKEN)], ids=["restricted", "secret"])
async def test_an_earlier_answer_with_a_label_stays(
    bench: Bench, monkeypatch: Patch, task: Task, said: str, off: str
) -> None:
    fill(bench)
    switch_off(off, monkeypatch)
    async with serving() as remote, serving(Reply((said,))) as local:
        app = bench.app(LOCAL_FIRST + default(A) + compat("a", remote.v1) + ollama(local.root) + PRIVACY)
        answer = await done(app, task)
    assert [phase.status for phase in answer.phases] == ["completed", "refused"]
    assert answer.phases[1].code in OURS
    assert remote.heard == []


@both_ways
async def test_what_a_rule_binds_to_this_machine_stays(bench: Bench, monkeypatch: Patch, off: str) -> None:
    fill(bench)
    monkeypatch.setattr(selection, "_check_floor", _nothing)
    switch_off(off, monkeypatch)
    rule = f'[[routing.rules]]\nname = "source stays"\npaths = ["src/**"]\nlocal_only = true\nmodel = "{A}"\n'
    async with serving() as remote:
        app = bench.app(rule + compat("a", remote.v1) + PRIVACY)
        answer = await done(app, Task(text="explain src/a.py"))
    assert (answer.status, answer.code, remote.heard) == ("refused", Code.RESTRICTED_CONTENT, [])


@both_ways
async def test_where_remote_models_are_denied_nothing_leaves(bench: Bench, monkeypatch: Patch, off: str) -> None:
    no_floor(monkeypatch)
    switch_off(off, monkeypatch)
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + '[privacy.remote]\nmode = "deny"\n')
        answer = await done(app, Task(text="what is a unit test?"))
    assert (answer.status, remote.heard) == ("refused", [])


@both_ways
async def test_a_text_that_is_not_the_one_that_was_judged_stays(bench: Bench, monkeypatch: Patch, off: str) -> None:
    fill(bench)
    switch_off(off, monkeypatch)

    def forged(collected: Collected) -> list[Piece]:
        found = PIECES_OF(collected)
        return [replace(one, block=replace(one.block, text=f"{one.block.text}# {CANARY}")) for one in found]

    monkeypatch.setattr(dispatching, "_pieces", forged)
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + PRIVACY)
        answer = await done(app, Task(text="explain src/a.py"))
    assert (answer.status, answer.code, remote.heard) == ("refused", Code.RESTRICTED_CONTENT, [])


FAULTS = {
    "500": Reply(status=500),
    "529": Reply(status=529),
    "429": Reply(status=429),
    "408": Reply(status=408),
    "empty": Reply(()),
    "blank": Reply((" \n",)),
    "cut": Reply(("half",), ending="cut"),
    "reset": Reply(("half",), ending="reset"),
    "silent": Reply((), ending="stall"),
    "stalled": Reply(("half",), ending="stall"),
    "nothing read": Reply(("all",), used={"prompt_tokens": 1, "completion_tokens": 1}),
}
QUICK = "[dispatch]\nfirst_byte_s = 0.2\nidle_s = 0.2\nmax_retries = 0\n"


@both_ways
@pytest.mark.parametrize("fault", FAULTS)
async def test_no_fault_of_a_local_model_opens_the_way(bench: Bench, monkeypatch: Patch, fault: str, off: str) -> None:
    fill(bench)
    bench.write("secrets/plan.txt", f"the plan: {CANARY}\n" * 40)
    no_floor(monkeypatch)
    switch_off(off, monkeypatch)
    async with serving() as remote, serving(FAULTS[fault]) as local:
        app = bench.app(default("ollama/m", A) + compat("a", remote.v1) + ollama(local.root) + PRIVACY + QUICK)
        answer = await done(app, CASES["restricted file"])
    assert (len(local.heard), remote.heard, answer.status) == (1, [], "failed")
    assert Code.RESTRICTED_CONTENT in only(answer).detail


@both_ways
async def test_a_local_server_that_is_gone_opens_it_neither(bench: Bench, monkeypatch: Patch, off: str) -> None:
    fill(bench)
    no_floor(monkeypatch)
    switch_off(off, monkeypatch)
    gone = compat("b", f"http://127.0.0.1:{unused_port()}/v1", local=True)
    async with serving() as remote:
        app = bench.app(default("openai-compat:b/m", A) + compat("a", remote.v1) + gone + PRIVACY + QUICK)
        answer = await done(app, CASES["restricted file"])
    assert (remote.heard, answer.status) == ([], "refused")


# ------------------------------------------------------------------------------------------------- what helps, and rows


@both_ways
async def test_what_only_helps_is_left_out_or_nothing_leaves(bench: Bench, monkeypatch: Patch, off: str) -> None:
    bench.write("AGENTS.md", f"use {TOKEN}\n")
    bench.write("src/a.py", "x = 1\n")
    no_floor(monkeypatch)
    switch_off(off, monkeypatch)
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + PRIVACY + NO_PATCHES)
        answer = await done(app, Task(text="fix the bug in src/a.py"))
    assert leaked(remote) == []
    gate_is_on = off in ("none", "egress")
    assert (answer.status, len(remote.heard)) == (("completed", 1) if gate_is_on else ("refused", 0))
    if gate_is_on:
        (row,) = bench.trace(answer.trace_id).attempts
        assert "AGENTS.md" in {item.path for item in row.receipt.withheld}


async def test_the_row_of_a_request_that_was_stopped_says_so(bench: Bench, monkeypatch: Patch) -> None:
    fill(bench)
    no_floor(monkeypatch)
    switch_off("type", monkeypatch)
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1, price="1") + PRIVACY)
        answer = await done(app, CASES["secret in a file"])
        (row,) = bench.trace(answer.trace_id).attempts
    assert (row.status, row.code, row.cost, row.usage.input_tokens) == ("failed", Code.SECRET_DETECTED, "0", None)
    assert isinstance(row.receipt, Receipt)
    assert TOKEN not in row.receipt.model_dump_json()
    assert "src/key.py" in only(answer).detail
