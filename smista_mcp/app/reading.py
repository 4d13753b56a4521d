"""What can be read by address: the policy in force, the latest work, one record, what an answer had no room for."""

import json
from typing import NamedTuple

import anyio.to_thread

from smista_mcp.app.application import App
from smista_mcp.app.caller import Caller
from smista_mcp.core.pointers import Pointer
from smista_mcp.core.redaction import redacted_json
from smista_mcp.core.values import Value
from smista_mcp.errors import Code, NotFound

JSON = "application/json"
TEXT = "text/plain"
PATCH = "text/x-diff"


class Document(NamedTuple):
    """A text under its address, whole.

    Attributes:
        address: without the place at which reading begins.
    """

    address: Pointer
    mime_type: str
    text: str


async def document(app: App, wanted: Pointer, caller: Caller) -> Document:
    """The document that an address names, for this caller: what is not theirs is not there.

    Answers and patches need `app.running()`.

    Raises:
        NotFound: `trace_not_found` or `job_not_found`.
        StateUnavailable: the ledger cannot be read, and why.
        SmistaError: the policy cannot be read.
    """
    address = wanted._replace(start=0)
    if wanted.kind in ("answer", "patch"):
        return await _of_job(app, address, caller)
    return Document(address, JSON, await anyio.to_thread.run_sync(_json, app, wanted, caller))


def named_models(app: App) -> tuple[str, ...]:
    """The names by which a call may ask for a model, as far as the policy itself has any. Blocks.

    Raises:
        SmistaError: the policy cannot be read.
    """
    policy = app.world.book().policy
    classes = [f"class:{name}" for name in policy.classes]
    listed = [model for definition in policy.classes.values() for model in definition.models]
    routes = [placed.rule for placed in policy.rules]
    routed = [name for rule in routes for name in (rule.model, *rule.fallbacks) if name]
    default = [] if policy.default is None else [policy.default.model, *policy.default.fallbacks]
    return tuple(dict.fromkeys([*classes, *routed, *default, *listed]))


def _json(app: App, wanted: Pointer, caller: Caller) -> str:
    match wanted.kind:
        case "policy":
            from smista_mcp.app.inventory import shown  # noqa: PLC0415  asked for now and then

            said = shown(app.world.book(), abroad=caller.over_http)
            return _pretty(redacted_json(json.dumps(said, ensure_ascii=False)))
        case "traces":
            from smista_mcp.app.past import latest  # noqa: PLC0415  likewise

            return _text(latest(app.world, caller))
        case "usage":
            from smista_mcp.app.past import used  # noqa: PLC0415  likewise

            return _text(used(app.world, caller))
        case _:
            return _text(app.explain(wanted.given, caller=caller))


async def _of_job(app: App, address: Pointer, caller: Caller) -> Document:
    answer = await app.kept(address.given, caller)
    if answer.status == "running":
        raise NotFound(f"job `{address.given}` still runs", fix="wait for it with `dispatch`", code=Code.JOB_NOT_FOUND)
    if address.phase is None:
        return Document(address, JSON, _pretty(answer.model_dump_json(by_alias=True)))  # as it was told, word by word
    found = next((phase for phase in answer.phases if phase.phase == address.phase), None)
    text = None if found is None else found.patch if address.kind == "patch" else found.answer
    if text is None:
        held = found is not None and found.withheld is not None
        why = "it is withheld from you" if held else "it is not kept, or there was none"
        raise NotFound(
            f"there is no {address.kind} of phase {address.phase} of job `{address.given}` to be read: {why}",
            fix="call `dispatch` with the job_id to see how the job stands",
            code=Code.JOB_NOT_FOUND,
        )
    return Document(address, PATCH if address.kind == "patch" else TEXT, text)


def _text(value: Value) -> str:
    return _pretty(redacted_json(value.model_dump_json(by_alias=True)))


def _pretty(text: str) -> str:
    """JSON in lines, so that a portion of it ends where a value ends."""
    return json.dumps(json.loads(text), ensure_ascii=False, indent=1)
