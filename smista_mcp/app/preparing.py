"""From a task to its decisions: the common way of route, explain and dispatch."""

from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.app.caller import Caller
from smista_mcp.app.world import World, keyed, utc_now
from smista_mcp.context.collection import Collected, CollectRequest, collect
from smista_mcp.context.repository import GitFailed, open_repository
from smista_mcp.context.spelling import printable
from smista_mcp.context.survey import Caps
from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import HostFacts, PhaseContext
from smista_mcp.core.modelref import parse_target
from smista_mcp.core.redaction import redacted_json
from smista_mcp.core.routing import Routed, matched_paths, required_tokens, route
from smista_mcp.core.snapshot import Rulebook
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import ContextKind
from smista_mcp.errors import InvalidTask, StateUnavailable, UnknownModel
from smista_mcp.ledger import Ledger, PhaseFacts, RouteRecord

MAX_TASK_BYTES = 16 * 1024 * 1024
"""What a call may hand over by itself, whatever it came through."""


class Prepared(NamedTuple):
    """A task read, with its context and decisions, one of each for every phase.

    Attributes:
        host: the host that calls.
        ledger: None where it cannot be opened; `workspace` is the root as the ledger knows it.
    """

    book: Rulebook
    phases: tuple[Phase, ...]
    collected: tuple[Collected, ...]
    routed: tuple[Routed, ...]
    host: HostFacts
    ledger: Ledger | None
    workspace: str | None

    @property
    def contexts(self) -> list[PhaseContext]:
        return [one.context for one in self.collected]


def prepare(world: World, task: Task, caller: Caller) -> Prepared:
    """Reads a task, collects its context, decides and records. Runs git and reads files: keep it off an event loop.

    Raises:
        UnknownModel: the call names a model in no form that a model is named in.
        SmistaError: `invalid_task`, `policy_invalid`, `org_policy_invalid` or `path_outside_workspace`.
    """
    book = world.book()
    _check_model(task)
    phases = read(task, book, changed=_changed(world, book))
    collected = collect(
        CollectRequest(
            task=task,
            phases=phases,
            root=world.settings.workspace,
            restricted=book.guard.unsendable,
            environ=world.settings.environment.variables,
            allowed=book.policy.secrets_allowed,
        )
    )
    contexts = [one.context for one in collected]
    ledger = world.ledger()  # first, because it makes the folder where a snapshot keeps what servers said
    snapshot = world.snapshot(book, world.host(caller.client_name), task.model, over_http=caller.over_http)
    routed = route(task, phases, contexts, snapshot, recorded=ledger is not None)
    if ledger is not None and not _recorded(world, ledger, task, routed, contexts):
        routed = tuple(one._replace(decision=one.decision.model_copy(update={"recorded": False})) for one in routed)
    routed = tuple(one._replace(decision=_shown(one.decision)) for one in routed)
    host = snapshot.market.host
    return Prepared(book, phases, collected, routed, host, ledger, world.workspace_digest())


def _changed(world: World, book: Rulebook) -> bool:
    """Whether the working tree has changes; git is asked only where a classification rule wants to know."""
    root, rules = world.settings.workspace, book.policy.classification_rules
    if root is None or not any(ContextKind.GIT_DIFF in rule.requires_any_context for rule in rules):
        return False
    caps = Caps()
    repository = open_repository(root, world.settings.environment.variables, caps.git_s)
    try:
        return repository is not None and bool(repository.diff(caps.diff_bytes))
    except GitFailed:
        return False


def _check_model(task: Task) -> None:
    if task.model is None:
        return
    try:
        parse_target(task.model)
    except ValueError:
        raise UnknownModel(
            f"`{printable(task.model[:80])}` is not the name of a model",
            fix="write `provider/model` (for example `ollama/qwen3`), `class:NAME` or `host/MODEL`, or leave it out",
        ) from None


def _check_size(task: Task) -> None:
    parts = (task.text, task.diff or "", *(attachment.content for attachment in task.attachments))
    size = sum(len(part.encode()) for part in parts)
    if size > MAX_TASK_BYTES:
        raise InvalidTask(
            f"text, diff and attachments hold {size} bytes together; {MAX_TASK_BYTES} are allowed",
            fix="write the content to files and name them in `paths`",
        )


def read(task: Task, book: Rulebook, *, changed: bool = False) -> tuple[Phase, ...]:
    """The phases of a task, by the policy's own rules and the built-in reader.

    Raises:
        InvalidTask: it holds more than one task may hold.
    """
    _check_size(task)
    kinds = set(task.context)
    if task.diff is not None or changed:
        kinds.add(ContextKind.GIT_DIFF)
    if task.paths:
        kinds.add(ContextKind.PATHS)
    if task.attachments:
        kinds.add(ContextKind.ATTACHMENT)
    if task.skill is not None:
        kinds.add(ContextKind.SKILL)
    return book.reader.read(task.text, intent=task.intent, skill=task.skill, kinds=frozenset(kinds))


def _recorded(
    world: World, ledger: Ledger, task: Task, routed: Sequence[Routed], contexts: Sequence[PhaseContext]
) -> bool:
    record = RouteRecord(
        decisions=tuple(one.decision for one in routed),
        at=utc_now(),
        text_digest=keyed(world.key(), task.text),
        workspace=world.workspace_digest(),
        facts=tuple(map(_facts, routed, contexts)),
    )
    try:
        ledger.record_route(record)
    except StateUnavailable:
        return False
    return True


def _shown(decision: Decision) -> Decision:
    """The decision without what looks like a secret. The words of a handoff stay: they are for the host, from the host.

    Model names and labels of a call may be keys that were pasted into the wrong field.
    """
    handoff = decision.handoff
    silent = None if handoff is None else handoff.model_copy(update={"prompt": ""})
    text = decision.model_copy(update={"handoff": silent}).model_dump_json()
    clean = redacted_json(text)
    if clean == text:
        return decision
    shown = Decision.model_validate_json(clean)
    if handoff is None or shown.handoff is None:
        return shown
    return shown.model_copy(update={"handoff": shown.handoff.model_copy(update={"prompt": handoff.prompt})})


def _facts(one: Routed, context: PhaseContext) -> PhaseFacts:
    paths = tuple(printable(path) for path in matched_paths(context))
    tokens = count_tokens(one.phase.text) + required_tokens(context)
    return PhaseFacts(skill=one.phase.skill, paths=paths, tokens=tokens)
