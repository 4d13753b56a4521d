"""A model server on loopback, in threads, that fails in every way that the path of a request names, and repeats all.

`/500/v1/chat/completions` answers with status 500, `/reset/v1/...` breaks the connection in the middle. Whatever it
says, errors included, it says in the words that it was sent. Every byte that it got is kept.
"""

import json
import socket
import socketserver
import struct
import threading
from collections.abc import Generator
from contextlib import contextmanager, suppress
from typing import Any, Self, cast

STATUSES = ("400", "401", "403", "404", "408", "429", "500", "502", "503", "504", "529")
STREAMED = ("empty", "blank", "malformed", "reset", "truncate", "noterm", "stall", "midstream", "refusal")
FAULTS = (*STATUSES, *STREAMED, "refuse", "hang", "html", "context", "garbage", "redirect", "wrongtype")
FINE = "fine"
BASE = {"id": "chatcmpl-1", "object": "chat.completion.chunk", "created": 1_790_000_000}


class FaultServer(socketserver.ThreadingTCPServer):
    """What was sent to it, by fault. Use `serving`."""

    daemon_threads = True
    allow_reuse_address = True

    def __init__(self) -> None:
        self.got: list[bytes] = []
        self.over = threading.Event()
        super().__init__(("127.0.0.1", 0), _Talk)

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    @property
    def everything(self) -> str:
        """All bytes that it got, and what they say as JSON."""
        raw = b"\n".join(self.got).decode("utf-8", "replace")
        return raw + raw.replace("\\n", "\n").replace('\\"', '"')

    def asked(self, fault: str) -> int:
        """How often it was asked for an answer under that path."""
        return sum(f"POST /{fault}/v1/chat/completions ".encode() in request for request in self.got)

    @classmethod
    @contextmanager
    def serving(cls) -> Generator[Self]:
        server = cls()
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield server
        finally:
            server.over.set()
            server.shutdown()
            thread.join()
            server.server_close()


class _Talk(socketserver.StreamRequestHandler):
    @property
    def _faults(self) -> FaultServer:
        return cast("FaultServer", self.server)

    def handle(self) -> None:
        with suppress(ConnectionError, ValueError):
            head = self._head()
            size = next((int(e.split(b":")[1]) for e in head.lower().split(b"\r\n") if b"content-length:" in e), 0)
            body = self.rfile.read(size)
            self._faults.got.append(head + body)
            if head.startswith(b"POST"):
                said = "\n".join(str(m.get("content")) for m in json.loads(body).get("messages", ()))
                self._answer(head.split(b" ")[1].split(b"/")[1].decode(), said)
            elif head:
                entry = {"id": "m", "object": "model", "created": BASE["created"], "owned_by": "vllm"}
                self._whole("200", {"object": "list", "data": [{**entry, "max_model_len": 32768}]})

    def finish(self) -> None:
        with suppress(OSError, ValueError):
            super().finish()

    def _head(self) -> bytes:
        head = b""
        while not head.endswith(b"\r\n\r\n") and (line := self.rfile.readline()):
            head += line
        return head

    def _answer(self, fault: str, said: str) -> None:
        wholes = {
            "context": ("400", {"error": {"message": said, "code": "context_length_exceeded"}}),
            "wrongtype": ("200", {"choices": said}),
            **{status: (status, {"error": {"message": said, "code": said[:40]}}) for status in STATUSES},
        }
        texts = {
            "html": ("200", f"<html>{said}</html>", "Content-Type: text/html"),
            "redirect": ("307", said, "Location: http://127.0.0.1:1/v1/chat/completions"),
        }
        if fault in wholes:
            self._whole(*wholes[fault])
        elif fault in texts:
            status, text, header = texts[fault]
            self._send(status, text.encode(), header)
        elif fault == "garbage":
            self.wfile.write(said.encode() + b"\r\n\r\n")
        elif fault == "hang":
            self._faults.over.wait(2)
        elif fault == "refuse":
            self._break()
        else:
            self._stream(fault, said)

    def _stream(self, fault: str, said: str) -> None:
        self.wfile.write(b"HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nConnection: close\r\n\r\n")
        content = {"empty": "", "blank": " \n"}.get(fault, said)
        if content:
            self._delta({"content": content}, None, said)
        if fault == "malformed":
            self.wfile.write(b"data: {" + said.encode() + b"\n\n")
        if fault == "midstream":
            self._piece({"error": {"message": said, "code": said[:40]}})
        if fault == "stall":
            self._faults.over.wait(2)
        if fault == "reset":
            self._break()
        if fault in (FINE, "empty", "blank", "malformed", "refusal"):
            reason = "content_filter" if fault == "refusal" else "stop"
            self._delta({}, reason, said)
            used = {"prompt_tokens": 4000, "completion_tokens": 5, "total_tokens": 4005}
            self._piece({**BASE, "model": said[:60], "choices": [], "usage": used})
            self.wfile.write(b"data: [DONE]\n\n")

    def _delta(self, delta: dict[str, str], reason: str | None, said: str) -> None:
        choice = {"index": 0, "delta": delta, "finish_reason": reason}
        self._piece({**BASE, "model": said[:60], "choices": [choice]})

    def _piece(self, value: Any) -> None:
        self.wfile.write(b"data: " + json.dumps(value).encode() + b"\n\n")
        self.wfile.flush()

    def _whole(self, status: str, value: Any) -> None:
        self._send(status, json.dumps(value).encode(), "Content-Type: application/json\r\nRetry-After: 0")

    def _send(self, status: str, body: bytes, header: str) -> None:
        lines = (f"HTTP/1.1 {status} x", f"Content-Length: {len(body)}", "Connection: close", header, "", "")
        self.wfile.write("\r\n".join(lines).encode() + body)

    def _break(self) -> None:
        self.wfile.flush()
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()
