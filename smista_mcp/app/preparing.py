"""From a task to its decisions: the common way of route, explain and dispatch."""

from collections.abc import Sequence
from typing import TYPE_CHECKING, NamedTuple

from smista_mcp.app.caller import NOBODY, Caller
from smista_mcp.app.nearing import remarks_on_budgets
from smista_mcp.app.overhttp import remarks_over_http
from smista_mcp.app.recording import kept_inputs, phase_facts
from smista_mcp.app.skillshelf import check_named, check_skill
from smista_mcp.app.world import World, keyed, utc_now
from smista_mcp.context.collection import Collected, CollectRequest, collect
from smista_mcp.context.repository import GitFailed, open_repository
from smista_mcp.context.survey import Caps
from smista_mcp.core.catalog import Catalog
from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import HostFacts, PhaseContext
from smista_mcp.core.readspans import ReadSpan
from smista_mcp.core.redaction import redacted_json
from smista_mcp.core.routing import Routed, route
from smista_mcp.core.secretscan.memory import Scans
from smista_mcp.core.snapshot import Rulebook, Snapshot
from smista_mcp.core.task import Phase, Task, check_model, given_kinds
from smista_mcp.core.values import ContextKind, Status
from smista_mcp.errors import InvalidTask, StateUnavailable
from smista_mcp.ledger import JobStart, Ledger, RouteRecord

if TYPE_CHECKING:
    from smista_mcp.core.asked import AskedCall
    from smista_mcp.core.turns import Turn

MAX_TASK_BYTES = 16 * 1024 * 1024
"""What a call may hand over by itself, whatever it came through."""


class Prepared(NamedTuple):
    """A task read, with its context and decisions, one of each for every phase.

    Attributes:
        host: the host that calls.
        ledger: None where it cannot be opened; `workspace` is the root as the ledger knows it.
        asked: what a person would be asked before all of it goes on; None where nobody has to be.
        scans: what was searched for secrets so far.
        notices: what a person should know of the policy in force and of the skills that are run.
        catalog: by which the models were known.
        caller: who asked.
        places: of the decisions in the ledger; None for what could not be recorded.
    """

    book: Rulebook
    phases: tuple[Phase, ...]
    collected: tuple[Collected, ...]
    routed: tuple[Routed, ...]
    host: HostFacts
    ledger: Ledger | None
    workspace: str | None
    scans: Scans
    notices: tuple[str, ...]
    asked: "AskedCall | None" = None
    catalog: Catalog | None = None
    caller: Caller = NOBODY
    places: tuple[int | None, ...] = ()

    @property
    def contexts(self) -> list[PhaseContext]:
        return [one.context for one in self.collected]


def prepare(
    world: World, task: Task, caller: Caller, turns: "Sequence[Turn] | None" = None, job_id: str | None = None
) -> Prepared:
    """Reads a task, collects its context, decides and records. Runs git and reads files: keep it off an event loop.

    Args:
        world: the state of the process.
        task: what is delegated.
        caller: who asks.
        turns: those before it in its session; None to look them up.
        job_id: of the job that will go by the decisions; None where nothing is done with them.

    Raises:
        UnknownModel: the call names a model in no form that a model is named in.
        SmistaError: `invalid_task`, `policy_invalid`, `org_policy_invalid`, `path_outside_workspace` or
            `unknown_skill`.
        StateUnavailable: the task names a session, and the ledger cannot be read.
    """
    book, there, caps = world.book(), world.shelf(), Caps()
    check_model(task)
    check_skill(task.skill, book.reader.skills, there)
    phases = read(task, book, changed=_changed(world, book))
    check_named(phases, book.reader.skills, there)
    scans = Scans(book.policy.secrets_allowed)
    skills = {name: there.take(name, caps.file_bytes) for name in dict.fromkeys(p.skill for p in phases) if name}
    collected = collect(
        CollectRequest(
            task=task,
            phases=phases,
            root=world.settings.workspace,
            restricted=book.guard.unsendable,
            environ=world.settings.environment.variables,
            allowed=book.policy.secrets_allowed,
            scans=scans,
            caps=caps,
            skills=skills,
        )
    )
    if task.session is not None:
        from smista_mcp.app.recalling import earlier_turns, with_turns  # noqa: PLC0415  few calls have one

        turns = earlier_turns(world, task, caller) if turns is None else turns
        collected = with_turns(turns, task, collected, phases)
    contexts = [one.context for one in collected]
    ledger = world.ledger()  # first, because it makes the folder where a snapshot keeps what servers said
    snapshot = world.snapshot(book, world.host(caller.client_name), task.model, caller=caller)
    routed = route(task, phases, contexts, snapshot, recorded=ledger is not None)
    asked = None
    if any(map(_asks, routed)):
        from smista_mcp.core.approving import call_of, with_approvals  # noqa: PLC0415  most calls ask nobody

        asked = call_of(task, routed, contexts, snapshot, caller.owner)
        snapshot = snapshot._replace(approvals=world.approvals(caller.owner))
        routed = with_approvals(task, routed, contexts, snapshot, caller.owner)
    owner = keyed(world.key(), caller.owner)
    job = None if job_id is None else JobStart(job_id, owner, book.policy.revision)
    decided = _Decided(routed, contexts, snapshot, job)
    places = None if ledger is None else _recorded(world, ledger, task, caller, decided)
    if ledger is not None and places is None:
        routed = tuple(one._replace(decision=one.decision.model_copy(update={"recorded": False})) for one in routed)
    routed = tuple(one._replace(decision=_shown(one.decision)) for one in routed)
    host = snapshot.market.host
    remarks = (remark for skill in skills.values() for remark in there.remarks(skill, book.guard.unsendable))
    ignoring = dict.fromkeys(notice for one in collected for notice in one.notices)
    remarks = (*remarks, *remarks_over_http(world.settings.workspace, task, caller, routed))
    remarks = (*remarks, *remarks_on_budgets(snapshot.budgets, routed, caller))
    notices = (*book.policy.notices, *remarks, *ignoring)
    catalog, workspace = snapshot.market.catalog, world.workspace_digest()
    return Prepared(
        book,
        phases,
        collected,
        routed,
        host,
        ledger,
        workspace,
        scans,
        notices,
        asked,
        catalog,
        caller,
        places or (None,) * len(routed),
    )


