"""One row of the fault table: what a server does, in the words of a protocol, and what must follow."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from answers_said import Protocol
from scripted_server import Step

from smista_mcp.errors import Code

Script = Sequence[bytes | Step]
Charge = Literal["none", "uncertain", "counted"]
UNAVAILABLE, TIMEOUT, BUSY = Code.PROVIDER_UNAVAILABLE, Code.PROVIDER_TIMEOUT, Code.PROVIDER_RATE_LIMITED
PROTOCOL, AUTH, INVALID = Code.PROVIDER_PROTOCOL, Code.PROVIDER_AUTH, Code.PROVIDER_INVALID_REQUEST
WINDOW, NO_MODEL, EMPTY = Code.CONTEXT_WINDOW_EXCEEDED, Code.UNKNOWN_MODEL, Code.EMPTY_COMPLETION


@dataclass(frozen=True)
class Fault:
    """What a server does, and what must follow.

    Attributes:
        code: of the row; None where it is an answer all the same.
        next: whether the next candidate is asked.
        again: whether the same one would be asked again first, where repetitions are on.
        charged: whether it may have been charged, so that nobody knows what it cost: the row is `uncertain`.
        counted: whether the server has told what it counted, so that the cost is known.
        at: where it happens, for the page that people read.
        doubtful: whether the answer comes with a word that it may not be whole.
        deadline_s: seconds that the whole dispatch has.
    """

    name: str
    protocol: Protocol
    script: Script
    code: Code | None
    next: bool = True
    again: bool = False
    charged: bool = False
    counted: bool = False
    doubtful: bool = False
    at: Literal["status", "stream", "whole", "transport"] = "stream"
    deadline_s: float = 10

    @property
    def charge(self) -> Charge:
        """What becomes of the money: nothing can have been charged, nobody knows, or the server's own count."""
        return "uncertain" if self.charged else "counted" if self.counted else "none"

    @property
    def goes_on(self) -> bool:
        """Whether the next candidate is asked: it may be, and there is time left."""
        return self.code is not None and self.next and self.deadline_s > 1

    @property
    def row(self) -> str:
        return "completed" if self.code is None else "uncertain" if self.charged else "failed"
