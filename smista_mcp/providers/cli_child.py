"""The process between us and a headless CLI: a script of its own, started by path, importing nothing of ours.

    python -I cli_child.py LIFELINE FOLDER GRACE_S COMMAND [ARGUMENT ...]

It runs the command with its own standard streams, environment and working directory. LIFELINE is a descriptor to read
from: its end, which comes when we close it or die, ends the command and removes FOLDER. Whatever ends the command,
everything that it started ends with it. The exit status is the command's, 128 and more for a signal, 127 where the
command cannot run.
"""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable

_PR_SET_PDEATHSIG = 1
_PR_SET_CHILD_SUBREAPER = 36


def main(arguments: list[str]) -> int:
    """Runs the command to its end, or to ours."""
    lifeline, folder, grace_s, *command = arguments
    for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(ending, signal.SIG_IGN)  # the lifeline alone ends it
    control = _control(_PR_SET_CHILD_SUBREAPER)
    try:
        prepared = _prepared(control, os.getpid())
        child = subprocess.Popen(command, process_group=0, preexec_fn=prepared)  # noqa: PLW1509  no thread yet
    except OSError as error:
        os.write(2, f"it cannot be run: {error.strerror}\n".encode())
        return 127
    null = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(null, stream)
    abandoned = threading.Event()
    threading.Thread(target=_watch, args=(int(lifeline), child.pid, float(grace_s), abandoned), daemon=True).start()
    status = child.wait()
    _signal(child.pid, signal.SIGKILL)
    _sweep()
    if abandoned.is_set():
        shutil.rmtree(folder, ignore_errors=True)
    return status if status >= 0 else 128 - status


def _control(option: int) -> Callable[..., int] | None:
    """`prctl`, where this system has it; what the command leaves behind comes to us then."""
    if not sys.platform.startswith("linux"):
        return None
    control: Callable[..., int] = ctypes.CDLL(None).prctl
    control(option, 1, 0, 0, 0)
    return control


def _prepared(control: Callable[..., int] | None, parent: int) -> Callable[[], None]:
    """What the command does before it is itself: it ends with this process, however that ends."""

    def prepare() -> None:
        for ending in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(ending, signal.SIG_DFL)
        if control is not None:
            control(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
            if os.getppid() != parent:
                os._exit(127)

    return prepare


def _watch(lifeline: int, group: int, grace_s: float, abandoned: threading.Event) -> None:
    """Waits for the end of the lifeline, then ends the command: kindly at first."""
    while os.read(lifeline, 64):
        pass
    abandoned.set()
    _signal(group, signal.SIGTERM)
    time.sleep(grace_s)
    _signal(group, signal.SIGKILL)


def _signal(group: int, what: signal.Signals) -> None:
    with contextlib.suppress(ProcessLookupError, PermissionError):
        os.killpg(group, what)


def _sweep() -> None:
    """Ends what the command left behind, also what left its process group: all of it has come to us."""
    while True:
        for pid in _children():
            with contextlib.suppress(ProcessLookupError, PermissionError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            return


def _children() -> list[int]:
    found: list[int] = []
    with contextlib.suppress(OSError):
        for task in pathlib.Path("/proc/self/task").iterdir():
            found += map(int, (task / "children").read_text("ascii").split())
    return found


if __name__ == "__main__":
    status = main(sys.argv[1:])
    os._exit(status)  # the thread that waits for the lifeline would keep an ordinary end waiting
