"""What each tool takes and gives, as JSON Schema.

Written by hand, because every host puts the input schemas in front of its model in every conversation: no titles, no
references, no unions, short words. Tests hold them to the values that they describe, and to their size.
"""

from collections.abc import Iterable
from typing import Literal, get_args

from smista_mcp.core.values import JOB_STATUSES, Confidence, ContextKind, Effort, Intent, Status

Schema = dict[str, object]

ToolName = Literal["classify", "route", "explain", "dispatch"]
TOOL_NAMES: tuple[ToolName, ...] = get_args(ToolName)
"""In the order in which they are listed."""

TASK_FIELDS = ("text", "intent", "skill", "paths", "diff", "attachments", "context", "model", "effort", "session")
ID_FIELDS = ("decision_id", "trace_id", "job_id", "uri")
FIELDS: dict[ToolName, tuple[str, ...]] = {
    "classify": ("text", "paths", "skill", "context"),
    "route": TASK_FIELDS,
    "explain": (*ID_FIELDS, *TASK_FIELDS),
    "dispatch": ("job_id", *TASK_FIELDS),
}
"""The arguments of each tool, as its schema lists them."""

_WORDS: dict[ToolName, dict[str, str]] = {
    "classify": {"text": "The work in words"},
    "route": {
        "text": "The work in words, with all the delegate must know: it sees nothing of this conversation",
        "intent": "Leave out unless sure. chat: question; analyze: look into; edit, or its kinds refactor, test,"
        " document, format; review: judge; summarize, or its kind commit; prompt: write text for a model",
        "skill": "Named workflow, e.g. changelog",
        "paths": "Files or directories meant, from the workspace root; read there, so never paste them",
        "diff": "Unified diff meant, if not the working tree's",
        "attachments": "Text that is in no file; path is a label",
        "context": "pull_request: the text is about one. Else leave out",
        "model": "Only if the user names one: provider/model or class:NAME",
        "effort": "Only if the user asks for it",
        "session": "new, or the id that dispatch gave: its earlier turns come along",
    },
    "explain": {
        "uri": "Or smista://policy, traces, usage, or an address that an answer named",
        "text": "Or a task: this and the rest as in route",
    },
    "dispatch": {
        "job_id": "Of a running job, to wait on; then nothing else",
        "text": "The work in words, with all the delegate must know. The rest as in route",
    },
}


def _string(words: str = "") -> Schema:
    return {"type": "string", "description": words} if words else {"type": "string"}


def _one_of(values: Iterable[str], words: str = "") -> Schema:
    return {**_string(words), "enum": [str(value) for value in values]}


def _list_of(items: Schema, words: str = "") -> Schema:
    schema: Schema = {"type": "array", "items": items}
    return {**schema, "description": words} if words else schema


def _closed(properties: Schema, required: Iterable[str] = ()) -> Schema:
    schema: Schema = {"type": "object", "properties": properties, "additionalProperties": False}
    return {**schema, "required": list(required)} if required else schema


def _argument(name: str, words: str) -> Schema:
    match name:
        case "intent":
            return _one_of(Intent, words)
        case "effort":
            return _one_of(Effort, words)
        case "paths":
            return _list_of(_string(), words)
        case "context":
            return _list_of(_one_of(ContextKind), words)
        case "attachments":
            return _list_of(_closed({"path": _string(), "content": _string()}, ("path", "content")), words)
        case _:
            return _string(words)


def input_schema(tool: ToolName) -> Schema:
    """What `tool` takes; anything else is refused."""
    words = _WORDS[tool]
    properties: Schema = {name: _argument(name, words.get(name, "")) for name in FIELDS[tool]}
    return _closed(properties, ("text",) if tool in ("classify", "route") else ())


_STRING: Schema = {"type": "string"}
_MAYBE: Schema = {"type": ["string", "null"]}
_INTEGER: Schema = {"type": "integer"}
_FLAG: Schema = {"type": "boolean"}
_OBJECT: Schema = {"type": "object"}
_MAYBE_OBJECT: Schema = {"type": ["object", "null"]}
_STRINGS = _list_of(_STRING)
_INTEGERS = _list_of(_INTEGER)


