import json
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import aclosing

import anyio
import pytest
from decoding import a_request
from scripted_server import Step, answer, scripted

from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import CompletionRequest, Event, Finished, TextDelta, Timeouts, WireProtocol
from smista_mcp.providers.ollama import Ollama
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.sender import Sender
from smista_mcp.providers.targets import LocalTarget, RemoteTarget

pytestmark = pytest.mark.anyio

BEGIN = b'data: {"choices":[{"delta":{"content":"Hel"}}]}\n\n'
REST = b'data: {"choices":[{"delta":{"content":"lo"},"finish_reason":"stop"}]}\n\n'
DONE = b"data: [DONE]\n\n"
HELLO = answer(BEGIN, REST, DONE)
QUICK = Timeouts(connect_s=2.0, first_byte_s=0.1, idle_s=0.1)
NOON = 1_795_176_000.0  # 20 November 2026, 12:00:00 UTC


def sent(
    sender: Sender,
    base_url: str,
    *,
    key: str | None = None,
    timeouts: Timeouts | None = None,
    protocol: WireProtocol | None = None,
    request: CompletionRequest | None = None,
) -> AsyncGenerator[Event]:
    spoken = protocol or OpenAiCompat()
    asked = request or a_request()
    return sender.stream(
        spoken.encode(asked),
        spoken.decoder(asked),
        target=LocalTarget(base_url, key),
        timeouts=timeouts or Timeouts(),
        protocol=spoken,
    )


async def ask(
    base_url: str,
    *,
    key: str | None = None,
    timeouts: Timeouts | None = None,
    protocol: WireProtocol | None = None,
    request: CompletionRequest | None = None,
) -> list[Event]:
    async with Sender(lambda: NOON) as sender:
        stream = sent(sender, base_url, key=key, timeouts=timeouts, protocol=protocol, request=request)
        return [event async for event in stream]


def text_of(events: list[Event]) -> str:
    return "".join(event.text for event in events if isinstance(event, TextDelta))


async def failed(base_url: str, *, key: str | None = None, timeouts: Timeouts | None = None) -> ProviderError:
    with pytest.raises(ProviderError) as failure:
        await ask(base_url, key=key, timeouts=timeouts)
    return failure.value


@pytest.fixture(scope="module")
def network_events() -> list[str]:
    """Every look-up of a name and every connection of this process from here on: an audit hook stays for good."""
    events: list[str] = []
    asked = {"socket.connect", "socket.getaddrinfo"}
    sys.addaudithook(lambda event, _: events.append(event) if event in asked else None)
    return events


@pytest.fixture
def reached(network_events: list[str]) -> list[str]:
    network_events.clear()
    return network_events


async def test_an_answer_comes_as_its_events() -> None:
    async with scripted(*HELLO) as server:
        events = await ask(server.base_url + "/v1", key="the-key")
    assert text_of(events) == "Hello"
    assert isinstance(events[-1], Finished)
    head, _, body = server.requests[0].partition(b"\r\n\r\n")
    lines = head.decode().lower().split("\r\n")
    assert lines[0] == "post /v1/chat/completions http/1.1"
    assert f"host: 127.0.0.1:{server.port}" in lines
    assert "authorization: bearer the-key" in lines
    assert "accept-encoding: identity" in lines
    assert json.loads(body)["stream"] is True


async def test_an_ollama_answer_comes_as_its_events() -> None:
    lines = [b'{"message":{"content":"Hello"},"done":false}\n', b'{"done":true,"done_reason":"stop"}']
    async with scripted(*answer(*lines)) as server:
        events = await ask(server.base_url, protocol=Ollama())
    assert text_of(events) == "Hello"
    assert server.requests[0].startswith(b"POST /api/chat ")


async def test_every_byte_may_come_alone() -> None:
    body = BEGIN + REST + DONE
    async with scripted(*answer(*(body[at : at + 1] for at in range(len(body))))) as server:
        assert text_of(await ask(server.base_url)) == "Hello"


async def test_the_name_localhost_is_taken() -> None:
    async with scripted(*HELLO) as server:
        assert text_of(await ask(f"http://localhost:{server.port}")) == "Hello"
    assert f"Host: localhost:{server.port}".lower().encode() in server.requests[0].lower()


async def test_many_requests_share_one_sender() -> None:
    answers: list[str] = []
    async with scripted(*HELLO) as server, Sender(lambda: NOON) as sender, anyio.create_task_group() as tasks:

        async def one() -> None:
            stream = sent(sender, server.base_url)
            answers.append(text_of([event async for event in stream]))

        for _ in range(20):
            tasks.start_soon(one)
    assert answers == ["Hello"] * 20


