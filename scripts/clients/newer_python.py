"""The official Python client of 2.x against a server: one line of JSON for each step. See `scripts/run_clients.py`."""

# pyright: basic
# ruff: noqa: D103
import json
import sys
from typing import Any, Literal

import anyio
from mcp import StdioServerParameters
from mcp.client.client import Client
from mcp_types import CallToolResult, PromptReference, TextContent, TextResourceContents


def say(step: str, value: object) -> None:
    print(json.dumps({"step": step, "value": value}), flush=True)


def structured(result: CallToolResult) -> dict[str, Any]:
    (block,) = result.content
    if result.is_error or result.structured_content is None or not isinstance(block, TextContent):
        raise RuntimeError(str(result.content))
    if json.loads(block.text) != result.structured_content:
        raise RuntimeError("text and structured content differ")
    return result.structured_content


async def steps(client: Client) -> None:
    say("tools", [one.name for one in (await client.list_tools()).tools])
    say("resources", [one.uri for one in (await client.list_resources()).resources])
    say("templates", [one.uri_template for one in (await client.list_resource_templates()).resource_templates])
    say("prompts", [one.name for one in (await client.list_prompts()).prompts])
    say(
        "call",
        structured(await client.call_tool("route", {"text": "Explain what a mutex is."}))["decisions"][0]["status"],
    )
    done = structured(await client.call_tool("dispatch", {"text": "review: long"}))
    text, uri = done["phases"][0]["answer"], (done["phases"][0]["rest"] or {}).get("answer")
    while uri:
        found = structured(await client.call_tool("explain", {"uri": uri}))["resource"]
        text, uri = text + found["text"], found["next"]
    say("long", len(text))
    (whole,) = (await client.read_resource(f"smista://answer/{done['job_id']}/0")).contents
    say("read", isinstance(whole, TextResourceContents) and whole.text == text)
    say("prompt", (await client.get_prompt("delegate", {"task": "t"})).messages[0].role)
    said = await client.complete(PromptReference(name="review-with"), {"name": "model", "value": "oll"})
    say("complete", said.completion.values)
    await cancelled(client)


async def cancelled(client: Client) -> None:
    heard = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        del progress, total
        if not heard.is_set():
            say("progress", message)
            heard.set()

    async def call() -> None:
        await client.call_tool("dispatch", {"text": "review: hold"}, progress_callback=note)

    async with anyio.create_task_group() as group:
        group.start_soon(call)
        await heard.wait()
        group.cancel_scope.cancel()
    say("cancel", "sent")
    await anyio.to_thread.run_sync(sys.stdin.readline)


async def main(target: list[str], mode: Literal["legacy", "auto"]) -> None:
    server = target[0] if target[0].startswith("http") else StdioServerParameters(command=target[0], args=target[1:])
    async with Client(server, mode=mode) as client:
        await steps(client)


anyio.run(main, json.loads(sys.argv[1]), "legacy" if sys.argv[2] == "legacy" else "auto")
