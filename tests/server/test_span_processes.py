"""Spans of real servers at a real collector, in the trace of the host that calls."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest
from collector import Receiver, Seen
from model_server import unused_port
from raw_host import ENVELOPE, RawHost

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"
TRACEPARENT = f"00-{TRACE}-{PARENT}-01"
OTHER_TRACE, OTHER_PARENT = "0af7651916cd43dd8448eb211c80319c", "b7ad6b7169203331"
HEADER = f"00-{OTHER_TRACE}-{OTHER_PARENT}-01"
CANARY = "canary-77b0ce"
ASK = {"text": f"review what {CANARY} does", "intent": "review"}
READ = {"text": ASK["text"]}
CHAIN = ["invoke_workflow dispatch", "phase review", "chat tiny:latest"]


@pytest.fixture
def receiver(monkeypatch: pytest.MonkeyPatch) -> Iterator[Receiver]:
    with Receiver.serving() as receiver:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", receiver.url)
        monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "20")
        yield receiver
    assert CANARY.encode() not in receiver.everything


def chain(receiver: Receiver, call: Seen) -> list[str]:
    """The names below a call, each the only child of the one before."""
    names, at = list[str](), call
    while below := receiver.collected.below(at):
        (at,) = below
        assert at.trace == call.trace
        names.append(at.name)
    return names


def post(port: int, tool: str, arguments: dict[str, str], *, header: str, named: str | None = None) -> None:
    """Calls a tool over HTTP; `named` is the trace that the message itself names."""
    meta = ENVELOPE if named is None else ENVELOPE | {"traceparent": named}
    params = {"name": tool, "arguments": arguments, "_meta": meta}
    fields = {
        "Accept": "application/json, text/event-stream",
        "MCP-Protocol-Version": "2026-07-28",
        "Mcp-Method": "tools/call",
        "Mcp-Name": tool,
        "traceparent": header,
    }
    body = {"jsonrpc": "2.0", "id": 1, "method": "tools/call", "params": params}
    answer = httpx.post(f"http://127.0.0.1:{port}/mcp", json=body, headers=fields, timeout=30, trust_env=False)
    assert '"result":' in answer.text, answer.text


@pytest.mark.parametrize("modern", [False, True])
def test_a_dispatch_over_stdio_belongs_to_the_trace_that_the_host_names(
    modern: bool, home: Path, workspace: Path, receiver: Receiver
) -> None:
    meta: dict[str, Any] = {"traceparent": TRACEPARENT, "tracestate": "rojo=00f067aa0ba902b7"}
    with RawHost.started(home, workspace) as host:
        if modern:
            meta |= ENVELOPE
        else:
            host.greet()
        assert host.call("dispatch", ASK, _meta=meta)["structuredContent"]["status"] == "completed"
        (call,) = receiver.wait_for("tools/call dispatch")
        host.end_input()
        assert host.exit() == 0
        assert host.rest("out") == ""
        assert host.rest("err") == ""
    assert (call.kind, call.trace, call.parent, call.failed) == ("server", TRACE, PARENT, False)
    assert chain(receiver, call) == CHAIN
    assert call.facts["mcp.method.name"] == "tools/call"
    assert (call.facts["gen_ai.operation.name"], call.facts["gen_ai.tool.name"]) == ("execute_tool", "dispatch")
    assert (call.facts["smista.status"], "smista.code" in call.facts) == ("completed", False)
    assert (call.facts["network.transport"], call.facts["jsonrpc.request.id"]) == ("pipe", "1")
    assert receiver.resources[0]["service.name"] == "smista-mcp"


def test_what_is_no_trace_is_none(home: Path, workspace: Path, receiver: Receiver) -> None:
    wrong: list[object] = [
        "",
        "no",
        TRACEPARENT.upper(),
        f"ff-{TRACE}-{PARENT}-01",
        f"00-{'0' * 32}-{PARENT}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"{TRACEPARENT}-{CANARY}",
        f"{TRACEPARENT}{' ' * 10_000}",
        7,
        None,
        [TRACEPARENT],
        {"traceparent": TRACEPARENT},
    ]
    with RawHost.started(home, workspace) as host:
        host.greet()
        for value in wrong:
            answer = host.call("classify", {"text": "plan it"}, _meta={"traceparent": value, "tracestate": CANARY})
            assert answer["structuredContent"]["phases"]
        calls = receiver.wait_for("tools/call classify", len(wrong))
    assert {call.parent for call in calls} == {""}
    assert len({call.trace for call in calls} - {TRACE}) == len(wrong)


def test_names_and_texts_of_a_host_stay_out(home: Path, workspace: Path, receiver: Receiver) -> None:
    with RawHost.started(home, workspace) as host:
        host.greet()
        assert host.call(CANARY, {"x": CANARY})["isError"]
        assert host.call("route", {"text": CANARY, CANARY: 1})["isError"]
        for method, params in (
            ("tools/call", {"name": 7}),
            ("prompts/get", {"name": CANARY}),
            ("resources/read", {"uri": f"x://{CANARY}"}),
            (f"x/{CANARY}", {}),
        ):
            assert "error" in host.ask(CANARY, method, params)
        receiver.wait_for("_OTHER")
    spans = receiver.collected
    unknown, refused = spans.named("tools/call _OTHER")[0], spans.only("tools/call route")
    assert (unknown.failed, unknown.facts["error.type"]) == (True, "tool_error")
    assert (refused.failed, refused.facts["error.type"]) == (True, "tool_error")
    assert spans.only("prompts/get").facts["error.type"] == "-32602"
    assert spans.only("_OTHER").facts["rpc.response.status_code"] == "-32601"
    assert {span.described for span in spans.spans} == {""}
    assert [span.events for span in spans.spans if span.events] == []


def test_over_http_the_header_counts_where_a_message_names_no_trace(
    home: Path, workspace: Path, receiver: Receiver
) -> None:
    port = unused_port()
    with RawHost.started(home, workspace, module="http", arguments=("127.0.0.1", port)) as host:
        assert "listening on" in host.line("err")
        post(port, "dispatch", ASK, header=HEADER)
        post(port, "classify", READ, header=HEADER, named=TRACEPARENT)
        post(port, "classify", READ, header=f"00-{CANARY}")
        both, neither = receiver.wait_for("tools/call classify", 2)
        (header,) = receiver.wait_for("tools/call dispatch")
    assert (header.trace, header.parent, header.facts["network.transport"]) == (OTHER_TRACE, OTHER_PARENT, "tcp")
    assert chain(receiver, header) == CHAIN
    assert (both.trace, both.parent, both.links) == (TRACE, PARENT, ((OTHER_TRACE, OTHER_PARENT),))
    assert (neither.parent, neither.links) == ("", ())
    assert neither.trace not in (TRACE, OTHER_TRACE)


def test_the_last_spans_leave_before_the_process_ends(
    home: Path, workspace: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_BSP_SCHEDULE_DELAY", "60000")
    with RawHost.started(home, workspace) as host:
        host.greet()
        host.call("classify", READ)
        assert receiver.bodies == []
        host.end_input()
        assert host.exit() == 0
    assert receiver.collected.named("tools/call classify") != []


def test_a_collector_that_is_away_keeps_nobody(home: Path, workspace: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", f"http://127.0.0.1:{unused_port()}")
    with RawHost.started(home, workspace) as host:
        host.greet()
        assert host.call("dispatch", ASK)["structuredContent"]["status"] == "completed"
        host.end_input()
        assert host.exit() == 0
        assert host.rest("out") == ""
        assert CANARY not in host.rest("err")


@pytest.mark.parametrize(
    "case",
    [
        ("grpc", "opentelemetry-exporter-otlp-proto-grpc", ""),
        ("smoke", "http/protobuf", ""),
        ("http/protobuf", "smista-mcp[otel]", "sys.modules['opentelemetry.sdk'] = None"),
    ],
    ids=lambda case: case[0],
)
def test_a_server_says_why_it_sends_no_spans_and_serves(
    case: tuple[str, str, str], home: Path, workspace: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    protocol, missing, before = case
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_PROTOCOL", protocol)
    with RawHost.started(home, workspace, before=before) as host:
        said = host.line("err")
        host.greet()
        assert json.loads(host.call("classify", READ)["content"][0]["text"])["phases"]
    assert said.startswith("smista-mcp: no spans are sent: ")
    assert missing in said
    assert receiver.bodies == []


@pytest.mark.parametrize(("name", "value"), [("OTEL_TRACES_EXPORTER", "none"), ("OTEL_SDK_DISABLED", "true")])
def test_who_wants_no_spans_gets_none(
    name: str, value: str, home: Path, workspace: Path, receiver: Receiver, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv(name, value)
    with RawHost.started(home, workspace) as host:
        host.greet()
        host.call("classify", READ)
        host.end_input()
        host.exit()
        assert host.rest("err") == ""
    assert receiver.bodies == []
