"""The official Python client of 1.x against a server: one line of JSON for each step. See `scripts/run_clients.py`."""

# Another version of the library than the one that is checked here, and few words: a program of steps.
# pyright: basic, reportAttributeAccessIssue=false, reportCallIssue=false, reportAssignmentType=false
# pyright: reportArgumentType=false, reportIndexIssue=false
# ruff: noqa: ANN401, D103
import json
import sys
from typing import Any

import anyio
from mcp import ClientSession, StdioServerParameters, types
from mcp.client.stdio import stdio_client
from mcp.client.streamable_http import streamable_http_client


def say(step: str, value: Any) -> None:
    print(json.dumps({"step": step, "value": value}), flush=True)


def structured(result: types.CallToolResult) -> dict[str, Any]:
    if result.isError or result.structuredContent is None:
        raise RuntimeError(str(result.content))
    if json.loads(result.content[0].text) != result.structuredContent:
        raise RuntimeError("text and structured content differ")
    return result.structuredContent


async def steps(session: ClientSession) -> None:
    await session.initialize()
    say("tools", [one.name for one in (await session.list_tools()).tools])
    say("resources", [str(one.uri) for one in (await session.list_resources()).resources])
    say("templates", [one.uriTemplate for one in (await session.list_resource_templates()).resourceTemplates])
    say("prompts", [one.name for one in (await session.list_prompts()).prompts])
    say(
        "call",
        structured(await session.call_tool("route", {"text": "Explain what a mutex is."}))["decisions"][0]["status"],
    )
    done = structured(await session.call_tool("dispatch", {"text": "review: long"}))
    text, uri = done["phases"][0]["answer"], (done["phases"][0]["rest"] or {}).get("answer")
    while uri:
        found = structured(await session.call_tool("explain", {"uri": uri}))["resource"]
        text, uri = text + found["text"], found["next"]
    say("long", len(text))
    whole = await session.read_resource(types.AnyUrl(f"smista://answer/{done['job_id']}/0"))
    say("read", whole.contents[0].text == text)
    say("prompt", (await session.get_prompt("delegate", {"task": "t"})).messages[0].role)
    reference = types.PromptReference(type="ref/prompt", name="review-with")
    said = await session.complete(reference, {"name": "model", "value": "oll"})
    say("complete", said.completion.values)
    await cancelled(session)


async def cancelled(session: ClientSession) -> None:
    heard = anyio.Event()

    async def note(progress: float, total: float | None, message: str | None) -> None:
        if not heard.is_set():
            say("progress", message)
            heard.set()

    async def call() -> None:
        await session.call_tool("dispatch", {"text": "review: hold"}, progress_callback=note)

    async with anyio.create_task_group() as group:
        asked = session._request_id  # noqa: SLF001  this version has no other way to say which call is meant
        group.start_soon(call)
        await heard.wait()
        notice = types.CancelledNotification(params=types.CancelledNotificationParams(requestId=asked))
        await session.send_notification(types.ClientNotification(notice))
        say("cancel", "sent")
        await anyio.to_thread.run_sync(sys.stdin.readline)
        group.cancel_scope.cancel()


async def main(target: list[str]) -> None:
    if target[0].startswith("http"):
        async with streamable_http_client(target[0]) as (read, write, _), ClientSession(read, write) as session:
            await steps(session)
    else:
        parameters = StdioServerParameters(command=target[0], args=target[1:])
        async with stdio_client(parameters) as (read, write), ClientSession(read, write) as session:
            await steps(session)


anyio.run(main, json.loads(sys.argv[1]))
