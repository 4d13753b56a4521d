"""`route`: decisions, shown; nothing is sent."""

from collections.abc import Iterator

from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import opened, read_task, rooted
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import printable, put, put_answer, put_notices
from smista_mcp.core.answers import RouteAnswer
from smista_mcp.core.decision import Decision
from smista_mcp.core.values import Status


def route(options: Options) -> int:
    """Prints the decision of every phase; 1 where one of them is refused or needs a person."""
    task = read_task(options)
    app = opened(options)
    answer = app.route(rooted(task, app))
    if options.json:
        put_answer(answer)
    else:
        put(*golden_views(answer))
        put_notices(answer.notices)
    return DONE if all(decision.status in (Status.ROUTED, Status.HANDOFF) for decision in answer.decisions) else NO


def golden_views(answer: RouteAnswer) -> Iterator[str]:
    """The golden view of each phase, below a heading where there are several."""
    from smista_mcp.cli.charts import folded_at  # noqa: PLC0415  `--json` has no use for them
    from smista_mcp.core.explanation import golden_view  # noqa: PLC0415

    decisions = [printable(decision) for decision in answer.decisions]
    for decision in decisions:
        yield from heading(decision, len(decisions))
        yield golden_view(decision, folded_at())


def heading(decision: Decision, phases: int) -> Iterator[str]:
    """What tells the phases of one task apart."""
    if phases > 1:
        after = f", after {', '.join(map(str, decision.depends_on))}" if decision.depends_on else ""
        yield f"{'' if decision.phase == 0 else chr(10)}== phase {decision.phase} (of {phases}){after} =="
