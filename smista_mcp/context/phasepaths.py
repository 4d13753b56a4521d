"""The paths of a phase: of the call, of attachments and diffs, those that its words name and those that they mean."""

import re
from collections.abc import Iterable, Sequence
from typing import Literal, NamedTuple

from smista_mcp.context.diff import FileDiff, split
from smista_mcp.context.inference import complete, infer
from smista_mcp.context.paths import Place
from smista_mcp.context.spelling import printable
from smista_mcp.context.survey import Survey
from smista_mcp.core.facts import LeftOut, PathFact, PathSource
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.values import Intent
from smista_mcp.errors import Code, InvalidTask, SmistaError

GIT_DIFF = "git diff"
Changes = Literal["required", "helpful", "unwanted"]
REQUIRED: Literal["required"] = "required"
HELPFUL: Literal["helpful"] = "helpful"
UNWANTED: Literal["unwanted"] = "unwanted"
_NEEDS_CHANGES = frozenset({Intent.REVIEW, Intent.SUMMARIZE, Intent.COMMIT})
SELF_CONTAINED = frozenset({Intent.CHAT, Intent.PROMPT, Intent.SUMMARIZE})
"""Intents that work on what their words name: more context only misleads, and a small model most of all."""
_SPEAKS_OF_A_DIFF = re.compile(r"\b(?:diff|patch|changes?)\b", re.IGNORECASE)
_NO_ROOT = "no workspace, so no file is read"


class Call(NamedTuple):
    """What a call names for all of its phases.

    Attributes:
        places: its paths.
        diff: its diff, cut per file; None where it gives none.
        alone: whether it has one phase only, so that everything in the call is meant for it.
    """

    places: tuple[Place, ...]
    attachments: tuple[Place, ...]
    diff: tuple[FileDiff, ...] | None
    alone: bool


class PhasePaths(NamedTuple):
    """The paths of one phase.

    Attributes:
        read: files and directories whose content belongs to the phase, in order of naming.
        avoided: what its words forbid to touch.
        diff: the given diff, where it applies to this phase.
        changes: what the working tree's difference is to the phase.
    """

    facts: tuple[PathFact, ...]
    read: tuple[Place, ...]
    avoided: tuple[Place, ...]
    left_out: tuple[LeftOut, ...]
    diff: tuple[FileDiff, ...] | None
    changes: Changes


def read_call(task: Task, phases: Sequence[Phase], survey: Survey) -> Call:
    """Understands the paths of a call.

    Raises:
        SmistaError: `path_outside_workspace` for a path that leads out of the workspace, by itself or through a link.
        InvalidTask: a path that can be no file: a pipe, a socket, a device, a circle of links, a name too long.
    """
    places = tuple(survey.tree.place(path) for path in task.paths)
    for place in places:
        if place.kind == "outside":
            raise SmistaError(
                f"`{_short(place.path)}` is {place.why}",
                fix="name paths inside the workspace, relative to its root, or start with --workspace for another one",
                code=Code.PATH_OUTSIDE_WORKSPACE,
            )
        if place.kind in ("special", "unknown"):
            raise InvalidTask(
                f"the path `{_short(place.path)}` is {place.why}", fix="name a regular file or a directory"
            )
    attachments = tuple(survey.tree.locate(attachment.path) for attachment in task.attachments)
    diff = split(task.diff) if task.diff and not task.diff.isspace() else None
    return Call(places, attachments, diff, alone=len(phases) == 1)


def paths_of(phase: Phase, call: Call, survey: Survey) -> PhasePaths:
    """Joins all sources of paths for one phase; paths and diff of the call fall away where its words name their own."""
    avoided = tuple(survey.tree.place(path) for path in phase.avoided)
    mentions = [(written, survey.tree.place(written)) for written in phase.mentions]
    own = not all(place.doubtful for _, place in mentions)
    shared = call.places if call.alone or not own else ()
    diff = call.diff if call.alone or not own or _SPEAKS_OF_A_DIFF.search(phase.text) else None
    found = _Facts(survey, avoided)
    for place in shared:
        found.take(place, "call", "named by the call")
    for place in call.attachments:
        found.add(place, "attachment", "attached")
    found.add_diff(diff or (), "in the given diff")
    for written, place in mentions:
        found.mention(written, place)
    if not own and all(place.doubtful for place in shared):
        found.infer(phase.text)
    changes = _changes(phase, given=diff is not None, bare=not found.meaningful)
    if changes == REQUIRED and not isinstance(survey.changes, str):
        found.add_diff(survey.changes, "changed in the working tree")
    for written, place in zip(phase.avoided, avoided, strict=True):
        found.avoid(written, place)
    return PhasePaths(tuple(found.facts.values()), tuple(found.read), avoided, tuple(found.left_out), diff, changes)


