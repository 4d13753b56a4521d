"""The program as hosts start it, beside the server without its front: real processes, raw lines, the same answers."""

import json
import os
import signal
from pathlib import Path
from typing import Any

import pytest
from fake_ollama import FakeOllama
from raw_host import ENVELOPE, PATIENCE_S, RawHost

CLIENT = {"name": "opencode", "version": "1"}
READY = '{"jsonrpc":"2.0","method":"notifications/initialized"}'
SIGNALS = [signal.SIGINT, signal.SIGTERM]
REVIEW = {"text": "review the auth middleware"}
WITHOUT_LIBRARY = "sys.modules['mcp_types'] = None"
WATCHED = """
import os
class Noisy:
    def find_spec(self, name, *rest):
        if name in ("mcp", "mcp_types", "pydantic"):
            print("beside", name)
            os.write(1, b"below\\\\n")
sys.meta_path.insert(0, Noisy())
"""
LOADED = """
import atexit
atexit.register(lambda: print(*sorted(n for n in sys.modules if "." not in n), file=sys.stderr))
"""


def ask(method: str, params: object = None, request_id: object = 1) -> str:
    return json.dumps(
        {"jsonrpc": "2.0", "id": request_id, "method": method} | ({} if params is None else {"params": params})
    )


def hello(version: str = "2025-11-25", **changed: object) -> str:
    return ask("initialize", {"protocolVersion": version, "capabilities": {}, "clientInfo": CLIENT} | changed, 0)


def modern(method: str, request_id: object = 1, without: str = "nothing") -> str:
    meta = {key: value for key, value in ENVELOPE.items() if not key.endswith(without)}
    return ask(method, {"_meta": meta}, request_id)


def call(request_id: object = 2, **more: object) -> str:
    return ask("tools/call", {"name": "classify", "arguments": REVIEW, **more}, request_id)


CANCELLED = '{"jsonrpc":"2.0","method":"notifications/cancelled","params":{"requestId":0}}'
ODD_IDS: list[object] = [None, 1.0, 1.5, True, []]
UNANSWERED = {READY, CANCELLED, *(ask("ping", request_id=odd) for odd in ODD_IDS)}
"""A request whose id can be none is a notification for the library."""
DISCOVER, LISTED = modern("server/discover", "d"), ask("tools/list", {}, "t")
SCRIPTS: dict[str, list[str]] = {
    "nothing": [],
    "handshake, list, call": [hello(), READY, LISTED, call()],
    "a revision of nobody": [hello("2031-01-01"), READY, LISTED],
    "a modern revision by handshake": [hello("2026-07-28"), READY, LISTED],
    "discover, list, call": [DISCOVER, modern("tools/list"), call(_meta=ENVELOPE)],
    "discover, then a handshake": [DISCOVER, hello(), READY, LISTED],
    "a handshake, then a modern call": [hello(), READY, call(_meta=ENVELOPE), LISTED],
    "a handshake, then discover": [hello(), READY, DISCOVER, LISTED],
    "two handshakes": [hello(), hello("2024-11-05", clientInfo={"name": "codex-mcp-client", "version": "1"}), call()],
    "no handshake": [LISTED, call()],
    "a page": [hello(), READY, ask("tools/list", {"cursor": "x"}), call()],
    "garbage": [hello(), READY, "garbage", '{"jsonrpc":"2.0","id":5', call()],
    "a batch": [hello(), READY, f"[{LISTED}]", "[]", call()],
    "null and odd ids": [hello(), *(ask("ping", request_id=odd) for odd in ODD_IDS), call()],
    "half an envelope": [DISCOVER, modern("tools/list", 5, "clientCapabilities"), modern("tools/list", 6, "Version")],
    "cancelled before it is loaded": [
        hello(),
        CANCELLED,
        LISTED,
        call(),
    ],
    "a line of a megabyte": [hello(), ask("ping", {"x": "y" * 1_000_000}), call()],
    "no Unicode": [hello(), READY, '{"jsonrpc":"2.0","id":5,"method":"ping","params":{"x":"\udcff"}}', call()],
    "half a character": [hello(), r'{"jsonrpc":"2.0","id":"\ud800","method":"ping"}', call()],
    "lines of Windows": [f"{hello()}\r", f"{READY}\r", f"{LISTED}\r", call()],
    "deep": [hello(), ask("ping", {"x": 1}).replace("1}", "[" * 2000 + "]" * 2000 + "}"), call()],
    "end after the greeting": [hello(), READY],
    "end in the middle of a line": [hello(), READY, LISTED, call()[:-9]],
}
BROKEN_OFF = "end in the middle of a line"


