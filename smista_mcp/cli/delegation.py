"""`dispatch`: the decision shown, a person asked where something would leave, the work done, the receipt printed."""

import gc
import sys
from collections.abc import Awaitable, Callable, Iterator, Sequence
from typing import TYPE_CHECKING, TextIO

from smista_mcp.app import App, Caller
from smista_mcp.cli.advice import advised
from smista_mcp.cli.attempts import approval_line, attempts_lines, cost_text, destinations, usage_line
from smista_mcp.cli.decisions import golden_views
from smista_mcp.cli.failures import DONE, INTERRUPTED, NO
from smista_mcp.cli.inputs import STDIN, opened, read_task, rooted
from smista_mcp.cli.interruption import ending_on_sigterm
from smista_mcp.cli.parser import PROG, Options
from smista_mcp.cli.person import is_there
from smista_mcp.cli.printing import (
    ProgressLine,
    confirmed,
    content,
    is_terminal,
    note,
    one_line,
    printable,
    put,
    put_answer,
    put_notices,
)
from smista_mcp.core.answers import RouteAnswer
from smista_mcp.core.dispatched import DispatchAnswer, DispatchedPhase
from smista_mcp.core.redaction import redacted
from smista_mcp.core.task import Task
from smista_mcp.core.values import Locality, Status
from smista_mcp.errors import InvalidTask, SmistaError

if TYPE_CHECKING:
    from smista_mcp.dispatch.standing import Progress

_LINE_EVERY_S = 4.0
"""Seconds between two lines of progress where lines stay; news come once a second, and 5 s are promised."""

_UNDONE = ("failed", "refused", "approval_required")


def dispatch(options: Options) -> int:
    """Has a task done and prints the answers; 1 where a phase failed, was refused or needs a person."""
    app = opened(options)
    if options.job is not None:
        if options.text is not None:
            raise InvalidTask("dispatch got a job and a text", fix="give --job alone, or a text without it")
        task = None
    else:
        task = rooted(read_task(options, "dispatch"), app)
        if not _agreed(app, task, options):
            note("nothing was sent")
            return NO
    job: list[str] = []
    answer = _carried_out(app, task, options.job or "", job.append)
    if answer is None:
        goes_on = "not waited for any longer; the job goes on where it is carried out"
        note(goes_on if task is None else _cut_short(job))
        return INTERRUPTED
    answer = advised(answer, person=is_there(app.world.settings.environment))
    if options.json:
        put_answer(answer)
    else:
        put(*report(app, answer))
        put_notices(answer.notices)
    return DONE if answer.status in ("completed", "handoff", "running") else NO


def _cut_short(job: Sequence[str]) -> str:
    """What to do after Ctrl-C."""
    if not job:
        return "cancelled; nothing was begun"
    back = f"`{PROG} dispatch --job {job[0]}` shows what was done by then, `{PROG} explain --last` what was sent"
    return f"cancelled; {back}"


def _agreed(app: App, task: Task, options: Options) -> bool:
    """Shows a person on a terminal what would be done, and asks where that person would want to be asked."""
    if not (is_terminal(sys.stdin) and is_terminal(sys.stdout)) or options.text == STDIN:
        return True
    answer = app.route(task)
    shown_on: TextIO = sys.stderr if options.json else sys.stdout
    for view in golden_views(answer):
        print(view, file=shown_on)
    print(file=shown_on, flush=True)
    whom = leaves(answer)
    return options.yes or not whom or confirmed(f"Something may go to {', '.join(whom)}. Go on? [y/N]")


def leaves(answer: RouteAnswer) -> tuple[str, ...]:
    """The remote models that may be asked, also those only asked where another fails.

    Where an approval is missing, a yes here would change nothing.
    """
    found: list[str] = []
    for decision in answer.decisions:
        if decision.status is Status.ROUTED:
            found += [decision.model or "a remote model"] if decision.locality is Locality.REMOTE else []
            found += decision.away
    return tuple(one_line(redacted(name)) for name in dict.fromkeys(found))


def _carried_out(app: App, task: Task | None, job: str, begun: Callable[[str], None]) -> DispatchAnswer | None:
    """The answer; None where the user ended the wait. Whatever was started is ended by then; `begun` hears its id."""
    import anyio  # noqa: PLC0415  an event loop, which verbs that only decide never need

    from smista_mcp.tracing import door  # noqa: PLC0415  as above
    from smista_mcp.tracing.exporting import set_up  # noqa: PLC0415

    line = ProgressLine()
    gc.enable()
    variables = app.world.settings.environment.variables
    set_up(variables)
    caller = {name: variables[name.upper()] for name in ("traceparent", "tracestate") if name.upper() in variables}

    async def work() -> DispatchAnswer | SmistaError:
        async with app.running():
            try:
                if task is None:
                    answer = await app.join(job, listener=_listener(line), anywhere=True)  # the user's own ledger
                else:
                    answer = await app.dispatch(task, Caller(), listener=_listener(line), begun=begun)
                return await _after_a_yes(app, answer, line)
            except SmistaError as error:  # told outside, where nothing wraps it
                return error

    try:
        with ending_on_sigterm(), door.joined(caller):
            answer = anyio.run(work)
    except KeyboardInterrupt:
        return None
    finally:
        line.clear()
    if isinstance(answer, SmistaError):
        raise answer
    return answer


