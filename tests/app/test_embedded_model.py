"""The model that comes along, as a real child process: an answer, and a quick end whatever it is doing."""

import os
import signal
import sys
from pathlib import Path

import anyio
import pytest
from tiny_gguf import write_tiny_gguf
from workbench import Bench, default, only

from smista_mcp.core.task import Attachment, Task
from smista_mcp.errors import Code
from smista_mcp.providers.llamacpp import CHILD

pytestmark = pytest.mark.anyio

SUM_UP = Task(text="Summarize this paragraph", attachments=(Attachment(path="a.md", content="abc " * 40),))


@pytest.fixture(scope="session")
def tiny(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "tiny.gguf")


def policy(tiny: Path, *others: str) -> str:
    return default("llamacpp/tiny", *others) + f'[providers.llamacpp]\nmodels_dir = "{tiny.parent}"\n'


def children() -> list[int]:
    """The children of this process that are model servers."""
    found: list[int] = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            parent = (process / "stat").read_text(encoding="utf-8").rpartition(")")[2].split()[1]
            command = (process / "cmdline").read_bytes()
        except OSError:
            continue  # it ended meanwhile
        if int(parent) == os.getpid() and str(CHILD).encode() in command:
            found.append(int(process.name))
    return found


async def a_child() -> int:
    """The first that is there."""
    while not children():  # noqa: ASYNC110  the system tells nobody
        await anyio.sleep(0.001)
    return children()[0]


async def test_the_embedded_model_answers_and_stays_warm(bench: Bench, tiny: Path) -> None:
    app = bench.app(policy(tiny) + "[dispatch]\ndeadline_s = 30\n")
    async with app.running():
        first = await app.dispatch(SUM_UP)
        (child,) = children()
        second = await app.dispatch(SUM_UP)
        assert children() == [child]
    assert children() == []
    assert (only(first).status, only(first).model, only(first).cost) == ("completed", "llamacpp/tiny", "0")
    assert only(first).answer == only(second).answer
    (attempt,) = bench.trace(first.trace_id).attempts
    assert attempt.usage.output_tokens
    assert [item.path for item in attempt.receipt.sent] == ["a.md"]


async def test_a_file_that_is_no_model_leads_to_the_next_candidate(bench: Bench, tmp_path: Path) -> None:
    broken = tmp_path / "models" / "tiny.gguf"
    broken.parent.mkdir()
    broken.write_bytes(b"GGUF, and then nothing that makes sense" * 10)
    app = bench.app(policy(broken, "host/current"))
    async with app.running():
        answer = await app.dispatch(SUM_UP)
    assert (answer.status, only(answer).code) == ("handoff", Code.PROVIDER_UNAVAILABLE)


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the child in /proc")
async def test_leaving_does_not_wait_for_a_model_that_loads(bench: Bench, tiny: Path) -> None:
    app = bench.app(policy(tiny))
    with anyio.fail_after(10):
        async with app.running():
            await app.dispatch(SUM_UP, limit_s=0)
            os.kill(await a_child(), signal.SIGSTOP)  # loads, and does not come to an end
            began = anyio.current_time()
        assert anyio.current_time() - began < 1
    assert children() == []


@pytest.mark.skipif(sys.platform != "linux", reason="looks for the child in /proc")
async def test_a_model_that_loads_too_long_is_given_up_at_the_deadline(bench: Bench, tiny: Path) -> None:
    app = bench.app(policy(tiny) + "[dispatch]\ndeadline_s = 0.4\n")
    answers: list[str] = []

    async def dispatch() -> None:
        answer = await app.dispatch(SUM_UP)
        answers.append(f"{answer.status} {answer.code}")

    with anyio.fail_after(10):
        async with app.running(), anyio.create_task_group() as group:
            group.start_soon(dispatch)
            os.kill(await a_child(), signal.SIGSTOP)
    assert answers == [f"failed {Code.PROVIDER_TIMEOUT}"]
    assert children() == []
