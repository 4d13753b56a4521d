"""`explain`: the story of a decision: every rule, every attempt, what would have to change."""

import re
from collections.abc import Iterator
from decimal import Decimal

from smista_mcp.cli.attempts import approval_line, attempts_lines, clock, cost_text, destinations
from smista_mcp.cli.charts import folded, folded_at
from smista_mcp.cli.decisions import heading
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened, read_task, rooted
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, printable, put, put_answer, put_notices
from smista_mcp.cli.reading import put_reading
from smista_mcp.core.costing import plain
from smista_mcp.core.explained import ExplainAnswer, ExplainedPhase
from smista_mcp.core.explanation import RuleVerdict, golden_view
from smista_mcp.errors import InvalidTask

_SHORT = 16
_OUTCOMES = {"won": "won", "outranked": "outranked", "no_match": "no match"}
_ID = re.compile(r"[0-9a-fA-F]{8,64}")
_SHORT_ID = re.compile(r"(?=.*[0-9])[0-9a-fA-F]{1,7}")
"""Hexadecimal with a digit in it, as hardly any word is."""
_TASK_OPTIONS = ("intent", "skill", "path", "diff", "model", "effort", "context", "session")


def explain(options: Options) -> int:
    """Prints the story of a recorded decision, trace or job, of the last call, or of a task."""
    given = options.text
    _refuse_short_id(given, last=options.last)
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
        put(*folded(story(answer, destinations(app)), folded_at()))
        if answer.reading:
            put("\nwords:")
            put_reading(printable(answer).reading)
        job = f"job {answer.job.job_id}:" if answer.job else None
        put_notices(one for one in answer.notices if job is None or not one.startswith(job))
    return DONE


def _refuse_short_id(given: str | None, *, last: bool) -> None:
    """Takes what looks like the beginning of an id for none: a task of such a word alone says nothing to anybody."""
    if given is not None and not last and _SHORT_ID.fullmatch(given.strip()):
        said = f"`{given.strip()}` looks like an id, and is too short to be one"
        raise InvalidTask(said, fix="write 8 of its characters or more; `smista-mcp traces` lists them")


def _refuse_task_options(options: Options) -> None:
    extra = [f"--{name}" for name in _TASK_OPTIONS if getattr(options, name) is not None]
    if options.last and options.text is not None:
        extra.append("a text")
    if extra:
        raise InvalidTask(f"what is recorded takes no {', '.join(extra)}", fix="give the id or --last alone")


def story(answer: ExplainAnswer, where: dict[str, str]) -> Iterator[str]:
    """The whole story, most wanted first: what came of it, why, who was asked, what it cost."""
    if answer.recorded_at is not None:
        yield from _call(answer, answer.recorded_at)
    for told in answer.phases:
        phase = printable(told)
        yield from heading(phase.decision, len(answer.phases))
        yield from _came_to(phase)
        yield golden_view(phase.decision, folded_at())
        yield from _rules(phase)
        yield from _attempts(phase, where)
        yield from (f"\nthe answer is {one.label}:\n  {one.told}" for one in phase.labels)
        yield from (
            f"\nits answer lies in {one.path} ({one.bytes} bytes);"
            f" approval {one.approval_id[:16]} is for it: {one.state}"
            for one in phase.withheld
        )
        if phase.approvals:
            yield "\napprovals:"
            yield from map(approval_line, phase.approvals)
        if phase.evidence is not None or phase.outcomes:
            from smista_mcp.cli.outcome import evidence_lines, outcome_lines  # noqa: PLC0415  few policies learn

            yield from evidence_lines(phase.evidence)
            yield from outcome_lines(phase.outcomes)
        if phase.changes:
            yield "\nwhat would have to change:"
            yield from (f"  {change}" for change in phase.changes)


def _call(answer: ExplainAnswer, recorded_at: str) -> Iterator[str]:
    """When it was recorded, which host called, and the job that carried it out."""
    host = one_line(answer.phases[0].decision.host) if answer.phases else ""
    asked = f", from {host}" if host and host != "unknown" else ""
    yield f"recorded:         {clock(recorded_at, '%Y-%m-%d %H:%M:%S')}{asked}"
    job = answer.job
    if job is not None:
        code = f" ({job.code})" if job.code and job.code != job.status else ""
        ended = f" at {clock(job.ended_at, '%H:%M:%S')}" if job.ended_at else ", its process is gone"
        yield f"job:              {job.job_id[:_SHORT]}, {job.status}{code}{'' if job.status == 'running' else ended}"


def _came_to(phase: ExplainedPhase) -> Iterator[str]:
    """The end of it in one line, where anybody was asked."""
    if not phase.attempts:
        return
    last, tries = phase.attempts[-1], len(phase.attempts)
    served = last.status == "completed" and not last.cause
    asked = "" if tries == 1 else f", in {tries} requests"
    did = f"{last.resolved_model} answered" if served else "no answer that serves"
    if last.status == "running":
        did = f"{last.resolved_model} is at work"
    yield f"came to:          {did}{asked}; cost {_sum(phase)}"


def _sum(phase: ExplainedPhase) -> str:
    """What all attempts cost; where that of one is not known, at least what is."""
    if phase.cost is not None:
        return cost_text(phase.cost)
    known = sum((Decimal(one.cost) for one in phase.attempts if one.cost is not None), Decimal(0))
    return f"unknown, at least {plain(known)} USD" if known else "unknown"


def _rules(phase: ExplainedPhase) -> Iterator[str]:
    if phase.rules:
        yield "\nrules:"
        yield from map(_rule, phase.rules)


def _rule(verdict: RuleVerdict) -> str:
    line = f":{verdict.line}" if verdict.line else ""
    binds = "; it binds" if verdict.binds else ""
    outcome = _OUTCOMES[verdict.outcome]
    return f"  {outcome:<9} {verdict.name} [{verdict.layer}{line}]: {verdict.reason}{binds}"


def _attempts(phase: ExplainedPhase, where: dict[str, str]) -> Iterator[str]:
    if phase.attempts:
        several = len(phase.attempts) > 1
        yield "\nattempts:"
        yield from attempts_lines(phase.attempts, where, indent="  ", numbered=several)
        if several:
            yield f"  all of them: cost {_sum(phase)}"
