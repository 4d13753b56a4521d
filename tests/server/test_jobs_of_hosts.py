"""Jobs as hosts meet them: they outlive calls, connections and servers, and end where a host says so."""

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import anyio
import httpx
import pytest
from command_line import CommandLine
from fake_ollama import FakeOllama
from mcp.client.client import Client
from raw_host import PATIENCE_S, RawHost, WebHost

from smista_mcp.ledger import Ledger

HOLD: dict[str, Any] = {"text": "review: hold"}
SHORT = "[hosts.opencode]\ncall_limit_s = 3\n[hosts.unknown]\ncall_limit_s = 9\n"


@pytest.fixture
def impatient(home: Path) -> Path:
    """A home whose hosts wait for three seconds, so that each is answered after half of them."""
    policy = home / "config.toml"
    policy.write_text(policy.read_text(encoding="utf-8") + SHORT, encoding="utf-8")
    return home


@pytest.fixture
def host(impatient: Path, workspace: Path) -> Iterator[RawHost]:
    with RawHost.started(impatient, workspace) as started:
        started.greet()
        yield started


@pytest.fixture
def web(impatient: Path, workspace: Path, tmp_path: Path) -> Iterator[WebHost]:
    with WebHost.started(impatient, workspace, tmp_path / "log") as started:
        yield started


def dispatched(host: RawHost, arguments: dict[str, Any]) -> dict[str, Any]:
    answer = host.call("dispatch", arguments)
    assert not answer["isError"]
    return answer["structuredContent"]


def told(text: str) -> dict[str, Any]:
    """The answer in a response, be it an event of a stream."""
    line = next(line.removeprefix("data: ") for line in text.splitlines() if '"result":' in line)
    return json.loads(line)["result"]["structuredContent"]


def poll(answer: dict[str, Any]) -> dict[str, Any]:
    return {"job_id": answer["job_id"]}


def statuses(home: Path) -> list[str]:
    ledger = Ledger.open(home / "state")
    (trace,) = ledger.traces_of(ledger.last())
    return [attempt.status for attempt in trace.attempts]


def test_a_job_outlives_calls_and_its_answer_the_server(
    host: RawHost, impatient: Path, workspace: Path, ollama: FakeOllama
) -> None:
    begun = dispatched(host, HOLD)
    assert (begun["status"], begun["phases"]) == ("running", [])
    again = dispatched(host, poll(begun))
    assert again | {"progress": None} == begun | {"progress": None}
    assert again["progress"]["tokens"] >= begun["progress"]["tokens"]
    assert dispatched(host, HOLD) | {"progress": None} == begun | {"progress": None}  # the same call joins
    ollama.enough.set()
    answer = dispatched(host, poll(begun))
    assert (answer["status"], answer["phases"][0]["answer"][:4]) == ("completed", "fine")
    assert dispatched(host, poll(begun)) == answer
    with RawHost.started(impatient, workspace) as another:
        another.greet()
        assert dispatched(another, poll(begun)) == answer
        (phase,) = another.call("explain", poll(begun))["structuredContent"]["phases"]
        assert [attempt["status"] for attempt in phase["attempts"]] == ["completed"]
    with RawHost.started(impatient, workspace) as stranger:
        stranger.greet(name="zed")
        assert stranger.call("dispatch", poll(begun))["content"][0]["text"].startswith("job_not_found: ")


def test_the_job_of_a_server_that_was_killed_has_failed_and_may_have_been_charged(
    host: RawHost, impatient: Path, workspace: Path
) -> None:
    begun = dispatched(host, HOLD)
    host.process.kill()
    host.exit()
    with RawHost.started(impatient, workspace) as another:
        another.greet()
        answer = dispatched(another, poll(begun))
        assert (answer["status"], answer["code"], answer["job_id"]) == ("failed", "cancelled", begun["job_id"])
        (phase,) = answer["phases"]
        assert (phase["status"], phase["model"], phase["cost"]) == ("failed", "ollama/tiny:latest", None)
        assert "possible_duplicate_charge" in phase["detail"]
        (phase,) = another.call("explain", poll(begun))["structuredContent"]["phases"]
        assert [attempt["status"] for attempt in phase["attempts"]] == ["uncertain"]


def test_the_job_of_a_server_whose_host_has_gone_is_cancelled(host: RawHost, impatient: Path, workspace: Path) -> None:
    begun = dispatched(host, HOLD)
    host.end_input()
    host.exit()
    with RawHost.started(impatient, workspace) as another:
        another.greet()
        answer = dispatched(another, poll(begun))
    assert (answer["status"], answer["code"]) == ("failed", "cancelled")
    assert statuses(impatient) == ["cancelled"]


