"""The vendors' own clients read what our fake servers say: so the fakes speak as the vendors do.

They come with the extra `sdks`; nothing else needs them.
"""

import json
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any, NamedTuple

import pytest
from decoding import a_request, heard
from fake_ollama import FakeOllama
from fault_server import FINE, STATUSES, FaultServer
from faults import STATUSES as REFUSALS
from faults import Fault
from model_server import Reply, serving
from scripted_server import ScriptedServer, answer, scripted
from vendor_answers import ALL, ANTHROPIC, CHAT, GEMINI, OLLAMA, RESPONSES, Call, Said, Words

from smista_mcp.providers.base import Finished, ToolCall

WHY = "needs the vendors' clients: python3 -m pip install '.[sdks]'"
openai: Any = pytest.importorskip("openai", reason=WHY)
anthropic: Any = pytest.importorskip("anthropic", reason=WHY)
genai: Any = pytest.importorskip("google.genai", reason=WHY)
ollama_client: Any = pytest.importorskip("ollama", reason=WHY)
pytestmark = pytest.mark.anyio


class Read(NamedTuple):
    """What a client, or a decoder of ours, made of an answer."""

    text: str
    calls: list[tuple[str, dict[str, Any]]]
    stop: str
    input: int | None
    cached: int | None
    output: int | None
    thought: int | None
    model: str | None


class Broken(Exception):
    """An error event, which this client hands on like any other."""


STOPS = {
    **dict.fromkeys(("stop", "completed", "end_turn", "STOP"), "stop"),
    **dict.fromkeys(("length", "max_output_tokens", "max_tokens", "MAX_TOKENS"), "length"),
    **dict.fromkeys(("content_filter", "refusal", "SAFETY"), "content_filter"),
    **dict.fromkeys(("tool_calls", "tool_use"), "tool_calls"),
}
MESSAGES = [{"role": "user", "content": "hello"}]


# ---------------------------------------------------------------------------------------------- what each client reads


def of_openai(url: str) -> Any:
    return openai.AsyncOpenAI(base_url=url, api_key="k", max_retries=0, _strict_response_validation=True)


def of_anthropic(url: str) -> Any:
    return anthropic.AsyncAnthropic(base_url=url, api_key="k", max_retries=0, _strict_response_validation=True)


def of_google(url: str) -> Any:
    return genai.Client(api_key="k", http_options={"base_url": url})


async def chat(url: str, *, stream: bool) -> Read:
    async with of_openai(url) as client:
        asked: dict[str, Any] = {"model": "m", "messages": MESSAGES}
        if stream:
            options = {"include_usage": True}
            async with client.chat.completions.stream(**asked, stream_options=options) as events:
                async for _ in events:
                    pass
                found = events.current_completion_snapshot  # the final one is refused where it was cut
        else:
            found = await client.chat.completions.create(**asked)
    (choice,) = found.choices
    calls = [(one.function.name, json.loads(one.function.arguments)) for one in choice.message.tool_calls or ()]
    usage = found.usage
    stop = "content_filter" if choice.message.refusal else STOPS[choice.finish_reason]
    return Read(
        choice.message.content or choice.message.refusal or "",
        calls,
        stop,
        usage.prompt_tokens,
        usage.prompt_tokens_details and usage.prompt_tokens_details.cached_tokens,
        usage.completion_tokens,
        usage.completion_tokens_details and usage.completion_tokens_details.reasoning_tokens,
        found.model,
    )


async def responses(url: str, *, stream: bool) -> Read:
    async with of_openai(url) as client:
        if stream:
            async with client.responses.stream(model="m", input="hello") as events:
                seen = [event async for event in events]
                if seen[-1].type == "error":
                    raise Broken(seen[-1].message)
                found = seen[-1].response
                said = "".join(
                    event.delta
                    for event in seen
                    if event.type in ("response.output_text.delta", "response.refusal.delta")
                )
        else:
            found = await client.responses.create(model="m", input="hello")
            said = None
    parts = [part for item in found.output if item.type == "message" for part in item.content]
    text = "".join(part.text if part.type == "output_text" else part.refusal for part in parts)
    assert said in (None, text)
    calls = [(item.name, json.loads(item.arguments)) for item in found.output if item.type == "function_call"]
    stop = STOPS[found.incomplete_details.reason if found.incomplete_details else found.status]
    if any(part.type == "refusal" for part in parts):
        stop = "content_filter"
    usage = found.usage
    return Read(
        text,
        calls,
        "tool_calls" if calls and stop == "stop" else stop,
        usage.input_tokens,
        usage.input_tokens_details.cached_tokens,
        usage.output_tokens,
        usage.output_tokens_details.reasoning_tokens,
        found.model,
    )


