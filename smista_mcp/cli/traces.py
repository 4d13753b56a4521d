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

_SHORT, _SHORTEST = 12, 8
"""Characters of an id; eight suffice for `explain`."""
_ROOMY = 100
_STATUSES = (*get_args(AttemptStatus), *(status.value for status in Status))
_LEAST_MODEL = 12


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
        put(*lines(told, width(), utc_now().date().isoformat()))
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


def lines(told: TracesAnswer, columns: int, today: str) -> Iterator[str]:
    """A heading and a line for each, within so many columns; `today` is an ISO date."""
    if not told.traces:
        yield "nothing on record fits" if told.looked_at is None else "nothing fits"
    else:
        yield from _table(told.traces, columns, today)
    if told.looked_at is not None:
        yield f"only the newest {told.looked_at} decisions were looked at; older ones may fit too"


def _table(found: tuple[TraceLine, ...], columns: int, today: str) -> Iterator[str]:
    """What is always short stands first; the model and what became of it share what is left."""
    costs = list(points([one.cost if one.cost is not None else _no_cost(one) for one in found]))
    roomy = columns >= _ROOMY
    rows = [
        [
            (one.trace_id or one.decision_id)[: _SHORT if roomy else _SHORTEST],
            one.at[5:16].replace("T", " ") if roomy else one.at[11:16] if one.at[:10] == today else one.at[5:10],
            _took(one.seconds),
            cost,
            one.intent if not one.phase else f"{one.intent} #{one.phase}",
        ]
        for one, cost in zip(found, costs, strict=True)
    ]
    rows.insert(0, ["id", "UTC", "took", "USD", "intent"])
    fixed = list(columned(rows, right=(2, 3)))
    room = columns - max(map(len, fixed)) - 4
    became = [_became(one) for one in found]
    last = min(max(map(len, became)), room - _LEAST_MODEL)
    models = ["model", *(_model(one.model or "-", room - last) for one in found)]
    ends = ["became", *(shortened(one, last) for one in became)]
    wide, wider = max(map(len, fixed)), max(map(len, models))
    for line, model, end in zip(fixed, models, ends, strict=True):
        yield f"{line:<{wide}}  {model:<{wider}}  {end}".rstrip()


def _model(name: str, room: int) -> str:
    """A name of a model; where there is no room for it, without its provider."""
    return shortened(name if len(name) <= room else name.partition("/")[2], room)


def _became(one: TraceLine) -> str:
    """The code of what came to nothing, which says it all; else the status; and how many requests it took."""
    told = one.status if not one.code or one.code == one.status else f"{one.status} {one.code}"
    if one.code and one.status in ("failed", "refused"):
        told = one.code
    return f"{told} x{one.attempts}" if one.attempts > 1 else told


def _no_cost(one: TraceLine) -> str:
    return "unknown" if one.attempts else "-"


def _took(seconds: float | None) -> str:
    if seconds is None:
        return "-"
    return f"{seconds:.1f} s" if seconds < 60 else f"{seconds / 60:.0f} min"
