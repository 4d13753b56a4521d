"""The server as a child process on pipes, spoken to in raw JSON lines."""

import json
import signal
from collections.abc import Iterator
from pathlib import Path

import pytest
from fake_ollama import FakeOllama
from raw_host import ENVELOPE, RawHost

REVIEW = {"text": "review the auth middleware"}
TOOLS = ["classify", "route", "explain", "dispatch"]
SIGNALS = [signal.SIGINT, signal.SIGTERM]
HOLD = {
    "jsonrpc": "2.0",
    "id": 9,
    "method": "tools/call",
    "params": {"name": "dispatch", "arguments": {"text": "review: hold"}, "_meta": {"progressToken": "t"}},
}


@pytest.fixture
def host(home: Path, workspace: Path) -> Iterator[RawHost]:
    with RawHost.started(home, workspace) as started:
        yield started


@pytest.mark.parametrize("version", ["2024-11-05", "2025-03-26", "2025-06-18", "2025-11-25"])
def test_a_host_of_the_handshake_era_is_served(host: RawHost, version: str) -> None:
    greeting = host.greet(version)
    assert greeting["protocolVersion"] == version
    assert greeting["serverInfo"]["name"] == "smista-mcp"
    assert greeting["instructions"]
    assert [tool["name"] for tool in host.ask(2, "tools/list")["result"]["tools"]] == TOOLS
    for tool in TOOLS:
        answer = host.call(tool, REVIEW)
        assert not answer["isError"]
        assert json.loads(answer["content"][0]["text"]) == answer["structuredContent"]
    host.end_input()
    assert host.exit() == 0
    assert host.rest("out") == ""


def test_a_host_of_the_modern_era_is_served_without_a_handshake(host: RawHost) -> None:
    discovered = host.ask(1, "server/discover", {"_meta": ENVELOPE})["result"]
    assert discovered["supportedVersions"] == ["2026-07-28"]
    assert discovered["instructions"]
    listed = host.ask(2, "tools/list", {"_meta": ENVELOPE})["result"]
    assert [tool["name"] for tool in listed["tools"]] == TOOLS
    assert listed["ttlMs"] > 0
    for tool in TOOLS:
        assert not host.call(tool, REVIEW, _meta=ENVELOPE)["isError"]
    routed = host.call("route", REVIEW, _meta=ENVELOPE)["structuredContent"]
    assert routed["decisions"][0]["host"] == "opencode"


def test_each_modern_request_names_its_own_client(host: RawHost) -> None:
    host.ask(1, "server/discover", {"_meta": ENVELOPE})
    other = ENVELOPE | {"io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "1"}}
    for envelope, name in ((ENVELOPE, "opencode"), (other, "claude-code")):
        routed = host.call("route", REVIEW, _meta=envelope)["structuredContent"]
        assert routed["decisions"][0]["host"] == name


def test_a_mistake_is_told_and_the_next_call_is_served(host: RawHost) -> None:
    host.greet()
    unknown_tool = host.call("no_such_tool", {})
    unknown_argument = host.call("route", {"task": "x"})
    assert unknown_tool["isError"]
    assert unknown_argument["isError"]
    assert "`text`" in unknown_argument["content"][0]["text"]
    assert host.ask(5, "no/such/method")["error"]["code"] == -32601
    assert host.ask(6, "tools/call", {"name": "route", "arguments": [1]})["error"]["code"] == -32602
    assert not host.call("route", REVIEW)["isError"]


def test_a_line_that_is_no_message_is_answered_and_the_next_one_served(host: RawHost) -> None:
    host.greet()
    host.say('{"jsonrpc": nonsense')
    assert host.hear()["error"]["code"] == -32700
    host.say(r'{"jsonrpc":"2.0","id":4,"method":"tools/call","params":{"name":"route","arguments":{"text":"\ud800"}}}')
    assert host.hear()["id"] == 4
    assert not host.call("route", REVIEW)["isError"]


def test_an_id_comes_back_as_it_was_sent(host: RawHost) -> None:
    host.greet()
    for request_id in (0, -3, 2**53, "", "a", "1", "ключ"):
        assert host.ask(request_id, "ping") == {"jsonrpc": "2.0", "id": request_id, "result": {}}


def test_a_text_of_10_mb_is_refused_and_the_next_call_served(host: RawHost) -> None:
    host.greet()
    refused = host.call("route", {"text": "x" * 10_000_000})
    assert refused["content"][0]["text"].startswith("invalid_task: ")
    assert not host.call("route", REVIEW)["isError"]


def test_a_call_is_cancelled_by_its_notification(host: RawHost, ollama: FakeOllama) -> None:
    host.greet()
    host.say(HOLD)
    assert ollama.asked.wait(10)
    host.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}})
    assert ollama.left.wait(2)
    assert host.ask(10, "ping")["result"] == {}
    assert [message for message in host.noted if message.get("id") == 9] == []


