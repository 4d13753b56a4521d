"""Server-sent events as model servers write them: lines in, one JSON object for each event out.

Servers differ; taken are: data lines with and without a space or a blank line after them, an event cut into several
data lines, comments between them, a byte order mark, `error:` lines, and a whole JSON body although a stream was
asked for.
"""

from abc import ABC, abstractmethod

from smista_mcp.providers import wirejson
from smista_mcp.providers.base import Event
from smista_mcp.providers.failures import not_of_protocol

_FIELDS = (b"event", b"id", b"retry")
"""Fields of an event stream that carry nothing for us: every protocol names an event in its data."""
_MAX_PIECES = 64
_MAX_PIECED = 256 * 1024
"""An event that comes in several data lines: at most so many, and so many bytes."""


class EventStream:
    """One body.

    Attributes:
        begun: whether anything of a stream was read.
        done: `[DONE]` was read.

    Args:
        of: of what it is a stream, for the words of an error.
    """

    __slots__ = ("_of", "_pending", "_whole", "begun", "done")

    def __init__(self, of: str) -> None:
        self._of = of
        self._pending: list[bytes] = []
        self._whole: list[bytes] | None = None
        self.begun = False
        self.done = False

    def feed(self, line: bytes) -> dict[str, object] | None:
        """Takes one line without its end; gives the object that it completes.

        Raises:
            ProviderError: `provider_protocol`: not an event stream, or an event that is not JSON.
        """
        if line.startswith(b"data:") and self._whole is None:
            self.begun = True
            return self._data(line[5:].strip())
        if self._whole is not None:
            self._whole.append(line)
            return None
        return self._other(line) if line else self._blank()

    def end(self) -> dict[str, object] | None:
        """Called at the end of the body: the object that is the whole body, None where it was a stream.

        Raises:
            ProviderError: `provider_protocol`: it is cut inside an event, or is no JSON object.
        """
        if self._whole is None:
            return self._blank()
        try:
            return wirejson.parse_object(b"\n".join(self._whole))
        except ValueError:
            raise not_of_protocol("is not complete JSON") from None

    def listed(self) -> list[dict[str, object]] | None:
        """The objects of a body that is one list of them, at its end; None where it is something else.

        Raises:
            ProviderError: `provider_protocol`: the list is cut, or holds something else.
        """
        text = b"\n".join(self._whole or ()).strip()
        if not text.startswith(b"["):
            return None
        try:
            return wirejson.parse_objects(text)
        except ValueError:
            raise not_of_protocol("is not a complete list of JSON objects") from None

    def _other(self, line: bytes) -> dict[str, object] | None:
        if not self.begun:
            line = line.removeprefix(b"\xef\xbb\xbf")
            if line.lstrip().startswith((b"{", b"[")):
                self._whole = [line]
                return None
            if line.startswith(b"data:"):
                return self.feed(line)
        name, colon, value = line.partition(b":")
        if name == b"error" and colon:  # older llama.cpp
            self.begun = True
            error = self._data(value.strip())
            return None if error is None else {"error": error}
        if not line.startswith(b":") and name not in _FIELDS:
            raise not_of_protocol(f"is not an event stream of {self._of}")
        self.begun = True
        return None

    def _blank(self) -> None:
        if any(self._pending):
            raise not_of_protocol("holds an event that is not JSON")
        self._pending.clear()  # an empty event

    def _data(self, payload: bytes) -> dict[str, object] | None:
        if self._pending:
            payload = self._joined(payload)
        elif payload == b"[DONE]":
            self.done = True
            return None
        try:
            found = wirejson.parse_object(payload)
        except ValueError:
            self._pending = self._pending or [payload]
            return None  # complete only with the next data line, or never
        if self._pending:
            self._pending = []
        return found

    def _joined(self, payload: bytes) -> bytes:
        self._pending.append(payload)
        joined = b"\n".join(self._pending)
        if len(self._pending) > _MAX_PIECES or len(joined) > _MAX_PIECED:
            raise not_of_protocol("holds an event that is not JSON")
        return joined


class EventDecoder(ABC):
    """A decoder of one answer whose events are JSON objects, or that comes as one object."""

    def __init__(self, of: str) -> None:
        self._events = EventStream(of)
        self._finished = False

    def feed(self, line: bytes) -> tuple[Event, ...]:
        """As in `Decoder`."""
        if self._finished:
            return ()
        event = self._events.feed(line)
        return () if event is None else self._event(event)

    def end(self) -> tuple[Event, ...]:
        """As in `Decoder`."""
        return () if self._finished else self._ended(self._events.end())

    @abstractmethod
    def _event(self, event: dict[str, object], /) -> tuple[Event, ...]:
        """What one event of the stream says."""

    @abstractmethod
    def _ended(self, whole: dict[str, object] | None) -> tuple[Event, ...]:
        """What is left to say at the end; `whole` is the object that was the whole body, None after a stream."""
