"""A start of our own server, as Codex does it: with few variables, one question, and a clock beside it."""

import json
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from queue import Empty, Queue
from typing import IO, cast

from smista_mcp.core.diagnosis.registered import StartSeen
from smista_mcp.core.redaction import redacted

_LIMIT_S = 8.0
_END_S = 1.0
_GIVEN = ("HOME", "LANG", "LC_ALL", "LOGNAME", "PATH", "SHELL", "TERM", "TMPDIR", "TZ", "USER")
"""What Codex leaves of its user's variables."""
_KEPT = ("SMISTA_HOME", "SYSTEMROOT", "USERPROFILE", "APPDATA", "LOCALAPPDATA")
"""What it would not leave, but without which the server would not find its state, or Windows itself."""
_MOST = 200
_QUESTION = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "smista-doctor", "version": "1"},
    },
}


def own_server() -> list[str]:
    """What starts this very installation; no folder that one happens to stand in is searched for its modules."""
    beside = Path(sys.executable).absolute().with_name("smista-mcp.exe" if sys.platform == "win32" else "smista-mcp")
    if beside.is_file() and os.access(beside, os.X_OK):
        return [str(beside), "serve-stdio"]
    return [sys.executable, "-P", "-m", "smista_mcp", "serve-stdio"]


def measured(variables: Mapping[str, str], command: list[str] | None = None, *, limit_s: float = _LIMIT_S) -> StartSeen:
    """Starts the server twice: the first start may have to compile, or to read from a disk.

    Args:
        variables: of the environment.
        command: in place of our own server.
        limit_s: seconds that each start may take.
    """
    given = {name: variables[name] for name in (*_GIVEN, *_KEPT) if name in variables}
    first = _started(command or own_server(), given, limit_s)
    if first.failure or first.noise:
        return first
    again = _started(command or own_server(), given, limit_s)
    return again._replace(seconds=(*first.seconds, *again.seconds))


def _started(command: list[str], variables: Mapping[str, str], limit_s: float) -> StartSeen:
    began = time.monotonic()
    try:
        child = subprocess.Popen(
            command,
            env=variables,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return StartSeen(failure=f"it cannot be started: {getattr(error, 'strerror', None) or error}")
    lines: Queue[bytes] = Queue()
    said: list[bytes] = []
    out = threading.Thread(target=_read, args=(child.stdout, lines.put), daemon=True)
    beside = threading.Thread(target=_read, args=(child.stderr, said.append), daemon=True)
    out.start()
    beside.start()
    try:
        with suppress(OSError):
            if child.stdin is not None:
                child.stdin.write(json.dumps(_QUESTION).encode() + b"\n")
                child.stdin.flush()
        seen = _heard(child, out, lines, began, limit_s)
    finally:
        _ended(child)
        for reader, pipe in ((out, child.stdout), (beside, child.stderr)):
            reader.join(_END_S)
            if pipe is not None and not reader.is_alive():  # else what the server left behind still holds it
                pipe.close()
    return seen._replace(said=_shown(said[-1]) if said else "")


def _heard(
    child: "subprocess.Popen[bytes]", out: threading.Thread, lines: "Queue[bytes]", began: float, limit_s: float
) -> StartSeen:
    noise = ""
    while True:
        left = began + limit_s - time.monotonic()
        ended = not out.is_alive()  # before the queue is looked into: nothing is put there any more then
        try:
            line = lines.get(timeout=min(max(left, 0.0), 0.02))
        except Empty:
            if left <= 0:
                return StartSeen((), f"nothing came within {limit_s:g} s", noise=noise)
            if ended:
                return StartSeen((), _ending(child), noise=noise)
            continue
        message = _message(line)
        if message is None:
            noise = noise or _shown(line)
        elif message.get("id") == 1:
            return StartSeen((time.monotonic() - began,), noise=noise)


def _ending(child: "subprocess.Popen[bytes]") -> str:
    try:
        return f"it ended with status {child.wait(_END_S)}"
    except subprocess.TimeoutExpired:
        return "it closed its standard output"


def _message(line: bytes) -> Mapping[str, object] | None:
    """The message in a line; None where it is none of the protocol."""
    try:
        value: object = json.loads(line)
    except (ValueError, RecursionError):
        return None
    message = cast("dict[str, object]", value) if isinstance(value, dict) else {}
    return message if message.get("jsonrpc") == "2.0" else None


def _read(stream: IO[bytes] | None, take: Callable[[bytes], None]) -> None:
    with suppress(OSError, ValueError):
        for line in stream or ():
            take(line)


def _shown(line: bytes) -> str:
    return redacted(line.decode("utf-8", "replace").strip()[:_MOST])


def _ended(child: "subprocess.Popen[bytes]") -> None:
    """Ends the server as a host does: its input closes; what does not go then is killed with all that it started."""
    with suppress(OSError):
        if child.stdin is not None:
            child.stdin.close()
    try:
        child.wait(_END_S)
    except subprocess.TimeoutExpired:
        if sys.platform == "win32":
            child.kill()
        else:
            os.killpg(child.pid, signal.SIGKILL)
        child.wait()
