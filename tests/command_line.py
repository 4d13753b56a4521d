"""The command line as a process of its own, with a home and a folder that belong to the test."""

import json
import os
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import smista_mcp

PATIENCE_S = 50.0
NOTHING: Mapping[str, str] = {}
_MARKS = ("CLAUDE", "GEMINI", "OPENCODE", "SMISTA", "PYTHON", "ANTHROPIC", "OPENAI", "XDG")


@dataclass(frozen=True)
class Outcome:
    """What a command left behind when it ended."""

    status: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)

    @property
    def lines(self) -> list[Any]:
        return [json.loads(line) for line in self.out.splitlines()]


class Here(Protocol):
    """Runs a command in the process of the test."""

    def __call__(self, *arguments: str) -> Outcome: ...


@dataclass(frozen=True)
class CommandLine:
    """Runs `smista-mcp` in a folder."""

    home: Path
    folder: Path

    @property
    def account(self) -> Path:
        """The home folder of its user, whose skills and settings of git count."""
        return self.home.parent / "account"

    def run(
        self, *arguments: str, stdin: bytes = b"", before: str = "", variables: Mapping[str, str] = NOTHING
    ) -> Outcome:
        """Runs a command to its end; `before` is shell text that goes before it."""
        done = subprocess.run(
            self._after(before, arguments),
            input=stdin,
            capture_output=True,
            cwd=self.folder,
            env=self.environment(variables),
            timeout=PATIENCE_S,
            check=False,
        )
        return Outcome(done.returncode, done.stdout.decode(), done.stderr.decode())

    def started(self, *arguments: str, before: str = "", **streams: int) -> subprocess.Popen[bytes]:
        """Starts a command on pipes, or on the streams that are given; `before` as for `run`."""
        given = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE} | streams
        return subprocess.Popen(
            self._after(before and f"{before} exec", arguments),
            stdin=given["stdin"],
            stdout=given["stdout"],
            stderr=given["stderr"],
            cwd=self.folder,
            env=self.environment(),
        )

    def _after(self, before: str, arguments: Sequence[str]) -> list[str]:
        command = self.command(*arguments)
        return ["sh", "-c", f'{before} "$@"', "sh", *command] if before else command

    def command(self, *arguments: str) -> list[str]:
        return [sys.executable, "-m", "smista_mcp", *arguments]

    def environment(self, variables: Mapping[str, str] = NOTHING) -> dict[str, str]:
        kept = {name: value for name, value in os.environ.items() if not name.startswith(_MARKS)}
        own = {
            "SMISTA_HOME": str(self.home),
            "HOME": str(self.account),
            "PYTHONPATH": str(Path(smista_mcp.__file__).parents[1]),
        }
        return kept | own | dict(variables)
