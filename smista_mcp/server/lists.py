"""What hosts ask for beside calls: the tools, the resources and the prompts, always the same lists.

Hosts ask for all of them, promised or not, and some show an error for a refusal.
"""

from mcp.server.context import ServerRequestContext
from mcp_types import (
    ListPromptsResult,
    ListResourcesResult,
    ListResourceTemplatesResult,
    ListToolsResult,
    PaginatedRequestParams,
    Resource,
    ResourceTemplate,
)

from smista_mcp.server.tools import TOOLS

Context = ServerRequestContext[dict[str, object]]
Page = PaginatedRequestParams | None

JSON = "application/json"
_RESOURCES = (
    ("policy", "The policy in force", "Every effective value with its layer and line, and the rules in their order."),
    (
        "traces",
        "Latest work",
        "The latest decisions in this workspace: model, status, code, cost and trace id of each.",
    ),
    ("usage", "Usage", "Requests, tokens and cost of today and this month by model, and what budgets have left."),
)
_TEMPLATES = (
    (
        "trace",
        "smista://trace/{id}",
        "One record",
        "What explain tells of a decision, trace or job: rules, attempts, receipts, what would have to change.",
        JSON,
    ),
    (
        "job",
        "smista://answer/{job_id}",
        "A whole answer of dispatch",
        "Everything that dispatch gave, where it was shortened for the host; kept for 24 hours.",
        JSON,
    ),
    (
        "answer",
        "smista://answer/{job_id}/{phase}",
        "The answer of a phase",
        "What the model said, all of it, where dispatch had no room for it.",
        "text/plain",
    ),
    (
        "patch",
        "smista://patch/{job_id}/{phase}",
        "The patch of a phase",
        "The unified diff of an edit, all of it, where dispatch had no room for it.",
        "text/x-diff",
    ),
)


async def list_tools(ctx: Context, page: Page) -> ListToolsResult:
    """The four tools."""
    del ctx, page
    return ListToolsResult(tools=list(TOOLS))


async def list_prompts(ctx: Context, page: Page) -> ListPromptsResult:
    """The three prompts."""
    del ctx, page
    from smista_mcp.server.prompts import listed  # noqa: PLC0415  most hosts never ask

    return ListPromptsResult(prompts=listed())


async def list_resources(ctx: Context, page: Page) -> ListResourcesResult:
    """The three documents that are always there."""
    del ctx, page
    found = [
        Resource(uri=f"smista://{name}", name=name, title=title, description=description, mime_type=JSON)
        for name, title, description in _RESOURCES
    ]
    return ListResourcesResult(resources=found)


async def list_resource_templates(ctx: Context, page: Page) -> ListResourceTemplatesResult:
    """Records and answers, by id."""
    del ctx, page
    found = [
        ResourceTemplate(uri_template=uri, name=name, title=title, description=description, mime_type=mime_type)
        for name, uri, title, description, mime_type in _TEMPLATES
    ]
    return ListResourceTemplatesResult(resource_templates=found)