def test_a_host_that_cancels_a_poll_ends_the_job(host: RawHost, impatient: Path, ollama: FakeOllama) -> None:
    begun = dispatched(host, HOLD)
    params = {"name": "dispatch", "arguments": poll(begun), "_meta": {"progressToken": "t"}}
    host.say({"jsonrpc": "2.0", "id": 9, "method": "tools/call", "params": params})
    assert host.hear()["method"] == "notifications/progress"
    host.say({"jsonrpc": "2.0", "method": "notifications/cancelled", "params": {"requestId": 9}})
    assert ollama.left.wait(2)
    answer = dispatched(host, poll(begun))
    assert (answer["status"], answer["code"]) == ("failed", "cancelled")
    assert statuses(impatient) == ["cancelled"]


def test_a_job_outlives_a_connection_that_is_lost(web: WebHost, ollama: FakeOllama) -> None:
    begun = told(web.call("dispatch", HOLD))
    assert begun["status"] == "running"
    web.hang_up("dispatch", poll(begun))
    assert told(web.call("dispatch", poll(begun)))["status"] == "running"
    ollama.enough.set()
    answer = told(web.call("dispatch", poll(begun)))
    assert (answer["status"], ollama.left.is_set()) == ("completed", False)


def test_a_first_call_whose_connection_is_lost_goes_on_for_who_calls_again(web: WebHost, ollama: FakeOllama) -> None:
    greeting = {"protocolVersion": "2024-11-05", "capabilities": {}, "clientInfo": {"name": "opencode", "version": "1"}}
    call = {"name": "dispatch", "arguments": HOLD, "_meta": {"progressToken": "t"}}
    base = web.url.removesuffix("/mcp")
    with (
        httpx.Client(base_url=base, trust_env=False, timeout=PATIENCE_S) as client,
        client.stream("GET", "/sse") as older,
    ):
        lines = older.iter_lines()
        place = next(line for line in lines if line.startswith("data: ")).removeprefix("data: ")
        for message in (
            {"id": 1, "method": "initialize", "params": greeting},
            {"method": "notifications/initialized"},
            {"id": 2, "method": "tools/call", "params": call},
        ):
            client.post(place, json={"jsonrpc": "2.0", **message}).raise_for_status()
        assert any("notifications/progress" in line for line in lines)
    joined = told(web.call("dispatch", HOLD))
    ollama.enough.set()
    answer = told(web.call("dispatch", poll(joined)))
    assert (answer["status"], ollama.left.is_set(), ollama.questions) == ("completed", False, 1)


@pytest.mark.anyio
async def test_a_host_of_the_handshake_era_cancels_a_poll_over_http(web: WebHost, ollama: FakeOllama) -> None:
    with anyio.fail_after(30):
        async with Client(web.url, mode="legacy") as client:
            answer = (await client.call_tool("dispatch", HOLD)).structured_content
            assert answer is not None
            heard, said = anyio.Event(), list[tuple[float, str]]()

            async def hear(progress: float, total: float | None, message: str | None) -> None:
                del total
                said.append((progress, message or ""))
                if len(said) == 2:
                    heard.set()

            async def wait() -> None:
                await client.call_tool("dispatch", {"job_id": answer["job_id"]}, progress_callback=hear)

            async with anyio.create_task_group() as group:
                group.start_soon(wait)
                await heard.wait()
                group.cancel_scope.cancel()
            assert await anyio.to_thread.run_sync(ollama.left.wait, 2)
    (first, words), (second, _) = said
    assert 0 < first < second
    assert words.startswith("review on ollama/tiny, ")
    assert words.endswith(" s, cost 0 USD (local)")


def test_the_command_line_waits_for_the_job_of_a_server(
    host: RawHost, impatient: Path, workspace: Path, ollama: FakeOllama
) -> None:
    begun = dispatched(host, HOLD)
    shell = CommandLine(impatient, workspace)
    told = shell.run("explain", begun["job_id"], "--json").json
    assert [attempt["status"] for attempt in told["phases"][0]["attempts"]] == ["running"]
    waiting = shell.started("dispatch", "--job", begun["job_id"][:12], "--json")
    assert waiting.stderr is not None
    assert b"another process" in waiting.stderr.readline()
    ollama.enough.set()
    out, _ = waiting.communicate(timeout=30)
    answer = json.loads(out)
    assert (waiting.returncode, answer["status"], answer["job_id"]) == (0, "completed", begun["job_id"])
    assert answer["phases"][0]["answer"].startswith("fine")
