"""Calls of the four tools through the protocol, in memory, against the real application."""

import json
from pathlib import Path
from typing import Any

import anyio
import pytest
from fake_ollama import FakeOllama
from jsonschema import Draft202012Validator
from mcp.client.client import Client
from mcp_types import CallToolResult, Implementation, TextContent

from smista_mcp.app import App
from smista_mcp.server.protocol import serving
from smista_mcp.server.tools import TOOLS

pytestmark = pytest.mark.anyio

REVIEW: dict[str, Any] = {"text": "review the auth middleware"}
OUTPUT = {tool.name: tool.output_schema for tool in TOOLS}


def text_of(result: CallToolResult) -> str:
    (block,) = result.content
    assert isinstance(block, TextContent)
    return block.text


async def call(
    app: App, tool: str, arguments: dict[str, Any], *, mode: Any = "auto", name: str = "x"
) -> CallToolResult:
    info = Implementation(name=name, version="1")
    with anyio.fail_after(20):
        async with serving(app, over_http=False) as server, Client(server, mode=mode, client_info=info) as client:
            return await client.call_tool(tool, arguments)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize(
    ("tool", "arguments"), [("classify", REVIEW), ("route", REVIEW), ("explain", REVIEW), ("dispatch", REVIEW)]
)
async def test_an_answer_says_the_same_as_text_and_as_object_and_fits_its_schema(
    app: App, tool: str, arguments: dict[str, Any], mode: str
) -> None:
    result = await call(app, tool, arguments, mode=mode)
    assert not result.is_error
    assert json.loads(text_of(result)) == result.structured_content
    assert list(Draft202012Validator(OUTPUT[tool] or {}).iter_errors(result.structured_content)) == []  # pyright: ignore[reportUnknownMemberType]  untyped there


async def test_the_tools_decide_explain_and_do_the_same_thing(app: App) -> None:
    routed = (await call(app, "route", REVIEW)).structured_content["decisions"][0]
    assert routed["matched_rule"]["name"] == "reviews stay here"
    told = (await call(app, "explain", {"decision_id": routed["decision_id"]})).structured_content["phases"][0]
    assert told["decision"]["decision_id"] == routed["decision_id"]
    done = (await call(app, "dispatch", REVIEW)).structured_content
    assert (done["status"], done["phases"][0]["answer"]) == ("completed", "fine")
    traced = (await call(app, "explain", {"trace_id": done["trace_id"]})).structured_content["phases"][0]
    assert traced["attempts"][0]["trace_id"] == done["trace_id"]


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize(("name", "host"), [("claude-code", "claude-code"), ("opencode", "opencode"), ("x", "unknown")])
async def test_the_host_is_known_by_its_own_name_in_both_eras(app: App, mode: str, name: str, host: str) -> None:
    result = await call(app, "route", REVIEW, mode=mode, name=name)
    assert result.structured_content["decisions"][0]["host"] == host


async def test_a_route_answer_of_one_phase_is_at_most_5_kb(app: App, workspace: Path) -> None:
    for number in range(40):
        (workspace / f"src/auth/part{number}.rs").write_text("fn part() {}\n", encoding="utf-8")
    for arguments in (REVIEW, {"text": "review @src/auth"}, {**REVIEW, "paths": ["src/auth"]}):
        assert len(text_of(await call(app, "route", arguments)).encode()) <= 5000


async def test_a_refusal_is_an_answer(app: App) -> None:
    result = await call(app, "route", {**REVIEW, "model": "nobody/nothing"})
    assert not result.is_error
    assert result.structured_content["decisions"][0]["status"] != "routed"


