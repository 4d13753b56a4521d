"""What hosts list and read beside calls: resources, prompts, completions, and the same through `explain`."""

import json
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import anyio
import pytest
from fake_ollama import FakeOllama
from mcp.client.client import Client
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    Implementation,
    PromptReference,
    ResourceTemplateReference,
    TextContent,
    TextResourceContents,
)

from smista_mcp.app import App, open_app
from smista_mcp.hosts import HOSTS
from smista_mcp.loading.environment import Environment
from smista_mcp.loading.layers import Settings
from smista_mcp.server.protocol import serving

pytestmark = pytest.mark.anyio

REVIEW: dict[str, Any] = {"text": "review the auth middleware"}
ROOM = {host.name: host.room for host in HOSTS}


@asynccontextmanager
async def connected(
    app: App, name: str = "x", *, over_http: bool = False, mode: Any = "auto"
) -> AsyncGenerator[Client]:
    info = Implementation(name=name, version="1")
    with anyio.fail_after(30):
        async with serving(app, over_http=over_http) as server, Client(server, mode=mode, client_info=info) as client:
            yield client


async def read(client: Client, uri: str) -> str:
    (found,) = (await client.read_resource(uri)).contents
    assert isinstance(found, TextResourceContents)
    assert str(found.uri) == uri
    return found.text


async def told(client: Client, tool: str, **arguments: Any) -> dict[str, Any]:
    result = await client.call_tool(tool, arguments)
    assert not result.is_error, result.content
    assert result.structured_content is not None
    return result.structured_content


@pytest.mark.parametrize("mode", ["legacy", "auto"])
async def test_the_lists_are_the_same_in_both_eras_and_at_any_time(app: App, mode: str) -> None:
    async with connected(app, mode=mode) as client:
        for _ in range(2):
            resources = (await client.list_resources()).resources
            templates = (await client.list_resource_templates()).resource_templates
            prompts = (await client.list_prompts()).prompts
            assert [str(one.uri) for one in resources] == ["smista://policy", "smista://traces", "smista://usage"]
            assert [one.uri_template for one in templates] == [
                "smista://trace/{id}",
                "smista://answer/{job_id}",
                "smista://answer/{job_id}/{phase}",
                "smista://patch/{job_id}/{phase}",
            ]
            assert [one.name for one in prompts] == ["delegate", "review-with", "route-report"]
            assert all(one.description for one in [*resources, *templates, *prompts])
            await told(client, "route", **REVIEW)


@pytest.mark.parametrize("mode", ["legacy", "auto"])
@pytest.mark.parametrize(
    "uri",
    ["smista://x", "smista://trace/0123456789abcdef", "smista://answer/0123456789abcdef/0", "file:///etc/passwd"],
)
async def test_what_is_not_there_is_an_unknown_resource(app: App, uri: str, mode: str) -> None:
    async with connected(app, mode=mode) as client:
        with pytest.raises(MCPError) as refused:
            await client.read_resource(uri)
    assert refused.value.code == INVALID_PARAMS
    assert refused.value.data == {"uri": uri}


async def test_the_policy_is_told_with_the_place_of_every_value(app: App, home: Path) -> None:
    async with connected(app) as client:
        policy = json.loads(await read(client, "smista://policy"))
        same = json.loads((await told(client, "explain", uri="smista://policy"))["resource"]["text"])
    (rule,) = policy["rules"]
    assert (rule["name"], rule["model"], rule["layer"], rule["line"]) == ("reviews stay here", "ollama/tiny", "user", 1)
    assert Path(rule["file"]) == home / "config.toml"
    assert {"key": "routing.handoff", "value": "never"}.items() <= policy["values"][1].items()
    assert same == policy


async def test_who_connects_over_http_is_not_told_where_files_and_servers_are(
    app: App, home: Path, ollama: FakeOllama
) -> None:
    async with connected(app, over_http=True) as client:
        policy = await read(client, "smista://policy")
    assert json.loads(policy)["rules"][0]["name"] == "reviews stay here"
    assert str(home) not in policy
    assert ollama.base_url not in policy


