"""`usage`: what work has used and cost, what budgets have left, what delegating saved."""

from collections.abc import Iterator, Sequence
from datetime import date, timedelta
from decimal import Decimal
from itertools import groupby
from typing import cast

from smista_mcp.app.usage import Span, report, span
from smista_mcp.cli.charts import (
    Bar,
    bar,
    bars,
    columned,
    compact,
    has_blocks,
    is_looked_at,
    percent,
    points,
    shortened,
    width,
    wrapped,
)
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_answer, put_notices, shown_path
from smista_mcp.core.budgeting import BEGINS, WARNED_AT
from smista_mcp.core.history import BudgetLine, UsageReport
from smista_mcp.core.usage import By, ReferenceLine, Saving, UsageLine

_MANY_DAYS = 31
"""Days that a chart shows one by one; of more it shows months."""
_HASH = 12
_LEAST_NAME = 16
_BUDGET_BAR = 20
_ABANDONED = ("was cancelled and may have been charged", "were cancelled and may have been charged")
_NAMELESS = {"project": "(no workspace)", "host": "(not on record)"}
_NAMED = {"policy": "as the policy says", "host": "as `smista-mcp hosts` has it"}


def usage(options: Options) -> int:
    """Prints what was used; with --suggest which routes the evidence of outcomes speaks against, and nothing else."""
    if options.suggest:
        from smista_mcp.cli.suggestions import suggest  # noqa: PLC0415  few ask for it

        return suggest(options)
    meant = span(options.since, options.days, options.month)
    app = opened(options)
    told = report(app.world, cast("By", options.by), meant, here=options.here, against=options.against)
    if options.json:
        put_answer(told)
        return DONE
    columns = width()
    put(*lines(told, columns))
    if is_looked_at():
        put(*chart(told, meant, columns, blocks=has_blocks()))
    put(*_budgets(told.budgets, drawn=is_looked_at(), blocks=has_blocks()))
    put(*_saving(told.saving, columns))
    put_notices(told.notices)
    return DONE


def lines(told: UsageReport, columns: int) -> Iterator[str]:
    """Totals, the table, and what the figures do not hold."""
    days = told.since if told.since == told.until else f"{told.since} to {told.until}"
    whose = "this workspace" if told.workspace else "every workspace"
    yield f"{days} ({told.zone}), {whose}: {_sum(told.total)}"
    if told.since != told.until:
        yield f"today: {_sum(told.today)}"
    if not told.total.requests:
        return
    yield ""
    yield from _table(told, columns)
    yield ""
    total = told.total
    tokens = total.input_tokens + total.output_tokens
    yield (
        f"local: {total.local} of {total.requests} requests ({percent(total.local, total.requests)}),"
        f" {compact(total.local_tokens)} of {compact(tokens)} tokens ({percent(total.local_tokens, tokens)})"
    )
    yield from _unknown(total, columns)


def _sum(line: UsageLine) -> str:
    return f"{_cost(line)} USD, {line.requests} {'request' if line.requests == 1 else 'requests'}"


def _cost(line: UsageLine) -> str:
    """A sum, with a mark where there is more that nobody knows; not even a 0 where nothing is known."""
    if not line.doubtful:
        return line.cost
    charged = line.completed + line.uncertain + line.abandoned + line.running
    return "unknown" if line.cost == "0" and line.doubtful == charged else f"{line.cost}+?"


def _table(told: UsageReport, columns: int) -> Iterator[str]:
    lines = [*told.groups, told.total] if len(told.groups) > 1 else list(told.groups)
    total = told.total
    shown = [
        ("requests", [str(one.requests) for one in lines], True),
        ("input", [compact(one.input_tokens) for one in lines], True),
        ("cached", [compact(one.cached_input_tokens) for one in lines], total.cached_input_tokens > 0),
        ("written", [compact(one.cache_write_tokens) for one in lines], total.cache_write_tokens > 0),
        ("output", [compact(one.output_tokens) for one in lines], True),
        ("reasoning", [compact(one.reasoning_tokens) for one in lines], total.reasoning_tokens > 0),
    ]
    costs = list(points([_cost(line) for line in lines]))
    wide = max(map(len, costs))
    parts = [[word, *figures] for word, figures, used in shown if used] + [["USD".ljust(wide), *costs]]
    room = columns - sum(max(map(len, part)) + 2 for part in parts)
    names = [shortened(_name(line, told.by), max(room, _LEAST_NAME)) for line in told.groups]
    names += ["all"] if len(told.groups) > 1 else []
    yield from columned(list(zip([told.by, *names], *parts, strict=True)))


