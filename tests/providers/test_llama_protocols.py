"""A real llama.cpp server, asked in each of the three protocols that it speaks."""

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

import httpx
import pytest
from decoding import a_request, heard
from tiny_gguf import write_tiny_gguf

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.anthropic import Anthropic
from smista_mcp.providers.base import (
    CompletionRequest,
    Endpoint,
    Finished,
    Message,
    TextDelta,
    Timeouts,
    ToolCall,
    ToolSpec,
    WireProtocol,
)
from smista_mcp.providers.llamacpp import EmbeddedServers, EmbeddedSettings
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.openai_responses import OpenAiResponses
from smista_mcp.providers.sender import Sender
from smista_mcp.providers.targets import LocalTarget

pytestmark = pytest.mark.anyio

LONGEST, WINDOW = 20, 2048
ASKED = a_request("hello", max_output_tokens=LONGEST, temperature=0.0)
TOOL = ToolSpec("read_file", "Reads.", {"type": "object", "properties": {"path": {"type": "string"}}})


class Spoken(NamedTuple):
    """A protocol, and where the server speaks it behind its address."""

    protocol: WireProtocol
    path: str


SPOKEN = {
    "chat": Spoken(OpenAiCompat(), "/v1"),
    "responses": Spoken(OpenAiResponses(), "/v1"),
    "anthropic": Spoken(Anthropic(), ""),
}
protocols = pytest.mark.parametrize("spoken", SPOKEN.values(), ids=SPOKEN.keys())


@pytest.fixture(scope="module")
def calling_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_gguf(tmp_path_factory.mktemp("models") / "calling.gguf", calls=True)


@pytest.fixture
async def server(calling_model: Path) -> AsyncIterator[Endpoint]:
    async with EmbeddedServers(EmbeddedSettings(threads=1)) as servers, servers.use(calling_model, WINDOW) as started:
        root = started.endpoint.base_url.removesuffix("/v1")
        yield Endpoint(root, started.endpoint.key)


async def streamed(
    spoken: Spoken, server: Endpoint, asked: CompletionRequest
) -> tuple[list[str], list[ToolCall], Finished]:
    async with Sender(lambda: 0.0) as sender:
        stream = sender.stream(
            spoken.protocol.encode(asked),
            spoken.protocol.decoder(asked),
            target=LocalTarget(server.base_url + spoken.path, server.key),
            timeouts=Timeouts(),
            protocol=spoken.protocol,
        )
        *said, end = [event async for event in stream]
    assert isinstance(end, Finished)
    return [e.text for e in said if isinstance(e, TextDelta)], [e for e in said if isinstance(e, ToolCall)], end


async def whole(spoken: Spoken, server: Endpoint, asked: CompletionRequest) -> tuple[str, list[ToolCall], Finished]:
    """The answer where no stream is asked for."""
    wire = spoken.protocol.encode(asked)
    body = json.dumps({**json.loads(wire.body), "stream": False, "stream_options": None}).encode()
    headers = {**wire.headers, **spoken.protocol.authorization(server.key or "")}
    async with httpx.AsyncClient() as client:
        answer = await client.post(server.base_url + spoken.path + wire.path, content=body, headers=headers)
    return heard(spoken.protocol, [answer.content], asked)


@protocols
async def test_an_answer_is_the_same_streamed_and_whole_and_says_that_it_was_cut(
    spoken: Spoken, server: Endpoint
) -> None:
    pieces, _, end = await streamed(spoken, server, ASKED)
    text, _, last = await whole(spoken, server, ASKED)
    assert len(pieces) > 1
    assert "".join(pieces) == text
    assert (end.stop_reason, end.usage.output_tokens, end.model) == ("length", LONGEST, "calling")
    assert (last.stop_reason, last.usage.output_tokens, last.model) == ("length", LONGEST, "calling")
    assert end.usage.input_tokens == last.usage.input_tokens
    assert end.request_id


@protocols
async def test_a_tool_is_called_and_what_it_gave_is_taken(spoken: Spoken, server: Endpoint) -> None:
    asked = replace(ASKED, tools=(TOOL,), max_output_tokens=64)
    pieces, (call,), end = await streamed(spoken, server, asked)
    assert (call.name, json.loads(call.arguments), bool(call.id)) == ("read_file", {"path": "a.py"}, True)
    assert (end.stop_reason, "".join(pieces).strip()) == ("tool_calls", "")
    assert (await whole(spoken, server, asked))[2].stop_reason == "tool_calls"

    turns = (*asked.messages, Message("assistant", "", calls=(call,)), Message("tool", "print(1)", answers=call))
    pieces, calls, again = await streamed(spoken, server, replace(asked, messages=turns))
    assert (bool(pieces), calls) == (True, [])
    assert (again.usage.input_tokens or 0) > (end.usage.input_tokens or 0)


@protocols
@pytest.mark.parametrize(
    ("text", "key", "code"),
    [("word " * WINDOW, None, Code.CONTEXT_WINDOW_EXCEEDED), ("hello", "another", Code.PROVIDER_AUTH)],
    ids=["too long", "wrong key"],
)
async def test_a_refusal_has_its_code(spoken: Spoken, server: Endpoint, text: str, key: str | None, code: Code) -> None:
    asked = a_request(text, max_output_tokens=LONGEST)
    with pytest.raises(ProviderError) as refusal:
        await streamed(spoken, Endpoint(server.base_url, key or server.key), asked)
    assert refusal.value.code is code