async def test_the_latest_work_and_its_record_can_be_read(app: App) -> None:
    async with connected(app) as client:
        await told(client, "route", **REVIEW)
        done = await told(client, "dispatch", **REVIEW)
        listed = json.loads(await read(client, "smista://traces"))["traces"]
        record = json.loads(await read(client, f"smista://trace/{done['trace_id']}"))
        assert record == await told(client, "explain", trace_id=done["trace_id"])
        usage = json.loads(await read(client, "smista://usage"))
    assert [(one["trace_id"], one["status"], one["model"]) for one in listed] == [
        (done["trace_id"], "completed", "ollama/tiny"),
        (None, "routed", "ollama/tiny"),
    ]
    for period in usage["periods"]:
        assert (period["requests"], period["cost"]) == (1, "0")
        assert period["models"][0]["input_tokens"] == 40
    assert [period["period"] for period in usage["periods"]] == ["day", "month"]


async def test_over_http_only_ones_own_work_is_there(app: App) -> None:
    async with connected(app, "one", over_http=True) as client:
        mine = await told(client, "dispatch", **REVIEW)
        assert json.loads(await read(client, f"smista://trace/{mine['trace_id']}"))["phases"]
        assert await read(client, f"smista://answer/{mine['job_id']}/0") == "fine"
        assert json.loads(await read(client, "smista://usage"))["periods"][0]["requests"] == 1
    async with connected(app, "two", over_http=True) as client:
        for uri in (f"smista://trace/{mine['trace_id']}", f"smista://answer/{mine['job_id']}/0"):
            with pytest.raises(MCPError) as refused:
                await client.read_resource(uri)
            assert refused.value.data == {"uri": uri}
            assert (await client.call_tool("explain", {"uri": uri})).is_error
        assert json.loads(await read(client, "smista://traces"))["traces"] == []
        usage = json.loads(await read(client, "smista://usage"))
        assert [period["requests"] for period in usage["periods"]] == [0, 0]
        assert usage["budgets"] == []


async def test_another_workspace_has_its_own_past(app: App, home: Path, tmp_path: Path) -> None:
    async with connected(app) as client:
        mine = await told(client, "dispatch", **REVIEW)
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    other = open_app(Settings(environment=Environment.read({"SMISTA_HOME": str(home)}), workspace=elsewhere))
    async with connected(other) as client:
        assert json.loads(await read(client, "smista://traces"))["traces"] == []
        assert json.loads(await read(client, "smista://usage"))["periods"][1]["requests"] == 0
        for kind in ("trace/{trace_id}", "answer/{job_id}/0"):
            with pytest.raises(MCPError):
                await client.read_resource(f"smista://{kind.format(**mine)}")


@pytest.mark.parametrize("name", ["codex-mcp-client", "copilot-cli", "somebody"])
async def test_a_long_answer_comes_in_portions_that_are_the_whole(app: App, ollama: FakeOllama, name: str) -> None:
    ollama.answer = "\n\n".join(f"Paragraph {n}: «{'schöner Text, ' * 30}» 🧑‍🚀" for n in range(120))
    room = app.world.host(name).room
    async with connected(app, name) as client:
        result = await client.call_tool("dispatch", REVIEW)
        done = result.structured_content
        assert done is not None
        (block,) = result.content
        assert isinstance(block, TextContent)
        assert len(block.text.encode()) <= room
        phase = done["phases"][0]
        text, uri = phase["answer"], phase["rest"]["answer"]
        assert uri in done["next"]
        assert phase["rest"]["answer_chars"] == len(ollama.answer)
        while uri:
            portion = (await client.call_tool("explain", {"uri": uri})).content[0]
            assert isinstance(portion, TextContent)
            assert len(portion.text.encode()) <= room
            found = json.loads(portion.text)["resource"]
            text, uri = text + found["text"], found["next"]
        assert text == ollama.answer
        assert await read(client, f"smista://answer/{done['job_id']}/0") == ollama.answer
        assert await read(client, phase["rest"]["answer"]) == ollama.answer[len(phase["answer"]) :]
    assert phase["answer"].endswith("\n\n")