@pytest.mark.parametrize(
    ("tool", "arguments", "code"),
    [
        ("route", {"task": "x"}, "invalid_task"),
        ("route", {"text": 5}, "invalid_task"),
        ("route", {}, "invalid_task"),
        ("classify", {"text": "x", "model": "a/b"}, "invalid_task"),
        ("explain", {}, "invalid_task"),
        ("explain", {"trace_id": "none"}, "trace_not_found"),
        ("explain", {"decision_id": "0" * 64}, "trace_not_found"),
        ("dispatch", {"job_id": "none"}, "job_not_found"),
        ("no_such_tool", {}, "invalid_task"),
    ],
)
async def test_a_mistake_is_a_tool_error_with_a_code_and_a_next_step(
    app: App, tool: str, arguments: dict[str, Any], code: str
) -> None:
    result = await call(app, tool, arguments)
    assert result.is_error
    assert result.structured_content is None
    assert text_of(result).startswith(f"{code}: ")
    assert len(text_of(result)) > 40


async def test_a_broken_policy_is_told_at_each_call_and_mended_without_a_restart(app: App, home: Path) -> None:
    config = home / "config.toml"
    sound = config.read_text(encoding="utf-8")
    async with serving(app, over_http=False) as server, Client(server) as client:
        config.write_text(f"modle = 1\n{sound}", encoding="utf-8")
        for tool in ("classify", "route", "explain", "dispatch"):
            assert text_of(await client.call_tool(tool, REVIEW)).startswith("policy_invalid: ")
        config.write_text(sound, encoding="utf-8")
        assert not (await client.call_tool("route", REVIEW)).is_error


@pytest.mark.parametrize(("over_http", "locality"), [(False, "local"), (True, "remote")])
async def test_a_hosts_word_for_who_it_is_counts_over_its_own_pipes_alone(
    app: App, home: Path, locality: str, *, over_http: bool
) -> None:
    policy = '[routing.default]\nmodel = "host/current"\n[hosts.claude-code]\nlocality = "local"\n'
    (home / "config.toml").write_text(policy, encoding="utf-8")
    info = Implementation(name="claude-code", version="1")
    async with serving(app, over_http=over_http) as server, Client(server, client_info=info) as client:
        answer = (await client.call_tool("route", {"text": "What is a mutex?"})).structured_content
    assert answer is not None
    assert answer["decisions"][0]["locality"] == locality


async def test_progress_reaches_a_caller_that_asks_for_it(app: App, ollama: FakeOllama) -> None:
    heard: list[str | None] = []
    enough = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        heard.append(message)
        enough.set()

    async def dispatch(client: Client) -> None:
        await client.call_tool("dispatch", {"text": "review: hold"}, progress_callback=note)

    with anyio.fail_after(20):
        async with (
            serving(app, over_http=False) as server,
            Client(server) as client,
            anyio.create_task_group() as group,
        ):
            group.start_soon(dispatch, client)
            await enough.wait()
            group.cancel_scope.cancel()
    assert heard[0]


async def test_a_cancelled_call_hangs_up_on_the_model_within_two_seconds(app: App, ollama: FakeOllama) -> None:
    async def dispatch(client: Client) -> None:
        await client.call_tool("dispatch", {"text": "review: hold"})

    async with serving(app, over_http=False) as server, Client(server) as client:
        async with anyio.create_task_group() as group:
            group.start_soon(dispatch, client)
            assert await anyio.to_thread.run_sync(ollama.asked.wait, 10)
            group.cancel_scope.cancel()
        assert await anyio.to_thread.run_sync(ollama.left.wait, 2)


async def test_calls_do_not_wait_for_one_another(app: App, ollama: FakeOllama) -> None:
    async def dispatch(client: Client) -> None:
        await client.call_tool("dispatch", {"text": "review: hold"})

    with anyio.fail_after(20):
        async with (
            serving(app, over_http=False) as server,
            Client(server) as client,
            anyio.create_task_group() as group,
        ):
            group.start_soon(dispatch, client)
            assert await anyio.to_thread.run_sync(ollama.asked.wait, 10)
            assert not (await client.call_tool("route", REVIEW)).is_error
            group.cancel_scope.cancel()
