"""The protocol server: which requests it answers, and with what."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from typing import Final, cast

from mcp.server.caching import CacheHint
from mcp.server.lowlevel import Server
from mcp_types import (
    CallToolRequestParams,
    CompleteRequestParams,
    CompleteResult,
    GetPromptRequestParams,
    GetPromptResult,
    ReadResourceRequestParams,
    ReadResourceResult,
)

from smista_mcp import __version__
from smista_mcp.app import App, Badge, Caller
from smista_mcp.server import lists
from smista_mcp.server.calls import CallSpans
from smista_mcp.server.desk import Desk, Incoming, Result
from smista_mcp.server.instructions import INSTRUCTIONS, INSTRUCTIONS_WITHOUT_FILES
from smista_mcp.server.library import Library
from smista_mcp.server.questions import Person
from smista_mcp.server.tools import TOOLS
from smista_mcp.server.workshop import Workshop

LIST_TTL_MS = 300_000
"""How long a host may keep a list, which changes with the installed version only."""

BADGE: Final = "smista.badge"
"""Where the badge of a call stands in the scope of its request."""
_SCHEMAS = {tool.name: tool.input_schema for tool in TOOLS}


@asynccontextmanager
async def serving(app: App, *, over_http: bool) -> AsyncGenerator[Server[dict[str, object]]]:
    """The protocol server over `app`; it speaks every revision that the library knows, over any transport.

    What dispatches started is ended when the block ends.

    Args:
        app: what answers.
        over_http: whether anyone on this machine can connect, instead of the one host that holds the pipes.
    """
    words = INSTRUCTIONS if not over_http or app.world.settings.workspace else INSTRUCTIONS_WITHOUT_FILES
    async with Workshop.for_app(app) as workshop:
        yield _server(app, workshop, words, over_http=over_http)


def _server(app: App, workshop: Workshop, words: str, *, over_http: bool) -> Server[dict[str, object]]:
    library = Library(app, workshop)
    desk = Desk(app, workshop, library)

    def caller(ctx: lists.Context) -> Caller:
        client = ctx.session.client_params
        return Caller(client.client_info.name if client else None, over_http, _badge(ctx.request))

    async def call_tool(ctx: lists.Context, params: CallToolRequestParams) -> Result:
        incoming = Incoming(
            arguments=params.arguments or {},
            caller=caller(ctx),
            report=ctx.session.report_progress,
            person=Person(ctx, params),
        )
        return await desk.answer(params.name, incoming)

    async def read_resource(ctx: lists.Context, params: ReadResourceRequestParams) -> ReadResourceResult:
        return await library.read(params, caller(ctx))

    async def get_prompt(ctx: lists.Context, params: GetPromptRequestParams) -> GetPromptResult:
        del ctx
        return await library.prompt(params)

    async def complete(ctx: lists.Context, params: CompleteRequestParams) -> CompleteResult:
        return await library.completed(params, caller(ctx))

    hint = CacheHint(ttl_ms=LIST_TTL_MS, scope="public")
    server = Server[dict[str, object]](
        "smista-mcp",
        version=__version__,
        title="smista",
        instructions=words,
        cache_hints={
            "server/discover": hint,
            "tools/list": hint,
            "prompts/list": hint,
            "resources/list": hint,
            "resources/templates/list": hint,
            "resources/read": CacheHint(ttl_ms=0, scope="private"),
        },
        get_tool_input_schema=_SCHEMAS.get,
        on_call_tool=call_tool,
        on_list_tools=lists.list_tools,
        on_list_prompts=lists.list_prompts,
        on_get_prompt=get_prompt,
        on_list_resources=lists.list_resources,
        on_list_resource_templates=lists.list_resource_templates,
        on_read_resource=read_resource,
        on_completion=complete,
    )
    server.middleware[:] = [CallSpans(over_http=over_http)]  # in place of the library's spans, the only one that it has
    return server


def _badge(request: object) -> Badge | None:
    """What the guard has put into the scope of the request that a call came with; nothing else is believed."""
    scope: object = getattr(request, "scope", None)
    badge: object = cast("dict[str, object]", scope).get(BADGE) if isinstance(scope, dict) else None
    return badge if isinstance(badge, Badge) else None
