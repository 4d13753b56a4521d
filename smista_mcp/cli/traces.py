"""`traces`: the latest calls, a line each."""

from collections.abc import Iterator
from datetime import timedelta
from typing import get_args

from smista_mcp.app.past import MOST, Wanted, found
from smista_mcp.app.world import utc_now
from smista_mcp.cli.charts import columned, points, shortened, width
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_answer, put_json
from smista_mcp.core.history import TraceLine, TracesAnswer
from smista_mcp.core.nearness import closest
from smista_mcp.core.values import Intent, Status
from smista_mcp.errors import InvalidTask
from smista_mcp.ledger import AttemptStatus

_SHORT = 12
"""Characters of an id; eight suffice for `explain`."""
_STATUSES = (*get_args(AttemptStatus), *(status.value for status in Status))
_LEAST_MODEL = 16


def traces(options: Options) -> int:
    """Prints the latest decisions and what became of them."""
    wanted = _wanted(options)
    most = options.limit or MOST
    world = opened(options).world
    told = found(world, world.scope(None) if options.here else None, wanted, most)
    if options.lines:
        for one in told.traces:
            put_json(one.model_dump(mode="json", by_alias=True), indent=None)
    elif options.json:
        put_answer(told)
    else:
        put(*lines(told, width()))
    return DONE


def _wanted(options: Options) -> Wanted:
    _known("--intent", options.intent, [intent.value for intent in Intent])
    _known("--status", options.status, _STATUSES)
    since = None if options.days is None else utc_now().date() - timedelta(days=options.days - 1)
    return Wanted(options.intent, options.model, options.status, since)


def _known(option: str, given: str | None, words: "list[str] | tuple[str, ...]") -> None:
    if given is not None and given not in words:
        near = closest(given, words, cutoff=0.6)
        hint = f"did you mean {near}? " if near else ""
        raise InvalidTask(f"`{one_line(given[:40])}` is no {option[2:]}", fix=f"{hint}write one of {', '.join(words)}")


def lines(told: TracesAnswer, columns: int) -> Iterator[str]:
    """A heading and a line for each, within so many columns."""
    if not told.traces:
        yield "nothing on record fits" if told.looked_at is None else "nothing fits"
    else:
        yield from _table(told.traces, columns)
    if told.looked_at is not None:
        yield f"only the newest {told.looked_at} decisions were looked at; older ones may fit too"


def _table(found: tuple[TraceLine, ...], columns: int) -> Iterator[str]:
    costs = list(points([one.cost if one.cost is not None else _no_cost(one) for one in found]))
    fixed = [
        [
            (one.trace_id or one.decision_id)[:_SHORT],
            one.at[5:16].replace("T", " "),
            one.intent if not one.phase else f"{one.intent} #{one.phase}",
            "",
            _became(one),
            _took(one.seconds),
            cost,
        ]
        for one, cost in zip(found, costs, strict=True)
    ]
    rows = [["id", "UTC", "intent", "model", "became", "took", "USD"], *fixed]
    taken = sum(max(len(row[n]) for row in rows) + 2 for n in range(len(rows[0])) if n != 3)
    room = max(_LEAST_MODEL, columns - taken)
    for row, one in zip(fixed, found, strict=True):
        row[3] = shortened(one.model or "-", room)
    rows[0][-1] = "USD".ljust(max(len(row[-1]) for row in rows))
    yield from columned(rows, left=5)


def _became(one: TraceLine) -> str:
    """Status, with the code where it says more, and how often somebody was asked."""
    code = f" {one.code}" if one.code and one.code != one.status else ""
    tries = f" ({one.attempts} tries)" if one.attempts > 1 else ""
    return f"{one.status}{code}{tries}"


def _no_cost(one: TraceLine) -> str:
    return "unknown" if one.attempts else "-"


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
