"""`explain`: the story of a decision: every rule, every attempt, what would have to change."""

import re
from collections.abc import Iterator

from smista_mcp.cli.attempts import approval_line, attempts_lines, cost_text, destinations
from smista_mcp.cli.decisions import heading
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened, read_task, rooted
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import printable, put, put_answer, put_notices
from smista_mcp.cli.reading import put_reading
from smista_mcp.core.explained import ExplainAnswer, ExplainedPhase
from smista_mcp.core.explanation import RuleVerdict, golden_view
from smista_mcp.errors import InvalidTask

_ID = re.compile(r"[0-9a-fA-F]{8,64}")
_TASK_OPTIONS = ("intent", "skill", "path", "diff", "model", "effort", "context", "session")


def explain(options: Options) -> int:
    """Prints the story of a recorded decision, trace or job, of the last call, or of a task."""
    given = options.text
    by_id = given if given is not None and _ID.fullmatch(given) else None
    if options.replay:
        from smista_mcp.cli.replay import replay  # noqa: PLC0415  few ask for it

        _refuse_task_options(options)
        if by_id is None and not options.last:
            raise InvalidTask("what is to be decided again is not on record", fix="give `--replay` an id, or --last")
        return replay(opened(options), by_id, as_json=options.json)
    if options.last or by_id is not None:
        _refuse_task_options(options)
        app = opened(options)
        # whoever runs this may read the ledger anyway, and looks up what other hosts did in other workspaces
        answer = app.explain(last=True) if options.last else app.explain(by_id, anywhere=True)
    elif given is None:
        raise InvalidTask("explain got nothing to explain", fix="give it an id, --last, or a task in words")
    else:
        task = read_task(options)
        app = opened(options)
        answer = app.explain(task=rooted(task, app))
    if options.json:
        put_answer(answer)
    else:
        put(*_story(answer, destinations(app)))
        if answer.reading:
            put("\nwords:")
            put_reading(printable(answer).reading)
        put_notices(answer.notices)
    return DONE


def _refuse_task_options(options: Options) -> None:
    extra = [f"--{name}" for name in _TASK_OPTIONS if getattr(options, name) is not None]
    if options.last and options.text is not None:
        extra.append("a text")
    if extra:
        raise InvalidTask(f"what is recorded takes no {', '.join(extra)}", fix="give the id or --last alone")


def _story(answer: ExplainAnswer, where: dict[str, str]) -> Iterator[str]:
    if answer.recorded_at is not None:
        yield f"recorded {answer.recorded_at}"
    for told in answer.phases:
        phase = printable(told)
        yield from heading(phase.decision, len(answer.phases))
        yield golden_view(phase.decision)
        yield from _rules(phase)
        yield from _attempts(phase, where)
        yield from (f"\nthe answer is {one.label}:\n  {one.told}" for one in phase.labels)
        yield from (
            f"\nits answer lies in {one.path} ({one.bytes} bytes);"
            f" approval {one.approval_id[:16]} is for it: {one.state}"
            for one in phase.withheld
        )
        yield from map(approval_line, phase.approvals)
        if phase.evidence is not None or phase.outcomes:
            from smista_mcp.cli.outcome import evidence_lines, outcome_lines  # noqa: PLC0415  few policies learn

            yield from evidence_lines(phase.evidence)
            yield from outcome_lines(phase.outcomes)
        if phase.changes:
            yield "\nwhat would have to change:"
            yield from (f"  {change}" for change in phase.changes)


def _rules(phase: ExplainedPhase) -> Iterator[str]:
    if phase.rules:
        yield "\nrules:"
        yield from map(_rule, phase.rules)


def _rule(verdict: RuleVerdict) -> str:
    line = f":{verdict.line}" if verdict.line else ""
    binds = "; it binds" if verdict.binds else ""
    return f"  {verdict.outcome:<9} {verdict.name} [{verdict.layer}{line}]: {verdict.reason}{binds}"


def _attempts(phase: ExplainedPhase, where: dict[str, str]) -> Iterator[str]:
    if phase.attempts:
        yield "\nattempts:"
        yield from attempts_lines(phase.attempts, where, indent="  ")
        if len(phase.attempts) > 1:
            yield f"  all of them: cost {cost_text(phase.cost)}"
