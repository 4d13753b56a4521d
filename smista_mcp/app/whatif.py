"""What another policy would change: the two policies, the tasks to judge under both, and the comparison.

No model is called, no server is asked, no file of a workspace is read, nothing is recorded.
"""

import os
from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from pydantic import ValidationError

from smista_mcp import hosts
from smista_mcp.app.labelling import labelled
from smista_mcp.app.rebuilding import Rebuilt, under
from smista_mcp.app.world import World
from smista_mcp.core.catalog import Catalog
from smista_mcp.core.effective import PlacedTest, Policy
from smista_mcp.core.evidence import Evidence
from smista_mcp.core.facts import PhaseContext
from smista_mcp.core.modelref import LOCAL_CLASS
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.policy import TestTask
from smista_mcp.core.policy_tests import decide, supposed
from smista_mcp.core.routing import route
from smista_mcp.core.snapshot import Rulebook, Snapshot, rulebook
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.values import Layer, Locality
from smista_mcp.core.whatif import Compared, Comparison, Judged, compare, judged
from smista_mcp.errors import PolicyInvalid, SmistaError, StateUnavailable
from smista_mcp.ledger import Ledger
from smista_mcp.loading.layers import LayerFile, Settings, load_in_place
from smista_mcp.loading.presets import preset_names

MAX_RECORDED = 10_000
"""Recorded phases that are judged; the newest."""
_SUPPOSED = "every declared provider counts as up, with its key and every model that is named, and no budget as touched"

_Judge = Callable[["Side"], tuple[Judged, ...]]


class Side:
    """One of the two policies, with the world in which every task is judged under it."""

    def __init__(
        self, book: Rulebook, catalog: Catalog, plugin: Plugin | None = None, evidence: Evidence | None = None
    ) -> None:
        self.book = book
        self.plugin = plugin
        self.evidence = evidence
        self._catalog = catalog
        self._worlds: dict[tuple[str, bool], Snapshot] = {}

    def world(self, host: str = hosts.UNKNOWN.name, *, believed: bool = True) -> Snapshot:
        """The world for tasks of one host."""
        known = self._worlds.get((host, believed))
        if known is None:
            spec = next((spec for spec in hosts.HOSTS if spec.name == host), hosts.UNKNOWN)
            said = self.book.policy.host_localities.get(spec.name, Locality.REMOTE)
            facts = hosts.facts(spec, said if believed else Locality.REMOTE)
            known = supposed(self.book, self._catalog, facts, self.plugin, self.evidence)
            self._worlds[host, believed] = known
        return known


class Asked(NamedTuple):
    """A task to judge; `label` finds it again for whoever reads of it."""

    label: str
    judge: _Judge


class Tasks(NamedTuple):
    """Tasks, what they are in a few words, and what a reader must know of them."""

    asked: tuple[Asked, ...]
    source: str
    notes: tuple[str, ...] = ()


class Answer(NamedTuple):
    """A comparison and all that was supposed for it."""

    comparison: Comparison
    source: str
    notes: tuple[str, ...]


def side(world: World, given: str, layer: Layer, *, trusted: bool = True) -> Side:
    """A policy with a file, or for the user's layer a preset, in place of one layer; the others are as they are.

    Raises:
        PolicyInvalid: it cannot be used.
        OrgPolicyInvalid: the organisation's cannot.
    """
    settings = world.settings
    file: LayerFile | None = LayerFile(layer, Path(given), trusted=trusted, required=True)
    if is_preset(given, settings, layer):
        settings, file = replace(settings, preset=given), None
    elif layer is Layer.USER and not os.path.lexists(given):
        shown = given if given.isprintable() and len(given) <= 80 else "this name"
        presets = ", ".join(preset_names(settings.presets_folder))
        raise PolicyInvalid(f"`{shown}` is neither a file nor a preset", fix=f"name a file, or one of {presets}")
    book = rulebook(world.guarded(load_in_place(settings, layer, file).policy))
    return Side(book, world.catalog(book.policy), _plugin(world, book.policy), world.evidence(book.policy, keep=False))


def _plugin(world: World, policy: Policy) -> Plugin | None:
    """The policy's plugin, where the user's own policy names the same: to look at a file must not run what it names."""
    try:
        own = world.book().policy.plugin
    except SmistaError:
        return None
    return world.plugin(policy) if policy.plugin == own else None


def is_preset(given: str, settings: Settings, layer: Layer) -> bool:
    """Whether a name means a preset: a file of that name comes first."""
    return layer is Layer.USER and is_only_preset(given, settings)


def is_only_preset(given: str, settings: Settings) -> bool:
    """Whether a preset has this name, and no file."""
    there = os.path.exists(given)  # noqa: PTH110  that of `Path` raises where a name is too long for a file
    return not there and given in preset_names(settings.presets_folder)


def what_if(old: Side, new: Side, tasks: Tasks) -> Answer:
    """Judges every task under both policies."""
    comparison = compare(Compared(one.label, one.judge(old), one.judge(new)) for one in tasks.asked)
    return Answer(comparison, tasks.source, (_SUPPOSED, *tasks.notes, *_notes(old, new)))


