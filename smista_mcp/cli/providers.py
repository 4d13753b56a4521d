"""`providers`: each declared or built-in provider, and whether it can serve now."""

from collections.abc import Iterator

from smista_mcp.app.reachable import standing
from smista_mcp.cli.charts import width, wrapped
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_json, put_notices, put_table
from smista_mcp.core.standing import CooldownReport, ProviderReport


def providers(options: Options) -> int:
    """Prints the providers."""
    world = opened(options).world
    found = standing(world)
    policy = world.book().policy
    if options.json:
        put_json({"providers": [one.model_dump(mode="json") for one in found], "notices": list(policy.notices)})
        return DONE
    put_table([("provider", "protocol", "runs", "key", "models", "now"), *map(_row, found)])
    put("")
    put(*_notes(found, width()))
    put_notices(policy.notices)
    return DONE


def _row(one: ProviderReport) -> tuple[str, ...]:
    return (
        one.name,
        one.protocol if one.protocol != one.name else "=",
        one.locality,
        "-" if one.key_variable is None else "set" if one.key_present else "none",
        _models(one),
        one.problem or _state(one),
    )


def _models(one: ProviderReport) -> str:
    """How many it has, and how many of its the policy names."""
    has = "?" if one.models is None else str(one.models)
    return has if one.named_models is None else f"{has}, {one.named_models} named"


def _state(one: ProviderReport) -> str:
    return {True: "answers", False: "does not answer", None: "not asked"}[one.reachable]


def _notes(found: tuple[ProviderReport, ...], columns: int) -> Iterator[str]:
    """What has no place in the table: addresses, variables, failures."""
    rows = [(one.name, one.address or "runs here, as a child", _key(one)) for one in found]
    wide = max((len(name) for name, _, _ in rows), default=0)
    for name, address, key in rows:
        yield one_line(f"{name:<{wide}}  {address}{key}")
    for one in found:
        if one.cooldown is not None:
            yield from wrapped(f"{one.name}: {_cooldown(one.cooldown)}", columns, further="  ")


def _key(one: ProviderReport) -> str:
    return f", key in {one.key_variable}" if one.key_variable else ""


def _cooldown(one: CooldownReport) -> str:
    times = "its latest request failed" if one.failures == 1 else f"its latest {one.failures} requests failed"
    code = f" ({one.code})" if one.code else ""
    rest = f"; servers that saw it leave it alone for another {one.rests_s:g} s" if one.rests_s else ""
    return f"{times}, last at {one.last_at[:19]}Z{code}{rest}"