@pytest.mark.parametrize(
    "address",
    ["http://10.255.255.1", "http://evil.example", "http://127.0.0.1@evil.example", "http://0x7f.1", "nonsense"],
)
async def test_an_address_elsewhere_is_refused_without_a_socket(address: str, reached: list[str]) -> None:
    failure = await failed(address)
    assert (failure.code, failure.sent) == (Code.PROVIDER_UNAVAILABLE, False)
    assert reached == []


async def test_a_remote_target_is_sent_nothing_that_nobody_cleared(reached: list[str]) -> None:
    protocol, request = OpenAiCompat(), a_request()
    async with scripted(*HELLO) as server, Sender(lambda: NOON) as sender:
        stream = sender.stream(
            protocol.encode(request),
            protocol.decoder(request),
            target=RemoteTarget(server.base_url, "m"),  # pyright: ignore[reportArgumentType]
            timeouts=Timeouts(),
            protocol=protocol,
        )
        with pytest.raises(ProviderError) as refused:
            await anext(stream)
    assert (refused.value.code, refused.value.sent) == (Code.RESTRICTED_CONTENT, False)
    assert (server.requests, reached) == ([], [])


async def test_an_address_here_is_reached(reached: list[str]) -> None:
    async with scripted(*HELLO) as server:
        await ask(server.base_url)
    assert "socket.connect" in reached


async def test_a_redirect_is_not_followed() -> None:
    async with scripted(*HELLO) as elsewhere:
        location = f"Location: {elsewhere.base_url}/v1/chat/completions"
        async with scripted(*answer(b"moved", status="307 Temporary Redirect", headers=[location])) as server:
            failure = await failed(server.base_url)
    assert (failure.code, failure.status) == (Code.PROVIDER_PROTOCOL, 307)
    assert elsewhere.requests == []


async def test_no_proxy_is_taken_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    async with scripted(*answer(b"", status="502 Bad Gateway")) as proxy, scripted(*HELLO) as server:
        for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
            monkeypatch.setenv(name, proxy.base_url)
        assert text_of(await ask(server.base_url)) == "Hello"
    assert proxy.requests == []


async def test_a_cookie_of_one_server_is_not_given_to_the_next() -> None:
    script = answer(BEGIN, REST, DONE, headers=["Set-Cookie: id=1"])
    async with scripted(*script) as server, Sender(lambda: NOON) as sender:
        for _ in range(2):
            stream = sent(sender, server.base_url)
            assert text_of([event async for event in stream]) == "Hello"
    assert b"cookie" not in server.requests[1].lower()


async def test_nobody_at_the_address_is_unavailable() -> None:
    async with scripted() as server:
        pass
    failure = await failed(server.base_url)
    assert (failure.code, failure.sent) == (Code.PROVIDER_UNAVAILABLE, False)


async def test_plain_text_where_tls_was_asked_for_is_unavailable() -> None:
    async with scripted(b"HTTP/1.1 400 Bad Request\r\n\r\n") as server:
        failure = await failed(server.base_url.replace("http", "https"))
    assert (failure.code, failure.sent) == (Code.PROVIDER_UNAVAILABLE, False)


@pytest.mark.parametrize(
    "script",
    [
        [Step.STALL],
        [b"HTTP/1.1 200 OK\r\n", Step.STALL],
        [HELLO[0], Step.STALL],
        [*HELLO[:2], Step.STALL],
        [*HELLO[:3], Step.STALL],
    ],
    ids=["no answer", "half a head", "no body", "half a body", "no end"],
)
@pytest.mark.parametrize("idle_s", [0.05, 0.1, 0.2], ids=["short idle", "same", "long idle"])
async def test_silence_is_a_timeout_that_may_have_cost_something(script: list[bytes | Step], idle_s: float) -> None:
    async with scripted(*script) as server:
        with anyio.fail_after(2):
            failure = await failed(server.base_url, timeouts=Timeouts(connect_s=5, first_byte_s=0.1, idle_s=idle_s))
            await server.gone.wait()
    assert (failure.code, failure.sent) == (Code.PROVIDER_TIMEOUT, True)