def _name(line: UsageLine, by: str) -> str:
    if line.name is not None:
        return shown_path(line.name)
    if not line.key:
        return _NAMELESS.get(by, "(unknown)")
    return line.key[:_HASH] if by == "project" else line.key


def _unknown(total: UsageLine, columns: int) -> Iterator[str]:
    """What the costs do not hold; nothing where they hold everything."""
    held = f", for which up to {total.held} USD is set aside" if total.held != "0" else ""
    told = [
        f"{_count(total.uncertain, 'may have been charged')}" if total.uncertain else "",
        f"{_count(total.abandoned, *_ABANDONED)}" if total.abandoned else "",
        f"{_count(total.running, 'still runs', 'still run')}" if total.running else "",
        f"{_count(total.unpriced, 'has a cost that nobody knows', 'have a cost that nobody knows')}"
        if total.unpriced
        else "",
        f"{_count(total.unreported, 'came without a count of tokens')}" if total.unreported else "",
    ]
    said = ", ".join(filter(None, told))
    if said:
        yield from wrapped(f"+? not in these figures: {said}{held}", columns, further="  ")


def _count(number: int, one: str, many: str = "") -> str:
    return f"{number} {f'request that {one}' if number == 1 else f'requests that {many or one}'}"


# ---------------------------------------------------------------------------------------------------------- chart


def chart(told: UsageReport, meant: Span, columns: int, *, blocks: bool) -> Iterator[str]:
    """Bars: by day where there are several, by month where there are many, else by what the table tells apart.

    They are of costs; where nothing has cost anything, of tokens.
    """
    by_day = told.groups if told.by == "day" else told.days
    if not told.total.requests:
        return
    of_cost = Decimal(told.total.cost) > 0
    unit = "USD" if of_cost else "tokens in and out"
    if meant.since == meant.until:
        found = [(_name(line, told.by), line) for line in told.groups]
        period = told.by
    else:
        period, found = _calendar(meant, by_day)
    yield ""
    yield f"{unit} by {period}"
    yield from bars([_bar(label, group, of_cost=of_cost) for label, group in found], columns, blocks=blocks)


def _calendar(meant: Span, days: Sequence[UsageLine]) -> tuple[str, list[tuple[str, UsageLine | list[UsageLine]]]]:
    known = {line.key: line for line in days}
    count = (meant.until - meant.since).days + 1
    if count <= _MANY_DAYS:
        every = [(meant.since + timedelta(days=n)).isoformat() for n in range(count)]
        return "day", [(day[5:], [known[day]] if day in known else []) for day in every]
    months: dict[str, list[UsageLine]] = {month: [] for month in _months(meant)}
    for day, line in known.items():
        months[day[:7]].append(line)
    return "month", list(months.items())