def test_progress_goes_to_the_token_of_the_call(host: RawHost) -> None:
    host.greet()
    host.say(HOLD)
    first, second = host.hear(), host.hear()
    assert first["method"] == second["method"] == "notifications/progress"
    assert first["params"]["progressToken"] == "t"
    assert first["params"]["progress"] < second["params"]["progress"]
    assert "cost 0 USD (local)" in second["params"]["message"]


def test_what_is_printed_beside_the_protocol_goes_to_standard_error(home: Path, workspace: Path) -> None:
    noisy = "import logging; logging.Logger.debug = lambda *a, **k: print('beside')"
    with RawHost.started(home, workspace, before=noisy) as host:
        host.greet()
        assert not host.call("route", REVIEW)["isError"]
        host.end_input()
        assert host.exit() == 0
        assert host.rest("out") == ""
        assert "beside" in host.rest("err")


def test_calls_that_were_sent_before_input_ends_are_answered(host: RawHost) -> None:
    host.say(
        {
            "jsonrpc": "2.0",
            "id": 1,
            "method": "initialize",
            "params": {
                "protocolVersion": "2025-06-18",
                "capabilities": {},
                "clientInfo": {"name": "x", "version": "1"},
            },
        }
    )
    host.say({"jsonrpc": "2.0", "method": "notifications/initialized"})
    host.say({"jsonrpc": "2.0", "id": 2, "method": "tools/call", "params": {"name": "classify", "arguments": REVIEW}})
    host.end_input()
    assert [host.hear()["id"], host.hear()["id"]] == [1, 2]
    assert host.exit() == 0


def test_the_end_of_input_ends_the_process_during_a_dispatch(host: RawHost, ollama: FakeOllama) -> None:
    host.greet()
    host.say(HOLD)
    assert ollama.asked.wait(10)
    host.end_input()
    assert host.exit() == 0
    assert ollama.left.wait(2)


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_an_idle_server(host: RawHost, number: signal.Signals) -> None:
    host.greet()
    host.interrupt(number)
    assert host.exit() == 128 + number
    assert (host.rest("out"), host.rest("err")) == ("", "")


@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_a_dispatch(host: RawHost, ollama: FakeOllama, number: signal.Signals) -> None:
    host.greet()
    host.say(HOLD)
    assert ollama.asked.wait(10)
    host.interrupt(number)
    assert host.exit() == 128 + number
    assert ollama.left.wait(2)
    assert host.rest("err") == ""


def test_a_signal_ends_a_server_that_is_still_loading(home: Path, workspace: Path) -> None:
    loading = """\
from smista_mcp.server.signals import Interruption
Interruption().watch()
print("begun", file=sys.stderr, flush=True)
"""
    with RawHost.started(home, workspace, before=loading) as host:
        assert host.line("err") == "begun"
        host.interrupt(signal.SIGTERM)
        assert host.exit() == 143
        assert host.rest("err") == ""


def test_a_host_that_reads_no_more_ends_the_server(host: RawHost) -> None:
    host.greet()
    assert host.process.stdout
    host.process.stdout.close()
    host.say({"jsonrpc": "2.0", "id": 2, "method": "tools/list"})
    assert host.exit() == 1
    assert host.rest("err") == ""


def test_a_server_without_standard_input_says_so(home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, before="sys.stdin = None") as host:
        assert host.exit() == 1
        assert "standard input" in host.rest("err")
