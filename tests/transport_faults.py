"""What goes wrong with HTTP itself, before, around and behind an answer."""

import gzip
import json

from answers_said import Said, sse, streamed, whole
from fault_rows import AUTH, PROTOCOL, TIMEOUT, UNAVAILABLE, Fault, Script
from scripted_server import Step, answer

from smista_mcp.errors import Code

_SOUND = Said("sound")
_WHOLE = whole("chat", _SOUND)
_STREAM = b"".join(streamed("chat", _SOUND))
_PIECE = sse({"choices": [{"index": 0, "delta": {"content": "half an ans"}}]})
_HEAD = answer(b"x")[0]
_BOMB = gzip.compress(b"0" * 10_000_000)


def _plain(body: bytes, *headers: str, version: str = "1.1", status: str = "200 OK") -> list[bytes]:
    """An answer without chunks."""
    head = [f"HTTP/{version} {status}", "Connection: close", *headers, "", ""]
    return ["\r\n".join(head).encode(), body]


def _row(name: str, script: Script, code: Code | None = PROTOCOL, *, charged: bool = True, **more: bool) -> Fault:
    return Fault(name, "chat", script, code, charged=charged and code is not None, at="transport", **more)


def _fine(name: str, script: Script) -> Fault:
    return Fault(name, "chat", script, None, counted=True, at="transport")


def _endless(
    name: str, piece: bytes, *, code: Code | None = TIMEOUT, deadline_s: float = 1, step: Step = Step.DRIP
) -> Fault:
    charged = code is not None
    script = [*answer(piece)[:2], step]
    return Fault(name, "chat", script, code, charged=charged, at="transport", deadline_s=deadline_s)


TRANSPORT = (
    _fine(
        "102 and 103 before the answer", [b"HTTP/1.1 102 x\r\n\r\nHTTP/1.1 103 x\r\nLink: y\r\n\r\n", *answer(_STREAM)]
    ),
    _row("102 for ever", [b"HTTP/1.1 102 x\r\n\r\n", Step.DRIP], TIMEOUT),
    _row("101 in place of an answer", [b"HTTP/1.1 101 x\r\nUpgrade: y\r\nConnection: upgrade\r\n\r\n"], charged=False),
    _row("206", _plain(_STREAM, "Content-Range: bytes 0-5/100", status="206 Partial Content")),
    _row("204", _plain(b"", status="204 No Content")),
    _row("300 without an address", _plain(b"", "Content-Length: 0", status="300 x"), charged=False),
    _row("304", _plain(b"", status="304 x"), charged=False),
    _fine("HTTP/1.0, ended by closing", _plain(_STREAM, version="1.0")),
    _fine("HTTP/1.0, whole, ended by closing", _plain(_WHOLE, version="1.0")),
    _row("HTTP/1.0, closed too early", _plain(_PIECE, version="1.0")),
    _row("HTTP/1.0, whole, closed too early", _plain(_WHOLE[:-9], version="1.0")),
    _fine("a length", _plain(_WHOLE, f"Content-Length: {len(_WHOLE)}")),
    _fine("a length beyond the end of the stream", _plain(_STREAM, f"Content-Length: {len(_STREAM) + 99}")),
    _row("a length beyond the end of the object", _plain(_WHOLE, f"Content-Length: {len(_WHOLE) + 99}")),
    _row("a length that cuts the stream", _plain(_STREAM, "Content-Length: 40")),
    _row("a length that cuts the object", _plain(_WHOLE, "Content-Length: 40")),
    _row("two lengths", _plain(_WHOLE, "Content-Length: 40", "Content-Length: 41")),
    _row("a length that is no number", _plain(_WHOLE, "Content-Length: many")),
    _row("a chunk whose size is no number", [_HEAD, b"xyz\r\nhalf\r\n"]),
    _row("chunks that end too early", [_HEAD, b"4\r\nhalf\r\n"]),
    _row("headers of 200 kB", [b"HTTP/1.1 200 OK\r\nX: " + b"x" * 200_000 + b"\r\n\r\n", *answer(_STREAM)[1:]]),
    _row("many headers", [b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 40_000 + b"\r\n"]),
    _row("headers for ever", [b"HTTP/1.1 200 OK\r\n", b"X: y\r\n", Step.DRIP], TIMEOUT),
    _row("a bomb of gzip", answer(_BOMB, headers=["Content-Encoding: gzip"])),
    _row("a bomb of gzip that does not say so", answer(_BOMB)),
    _row("compressed with brotli", answer(_STREAM, headers=["Content-Encoding: br"])),
    _row("compressed on the way", _plain(_BOMB, "Transfer-Encoding: gzip")),
    _endless("comments for ever", b": keep-alive\n\n"),
    _endless("pings for ever", b'data: {"choices": []}\n\n'),
    _endless("blank lines for ever", b"\n"),
    _endless("thoughts for ever", sse({"choices": [{"index": 0, "delta": {"reasoning_content": "hm"}}]})),
    _endless("a line for ever", b"data: x", code=TIMEOUT),
    _endless(
        "an answer for ever",
        sse({"choices": [{"index": 0, "delta": {"content": "x" * 9000}}]}),
        code=None,
        step=Step.FOREVER,
        deadline_s=10,
    ),
    _endless("a line of many megabytes", b"x" * 1_000_000, code=PROTOCOL, step=Step.FOREVER, deadline_s=10),
    _endless(
        "a body of many megabytes", b": " + b"x" * 1_000_000 + b"\n\n", code=PROTOCOL, step=Step.FOREVER, deadline_s=10
    ),
    _row(
        "500, and its words do not come",
        [b"HTTP/1.1 500 x\r\nContent-Length: 99\r\nRetry-After: 0\r\n\r\n", Step.STALL],
        UNAVAILABLE,
        charged=False,
        again=True,
    ),
    _row(
        "401, and its words are cut",
        [b"HTTP/1.1 401 x\r\nContent-Length: 99\r\n\r\n{", Step.RESET],
        AUTH,
        charged=False,
        next=False,
    ),
    _row(
        "401, and its words never end",
        [*answer(b"no " * 1000, status="401 x")[:2], Step.FOREVER],
        AUTH,
        charged=False,
        next=False,
    ),
    _row(
        "500, compressed",
        answer(
            gzip.compress(json.dumps({"error": "no"}).encode()),
            status="500 x",
            headers=["Content-Encoding: gzip", "Retry-After: 0"],
        ),
        UNAVAILABLE,
        charged=False,
        again=True,
    ),
    _row("nested beyond reason, whole", answer(b'{"choices": ' + b"[" * 100_000)),
    _row("nested beyond reason, streamed", answer(sse(b'{"choices": ' + b"[" * 100_000 + b"]" * 100_000 + b"}"))),
    _row("a number of many digits", answer(b'{"choices": ' + b"9" * 100_000 + b"}")),
)
"""What servers, proxies and networks do to HTTP."""