def carried_out(host: RawHost, lines: list[str], *, broken_off: bool) -> tuple[int, list[str]]:
    """The exit status and all that was said, sorted, after these lines were sent at once."""
    text = "".join(f"{line}\n" for line in lines).encode(errors="surrogateescape")
    assert host.process.stdin
    host.process.stdin.write(text.removesuffix(b"\n") if broken_off else text)
    host.process.stdin.flush()
    owed = sum(line.strip() not in UNANSWERED for line in lines) - broken_off
    said = [host.line("out") for _ in range(owed)]
    host.end_input()
    return host.exit(), sorted([*said, *host.rest("out").splitlines()])


@pytest.mark.parametrize("name", SCRIPTS)
def test_a_host_hears_the_same_with_and_without_the_front(name: str, home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace) as plain, RawHost.started(home, workspace, module="front") as fronted:
        expected, told = (carried_out(host, SCRIPTS[name], broken_off=name == BROKEN_OFF) for host in (plain, fronted))
    assert told == expected


@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_a_host_is_greeted_and_knows_the_tools_without_the_library(version: str, home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, module="front", before=WITHOUT_LIBRARY) as host:
        if version == "2026-07-28":
            assert host.ask(1, "server/discover", {"_meta": ENVELOPE})["result"]["supportedVersions"] == [version]
            params: dict[str, Any] | None = {"_meta": ENVELOPE}
        else:
            assert host.greet(version)["protocolVersion"] == version
            assert host.ask("", "ping")["result"] == {}
            params = None
        assert len(host.ask(2, "tools/list", params)["result"]["tools"]) == 4
        for method, kind in (("prompts/list", "prompts"), ("resources/list", "resources")):
            assert kind in host.ask(3, method, params)["result"]
        host.say(call())
        assert host.exit() == 1
        assert host.rest("err").startswith("smista-mcp: internal_error: ")
        assert host.rest("out") == ""


@pytest.fixture
def unmeasured(monkeypatch: pytest.MonkeyPatch) -> None:
    """Children without the measuring of coverage, which loads modules and ends processes in its own way."""
    for name in [name for name in os.environ if name.startswith("COVERAGE_")]:
        monkeypatch.delenv(name)


@pytest.mark.usefixtures("unmeasured")
def test_a_greeting_loads_nothing_that_it_does_not_need(home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, module="front", before=LOADED) as host:
        host.greet()
        host.end_input()
        assert host.exit() == 0
        loaded = set(host.rest("err").split())
    heavy = ("mcp", "mcp_types", "pydantic", "anyio", "asyncio", "httpx", "argparse", "sqlite3", "tomllib", "pathlib")
    assert loaded & {*heavy, "smista_mcp"} == {"smista_mcp"}


@pytest.mark.parametrize("stage", ["greeted", "listed", "called"])
@pytest.mark.parametrize("number", SIGNALS)
def test_a_signal_ends_it_within_a_second_at_every_stage(
    stage: str, number: signal.Signals, home: Path, workspace: Path
) -> None:
    with RawHost.started(home, workspace, module="front") as host:
        host.greet()
        if stage != "greeted":
            host.ask(2, "tools/list")
        if stage == "called":
            host.call("classify", REVIEW)
        host.interrupt(number)
        assert host.exit() == 128 + number
        assert (host.rest("out"), host.rest("err")) == ("", "")


def test_a_signal_ends_it_before_anything_is_said(home: Path, workspace: Path) -> None:
    begun = """
from smista_mcp.server import front
def told(*arguments):
    print("begun", file=sys.stderr, flush=True)
    return real(*arguments)
real, front.usual_handshake = front.usual_handshake, lambda: told()
"""
    with RawHost.started(home, workspace, module="front", before=begun) as host:
        assert host.line("err") == "begun"
        host.interrupt(signal.SIGTERM)
        assert host.exit() == 143


def test_input_that_ends_while_the_library_loads_ends_it_at_once(home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, module="front") as host:
        host.greet()
        host.ask(2, "tools/list")
        host.end_input()
        assert host.exit() == 0
        assert (host.rest("out"), host.rest("err")) == ("", "")