def _asks(routed: Routed) -> bool:
    """Whether a person may have to say yes before the phase is done."""
    waits = routed.decision.status is Status.APPROVAL_REQUIRED
    return waits or any(candidate.needs_approval for candidate in (*routed.candidates, *routed.escalation))


def _changed(world: World, book: Rulebook) -> bool:
    """Whether anything is or may be changed or staged; git is asked only where a classification rule wants to know."""
    root, rules = world.settings.workspace, book.policy.classification_rules
    if root is None or not any(ContextKind.GIT_DIFF in rule.requires_any_context for rule in rules):
        return False
    caps = Caps()
    repository = open_repository(root, world.settings.environment.variables, caps.git_s)
    if repository is None:
        return False
    try:
        return bool(repository.diff(caps.diff_bytes) or repository.staged(caps.diff_bytes))
    except GitFailed:
        return True  # too much to read, or no answer in time


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
    return book.reader.read(task.text, intent=task.intent, skill=task.skill, kinds=_kinds(task, changed=changed))


def read_spans(task: Task, book: Rulebook) -> tuple[ReadSpan, ...]:
    """Which words of a task decided what `read` makes of it, and which were set aside and why."""
    found = book.reader.spans(task.text, intent=task.intent, skill=task.skill, kinds=_kinds(task))
    return ReadSpan.all_of(task.text, found)


def _kinds(task: Task, *, changed: bool = False) -> frozenset[ContextKind]:
    kinds = given_kinds(task)
    return kinds | {ContextKind.GIT_DIFF} if changed else kinds


class _Decided(NamedTuple):
    routed: Sequence[Routed]
    contexts: Sequence[PhaseContext]
    snapshot: Snapshot
    job: JobStart | None


def _recorded(world: World, ledger: Ledger, task: Task, caller: Caller, decided: _Decided) -> tuple[int, ...] | None:
    """The places of the decisions in the ledger; None where it cannot be written."""
    record = RouteRecord(
        decisions=tuple(one.decision for one in decided.routed),
        at=utc_now(),
        text_digest=keyed(world.key(), task.text),
        workspace=world.workspace_digest(),
        facts=tuple(
            phase_facts(one, context, task, decided.snapshot.key).model_copy(
                update={
                    "host_believed": world.believes(over_http=caller.over_http),
                    "owner": keyed(world.key(), caller.owner),
                    "token": caller.token,
                    "guarded": world.own_patterns(),
                }
            )
            for one, context in zip(decided.routed, decided.contexts, strict=True)
        ),
        job=decided.job,
        kept=kept_inputs(world, decided.snapshot, decided.routed),
    )
    try:
        return ledger.record_route(record)
    except StateUnavailable:
        return None


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
    shown = Decision.model_validate_json(clean).model_copy(update={"away": decision.away})
    if handoff is None or shown.handoff is None:
        return shown
    return shown.model_copy(update={"handoff": shown.handoff.model_copy(update={"prompt": handoff.prompt})})
