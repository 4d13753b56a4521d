"""`ledger`: takes away what is too old, and tells whether the record is whole."""

from smista_mcp.app.world import World, utc_now
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import note, put, put_json
from smista_mcp.ledger import Ledger

_NONE = "there is no ledger yet; it is made when something is first recorded"
_MEANINGS = {
    "hold": "what is reserved is not what the open attempts have reserved",
    "tally": "the totals of usage are not what the events add up to",
    "spending": "what budgets count is not what the totals add up to",
    "job": "the standing of jobs is not what their events say",
}


def vacuum(options: Options) -> int:
    """Removes what is older than `[ledger] keep_days`, and gives its space back to the disk. Totals stay."""
    world = opened(options).world
    days = world.book().policy.keep_days
    ledger = _there(world)
    if ledger is None:
        return _nothing(options)
    done = ledger.upkeep.vacuum(days, utc_now(), dry_run=options.dry_run)
    if options.json:
        put_json({"keep_days": days, "dry_run": options.dry_run, **done._asdict()})
        return DONE
    verb = "would go" if options.dry_run else "removed"
    gone = ", ".join(f"{count} {name}" for name, count in done.rows.items() if count)
    put(f"kept: the last {days} days, from {done.before} on (UTC), and the totals of all days")
    put(f"{verb}: {gone or 'nothing'}")
    put(f"file: {_size(done.size)}" + ("" if options.dry_run else f" -> {_size(done.left)}"))
    return DONE


def check(options: Options) -> int:
    """Looks whether the file is whole, and whether totals and holds are what the events say; mends these if asked."""
    ledger = _there(opened(options).world)
    if ledger is None:
        return _nothing(options)
    if options.mend:
        ledger.upkeep.mend()
    found = ledger.upkeep.check()
    if options.json:
        put_json({"well": found.well, **found._asdict()})
        return DONE if found.well else NO
    put(*(f"damaged: {fault}" for fault in found.faults[:10]))
    if found.dangling:
        put(f"damaged: {found.dangling} rows refer to what is not there")
    put(*(f"wrong: {_MEANINGS[name]}" for name in found.differing))
    if found.differing and not found.faults:
        note("`smista-mcp ledger check --mend` makes them anew from the events")
    if found.faults or found.dangling:
        note("move it away (with its -journal file, if there is one); a new one is started, this one is not touched")
    if found.well:
        put("whole: the file, what refers to what, holds, totals and jobs")
        put(f"schema version {found.version}; attempts that are open: {found.open}")
    return DONE if found.well else NO


def _there(world: World) -> Ledger | None:
    return world.open_ledger() if Ledger.is_there(world.own_state()) else None


def _nothing(options: Options) -> int:
    if options.json:
        put_json(None)
    else:
        note(_NONE)
    return DONE


def _size(size: int) -> str:
    return f"{size / 1e6:.1f} MB"
