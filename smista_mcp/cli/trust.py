"""`trust`: shows a person what the files of a workspace ask for, and confirms them by a typed word."""

from collections.abc import Iterator

from smista_mcp.app.trusting import (
    WorkspaceFile,
    WorkspaceSkill,
    confirm,
    revoke,
    try_out,
    workspace_files,
    workspace_root,
    workspace_skills,
)
from smista_mcp.app.world import World
from smista_mcp.cli.failures import DONE, NO
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.person import check_is_there
from smista_mcp.cli.printing import content, note, one_line, put, put_json, typed
from smista_mcp.core.notices import owner_keys
from smista_mcp.core.policy import PolicyDocument
from smista_mcp.core.redaction import shown
from smista_mcp.core.skills import read_skill
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
    skills = [
        {
            "skill": skill.name,
            "file": skill.shown,
            "sha256": skill.digest or None,
            "trusted": skill.trusted,
            "refusal": skill.refusal or None,
        }
        for skill in workspace_skills(world)
    ]
    return {"workspace": str(workspace_root(world)), "files": files, "skills": skills}


def _ask(world: World) -> int:
    files, skills = workspace_files(world), workspace_skills(world)
    root = one_line(str(workspace_root(world)))
    usable = [skill for skill in skills if not skill.refusal]
    put(*(f"{one_line(skill.shown)} cannot be confirmed: {skill.refusal}" for skill in skills if skill.refusal))
    if not files and not usable:
        put(f"{root} has no policy file in `.smista` and no skill that could be confirmed: there is nothing to confirm")
        return DONE
    if all(one.trusted for one in (*files, *usable)):
        put(*(f"{file.name} is confirmed" for file in files), *(f"{one_line(s.shown)} is confirmed" for s in usable))
        put("--revoke takes that back")
        return DONE
    check_is_there(world.settings.environment, "confirm files", _ELSEWHERE)
    world.own_state()
    try_out(world)
    for file in files:
        put(*_shown(file), "")
    for skill in usable:
        put(*_shown_skill(skill), "")
    if files:
        put(
            f"Once confirmed, these files of {root} decide which model does what, like your own policy.",
            "Providers, keys, prices, `free_paths` and local hosts stay yours to name.",
        )
    if usable:
        put(f"Once confirmed, whatever model runs one of these skills of {root} is told to do what stands in it.")
    put("A file that changes is asked about again.")
    if not typed(f"Type `{_WORD}` to confirm exactly this:", _WORD):
        note("nothing was confirmed")
        return NO
    confirm(world, files, skills)
    put("confirmed; `smista-mcp trust --revoke` takes it back")
    return DONE


def _shown(file: WorkspaceFile) -> Iterator[str]:
    yield f"{file.name} ({_standing(trusted=file.trusted)}, sha256 {file.document.digest})"
    yield from _text(file.text)
    document = file.document.document
    asked = [*wishes(document)]
    yield "asks for:" if asked else "asks for nothing more than what narrows, and that holds already"
    yield from (f"  - {one_line(wish)}" for wish in asked)
    foreign = ", ".join(owner_keys(file.document))
    if foreign:
        yield f"  never applied from such a file: {foreign}"


def _shown_skill(skill: WorkspaceSkill) -> Iterator[str]:
    """A skill that is confirmed already is named only: it is asked about again when it changes."""
    yield f"{skill.shown} ({_standing(trusted=skill.trusted)}, sha256 {skill.digest})"
    if not skill.trusted:
        yield from _text(skill.text)
    tools = read_skill(skill.text).tools
    if tools is not None:
        yield f"leaves a delegate these tools: {', '.join(sorted(tools)) or 'none'}"


def _standing(*, trusted: bool) -> str:
    return "confirmed already" if trusted else "not confirmed"


def _text(text: str) -> Iterator[str]:
    for line in text.rstrip("\n").split("\n"):
        yield f"  | {content(line.removesuffix(chr(13)))}"


def wishes(document: PolicyDocument) -> Iterator[str]:
    """What a file wants beyond narrowing, in plain words."""
    routing = document.routing
    if document.preset is not None:
        yield f"the preset `{document.preset}` below everything else"
    if routing.default is not None:
        targets = ", then ".join((routing.default.model, *routing.default.fallbacks))
        yield f"all work that no rule matches done by {targets}"
    rules = [f"`{shown(rule.name)}`: {', then '.join(rule.targets)}" for rule in routing.rules]
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
