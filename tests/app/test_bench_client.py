"""The client for benches works: what it measures are whole dispatches, each on record."""

import asyncio
import json
import sys
from pathlib import Path

import pytest
from loopback import listening
from scripted_server import answer

pytestmark = pytest.mark.anyio

CLIENT = Path(__file__).parents[2] / "scripts" / "bench_client.py"
PIECE = b'data: {"choices": [{"index": 0, "delta": {"content": "piece "}}]}\n\n'
END = b'data: {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}\n\ndata: [DONE]\n\n'
MODELS = b'{"data": [{"id": "fake", "max_model_len": 32768}]}'


@pytest.mark.parametrize("mode", [(), ("--whole", "--budget")])
async def test_each_stream_of_a_job_is_a_dispatch(mode: tuple[str, ...], tmp_path: Path) -> None:
    paths: list[str] = []

    async def talk(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = await reader.readuntil(b"\r\n\r\n")
        if head.startswith(b"GET"):
            writer.write(
                b"HTTP/1.1 200 OK\r\nconnection: close\r\ncontent-length: %d\r\n\r\n%b" % (len(MODELS), MODELS)
            )
        else:
            paths.append(head.split(b" ")[1].decode())
            writer.write(b"".join(answer(PIECE, PIECE, PIECE, END)))
        writer.close()

    async with listening(talk) as port:
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, CLIENT, *mode, f"http://127.0.0.1:{port}"),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            env={"PATH": "/usr/bin:/bin", "TMPDIR": str(tmp_path)},
        )
        job = json.dumps({"n": 3, "width": 2, "spec": "chunks=3,delay=1"})
        printed, _ = await process.communicate(f"{job}\n".encode())
    told = json.loads(printed)
    assert process.returncode == 0
    assert told["chunks"] == [3, 3, 3]
    assert len(told["ttft"]) == len(told["total"]) == 3
    assert all(0 < first <= total for first, total in zip(told["ttft"], told["total"], strict=True))
    assert set(paths) == {"/~chunks%3D3%2Cdelay%3D1/v1/chat/completions"}
    assert list(tmp_path.iterdir()) == []
