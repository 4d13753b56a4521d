"""What is said of a protocol so that it can be checked, and how an answer of it is read."""

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import astuple, dataclass
from typing import NamedTuple, cast

from smista_mcp.core.values import Effort
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import (
    CompletionRequest,
    Event,
    Finished,
    Message,
    OfferedProtocol,
    StopReason,
    TextDelta,
    ToolCall,
    ToolSpec,
    Usage,
)
from smista_mcp.providers.lines import LineSplitter

CODES = frozenset(
    (
        Code.PROVIDER_UNAVAILABLE,
        Code.PROVIDER_TIMEOUT,
        Code.PROVIDER_RATE_LIMITED,
        Code.PROVIDER_AUTH,
        Code.PROVIDER_INVALID_REQUEST,
        Code.PROVIDER_PROTOCOL,
        Code.UNKNOWN_MODEL,
        Code.CONTEXT_WINDOW_EXCEEDED,
    )
)
"""The codes that a protocol may give a failure."""
TOOL = ToolSpec(
    "read_file",
    "Reads a file.",
    {"type": "object", "properties": {"path": {"type": "string", "description": "Where it is."}}, "required": ["path"]},
)


class Broken(AssertionError):
    """A law that a protocol breaks: which, and how."""


class Answer(NamedTuple):
    """The body of one answer as a server gave it, streamed or whole, and what it says.

    Attributes:
        name: for the words of an error.
        body: as it came, with its own line breaks.
        text: all that was written.
        calls: the tools that are called, by name and arguments; these as a JSON text, compared as JSON.
        stop: why it ended; None is not compared.
        usage: the counts; None is not compared.
        code: of an answer that holds an error: what reading it raises. Then nothing else is compared.
    """

    name: str
    body: bytes
    text: str = ""
    calls: Sequence[tuple[str, str]] = ()
    stop: StopReason | None = "stop"
    usage: Usage | None = None
    code: Code | None = None


class Failure(NamedTuple):
    """An answer whose status is not 2xx, and what it is called. Names of headers in lower case."""

    status: int
    body: bytes
    code: Code
    headers: Sequence[tuple[str, str]] = ()
    retry_after_s: float | None = None


@dataclass(frozen=True)
class Terms:
    """A protocol, and what was recorded of it.

    Attributes:
        protocol: what the distribution offers.
        answers: at least one that is whole. The more kinds, the more is checked: streamed and whole, with calls, with
            counts, with an error inside.
        failures: what its server refuses with.
        efforts: every way in which its models can be told an effort, as `[catalog]` would state it; none where they
            cannot be told any.
        model: a name that its server would know.
    """

    protocol: OfferedProtocol
    answers: Sequence[Answer]
    failures: Sequence[Failure] = ()
    efforts: Sequence[str | int] = ()
    model: str = "model-1"

    def request(
        self,
        *messages: Message,
        tools: tuple[ToolSpec, ...] = (),
        max_output_tokens: int | None = None,
        effort_as: str | int | None = None,
    ) -> CompletionRequest:
        """A request; without messages, one with the system's words and a question."""
        said = messages or (Message("system", "Be brief."), Message("user", "What is a monad?"))
        return CompletionRequest(
            self.model, said, Effort.HIGH, max_output_tokens=max_output_tokens, tools=tools, effort_as=effort_as
        )

    @property
    def whole(self) -> tuple[Answer, ...]:
        """The answers without an error inside.

        Raises:
            Broken: none is recorded.
        """
        found = tuple(answer for answer in self.answers if answer.code is None)
        if not found:
            raise Broken("no whole answer is recorded, so nothing can be said of its decoder")
        return found

    def read(self, chunks: Iterable[bytes], request: CompletionRequest | None = None) -> "Read":
        """What comes out of a body, as the sender would hear it.

        Raises:
            Broken: something else than events, or another exception than the documented one.
        """
        try:
            return _read(self.protocol, chunks, request or self.request(tools=(TOOL,), max_output_tokens=4096))
        except (Broken, KeyboardInterrupt):
            raise
        except BaseException as error:
            raise Broken(f"its decoder raised {type(error).__name__}: {error}"[:500]) from error


class Read(NamedTuple):
    """What was read of one body.

    Attributes:
        end: None where none was read: then `error` says why.
        ends: how often an end was read.
    """

    text: str
    calls: tuple[ToolCall, ...]
    end: Finished | None
    error: ProviderError | None
    ends: int = 0


def _read(protocol: OfferedProtocol, chunks: Iterable[bytes], request: CompletionRequest) -> Read:
    decoder = protocol.decoder(request)
    splitter = LineSplitter()
    events: list[Event] = []
    error: ProviderError | None = None
    try:
        for chunk in chunks:
            for line in splitter.feed(chunk):
                events += _events(decoder.feed(line))
        if not any(isinstance(event, Finished) for event in events):
            events += _events(decoder.feed(splitter.rest())) if splitter.rest() else ()
        if not any(isinstance(event, Finished) for event in events):
            events += _events(decoder.end())
    except ProviderError as raised:
        error = raised
    ends = [event for event in events if isinstance(event, Finished)]
    if ends and not isinstance(events[-1], Finished):
        raise Broken("an event came behind `Finished`")
    if error is None and not ends:
        raise Broken("its body was read to the end without `Finished` and without an error")
    said = "".join(event.text for event in events if isinstance(event, TextDelta))
    calls = tuple(event for event in events if isinstance(event, ToolCall))
    return Read(said, calls, ends[0] if ends else None, error, len(ends))


def _events(given: object) -> tuple[Event, ...]:
    if type(given) is not tuple:
        raise Broken(f"its decoder gave {type(given).__name__} in place of a tuple of events")
    for event in cast("tuple[object, ...]", given):
        if type(event) not in (TextDelta, ToolCall, Finished):
            raise Broken(f"its decoder gave {type(event).__name__} in place of an event")
        if type(event) is Finished:
            _check_counts(event.usage)
    return cast("tuple[Event, ...]", given)


def _check_counts(usage: Usage) -> None:
    for count in astuple(usage):
        if count is not None and (type(count) is not int or not 0 <= count <= 10**9):
            raise Broken(f"it gave {count!r} for a count of tokens")


def strings_of(value: object) -> Iterator[str]:
    """Every string in a JSON value, in order, names of fields included."""
    pending = [value]
    while pending:
        value = pending.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, dict):
            for name, inner in reversed(list(cast("dict[str, object]", value).items())):
                pending += (inner, name)
        elif isinstance(value, list):
            pending.extend(cast("list[object]", value)[::-1])


def read_json(text: str | bytes) -> object:
    """A JSON text as a value; None where it is none."""
    try:
        return cast("object", json.loads(text))
    except (ValueError, RecursionError):
        return None
