"""The prompts that hosts offer as commands: delegate a task, have it reviewed by a model, tell what was routed."""

from collections.abc import Mapping
from typing import NamedTuple

from mcp_types import GetPromptResult, Prompt, PromptArgument, PromptMessage, TextContent

from smista_mcp.core.nearness import closest
from smista_mcp.errors import InvalidTask

MOST = 20_000
"""Characters that an argument may have; what is longer belongs into a file."""
_ECHO = 60


class _Argument(NamedTuple):
    name: str
    description: str
    required: bool = False


class _Written(NamedTuple):
    """A prompt: what hosts list, and its text with the arguments in their places.

    Attributes:
        whole: said in any case.
        parts: said only where that argument is given.
    """

    name: str
    title: str
    description: str
    arguments: tuple[_Argument, ...]
    whole: str
    parts: Mapping[str, str]


_TASK = _Argument("task", "The work in words", required=True)
_PATHS = _Argument("paths", "Files or directories meant, from the workspace root, with commas between them")
_WRITTEN = (
    _Written(
        "delegate",
        "Delegate a task",
        "Have a task done by the model that the user's policy picks, after showing what that means.",
        (_TASK, _PATHS),
        "Delegate the task below with the tools of smista.\n"
        "1. Write it so that it can be understood without this conversation, and call `route` with it as `text`.\n"
        "2. Tell me in a few lines which model gets it by which rule, the cost range, and which files leave this"
        " machine or are withheld.\n"
        "3. Unless I object to that or the route is refused, call `dispatch` with the same arguments. On `running`"
        " call it again with the job_id; on `handoff` do that phase yourself as `step` says; on"
        " `approval_required` tell me what I have to approve, and wait.\n"
        "4. Check what comes back before you rely on it; apply a patch only after you have read it.\n"
        "{paths}\nThe task:\n{task}",
        {"paths": "\nPass these as `paths`: {paths}\n"},
    ),
    _Written(
        "review-with",
        "Review with a model",
        "Have changes or files reviewed by a model of your choice, where the policy lets it.",
        (
            _Argument("model", "provider/model, or class:NAME", required=True),
            _PATHS,
            _Argument("focus", "What the review should look at"),
        ),
        "Have a review done through smista: call `dispatch` with `intent` review, `model` {model} and a `text` that"
        " says what is to be judged and what it is for.{paths}{focus}\n"
        "If the policy refuses that model, say so with the code and what `explain` says would have to change; do not"
        " take another model without asking me.\n"
        "Then tell me the findings, gravest first, each with file and line, and which of them you can confirm"
        " yourself. Change nothing yet.",
        {
            "paths": " Pass these as `paths`: {paths}.",
            "focus": " It should look at this above all: {focus}.",
        },
    ),
    _Written(
        "route-report",
        "Report on routes",
        "Tell which models did the latest work, what that cost and what left this machine.",
        (),
        "Report on what smista has done in this workspace lately. Call `explain` with `uri` smista://traces, then with"
        " smista://usage. Write: a table of the latest work (when, kind, model, status, cost); what was spent today"
        " and this month, and what is left of each budget; what was refused or failed and why, with the trace id. For"
        " anything that looks wrong call `explain` with that trace_id and say what would have to change. Invent no"
        " figure: where one is null, it is not known.",
        {},
    ),
)
_BY_NAME = {one.name: one for one in _WRITTEN}


def listed() -> list[Prompt]:
    """The prompts, in the order in which they are listed, always the same."""
    return [
        Prompt(
            name=one.name,
            title=one.title,
            description=one.description,
            arguments=[
                PromptArgument(name=given.name, description=given.description, required=given.required)
                for given in one.arguments
            ],
        )
        for one in _WRITTEN
    ]


def prompt(name: str, given: Mapping[str, str]) -> GetPromptResult:
    """A prompt with its arguments filled in.

    Raises:
        InvalidTask: there is no such prompt, or an argument is missing, unknown or too long.
    """
    written = _BY_NAME.get(name)
    if written is None:
        raise InvalidTask("there is no prompt of that name", fix=f"this server has {', '.join(_BY_NAME)}")
    values = _checked(written, given)
    parts = {part: text.format(**values) if part in values else "" for part, text in written.parts.items()}
    filled = {**values, **parts}
    text = written.whole.format(**filled)
    message = PromptMessage(role="user", content=TextContent(type="text", text=text))
    return GetPromptResult(description=written.description, messages=[message])


def _checked(written: _Written, given: Mapping[str, str]) -> dict[str, str]:
    """The arguments that say something."""
    known = {one.name: one for one in written.arguments}
    for name, value in given.items():
        if name not in known:
            near = closest(name[:_ECHO].lower(), known, cutoff=0.6)
            takes = f"it takes {', '.join(known)}" if known else "it takes none"
            raise InvalidTask(
                f"`{written.name}` was given an argument that it does not take",
                fix=f"did you mean `{near}`? {takes}" if near else takes,
            )
        if len(value) > MOST:
            raise InvalidTask(f"`{name}` is longer than {MOST} characters", fix="name files in `paths` instead")
    values = {name: value.strip() for name, value in given.items() if value.strip()}
    missing = [name for name, one in known.items() if one.required and name not in values]
    if missing:
        raise InvalidTask(f"`{written.name}` got no `{missing[0]}`", fix=known[missing[0]].description.lower())
    return values
