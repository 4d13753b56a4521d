"""Remote sending over TLS: to whoever can prove the name in the policy, and to nobody else."""

import json
import socket
import ssl
from asyncio import StreamReader, StreamWriter
from pathlib import Path
from typing import Any

import pytest
from certificates import Authority
from decoding import a_request
from loopback import listening
from model_server import ModelServer, serving
from workbench import ALLOWED, Bench, compat, default, done, only

from smista_mcp.core.dispatched import DispatchAnswer
from smista_mcp.core.task import Task
from smista_mcp.errors import Code, ProviderError
from smista_mcp.providers.base import Timeouts
from smista_mcp.providers.openai_compat import OpenAiCompat
from smista_mcp.providers.sender import Authorities, Sender
from smista_mcp.providers.targets import LocalTarget

pytestmark = pytest.mark.anyio

A = "openai-compat:a/m"
ASK = Task(text="What is a unit test?")
NAME = "models.test"


@pytest.fixture(autouse=True)
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    """`models.test` is this machine, as a line in the hosts file would say it."""
    resolve = socket.getaddrinfo

    def answer(host: Any, *rest: Any, **more: Any) -> list[Any]:
        return list(resolve("127.0.0.1" if host in (NAME, NAME.encode()) else host, *rest, **more))

    monkeypatch.setattr(socket, "getaddrinfo", answer)


@pytest.fixture
def authority(tmp_path: Path) -> Authority:
    return Authority.new(tmp_path / "authority")


async def asked(bench: Bench, server: ModelServer, **variables: str) -> DispatchAnswer:
    policy = default(A) + compat("a", f"https://{NAME}:{server.port}/v1") + ALLOWED
    return await done(bench.app(policy, **variables), ASK)


async def test_a_server_that_a_company_vouches_for_is_asked(bench: Bench, authority: Authority) -> None:
    async with serving(tls=authority.server(NAME)) as server:
        answer = await asked(bench, server, SSL_CERT_FILE=str(authority.file))
    assert (only(answer).answer, len(server.heard)) == ("done", 1)
    assert f"host: {NAME}:{server.port}" in server.heard[0].head.lower()


async def test_the_name_is_told_while_the_connection_is_made(bench: Bench, authority: Authority) -> None:
    told: list[str | None] = []
    tls = authority.server(NAME)
    tls.sni_callback = lambda _, name, __: told.append(name)
    async with serving(tls=tls) as server:
        await asked(bench, server, SSL_CERT_FILE=str(authority.file))
    assert set(told) == {NAME}


UNPROVED = ["nobody vouches", "another name", "out of date", "not yet good", "for itself"]


@pytest.mark.parametrize("case", UNPROVED)
async def test_a_server_that_cannot_prove_its_name_is_sent_nothing(
    bench: Bench, authority: Authority, tmp_path: Path, case: str
) -> None:
    tls = {
        "nobody vouches": lambda: Authority.new(tmp_path / "other").server(NAME),
        "another name": lambda: authority.server("models.example"),
        "out of date": lambda: authority.server(NAME, since=-3, until=-1),
        "not yet good": lambda: authority.server(NAME, since=1, until=3),
        "for itself": lambda: authority.server(NAME, self_signed=True),
    }[case]()
    async with serving(tls=tls) as server:
        answer = await asked(bench, server, SSL_CERT_FILE=str(authority.file))
    assert (answer.status, answer.code, server.heard) == ("failed", Code.PROVIDER_UNAVAILABLE, [])
    assert bench.attempts(answer) == [(A, "failed", Code.PROVIDER_UNAVAILABLE)]
    (row,) = bench.trace(answer.trace_id).attempts
    assert row.cost == "0"
    assert "SSL_CERT_FILE" in only(answer).detail


async def test_without_the_variable_a_company_is_not_believed(bench: Bench, authority: Authority) -> None:
    async with serving(tls=authority.server(NAME)) as server:
        answer = await asked(bench, server)
    assert (answer.code, server.heard) == (Code.PROVIDER_UNAVAILABLE, [])


async def test_certificates_that_cannot_be_read_open_nothing(bench: Bench, authority: Authority) -> None:
    async with serving(tls=authority.server(NAME)) as server:
        for file in (authority.folder / "missing.pem", bench.write("notes.txt", "no certificate")):
            answer = await asked(bench, server, SSL_CERT_FILE=str(file))
            assert (answer.code, server.heard) == (Code.PROVIDER_UNAVAILABLE, [])


async def ask(sender: Sender, name: str, port: int) -> None:
    protocol, request = OpenAiCompat(), a_request()
    target = LocalTarget(f"https://{name}:{port}/v1", declared=True)
    wire, decoder = protocol.encode(request), protocol.decoder(request)
    stream = sender.stream(wire, decoder, target=target, timeouts=Timeouts(), protocol=protocol)
    assert [event async for event in stream]


BODY = b'data: {"choices":[{"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\ndata: [DONE]\n\n'


async def test_a_connection_that_was_proved_for_one_name_is_not_used_for_another(authority: Authority) -> None:
    connections: list[int] = []

    async def talk(reader: StreamReader, writer: StreamWriter) -> None:
        connections.append(0)
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            connections[-1] += 1
            lengths = [line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:")]
            await reader.readexactly(int(lengths[0].split(b":")[1]))
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(BODY), BODY))
            await writer.drain()

    async with (
        listening(talk, authority.server(NAME)) as port,
        Sender(lambda: 0.0, Authorities(str(authority.file))) as sender,
    ):
        await ask(sender, NAME, port)
        await ask(sender, NAME, port)
        assert connections == [2]
        with pytest.raises(ProviderError) as refused:
            await ask(sender, "127.0.0.1", port)
    assert (refused.value.code, sum(connections)) == (Code.PROVIDER_UNAVAILABLE, 2)


async def test_an_address_is_proved_by_a_certificate_for_it(authority: Authority) -> None:
    async with (
        serving(tls=authority.server("127.0.0.1")) as server,
        Sender(lambda: 0.0, Authorities(str(authority.file))) as sender,
    ):
        await ask(sender, "127.0.0.1", server.port)
        with pytest.raises(ProviderError):
            await ask(sender, NAME, server.port)
    assert len(server.heard) == 1


async def test_what_is_believed_customarily_is_verified_too() -> None:
    async with Sender(lambda: 0.0) as sender:
        context = await sender._verification()  # pyright: ignore[reportPrivateUsage]
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)
    assert context.cert_store_stats()["x509_ca"] > 50


async def test_what_leaves_over_tls_is_the_request(bench: Bench, authority: Authority) -> None:
    async with serving(tls=authority.server(NAME)) as server:
        await asked(bench, server, SSL_CERT_FILE=str(authority.file))
    (heard,) = server.heard
    assert json.loads(heard.body)["messages"][1] == {"role": "user", "content": ASK.text}
    assert "cookie" not in heard.head.lower()
