"""One run of git: its answer in time and within bounds, or why there is none."""

import os
import signal
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import subprocess

_GROUPS = os.name == "posix"


class GitFailed(Exception):
    """git did not answer; the text says why, in plain words."""


class NoAnswer(GitFailed):
    """It ended with another status than 0."""

    def __init__(self, status: int) -> None:
        super().__init__(f"git refused (exit status {status})")
        self.status = status


def answer_of(
    command: Sequence[str],
    at: Path,
    environ: Mapping[str, str],
    timeout_s: float,
    cap: int,
    said: bytes | None = None,
) -> bytes:
    """What git answers. Where it is `said` something on its input, the answer is cut at the cap, else refused.

    Args:
        command: program and arguments.
        at: the folder in which it runs.
        environ: the whole environment.
        timeout_s: seconds that it may take.
        cap: the most bytes that are taken.
        said: what it reads; None for nothing.

    Raises:
        GitFailed: it did not answer in time, or with too much; `NoAnswer` where it refused.
    """
    import subprocess  # noqa: PLC0415  many workspaces have no git to ask

    try:
        child = subprocess.Popen(
            command,
            cwd=at,
            env=environ,
            stdin=subprocess.DEVNULL if said is None else subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            process_group=0 if _GROUPS else None,
        )
    except (OSError, ValueError) as error:
        raise GitFailed("git cannot be started") from error
    late = threading.Event()

    def stop() -> None:
        late.set()
        if _GROUPS:
            os.killpg(child.pid, signal.SIGKILL)  # also whatever it may have started and that holds its output
        else:
            child.kill()

    watch = threading.Timer(timeout_s, stop)
    watch.daemon = True
    watch.start()
    try:
        with child:
            if said is not None:
                threading.Thread(target=_feed, args=(child, said), daemon=True).start()
            stdout = child.stdout
            data = stdout.read(cap + 1) if stdout is not None else b""
            if len(data) > cap:
                child.kill()
    finally:
        watch.cancel()
    if late.is_set():
        raise GitFailed(f"git did not answer within {timeout_s:g} s")
    if len(data) > cap and said is not None:
        return data[:cap]
    if len(data) > cap:
        raise GitFailed(f"too large: over {cap / 1_000_000:g} MB")
    if child.returncode:
        raise NoAnswer(child.returncode)
    return data


def _feed(child: "subprocess.Popen[bytes]", said: bytes) -> None:
    """Writes what git reads, beside what reads its answer: else both could wait for each other."""
    if child.stdin is not None:
        with suppress(OSError, ValueError), child.stdin as pipe:
            pipe.write(said)
