"""`[[test]]` cases of policy files: decided by the same stages as a call, with every provider up and keyed."""

from collections.abc import Mapping, Sequence

from smista_mcp.core.catalog import Catalog
from smista_mcp.core.decision import Decision
from smista_mcp.core.effective import Origin, PlacedTest
from smista_mcp.core.facts import ContextItem, PathFact, PhaseContext, ProviderFacts
from smista_mcp.core.policy import Expectation, TestTask
from smista_mcp.core.routing import route
from smista_mcp.core.secretscan import secrets_of_phases
from smista_mcp.core.snapshot import Circumstances, Rulebook, Snapshot, snapshot
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.values import ContextKind, Value

DEFAULT_ROUTE = "default"
"""As an expected `rule` this word means that no rule matches and the default route is taken."""


class Difference(Value):
    """One expectation that was not met."""

    field: str
    expected: str
    found: str


class TestResult(Value):
    """What became of one case."""

    __test__ = False

    name: str
    layer: str
    line: int | None
    passed: bool
    differences: tuple[Difference, ...] = ()


class TestReport(Value):
    """All cases, and the rules that win in none of them."""

    __test__ = False

    results: tuple[TestResult, ...]
    rules: int
    never_won: tuple[str, ...]

    @property
    def passed(self) -> bool:
        return all(result.passed for result in self.results)


def run_tests(book: Rulebook, catalog: Catalog) -> TestReport:
    """Runs every `[[test]]` of a policy. Nothing is read, asked or sent."""
    world = snapshot(book, catalog, Circumstances(everything_up(book)))
    won: set[str] = set()
    results: list[TestResult] = []
    for placed in book.policy.tests:
        decisions = decide(placed.test.task, world)
        won.update(d.matched_rule.name for d in decisions if d.matched_rule)
        results.append(_judged(placed, decisions))
    names = tuple(placed.rule.name for placed in book.rules)
    return TestReport(results=tuple(results), rules=len(names), never_won=tuple(n for n in names if n not in won))


def everything_up(book: Rulebook) -> Mapping[str, ProviderFacts]:
    """Availability in which every declared provider answers, has its key and every model that is named."""
    return {
        name: ProviderFacts(locality=spec.locality, reachable=True, assumed=True)
        for name, spec in book.policy.providers.items()
    }


def decide(case: TestTask, world: Snapshot) -> tuple[Decision, ...]:
    """Decides a case: its paths are labels, nothing on disk is looked at."""
    task = Task(
        text=case.text,
        intent=case.intent,
        skill=case.skill,
        paths=case.paths,
        model=case.model,
        effort=case.effort,
        context=case.context,
    )
    phases = world.rulebook.reader.read(task.text, intent=task.intent, skill=task.skill, kinds=frozenset(task.context))
    words = secrets_of_phases(task.text, [phase.text for phase in phases], world.rulebook.policy.secrets_allowed)
    contexts = [
        label_context(task, phase)._replace(secrets=secrets) for phase, secrets in zip(phases, words, strict=True)
    ]
    return tuple(routed.decision for routed in route(task, phases, contexts, world))


def label_context(task: Task, phase: Phase) -> PhaseContext:
    """The paths of a phase as labels: required, of unknown content."""
    named = phase.mentions or task.paths
    source = "named" if phase.mentions else "call"
    paths = tuple(PathFact(path=path, source=source, forms=(path,)) for path in named)
    items = tuple(
        ContextItem(path=path, kind="file", tokens=0, required=True, digest="", forms=(path,)) for path in named
    )
    kinds = frozenset(task.context)
    if paths:
        kinds |= {ContextKind.PATHS}
    return PhaseContext(paths=paths, kinds=kinds, items=items)


def _judged(placed: PlacedTest, decisions: Sequence[Decision]) -> TestResult:
    expect = placed.test.expect
    if expect.phase >= len(decisions):
        gone = (Difference(field="phase", expected=str(expect.phase), found=f"{len(decisions)} phases"),)
        return _result(placed.test.name, placed.origin, gone)
    return _result(placed.test.name, placed.origin, _differences(expect, decisions[expect.phase]))


def _result(name: str, origin: Origin, differences: tuple[Difference, ...]) -> TestResult:
    return TestResult(name=name, layer=origin.layer, line=origin.line, passed=not differences, differences=differences)


def _differences(expect: Expectation, decision: Decision) -> tuple[Difference, ...]:
    rule = decision.matched_rule.name if decision.matched_rule else DEFAULT_ROUTE
    found = {
        "intent": decision.intent.name,
        "rule": rule,
        "model": decision.model,
        "resolved_model": decision.resolved_model,
        "locality": decision.locality,
        "effort": decision.effort,
        "status": decision.status,
        "code": decision.code,
    }
    wrong = [
        Difference(field=name, expected=str(wanted), found=str(found[name]))
        for name in found
        if (wanted := getattr(expect, name)) is not None and str(wanted) != str(found[name])
    ]
    if expect.excluded is not None:
        excluded = sorted(entry.path for entry in decision.context.excluded)
        if excluded != sorted(expect.excluded):
            wrong.append(
                Difference(field="excluded", expected=", ".join(sorted(expect.excluded)), found=", ".join(excluded))
            )
    return tuple(wrong)
