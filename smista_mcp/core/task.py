"""What the host delegates, and the phases that it is read as."""

from typing import Annotated

from pydantic import AfterValidator, Field

from smista_mcp.core.modelref import parse_target
from smista_mcp.core.redaction import shown
from smista_mcp.core.values import Confidence, ContextKind, Effort, Intent, Value
from smista_mcp.errors import UnknownModel

MAX_TEXT = 1_000_000
"""Characters of a task's text or of one attachment; more belongs into a file that `paths` names."""
MAX_DIFF = 4_000_000
"""Characters of a given diff."""
MAX_PATHS = 10_000
MAX_NAME = 4_096
"""Characters of a path, a skill or a model name (PATH_MAX on Linux)."""


def _clean(text: str) -> str:
    if "\0" in text:
        raise ValueError("holds a NUL character; remove it, or name the file in `paths`")
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            raise ValueError(f"holds a lone surrogate at character {error.start}; send valid Unicode") from None
    return text


def _said(text: str) -> str:
    if not text or text.isspace():
        raise ValueError("is empty; say in words what is to be done")
    return text


CleanText = Annotated[str, AfterValidator(_clean)]
Name = Annotated[str, Field(min_length=1, max_length=MAX_NAME), AfterValidator(_clean)]


class Attachment(Value):
    """Content that the host hands over itself; `path` is a label that policy judges, never opened."""

    path: Name
    content: Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_clean)]


class Task(Value):
    """One delegation. Only `text` is needed; everything else narrows or informs.

    Attributes:
        session: the id of one, so that its earlier turns come along; `new` begins one.
    """

    text: Annotated[str, Field(max_length=MAX_TEXT), AfterValidator(_clean), AfterValidator(_said)]
    intent: Intent | None = None
    skill: Name | None = None
    paths: Annotated[tuple[Name, ...], Field(max_length=MAX_PATHS)] = ()
    diff: Annotated[str, Field(max_length=MAX_DIFF), AfterValidator(_clean)] | None = None
    attachments: Annotated[tuple[Attachment, ...], Field(max_length=100)] = ()
    context: tuple[ContextKind, ...] = ()
    model: Name | None = None
    effort: Effort | None = None
    session: Name | None = None


def given_kinds(task: Task) -> frozenset[ContextKind]:
    """The kinds of context that a call brings along, as classification rules ask for them."""
    kinds = set(task.context)
    if task.diff is not None:
        kinds.add(ContextKind.GIT_DIFF)
    if task.paths:
        kinds.add(ContextKind.PATHS)
    if task.attachments:
        kinds.add(ContextKind.ATTACHMENT)
    if task.skill is not None:
        kinds.add(ContextKind.SKILL)
    return frozenset(kinds)


def check_model(task: Task) -> None:
    """Refuses a model that is named in no form that a model is named in.

    Raises:
        UnknownModel: says in which forms it can be named.
    """
    if task.model is None:
        return
    try:
        parse_target(task.model)
    except ValueError:
        raise UnknownModel(
            f"`{shown(task.model)}` is not the name of a model",
            fix="write `provider/model` (for example `ollama/qwen3`), `class:NAME` or `host/MODEL`, or leave it out",
        ) from None


class IntentReading(Value):
    """The intent of a phase and how it is known.

    Attributes:
        source: `declared` by the call, a policy's `rule:N`, the built-in `reader`, a `command` (`/name`),
            `implied` by another phase, or `default` where nothing was recognised.
        evidence: the words that decided, as typed.
        runner_up: the next best reading; it counts for binding rules when confidence is not high.
    """

    name: Intent
    source: str
    confidence: Confidence
    evidence: tuple[str, ...] = ()
    runner_up: Intent | None = None


class Phase(Value):
    """One step of a task.

    Attributes:
        index: position from 0, in order of execution.
        text: its own words.
        depends_on: indexes of the phases that it waits for.
        implied: true where the words do not ask for it but the work needs it (a plan before a whole program).
        skill: the named workflow, if any.
        binding: further intents for which rules bind it: what its words say, where the call, a command or a policy's
            rule says what the intent is.
        mentions: paths named in its own words, as typed.
        avoided: paths that its words forbid to touch ("don't touch .env").
    """

    index: int
    intent: IntentReading
    text: str
    depends_on: tuple[int, ...] = ()
    implied: bool = False
    skill: str | None = None
    binding: tuple[Intent, ...] = ()
    mentions: tuple[str, ...] = ()
    avoided: tuple[str, ...] = ()
