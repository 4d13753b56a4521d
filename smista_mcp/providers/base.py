"""The seam between dispatch and the wire: one request, a stream of events, one kind of failure.

A protocol is a pure pair: `encode` makes the HTTP request of a `CompletionRequest`, a `Decoder` turns the bytes of the
answer into events. It never opens a socket; the one sender does. A new protocol is one file with these two.

This module is the public interface for protocols of somebody's own, with `errors.ProviderError` and its codes. An
installed distribution offers an object with the members of `WireProtocol` under the entry points
`smista_mcp.protocols`; a policy of the user or the organisation names it:

    [providers."protocol:mine"]
    type = "parley"                 # the name of the entry point
    base_url = "https://models.example"
    api_key = "${secret:PARLEY_KEY}"

`providers.contract` has the laws that such an object is held to, as tests to run; `providers.installed` holds it to
them at run time, where what breaks one is `provider_protocol`. What changes here in a way that such objects notice
counts `INTERFACE` up.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal, Protocol, Self

from smista_mcp.core.caching import Keeping
from smista_mcp.core.clearance import ClearedPayload
from smista_mcp.core.pieces import Part, joined
from smista_mcp.core.values import Effort
from smista_mcp.errors import ProviderError

INTERFACE: Final = 1
"""The version of this interface. A protocol of somebody's own says for which it was written: `interface = 1`."""
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
    """Turns one streamed answer into events. One instance for one answer; answers under way share nothing."""

    def feed(self, line: bytes) -> tuple[Event, ...]:
        """Takes one line without its line break; an answer that is no stream comes in lines too.

        Lines are at most 4 MiB long, an answer 64 MiB. After `Finished` nothing more is fed.

        Raises:
            ProviderError: an error inside the stream, or a line that is not of the protocol; nothing else.
        """
        ...

    def end(self) -> tuple[Event, ...]:
        """Called once at the end of the body, unless `Finished` came before it: its last event is `Finished`.

        Raises:
            ProviderError: `provider_protocol` where the protocol's terminal event is missing: what was cut is never
                passed off as whole.
        """
        ...


class WireProtocol(Protocol):
    """One wire protocol. It has no state, and does nothing but what its methods give: no file, socket, clock, output.

    Attributes:
        words: every fixed string that may stand in its bodies, names of fields included, without white space. What else
            a body says has to be a text of the request, in whole and as it is.
    """

    @property
    def words(self) -> frozenset[str]: ...

    def encode(self, request: CompletionRequest) -> WireRequest:
        """The HTTP request that asks for the answer, as a stream where the protocol has one.

        The body is one JSON object in UTF-8, the same bytes for the same request. It holds every message with every
        call and result, each text in a string of its own; arguments of calls as that text or as the object that it is;
        `max_output_tokens` and `effort_as`, where they are not None, as they are. Without `tools` it says nothing of
        tools. Path and headers depend on the model alone; credentials, `host` and what frames a body stand in neither.
        """
        ...

    def decoder(self, request: CompletionRequest) -> Decoder:
        """A decoder for the answer to this request."""
        ...

    def authorization(self, key: str) -> Mapping[str, str]:
        """The headers that carry the key, names in lower case; each holds the key once, as it is.

        A protocol of somebody's own is asked once, with a stand-in: the key itself it never sees.
        """
        ...

    def failure(self, status: int, headers: Mapping[str, str], body: bytes, *, now: float) -> ProviderError:
        """The error of an answer whose status is not 2xx. `failures.status_error` knows the customary ones.

        Args:
            status: the HTTP status.
            headers: names in lower case.
            body: the beginning of the body, at most 64 KiB.
            now: seconds since the epoch, for a `Retry-After` that is a date.
        """
        ...


class OfferedProtocol(WireProtocol, Protocol):
    """A protocol as a distribution offers it: the version of the interface that it was written for stands beside."""

    @property
    def interface(self) -> int: ...


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
