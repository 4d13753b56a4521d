#!/usr/bin/env python3
"""Cuts the power at every moment of a ledger's work, on a disk that is a model, and looks for what is lost or damaged.

  python scripts/cut_power.py [--synchronous EXTRA] [--choices 4] [--seed 1] [--lies]

Needs `strace`, which tells what a process writes and syncs. A kill leaves to the system what was written; a power cut
takes what no sync has brought to the disk. So every step that a ledger knows is taken once, watched; then, for each
call that it has made, the files are built as a disk may hold them if the power goes right after it: all that was
synced, and of the rest anything, in any order, torn at any sector of 512 bytes; names are made and removed in order, up
to any of them. Of what is open the ledger has to be sound, and has to hold all that had been told by then. With
`--synchronous FULL` one can see what EXTRA is for; with `--lies`, what a disk does that ignores syncs.
"""

import argparse
import json
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests"), str(Path(__file__).parents[1])]

from ledger_story import Told, integrity, missing, steps  # noqa: E402

from smista_mcp.errors import StateUnavailable  # noqa: E402
from smista_mcp.ledger import Ledger  # noqa: E402

SECTOR = 512
CALLS = "openat,pwrite64,write,ftruncate,fdatasync,fsync,unlink,link"
_LINE = re.compile(r"^(?:\d+ +)?(\w+)\((.*)\) += (-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')
_HANDLE = re.compile(r"^\d+<([^>]*)>")


class Connection(sqlite3.Connection):
    """One that is as careful as it is told to be."""

    level = "EXTRA"

    def execute(self, sql: str, parameters: Any = (), /) -> sqlite3.Cursor:  # noqa: ANN401  as above it
        return super().execute(sql.replace("synchronous = EXTRA", f"synchronous = {self.level}"), parameters)


def work(folder: Path, synchronous: str) -> None:
    """Takes every step, and says so in a file once it is done."""
    Connection.level = synchronous
    setattr(sqlite3, "connect", partial(sqlite3.connect, factory=Connection))  # noqa: B010  to show what it is for
    ledger = Ledger.open(folder / "state")
    with (folder / "told").open("a", encoding="utf-8", buffering=1) as file:
        for name in ("one", "two"):
            for step in steps(ledger, name, vacuums=name == "two"):
                file.write(json.dumps(step()) + "\n")


# ------------------------------------------------------------------------------------------------- a model of a disk


@dataclass
class Inode:
    """A file: what is on the disk, and what was written since, in order, as a place and bytes or a length."""

    kept: bytearray = field(default_factory=bytearray)
    pending: list[tuple[int, bytes | None]] = field(default_factory=list[tuple[int, bytes | None]])
    end: int = 0

    def sync(self) -> None:
        for change in self.pending:
            _apply(self.kept, change)
        self.pending.clear()

    def cut(self, chance: random.Random, share: float) -> bytes:
        """What may be there after a cut, of each change with this chance."""
        content = bytearray(self.kept)
        for place, data in self.pending:
            if data is None:
                if chance.random() < share:
                    _apply(content, (place, None))
                continue
            for start in range(0, len(data), SECTOR):
                if chance.random() < share:
                    _apply(content, (place + start, data[start : start + SECTOR]))
        return bytes(content)


def _apply(content: bytearray, change: tuple[int, bytes | None]) -> None:
    place, data = change
    if data is None:
        del content[place:]
        content.extend(bytes(place - len(content)))
        return
    content.extend(bytes(max(0, place - len(content))))
    content[place : place + len(data)] = data


@dataclass
class Disk:
    """One folder, and what was told."""

    names: dict[str, Inode] = field(default_factory=dict[str, Inode])
    kept: dict[str, Inode] = field(default_factory=dict[str, Inode])
    pending: list[tuple[str, Inode | None]] = field(default_factory=list[tuple[str, Inode | None]])

    def name(self, name: str, inode: Inode | None) -> None:
        self.pending.append((name, inode))
        _named(self.names, name, inode)

    def sync(self) -> None:
        self.kept = dict(self.names)
        self.pending.clear()

    def cut(self, chance: random.Random, share: float) -> dict[str, bytes]:
        """The files as they may be after a cut."""
        names, most = dict(self.kept), len(self.pending)
        done = {0.0: 0, 1.0: most}.get(share, chance.randint(0, most))
        for name, inode in self.pending[:done]:
            _named(names, name, inode)
        return {name: inode.cut(chance, share) for name, inode in names.items()}


def _named(names: dict[str, Inode], name: str, inode: Inode | None) -> None:
    if inode is None:
        names.pop(name, None)
    else:
        names[name] = inode


def played(log: Path, folder: Path, *, lies: bool) -> Iterator[tuple[str, Disk, list[Told]]]:
    """The calls that change something, one after the other, with the disk after each and what was told by then."""
    disk, told, state = Disk(), list[Told](), str(folder / "state")
    for line in log.read_text(encoding="utf-8").splitlines():
        found = _LINE.match(line)
        if found is None or int(found[3]) < 0:
            continue
        call, words = found[1], found[2]
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(words)]
        handle = _HANDLE.match(words)
        where = _plain(handle[1]) if handle and call != "openat" else texts[0].decode(errors="replace")
        if where == str(folder / "told"):
            told += [json.loads(one) for one in texts[0].splitlines()] if call == "write" else []
            continue
        if where != state and Path(where).parent != Path(state):
            continue
        name = Path(where).name
        if call == "openat" and ("O_CREAT" not in words or name in disk.names):
            continue
        _change(disk, call, name, words, texts, is_folder=where == state, lies=lies)
        yield f"{call} {name}", disk, told