async def test_an_answer_that_has_room_is_given_whole(app: App, ollama: FakeOllama) -> None:
    ollama.answer = "x" * 20_000
    async with connected(app, "claude-code") as client:
        done = await told(client, "dispatch", **REVIEW)
    assert done["phases"][0]["answer"] == ollama.answer
    assert done["phases"][0]["rest"] is None


async def test_a_withheld_answer_is_not_read_by_address(app: App, home: Path, workspace: Path) -> None:
    config = home / "config.toml"
    config.write_text(
        f'[privacy]\nrestricted_paths = ["secrets/**"]\n{config.read_text(encoding="utf-8")}', encoding="utf-8"
    )
    (workspace / "secrets").mkdir()
    (workspace / "secrets/plan.md").write_text("the plan\n", encoding="utf-8")
    async with connected(app) as client:
        done = await told(client, "dispatch", text="review this", paths=["secrets/plan.md"])
        assert done["phases"][0]["withheld"]
        for uri in (f"smista://answer/{done['job_id']}/0", f"smista://patch/{done['job_id']}/0"):
            with pytest.raises(MCPError):
                await client.read_resource(uri)
        whole = json.loads(await read(client, f"smista://answer/{done['job_id']}"))
    assert whole["phases"][0]["answer"] is None


async def test_reading_an_answer_goes_on_with_nothing(app: App, ollama: FakeOllama) -> None:
    async with connected(app) as client:
        done = await told(client, "dispatch", **REVIEW)
        await read(client, f"smista://answer/{done['job_id']}")
        await read(client, f"smista://answer/{done['job_id']}/0")
    assert ollama.questions == 1


@pytest.mark.parametrize(
    ("name", "arguments", "words"),
    [
        ("delegate", {"task": "explain {x} in src"}, ["explain {x} in src", "`route`", "`dispatch`"]),
        ("delegate", {"task": "t", "paths": "src/a.py, b"}, ["`paths`: src/a.py, b"]),
        ("review-with", {"model": "class:fast", "focus": "races"}, ["class:fast", "races", "`dispatch`"]),
        ("route-report", {}, ["smista://traces", "smista://usage"]),
    ],
)
async def test_a_prompt_says_what_to_do_with_what_was_given(
    app: App, name: str, arguments: dict[str, str], words: list[str]
) -> None:
    async with connected(app) as client:
        (message,) = (await client.get_prompt(name, arguments)).messages
    assert message.role == "user"
    assert isinstance(message.content, TextContent)
    for word in words:
        assert word in message.content.text


@pytest.mark.parametrize(
    ("name", "arguments"),
    [
        ("x", {}),
        ("delegate", {}),
        ("delegate", {"task": "  "}),
        ("delegate", {"task": "t", "path": "p"}),
        ("review-with", {"model": "m" * 20_001}),
        ("route-report", {"model": "m"}),
    ],
)
async def test_a_prompt_that_cannot_be_filled_in_is_refused(app: App, name: str, arguments: dict[str, str]) -> None:
    async with connected(app) as client:
        with pytest.raises(MCPError) as refused:
            await client.get_prompt(name, arguments)
    assert refused.value.code == INVALID_PARAMS


async def test_models_and_ids_are_completed(app: App) -> None:
    async with connected(app) as client:
        done = await told(client, "dispatch", **REVIEW)
        review = PromptReference(name="review-with")
        record = ResourceTemplateReference(uri="smista://trace/{id}")
        models = await client.complete(review, {"name": "model", "value": "tin"})
        ids = await client.complete(record, {"name": "id", "value": done["trace_id"][:4]})
        none = await client.complete(review, {"name": "focus", "value": ""})
    assert models.completion.values == ["ollama/tiny"]
    assert ids.completion.values == [done["trace_id"]]
    assert none.completion.values == []


@pytest.mark.parametrize("uri", ["", "smista://", "smista://policy/x", "smista://trace/..", "https://x", "policy"])
async def test_explain_refuses_what_is_no_address(app: App, uri: str) -> None:
    async with connected(app) as client:
        result = await client.call_tool("explain", {"uri": uri})
    assert result.is_error
    (block,) = result.content
    assert isinstance(block, TextContent)
    assert block.text.startswith("invalid_task: ")
