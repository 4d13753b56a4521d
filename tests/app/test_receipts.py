"""Receipts: whatever our sender wrote can be found again by its hash, item by item and as a whole."""

import hashlib
import hmac

import pytest
from model_server import Heard, Reply, serving
from workbench import ALLOWED, Bench, compat, default, done, ollama, reports

from smista_mcp.cli.attempts import attempt_lines
from smista_mcp.core.receipt import Receipt
from smista_mcp.core.task import Attachment, Task

pytestmark = pytest.mark.anyio

A = "openai-compat:a/m"
ASK = Task(text="explain src/a.py, but do not touch secrets/plan.txt")


def sha256(data: str | bytes) -> str:
    return hashlib.sha256(data.encode() if isinstance(data, str) else data).hexdigest()


def keyed(bench: Bench, data: str | bytes) -> str:
    key = (bench.state / "key").read_bytes()
    return f"keyed:{hmac.digest(key, sha256(data).encode(), 'sha256').hex()}"


def check(receipt: Receipt, heard: Heard, address: str) -> None:
    """Everything that is said of the request as a whole, against what arrived."""
    line = heard.head.split("\r\n")[0]
    assert line.startswith(f"{receipt.method} ")
    assert (
        address + receipt.path == f"http://{heard.head.lower().partition('host: ')[2].split()[0]}{line.split(' ')[1]}"
    )
    assert (receipt.body_bytes, receipt.address) == (len(heard.body), address)


def parts_of(heard: Heard) -> tuple[str, str, str, str]:
    """The system text, the words, the text in the fence, and what stands around both."""
    system, user = (message["content"] for message in heard.asked["messages"])
    words, title, rest = user.partition("\n\nsrc/a.py:\n```\n")
    text, end, nothing = rest.rpartition("\n```")
    assert nothing == ""
    return system, words, text, title + end


async def test_a_receipt_is_of_exactly_the_bytes_that_a_remote_server_received(bench: Bench) -> None:
    bench.write("src/a.py", "x = 'é'\n")
    bench.write("secrets/plan.txt", "the plan\n")
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        (attempt,) = reports(app, await done(app, ASK))
    (heard,) = remote.heard
    receipt = attempt.receipt
    assert receipt is not None
    check(receipt, heard, remote.v1)
    assert receipt.body_sha256 == keyed(bench, heard.body)
    system, words, text, around = parts_of(heard)
    assert words == ASK.text
    assert [(i.path, i.sha256) for i in receipt.sent] == [("src/a.py", sha256(text))]
    assert [i.sha256 for i in receipt.written] == [keyed(bench, words), sha256(system + around)]
    assert ("secrets/plan.txt", True) in {(i.path, "restricted" in i.reason) for i in receipt.withheld}


async def test_so_it_is_of_a_local_one_and_what_is_restricted_has_keyed_hashes(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    restricted = '[privacy]\nrestricted_paths = ["src/**"]\n'
    async with serving() as local:
        app = bench.app(default("ollama/m") + ollama(local.root) + restricted)
        (attempt,) = reports(app, await done(app, Task(text="explain src/a.py")))
    (heard,) = local.heard
    receipt = attempt.receipt
    assert receipt is not None
    check(receipt, heard, local.root)
    system, words, text, around = parts_of(heard)
    shown = [receipt.body_sha256, *(item.sha256 for item in (*receipt.sent, *receipt.written))]
    assert shown == [keyed(bench, data) for data in (heard.body, text, words, system + around)]


async def test_each_request_has_a_receipt_of_its_own(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    busy = Reply(status=429, headers=("Retry-After: 0",))
    async with serving(busy, Reply(status=500)) as first, serving() as second:
        both = compat("a", first.v1) + compat("b", second.v1)
        app = bench.app(default(A, "openai-compat:b/m") + both + ALLOWED)
        told = reports(app, await done(app, ASK))
        heard = [*first.heard, *second.heard]
    receipts = [one.receipt for one in told if one.receipt]
    assert [r.body_sha256 for r in receipts] == [keyed(bench, one.body) for one in heard]
    assert [r.address for r in receipts] == [first.v1, first.v1, second.v1]


async def test_what_is_printed_names_every_item(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        (attempt,) = reports(app, await done(app, ASK))
    receipt = attempt.receipt
    assert receipt is not None
    lines = list(attempt_lines(attempt, {}))
    (sent,) = [line for line in lines if line.startswith("  sent: ")]
    assert all(word in sent for word in ("POST /chat/completions", str(receipt.body_bytes), receipt.body_sha256[:16]))
    for item in (*receipt.sent, *receipt.written):
        assert any(item.path in line and item.sha256[:16] in line and item.reason in line for line in lines)
    assert any(remote.v1 in line for line in lines)
    stopped = attempt.model_copy(update={"status": "failed", "code": "secret_detected"})
    assert any(line.startswith("  not sent: ") for line in attempt_lines(stopped, {}))
    assert "  sent: " not in "\n".join(attempt_lines(stopped, {}))


async def test_a_receipt_says_where_nothing_was_written(bench: Bench) -> None:
    async with serving(Reply(status=402)) as broken:
        providers = compat("b", broken.v1) + compat("c", "https://nobody.invalid/v1")
        app = bench.app(default("openai-compat:b/m", "openai-compat:c/m") + providers + ALLOWED)
        rows = reports(app, await done(app, Task(text="What is a unit test?")))
    assert [row.receipt and row.receipt.departed for row in rows] == [True, False]
    told = ["\n".join(attempt_lines(row, {})) for row in rows]
    assert [("not sent:" in text, "no connection" in text) for text in told] == [(False, False), (True, True)]


async def test_what_a_caller_gave_is_never_hashed_plainly(bench: Bench) -> None:
    bench.write("src/a.py", "x = 1\n")
    task = Task(
        text="explain src/a.py",
        attachments=(Attachment(path="notes.txt", content="yes"),),
        diff="--- a/src/a.py\n+++ b/src/a.py\n@@ -1 +1 @@\n-x = 2\n+x = 1\n",
    )
    async with serving() as remote:
        app = bench.app(default(A) + compat("a", remote.v1) + ALLOWED)
        told = reports(app, await done(app, task))
    sent = {item.path: item.sha256 for one in told if one.receipt for item in one.receipt.sent}
    plain = {path for path, found in sent.items() if not found.startswith("keyed:")}
    assert plain == {"src/a.py"}
    assert sent["notes.txt"] == keyed(bench, "yes")
    assert len(sent) == 3
