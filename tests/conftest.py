"""What every test shares: settings, and a model server on loopback that speaks Ollama's protocol."""

import json
import signal
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from hypothesis import settings
from workbench import Bench

settings.register_profile("smista", deadline=None)  # a busy machine is no defect; pytest-timeout bounds each test
settings.load_profile("smista")

if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:  # as in the background of a script; every child would inherit it
    signal.signal(signal.SIGINT, signal.default_int_handler)

OLLAMA_MODELS = ("qwen2.5-coder:7b", "qwen3:latest")


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    """A home and a workspace, both empty."""
    bench = Bench(tmp_path / "home", tmp_path / "work")
    bench.home.mkdir()
    bench.workspace.mkdir()
    return bench


class _Ollama(BaseHTTPRequestHandler):
    """Lists two models, describes them, and answers every chat with the number of characters that it was sent."""

    def do_GET(self) -> None:
        models = [{"name": name, "model": name, "details": {"family": "qwen2"}} for name in OLLAMA_MODELS]
        self._send({"models": models} if self.path == "/api/tags" else {"error": "not found"})

    def do_POST(self) -> None:
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if self.path == "/api/show":
            self._send({"model_info": {"qwen2.context_length": 32768}, "capabilities": ["completion", "tools"]})
            return
        said = sum(len(message["content"]) for message in asked["messages"])
        parts = ["read ", str(said), " characters"]
        lines = [
            {"model": asked["model"], "message": {"role": "assistant", "content": p}, "done": False} for p in parts
        ]
        end = {"message": {"role": "assistant", "content": ""}, "done": True, "done_reason": "stop"}
        lines.append({"model": asked["model"], **end, "prompt_eval_count": said // 3, "eval_count": len(parts)})
        self._send_bytes("".join(json.dumps(line) + "\n" for line in lines).encode(), "application/x-ndjson")

    def _send(self, answer: dict[str, object]) -> None:
        self._send_bytes(json.dumps(answer).encode(), "application/json")

    def _send_bytes(self, body: bytes, kind: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", kind)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002  the base class names it so
        """Says nothing."""


@pytest.fixture
def ollama() -> Iterator[str]:
    """The address of a server with `OLLAMA_MODELS`."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Ollama) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()
        thread.join()
