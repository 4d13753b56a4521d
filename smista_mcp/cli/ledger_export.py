"""`ledger export`: the record of decisions for others, as lines of JSON or as spans for a collector."""

import json
import os
import re
import stat
import tomllib
from collections.abc import Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, TextIO, cast

from smista_mcp.app.exporting import Export, masks_of
from smista_mcp.app.world import utc_now
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import STDIN, opened, read_text
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import note, put, put_json
from smista_mcp.core.masking import Mask
from smista_mcp.errors import InvalidTask, StateUnavailable
from smista_mcp.ledger import Ledger
from smista_mcp.tracing.exporting import sent_records

_DAYS = re.compile(r"([1-9][0-9]{0,4})d\Z")
_MAX_MASK = 100_000
"""Characters of a file of masks."""


def export(options: Options) -> int:
    """Writes every decision on record with its attempts, receipts, approvals and outcomes, oldest first."""
    world = opened(options).world
    since = None if options.since is None else _moment(options.since)
    masks = masks_of(world, more=options.masked, given=() if options.mask is None else _masks(options.mask))
    if not Ledger.is_there(world.own_state()):
        note("there is no ledger yet; it is made when something is first recorded")
        return DONE
    found = Export(world, world.open_ledger(), masks, since)
    if options.otel:
        _told(options, sent_records(found.lines(), os.environ), "sent")
    elif options.jsonl is None or str(options.jsonl) == STDIN:
        for line in _texts(found.lines()):
            put(line)
    else:
        _told(options, _written(options.jsonl, found.lines()), "written")
    if found.unread:
        note(f"{found.unread} decisions are left out: another version recorded them")
    return DONE


def _told(options: Options, count: int, what: str) -> None:
    if options.json:
        put_json({"decisions": count, "done": what})
    else:
        put(f"{count} decisions {what}")


def _texts(lines: Iterable[dict[str, Any]]) -> Iterator[str]:
    return (json.dumps(line, ensure_ascii=True, separators=(",", ":")) for line in lines)


def _written(file: Path, lines: Iterable[dict[str, Any]]) -> int:
    count = 0
    with _private(file) as stream:
        for text in _texts(lines):
            stream.write(f"{text}\n")
            count += 1
    return count


@contextmanager
def _private(file: Path) -> Generator[TextIO]:
    """A file that its owner alone may read; in place of what was in it."""
    flags = os.O_WRONLY | os.O_CREAT | getattr(os, "O_NOFOLLOW", 0)
    try:
        descriptor = os.open(file, flags, 0o600)
    except OSError as error:
        raise StateUnavailable(f"`{file}` cannot be written: {error.strerror}", fix="name another file") from error
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        if stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.fchmod(descriptor, 0o600)
            os.ftruncate(descriptor, 0)
        yield stream


def _moment(given: str) -> datetime:
    """The moment that a day, a time or a number of days stands for.

    Raises:
        InvalidTask: it is none of these.
    """
    days = _DAYS.match(given)
    if days is not None:
        return utc_now() - timedelta(days=int(days[1]))
    try:
        moment = datetime.fromisoformat(given)
    except ValueError:
        raise InvalidTask(f"`{given[:40]}` is no time", fix="write for example 2026-11-20, or 7d for a week") from None
    return moment if moment.tzinfo is not None else moment.replace(tzinfo=UTC)


def _masks(file: Path) -> Sequence[str]:
    """The rules of a file: `mask = ["hash **.path", ...]`, as a policy writes them.

    Raises:
        InvalidTask: there are none, or one of them is wrong.
    """
    text = read_text(file, _MAX_MASK, "file of masks", regular=True)
    fix = 'write for example mask = ["hash **.path", "drop decision.reason"]'
    try:
        rules: object = tomllib.loads(text).get("mask")
    except tomllib.TOMLDecodeError as error:
        raise InvalidTask(f"`{file}` is not TOML: {error}", fix=fix) from None
    if not isinstance(rules, list) or not all(isinstance(rule, str) for rule in cast("list[object]", rules)):
        raise InvalidTask(f"`{file}` has no list `mask`", fix=fix)
    for rule in cast("list[str]", rules):
        try:
            Mask.of(rule)
        except ValueError as error:
            raise InvalidTask(f"`{rule[:80]}` {error}", fix=fix) from None
    return cast("list[str]", rules)
