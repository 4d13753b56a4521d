"""`usage --suggest`: which routes the evidence speaks against, and what to write instead."""

from collections.abc import Iterator

from smista_mcp.app.learning import suggested
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, printable, put, put_answer, shown_path
from smista_mcp.core.explained import Figures
from smista_mcp.core.suggesting import Missing, Place, Suggestion, Suggestions


def suggest(options: Options) -> int:
    """Prints what the evidence says of the routes of the policy in force; nothing is changed."""
    found = suggested(opened(options).world)
    if options.json:
        put_answer(found)
    else:
        put(*_lines(found))
    return DONE


def _lines(found: Suggestions) -> Iterator[str]:
    attempts = f"{found.judged} judged {'attempt' if found.judged == 1 else 'attempts'}"
    enough = f"{found.least} judged ones against a model and {found.least} good ones for another are enough"
    yield f"{attempts} in {found.window_days} days; {enough}"
    if not found.suggestions:
        yield "\nthe evidence speaks against no route"
    for one in found.suggestions:
        yield ""
        yield from _suggestion(one)
    if found.missing:
        yield "\nnot enough evidence:"
        yield from (_missing(printable(one)) for one in found.missing)


def _suggestion(said: Suggestion) -> Iterator[str]:
    one = printable(said)
    yield f"{_place(one.place)}, {one.intent} for {one.host}"
    yield f"  {_figures(one.weak)}"
    if one.better is None:
        yield "  it fails more often than not, and no other model is shown to do better"
        return
    yield f"  {_figures(one.better)}{', which this route does not name' if one.kind == 'elsewhere' else ''}"
    if one.leaves:
        yield "  mind: work that stays on this machine would leave it"
    yield "  what to change there:"
    yield from (f"    {line}" for line in map(one_line, said.toml.split("\n")))


def _missing(one: Missing) -> str:
    known = [f"{_figures(one.first)}, {one.missing} more judged attempts are needed", *map(_figures, one.others)]
    return f"  {_place(one.place)}, {one.intent} for {one.host}: {'; '.join(known)}"


def _figures(one: Figures) -> str:
    return f"{one.model}: {one.good} of {one.good + one.bad} good, 95 % between {one.lower} and {one.upper}"


def _place(place: Place) -> str:
    name = "the default route" if place.rule is None else f"rule `{place.rule}`"
    line = f":{place.line}" if place.line else ""
    return f"{name} [{place.layer}{f' {shown_path(place.file)}{line}' if place.file else ''}]"
