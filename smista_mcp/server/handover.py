"""What passes from the front to the protocol library: the ends of the host, and what was said there already."""

import os
import select
import sys
from collections.abc import Mapping
from io import BufferedReader, RawIOBase, TextIOWrapper
from typing import TYPE_CHECKING, NamedTuple

from smista_mcp.server.handshake import Handshake

if TYPE_CHECKING:
    from _typeshed import WriteableBuffer

_PIECE = 1 << 16


class Wire(NamedTuple):
    """The two ends that the host holds, out of reach for whatever prints, reads or is started meanwhile."""

    source: int
    sink: int

    @classmethod
    def taken(cls) -> "Wire":
        """Takes them: from now on standard input is empty, and standard output goes to standard error."""
        sys.stdout.flush()
        wire = cls(os.dup(0), os.dup(1))
        nothing = os.open(os.devnull, os.O_RDONLY)
        os.dup2(nothing, 0)
        os.close(nothing)
        os.dup2(2, 1)
        # line by line: a process that cannot wait for its threads flushes nothing at its end
        sys.stdout = os.fdopen(1, "w", buffering=1, encoding="utf-8", errors="replace", closefd=False)
        return wire

    def read(self, most: int = _PIECE) -> bytes:
        """What has come, or the next that comes; nothing at the end."""
        while True:
            try:
                return os.read(self.source, most)
            except BlockingIOError:
                select.select([self.source], [], [])

    def write(self, data: bytes) -> None:
        """Writes all of it.

        Raises:
            OSError: nobody reads it.
        """
        while data:
            try:
                data = data[os.write(self.sink, data) :]
            except BlockingIOError:
                select.select([], [self.sink], [])


class Replayed(NamedTuple):
    """A request that is put again to the protocol library, and whose answer nobody gets.

    Attributes:
        id: its own.
        result: what the host was answered.
    """

    id: str
    result: Mapping[str, object]


class Handover(NamedTuple):
    """What the protocol library goes on with.

    Attributes:
        unread: the lines that come first: those of `replayed`, then what the host has sent and was not answered.
        replayed: what the host was answered; None for nothing.
    """

    wire: Wire
    unread: bytes
    replayed: Replayed | None

    @classmethod
    def of(cls, handshake: Handshake, wire: Wire, unread: bytes) -> "Handover":
        opening = handshake.opening
        if opening is None:
            return cls(wire, unread, None)
        replayed = Replayed(f"replayed-{os.urandom(8).hex()}", opening.result)
        return cls(wire, opening.replayed(replayed.id) + unread, replayed)

    def source(self) -> TextIOWrapper:
        """All lines for the library, as it reads standard input itself."""
        return TextIOWrapper(BufferedReader(_Source(self.unread, self.wire)), encoding="utf-8", errors="replace")

    def sink(self) -> TextIOWrapper:
        """Where the library writes; it is never closed, for a thread may still write there."""
        return TextIOWrapper(os.fdopen(self.wire.sink, "wb", closefd=False), encoding="utf-8")


class _Source(RawIOBase):
    """Bytes that are there already, then what the host sends."""

    def __init__(self, first: bytes, wire: Wire) -> None:
        self._first = memoryview(first)
        self._wire = wire

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: "WriteableBuffer", /) -> int:
        room = memoryview(buffer)
        piece = self._first[: len(room)] or self._wire.read(len(room))
        self._first = self._first[len(piece) :]
        room[: len(piece)] = piece
        return len(piece)
