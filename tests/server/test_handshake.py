"""The usual opening of a conversation: what is answered without the protocol library is what the library answers."""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import anyio
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcp.shared.message import SessionMessage
from mcp_types import jsonrpc_message_adapter as messages
from mcp_types.version import HANDSHAKE_PROTOCOL_VERSIONS, KNOWN_PROTOCOL_VERSIONS

from smista_mcp.app import App, open_app
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings
from smista_mcp.server import handshake as answering
from smista_mcp.server.handover import Handover, Wire
from smista_mcp.server.handshake import Handshake, usual_handshake
from smista_mcp.server.pipes import Answers, Requests
from smista_mcp.server.protocol import serving
from smista_mcp.server.shapes import CAPABILITIES_KEY, CLIENT_KEY, LISTS, METHODS, VERSION_KEY, read

SCRIPT = Path(__file__).parents[2] / "scripts" / "take_handshake.py"
CLIENT = {"name": "opencode", "version": "1"}
ENVELOPE = {VERSION_KEY: "2026-07-28", CLIENT_KEY: CLIENT, CAPABILITIES_KEY: {}}
READY = {"jsonrpc": "2.0", "method": "notifications/initialized"}


def request(method: str, params: object = None, request_id: object = 1) -> dict[str, Any]:
    return {"jsonrpc": "2.0", "id": request_id, "method": method} | ({} if params is None else {"params": params})


