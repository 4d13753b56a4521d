"""The state folder and the ledger in it: whether they can be used, and how they are."""

from collections.abc import Iterator
from typing import NamedTuple

from smista_mcp.core.diagnosis.marks import place
from smista_mcp.core.diagnosis.remarks import Remark, fine, note, wrong

_LARGE = 1_000_000_000
_LITTLE_SPACE = 100_000_000
_KEY_BYTES = 32
_AREA = "ledger"


class Held(NamedTuple):
    """A file or folder of ours.

    Attributes:
        mode: its rights, as `stat` has them.
        foreign: whether it belongs to another user.
        plain: whether it is what it should be, and no link.
        size: bytes.
    """

    path: str
    mode: int = 0o600
    foreign: bool = False
    plain: bool = True
    size: int = 0


class LedgerFacts(NamedTuple):
    """What an inspection found; it changes nothing.

    Attributes:
        folder: the state folder; None where it is not there yet, and the rest says nothing then.
        file: the ledger; None where there is none yet.
        key: the installation's key; None where there is none yet.
        refusal: why the folder is not believed, and what to do.
        failure: why the ledger cannot be used, and what to do.
        version: of its schema; `known` is the newest that this program knows.
        journal: its journal mode.
        locked: whether somebody held it for as long as we waited.
        whole: what SQLite's own check says: `ok`, a finding, or None where it was not finished.
        differing: which of what is kept beside the events is not what they say; None where that was not finished.
        decisions: how many are recorded.
        latest: when the last one was, in seconds since the epoch.
        free: bytes that are free on its disk; None where that is not known.
    """

    place: str
    folder: Held | None = None
    file: Held | None = None
    key: Held | None = None
    refusal: tuple[str, str] | None = None
    failure: tuple[str, str] | None = None
    version: int = 0
    known: int = 0
    journal: str = ""
    locked: bool = False
    whole: str | None = "ok"
    differing: tuple[str, ...] | None = ()
    decisions: int = 0
    latest: float | None = None
    free: int | None = None


def judge_ledger(seen: LedgerFacts) -> Iterator[Remark]:
    """Everything about the state folder."""
    if seen.refusal is not None:
        yield wrong(_AREA, "state_folder", *seen.refusal)
        return
    if seen.folder is None:
        yield fine(_AREA, "state_folder", f"{place(seen.place)} is made when it is first needed")
        return
    holding = list(_judge_held(seen))
    yield from holding
    if not holding:
        yield fine(_AREA, "permissions", f"{place(seen.folder.path)} is open to nobody else")
    yield from _judge_space(seen)
    if seen.file is None:
        yield fine(_AREA, "ledger", "there is no ledger yet; it is made when something is first recorded")
        return
    yield from _judge_file(seen, seen.file)


def _judge_held(seen: LedgerFacts) -> Iterator[Remark]:
    for held, most in ((seen.folder, 0o700), (seen.file, 0o600), (seen.key, 0o600)):
        if held is None:
            continue
        where = place(held.path)
        if not held.plain:
            said = f"{where} is a link, or not what it should be"
            yield wrong(_AREA, "permissions", said, "put the file or folder itself there, or move it away")
        elif held.foreign:
            fix = "let SMISTA_HOME name a folder of your own, or run as the user it belongs to"
            yield wrong(_AREA, "permissions", f"{where} belongs to another user", fix)
        elif held.mode & 0o777 & ~most:
            said = f"others may read or change {where} (mode {held.mode & 0o777:03o})"
            yield wrong(_AREA, "permissions", said, f"run `chmod {most:o}` on it")
    if seen.key is not None and seen.key.size != _KEY_BYTES:
        said = f"{place(seen.key.path)} is no key of {_KEY_BYTES} bytes"
        fix = "remove it; a new one is made, and ids of earlier decisions can then no longer be compared"
        yield wrong(_AREA, "key", said, fix)


def _judge_space(seen: LedgerFacts) -> Iterator[Remark]:
    if seen.free is not None and seen.free < _LITTLE_SPACE:
        said = f"{seen.free / 1_000_000:.0f} MB are left on the disk of the state folder"
        yield wrong(_AREA, "disk", said, "free some space: what cannot be recorded is not dispatched")


def _judge_file(seen: LedgerFacts, file: Held) -> Iterator[Remark]:
    where = place(file.path)
    if seen.failure is not None:
        yield wrong(_AREA, "ledger", *seen.failure)
        return
    if seen.locked:
        said = f"{where} is held by another program"
        yield wrong(_AREA, "lock", said, "try again; if it stays so, end the program that holds it")
        return
    if seen.version > seen.known:
        said = f"{where} has schema version {seen.version}; this smista-mcp knows {seen.known}"
        yield wrong(_AREA, "schema", said, "update smista-mcp, or let SMISTA_HOME name another folder")
        return
    if seen.journal.casefold() == "wal":
        said = f"{where} was put into WAL mode by another program, in which it can be damaged"
        yield wrong(_AREA, "journal", said, "close that program; it should leave the ledger alone")
    if seen.whole is None:
        said = f"{where} is so large that its check was not finished"
        yield note(_AREA, "integrity", said, "run `smista-mcp ledger check`, which takes its time")
    elif seen.whole != "ok":
        said = f"{where} is damaged: SQLite's check found faults"
        fix = "move it away (with its -journal file, if there is one); a new one is started"
        yield wrong(_AREA, "integrity", said, fix)
        return
    if seen.differing:
        said = f"totals in {where} are not what its events add up to: {', '.join(seen.differing)}"
        yield wrong(_AREA, "totals", said, "run `smista-mcp ledger check --mend`; they are made anew")
    size = f"{file.size / 1_000_000:.1f} MB"
    schema = f"schema version {seen.version}"
    if seen.version < seen.known:
        schema += f", brought to {seen.known} at its next use"
    said = f"{where}: {seen.decisions} decisions, {size}, {schema}"
    if file.size > _LARGE:
        fix = "a shorter `[ledger] keep_days` and `smista-mcp ledger vacuum` make it smaller; totals stay"
        yield note(_AREA, "size", said, fix)
    else:
        yield fine(_AREA, "ledger", said)
