"""The text of HTTP/1.1: a request's head written, an answer's head read, its body cut out of what frames it.

Pure, linear in what is read, and strict: what is no HTTP/1.1, or could be read in two ways, is `BadAnswer`.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple, Protocol

Headers = Sequence[tuple[bytes, bytes]]

_MAX_HEAD = 64 * 1024
_MAX_LINE = 4 * 1024
"""Bytes of the line that says how long a chunk is, and of a trailer."""
_MAX_TRAILERS = 64
_END_OF_HEAD = re.compile(rb"\n\r?\n")
_STATUS_LINE = re.compile(rb"HTTP/1\.([01]) ([1-9][0-9]{2})(?: [^\x00\r\n]*)?")
_FIELD = re.compile(rb"([!#$%&'*+.^_`|~0-9A-Za-z-]{1,256}):[ \t]*([^\x00\r\n]*)")
_UNSENDABLE = re.compile(rb"[\x00\r\n]")
_LENGTH = re.compile(rb"[0-9]{1,18}")
_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:;.*|[ \t]*)", re.DOTALL)
_NO_BODY = (204, 304)


class BadAnswer(Exception):
    """What came is no answer in HTTP/1.1."""


class Head(NamedTuple):
    """The head of an answer.

    Attributes:
        headers: names as they were written.
        persists: whether the server says that its connection may serve another request.
    """

    status: int
    headers: Headers
    persists: bool

    def values(self, name: bytes) -> list[bytes]:
        """The values of a header, cut at their commas, in lower case; `name` is in lower case."""
        lines = (value for key, value in self.headers if key.lower() == name)
        return [part.strip(b" \t").lower() for line in lines for part in line.split(b",")]


class Framing(Protocol):
    """What tells where a body ends.

    Attributes:
        done: it has ended.
        surplus: something came behind it.
    """

    done: bool
    surplus: bool

    def feed(self, data: bytes) -> bytes:
        """Takes the next bytes, gives what of them is body.

        Raises:
            BadAnswer: they are framed wrongly.
        """
        ...

    def end(self) -> bytes:
        """Told that nothing more comes.

        Raises:
            BadAnswer: the body is not complete.
        """
        ...


def written_head(method: str, target: bytes, headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The head of a request.

    Raises:
        ValueError: a part of it would be read as more than itself.
    """
    lines = [method.encode("ascii") + b" " + target + b" HTTP/1.1"]
    lines += [name + b": " + value for name, value in headers]
    if any(map(_UNSENDABLE.search, lines)):
        raise ValueError("a header holds a line break")
    return b"\r\n".join((*lines, b"", b""))


def read_head(data: bytes) -> tuple[Head, bytes] | None:
    """The head at the beginning, and what follows it; None where it is not complete.

    Raises:
        BadAnswer: there is none, or one that is longer than any.
    """
    end = _END_OF_HEAD.search(data)
    if len(data) > _MAX_HEAD and (end is None or end.end() > _MAX_HEAD):
        raise BadAnswer("the head of the answer is longer than allowed")
    if end is None:
        return None
    first, *lines = [line.removesuffix(b"\r") for line in data[: end.start()].split(b"\n")]
    status = _STATUS_LINE.fullmatch(first)
    if status is None:
        raise BadAnswer("its first line is none of HTTP/1.1")
    headers: list[tuple[bytes, bytes]] = []
    for line in lines:
        field = _FIELD.fullmatch(line)
        if field is None:
            raise BadAnswer("its head holds a line that is no header")
        headers.append((field[1], field[2].rstrip(b" \t")))
    head = Head(int(status[2]), headers, persists=False)
    return head._replace(persists=status[1] == b"1" and b"close" not in head.values(b"connection")), data[end.end() :]


def framing_of(head: Head) -> Framing:
    """What frames the body of an answer to a POST or GET.

    Raises:
        BadAnswer: its headers contradict each other, or name a coding that was not asked for.
    """
    codings, lengths = head.values(b"transfer-encoding"), set(head.values(b"content-length"))
    if codings not in ([], [b"chunked"]) or len(lengths) + len(codings) > 1:
        raise BadAnswer("its headers do not say in one way where it ends")
    length = next(iter(lengths), b"0")
    if not _LENGTH.fullmatch(length):
        raise BadAnswer("its headers do not say how long it is")
    if head.status in _NO_BODY or head.status < 200:
        return Sized(0)
    if codings:
        return Chunked()
    return Sized(int(length)) if lengths else UntilClosed()


class Sized:
    """A body whose length was told before it."""

    def __init__(self, size: int) -> None:
        self._left = size
        self.done = not size
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        body = data[: self._left]
        self._left -= len(body)
        self.done = not self._left
        self.surplus = self.surplus or len(body) < len(data)
        return body

    def end(self) -> bytes:
        raise BadAnswer("the connection ended inside the body")


class UntilClosed:
    """A body that ends with its connection."""

    done = False
    surplus = True

    def feed(self, data: bytes) -> bytes:
        return data

    def end(self) -> bytes:
        self.done = True
        return b""


class Chunked:
    """A body in chunks, each behind its size."""

    def __init__(self) -> None:
        self._left = 0
        self._behind = False  # the line break that ends a chunk comes next
        self._trailers: int | None = None  # those that were read, once the last chunk was
        self._line: bytes = b""
        self.done = False
        self.surplus = False

    def feed(self, data: bytes) -> bytes:
        data = self._line + data
        self._line = b""
        body: list[bytes] = []
        at, end = 0, len(data)
        while at < end and not self.done:
            if self._left:
                piece = data[at : at + self._left]
                body.append(piece)
                at += len(piece)
                self._left -= len(piece)
                self._behind = not self._left
                continue
            stop = data.find(b"\r\n", at, at + _MAX_LINE)
            if stop < 0:
                if end - at >= _MAX_LINE:
                    raise BadAnswer("a chunk begins with no size")
                self._line = data[at:]
                break
            self._take(data[at:stop])
            at = stop + 2
        self.surplus = self.done and at < end
        return b"".join(body)

    def end(self) -> bytes:
        raise BadAnswer("the connection ended inside the body")

    def _take(self, line: bytes) -> None:
        if self._behind:
            if line:
                raise BadAnswer("a chunk is longer than it says")
            self._behind = False
        elif self._trailers is not None:
            self._trailers += 1
            self.done = not line
            if self._trailers > _MAX_TRAILERS:
                raise BadAnswer("there is more behind the body than any has")
        else:
            size = _SIZE.fullmatch(line)
            if size is None:
                raise BadAnswer("a chunk begins with no size")
            self._left = int(size[1], 16)
            self._trailers = None if self._left else 0
