"""`[[test]]` cases of policy files: decided by the same stages as a call, with every provider up and keyed."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from decimal import Decimal
from typing import NamedTuple

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.costing import plain
from smista_mcp.core.decision import Decision
from smista_mcp.core.effective import PlacedTest, Policy
from smista_mcp.core.evidence import Evidence
from smista_mcp.core.facts import (
    BudgetLeft,
    ContextItem,
    HostFacts,
    LeftOut,
    PathFact,
    PathSource,
    PhaseContext,
    ProviderFacts,
)
from smista_mcp.core.nearness import closest
from smista_mcp.core.plugin import Plugin
from smista_mcp.core.policy import Expectation, TestTask
from smista_mcp.core.redaction import shown
from smista_mcp.core.routing import Routed, route
from smista_mcp.core.secretscan import secrets_of_phases
from smista_mcp.core.snapshot import Circumstances, Rulebook, Snapshot, snapshot
from smista_mcp.core.task import Phase, Task, check_model, given_kinds
from smista_mcp.core.values import ContextKind, Layer, Value
from smista_mcp.errors import Code, SmistaError

DEFAULT_ROUTE = "default"
"""As an expected `rule` this word means that no rule matches and the default route is taken."""
ERROR = "error"
"""As a found status: the call itself would have been refused, before anything was decided."""
_NEAR = 0.6

Labeller = Callable[[Task, Sequence[Phase], Rulebook], Sequence[PhaseContext]]
"""Gives the context of each phase of a task whose workspace is not looked at.

Raises:
    SmistaError: a call that names such paths would be refused.