def _change(  # noqa: PLR0913  what a line says
    disk: Disk, call: str, name: str, words: str, texts: list[bytes], *, is_folder: bool, lies: bool
) -> None:
    if call == "openat":
        disk.name(name, Inode())
    elif call == "unlink":
        disk.name(name, None)
    elif call == "link":
        disk.name(Path(texts[1].decode()).name, disk.names[name])
    elif call in ("fdatasync", "fsync"):
        if not lies:
            disk.sync() if is_folder else disk.names[name].sync()
    else:
        inode = disk.names[name]
        last = int(words.rpartition(", ")[2])
        if call == "ftruncate":
            inode.pending.append((last, None))
        else:
            place = last if call == "pwrite64" else inode.end
            inode.pending.append((place, texts[0]))
            inode.end = place + len(texts[0])


def _plain(path: str) -> str:
    return bytes.fromhex(path.replace("\\x", "")).decode() if path.startswith("\\x") else path


# --------------------------------------------------------------------------------------------------------------- all


@dataclass
class Found:
    """What was seen over all cuts."""

    cuts: int = 0
    lost: int = 0
    damaged: int = 0
    examples: list[str] = field(default_factory=list[str])


def judge(files: dict[str, bytes], told: list[Told], place: Path, after: str, found: Found) -> None:
    """Opens what is left after a cut."""
    state = place / "state"
    state.mkdir(mode=0o700, parents=True)
    for name, content in files.items():
        (state / name).write_bytes(content)
    found.cuts += 1
    try:
        ledger = Ledger.open(state)
        said = integrity(ledger)
        lost = missing(ledger, told) if said == "ok" else []
    except StateUnavailable as error:
        said, lost = error.message, []
    found.damaged += said != "ok"
    found.lost += bool(lost)
    if said != "ok" or lost:
        found.examples.append(f"after {after}: {said} {lost[:2]}")
    shutil.rmtree(place)


def main() -> int:
    """The command."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--synchronous", choices=("OFF", "NORMAL", "FULL", "EXTRA"), default="EXTRA")
    parser.add_argument("--choices", type=int, default=4, help="of what is on the disk, for each cut")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--step", type=int, default=1, help="every so many calls only")
    parser.add_argument("--lies", action="store_true")
    parser.add_argument("--run", type=Path, help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.run is not None:
        work(options.run, options.synchronous)
        return 0
    if shutil.which("strace") is None:
        print("strace is not here: install it, for nothing else tells what is written and synced", file=sys.stderr)
        return 2
    found, chance = Found(), random.Random(options.seed)  # noqa: S311  chance, no secrets
    with tempfile.TemporaryDirectory() as made:
        folder = Path(made).resolve()
        log = folder / "calls"
        watched = ["strace", "-f", "-y", "-xx", "-s", "100000", "-o", str(log), "-e", f"trace={CALLS}"]
        command = [sys.executable, __file__, "--run", str(folder), "--synchronous", options.synchronous]
        subprocess.run([*watched, *command], check=True)
        calls = 0
        for calls, (after, disk, told) in enumerate(played(log, folder, lies=options.lies), 1):
            for number in range(options.choices if calls % options.step == 0 else 0):
                share = (0.0, 1.0)[number] if number < 2 else chance.uniform(0.2, 0.8)
                judge(disk.cut(chance, share), told, folder / "cut", f"call {calls}, {after}", found)
    print(f"{calls} calls, {found.cuts} cuts; damaged {found.damaged}, something told is lost {found.lost}")
    print(*found.examples[:10], sep="\n")
    good = bool(calls) and not found.damaged and not found.lost
    print("good" if good else "NOT GOOD")
    return 0 if good else 1


if __name__ == "__main__":
    sys.exit(main())
