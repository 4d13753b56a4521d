"""The child process that is llama.cpp's HTTP server: a script of its own, started by path, importing nothing of ours.

    python -I llama_child.py MODEL N_CTX N_THREADS IDLE_S VERBOSITY [FOLDER ...]

FOLDERs are appended to the module search path. Standard input: the key of the server on the first line, then `+` and
`-` for each use that begins and ends; its end ends the process, and so does IDLE_S seconds without a use. Standard
output: one JSON line `{"address": ...}` or `{"error": ...}`, then a `+` for each use that began. Nothing else is ever
written there: the library's own output goes to standard error.
"""

import contextlib
import importlib
import json
import os
import pathlib
import queue
import sys
import threading


def main(arguments: list[str]) -> int:
    """Serves until told to end. Returns only where no server could be started."""
    model, n_ctx, n_threads, idle_s, verbosity, *folders = arguments
    sys.path.extend(folders)
    reports = os.dup(1)
    os.dup2(2, 1)
    messages: queue.SimpleQueue[bytes] = queue.SimpleQueue()
    key = _first_line()
    threading.Thread(target=_read, args=(messages,), daemon=True).start()
    try:
        address = _serve(model, key, (int(n_ctx), int(n_threads), int(verbosity)))
    except ModuleNotFoundError:
        _report(reports, {"error": "no xllamacpp"})
        return 3
    except (ImportError, OSError, RuntimeError, ValueError) as error:
        _report(reports, {"error": str(error)})
        return 1
    _report(reports, {"address": address[0]})
    _wait(messages, reports, float(idle_s))
    return 0


def _serve(model: str, key: str, figures: tuple[int, int, int]) -> tuple[str, object]:
    """Loads the model and listens. The server lives as long as the second value."""
    library = importlib.import_module("xllamacpp")
    n_ctx, n_threads, verbosity = figures
    settings = library.CommonParams()
    settings.model.path = model
    settings.model_alias = {pathlib.Path(model).stem}  # instead of the path, in every answer
    settings.n_ctx = n_ctx
    settings.n_parallel = 1
    settings.n_gpu_layers = 0
    settings.cpuparams.n_threads = n_threads
    settings.hostnames = ["127.0.0.1"]
    settings.port = 0
    settings.reuse_port = False
    settings.api_keys = [key]
    settings.cors_origins = ""  # the default lets any web page use the model
    settings.ui = False
    settings.endpoint_slots = False
    settings.offline = True
    settings.cache_ram_mib = 0  # the default keeps the state of every prompt
    settings.warmup = False
    settings.use_jinja = True
    settings.verbosity = verbosity
    server = library.Server(settings)
    return str(server.listening_address), server


def _wait(messages: "queue.SimpleQueue[bytes]", reports: int, idle_s: float) -> None:
    uses = 0
    while True:
        try:
            message = messages.get(timeout=None if uses else idle_s)
        except queue.Empty:
            return
        uses += message.count(b"+") - message.count(b"-")
        with contextlib.suppress(BrokenPipeError):
            os.write(reports, b"+" * message.count(b"+"))


def _read(messages: "queue.SimpleQueue[bytes]") -> None:
    while message := os.read(0, 512):
        messages.put(message)
    os._exit(0)


def _first_line() -> str:
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            os._exit(0)
        line += byte
    return line.decode("ascii").strip()


def _report(reports: int, what: dict[str, str]) -> None:
    os.write(reports, f"{json.dumps(what)}\n".encode("ascii"))


if __name__ == "__main__":
    status = main(sys.argv[1:])
    os._exit(status)  # the library's threads would keep an ordinary end waiting