def greeting(version: str = "2025-11-25", **changed: object) -> dict[str, Any]:
    return request("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT} | changed, 0)


def enveloped(method: str, request_id: object = 1, **changed: object) -> dict[str, Any]:
    return request(method, {"_meta": ENVELOPE | changed}, request_id)


def line(message: object) -> bytes:
    return (message if isinstance(message, bytes) else json.dumps(message).encode()) + b"\n"


def handshake() -> Handshake:
    usual = usual_handshake()
    assert usual
    return usual


def app() -> App:
    return open_app(Settings(environment=Environment.read({"SMISTA_HOME": "/nowhere"})))


async def answers_of_library(text: bytes, handed: Handover | None = None) -> list[str]:
    """What a host hears of the library that reads these bytes, as sorted JSON."""
    lines, source = anyio.create_memory_object_stream[SessionMessage | Exception](999)
    sink, heard = anyio.create_memory_object_stream[SessionMessage](999)
    for one in text.decode(errors="replace").replace("\r\n", "\n").replace("\r", "\n").splitlines(keepends=True):
        try:
            await lines.send(SessionMessage(messages.validate_json(one, by_name=False)))
        except ValueError as error:
            await lines.send(error)
    lines.close()
    answers = Answers(sink, handed.replayed if handed else None)
    async with serving(app(), over_http=False) as server:
        options = server.create_initialization_options()
        await server.run(Requests(source, answers, on_end=lambda: None), answers, options)
    said: list[str] = []
    with heard:
        while heard.statistics().current_buffer_used:
            said.append(heard.receive_nowait().message.model_dump_json(by_alias=True, exclude_unset=True))
    return sorted(said)


async def answers_of_both(script: Sequence[object]) -> tuple[list[str], int]:
    """What a host hears of the front and then of the library, and how many lines the front has answered itself."""
    front, said = handshake(), list[str]()
    rest = list(map(line, script))
    while rest and (answer := front.answer(rest[0])) is not None:
        said += [answer.decode().removesuffix("\n")] * bool(answer)
        rest.pop(0)
    alone = len(script) - len(rest)
    if rest:
        handed = Handover.of(front, Wire(-1, -1), b"".join(rest))
        said += await answers_of_library(handed.unread, handed)
    return sorted(said), alone


def test_the_answers_are_those_of_the_library() -> None:
    done = subprocess.run([sys.executable, str(SCRIPT), "--check"], check=False)
    assert done.returncode == 0, "run scripts/take_handshake.py and read the diff"


def test_every_revision_that_the_library_knows_is_answered() -> None:
    for version in HANDSHAKE_PROTOCOL_VERSIONS:
        front = handshake()
        for method in ("initialize", *LISTS, "ping"):
            answer = front.answer(line(greeting(version) if method == "initialize" else request(method)))
            assert json.loads(answer or b"")["result"] is not None
    for version in set(KNOWN_PROTOCOL_VERSIONS) - set(HANDSHAKE_PROTOCOL_VERSIONS):
        front = handshake()
        for method in ("server/discover", *LISTS):
            assert front.answer(line(enveloped(method, **{VERSION_KEY: version})))


@pytest.mark.parametrize(
    "capabilities",
    [
        {"roots": {"listChanged": True}, "elicitation": {"form": {}, "url": {}}},
        {"experimental": {"codex/auth-change": {}}, "elicitation": {"form": {}, "url": {}}},
        {"sampling": {}, "elicitation": {"form": {}, "url": {}}},
        {"sampling": {"tools": {}}, "tasks": {"list": {}, "requests": {"sampling": {"createMessage": {}}}}},
        {"extensions": {"io.modelcontextprotocol/ui": {"mimeTypes": ["text/html"]}}},
    ],
    ids=str,
)
def test_what_known_hosts_say_of_themselves_is_usual(capabilities: object) -> None:
    title = {
        "title": "Claude Code",
        "description": "Anthropic's agentic coding tool",
        "websiteUrl": "https://claude.com",
    }
    assert read(line(greeting(capabilities=capabilities, clientInfo=CLIENT | title)))
    assert read(line(enveloped("server/discover", **{CAPABILITIES_KEY: capabilities})))
    assert read(line(request("tools/list", {"_meta": {"progressToken": 0}})))


ODD_IDS: list[object] = [None, True, 1.0, 1.5, [], {}, 2**53]
ODD: list[object] = [
    b"",
    b"nonsense",
    b"[]",
    line([request("ping"), request("ping")]),
    b"\xff",
    b'\xef\xbb\xbf{"jsonrpc":"2.0","id":1,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"id":2,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":{"_meta":{"x":NaN}}}',
    b'{"jsonrpc":"2.0","id":1,"method":"p\\u0069ng"}',
    b'{"jsonrpc":"2.0",\r"id":1,"method":"ping"}',
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b"[" * 5000 + b"]" * 5000 + b"}",
    b'{"jsonrpc":"2.0","id":1,"method":"ping","params":' + b'{"a":' * 300 + b"1" + b"}" * 300 + b"}",
    b'{"jsonrpc":"2.0","id":' + b"9" * 5000 + b',"method":"ping"}',
    *(request("ping", request_id=odd) for odd in ODD_IDS),
    {"jsonrpc": "2.0", "method": "ping"},
    {"jsonrpc": "1.0", "id": 1, "method": "ping"},
    {"id": 1, "method": "ping"},
    request("ping") | {"more": 1},
    request("ping", []),
    request("ping", {"x": 1}),
    request("ping", {"_meta": {"traceparent": "x"}}),
    request("ping", {"_meta": {"progressToken": None}}),
    request("no/such/method"),
    request("tools/list", {"cursor": "x"}),
    request("tools/list", {"cursor": None}),
    request("tools/list", {"_meta": None}),
    request("tools/list") | {"params": None},
    request("server/discover"),
    request("tools/call", {"name": "classify", "arguments": {"text": "review it"}}),
    enveloped("tools/list"),
    greeting(),
    json.dumps(greeting(capabilities={"experimental": {"x": {"y": "deep"}}}))
    .encode()
    .replace(b'"deep"', b'{"z":' * 300 + b"1" + b"}" * 300),
    READY | {"params": {"_meta": {}}},
    READY | {"id": 1},
    {"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 0}},
    request("ping", {"x": "y" * 70_000}),
]


@pytest.mark.anyio
@pytest.mark.parametrize("odd", ODD, ids=[f"{n} {odd!r:.40}" for n, odd in enumerate(ODD)])
async def test_an_odd_line_is_answered_by_the_library_as_if_it_had_read_all(odd: object) -> None:
    legacy = [
        greeting("2025-06-18"),
        READY,
        request("tools/list", request_id="list"),
        odd,
        request("ping", request_id="last"),
    ]
    modern = [enveloped("server/discover", "first"), odd, enveloped("tools/list", "last")]
    for script, usual in ((legacy, 3), (modern, 1), ([odd, *legacy[:3]], 0)):
        said, alone = await answers_of_both(script)
        assert said == await answers_of_library(b"".join(map(line, script)))
        assert alone == usual or odd in (greeting(), enveloped("tools/list"))


ODD_PARTS: list[Any] = [
    *(None, True, 0, 1.0, "", "x", [], [{}], {}),
    *({"form": {}}, {"listChanged": 1}, {"listChanged": None}, {"a": {}}),
]


def or_odd(usual: object) -> st.SearchStrategy[Any]:
    drawn: list[Any] = [*[usual] * 20, *ODD_PARTS]
    return st.sampled_from(drawn)


CAPABILITIES = st.fixed_dictionaries(
    {},
    optional={
        "roots": or_odd({"listChanged": True}),
        "sampling": or_odd({"tools": {}, "context": {}}),
        "elicitation": or_odd({"form": {}, "url": {}}),
        "experimental": or_odd({"x": {"y": [1, "z"]}}),
        "extensions": or_odd({"x": {}}),
        "tasks": or_odd({"cancel": {}, "requests": {"elicitation": {"create": {}}}}),
        "more": or_odd({}),
    },
)
CLIENTS = st.fixed_dictionaries(
    {"name": or_odd("opencode"), "version": or_odd("1")},
    optional={
        "title": or_odd("Title"),
        "description": or_odd("words"),
        "websiteUrl": or_odd("not an address"),
        "icons": or_odd([{"src": "data:,"}]),
        "more": or_odd(1),
    },
)
VERSIONS: st.SearchStrategy[Any] = st.sampled_from(
    [*KNOWN_PROTOCOL_VERSIONS, *["2026-07-28"] * 10, "2024-10-07", "", 1, None]
)
PAGES: list[dict[str, Any]] = [{}, {}, {}, {"cursor": "x"}, {"cursor": None}, {"x": 1}]


@st.composite
def greetings(draw: st.DrawFn) -> dict[str, Any]:
    params = {"protocolVersion": draw(VERSIONS), "capabilities": draw(CAPABILITIES), "clientInfo": draw(CLIENTS)}
    return request("initialize", params, draw(or_odd(7)))


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    params = dict(draw(st.sampled_from(PAGES)))
    if draw(st.booleans()):
        params["_meta"] = draw(st.fixed_dictionaries({}, optional={"progressToken": or_odd(1), "more": or_odd(1)}))
    if draw(st.booleans()):
        optional = {CLIENT_KEY: CLIENTS, CAPABILITIES_KEY: CAPABILITIES, "progressToken": or_odd(1)}
        params["_meta"] = draw(st.fixed_dictionaries({VERSION_KEY: VERSIONS}, optional=optional))
    return request(draw(st.sampled_from([*METHODS[1:], "x/y"])), params, draw(or_odd(7)))


LINES = st.one_of(requests(), greetings(), st.just(READY), st.just(greeting()), st.just(enveloped("server/discover")))


@given(st.lists(LINES, min_size=1, max_size=5))
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_whatever_is_said_the_host_hears_what_the_library_says(script: list[dict[str, Any]]) -> None:
    for n, message in enumerate(script):  # two requests of one id, sent at once, are one for the library
        if "id" in message and message["id"] in (0, 1, 7):
            script[n] = message | {"id": n + 100}

    async def compare() -> None:
        said, _ = await answers_of_both(script)
        assert said == await answers_of_library(b"".join(map(line, script)))

    anyio.run(compare)


@given(st.one_of(requests(), greetings()))
@settings(max_examples=300, deadline=None)
def test_what_opens_a_conversation_is_answered_word_for_word(message: dict[str, Any]) -> None:
    answer = handshake().answer(line(message))
    if answer is None:
        return

    async def library() -> list[str]:
        return await answers_of_library(line(message))

    assert [answer.decode().removesuffix("\n")] == anyio.run(library)


@pytest.mark.parametrize("found", ["mcp-9.9.9.dist-info", "mcp-2.3.0.egg-info", None], ids=str)
def test_answers_of_other_versions_do_not_count(
    found: str | None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp/__init__.py").touch()
    if found:
        (tmp_path / found).mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert usual_handshake() is None


def test_two_versions_side_by_side_count_as_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp/__init__.py").touch()
    taken = json.loads(Path(answering.DATA).read_text(encoding="utf-8"))["packages"]["mcp"]
    for version in (taken, "2.2.0"):
        (tmp_path / f"mcp-{version}.dist-info").mkdir()
    monkeypatch.setattr(sys, "path", [str(tmp_path), *sys.path])
    assert usual_handshake() is None
    (tmp_path / "mcp-2.2.0.dist-info").rmdir()
    assert usual_handshake() is not None


def test_answers_of_another_version_of_ours_do_not_count(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answering, "__version__", "0.0.9")
    assert usual_handshake() is None
