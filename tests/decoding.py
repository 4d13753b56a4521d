"""Runs a protocol over bytes, as the sender does, without a network."""

from collections.abc import Iterable

from smista_mcp.core.values import Effort
from smista_mcp.providers.base import CompletionRequest, Event, Finished, Message, TextDelta, ToolCall, WireProtocol
from smista_mcp.providers.lines import LineSplitter


def a_request(
    text: str = "hello",
    *,
    model: str = "m",
    max_output_tokens: int | None = None,
    context_window: int | None = None,
    prompt_tokens: int | None = None,
    temperature: float | None = None,
) -> CompletionRequest:
    return CompletionRequest(
        model=model,
        messages=(Message("system", "Be brief."), Message("user", text)),
        effort=Effort.LOW,
        max_output_tokens=max_output_tokens,
        context_window=context_window,
        prompt_tokens=prompt_tokens,
        temperature=temperature,
    )


def decoded(
    protocol: WireProtocol, chunks: Iterable[bytes], request: CompletionRequest | None = None
) -> tuple[str, Finished]:
    """The whole text and the end of an answer; raises what the decoder raises."""
    texts, calls, end = heard(protocol, chunks, request)
    assert calls == [] or end.stop_reason != "stop"
    return texts, end


def heard(
    protocol: WireProtocol, chunks: Iterable[bytes], request: CompletionRequest | None = None
) -> tuple[str, list[ToolCall], Finished]:
    """The whole text, the calls of tools and the end of an answer; raises what the decoder raises."""
    decoder = protocol.decoder(request or a_request())
    splitter = LineSplitter()
    events: list[Event] = []
    for chunk in chunks:
        for line in splitter.feed(chunk):
            events += decoder.feed(line)
    if not any(isinstance(event, Finished) for event in events):
        events += decoder.feed(splitter.rest()) if splitter.rest() else ()
        events += decoder.end()
    *texts, end = events
    assert isinstance(end, Finished)
    assert not any(isinstance(event, Finished) for event in texts)
    said = "".join(event.text for event in texts if isinstance(event, TextDelta))
    return said, [event for event in texts if isinstance(event, ToolCall)], end
