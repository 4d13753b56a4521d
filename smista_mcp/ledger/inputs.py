"""What decisions were made from: policy, servers, budgets, host; each kept once, under the hash that decisions name.

It is what lets a decision be made again. It holds labels, names and amounts, and no text of a task; what the redactor
would change is not kept at all, because half of an input decides nothing.
"""

import sqlite3
from collections.abc import Mapping, Sequence
from datetime import datetime
from functools import lru_cache
from pathlib import Path
from typing import NamedTuple

from smista_mcp.core.digests import digest_of
from smista_mcp.core.redaction import redacted
from smista_mcp.ledger.database import reading
from smista_mcp.ledger.records import Kept
from smista_mcp.ledger.spending import timestamp

_DAY = len("2026-11-20")


class KeptInputs(NamedTuple):
    """What is kept of the inputs of a decision.

    Attributes:
        bodies: name -> body, as it was kept.
        altered: names of those whose body is not what was kept: it counts for nothing.
    """

    bodies: dict[str, str]
    altered: tuple[str, ...] = ()


class InputBook:
    """The kept inputs of one ledger.

    Every method raises `StateUnavailable` where the ledger cannot be read.
    """

    def __init__(self, folder: Path, busy_s: float) -> None:
        self._folder = folder
        self._busy_s = busy_s

    def of(self, inputs: Mapping[str, str]) -> KeptInputs:
        """What is kept of the inputs of a decision.

        Args:
            inputs: name -> hash, as in a decision.
        """
        with reading(self._folder, self._busy_s) as db:
            found: dict[str, str] = {}
            altered: list[str] = []
            for name, digest in inputs.items():
                query = "SELECT body, sha256 FROM input WHERE digest = ? AND name = ?"
                body, sha256 = db.execute(query, (digest, name)).fetchone() or (None, None)
                if body is None:
                    continue
                if digest_of(body) == sha256:
                    found[name] = body
                else:
                    altered.append(name)
        return KeptInputs(found, tuple(altered))


def keep(db: sqlite3.Connection, inputs: Sequence[Kept], at: datetime) -> None:
    """Keeps what is not kept yet, in a transaction, and notes for the rest that it is in use."""
    if not inputs:
        return
    day = timestamp(at)[:_DAY]
    places = ", ".join("(?, ?)" for _ in inputs)
    query = f"SELECT digest, name, used_on FROM input WHERE (digest, name) IN (VALUES {places})"  # noqa: S608  our own words
    values = [part for one in inputs for part in one[:2]]
    known = {(digest, name): used_on for digest, name, used_on in db.execute(query, values)}
    for one in dict(zip((one[:2] for one in inputs), inputs, strict=True)).values():
        used_on = known.get((one.digest, one.name))
        if used_on is None:
            body = one.body if isinstance(one.body, str) else one.body()
            if _is_clean(body):
                values = (one.digest, one.name, day, digest_of(body), body)
                db.execute("INSERT INTO input (digest, name, used_on, sha256, body) VALUES (?, ?, ?, ?, ?)", values)
        elif used_on < day:
            db.execute("UPDATE input SET used_on = ? WHERE digest = ? AND name = ?", (day, *one[:2]))


@lru_cache(maxsize=16)
def _is_clean(body: str) -> bool:
    """Whether the redactor leaves it as it is."""
    return redacted(body) == body
