"""The arguments of a tool call as values, or a refusal that says which argument is wrong and what to write."""

import re
from collections.abc import Collection, Mapping

from pydantic import ValidationError
from pydantic_core import ErrorDetails

from smista_mcp.core.nearness import closest
from smista_mcp.core.policy import dotted
from smista_mcp.core.task import Task
from smista_mcp.errors import InvalidTask
from smista_mcp.server.schemas import FIELDS, ID_FIELDS, ToolName

_MEANT = {
    "task": "text",
    "prompt": "text",
    "query": "text",
    "message": "text",
    "instruction": "text",
    "instructions": "text",
    "description": "text",
    "input": "text",
    "file": "paths",
    "files": "paths",
    "kind": "intent",
    "type": "intent",
    "patch": "diff",
    "id": "job_id",
    "reasoning_effort": "effort",
    "provider": "model",
    "session_id": "session",
    "conversation": "session",
    "thread": "session",
}
"""What callers write instead of our names, where spelling alone does not tell."""

_EXAMPLES = {
    "text": '"review the auth middleware"',
    "paths": '["src/auth/middleware.rs"]',
    "attachments": '[{"path": "notes.md", "content": "..."}]',
    "context": '["pull_request"]',
    "session": '"new"',
}
_SHOWN = 3
"""Mistakes told at once."""
_ECHO = 60
"""Characters of a caller's own word in an error."""


def read_task(tool: ToolName, arguments: Mapping[str, object]) -> Task:
    """The task of `classify` or `route`.

    Raises:
        InvalidTask: an argument is unknown, missing or not of its kind.
    """
    return _task(tool, _given(tool, arguments))


def read_task_or_id(tool: ToolName, arguments: Mapping[str, object]) -> Task | str:
    """What `explain` or `dispatch` is asked for: a task, or the id of something done before.

    Raises:
        InvalidTask: neither or both are given, or an argument is wrong.
    """
    given = _given(tool, arguments)
    ids = [name for name in ID_FIELDS if name in given]
    if not ids:
        return _task(tool, given)
    if len(given) > 1:
        others = ", ".join(f"`{name}`" for name in given if name != ids[0])
        raise InvalidTask(
            f"{tool} got `{ids[0]}` together with {others}",
            fix=f"give `{ids[0]}` alone, or a task without an id",
        )
    value = given[ids[0]]
    if not isinstance(value, str) or not value.strip():
        raise InvalidTask(f"`{ids[0]}` of {tool} is not a string with an id", fix="write it as smista gave it to you")
    return value


def _given(tool: ToolName, arguments: Mapping[str, object]) -> dict[str, object]:
    """The arguments that say something; null is how some hosts leave one out."""
    known = FIELDS[tool]
    for name in arguments:
        if name not in known:
            raise InvalidTask(f"`{_short(name)}` is not an argument of {tool}", fix=_nearest(name, known))
    return {name: value for name, value in arguments.items() if value is not None}


def _nearest(name: str, known: Collection[str]) -> str:
    meant = _MEANT.get(name.lower())
    near = meant if meant in known else closest(name[:_ECHO].lower(), known, cutoff=0.6)
    listed = ", ".join(known)
    return f"did you mean `{near}`? It takes {listed}" if near else f"it takes {listed}"


def _task(tool: ToolName, given: dict[str, object]) -> Task:
    if "text" not in given:
        ids = [f"`{name}`" for name in FIELDS[tool] if name in ID_FIELDS]
        instead = f"write the work as `text`, for example {_EXAMPLES['text']}"
        raise InvalidTask(f"{tool} got no `text`", fix=f"{instead}; or give {' or '.join(ids)}" if ids else instead)
    try:
        return Task.model_validate(given)
    except ValidationError as error:
        mistakes = error.errors(include_url=False)
        told = "; ".join(dict.fromkeys(_mistake(mistake) for mistake in mistakes[:_SHOWN]))
        raise InvalidTask(f"{told}{_more(len(mistakes))}", fix=_advice(tool, mistakes[0])) from None


def _more(number: int) -> str:
    return f"; and {number - _SHOWN} more" if number > _SHOWN else ""


def _mistake(mistake: ErrorDetails) -> str:
    return f"`{_short(dotted(mistake['loc']))}` {_wrong(mistake)}"


_WRONG = {
    "missing": "is missing",
    "extra_forbidden": "is not known",
    "string_unicode": "holds a lone surrogate; send valid Unicode",
    "string_too_short": "is empty",
    "string_too_long": "is longer than {max_length} characters; name files in `paths` instead",
    "too_long": "has more than {max_length} entries; name directories instead",
    "value_error": "{error}",
}
"""What is wrong, by the type of the validation error, with its limits to be filled in."""

_EXPECTED = {
    "string_type": "a string",
    "tuple_type": "a list",
    "model_type": "an object",
    "model_attributes_type": "an object",
}


def _wrong(mistake: ErrorDetails) -> str:
    kind, given = mistake["type"], mistake["input"]
    if kind == "enum":
        word = f"`{_short(given)}`" if isinstance(given, str) else _kind(given)
        return f"is {word}, but can only be {', '.join(_allowed(mistake))}"
    if kind in _WRONG:
        return _WRONG[kind].format(**mistake.get("ctx", {}))
    return f"is {_kind(given)}, but has to be {_EXPECTED.get(kind, 'something else')}"


def _allowed(mistake: ErrorDetails) -> list[str]:
    return re.findall(r"'([^']+)'", str(mistake.get("ctx", {}).get("expected")))


def _kind(value: object) -> str:
    match value:
        case None:
            return "null"
        case bool():
            return "a truth value"
        case int() | float():
            return "a number"
        case str():
            return "a string"
        case list() | tuple():
            return "a list"
        case _:
            return "an object"


def _advice(tool: ToolName, mistake: ErrorDetails) -> str:
    name = str(mistake["loc"][0])
    if mistake["type"] == "enum" and isinstance(mistake["input"], str):
        near = closest(mistake["input"][:_ECHO].lower(), _allowed(mistake), cutoff=0.6)
        if near:
            return f"did you mean `{near}`?"
    if name in _EXAMPLES:
        return f"write for example `{name}`: {_EXAMPLES[name]}"
    return f"leave it out, or see the schema of {tool}"


def _short(word: str) -> str:
    """A caller's own word, fit for one line of text."""
    line = "".join(char if char.isprintable() else ascii(char)[1:-1] for char in word[: _ECHO + 1])
    return line if len(word) <= _ECHO else f"{line}..."
