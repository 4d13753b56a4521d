"""`providers`: each declared or built-in provider, and whether it can serve now."""

from collections.abc import Iterator

from smista_mcp.app.reachable import standing
from smista_mcp.cli.attempts import clock
from smista_mcp.cli.charts import columned, folded, width, wrapped
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_json, put_notices
from smista_mcp.core.standing import CooldownReport, ProviderReport


def providers(options: Options) -> int:
    """Prints the providers."""
    world = opened(options).world
    found = standing(world)
    policy = world.book().policy
    if options.json:
        put_json({"providers": [one.model_dump(mode="json") for one in found], "notices": list(policy.notices)})
        return DONE
    columns = width()
    rows = [("provider", "runs", "key", "models", "named", "now"), *map(_row, found)]
    put(*folded(columned(rows, right=(3, 4)), columns))
    put("")
    places = [("provider", "key in", "address"), *map(_place, found)]
    put(*folded(columned(places, right=()), columns))
    put(*_failing(found, columns))
    put_notices(policy.notices)
    return DONE


def _row(one: ProviderReport) -> tuple[str, ...]:
    return (
        one.name,
        one.locality,
        "-" if one.key_variable is None else "set" if one.key_present else "none",
        "?" if one.models is None else str(one.models),
        "-" if one.named_models is None else str(one.named_models),
        one_line(_now(one)),
    )


def _now(one: ProviderReport) -> str:
    """Whether it can serve."""
    if one.key_present is False:
        return "has no key"
    if one.problem is not None:
        return one.problem
    if one.reachable and one.models == 0:
        return "has no models"
    return {True: "answers", False: "does not answer", None: "was not asked"}[one.reachable]


def _place(one: ProviderReport) -> tuple[str, ...]:
    spoken = "" if one.name.partition(":")[0] == one.protocol else f" [{one.protocol}]"
    return (one.name, one.key_variable or "-", one_line(f"{one.address or 'runs here, as a child'}{spoken}"))


def _failing(found: tuple[ProviderReport, ...], columns: int) -> Iterator[str]:
    """The providers whose latest requests on record failed."""
    told = [(one.name, one.cooldown) for one in found if one.cooldown is not None]
    if told:
        yield ""
    for name, cooldown in told:
        yield from wrapped(f"{name}: {_cooldown(cooldown)}", columns, further="  ")


def _cooldown(one: CooldownReport) -> str:
    times = "its latest request failed" if one.failures == 1 else f"its latest {one.failures} requests failed"
    code = f" ({one.code})" if one.code else ""
    rest = f"; servers that saw it leave it alone for another {one.rests_s:.0f} s" if one.rests_s else ""
    return f"{times}, last at {clock(one.last_at, '%Y-%m-%d %H:%M:%S')}{code}{rest}"
