"""The two pipes of a host: what comes in, what goes out, and what is still owed when input ends.

The protocol library drops a line that it cannot read, so that its sender waits in vain, and at the end of input it
drops the calls in flight. Here such a line is answered, and calls in flight get a moment.
"""

import json
import logging
from abc import ABC, abstractmethod
from collections.abc import Callable
from types import TracebackType
from typing import Protocol, Self

import anyio
from mcp.shared.message import SessionMessage
from mcp_types import (
    INVALID_REQUEST,
    PARSE_ERROR,
    ErrorData,
    JSONRPCError,
    JSONRPCNotification,
    JSONRPCRequest,
    JSONRPCResponse,
    RequestId,
)
from pydantic import ValidationError

from smista_mcp.server.handover import Replayed

_log = logging.getLogger(__name__)

GRACE_S = 0.3
"""Seconds for calls in flight at the end of input: `printf ... | smista-mcp serve-stdio` shall be answered."""


class Incoming(Protocol):
    async def receive(self) -> SessionMessage | Exception: ...
    async def aclose(self) -> None: ...


class Outgoing(Protocol):
    async def send(self, item: SessionMessage, /) -> None: ...
    async def aclose(self) -> None: ...


class _Closing(ABC):
    """A stream that its user closes by leaving it."""

    @abstractmethod
    async def aclose(self) -> None:
        """Ends it."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_val: BaseException | None, exc_tb: TracebackType | None
    ) -> None:
        await self.aclose()


class Answers(_Closing):
    """What goes out, and which requests it still owes an answer.

    Args:
        sink: where to.
        replayed: a request whose answer goes nowhere, for the host has it.
    """

    def __init__(self, sink: Outgoing, replayed: Replayed | None = None) -> None:
        self._sink = sink
        self._replayed = replayed
        self._owed: set[RequestId] = set()
        self._settled = anyio.Event()

    async def send(self, item: SessionMessage, /) -> None:
        if not self._is_replayed(item):
            await self._sink.send(item)
        match item.message:
            case JSONRPCResponse(id=owed) | JSONRPCError(id=owed) if owed is not None:
                self._forget(owed)
            case _:
                pass

    def _is_replayed(self, item: SessionMessage) -> bool:
        replayed = self._replayed
        match item.message:
            case JSONRPCResponse(id=answered, result=result) if replayed and answered == replayed.id:
                if result != replayed.result:
                    _log.warning("the host was greeted in other words than these; install this version anew")
                return True
            case _:
                return False

    async def aclose(self) -> None:
        await self._sink.aclose()

    def note(self, item: SessionMessage) -> None:
        """Takes down what `item` asks for, or no longer wants."""
        match item.message:
            case JSONRPCRequest(id=asked):
                self._owed.add(asked)
            case JSONRPCNotification(method="notifications/cancelled", params={"requestId": str() | int() as dropped}):
                self._forget(dropped)
            case _:
                pass

    async def settle(self) -> None:
        """Waits until nothing is owed any more, but no longer than `GRACE_S`."""
        with anyio.move_on_after(GRACE_S):
            while self._owed:
                self._settled = anyio.Event()
                await self._settled.wait()

    def _forget(self, asked: RequestId) -> None:
        self._owed.discard(asked)
        if not self._owed:
            self._settled.set()


class Requests(_Closing):
    """What comes in; a line that is no message is answered here and goes no further.

    Args:
        source: the lines as the protocol library reads them.
        answers: where to.
        on_end: called once, as soon as input ends.
    """

    def __init__(self, source: Incoming, answers: Answers, on_end: Callable[[], object]) -> None:
        self._source = source
        self._answers = answers
        self._on_end = on_end

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> SessionMessage | Exception:
        try:
            return await self.receive()
        except anyio.EndOfStream:
            raise StopAsyncIteration from None

    async def receive(self) -> SessionMessage | Exception:
        while True:
            try:
                item = await self._source.receive()
            except anyio.EndOfStream:
                self._on_end()
                await self._answers.settle()
                raise
            if not isinstance(item, Exception):
                self._answers.note(item)
                return item
            await self._answers.send(SessionMessage(_unreadable(item)))

    async def aclose(self) -> None:
        await self._source.aclose()


def _unreadable(error: Exception) -> JSONRPCError:
    """The answer to a line that is no message, under the id that its sender waits for where one can be made out."""
    code, wrong, content = INVALID_REQUEST, "not a JSON-RPC 2.0 message; send one object on a line", None
    if isinstance(error, ValidationError):
        first = error.errors(include_url=False)[0]
        content = first["input"]
        if first["type"] == "json_invalid":
            code, wrong, content = PARSE_ERROR, first["msg"], _read_leniently(content)
    if code == PARSE_ERROR and content is not None:
        wrong = "Invalid JSON: a lone surrogate, or nested too deeply; send valid Unicode"
    match content:
        case {"id": str() | int() as asked} if not isinstance(asked, bool) and str(asked).isprintable():
            return JSONRPCError(jsonrpc="2.0", id=asked, error=ErrorData(code=code, message=wrong))
        case _:
            return JSONRPCError(jsonrpc="2.0", id=None, error=ErrorData(code=code, message=wrong))


def _read_leniently(line: object) -> object:
    """JSON as Python reads it, which takes what the protocol library does not."""
    try:
        return json.loads(line) if isinstance(line, str) else None
    except (ValueError, RecursionError):
        return None
