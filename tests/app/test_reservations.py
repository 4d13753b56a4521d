"""What the ledger's file says at the moment at which a request arrives: looked up by the server that it arrives at."""

import asyncio
import json
import sqlite3
from contextlib import closing
from decimal import Decimal
from typing import Any

import anyio
import pytest
from loopback import listening
from scripted_server import answer
from workbench import ALLOWED, Bench, compat, default, done, only

from smista_mcp.core.task import Task

pytestmark = pytest.mark.anyio

A, B = "openai-compat:a/m", "openai-compat:b/m"
FINE = b"".join(
    answer(
        b'data: {"choices": [{"index": 0, "delta": {"content": "sound"}, "finish_reason": "stop"}]}\n\n',
        b'data: {"choices": [], "usage": {"prompt_tokens": 40, "completion_tokens": 5}}\n\ndata: [DONE]\n\n',
    )
)
BUSY = b"HTTP/1.1 500 Internal Server Error\r\ncontent-length: 0\r\n\r\n"


class Inspector:
    """A server that looks into the ledger before it answers, as another program would."""

    def __init__(self, bench: Bench, reply: bytes = FINE) -> None:
        self._file = bench.state / "ledger.db"
        self._reply = reply
        self.found: list[tuple[int, list[tuple[str, str, str, dict[str, Any]]]]] = []

    async def talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            first = await reader.readexactly(1)  # whatever else of it is still on its way
            rows = self._rows()
            head = (first + await reader.readuntil(b"\r\n\r\n")).lower()
            if head.startswith(b"get"):
                models = b'{"data": [{"id": "m", "max_model_len": 32768}]}'
                writer.write(
                    b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(models), models)
                )
                return
            (size,) = [int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"content-length:")]
            await reader.readexactly(size)
            self.found.append((size, rows))
            writer.write(self._reply)
        finally:
            writer.close()

    def _rows(self) -> list[tuple[str, str, str, dict[str, Any]]]:
        if not self._file.exists():
            return []
        with closing(sqlite3.connect(f"{self._file.as_uri()}?mode=ro", uri=True)) as db:
            rows = db.execute(
                "SELECT model, status, reserved, receipt FROM attempt JOIN trace USING (trace_id) ORDER BY sequence"
            ).fetchall()
        return [(model, status, reserved, json.loads(receipt)) for model, status, reserved, receipt in rows]


async def test_a_request_is_on_record_with_its_reservation_before_a_byte_of_it_arrives(bench: Bench) -> None:
    first, second = Inspector(bench, BUSY), Inspector(bench)
    async with listening(first.talk) as one, listening(second.talk) as two:
        servers = "[dispatch]\nmax_retries = 0\n" + compat("a", f"http://127.0.0.1:{one}/v1", price="100")
        servers += compat("b", f"http://127.0.0.1:{two}/v1", price="100")
        told = await done(bench.app(default(A, B) + servers + ALLOWED), Task(text="What is a unit test?"))
    assert only(told).model == B
    ((size, (own,)),) = first.found
    assert own[:2] == (A, "running")
    assert Decimal(own[2]) > 0
    assert own[3]["body_bytes"] == size
    ((size, (before, own)),) = second.found
    assert before[:2] == (A, "failed")  # settled before the next one is asked
    assert own[:2] == (B, "running")
    assert own[3]["body_bytes"] == size


async def test_of_requests_that_leave_together_each_is_on_record(bench: Bench) -> None:
    server = Inspector(bench)
    async with listening(server.talk) as port:
        policy = default(A) + compat("a", f"http://127.0.0.1:{port}/v1", price="100") + ALLOWED
        app = bench.app(policy)
        async with app.running(), anyio.create_task_group() as group:
            for number in range(12):
                group.start_soon(app.dispatch, Task(text=f"What is unit test number {number}?"))
    assert len(server.found) == 12
    for place, (_, rows) in enumerate(server.found, 1):
        assert len(rows) >= place
        assert all(Decimal(reserved) > 0 for _, _, reserved, _ in rows)
    assert len(bench.app().world.open_ledger().recent(50)) == 12