def _changes(phase: Phase, *, given: bool, bare: bool) -> Changes:
    """What the working tree's difference is to a phase: nothing beside a given one, all where there is nothing else."""
    if given:
        return UNWANTED
    if bare and phase.intent.name in _NEEDS_CHANGES:
        return REQUIRED
    wanted = phase.intent.name not in SELF_CONTAINED or _SPEAKS_OF_A_DIFF.search(phase.text)
    return HELPFUL if wanted else UNWANTED


def covers(places: Iterable[Place], place: Place) -> bool:
    """Whether one of some paths is a path or a directory above it."""
    for other in places:
        if other.parts and place.parts[: len(other.parts)] == other.parts:
            return True
        if place.path == other.path or (other.path.endswith("/") and place.path.startswith(other.path)):
            return True
    return False


def forms_of(part: FileDiff, survey: Survey) -> tuple[str, ...]:
    """Every form of every name of a part of a diff; bytes that are no UTF-8 as U+FFFD."""
    forms: dict[str, None] = {}
    for name in part.forms:
        forms.update(dict.fromkeys(survey.tree.locate(name).forms))
    return tuple(forms)


class _Facts:
    """The paths of one phase while they are gathered: one fact for each path, the first source that names it counts."""

    def __init__(self, survey: Survey, avoided: Sequence[Place]) -> None:
        self._survey = survey
        self._avoided = avoided
        self.facts: dict[str, PathFact] = {}
        self.read: list[Place] = []
        self.left_out: dict[LeftOut, None] = {}
        self.meaningful = False

    def add(self, place: Place, source: PathSource, evidence: str) -> None:
        """Notes a path that policy judges."""
        self.meaningful = self.meaningful or not place.doubtful
        known = self.facts.get(place.path)
        if known is None:
            self.facts[place.path] = PathFact(place.path, source, evidence, place.forms)
        elif not set(place.forms) <= set(known.forms):
            self.facts[place.path] = known._replace(forms=tuple(dict.fromkeys((*known.forms, *place.forms))))

    def take(self, place: Place, source: PathSource, evidence: str) -> None:
        """Notes a path whose content belongs to the phase, or why it cannot be read."""
        self.add(place, source, evidence)
        if place.kind in ("file", "directory"):
            self.read.append(place)
        elif place.kind == "unrooted":
            self.leave(place, _NO_ROOT)
        elif place.kind != "missing":
            self.leave(place, place.why)
        elif not place.doubtful:
            self.leave(place, "does not exist")

    def leave(self, place: Place, reason: str) -> None:
        self.left_out[LeftOut(_short(place.path), "file", reason)] = None

    def mention(self, written: str, place: Place) -> None:
        """Notes a path that the words name; one that does not exist may be the end of exactly one file's path."""
        if covers(self._avoided, place):
            return
        if place.kind == "outside":
            self.leave(place, place.why)
            return
        whole = None
        if place.kind == "missing" and not place.path.endswith("/"):
            whole = complete(place.path, self._survey.files)
        if whole is None:
            self.take(place, "named", written)
            return
        real = self._survey.tree.locate(whole, place.lines)
        if not covers(self._avoided, real):
            self.take(real._replace(forms=tuple(dict.fromkeys((*real.forms, *place.forms)))), "inferred", written)

    def infer(self, text: str) -> None:
        """Notes the files that words mean."""
        for inferred in infer(text, self._survey.files):
            place = self._survey.tree.locate(inferred.path)
            if not covers(self._avoided, place):
                self.take(place, "inferred", inferred.words)

    def avoid(self, written: str, place: Place) -> None:
        """Notes a path that the words forbid to touch. A path that the call names stays what it is."""
        if place.kind == "outside" or place.path in self.facts:
            return
        self.facts[place.path] = PathFact(place.path, "named", written, place.forms, required=False)
        pattern = self._survey.restriction(place.forms)
        self.leave(place, f"restricted by `{pattern}`" if pattern else "the words say not to touch it")

    def add_diff(self, parts: Iterable[FileDiff], evidence: str) -> None:
        for part in parts:
            alternatives = forms_of(part, self._survey)
            for name in part.names or ():
                place = self._survey.tree.locate(name)
                self.add(place._replace(forms=tuple(dict.fromkeys((*place.forms, *alternatives)))), "diff", evidence)


def _short(path: str) -> str:
    """A path for an answer: whole, unless it is longer than any real one."""
    text = printable(path)
    return text if len(text) <= 400 else f"{text[:400]}…"
