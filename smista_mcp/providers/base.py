"""The seam between dispatch and the wire: one request, a stream of events, one kind of failure.

A protocol is a pure pair: `encode` makes the HTTP request of a `CompletionRequest`, a `Decoder` turns the bytes of the
answer into events. It never opens a socket; the one sender does. A new protocol is one file with these two.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal, Protocol, Self

from smista_mcp.core.caching import Keeping
from smista_mcp.core.clearance import ClearedPayload
from smista_mcp.core.pieces import Part, joined
from smista_mcp.core.values import Effort
from smista_mcp.errors import ProviderError

Role = Literal["system", "user", "assistant", "tool"]
StopReason = Literal["stop", "length", "tool_calls", "content_filter", "unknown"]


@dataclass(frozen=True, slots=True)
class ToolSpec:
    """A tool that a model may call.

    Attributes:
        parameters: the JSON schema of its arguments, an object.
    """

    name: str
    description: str
    parameters: Mapping[str, object]


@dataclass(frozen=True, slots=True)
class ToolCall:
    """What a model calls. Nothing in it is checked: it may be no tool of ours, and no JSON.

    Attributes:
        id: the server's own; empty where it gave none.
        arguments: the text of a JSON object, if the model kept to it.
        carry: what the provider wants back with this call, as it wrote it: signed reasoning. Nobody else reads it.
    """

    id: str
    name: str
    arguments: str
    carry: str = ""


@dataclass(frozen=True, slots=True)
class Message:
    """One message.

    Attributes:
        parts: what the content is put together of. Without them it cannot go to a remote model.
        calls: the tools that an assistant's message calls; `call_parts` has the arguments of each, as a part, and what
            is carried back with them.
        answers: of a tool's message, the call that it answers.
        kept: whether the provider is asked to keep the request up to the end of this message.
    """

    role: Role
    content: str
    parts: tuple[Part, ...] = ()
    calls: tuple[ToolCall, ...] = ()
    call_parts: tuple[Part, ...] = ()
    answers: ToolCall | None = None
    kept: bool = False

    @classmethod
    def of(cls, role: Role, *parts: Part) -> Self:
        """A message that is put together of these parts."""
        return cls(role, joined(parts), parts)

    @property
    def texts(self) -> tuple[tuple[Part, ...], ...]:
        """Every text of it that a model reads, in parts: the content, then what belongs to its calls."""
        content = (self.parts,) if self.content or not self.calls else ()
        return (*content, *((part,) for part in self.call_parts))


@dataclass(frozen=True, slots=True)
class CompletionRequest:
    """One question to one model.

    Attributes:
        context_window: tokens that the model takes in all; sent where the protocol can (Ollama's `num_ctx`).
        prompt_tokens: our own estimate of the messages, to notice a prompt that was cut in silence.
        tools: what the model may call; with none, nothing of tools goes to the wire.
        effort_as: how the model is told to work as hard as `effort`: a word, or tokens to think; None: it is not.
        keeping: what is said of the provider's cache; None: nothing.
    """

    model: str
    messages: tuple[Message, ...]
    effort: Effort
    max_output_tokens: int | None = None
    context_window: int | None = None
    prompt_tokens: int | None = None
    temperature: float | None = None
    tools: tuple[ToolSpec, ...] = ()
    effort_as: str | int | None = None
    keeping: Keeping | None = None

    @property
    def system(self) -> str:
        """What the system's messages say, for protocols that keep it apart; empty where there are none."""
        return "\n\n".join(message.content for message in self.messages if message.role == "system")


@dataclass(frozen=True, slots=True)
class Usage:
    """Token counts as the provider reported them; None where it did not.

    `input_tokens` includes what was read from the provider's cache and what was written to it, `output_tokens` the
    reasoning.
    """

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None


@dataclass(frozen=True, slots=True)
class TextDelta:
    text: str


@dataclass(frozen=True, slots=True)
class Finished:
    """The provider's own end of the answer; a stream without it was cut.

    Attributes:
        stop_reason: `content_filter` also stands for a refusal that the provider marks as one.
        model: the name that the server says it used.
        truncated: true where the server took less of the prompt than was sent.
    """

    stop_reason: StopReason
    usage: Usage
    model: str | None = None
    request_id: str | None = None
    truncated: bool = False


Event = TextDelta | ToolCall | Finished
"""A `ToolCall` is whole, and comes before `Finished`."""


@dataclass(frozen=True, slots=True)
class WireRequest:
    """An HTTP request, complete but for address and key; with `PIPE` it is what a program reads, and has no path."""

    path: str
    body: bytes
    headers: Mapping[str, str]
    method: Literal["POST", "GET", "PIPE"] = "POST"


@dataclass(frozen=True, slots=True)
class ClearedWire:
    """A request for a remote model: what the gate has cleared, and its bytes. Made by `Remote.encode`."""

    payload: ClearedPayload[CompletionRequest]
    wire: WireRequest


@dataclass(frozen=True, slots=True)
class Endpoint:
    """Where a request goes, and the key that opens it: no text of ours ever shows the key."""

    base_url: str
    key: str | None = field(default=None, repr=False)


class Decoder(Protocol):
    """Turns one streamed answer into events. One instance for one answer."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        """Takes one line without its line break.

        Raises:
            ProviderError: an error inside the stream, or a line that is not of the protocol.
        """
        ...

    def end(self) -> tuple[Event, ...]:
        """Called once at the end of the body, unless `Finished` came before it.

        Raises:
            ProviderError: `provider_protocol` where the protocol's terminal event is missing.
        """
        ...


class WireProtocol(Protocol):
    """One wire protocol.

    Attributes:
        words: every fixed string that may stand in its bodies, names of fields included. What else a body says has to
            be a text of the request, in whole and as it is.
    """

    @property
    def words(self) -> frozenset[str]: ...

    def encode(self, request: CompletionRequest) -> WireRequest: ...

    def decoder(self, request: CompletionRequest) -> Decoder: ...

    def authorization(self, key: str) -> Mapping[str, str]:
        """The headers that carry the key."""
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error of an answer whose status is not 2xx.

        Args:
            status: the HTTP status.
            headers: names in lower case.
            body: the beginning of the body.
            now: seconds since the epoch, for a `Retry-After` that is a date.
        """
        ...


@dataclass(frozen=True, slots=True)
class Remote:
    """A protocol as remote models are spoken to in it: it takes nothing but what the gate has cleared."""

    protocol: WireProtocol

    def encode(self, payload: ClearedPayload[CompletionRequest]) -> ClearedWire:
        return ClearedWire(payload, self.protocol.encode(payload.request))


@dataclass(frozen=True, slots=True)
class Timeouts:
    """Seconds: to connect, from the written request to the first byte of the answer's body, between two bytes."""

    connect_s: float = 10.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
