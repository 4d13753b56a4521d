"""Lines that are no messages, and calls in flight when input ends."""

import anyio
import pytest
from mcp.shared.message import SessionMessage
from mcp_types import JSONRPCError, JSONRPCMessage, JSONRPCNotification, JSONRPCRequest, JSONRPCResponse
from mcp_types import jsonrpc_message_adapter as messages
from pydantic import ValidationError

from smista_mcp.server.pipes import Answers, Requests

pytestmark = pytest.mark.anyio

ASKED = JSONRPCRequest(jsonrpc="2.0", id=7, method="tools/list")
ANSWERED = JSONRPCResponse(jsonrpc="2.0", id=7, result={})
CANCELLED = JSONRPCNotification(jsonrpc="2.0", method="notifications/cancelled", params={"requestId": 7})


class Ends:
    """Both ends of both pipes."""

    def __init__(self) -> None:
        self.lines, source = anyio.create_memory_object_stream[SessionMessage | Exception](9)
        sink, self.heard = anyio.create_memory_object_stream[SessionMessage](9)
        self.ended = anyio.Event()
        self.answers = Answers(sink)
        self.requests = Requests(source, self.answers, self.ended.set)

    def say(self, message: JSONRPCMessage) -> None:
        self.lines.send_nowait(SessionMessage(message))

    def say_line(self, line: str) -> None:
        with pytest.raises(ValidationError) as caught:
            messages.validate_json(line, by_name=False)
        self.lines.send_nowait(caught.value)


async def answer_to(line: str) -> JSONRPCError:
    ends = Ends()
    ends.say_line(line)
    ends.say(ASKED)
    async with ends.requests as requests, ends.answers, ends.heard:
        item = await requests.receive()
        assert isinstance(item, SessionMessage)
        assert item.message is ASKED
        answer = ends.heard.receive_nowait().message
        assert isinstance(answer, JSONRPCError)
        ends.lines.close()
        return answer


@pytest.mark.parametrize(
    ("line", "code", "asked"),
    [
        ('{"jsonrpc": nonsense', -32700, None),
        ("", -32700, None),
        ("[]", -32600, None),
        ("5", -32600, None),
        ('{"id": 3, "method": "ping"}', -32600, 3),
        ('{"id": true, "method": "ping"}', -32600, None),
        (r'{"jsonrpc": "2.0", "id": "a", "method": "ping", "params": {"x": "\ud800"}}', -32700, "a"),
        (r'{"jsonrpc": "2.0", "id": "\ud800", "method": "ping"}', -32700, None),
        ("[" * 5000, -32700, None),
    ],
)
async def test_a_line_that_is_no_message_is_answered_under_its_id(
    line: str, code: int, asked: str | int | None
) -> None:
    answer = await answer_to(line)
    assert (answer.error.code, answer.id) == (code, asked)
    answer.model_dump_json()


async def test_a_failure_of_another_kind_is_answered_too() -> None:
    ends = Ends()
    ends.lines.send_nowait(RuntimeError())
    ends.lines.close()
    async with ends.requests as requests, ends.answers, ends.heard:
        with pytest.raises(anyio.EndOfStream):
            await requests.receive()
        assert ends.heard.statistics().current_buffer_used == 1


async def test_the_end_of_input_is_told_at_once_and_waits_for_calls_in_flight() -> None:
    ends = Ends()
    ends.say(ASKED)
    ends.lines.close()
    seen: list[SessionMessage | Exception] = []

    async def read() -> None:
        seen.extend([item async for item in ends.requests])

    with anyio.fail_after(5):
        async with ends.requests, ends.answers, ends.heard, anyio.create_task_group() as group:
            group.start_soon(read)
            await ends.ended.wait()
            assert not seen
            await ends.answers.send(SessionMessage(ANSWERED))
    assert len(seen) == 1


@pytest.mark.parametrize("settling", [CANCELLED, None])
async def test_the_end_of_input_waits_no_longer_than_a_moment(settling: JSONRPCMessage | None) -> None:
    ends = Ends()
    ends.say(ASKED)
    if settling is not None:
        ends.say(settling)
    ends.lines.close()
    with anyio.fail_after(5):
        async with ends.requests, ends.answers, ends.heard:
            assert [item async for item in ends.requests]
