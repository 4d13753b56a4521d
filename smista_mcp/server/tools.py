"""The four tools as hosts see them."""

from mcp_types import Tool, ToolAnnotations

from smista_mcp.server.schemas import OUTPUT_SCHEMAS, TOOL_NAMES, ToolName, input_schema

_TITLES: dict[ToolName, str] = {
    "classify": "Classify a task",
    "route": "Route a task",
    "explain": "Explain a decision",
    "dispatch": "Dispatch a task",
}
_DESCRIPTIONS: dict[ToolName, str] = {
    "classify": "Reads what kinds of work a text asks for, in order. Decides and sends nothing; `route` includes it.",
    "route": "Says which model the user's policy picks for a task and why: rule, cost range, files that would leave"
    " this machine, models refused. Free, sends nothing. Use before costly or private work.",
    "explain": "Why a decision came out so: every rule, attempts, what was sent and spent, what would have to change."
    " Give one id or uri, or a task.",
    "dispatch": "Has a task done by the model that policy picks and gives its answer; of an edit a diff for"
    " you to check and apply. May cost money and send files, as route shows. On running call again with the job_id; on"
    " handoff do that phase yourself.",
}
_READS = ToolAnnotations(read_only_hint=True, destructive_hint=False, idempotent_hint=True, open_world_hint=False)
_ACTS = ToolAnnotations(read_only_hint=False, destructive_hint=False, idempotent_hint=False, open_world_hint=True)
_ALWAYS_LOADED: frozenset[ToolName] = frozenset({"route", "dispatch"})
"""Claude Code hides tools behind a search unless they ask not to be, and no model searches for a helper that it has
not heard of. The other two are looked up by those who have a decision or a doubt in hand."""


def _tool(name: ToolName) -> Tool:
    return Tool(
        name=name,
        title=_TITLES[name],
        description=_DESCRIPTIONS[name],
        input_schema=input_schema(name),
        output_schema=OUTPUT_SCHEMAS[name],
        annotations=_ACTS if name == "dispatch" else _READS,
        _meta={"anthropic/alwaysLoad": True} if name in _ALWAYS_LOADED else None,
    )


TOOLS: tuple[Tool, ...] = tuple(_tool(name) for name in TOOL_NAMES)
"""In the order in which they are listed, always the same, so that a host's prompt cache holds."""