def _object(properties: Schema) -> Schema:
    """An answer may gain properties, so none is required to be the last one, and hosts must not refuse a new one."""
    return {"type": "object", "properties": properties}


_CLASSIFIED = _object(
    {
        "index": _INTEGER,
        "intent": _one_of(Intent),
        "class": _STRING,
        "text": _STRING,
        "confidence": _one_of(Confidence),
        "source": _STRING,
        "evidence": _STRINGS,
        "runner_up": _MAYBE,
        "depends_on": _INTEGERS,
        "implied": _FLAG,
        "skill": _MAYBE,
    }
)
_DECISION = _object(
    {
        "decision_id": _STRING,
        "revision": _STRING,
        "phase": _INTEGER,
        "depends_on": _INTEGERS,
        "intent": _OBJECT,
        "class": _STRING,
        "status": _one_of(Status),
        "code": _MAYBE,
        "model": _MAYBE,
        "resolved_model": _MAYBE,
        "effort": _STRING,
        "locality": _MAYBE,
        "matched_rule": _MAYBE_OBJECT,
        "reason": _STRING,
        "fallbacks": _STRINGS,
        "rejected": _list_of(_OBJECT),
        "context": _OBJECT,
        "tokens": _INTEGER,
        "cost": _MAYBE_OBJECT,
        "permissions": _OBJECT,
        "host": _STRING,
        "fallback_used": _FLAG,
        "override_used": _FLAG,
        "recorded": _FLAG,
        "inputs": _OBJECT,
        "tools": _STRINGS,
        "escalation": _MAYBE_OBJECT,
        "handoff": _MAYBE_OBJECT,
    }
)
_EXPLAINED = _object(
    {
        "decision": _OBJECT,
        "rules": _list_of(_OBJECT),
        "changes": _STRINGS,
        "attempts": _list_of(_OBJECT),
        "cost": _MAYBE,
        "labels": _list_of(_OBJECT),
        "approvals": _list_of(_OBJECT),
        "withheld": _list_of(_OBJECT),
        "evidence": _MAYBE_OBJECT,
        "outcomes": _list_of(_OBJECT),
    }
)
_RESOURCE = _object({"uri": _STRING, "mime_type": _STRING, "text": _STRING, "next": _MAYBE, "chars": _INTEGER})
_DISPATCHED = _object(
    {
        "phase": _INTEGER,
        "intent": _STRING,
        "status": _one_of(JOB_STATUSES),
        "code": _MAYBE,
        "model": _MAYBE,
        "answer": _MAYBE,
        "patch": _MAYBE,
        "file_write": _MAYBE,
        "label": _MAYBE,
        "usage": _OBJECT,
        "cost": _MAYBE,
        "trace_id": _MAYBE,
        "effort": _STRING,
        "detail": _STRING,
        "withheld": _MAYBE_OBJECT,
        "released": _FLAG,
        "escalated": _FLAG,
        "handoff": _MAYBE_OBJECT,
        "rest": _MAYBE_OBJECT,
    }
)
OUTPUT_SCHEMAS: dict[ToolName, Schema] = {
    "classify": _object({"phases": _list_of(_CLASSIFIED), "notices": _STRINGS}) | {"required": ["phases"]},
    "route": _object({"decisions": _list_of(_DECISION), "notices": _STRINGS}) | {"required": ["decisions"]},
    "explain": _object(
        {
            "phases": _list_of(_EXPLAINED),
            "recorded_at": _MAYBE,
            "job": _MAYBE_OBJECT,
            "reading": _list_of(_OBJECT),
            "notices": _STRINGS,
            "resource": {**_RESOURCE, "type": ["object", "null"]},
        }
    )
    | {"required": ["phases"]},
    "dispatch": _object(
        {
            "status": _one_of(JOB_STATUSES),
            "code": _MAYBE,
            "phases": _list_of(_DISPATCHED),
            "cost": _MAYBE,
            "next": _MAYBE,
            "job_id": _MAYBE,
            "approval_id": _MAYBE,
            "receipt_id": _MAYBE,
            "trace_id": _MAYBE,
            "session": _MAYBE,
            "progress": _MAYBE_OBJECT,
            "notices": _STRINGS,
        }
    )
    | {"required": ["status", "phases"]},
}
"""What each tool gives when it does not fail. Kept open, so that a later version may say more."""