async def _after_a_yes(app: App, answer: DispatchAnswer, line: ProgressLine) -> DispatchAnswer:
    """The answer once a person has been asked here for every yes that it waits for; as it is where none can be."""
    import anyio.to_thread  # noqa: PLC0415  as above

    settled: set[str] = set()
    while answer.status == "approval_required" and answer.approval_id and answer.job_id:
        if answer.approval_id in settled or not is_there(app.world.settings.environment):
            return answer
        settled.add(answer.approval_id)
        line.clear()
        if not await anyio.to_thread.run_sync(_approved, app, answer.approval_id):
            return answer
        answer = await app.join(answer.job_id, listener=_listener(line))
    return answer


def _approved(app: App, approval_id: str) -> bool:
    """Shows a request on standard error, where the decision was shown before, and asks for the word."""
    from smista_mcp.app.consents import Consents  # noqa: PLC0415  most dispatches ask nobody
    from smista_mcp.cli.approval import ask, lines  # noqa: PLC0415

    consents = Consents(app.world)
    one = consents.stored(approval_id)
    for shown in lines(one, consents):
        print(shown, file=sys.stderr)
    return ask(one, consents) is True


def _listener(line: ProgressLine) -> "Callable[[Progress], Awaitable[None]]":
    told = -_LINE_EVERY_S

    async def hear(progress: "Progress") -> None:
        nonlocal told
        due = progress.seconds - told >= _LINE_EVERY_S
        told = progress.seconds if due else told
        line.show(progress.told(), due=due)

    return hear


def report(app: App, answer: DispatchAnswer) -> Iterator[str]:
    """The answers of all phases for people, then what was sent for them, then what is left to do."""
    if answer.status == "running" and answer.job_id:
        yield f"running as job {one_line(answer.job_id)}{_so_far(answer)}"
    for phase in answer.phases:
        if len(answer.phases) > 1:
            code = f" ({phase.code})" if phase.code and phase.status in _UNDONE and phase.code != phase.status else ""
            yield f"== phase {phase.phase}: {phase.intent}, {phase.status}{code} =="
        yield from _phase(phase)
    where = destinations(app)
    for phase in answer.phases:
        yield from _receipts(app, phase, where)
    if answer.session is not None:
        yield f"\nsession {one_line(answer.session)}: go on with --session {one_line(answer.session)}"
    if answer.status != "running" and answer.next:
        yield f"\nnext: {content(answer.next)}"


def _so_far(answer: DispatchAnswer) -> str:
    """How far a job that runs is."""
    found = answer.progress
    if found is None:
        return ""
    which = f"phase {found.phase + 1} of {found.phases}: " if found.phases > 1 else ""
    cost = "" if found.cost_kind is None else f", cost so far {cost_text(found.cost)}"
    return f": {which}{one_line(found.message)}, {found.seconds:.0f} s{cost}"


def _phase(phase: DispatchedPhase) -> Iterator[str]:
    if phase.status in _UNDONE:
        code = f" ({phase.code})" if phase.code and phase.code != phase.status else ""
        yield f"{phase.status}{code}: {one_line(phase.detail)}"
    if phase.answer is not None:
        yield content(phase.answer)
    if phase.patch is not None:
        yield content(phase.patch.removesuffix("\n"))
        yield "nothing was written: the diff above applies to the workspace, see --json for it alone"
    if phase.detail and phase.status not in _UNDONE and (phase.answer is not None or phase.patch is not None):
        yield f"note: {one_line(phase.detail)}"
    if phase.withheld is not None:
        path = one_line(phase.withheld.path)
        yield f"the answer stays on this machine: {path} ({phase.withheld.bytes} bytes)"
        if phase.withheld.patch is not None:
            yield f"its patch: git apply {one_line(phase.withheld.patch)}"
    if phase.handoff is not None and phase.status == "handoff":
        handoff = phase.handoff
        kind = f"{handoff.intent}, {handoff.capability_class}, {handoff.effort}"
        yield f"yours to do ({kind}): {one_line(handoff.detail)}"
        if phase.detail and phase.detail != handoff.detail:
            yield f"why: {one_line(phase.detail)}"


def _receipts(app: App, phase: DispatchedPhase, where: dict[str, str]) -> Iterator[str]:
    """What became of a phase's words on their way."""
    if phase.trace_id is None:
        return
    yield f"\ntrace {one_line(phase.trace_id)}: {phase.model}, {usage_line(phase.usage)}, cost {cost_text(phase.cost)}"
    if phase.label:
        yield f"  the answer is {phase.label}: it is not handed to a remote model"
    try:
        told = app.explain(phase.trace_id, anywhere=True)
    except SmistaError as error:
        yield f"  the receipt cannot be read: {one_line(error.message)}"
        return
    for explained in told.phases:
        rule = explained.decision.matched_rule
        yield f"  rule:  {one_line(rule.name) if rule else 'none, the default route'}"
        yield f"  why:   {one_line(explained.decision.reason)}"
        for label in printable(explained).labels:
            if label.trace_id == phase.trace_id:
                yield f"  from:  {label.told}"
        attempts = (printable(attempt) for attempt in explained.attempts if attempt.trace_id == phase.trace_id)
        yield from attempts_lines(attempts, where, indent="  ")
        yield from (approval_line(printable(one)) for one in explained.approvals if one.trace_id == phase.trace_id)
