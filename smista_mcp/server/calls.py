"""A span for each message of a host, in the trace that the host names.

This stands in place of the protocol library's own, which would repeat the text of an error and whatever name a host
calls. Attributes by the MCP conventions of OpenTelemetry (docs/gen-ai/mcp.md of semantic-conventions-genai, November
2026). The id of a session is left out: whoever has it can speak in its place.
"""

from typing import Any

from mcp.server.context import CallNext, HandlerResult, ServerRequestContext
from mcp.shared.exceptions import MCPError
from mcp_types import INVALID_PARAMS, CallToolResult
from mcp_types.version import KNOWN_PROTOCOL_VERSIONS
from pydantic import ValidationError

from smista_mcp.server.schemas import TOOL_NAMES
from smista_mcp.tracing import door
from smista_mcp.tracing.noting import Facts

_METHODS = frozenset(
    {
        "completion/complete",
        "initialize",
        "logging/setLevel",
        "notifications/cancelled",
        "notifications/initialized",
        "notifications/progress",
        "notifications/roots/list_changed",
        "ping",
        "prompts/get",
        "prompts/list",
        "resources/list",
        "resources/read",
        "resources/subscribe",
        "resources/templates/list",
        "resources/unsubscribe",
        "server/discover",
        "subscriptions/listen",
        "tools/call",
        "tools/list",
    }
)
_OTHER = "_OTHER"
"""What the conventions have for a name that is none."""


class CallSpans:
    """Middleware of the protocol library. `over_http`: what carries the messages."""

    def __init__(self, *, over_http: bool) -> None:
        self._over_http = over_http

    async def __call__(self, ctx: ServerRequestContext[Any, Any], call_next: CallNext) -> HandlerResult:
        method = ctx.method if ctx.method in _METHODS else _OTHER
        tool = _tool(ctx) if method == "tools/call" else None
        name = f"{method} {tool}" if tool else method
        caller: dict[str, object] = dict(ctx.meta) if ctx.meta else {}
        with door.span(name, "server", lambda: self._facts(ctx, method, tool), caller) as span:
            try:
                result = await call_next(ctx)
            except (MCPError, ValidationError) as error:
                code = str(error.error.code if isinstance(error, MCPError) else INVALID_PARAMS)
                span.note(lambda: {"rpc.response.status_code": code})
                span.failed(code)
                raise
            if _is_tool_error(result):
                span.failed("tool_error")
            return result

    def _facts(self, ctx: ServerRequestContext[Any, Any], method: str, tool: str | None) -> Facts:
        return {
            "mcp.method.name": method,
            "mcp.protocol.version": ctx.protocol_version if ctx.protocol_version in KNOWN_PROTOCOL_VERSIONS else _OTHER,
            "jsonrpc.request.id": str(ctx.request_id) if isinstance(ctx.request_id, int) else None,
            "gen_ai.operation.name": "execute_tool" if tool else None,
            "gen_ai.tool.name": tool,
            "network.transport": "tcp" if self._over_http else "pipe",
            "network.protocol.name": "http" if self._over_http else None,
        }


def _tool(ctx: ServerRequestContext[Any, Any]) -> str:
    """The tool that is called, if it is one of ours."""
    name = ctx.params.get("name") if ctx.params else None
    return name if name in TOOL_NAMES else _OTHER


def _is_tool_error(result: object) -> bool:
    match result:
        case CallToolResult(is_error=True) | {"isError": True}:
            return True
        case _:
            return False