async def messages(url: str, *, stream: bool) -> Read:
    async with of_anthropic(url) as client:
        asked: dict[str, Any] = {"model": "m", "max_tokens": 100, "messages": MESSAGES}
        if stream:
            async with client.messages.stream(**asked) as events:
                found = await events.get_final_message()
        else:
            found = await client.messages.create(**asked)
    usage = found.usage
    cached = usage.cache_read_input_tokens
    return Read(
        "".join(block.text for block in found.content if block.type == "text"),
        [(block.name, block.input) for block in found.content if block.type == "tool_use"],
        STOPS[found.stop_reason],
        usage.input_tokens + cached + usage.cache_creation_input_tokens,
        cached,
        usage.output_tokens,
        usage.output_tokens_details and usage.output_tokens_details.thinking_tokens,
        found.model,
    )


async def contents(url: str, *, stream: bool) -> Read:
    async with of_google(url).aio as client:
        if stream:
            chunks = [one async for one in await client.models.generate_content_stream(model="m", contents="hello")]
        else:
            chunks = [await client.models.generate_content(model="m", contents="hello")]
    parts = [part for chunk in chunks for part in chunk.candidates[0].content.parts or ()]
    calls = [(part.function_call.name, part.function_call.args) for part in parts if part.function_call]
    last, usage = chunks[-1], chunks[-1].usage_metadata
    stop = STOPS[last.candidates[0].finish_reason.value]
    return Read(
        "".join(part.text for part in parts if part.text and not part.thought),
        calls,
        "tool_calls" if calls and stop == "stop" else stop,
        usage.prompt_token_count,
        usage.cached_content_token_count,
        usage.candidates_token_count + usage.thoughts_token_count,
        usage.thoughts_token_count,
        last.model_version,
    )


async def ollama_chat(url: str, *, stream: bool) -> Read:
    client = ollama_client.AsyncClient(host=url)
    asked: dict[str, Any] = {"model": "m", "messages": MESSAGES}
    chunks = [one async for one in await client.chat(**asked, stream=True)] if stream else [await client.chat(**asked)]
    calls = [(one.function.name, dict(one.function.arguments)) for c in chunks for one in c.message.tool_calls or ()]
    last = chunks[-1]
    return Read(
        "".join(chunk.message.content or "" for chunk in chunks),
        calls,
        "tool_calls" if calls and last.done_reason == "stop" else STOPS[last.done_reason],
        last.prompt_eval_count,
        None,
        last.eval_count,
        None,
        last.model,
    )


CLIENTS: dict[str, Callable[..., Awaitable[Read]]] = {
    CHAT.name: chat,
    RESPONSES.name: responses,
    ANTHROPIC.name: messages,
    GEMINI.name: contents,
    OLLAMA.name: ollama_chat,
}


def ours(found: tuple[str, Sequence[ToolCall], Finished]) -> Read:
    text, calls, end = found
    used = end.usage
    counts = (used.input_tokens, used.cached_input_tokens, used.output_tokens, used.reasoning_tokens)
    return Read(text, [(c.name, json.loads(c.arguments or "{}")) for c in calls], end.stop_reason, *counts, end.model)


# ------------------------------------------------------------------------------------------------------------- answers

LOOK = Call("read_file", {"path": "a.py", "lines": [1, 2], "whole": False})
ANSWERS = {
    "text": Said(("Hel", "lo ✓")),
    "thought": Said(thought=("hm, ", "well")),
    "a call": Said((), calls=(LOOK,)),
    "thought, text, calls": Said(("I look.",), ("hm",), (LOOK, Call("list_files", {}))),
    "cut": Said(stop="length"),
    "filtered": Said(stop="content_filter"),
    "refused": Said(("I will not.",), refused=True),
}


@asynccontextmanager
async def saying(body: bytes, kind: str, status: str = "200 OK") -> AsyncGenerator[ScriptedServer]:
    """A server that gives this body in pieces."""
    pieces = [body[start : start + 50] for start in range(0, len(body), 50)]
    async with scripted(*answer(*pieces, status=status, headers=[f"Content-Type: {kind}"])) as server:
        yield server


def tells(words: Words, said: Said) -> bool:
    """Whether a protocol has words for an answer."""
    return said.stop in words.stops and (not said.refused or words in (CHAT, RESPONSES))