def _months(meant: Span) -> Iterator[str]:
    day = meant.since.replace(day=1)
    while day <= meant.until:
        yield day.isoformat()[:7]
        day = date(day.year + day.month // 12, day.month % 12 + 1, 1)


def _bar(label: str, group: UsageLine | list[UsageLine], *, of_cost: bool) -> Bar:
    lines = [group] if isinstance(group, UsageLine) else group
    if of_cost:
        cost = sum((Decimal(line.cost) for line in lines), Decimal(0))
        doubtful = any(line.doubtful for line in lines)
        return Bar(label, cost, f"{cost.normalize():f}{'+?' if doubtful else ''}")
    tokens = sum(line.input_tokens + line.output_tokens for line in lines)
    return Bar(label, Decimal(tokens), compact(tokens))


# ------------------------------------------------------------------------------------------- budgets and savings


def _budgets(budgets: Sequence[BudgetLine], *, drawn: bool, blocks: bool) -> Iterator[str]:
    if not budgets:
        return
    yield ""
    yield f"budgets ({BEGINS})"
    limits, rests = (list(points(figures)) for figures in zip(*((one.limit, one.left) for one in budgets), strict=True))
    rows = [
        [one_line(one.scope), "each task" if one.period == "task" else one.period, limit, "USD, left", rest, _gone(one)]
        for one, limit, rest in zip(budgets, limits, rests, strict=True)
    ]
    for line, one in zip(columned(rows, left=2), budgets, strict=True):
        yield f"  {line}{_drawn(one, blocks=blocks) if drawn else ''}{_remark(one)}".rstrip()


def _gone(one: BudgetLine) -> str:
    return "" if one.used is None else f"{one.used} % gone"


def _drawn(one: BudgetLine, *, blocks: bool) -> str:
    if one.used is None:
        return ""
    full, empty = ("█", "░") if blocks else ("#", ".")
    cells = bar(Decimal(min(one.used, 100)) / 100, _BUDGET_BAR, blocks=False).replace("#", full)
    return f"  {cells:{empty}<{_BUDGET_BAR}}"


def _remark(one: BudgetLine) -> str:
    if not one.known:
        return "  nobody can tell what is left, so nothing is spent"
    return "  nearly spent" if one.used is not None and one.used >= WARNED_AT else ""


def _saving(found: Saving | None, columns: int) -> Iterator[str]:
    if found is None or not (found.requests or found.left_out.all):
        return
    yield ""
    yield "saved, against the host's own model doing all of it"
    if found.requests:
        figures = list(points([found.reference, found.paid, found.saved]))
        wide = max(map(len, figures))
        share = percent(Decimal(found.saved), Decimal(found.reference))
        counted = "1 completed request" if found.requests == 1 else f"{found.requests} completed requests"
        yield f"  would have cost  {figures[0]:>{wide}} USD, for {counted}"
        yield f"  was paid         {figures[1]:>{wide}} USD"
        yield f"  saved            {figures[2]:>{wide}} USD, {share}"
    for text in _references(found.references):
        yield from wrapped(text, columns, first="  against ", further="    ")
    yield from _not_counted(found, columns)
    yield from wrapped(f"how: {found.method}", columns, first="  ", further="    ")
    yield from wrapped(f"not known: {found.limits}", columns, first="  ", further="    ")


def _references(found: Sequence[ReferenceLine]) -> Iterator[str]:
    """What stood for what: one line for each host; one alone where a single model stands for all."""
    asked = {_model(one) for one in found if one.by == "asked"}
    if asked:
        yield f"{', '.join(sorted(asked))}, as asked"
        return
    for (host, by), group in groupby(found, lambda one: (one.host, one.by)):
        parts = [f"{_model(one)} for {', '.join(one.intents)}" for one in group]
        yield f"{host or 'no host on record'}: {'; '.join(parts)} [{_NAMED[by]}]"


def _model(one: ReferenceLine) -> str:
    return one.said if one.said == one.model else f"{one.said} = {one.model}"


def _not_counted(found: Saving, columns: int) -> Iterator[str]:
    left = found.left_out
    hosts = ", ".join(host or "none on record" for host in found.hosts_without)
    told = [
        f"{left.no_reference} of hosts whose own model nobody has named ({hosts}; --against provider/model does, or"
        " `[hosts.NAME] model` in the policy)"
        if left.no_reference
        else "",
        f"{left.uncertain} uncertain" if left.uncertain else "",
        f"{left.abandoned} cancelled at a cost that nobody knows" if left.abandoned else "",
        f"{left.running} running" if left.running else "",
        f"{left.unpriced} without a known cost" if left.unpriced else "",
        f"{left.unreported} without a count of tokens" if left.unreported else "",
    ]
    said = ", ".join(filter(None, told))
    if said:
        yield from wrapped(f"not counted: {said}", columns, first="  ", further="    ")