def test_who_calls_and_what_it_can_is_known_after_the_greeting(home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, module="front") as host:
        host.greet(name="codex-mcp-client")
        host.ask(2, "tools/list")
        assert host.call("route", REVIEW)["structuredContent"]["decisions"][0]["host"] == "codex"
    other = ENVELOPE | {"io.modelcontextprotocol/clientInfo": {"name": "claude-code", "version": "1"}}
    with RawHost.started(home, workspace, module="front") as host:
        host.ask(1, "server/discover", {"_meta": ENVELOPE})
        for envelope, name in ((other, "claude-code"), (ENVELOPE, "opencode")):
            routed = host.call("route", REVIEW, _meta=envelope)["structuredContent"]
            assert routed["decisions"][0]["host"] == name


@pytest.mark.usefixtures("unmeasured")
def test_what_is_printed_while_the_library_loads_goes_to_standard_error(home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, module="front", before=WATCHED.replace("\\\\", "\\")) as host:
        host.greet()
        host.ask(2, "tools/list")
        assert not host.call("classify", REVIEW)["isError"]
        host.end_input()
        assert host.exit() == 0
        assert host.rest("out") == ""
        said = host.rest("err")
    assert "beside mcp" in said
    assert "below" in said


def test_a_host_that_reads_no_more_ends_it(home: Path, workspace: Path) -> None:
    with RawHost.started(home, workspace, module="front") as host:
        host.greet()
        assert host.process.stdout
        host.process.stdout.close()
        host.say(ask("ping"))
        assert host.exit() == 1
        assert host.rest("err") == ""


def test_a_host_whose_ends_do_not_block_is_served(home: Path, workspace: Path) -> None:
    before = "import os; os.set_blocking(0, False); os.set_blocking(1, False)"
    with RawHost.started(home, workspace, module="front", before=before) as host:
        host.greet()
        for n in range(30):
            host.say(ask("tools/list", request_id=n))
        for n in range(30):
            assert len(host.answer(n)["result"]["tools"]) == 4


def test_another_version_of_the_library_answers_everything_itself(home: Path, workspace: Path) -> None:
    before = "from smista_mcp.server import handshake; handshake._is_installed = lambda *given: False"
    with RawHost.started(home, workspace, module="front", before=f"{before}; {WITHOUT_LIBRARY}") as host:
        host.say(hello())
        assert host.exit() == 1
    with RawHost.started(home, workspace, module="front", before=before) as host:
        host.greet()
        assert not host.call("classify", REVIEW)["isError"]


def test_a_greeting_that_the_library_would_word_otherwise_is_told(home: Path, workspace: Path) -> None:
    before = "from smista_mcp.server import instructions; instructions.INSTRUCTIONS = 'other words'"
    with RawHost.started(home, workspace, module="front", before=before) as host:
        host.greet()
        host.ask(2, "tools/list")
        assert not host.call("classify", REVIEW)["isError"]
        host.end_input()
        host.exit()
        assert "greeted in other words" in host.rest("err")


@pytest.mark.parametrize(
    ("variables", "arguments"),
    [
        ({"SMISTA_DELEGATE": "1"}, []),
        ({"SMISTA_HOME": "~nobody-of-this-name/x"}, []),
        ({}, ["--workspace", "none"]),
        ({}, ["--nope"]),
    ],
    ids=str,
)
def test_a_host_is_not_greeted_by_what_cannot_start(
    variables: dict[str, str], arguments: list[str], home: Path, workspace: Path
) -> None:
    before = f"import os; os.environ.update({variables!r})"
    given = ("serve-stdio", *arguments)
    with RawHost.started(home, workspace, module="front", arguments=given, before=before) as host:
        out, err = host.process.communicate(hello().encode() + b"\n", timeout=PATIENCE_S)
    assert (host.process.returncode in (1, 2), out) == (True, b"")
    assert err.startswith(b"smista-mcp: ")


def test_where_spans_are_collected_the_library_greets(
    home: Path, workspace: Path, ollama: FakeOllama, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", ollama.base_url)
    with RawHost.started(home, workspace, module="front", before=WITHOUT_LIBRARY) as host:
        host.say(hello())
        assert host.exit() == 1
        assert host.rest("out") == ""