def _notes(old: Side, new: Side) -> Iterator[str]:
    for one, which in ((old, "OLD"), (new, "NEW")):
        policy = one.book.policy
        if any(target == f"class:{LOCAL_CLASS}" for target in _targets(policy)):
            yield f"{which} names `class:{LOCAL_CLASS}`, which counts as empty: no server is asked what it has"
        if policy.plugin is not None and one.plugin is None:
            yield f"{which} names the plugin `{policy.plugin}`, which your policy in force does not: it is not asked"
        if one.evidence is not None:
            yield f"{which} lets evidence count: what is in force today, {one.evidence.digest[:16]}"


def _targets(policy: Policy) -> Iterator[str]:
    for placed in policy.rules:
        yield from placed.rule.targets
    if policy.default is not None:
        yield from (policy.default.model, *policy.default.fallbacks)


# ------------------------------------------------------------------------------------------------- tasks as written


def written(label: str, case: TestTask) -> Asked:
    """A task in words; its paths are labels.

    Raises:
        SmistaError: a call like this would be refused under any policy.
    """

    def judge(under: Side) -> tuple[Judged, ...]:
        world, contexts = under.world(), list[PhaseContext]()

        def label_and_keep(task: Task, phases: Sequence[Phase], book: Rulebook) -> Sequence[PhaseContext]:
            contexts.extend(labelled(task, phases, book))
            return contexts

        host = world.market.host.locality
        return tuple(
            judged(one, context, under.book.guard, host)
            for one, context in zip(decide(case, world, label_and_keep), contexts, strict=True)
        )

    return Asked(label, judge)


def of_tests(tests: Sequence[PlacedTest]) -> Tasks:
    """The tasks of policy tests, each once."""
    found: dict[str, Asked] = {}
    for placed in tests:
        case = placed.test.task
        line = f":{placed.origin.line}" if placed.origin.line else ""
        found.setdefault(case.model_dump_json(), written(f"{placed.origin.file or placed.origin.layer}{line}", case))
    return Tasks(tuple(found.values()), "the tasks of the policies' tests")


# ------------------------------------------------------------------------------------------------- recorded tasks


def of_ledger(world: World) -> Tasks:
    """The tasks recorded for this workspace, oldest first; none where nothing is recorded.

    Raises:
        StateUnavailable: the ledger is there and cannot be read.
    """
    source = "the tasks that the ledger recorded for this workspace"
    ledger = _existing(world)
    if ledger is None:
        return Tasks((), source)
    rows = ledger.recent(MAX_RECORDED)
    workspace = world.workspace_digest()
    calls: dict[str, list[Rebuilt]] = defaultdict(list)
    unread = elsewhere = 0
    for row in reversed(rows):
        if row.workspace != workspace:
            elsewhere += 1
            continue
        try:
            recorded = Rebuilt.of(row)
        except (StateUnavailable, ValidationError):
            unread += 1
        else:
            calls[row.call_id].append(recorded)
    asked = tuple(_recorded(phases) for phases in calls.values())
    old = sum(phase.facts.text_tokens is None for phases in calls.values() for phase in phases)
    notes = (
        "recorded tasks keep the intent that they were read with, for their words are not kept: rules of"
        " classification change nothing here; paths, sizes and labels of their context are those found then",
        *_counted(old, "recorded by an earlier version, without context: judged by their paths alone"),
        *_counted(unread, "recorded by another version, which this one cannot read: left out"),
        *_counted(elsewhere, "of other workspaces: left out"),
        *([f"only the newest {MAX_RECORDED} recorded phases are looked at"] if len(rows) == MAX_RECORDED else []),
    )
    return Tasks(asked, source, notes if asked else notes[1:])


def _counted(number: int, what: str) -> list[str]:
    return [f"{number} {'phase' if number == 1 else 'phases'} {what}"] if number else []


def _existing(world: World) -> Ledger | None:
    """The ledger, if there is one: to look must not make it.

    Raises:
        StateUnavailable: it may not be ours, or cannot be read.
    """
    return world.open_ledger() if Ledger.is_there(world.own_state()) else None


def _recorded(phases: Sequence[Rebuilt]) -> Asked:
    def judge(side: Side) -> tuple[Judged, ...]:
        decision, facts, task, *_ = phases[0]
        world = side.world(decision.host, believed=facts.host_believed)
        # a file that could not be read that day says nothing of a policy: the work is judged as if it were there
        contexts = [under(phase.context, side.book.policy)._replace(left_out=()) for phase in phases]
        again = route(task, [phase.phase for phase in phases], contexts, world)
        host = world.market.host.locality
        return tuple(
            judged(routed, context, side.book.guard, host, phase.facts.withheld)
            for routed, context, phase in zip(again, contexts, phases, strict=True)
        )

    return Asked(phases[0].decision.decision_id[:12], judge)


def refused_in_any_case(case: TestTask, under: Side) -> SmistaError | None:
    """Why a call with this task would be refused before anything is decided; None where it would not."""
    try:
        written("", case).judge(under)
    except SmistaError as error:
        return error
    return None