async def test_the_first_byte_may_take_longer_than_later_ones() -> None:
    async with scripted(HELLO[0], Step.STALL) as server, Sender(lambda: NOON) as sender:
        begun = time.monotonic()
        with pytest.raises(ProviderError):
            async for _ in sent(sender, server.base_url, timeouts=Timeouts(first_byte_s=0.3, idle_s=0.01)):
                pass
        assert time.monotonic() - begun >= 0.29


@pytest.mark.parametrize(
    "script",
    [
        [Step.RESET],
        [b""],
        [*HELLO[:2], Step.RESET],
        HELLO[:2],
        [*answer(BEGIN)],
        [b"SSH-2.0-OpenSSH\r\n"],
        answer(BEGIN, headers=["Content-Encoding: gzip"]),
    ],
    ids=[
        "reset at once",
        "end at once",
        "reset in the body",
        "end in the body",
        "no end event",
        "not HTTP",
        "compressed",
    ],
)
async def test_a_broken_answer_may_have_cost_something(script: list[bytes | Step]) -> None:
    async with scripted(*script) as server:
        failure = await failed(server.base_url)
    assert (failure.code, failure.sent) == (Code.PROVIDER_PROTOCOL, True)


async def test_a_break_behind_the_end_of_the_answer_does_not_matter() -> None:
    for step in (Step.RESET, Step.STALL):
        async with scripted(*HELLO[:-1], step) as server:
            with anyio.fail_after(3):
                assert text_of(await ask(server.base_url)) == "Hello"


async def test_a_keep_alive_comment_is_a_sign_of_life() -> None:
    pings = [b": ping\n\n"] * 50
    async with scripted(*answer(*pings, BEGIN, *pings, REST, DONE)) as server:
        assert text_of(await ask(server.base_url, timeouts=QUICK)) == "Hello"


async def test_a_line_without_end_is_refused() -> None:
    async with scripted(*answer(*[b"data: " + b"x" * 1_000_000] * 5)) as server:
        failure = await failed(server.base_url)
    assert failure.code is Code.PROVIDER_PROTOCOL


async def test_a_status_becomes_the_protocols_error() -> None:
    body = b'{"error":{"message":"slow down"}}'
    headers = ["Retry-After: Fri, 20 Nov 2026 12:00:30 GMT"]
    async with scripted(*answer(body, status="429 Too Many Requests", headers=headers)) as server:
        failure = await failed(server.base_url)
    assert (failure.code, failure.status, failure.retry_after_s) == (Code.PROVIDER_RATE_LIMITED, 429, 30.0)
    assert not failure.sent


async def test_an_endless_error_is_read_to_a_limit() -> None:
    async with scripted(*answer(*[b"x" * 65_536] * 4, status="500 Oops"), Step.STALL) as server:
        with anyio.fail_after(3):
            failure = await failed(server.base_url)
    assert failure.code is Code.PROVIDER_UNAVAILABLE


@pytest.mark.parametrize("status", ["401 Unauthorized", "200 OK"])
async def test_a_key_that_the_server_repeats_is_not_repeated(status: str) -> None:
    body = b'{"error":{"message":"the key hush-hush-42 is wrong","code":401}}'
    async with scripted(*answer(body, status=status)) as server:
        failure = await failed(server.base_url, key="hush-hush-42")
    assert failure.code is Code.PROVIDER_AUTH
    assert "hush" not in f"{failure} {failure!r} {failure.args} {failure.__cause__!r}"


async def test_a_key_that_no_header_can_carry_is_refused() -> None:
    async with scripted(*HELLO) as server:
        failure = await failed(server.base_url, key="hush\r\nX: y")
    assert (failure.code, failure.sent) == (Code.PROVIDER_AUTH, False)
    assert "hush" not in str(failure)
    assert server.requests == []


async def test_cancelling_ends_the_request_at_the_server() -> None:
    heard = anyio.Event()

    async def listen(base_url: str) -> None:
        async with Sender(lambda: NOON) as sender:
            async for _ in sent(sender, base_url):
                heard.set()

    async with scripted(*HELLO[:2], Step.STALL) as server:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(listen, server.base_url)
            await heard.wait()
            tasks.cancel_scope.cancel()
        with anyio.fail_after(2):
            await server.gone.wait()


async def test_leaving_the_loop_early_ends_the_request_at_the_server() -> None:
    async with scripted(*HELLO[:2], Step.STALL) as server, Sender(lambda: NOON) as sender:
        stream = sent(sender, server.base_url)
        async with aclosing(stream):
            async for _ in stream:
                break
        with anyio.fail_after(2):
            await server.gone.wait()
