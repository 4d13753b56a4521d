"""A command on a terminal of its own, and what it shows there."""

import os
import pty
import subprocess
from collections.abc import Generator
from contextlib import contextmanager

from command_line import CommandLine


@contextmanager
def on_terminal(shell: CommandLine, *arguments: str) -> Generator[tuple[subprocess.Popen[bytes], int]]:
    """A command whose three streams are one terminal; gives our end of it."""
    ours, theirs = pty.openpty()
    process = shell.started(*arguments, stdin=theirs, stdout=theirs, stderr=theirs)
    os.close(theirs)
    try:
        yield process, ours
    finally:
        process.kill()
        process.wait()
        os.close(ours)


def read_until(ours: int, words: bytes) -> bytes:
    """What a terminal shows until the words stand there, or the command has ended."""
    shown = b""
    while words not in shown:
        try:
            piece = os.read(ours, 65536)
        except OSError:  # how Linux tells the end
            return shown
        if not piece:
            return shown
        shown += piece
    return shown