TELLABLE = [
    pytest.param(words, said, id=f"{words.name}: {name}")
    for words in ALL
    for name, said in ANSWERS.items()
    if tells(words, said)
]


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize(("words", "said"), TELLABLE)
async def test_the_client_of_its_vendor_reads_an_answer_as_we_do(words: Words, said: Said, *, stream: bool) -> None:
    body = words.streamed(said) if stream else json.dumps(words.whole(said)).encode()
    kind = ("application/x-ndjson" if words is OLLAMA else "text/event-stream") if stream else "application/json"
    async with saying(body, kind) as server:
        read = await CLIENTS[words.name](server.base_url, stream=stream)
    assert read == ours(heard(words.protocol, [body], a_request()))
    assert read.text == said.text
    assert read.calls == [tuple(call) for call in said.calls]


@pytest.mark.parametrize("words", ALL, ids=lambda words: words.name)
async def test_the_client_of_its_vendor_finds_the_error_in_a_stream(words: Words) -> None:
    body = b"".join(map(words.framed, [*words.events(Said())[: -words.ends], words.broken]))
    errors = (Broken, openai.APIError, anthropic.APIError, genai.errors.APIError, ollama_client.ResponseError)
    async with saying(body, "application/x-ndjson" if words is OLLAMA else "text/event-stream") as server:
        with pytest.raises(errors) as failure:
            await CLIENTS[words.name](server.base_url, stream=True)
    assert "busy" in str(failure.value) or "stopped" in str(failure.value)


@pytest.mark.parametrize("fault", REFUSALS, ids=lambda fault: fault.name)
async def test_the_client_of_its_vendor_takes_a_refusal_for_one(fault: Fault) -> None:
    status = int(fault.name.split()[1].rstrip(","))
    async with scripted(*fault.script) as server:
        with pytest.raises(
            (openai.APIStatusError, anthropic.APIStatusError, genai.errors.APIError, ollama_client.ResponseError)
        ) as found:
            await CLIENTS[fault.protocol](server.base_url, stream=False)
    error: Any = found.value
    assert status == getattr(error, "status_code", None) or status == error.code


# -------------------------------------------------------------------------------------------------------- other fakes

CALLS: tuple[tuple[str, dict[str, str]], ...] = (("read_file", {"path": "a.py"}), ("list_files", {}))


@pytest.mark.parametrize("stream", [True, False], ids=["streamed", "whole"])
@pytest.mark.parametrize("read", [chat, ollama_chat])
@pytest.mark.parametrize(
    "reply",
    [Reply(("Hel", "lo")), Reply((), calls=CALLS, stop="tool_calls"), Reply(stop="length")],
    ids=["text", "calls", "cut"],
)
async def test_the_model_server_speaks_as_vendors_do(
    read: Callable[..., Awaitable[Read]], reply: Reply, *, stream: bool
) -> None:
    if read is ollama_chat and reply.calls:
        reply = Reply((), calls=CALLS)
    async with serving(reply, Reply(status=429, headers=("Retry-After: 7",))) as server:
        url = server.root if read is ollama_chat else server.v1
        found = await read(url, stream=stream)
        with pytest.raises((openai.RateLimitError, ollama_client.ResponseError)):
            await read(url, stream=stream)
    assert (found.text, found.calls) == ("".join(reply.pieces), [(name, args) for name, args in reply.calls])
    assert found.stop == ("tool_calls" if reply.calls else reply.stop)
    assert (found.model, found.output) == ("m", 5)


async def test_the_model_server_lists_its_models_as_vendors_do() -> None:
    async with serving(models=("one", "two"), tools=True) as server:
        async with of_openai(server.v1) as client:
            listed = [model.id async for model in client.models.list()]
        client = ollama_client.AsyncClient(host=server.root)
        tagged = [model.model for model in (await client.list()).models]
        shown = await client.show("one")
    assert listed == tagged == ["one", "two"]
    assert "tools" in shown.capabilities


async def test_the_fault_server_speaks_as_vendors_do() -> None:
    with FaultServer.serving() as server:
        found = [await chat(f"{server.base_url}/{FINE}/v1", stream=True)]
        for status in STATUSES:
            with pytest.raises(openai.APIStatusError) as failure:
                await chat(f"{server.base_url}/{status}/v1", stream=False)
            error: Any = failure.value
            assert error.status_code == int(status)
    assert [(one.text, one.stop, one.output) for one in found] == [("hello", "stop", 5)]


async def test_the_fake_ollama_speaks_as_ollama_does(ollama: str) -> None:
    with FakeOllama.serving() as fake:
        for url, said in ((fake.base_url, "fine"), (ollama, "read 5 characters")):
            assert (await ollama_chat(url, stream=True)).text == said
            client = ollama_client.AsyncClient(host=url)
            models = [model.model for model in (await client.list()).models]
            shown = await client.show(models[0])
            assert shown.capabilities
            assert shown.modelinfo
