"""Real trees of files, made from the lines of a table, and what comes in about them: the cases of `path_cases.toml`."""

import os
import re
import shlex
import socket
import stat
import subprocess
import tomllib
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from smista_mcp.core.task import Attachment, Task

CANARY = "kestrel-canary"
"""Stands in every restricted content."""
MARK = "plain-sparrow"
"""Stands in every free one."""
CASES = Path(__file__).parent / "privacy/path_cases.toml"
RESTRICTED = (".env", "secrets/**", "*.pem", "*.key")
_GIT = ("git", "-c", "user.name=t", "-c", "user.email=t@example.invalid", "-c", "init.defaultBranch=main")
_SPARSE = 3_000_000_000


@dataclass(frozen=True)
class Case:
    """One way in which something of a tree comes in.

    Attributes:
        group: what it is a case of.
        outcome: `sent` (free, and it arrives), `local` (a local model gets it, a remote one nothing), `without` (the
            remote model is asked, without it), `unseen` (nobody gets it), else the code of a refusal.
        row: as in the table.
    """

    group: str
    number: int
    outcome: str
    row: Mapping[str, Any] = field(hash=False)

    @property
    def kept(self) -> bool:
        return self.outcome != "sent"

    @property
    def name(self) -> str:
        return f"{self.group} [{self.outcome} {self.number}]: {dict(self.row)!r}"

    @property
    def word(self) -> str:
        return CANARY if self.kept else MARK

    def task(self, tree: "Tree") -> Task:
        said = {name: tree.filled(text) for name, text in self.row.items() if isinstance(text, str)}
        diff = said.get("diff")
        if "made" in said:
            diff = tree.run(said["made"])
        content = said.get("content", f"{self.word}\n")
        return Task(
            text=said.get("text", "explain this"),
            intent=self.row.get("intent"),
            paths=tuple(tree.filled(path) for path in self.row.get("paths", ())),
            diff=None if diff is None else diff.replace("{mark}", self.word),
            attachments=tuple(
                Attachment(path=tree.filled(path), content=content) for path in self.row.get("attach", ())
            ),
        )


@dataclass(frozen=True)
class Group:
    """Cases over one tree."""

    name: str
    steps: Sequence[str]
    policy: str
    restricted: Sequence[str]
    cases: Sequence[Case]
    below: str = ""


def groups() -> list[Group]:
    """All groups of the table."""
    table = tomllib.loads(CASES.read_text(encoding="utf-8"))["group"]
    return [_group(entry) for entry in table]


def _group(entry: Mapping[str, Any]) -> Group:
    defaults = {name: entry[name] for name in ("text", "intent") if name in entry}
    cases: list[Case] = []
    for outcome in ("sent", "local", "without", "unseen", "path_outside_workspace", "invalid_task"):
        rows = [{"paths": [row]} if isinstance(row, str) else row for row in entry.get(outcome, ())]
        cases += [Case(entry["name"], place, outcome, {**defaults, **row}) for place, row in enumerate(rows)]
    patterns = entry.get("restricted", RESTRICTED)
    return Group(entry["name"], entry["tree"], entry.get("policy", ""), patterns, cases, entry.get("below", ""))


class Tree:
    """Folders of a test in which a group's steps are carried out.

    Args:
        place: an empty folder; the workspace is `work` in it, and `out` beside it is outside.
        below: the workspace's root below `work`, where that is not the root itself.
    """

    def __init__(self, place: Path, below: str = "") -> None:
        self.top = place / "work"
        self.root = self.top / below
        self.out = place / "out"
        self.home = place / "home"
        self._open: list[socket.socket] = []
        for folder in (self.root, self.out, self.home):
            folder.mkdir(parents=True, exist_ok=True)

    def filled(self, text: str) -> str:
        for name, value in self._words():
            text = text.replace(name, value)
        return text

    def _words(self) -> Iterator[tuple[str, str]]:
        yield "{root}", str(self.root)
        yield "{out}", str(self.out)
        yield "{home}", str(self.home)
        yield "{cwd}", self.root.name
        yield "{255}", "n" * 255
        yield "{deep}", "/".join(["d"] * 120)
        yield "{pid}", str(os.getpid())

    def grow(self, steps: Sequence[str]) -> None:
        for step in steps:
            verb, _, rest = step.partition(" ")
            self._do(verb, self.filled(rest))

    def close(self) -> None:
        for one in self._open:
            one.close()

    def run(self, command: str) -> str:
        """The output of a command in the root; `diff` may say that it found differences."""
        home = {"HOME": str(self.home), "PATH": os.environ.get("PATH", os.defpath), "LC_ALL": "C.UTF-8"}
        words = shlex.split(command)
        if words[0] == "git":
            words[:1] = _GIT
        done = subprocess.run(words, cwd=self.root, env=home, check=False, capture_output=True)
        assert done.returncode in (0, 1), (command, done.stderr)
        return done.stdout.decode("utf-8", "replace")

    def _do(self, verb: str, rest: str) -> None:
        if verb == "run":
            self.run(rest)
            return
        first, _, second = rest.partition(" -> ")
        path = self.root / os.fsdecode(_octets(first))
        path.parent.mkdir(parents=True, exist_ok=True)
        if verb in ("secret", "free"):
            with path.open("a", encoding="utf-8") as file:
                file.write(f"{CANARY if verb == 'secret' else MARK} one\nand two\n")
            return
        self._makers[verb](path, second)

    @property
    def _makers(self) -> Mapping[str, Callable[[Path, str], object]]:
        return {
            "link": lambda path, target: path.symlink_to(os.fsdecode(_octets(target))),
            "hard": lambda path, other: path.hardlink_to(self.root / other),
            "write": lambda path, text: path.write_text(text.replace("\\n", "\n"), encoding="utf-8"),
            "bytes": lambda path, text: path.write_bytes(_octets(text)),
            "dir": lambda path, _: path.mkdir(exist_ok=True),
            "fifo": lambda path, _: os.mkfifo(path),
            "null": lambda path, _: os.mknod(path, 0o666 | stat.S_IFCHR, os.makedev(1, 3)),
            "sparse": lambda path, _: _sparse(path),
            "socket": lambda path, _: self._listen(path),
        }

    def _listen(self, path: Path) -> None:
        one = socket.socket(socket.AF_UNIX)
        self._open.append(one)
        handle = os.open(path.parent, os.O_RDONLY)  # the address itself would be too long
        try:
            one.bind(f"/proc/self/fd/{handle}/{path.name}")
        finally:
            os.close(handle)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.write(f"{CANARY}\n".encode())
        file.truncate(_SPARSE)


def _octets(text: str) -> bytes:
    """A name as bytes; `<ff>` stands for one byte."""
    return re.sub(rb"<([0-9a-f]{2})>", lambda match: bytes.fromhex(match[1].decode()), text.encode())
