"""`policy diff`: what another policy would change."""

from collections.abc import Iterator
from itertools import groupby
from pathlib import Path
from textwrap import wrap

from smista_mcp.app.whatif import (
    Answer,
    Side,
    Tasks,
    is_only_preset,
    is_preset,
    of_ledger,
    of_tests,
    refused_in_any_case,
    side,
    what_if,
    written,
)
from smista_mcp.app.world import World
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import STDIN, json_object, opened, read_text, task_of
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import note, one_line, put, put_json
from smista_mcp.core.policy import TestTask
from smista_mcp.core.values import Layer, Status
from smista_mcp.core.whatif import Change, Comparison, Costs, Kind, Outcome
from smista_mcp.errors import InvalidTask, StateUnavailable
from smista_mcp.loading.testfiles import files_beside, read_tests

WIDTH = 100
"""Columns of a line for people."""
SHOWN = 20
"""Changes of one kind that are shown to people."""
_MAX_LINES = 4
_MAX_FILE = 50_000_000
"""Characters of a file of tasks."""
_FIELDS = frozenset({"text", "intent", "skill", "paths", "context", "model", "effort"})
_EXAMPLE = '{"text": "review it", "paths": ["src/a.py"]}'
_HEADS = {
    Kind.LEAK: "LEAKS: goes, or may go, to a remote model where it did not, or without being asked",
    Kind.REFUSAL: "REFUSALS: was done, and is refused",
    Kind.APPROVAL: "APPROVALS: went without asking, and a person is asked first",
    Kind.OTHER: "OTHER CHANGES",
}


def diff(options: Options) -> int:
    """Prints what changes between two policies; 1 where a task leaks or is newly refused."""
    layer = Layer(options.layer)
    world = opened(options).world
    _check(options, world, layer)
    trusted = not options.untrusted
    old, new = (side(world, given, layer, trusted=trusted) for given in (options.old, options.new))
    answer = what_if(old, new, _tasks(options.over, world, old, new))
    totals = answer.comparison.totals
    if options.json:
        put_json(_document(options, answer))
    else:
        put(*(part for line in _lines(options, answer) for part in _fitted(line)))
        for remark in answer.notes:
            for part in _fitted(f"note: {remark}"):
                note(part)
    return NO if totals.leaks or totals.refusals else DONE


def _check(options: Options, world: World, layer: Layer) -> None:
    if layer is Layer.USER and options.policy is not None:
        raise InvalidTask("--policy names what OLD and NEW stand for", fix="leave it out, or add `--as workspace`")
    if layer is Layer.USER and options.untrusted:
        raise InvalidTask("--untrusted is about files of the workspace", fix="add `--as workspace`")
    for given in (options.old, options.new):
        if layer is not Layer.USER and is_only_preset(given, world.settings):
            said = f"`{given}` is a preset, and presets stand for the user's own file only"
            raise InvalidTask(said, fix=f"leave `--as {layer}` out, or name a file")
    presets = [given for given in (options.old, options.new) if is_preset(given, world.settings, layer)]
    if presets and options.preset is not None:
        raise InvalidTask(f"--preset and the preset `{presets[0]}` cannot both apply", fix="leave --preset out")


def _document(options: Options, answer: Answer) -> dict[str, object]:
    return {
        "old": options.old,
        "new": options.new,
        "as": options.layer,
        "over": answer.source,
        **answer.comparison.model_dump(mode="json"),
        "notes": list(answer.notes),
    }


# ---------------------------------------------------------------------------------------------------------- tasks


def _tasks(over: str | None, world: World, old: Side, new: Side) -> Tasks:
    if over is None:
        recorded = _recorded(world)
        return recorded if recorded.asked else _of_tests(world, old, new, recorded.notes)
    if over == "ledger":
        return of_ledger(world)
    if over == "tests":
        return _of_tests(world, old, new)
    return _of_file(over, old)


def _recorded(world: World) -> Tasks:
    try:
        return of_ledger(world)
    except StateUnavailable as error:
        return Tasks((), "", (f"the ledger is left out: {error.message}",))


def _of_tests(world: World, old: Side, new: Side, why: tuple[str, ...] = ()) -> Tasks:
    beside = read_tests(files_beside(world.settings))
    cases = [*old.book.policy.tests, *new.book.policy.tests, *beside.cases]
    usable = [case for case in cases if refused_in_any_case(case.test.task, old) is None]
    found = of_tests(usable)
    left = len(cases) - len(usable)
    notes = [*why]
    if left:
        notes.append(f"{_number(left, 'test')} left out: a call like this is refused under any policy")
    if beside.findings:
        files = len({finding.file for finding in beside.findings})
        notes.append(f"{_number(files, 'test file')} left out, with errors in it that `smista-mcp policy test` shows")
    return found._replace(notes=tuple(notes))


