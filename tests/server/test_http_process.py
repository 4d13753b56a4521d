"""The server over HTTP as a child process: both transports, strangers kept out, an end within a second."""

import json
import signal
import socket
from collections.abc import Generator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import anyio
import httpx
import pytest
from fake_ollama import FakeOllama
from mcp.client.client import Client
from mcp.client.session import ClientSession
from mcp.client.sse import sse_client
from raw_host import ENVELOPE, RawHost

REVIEW: dict[str, Any] = {"text": "review the auth middleware"}
HOLD: dict[str, Any] = {"text": "review: hold"}
TOOLS = ["classify", "route", "explain", "dispatch"]
JSON = {"Content-Type": "application/json", "Accept": "application/json, text/event-stream"}
MODERN = {"MCP-Protocol-Version": "2026-07-28"}
ON_LOOPBACK = ("127.0.0.1", 0)


class Web:
    """A server process and its address."""

    def __init__(self, process: RawHost) -> None:
        self.process = process
        line = process.line("err")
        assert line.startswith("smista-mcp: listening on http://")
        self.url = line.removeprefix("smista-mcp: listening on ")
        self.port = urlsplit(self.url).port or 0
        self.base = self.url.removesuffix("/mcp")

    @contextmanager
    def dispatching(self) -> Generator[None]:
        """A modern host that waits for a dispatch without end, until the block ends."""
        params = {"name": "dispatch", "arguments": HOLD, "_meta": ENVELOPE}
        body = json.dumps({"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}).encode()
        fields = JSON | MODERN | {"Mcp-Method": "tools/call", "Mcp-Name": "dispatch"}
        fields |= {"Host": f"127.0.0.1:{self.port}", "Content-Length": str(len(body))}
        head = ["POST /mcp HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items()), "", ""]
        with socket.create_connection(("127.0.0.1", self.port)) as connection:
            connection.sendall("\r\n".join(head).encode() + body)
            yield


@pytest.fixture
def web(home: Path, workspace: Path) -> Iterator[Web]:
    with RawHost.started(home, workspace, module="http", arguments=ON_LOOPBACK) as process:
        yield Web(process)


@pytest.mark.anyio
@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_a_host_of_either_era_is_served(web: Web, mode: Any) -> None:
    with anyio.fail_after(20):
        async with Client(web.url, mode=mode) as client:
            assert [tool.name for tool in (await client.list_tools()).tools] == TOOLS
            for tool in TOOLS:
                assert not (await client.call_tool(tool, REVIEW)).is_error
            assert (await client.call_tool("explain", {"trace_id": "none"})).is_error


@pytest.mark.anyio
async def test_a_host_of_the_older_transport_is_served(web: Web) -> None:
    with anyio.fail_after(20):
        async with sse_client(f"{web.base}/sse") as (read, write), ClientSession(read, write) as session:
            await session.initialize()
            assert [tool.name for tool in (await session.list_tools()).tools] == TOOLS
            for tool in TOOLS:
                assert not (await session.call_tool(tool, REVIEW)).is_error


@pytest.mark.anyio
async def test_a_call_is_cancelled_by_a_host_of_the_handshake_era(web: Web, ollama: FakeOllama) -> None:
    async def dispatch(client: Client) -> None:
        await client.call_tool("dispatch", HOLD)

    async with Client(web.url, mode="legacy") as client:
        async with anyio.create_task_group() as group:
            group.start_soon(dispatch, client)
            assert await anyio.to_thread.run_sync(ollama.asked.wait, 10)
            group.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(ollama.left.wait, 2)


def test_a_call_is_cancelled_when_a_modern_host_hangs_up(web: Web, ollama: FakeOllama) -> None:
    with web.dispatching():
        assert ollama.asked.wait(10)
    assert ollama.left.wait(2)


@pytest.mark.parametrize("path", ["/mcp", "/sse", "/messages/?session_id=0", "/elsewhere"])
@pytest.mark.parametrize(
    ("header", "value", "status"),
    [
        ("Host", "evil.example", 421),
        ("Host", "127.0.0.1.evil.example:{port}", 421),
        ("Host", "localhost:1", 421),
        ("Origin", "http://evil.example", 403),
        ("Origin", "http://localhost:1", 403),
        ("Origin", "null", 403),
        ("Sec-Fetch-Site", "cross-site", 403),
        ("Sec-Fetch-Site", "same-site", 403),
    ],
)
def test_a_forged_host_or_origin_is_refused_on_every_path(
    shared_web: Web, path: str, header: str, value: str, status: int
) -> None:
    headers = JSON | {header: value.format(port=shared_web.port)}
    for method in ("GET", "POST"):
        answer = httpx.request(method, shared_web.base + path, headers=headers, trust_env=False)
        assert answer.status_code == status


@pytest.mark.parametrize("site", ["same-origin", "none"])
def test_what_a_user_opens_is_no_strangers_request(shared_web: Web, site: str) -> None:
    answer = httpx.get(f"{shared_web.base}/elsewhere", headers={"Sec-Fetch-Site": site}, trust_env=False)
    assert answer.status_code == 404


def test_more_connections_than_hosts_have_are_turned_away(web: Web) -> None:
    hello = f"GET /sse HTTP/1.1\r\nHost: 127.0.0.1:{web.port}\r\n\r\n".encode()
    with ExitStack() as opened:
        statuses: list[bytes] = []
        for _ in range(260):
            connection = opened.enter_context(socket.create_connection(("127.0.0.1", web.port), timeout=10))
            connection.sendall(hello)
            statuses.append(connection.recv(12)[9:])
    assert statuses[0] == b"200"
    assert statuses[-1] == b"503"


def test_more_sessions_than_hosts_have_are_turned_away(web: Web) -> None:
    params = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "x", "version": "1"}}
    hello = {"jsonrpc": "2.0", "id": 0, "method": "initialize", "params": params}
    with httpx.Client(headers=JSON | {"Connection": "close"}, trust_env=False) as client:
        statuses = [client.post(web.url, json=hello).status_code for _ in range(201)]
    assert (set(statuses[:-1]), statuses[-1]) == ({200}, 503)


@pytest.mark.parametrize("name", ["127.0.0.1", "localhost", "[::1]"])
def test_the_names_of_this_machine_are_its_own(shared_web: Web, name: str) -> None:
    own = f"{name}:{shared_web.port}"
    message = {"jsonrpc": "2.0", "id": 1, "method": "server/discover", "params": {"_meta": ENVELOPE}}
    headers = JSON | MODERN | {"Mcp-Method": "server/discover", "Host": own, "Origin": f"http://{own}"}
    answer = httpx.post(shared_web.url, json=message, headers=headers, trust_env=False)
    assert answer.status_code == 200


def test_a_body_that_holds_no_task_is_refused_unread(shared_web: Web) -> None:
    answer = httpx.post(shared_web.url, content=b" " * (17 << 20), headers=JSON, trust_env=False)
    assert answer.status_code == 413


def test_a_body_that_is_no_message_is_refused(shared_web: Web) -> None:
    assert httpx.post(shared_web.url, content=b"{nonsense", headers=JSON, trust_env=False).status_code == 400


@pytest.fixture(scope="module")
def shared_web(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Web]:
    """One server for tests that change nothing in it."""
    folder = tmp_path_factory.mktemp("shared")
    with RawHost.started(folder, folder, module="http", arguments=ON_LOOPBACK) as process:
        yield Web(process)


@pytest.mark.parametrize("host", ["0.0.0.0", "::", "example.com", ""])
def test_only_loopback_is_listened_on(home: Path, workspace: Path, host: str) -> None:
    with RawHost.started(home, workspace, module="http", arguments=(host, 0)) as process:
        assert process.exit() == 2
        assert "127.0.0.1" in process.rest("err")


def test_a_port_that_is_none_is_refused(home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, module="http", arguments=("127.0.0.1", 65536)) as process:
        assert process.exit() == 2
        assert "65535" in process.rest("err")


def test_a_port_that_is_taken_is_told(home: Path, workspace: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with RawHost.started(home, workspace, module="http", arguments=("127.0.0.1", port)) as process:
            assert process.exit() == 1
            assert str(port) in process.rest("err")


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_ends_it_within_a_second_although_streams_are_open(web: Web, number: signal.Signals) -> None:
    with (
        httpx.Client(trust_env=False) as client,
        client.stream("GET", f"{web.base}/sse") as stream,
    ):
        assert stream.status_code == 200
        web.process.interrupt(number)
        assert web.process.exit() == 128 + number
    assert (web.process.rest("out"), web.process.rest("err")) == ("", "")


def test_a_signal_ends_a_dispatch(web: Web, ollama: FakeOllama) -> None:
    with web.dispatching():
        assert ollama.asked.wait(10)
        web.process.interrupt(signal.SIGTERM)
        assert web.process.exit() == 143
    assert ollama.left.wait(2)
    assert web.process.rest("err") == ""
