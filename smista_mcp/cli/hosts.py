"""`hosts`: what is known of each host, and which one would be taken to call from here."""

import textwrap
from collections.abc import Iterator
from typing import cast

from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_json, put_table
from smista_mcp.hosts import HOSTS, HostSpec, known_host

_WIDTH = 80
_HEADER = ("host", "start", "call", "reads", "cap", "asks", "switches")
_READ = {"structured": "JSON", "text": "text", "both": "both"}
_SWITCH = {"agent": "names it", "agent_file": "by a file", "none": "no"}


def hosts(options: Options) -> int:
    """Prints the table and the detected host, or one row in full."""
    shown = HOSTS if options.text is None else (known_host(options.text),)
    found, by = opened(options).world.detected(options.client)
    if options.json:
        put_json({"detected": found.name, "by": by, "hosts": [_json(one) for one in shown]})
        return DONE
    if options.text is not None:
        put(*_in_full(shown[0]))
        return DONE
    put_table([_HEADER, *map(_row, shown)])
    put("")
    put("start, call: seconds that it waits for a server and for a tool; + where progress")
    put("  starts the time anew. reads: the part of an answer that its model gets. cap:")
    put("  characters of it. asks: forms for its user. switches: how a piece of work gets")
    put("  to another model. Sources and dates: `smista-mcp hosts NAME`, or --json.")
    put(f"detected: {found.name} (by {by})")
    return DONE


def _row(one: HostSpec) -> tuple[str, ...]:
    return (
        one.name,
        "?" if one.start_limit_s is None else f"{one.start_limit_s:g}",
        f"{one.call_limit_s:g}{'+' if one.progress_resets_limit else ''}",
        _READ[one.reads],
        "?" if one.result_cap is None else str(one.result_cap),
        "yes" if one.elicitation else "no",
        _SWITCH[one.switch],
    )


def _in_full(one: HostSpec) -> Iterator[str]:
    for key, value in _json(one).items():
        yield from textwrap.wrap(
            one_line(f"{key}: {_said(value)}"),
            _WIDTH,
            subsequent_indent="  ",
            break_long_words=False,
            break_on_hyphens=False,
        )


def _said(value: object) -> str:
    match value:
        case None:
            return "unknown"
        case True | False:
            return "yes" if value else "no"
        case list():
            return ", ".join(map(str, cast("list[object]", value))) or "none"
        case dict():
            pairs = cast("dict[str, object]", value).items()
            return ", ".join(f"{name} = {model}" for name, model in pairs) or "none"
        case _:
            return str(value)


def _json(one: HostSpec) -> dict[str, object]:
    return {
        "name": one.name,
        "client_names": list(one.client_names),
        "marks": list(one.marks),
        "start_limit_s": one.start_limit_s,
        "call_limit_s": one.call_limit_s,
        "progress_resets_limit": one.progress_resets_limit,
        "reads": one.reads,
        "result_cap": one.result_cap,
        "elicitation": one.elicitation,
        "keys_reach": one.keys_reach,
        "can_switch": one.can_switch,
        "switch": one.switch,
        "switch_step": one.switch_step,
        "model_option": one.model_option,
        "models": dict(one.models),
        "further_models": list(one.further_models),
        "source": one.source,
        "checked": one.checked,
    }
