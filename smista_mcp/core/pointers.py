"""Addresses of what a host can read: `smista://policy`, and where the rest of a long answer lies.

An address names a document and, behind `?from=`, the character at which reading begins. Whoever has one has no right
yet: what it names is looked up for the caller alone.
"""

import re
from typing import Final, Literal, NamedTuple

from smista_mcp.core.redaction import shown
from smista_mcp.errors import InvalidTask

SCHEME: Final = "smista://"
Kind = Literal["policy", "traces", "usage", "trace", "answer", "patch"]
LISTS: Final[tuple[Kind, ...]] = ("policy", "traces", "usage")
"""Documents that are always there."""
_PATTERN: Final = re.compile(
    r"smista://(?:(?P<list>policy|traces|usage)"
    r"|(?P<record>trace|answer)/(?P<id>[0-9a-fA-F]{8,64})"
    r"|(?P<part>answer|patch)/(?P<job>[0-9a-fA-F]{8,64})/(?P<phase>[0-9]{1,4}))"
    r"/?(?:\?from=(?P<start>[0-9]{1,9}))?"
)
_TAKEN: Final = (
    "write smista://policy, smista://traces, smista://usage, smista://trace/ID, or an address as an answer gave it"
)


class Pointer(NamedTuple):
    """An address, taken apart.

    Attributes:
        given: the id of a record or of a job; empty for a list.
        phase: of the job; None for all of it.
        start: the character of the document at which reading begins, from 0.
    """

    kind: Kind
    given: str = ""
    phase: int | None = None
    start: int = 0

    def __str__(self) -> str:
        parts = [self.kind, *([self.given] if self.given else []), *([] if self.phase is None else [str(self.phase)])]
        return f"{SCHEME}{'/'.join(parts)}{f'?from={self.start}' if self.start else ''}"


def pointer(uri: str) -> Pointer:
    """An address as it was written.

    Raises:
        InvalidTask: it is none of ours.
    """
    found = _PATTERN.fullmatch(uri.strip())
    if found is None:
        raise InvalidTask(f"`{shown(uri[:80])}` is no address of this server", fix=_TAKEN)
    start = int(found["start"] or 0)
    if found["list"]:
        return Pointer(_kind(found["list"]), start=start)
    if found["record"]:
        return Pointer(_kind(found["record"]), found["id"].lower(), start=start)
    return Pointer(_kind(found["part"]), found["job"].lower(), int(found["phase"]), start)


def _kind(word: str) -> Kind:
    return next(kind for kind in (*LISTS, "trace", "answer", "patch") if kind == word)
