"""`trust`: shows a person what the files of a workspace ask for, and confirms them by a typed word."""

from collections.abc import Iterator

from smista_mcp.app.trusting import WorkspaceFile, confirm, revoke, try_out, workspace_files, workspace_root
from smista_mcp.app.world import World
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.person import check_is_there
from smista_mcp.cli.printing import content, note, one_line, put, put_json, typed
from smista_mcp.core.notices import owner_keys
from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.redaction import shown
from smista_mcp.loading.layers import check_organisation

_WORD = "trust"
_SHOWN = 20
_ELSEWHERE = "run `smista-mcp trust` in a terminal of your own; for CI there is --trust-workspace"


def trust(options: Options) -> int:
    """Shows the files and asks; with --revoke or --json it asks nothing."""
    world = opened(options).world
    check_organisation(world.settings.environment)
    if options.revoke:
        revoked = revoke(world)
        if not options.json:
            put("revoked: the files of this workspace may only narrow" if revoked else "nothing was confirmed here")
            return DONE
    if options.json:
        put_json(_state(world))
        return DONE
    return _ask(world)


def _state(world: World) -> dict[str, object]:
    files = [
        {
            "file": file.name,
            "sha256": file.document.digest,
            "trusted": file.trusted,
            "asks_for": list(wishes(file.document.document)),
        }
        for file in workspace_files(world)
    ]
    return {"workspace": str(workspace_root(world)), "files": files}


def _ask(world: World) -> int:
    files = workspace_files(world)
    root = one_line(str(workspace_root(world)))
    if not files:
        put(f"{root} has no `.smista/config.toml` and no `.smista/local.toml`: there is nothing to confirm")
        return DONE
    if all(file.trusted for file in files):
        put(*(f"{file.name} is confirmed" for file in files), "--revoke takes that back")
        return DONE
    check_is_there(world.settings.environment, "confirm files", _ELSEWHERE)
    world.own_state()
    try_out(world)
    for file in files:
        put(*_shown(file), "")
    put(
        f"Once confirmed, these files of {root} decide which model does what, like your own policy.",
        "Providers, keys, prices, `free_paths` and local hosts stay yours to name. A file that changes is asked about"
        " again.",
    )
    if not typed(f"Type `{_WORD}` to confirm exactly this:", _WORD):
        note("nothing was confirmed")
        return NO
    confirm(world, files)
    put("confirmed; `smista-mcp trust --revoke` takes it back")
    return DONE


def _shown(file: WorkspaceFile) -> Iterator[str]:
    state = "confirmed already" if file.trusted else "not confirmed"
    yield f"{file.name} ({state}, sha256 {file.document.digest})"
    for line in file.text.rstrip("\n").split("\n"):
        yield f"  | {content(line.removesuffix(chr(13)))}"
    document = file.document.document
    asked = [*wishes(document)]
    yield "asks for:" if asked else "asks for nothing more than what narrows, and that holds already"
    yield from (f"  - {one_line(wish)}" for wish in asked)
    foreign = ", ".join(owner_keys(file.document))
    if foreign:
        yield f"  never applied from such a file: {foreign}"


def wishes(document: PolicyDocument) -> Iterator[str]:
    """What a file wants beyond narrowing, in plain words."""
    routing = document.routing
    if document.preset is not None:
        yield f"the preset `{document.preset}` below everything else"
    if routing.default is not None:
        targets = ", then ".join((routing.default.model, *routing.default.fallbacks))
        yield f"all work that no rule matches done by {targets}"
    rules = [f"`{shown(rule.name)}`: {', then '.join((rule.model, *rule.fallbacks))}" for rule in routing.rules]
    yield from _few(rules, "work led by rule ")
    classes = [f"`{shown(name)}`: {', '.join(one.models)}" for name, one in document.classes.items()]
    yield from _few(classes, "the class ")
    if document.classification.rules:
        yield f"{len(document.classification.rules)} rules on what kind of work your words ask for"
    if routing.handoff == "when_unavailable":
        yield "work given back to the host where no model is left"
    if document.dispatch.model_fields_set:
        keys = ", ".join(
            f"{key} = {getattr(document.dispatch, key)}" for key in sorted(document.dispatch.model_fields_set)
        )
        yield f"other limits of a dispatch: {keys}"


def _few(words: list[str], before: str) -> Iterator[str]:
    yield from (f"{before}{word}" for word in words[:_SHOWN])
    if len(words) > _SHOWN:
        yield f"and {len(words) - _SHOWN} more of these, in the text above"