"""


class Difference(Value):
    """One expectation that was not met; `note` says what the name may have meant, or why there is nothing."""

    field: str
    expected: str
    found: str
    note: str = ""


class TestResult(Value):
    """What became of one case.

    Attributes:
        overruled: it is a case of a preset that is not met because the user's own files decide otherwise; no failure.
        reason: the reason of the decision that was looked at; empty where there is none.
    """

    __test__ = False

    name: str
    layer: str
    file: str | None
    line: int | None
    passed: bool
    overruled: bool = False
    differences: tuple[Difference, ...] = ()
    reason: str = ""


class TestReport(Value):
    """All cases, and the rules that win in none of them; `notes` are about the cases themselves."""

    __test__ = False

    results: tuple[TestResult, ...]
    rules: int
    never_won: tuple[str, ...]
    notes: tuple[str, ...] = ()

    @property
    def passed(self) -> bool:
        return all(result.passed or result.overruled for result in self.results)


class _Found(NamedTuple):
    """What came out for the phase that a case asks about."""

    values: Mapping[str, str | None]
    reason: str
    cost: str | None = None
    excluded: Sequence[str] = ()


def run_tests(
    book: Rulebook,
    catalog: Catalog,
    tests: Sequence[PlacedTest] | None = None,
    label: Labeller | None = None,
    plugin: Plugin | None = None,
) -> TestReport:
    """Runs cases under a policy. Nothing is sent, or asked but the policy's plugin.

    Args:
        book: the policy.
        catalog: facts of models.
        tests: the cases; None for those of the policy itself.
        label: gives their context; None for paths as written.
        plugin: what the policy names as one, loaded.
    """
    world = supposed(book, catalog, plugin=plugin)
    cases = book.policy.tests if tests is None else tests
    won: set[tuple[str, str]] = set()
    results: list[TestResult] = []
    for placed in cases:
        decisions: Sequence[Decision] = ()
        try:
            decisions = [routed.decision for routed in decide(placed.test.task, world, label)]
            found = _found(decisions, placed.test.expect.phase)
        except SmistaError as error:
            found = _Found({"status": ERROR, "code": error.code}, error.message)
        won.update((d.matched_rule.name, d.matched_rule.layer) for d in decisions if d.matched_rule)
        results.append(_judged(placed, found, len(decisions), book.policy))
    never = [p.rule.name for p in book.rules if (p.rule.name, p.origin.layer) not in won]
    return TestReport(
        results=tuple(results), rules=len(book.rules), never_won=tuple(never), notes=tuple(_notes(cases, book))
    )


def supposed(
    book: Rulebook,
    catalog: Catalog,
    host: HostFacts | None = None,
    plugin: Plugin | None = None,
    evidence: Evidence | None = None,
) -> Snapshot:
    """The world of a case: every provider is up, no budget has been touched; without `host` nobody knows who calls."""
    up, whole = everything_up(book), untouched(book.policy)
    now = Circumstances(up, host or HostFacts(), whole, plugin, readable=True, evidence=evidence)
    return snapshot(book, catalog, now)


def everything_up(book: Rulebook) -> Mapping[str, ProviderFacts]:
    """Availability in which every declared provider answers, has its key and every model that is named."""
    return {
        name: ProviderFacts(locality=spec.locality, reachable=True, assumed=True)
        for name, spec in book.policy.providers.items()
    }


def untouched(policy: Policy) -> tuple[BudgetLeft, ...]:
    """The budgets of a policy with nothing spent, for a call without a token."""
    limits = ((b.scope, b.period, plain(b.limit)) for b in policy.budgets if not b.scope.startswith("token:"))
    return tuple(BudgetLeft(scope, period, limit, limit) for scope, period, limit in limits)


def task_of(case: TestTask) -> Task:
    """The call that a case stands for."""
    return Task(
        text=case.text,
        intent=case.intent,
        skill=case.skill,
        paths=case.paths,
        model=case.model,
        effort=case.effort,
        context=case.context,
    )


def decide(case: TestTask, world: Snapshot, label: Labeller | None = None) -> tuple[Routed, ...]:
    """Decides a task whose paths are labels: nothing on disk is looked at.

    Raises:
        SmistaError: a call like this would be refused before anything is decided.
    """
    task, book = task_of(case), world.rulebook
    check_model(task)
    phases = book.reader.read(task.text, intent=task.intent, skill=task.skill, kinds=given_kinds(task))
    contexts = label(task, phases, book) if label else [label_context(task, p, phases=len(phases)) for p in phases]
    words = secrets_of_phases(task.text, [phase.text for phase in phases], book.policy.secrets_allowed)
    contexts = [
        weighed(context, case.context_tokens)._replace(secrets=secrets)
        for context, secrets in zip(contexts, words, strict=True)
    ]
    return route(task, phases, contexts, world)


def label_context(task: Task, phase: Phase, *, phases: int = 1) -> PhaseContext:
    """The paths of a phase as written, as labels: required, of unknown content; what its words forbid stays out.

    Args:
        task: the whole task.
        phase: one of its phases.
        phases: how many it has; of several, one that names paths itself has those alone.
    """
    shared = task.paths if phases == 1 or not phase.mentions else ()
    sources: dict[str, PathSource] = {**dict.fromkeys(phase.mentions, "named"), **dict.fromkeys(shared, "call")}
    paths = [PathFact(path=path, source=source, forms=(path,)) for path, source in sources.items()]
    avoided = [path for path in phase.avoided if path not in sources]
    paths += [PathFact(path=path, source="named", forms=(path,), required=False) for path in avoided]
    context = PhaseContext(
        paths=tuple(paths),
        kinds=frozenset(task.context),
        left_out=tuple(LeftOut(path, "file", "the words say not to touch it") for path in avoided),
    )
    return with_items(context)


def with_items(context: PhaseContext) -> PhaseContext:
    """A context of labels whose required paths stand for files that exist: items of unknown content."""
    required = [path for path in context.paths if path.required]
    items = [
        ContextItem(path=path.path, kind="file", tokens=0, required=True, digest="", forms=path.forms)
        for path in required
    ]
    kinds = context.kinds | {ContextKind.PATHS} if required else context.kinds
    return context._replace(kinds=kinds, items=tuple(items))


def weighed(context: PhaseContext, tokens: int) -> PhaseContext:
    """The context with so many tokens more that must go along and that no path names."""
    if not tokens:
        return context
    bulk = ContextItem(path="context", kind="attachment", tokens=tokens, required=True, digest="")
    return context._replace(items=(*context.items, bulk))


def _found(decisions: Sequence[Decision], phase: int) -> _Found | None:
    if phase >= len(decisions):
        return None
    decision = decisions[phase]
    values = {
        "intent": decision.intent.name,
        "rule": decision.matched_rule.name if decision.matched_rule else DEFAULT_ROUTE,
        "model": decision.model,
        "resolved_model": decision.resolved_model,
        "locality": decision.locality,
        "effort": decision.effort,
        "status": decision.status,
        "code": decision.code,
    }
    excluded = sorted(entry.path for entry in decision.context.excluded)
    return _Found(values, decision.reason, decision.cost.max if decision.cost else None, excluded)


def _judged(placed: PlacedTest, found: _Found | None, phases: int, policy: Policy) -> TestResult:
    expect = placed.test.expect
    if found is None:
        count = f"{phases} {'phase' if phases == 1 else 'phases'}"
        note = f"phase {expect.phase} does not exist: the task has {count}, counted from 0"
        differences = (Difference(field="phase", expected=str(expect.phase), found="none", note=note),)
    else:
        differences = tuple(_differences(expect, found, policy))
    return TestResult(
        name=placed.test.name,
        layer=placed.origin.layer,
        file=placed.origin.file,
        line=placed.origin.line,
        passed=not differences,
        overruled=bool(differences) and placed.origin.layer is Layer.PRESET and _has_own_layers(policy),
        differences=differences,
        reason=found.reason if found else "",
    )


def _has_own_layers(policy: Policy) -> bool:
    origins = [*policy.provenance.values(), *(placed.origin for placed in policy.bindings)]
    return any(origin.layer not in (Layer.PRESET, Layer.BUILTIN) for origin in origins)


_COMPARED = ("intent", "rule", "model", "resolved_model", "locality", "effort", "status", "code")


def _differences(expect: Expectation, found: _Found, policy: Policy) -> Iterator[Difference]:
    for name in _COMPARED:
        wanted: str | None = getattr(expect, name)
        value = found.values.get(name)
        if wanted is not None and wanted != value:
            note = _rule_note(wanted, policy) if name == "rule" else _code_note(wanted) if name == "code" else ""
            yield Difference(field=name, expected=str(wanted), found=str(value or "none"), note=note)
    if expect.max_cost is not None and (found.cost is None or Decimal(found.cost) > expect.max_cost):
        known = "no known price" if found.cost is None else f"{found.cost} USD at most"
        yield Difference(field="max_cost", expected=f"{plain(expect.max_cost)} USD at most", found=known)
    if expect.excluded is not None and sorted(expect.excluded) != found.excluded:
        wanted = ", ".join(sorted(expect.excluded)) or "none"
        yield Difference(field="excluded", expected=wanted, found=", ".join(found.excluded) or "none")


def _rule_note(wanted: str, policy: Policy) -> str:
    """Why no decision can ever name this rule; empty where one can."""
    names = {placed.rule.name for placed in policy.rules}
    if wanted in names or wanted == DEFAULT_ROUTE:
        return ""
    if any(placed.rule.name == wanted for placed in policy.bindings):
        return "this rule stands in a file that nobody has trusted: it binds, and cannot win"
    return f"no rule is called `{shown(wanted)}`{_meant(wanted, (*names, DEFAULT_ROUTE))}"


def _code_note(wanted: str) -> str:
    return "" if wanted in set(Code) else f"there is no code `{shown(wanted)}`{_meant(wanted, Code)}"


def _meant(word: str, known: Sequence[str] | type[Code]) -> str:
    folded = {str(name).casefold(): str(name) for name in known}
    near = closest(word.casefold(), folded, cutoff=_NEAR)
    return f"; did you mean `{folded[near]}`?" if near else ""


def _notes(cases: Sequence[PlacedTest], book: Rulebook) -> Iterator[str]:
    if cases and book.policy.adaptive.enabled:
        yield "`[routing.adaptive]` is on, and every test is decided without evidence, in the order that is written"
    places: defaultdict[str, list[str]] = defaultdict(list)
    for placed in cases:
        place = _place(placed)
        places[placed.test.name].append(place)
        if not placed.test.expect.model_fields_set - {"phase"}:
            yield f"{place}: the test `{placed.test.name}` expects nothing, so it cannot fail"
    for name, where in places.items():
        if len(where) > 1:
            yield f"{len(where)} tests are called `{name}`: {', '.join(where)}"


def _place(placed: PlacedTest) -> str:
    line = f":{placed.origin.line}" if placed.origin.line else ""
    return f"{placed.origin.file or placed.origin.layer}{line}"
