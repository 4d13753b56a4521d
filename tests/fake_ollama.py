"""An Ollama on loopback with one model, `tiny`, that writes as slowly as it is asked to."""

import json
import threading
from collections.abc import Callable, Generator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Self

TAGS: dict[str, object] = {"models": [{"name": "tiny:latest", "model": "tiny:latest", "details": {}}]}
SHOW: dict[str, object] = {"model_info": {"tiny.context_length": 8192}, "capabilities": ["completion"], "details": {}}


class FakeOllama:
    """Answers `fine`, or what a test has put as `answer`, at once; where the prompt says `hold` it goes on until a
    test has `enough`.

    Attributes:
        asked: set once a model was asked; `questions` is how often it was.
        left: set once a caller hung up on an answer that was still being written.
    """

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.left = threading.Event()
        self.enough = threading.Event()
        self.questions = 0
        self.answer = "fine"
        self._over = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._server.daemon_threads = True

    @property
    def base_url(self) -> str:
        return f"http://127.0.0.1:{self._server.server_address[1]}"

    @classmethod
    @contextmanager
    def serving(cls) -> Generator[Self]:
        fake = cls()
        thread = threading.Thread(target=fake._server.serve_forever, kwargs={"poll_interval": 0.02})
        thread.start()
        try:
            yield fake
        finally:
            fake._over.set()
            fake._server.shutdown()
            thread.join()
            fake._server.server_close()

    def write(self, question: str, send: Callable[[object], None]) -> None:
        self.questions += 1
        self.asked.set()
        send({"model": "tiny", "message": {"role": "assistant", "content": self.answer}, "done": False})
        while "hold" in question and not self.enough.is_set() and not self._over.wait(0.02):
            send({"model": "tiny", "message": {"role": "assistant", "content": "."}, "done": False})
        end = {"done": True, "done_reason": "stop", "prompt_eval_count": 40, "eval_count": 1}
        send({"model": "tiny", "message": {"role": "assistant", "content": ""}, **end})

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        fake = self

        class Request(BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self._whole(TAGS if self.path == "/api/tags" else {"version": "0.12.0"})

            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length", 0))).decode()
                if self.path != "/api/chat":
                    self._whole(SHOW)
                    return
                self.send_response(200)
                self.send_header("Content-Type", "application/x-ndjson")
                self.end_headers()
                try:
                    fake.write(body, self._piece)
                except OSError:
                    fake.left.set()

            def _whole(self, answer: object) -> None:
                body = json.dumps(answer).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def _piece(self, answer: object) -> None:
                self.wfile.write(json.dumps(answer).encode() + b"\n")
                self.wfile.flush()

            def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - its name in the base class
                pass

        return Request
