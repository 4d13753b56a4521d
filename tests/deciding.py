"""Decisions from a policy written in a test: no file, no server, every provider up unless the test says otherwise."""

from collections.abc import Mapping
from functools import cache

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.decision import Decision
from smista_mcp.core.evidence import Evidence
from smista_mcp.core.facts import BudgetLeft, HostFacts, PhaseContext, ProviderFacts
from smista_mcp.core.layering import merge
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.policy_tests import everything_up, label_context
from smista_mcp.core.routing import Routed, route
from smista_mcp.core.snapshot import Circumstances, Rulebook, Snapshot, rulebook, snapshot
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.values import Layer
from smista_mcp.loading.catalog_data import read_extract, read_families
from smista_mcp.loading.documents import parse

DAY = "2026-11-20"


@cache
def _data() -> tuple[Mapping[str, object], tuple[Mapping[str, object], ...]]:
    return read_extract(), read_families()


def layer(text: str, where: Layer = Layer.USER, *, trusted: bool = True) -> LayerDocument:
    """One policy file's text as a layer."""
    parsed = parse(text.encode(), where, f"{where}.toml")
    assert parsed.document is not None, parsed.findings
    return LayerDocument(
        layer=where,
        document=parsed.document,
        file=f"{where}.toml",
        lines=parsed.lines,
        trusted=trusted,
        digest=parsed.digest,
    )


def book(*texts: str | LayerDocument) -> Rulebook:
    """A policy of these layers; a plain text is the user's."""
    return rulebook(merge([layer(text) if isinstance(text, str) else text for text in texts]))


def world(
    policy: Rulebook | str,
    *,
    host: HostFacts | None = None,
    budgets: tuple[BudgetLeft, ...] = (),
    key: bytes = b"k",
    plugin: Plugin | None = None,
    evidence: Evidence | None = None,
    **providers: ProviderFacts,
) -> Snapshot:
    """The world of a policy; `providers` replace the facts of some."""
    known = book(policy) if isinstance(policy, str) else policy
    catalog = Catalog(*_data(), known.policy.catalog, DAY)
    facts = {**everything_up(known), **providers}
    now = Circumstances(facts, host or HostFacts(), budgets, plugin, evidence=evidence)
    return snapshot(known, catalog, now, key=key, version="test")


def routed(snap: Snapshot, task: Task, context: PhaseContext | None = None) -> tuple[Routed, ...]:
    """Every phase of a task, with its words' paths as labels, or with the context given for all."""
    phases: tuple[Phase, ...] = snap.rulebook.reader.read(
        task.text, intent=task.intent, skill=task.skill, kinds=frozenset(task.context)
    )
    contexts = [context or label_context(task, phase, phases=len(phases)) for phase in phases]
    return route(task, phases, contexts, snap)


def decide(
    snap: Snapshot | str, text: str = "do it", context: PhaseContext | None = None, /, **task: object
) -> Decision:
    """The decision on the only phase of a task."""
    where = world(snap) if isinstance(snap, str) else snap
    (one,) = routed(where, Task.model_validate({"text": text, **task}), context)
    return one.decision
