"""A recorded decision made again from what it was made from; where that cannot be had, which of it is another one."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import NamedTuple

from pydantic import ValidationError

from smista_mcp import __version__, hosts
from smista_mcp.app.caller import Badge, Caller
from smista_mcp.app.rebuilding import Rebuilt, under
from smista_mcp.app.recording import key_mark
from smista_mcp.app.world import World, with_guarded
from smista_mcp.context.reading import Reading, Unread, read_file
from smista_mcp.context.spelling import spellings
from smista_mcp.context.survey import Caps
from smista_mcp.core.approving import permitted
from smista_mcp.core.catalog import Catalog
from smista_mcp.core.digests import digest_of, keyed
from smista_mcp.core.effective import Policy
from smista_mcp.core.evidence import Evidence
from smista_mcp.core.facts import canonical
from smista_mcp.core.inputs import (
    UnreadableInput,
    approved_of,
    budgets_of,
    catalog_day,
    evidence_of,
    host_of,
    policy_body,
    policy_documents,
    providers_of,
)
from smista_mcp.core.layering import merge
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.replayed import FileChange, Reached, ReplayAnswer, ReplayedPhase, changes, differing
from smista_mcp.core.routing import Routed, route
from smista_mcp.core.snapshot import Circumstances, Rulebook, Snapshot, plain_text, rulebook, snapshot
from smista_mcp.errors import NotFound, SmistaError, StateUnavailable
from smista_mcp.ledger import Ledger, StoredDecision
from smista_mcp.ledger.store import kept_body
from smista_mcp.loading.catalog_data import read_extract, read_families

_NOT_KEPT = "was recorded by a version that did not keep what it takes to make it again"
_SEALED = "the words of the task are not kept: what counts of them is, and their hashes are taken as recorded"
_NAMES = (
    "names in its context are not kept as they were (secrets, or bytes that are no UTF-8), or the key of this"
    " installation is another one: the hash of the context is taken as recorded"
)
_OF_THE_CALL = frozenset({"context", "phase", "task", "session", "before", "approvals"})
"""Inputs that are no part of the world around a call."""
_UNSEEN = "files alone are looked at again: diffs, attachments and earlier answers are not"


class _Call(NamedTuple):
    """A recorded call, whole.

    Attributes:
        inputs: those of its first phase, which all have but for their own; `approvals` of any.
        kept: what of them is kept, by name.
        altered: the names of those that are kept, and are not what was kept.
    """

    rows: tuple[StoredDecision, ...]
    phases: tuple[Rebuilt, ...]
    inputs: Mapping[str, str]
    kept: Mapping[str, str]
    altered: tuple[str, ...]

    @property
    def first(self) -> Rebuilt:
        return self.phases[0]


def replay(
    world: World, ledger: Ledger, found: Sequence[StoredDecision], *, own_policy: bool = False, today: bool = True
) -> ReplayAnswer:
    """Makes recorded decisions of one call again, with the whole call around them.

    Nothing is sent, recorded or changed; loopback servers may be asked what they have, for what stands otherwise today.

    Args:
        world: the state of the process.
        ledger: where they stand.
        found: what is asked about; one or more.
        own_policy: whether the policy in force is used in place of the recorded one.
        today: whether to tell what stands otherwise today.

    Raises:
        NotFound: what it takes was not recorded.
        StateUnavailable: it was recorded by a version that this one cannot read.
        SmistaError: the policy in force is needed, and cannot be used.
    """
    call = _call(ledger, found[0])
    then = _world_then(world, call, own_policy=own_policy)
    again, there = _decided(call, then), _today(world, call) if today else None
    asked = {row.sequence for row in found}
    places = [place for place, row in enumerate(call.rows) if row.sequence in asked]
    phases = [_compared(world, call, place, again[place], then) for place in places]
    if isinstance(there, Snapshot):
        phases = [_with_today(world, call, place, told, there) for place, told in zip(places, phases, strict=True)]
    same = all(phase.same for phase in phases)
    return ReplayAnswer(
        same=same, recorded_at=call.rows[0].at, phases=tuple(phases), notices=tuple(_notices(call, phases, there))
    )


def _notices(call: _Call, phases: Sequence[ReplayedPhase], today: Snapshot | str | None) -> Iterator[str]:
    yield _SEALED
    if any("context" in phase.sealed for phase in phases):
        yield _NAMES
    if any(item.kind != "file" for phase in call.phases for item in phase.context.items):
        yield _UNSEEN
    if isinstance(today, str):
        yield f"what stands otherwise today cannot be told: {today}"


def _call(ledger: Ledger, row: StoredDecision) -> _Call:
    rows = ledger.call(row.call_id)
    try:
        phases = tuple(map(Rebuilt.of, rows))
    except ValidationError as error:
        raise StateUnavailable(f"decision `{row.decision_id[:12]}` was recorded by another version") from error
    if not all(phase.is_whole for phase in phases):
        raise NotFound(f"decision `{row.decision_id[:12]}` {_NOT_KEPT}", fix="`explain ID` still tells what it was")
    inputs = dict(phases[0].decision.inputs)
    for phase in phases:
        inputs.update({name: one for name, one in phase.decision.inputs.items() if name == "approvals"})
    return _Call(rows, phases, inputs, *ledger.inputs.of(inputs))


# ------------------------------------------------------------------------------------------------ the world as it was


def _world_then(world: World, call: _Call, *, own_policy: bool) -> Snapshot:
    """What the decisions saw: each part as it is kept, and as it is today where it is not."""
    kept, today = dict(call.kept), cache(lambda: _snapshot_today(world, call))
    if own_policy:
        kept.pop("policy", None)
    try:
        book = _book(kept["policy"], call) if "policy" in kept else world.book()
        catalog = _catalog(kept["catalog"], book.policy) if "catalog" in kept else world.catalog(book.policy)
        now = Circumstances(
            providers_of(kept["availability"]) if "availability" in kept else today().market.providers,
            host_of(kept["host"]) if "host" in kept else today().market.host,
            budgets_of(kept["budgets"]) if "budgets" in kept else today().budgets,
            _plugin(world, book.policy),
            readable="workspace" in call.inputs,
            evidence=evidence_of(kept["evidence"]) if "evidence" in kept else _evidence(call, today),
        )
    except UnreadableInput as error:
        raise StateUnavailable(f"an input of the decision was kept by another version: {error}") from error
    return snapshot(book, catalog, now, key=world.key(), version=__version__)


def _book(body: str, call: _Call) -> Rulebook:
    return rulebook(with_guarded(merge(policy_documents(body)), call.first.facts.guarded))


def _catalog(body: str, policy: Policy) -> Catalog:
    return Catalog(read_extract(), read_families(), policy.catalog, catalog_day(body))


def _evidence(call: _Call, today: Callable[[], Snapshot]) -> Evidence | None:
    return today().evidence if "evidence" in call.inputs else None


def _plugin(world: World, policy: Policy) -> Plugin | None:
    """The policy's plugin, where the user's own policy in force names it too: what is on record must not run code."""
    if policy.plugin is None:
        return None
    with suppress(SmistaError):
        if world.book().policy.plugin == policy.plugin:
            return world.plugin(policy)
    return Plugin(policy.plugin, failure="is not asked, because the policy in force does not name it")


def _snapshot_today(world: World, call: _Call) -> Snapshot:
    decision, facts, *_ = call.first
    spec = next((spec for spec in hosts.HOSTS if spec.name == decision.host), hosts.UNKNOWN)
    badge = None if facts.token is None else Badge("", facts.token, "route")
    caller = Caller(over_http=not facts.host_believed, badge=badge)
    return world.snapshot(world.book(), spec, facts.model, caller=caller)


def _today(world: World, call: _Call) -> Snapshot | str:
    """What the same call would see today, or why that cannot be told."""
    try:
        return _snapshot_today(world, call)
    except SmistaError as error:
        return error.message


# ------------------------------------------------------------------------------------------------------ decided again


def _decided(call: _Call, then: Snapshot) -> tuple[Routed, ...]:
    phases = [one.phase for one in call.phases]
    contexts = [one.context for one in call.phases]
    hashes = [_sealed(one, then.key) for one in call.phases]
    found = route(call.first.task, phases, contexts, then, recorded=True, hashes=hashes)
    approvals = call.kept.get("approvals")
    return found if approvals is None else permitted(found, contexts, approved_of(approvals))


def _sealed(phase: Rebuilt, key: bytes) -> dict[str, str]:
    """The inputs of a phase that nobody can hash again: its words, and names that were not kept as they were."""
    inputs, context = phase.decision.inputs, phase.context
    known = {name: inputs[name] for name in ("phase", "task") if name in inputs}
    # where it could be hashed again, another hash means that the record was changed
    if phase.facts.hashed_by != key_mark(key) and keyed(key, canonical(context)) != inputs.get("context"):
        known |= {name: inputs[name] for name in ("context", "session") if name in inputs}
    return known


def _compared(world: World, call: _Call, place: int, again: Routed, then: Snapshot) -> ReplayedPhase:
    row, phase = call.rows[place], call.phases[place]
    body = kept_body(again.decision)
    altered = [name for name in call.altered if name in phase.decision.inputs]
    return ReplayedPhase(
        decision_id=row.decision_id,
        phase=row.phase,
        same=body == row.body and not altered,
        replayed_id=again.decision.decision_id,
        changed=changes(phase.decision.inputs, again.decision.inputs, call.kept, _known(world, then), altered),
        fields=differing(row.body, body),
        sealed=tuple(sorted(_sealed(phase, then.key))),
    )


def _with_today(world: World, call: _Call, place: int, told: ReplayedPhase, today: Snapshot) -> ReplayedPhase:
    inputs = call.phases[place].decision.inputs
    outside = {name: digest for name, digest in inputs.items() if name not in _OF_THE_CALL}
    since = changes(outside, today.digests, call.kept, _known(world, today))
    told = told.model_copy(update={"files": tuple(_files(world, call, call.phases[place]))})
    if not since:
        return told
    contexts = [under(one.context, today.rulebook.policy) for one in call.phases]
    phases = [one.phase for one in call.phases]
    reached = route(call.first.task, phases, contexts, today)[place].decision
    return told.model_copy(update={"since": since, "today": Reached.of(reached)})


def _known(world: World, there: Snapshot) -> dict[str, str]:
    """What inputs are, in the form in which they would be kept."""
    known = {**there.bodies, "catalog": plain_text(there.market.catalog.identity)}
    documents = world.documents(there.rulebook.policy.revision)
    return known if documents is None else {**known, "policy": policy_body(documents)}


def _files(world: World, call: _Call, phase: Rebuilt) -> Iterator[FileChange]:
    """The files of a context that are others today. Names alone are told, and nothing of what is in them."""
    root = world.settings.workspace
    if root is None or call.rows[0].workspace != world.workspace_digest():
        return
    for item in phase.context.items:
        if item.kind != "file":
            continue
        path = item.forms[0] if item.forms else item.path
        read = read_file(root, path.split("/"), Caps().file_bytes)
        if isinstance(read, Unread):
            yield FileChange(path=item.path, state="gone")
        elif all(keyed(world.key(), digest_of(part).encode()) != item.digest for part in _parts(item.path, read)):
            yield FileChange(path=item.path, state="changed")


def _parts(written: str, read: Reading) -> Iterator[str]:
    """What of a file may have been taken: all of it, or the lines that its name in the context says."""
    yield read.text
    yield from (spelling.lines.cut(read.text) for spelling in spellings(written) if spelling.lines is not None)
