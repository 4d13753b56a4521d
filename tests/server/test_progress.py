"""Signs of life for a waiting host."""

import anyio
import pytest

from smista_mcp.dispatch.standing import Progress
from smista_mcp.server.progress import KEEP_ALIVE_S, SPACING_S, ProgressRelay

pytestmark = pytest.mark.anyio


class Host:
    """Notes what it is told, as slowly as a test wants."""

    def __init__(self, *, enough: int) -> None:
        self.told: list[tuple[float, str]] = []
        self.enough = anyio.Event()
        self._count = enough

    async def report(self, progress: float, total: float | None, message: str | None) -> None:
        assert total is None
        self.told.append((progress, message or ""))
        if len(self.told) >= self._count:
            self.enough.set()


async def test_a_host_hears_something_although_nothing_happens() -> None:
    host = Host(enough=2)
    relay = ProgressRelay(host.report, keep_alive_s=0.01)
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(relay.run)
            await host.enough.wait()
            group.cancel_scope.cancel()
    values = [value for value, _ in host.told]
    assert values == sorted(set(values))


def test_silence_is_never_longer_than_five_seconds() -> None:
    assert KEEP_ALIVE_S + SPACING_S < 5


async def test_news_replace_each_other_until_they_can_be_told() -> None:
    host = Host(enough=1)
    relay = ProgressRelay(host.report)
    for tokens in range(100):
        await relay.note(Progress(phase=1, phases=2, message="writing", tokens=tokens, seconds=1.0))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(relay.run)
            await host.enough.wait()
            group.cancel_scope.cancel()
    assert [message for _, message in host.told] == ["phase 2 of 2: writing, 99 tokens, 0 s"]


async def test_a_message_that_is_not_unicode_is_shown_escaped() -> None:
    host = Host(enough=1)
    relay = ProgressRelay(host.report)
    await relay.note(Progress(phase=0, phases=1, message="reading \udcff.txt", tokens=0, seconds=1.0))
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(relay.run)
            await host.enough.wait()
            group.cancel_scope.cancel()
    assert host.told[0][1] == "reading \\udcff.txt, 0 s"


async def test_what_is_waited_for_besides_the_work_is_said() -> None:
    host = Host(enough=2)
    relay = ProgressRelay(host.report, keep_alive_s=0.01)
    await relay.note(Progress(phase=0, phases=1, message="writing", tokens=3, seconds=1.0))
    await relay.say("waiting for somebody")
    with anyio.fail_after(5):
        async with anyio.create_task_group() as group:
            group.start_soon(relay.run)
            await host.enough.wait()
            group.cancel_scope.cancel()
    assert {message.partition(",")[0] for _, message in host.told} == {"waiting for somebody"}