def _of_file(name: str, under: Side) -> Tasks:
    """The tasks of a file of JSON lines.

    Raises:
        InvalidTask: names the first line that is wrong, and the others by their numbers.
    """
    lines = read_text(Path(name), _MAX_FILE, "file of tasks", regular=True).split("\n")
    tasks: list[tuple[int, TestTask]] = []
    wrong: list[tuple[int, InvalidTask]] = []
    for number, line in enumerate(lines, 1):
        if not line.strip():
            continue
        try:
            tasks.append((number, _decidable(_task(line), under)))
        except InvalidTask as error:
            wrong.append((number, error))
    if wrong:
        (number, first), others = wrong[0], ", ".join(str(other) for other, _ in wrong[1 : SHOWN + 1])
        more = f" (also wrong: line {others}{' and more' if len(wrong) > SHOWN + 1 else ''})" if others else ""
        raise InvalidTask(f"{name}:{number}: {first.message}{more}", fix=first.fix)
    shown = "standard input" if name == STDIN else name
    return Tasks(tuple(written(f"{shown}:{number}", task) for number, task in tasks), f"the tasks of {shown}")


def _decidable(task: TestTask, under: Side) -> TestTask:
    refused = refused_in_any_case(task, under)
    if refused is not None:
        raise InvalidTask(refused.message, fix=refused.fix)
    return task


def _task(line: str) -> TestTask:
    given = json_object(line, _EXAMPLE)
    unknown = sorted(given.keys() - _FIELDS)
    if unknown:
        names = ", ".join(f"`{one_line(name[:40])}`" for name in unknown[:3])
        raise InvalidTask(f"the line has {names}, which means nothing", fix=f"it takes {', '.join(sorted(_FIELDS))}")
    task = task_of({name: found for name, found in given.items() if found is not None})
    # a task may be longer than what a policy file takes for a case
    return TestTask.model_construct(**{name: getattr(task, name) for name in _FIELDS})


# --------------------------------------------------------------------------------------------------------- people


def _lines(options: Options, answer: Answer) -> Iterator[str]:
    comparison = answer.comparison
    yield f"{options.old} -> {options.new}, as the {options.layer}'s policy"
    yield f"over {answer.source}"
    for kind, changes in groupby(comparison.changes, key=lambda change: change.kind):
        yield ""
        yield _HEADS[kind]
        yield from _group(list(changes))
    yield ""
    yield from _totals(comparison)


def _group(changes: list[Change]) -> Iterator[str]:
    for change in changes[:SHOWN]:
        yield from _change(change)
    rest = changes[SHOWN:]
    if rest:
        yield f"  {len(rest)} more changes like these, over {sum(change.count for change in rest)} tasks; see --json"


def _change(change: Change) -> Iterator[str]:
    before, after = change.before, change.after
    intent = before.intent if before.intent is after.intent else f"{before.intent}, now {after.intent}"
    fields = [name for name in change.fields if name != "resolved_model" or "model" not in change.fields]
    yield f"  {_number(change.count, 'task')} of {intent}: {', '.join(fields)}"
    yield f"    - {_outcome(before, change)}"
    yield f"    + {_outcome(after, change)}"
    if change.released:
        yield f"    no longer withheld: {', '.join(change.released)}"
    if change.reason_after != change.reason_before:
        yield f"    because: {change.reason_after}"
    if (change.cost.before, change.cost.unknown_before) != (change.cost.after, change.cost.unknown_after):
        yield f"    cost at most: {_costs(change.cost)}"
    more = f" and {change.count - 3} more" if change.count > 3 else ""
    yield f"    see {', '.join(change.tasks[:3])}{more}"


def _outcome(outcome: Outcome, change: Change) -> str:
    said = [_done(outcome), f"effort {outcome.effort}", f"rule `{outcome.rule}`" if outcome.rule else "default route"]
    if outcome.fallbacks and "fallbacks" in change.fields:
        said.append(f"else {', '.join(outcome.fallbacks)}")
    if outcome.escalation and "escalation" in change.fields:
        said.append(f"if that fails {', '.join(outcome.escalation)}")
    return ", ".join(said)


def _done(outcome: Outcome) -> str:
    where = f"{outcome.model} [{outcome.locality}]"
    match outcome.status:
        case Status.ROUTED:
            return where
        case Status.APPROVAL_REQUIRED:
            return f"{where} once a person agrees"
        case Status.HANDOFF:
            return f"back to the host ({outcome.model or outcome.code})"
        case Status.REFUSED:
            return f"refused ({outcome.code})"


def _totals(comparison: Comparison) -> Iterator[str]:
    totals = comparison.totals
    if not totals.tasks:
        yield "nothing to compare: there is no task; name a file of tasks with --over"
        return
    counts = {"leak": totals.leaks, "refusal": totals.refusals, "approval": totals.approvals}
    kinds = ", ".join(_number(count, kind) for kind, count in counts.items())
    yield f"{_number(totals.tasks, 'task')} looked at, {totals.changed} changed: {kinds}"
    yield f"cost at most: {_costs(totals.cost)}"


def _costs(cost: Costs) -> str:
    return f"{_side(cost.before, cost.unknown_before)} -> {_side(cost.after, cost.unknown_after)}"


def _side(amount: str, unknown: int) -> str:
    return f"{amount} USD" + (f" and {_number(unknown, 'unknown price')}" if unknown else "")


def _number(count: int, what: str) -> str:
    return f"{count} {what}{'' if count == 1 else 's'}"


def _fitted(text: str) -> list[str]:
    """A line in lines that fit; a very long one is cut."""
    line = one_line(text)
    margin = " " * (len(line) - len(line.lstrip()) + 4)
    return wrap(line, WIDTH, subsequent_indent=margin, max_lines=_MAX_LINES, placeholder=" …") or [""]
