"""Cutting a body into lines, wherever the network cut it."""

from smista_mcp.errors import Cause, Code, ProviderError

MAX_LINE = 4 * 1024 * 1024
MAX_BODY = 64 * 1024 * 1024


class LineSplitter:
    """Takes the chunks of one body, gives its lines without LF or CRLF. Linear in the body, however it is cut.

    Raises `provider_protocol` from `feed` once a line or the body is longer than any answer has reason to be.
    """

    def __init__(self, *, max_line: int = MAX_LINE, max_body: int = MAX_BODY) -> None:
        self._max_line = max_line
        self._left = max_body
        self._begun: list[bytes] = []
        self._begun_size = 0

    def feed(self, chunk: bytes) -> list[bytes]:
        """The lines that this chunk completes."""
        self._left -= len(chunk)
        if self._left < 0:
            raise _too_long("body")
        first, *others = chunk.split(b"\n")
        if not others:
            self._keep(first)
            return []
        if self._begun:
            self._begun.append(first)
            first = b"".join(self._begun)
            self._begun.clear()
            self._begun_size = 0
        lines = [first, *others]
        self._keep(lines.pop())
        if len(chunk) > self._max_line or len(first) > self._max_line:
            self._check(lines)
        return [line[:-1] if line.endswith(b"\r") else line for line in lines]

    def rest(self) -> bytes:
        """What stands after the last line break; empty where nothing does."""
        line = b"".join(self._begun)
        return line[:-1] if line.endswith(b"\r") else line

    def _keep(self, part: bytes) -> None:
        if part:
            self._begun.append(part)
            self._begun_size += len(part)
            if self._begun_size > self._max_line:
                raise _too_long("line")

    def _check(self, lines: list[bytes]) -> None:
        if any(len(line) > self._max_line for line in lines):
            raise _too_long("line")


def _too_long(what: str) -> ProviderError:
    text = f"a {what} of the answer is longer than allowed"
    return ProviderError(text, code=Code.PROVIDER_PROTOCOL, sent=True, cause=Cause.TOO_LONG)
