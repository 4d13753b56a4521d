"""The lists that hosts ask for: four tools, no prompts, no resources.

Hosts ask for all of them, promised or not, and some show an error for a refusal; an empty list is the quiet answer.
"""

from typing import NoReturn

from mcp.server.context import ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import (
    INVALID_PARAMS,
    GetPromptRequestParams,
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    ReadResourceRequestParams,
)

from smista_mcp.server.tools import TOOLS

Context = ServerRequestContext[dict[str, object]]
Page = PaginatedRequestParams | None


async def list_tools(ctx: Context, page: Page) -> ListToolsResult:
    """The four tools."""
    del ctx, page
    return ListToolsResult(tools=list(TOOLS))


async def list_prompts(ctx: Context, page: Page) -> ListPromptsResult:
    """None."""
    del ctx, page
    return ListPromptsResult(prompts=[])


async def get_prompt(ctx: Context, params: GetPromptRequestParams) -> NoReturn:
    """Refuses every name.

    Raises:
        MCPError: invalid params, which is what the protocol has for an unknown prompt.
    """
    del ctx, params
    raise MCPError(code=INVALID_PARAMS, message="this server has no prompts")


async def list_resources(ctx: Context, page: Page) -> ListResourcesResult:
    """None."""
    del ctx, page
    return ListResourcesResult(resources=[])


async def list_resource_templates(ctx: Context, page: Page) -> ListResourceTemplatesResult:
    """None."""
    del ctx, page
    return ListResourceTemplatesResult(resource_templates=[])


async def read_resource(ctx: Context, params: ReadResourceRequestParams) -> NoReturn:
    """Refuses every address.

    Raises:
        MCPError: invalid params with the address, which is what the protocol has for an unknown resource.
    """
    del ctx
    raise MCPError(code=INVALID_PARAMS, message="this server has no resources", data={"uri": str(params.uri)})
