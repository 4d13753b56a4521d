"""The paths of a phase: of the call, of attachments and diffs, those that its words name and those that they mean."""

import re
from collections.abc import Iterable, Mapping, Sequence
from typing import Literal, NamedTuple

from smista_mcp.context.inference import complete, infer
from smista_mcp.context.labels import endings
from smista_mcp.context.paths import Place, Tree
from smista_mcp.context.spelling import printable
from smista_mcp.context.survey import JudgedDiff, Survey
from smista_mcp.core.facts import LeftOut, PathFact, PathSource
from smista_mcp.core.fitting import UNNAMED
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
Which = Literal["all", "staged", "unstaged"]
NONE_CHANGED: Mapping[Which, str] = {
    "all": "the working tree has no changes",
    "staged": "nothing is staged",
    "unstaged": "there are no changes that are not staged",
}
_CHANGED: Mapping[Which, str] = {
    "all": "changed in the working tree",
    "staged": "changed and staged",
    "unstaged": "changed and not staged",
}
_UNSTAGED = re.compile(r"(?<![\w./-])(?:un-?staged|(?:not|n't)(?: yet| been)* staged)(?![\w/]|[.-]\w)", re.IGNORECASE)
_STAGED = re.compile(r"(?<![\w./-])(?:staged|--cached)(?![\w/]|[.-]\w)", re.IGNORECASE)
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
    diff: tuple[JudgedDiff, ...] | None
    alone: bool


class PhasePaths(NamedTuple):
    """The paths of one phase.

    Attributes:
        read: files and directories whose content belongs to the phase, in order of naming.
        avoided: what its words forbid to touch.
        diff: the given diff, where it applies to this phase.
        changes: what the working tree's difference is to the phase.
        which: of it.
    """

    facts: tuple[PathFact, ...]
    read: tuple[Place, ...]
    avoided: tuple[Place, ...]
    left_out: tuple[LeftOut, ...]
    diff: tuple[JudgedDiff, ...] | None
    changes: Changes
    which: Which = "all"


def read_call(task: Task, phases: Sequence[Phase], survey: Survey) -> Call:
    """Understands the paths of a call.

    Raises:
        SmistaError: `path_outside_workspace` for a path that leads out of the workspace, by itself or through a link.
        InvalidTask: a path that can be no file: a pipe, a socket, a device, a circle of links, a name too long.
    """
    places = tuple(survey.place(path)._replace(doubtful=False) for path in task.paths)
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
    attachments = tuple(survey.label(attachment.path) for attachment in task.attachments)
    diff = survey.judged(task.diff, given=True) if task.diff and not task.diff.isspace() else None
    return Call(places, attachments, diff, alone=len(phases) == 1)


def paths_of(phase: Phase, call: Call, survey: Survey) -> PhasePaths:
    """Joins all sources of paths for one phase; paths and diff of the call fall away where its words name their own."""
    most = survey.caps.mentions
    avoided = (*map(survey.place, phase.avoided[:most]), *map(by_name, phase.avoided[most:]))
    mentions = [(written, _mentioned(written, survey)) for written in phase.mentions[:most]]
    own = not all(place.doubtful for _, place in mentions)
    shared = call.places if call.alone or not own else ()
    diff = call.diff if call.alone or not own or _SPEAKS_OF_A_DIFF.search(phase.text) else None
    found = _Facts(survey, Cover(avoided))
    for place in shared:
        found.take(place, "call", "named by the call")
    for place in call.attachments:
        found.add(place, "attachment", "attached")
    found.add_diff(diff or (), "in the given diff")
    for written, place in mentions:
        found.mention(written, place)
    found.name_only(phase.mentions[most:])
    if not own and all(place.doubtful for place in shared):
        found.infer(phase.text)
    changes = _changes(phase, given=diff is not None, bare=not found.meaningful)
    which = which_changes(phase.text)
    if changes == REQUIRED and not isinstance(parts := changes_of(survey, which), str):
        found.add_diff(parts, _CHANGED[which])
    for written, place in zip(phase.avoided, avoided, strict=True):
        found.avoid(written, place)
    left_out = found.all_left_out()
    return PhasePaths(tuple(found.facts.values()), tuple(found.read), avoided, left_out, diff, changes, which)


def _mentioned(written: str, survey: Survey) -> Place:
    """A path of the words. Words in quotes that only look like one name no file that there is not."""
    place = survey.place(written)
    return place._replace(doubtful=True) if " " in written and place.kind == "missing" else place


def which_changes(words: str) -> Which:
    """Of which changes words speak: of what is staged, of the rest, or of all."""
    rest = _UNSTAGED.sub(" ", words)
    unstaged, staged = rest != words, _STAGED.search(rest) is not None
    return "all" if staged == unstaged else "staged" if staged else "unstaged"


def changes_of(survey: Survey, which: Which) -> tuple[JudgedDiff, ...] | str:
    """These changes, cut per file; why there are none to see."""
    if which == "all":
        return survey.changes
    return survey.changes_staged if which == "staged" else survey.changes_unstaged


def _changes(phase: Phase, *, given: bool, bare: bool) -> Changes:
    """What the working tree's difference is to a phase: nothing beside a given one, all where there is nothing else."""
    if given:
        return UNWANTED
    if bare and phase.intent.name in _NEEDS_CHANGES:
        return REQUIRED
    wanted = phase.intent.name not in SELF_CONTAINED or _SPEAKS_OF_A_DIFF.search(phase.text)
    return HELPFUL if wanted else UNWANTED


def by_name(written: str) -> Place:
    """A path that is only judged, not looked for: where it may be written from elsewhere, in every reading."""
    place = Tree(None).place(written)
    if written[:1] not in "/~.@" and ":" not in written:
        return place
    return place._replace(forms=tuple(dict.fromkeys((*place.forms, *endings(place.path)))))


class Cover:
    """Some paths with all that lies below them."""

    def __init__(self, places: Sequence[Place]) -> None:
        self._parts = {place.parts for place in places if place.parts}
        self._names = {place.path for place in places}

    def holds(self, place: Place) -> bool:
        """Whether a path is one of these, or a directory above it is."""
        if place.path in self._names:
            return True
        if any(place.parts[:count] in self._parts for count in range(1, len(place.parts) + 1)):
            return True
        slashes = (match.end() for match in re.finditer("/", place.path))
        return any(place.path[:end] in self._names for end in slashes)


class _Facts:
    """The paths of one phase while they are gathered: one fact for each path, the first source that names it counts."""

    def __init__(self, survey: Survey, avoided: Cover) -> None:
        self._survey = survey
        self._avoided = avoided
        self.facts: dict[str, PathFact] = {}
        self.read: list[Place] = []
        self._left_out: dict[LeftOut, None] = {}
        self._unlisted = 0
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
        if len(self._left_out) < self._survey.caps.listed:
            self._left_out[LeftOut(_short(place.path), "file", reason)] = None
        else:
            self._unlisted += 1

    def all_left_out(self) -> tuple[LeftOut, ...]:
        """What was left out, the first so many; then how many more there are."""
        if not self._unlisted:
            return tuple(self._left_out)
        return (*self._left_out, LeftOut(f"{self._unlisted} more", "file", UNNAMED))

    def name_only(self, written: Sequence[str]) -> None:
        """Notes paths of the words that are too many to be looked for: policy judges their names, nothing is read."""
        for path in written:
            place = by_name(path)
            self.facts.setdefault(place.path, PathFact(place.path, "named", path, place.forms))
        self._unlisted += len(written)

    def mention(self, written: str, place: Place) -> None:
        """Notes a path that the words name; one that does not exist may be the end of exactly one file's path."""
        if self._avoided.holds(place):
            return
        if place.kind == "outside":
            self.meaningful = True  # the words are about it, not about what changed
            self.leave(place, place.why)
            return
        whole = None
        if place.kind == "missing" and not place.path.endswith("/"):
            whole = complete(place.path, self._survey.endings)
        if whole is None:
            self.take(place, "named", written)
            return
        real = self._survey.locate(whole, place.lines)
        if not self._avoided.holds(real):
            self.take(real._replace(forms=tuple(dict.fromkeys((*real.forms, *place.forms)))), "inferred", written)

    def infer(self, text: str) -> None:
        """Notes the files that words mean."""
        for inferred in infer(text, self._survey.files):
            place = self._survey.locate(inferred.path)
            if self._avoided.holds(place):
                continue
            ignored = self._survey.ignores.reason("/".join(place.parts))
            if ignored is None:
                self.take(place, "inferred", inferred.words)
            else:
                self.add(place, "inferred", inferred.words)  # an ignore file takes contents away, and no rule's hold
                self.leave(place, ignored[1])

    def avoid(self, written: str, place: Place) -> None:
        """Notes a path that the words forbid to touch. A path that the call names stays what it is."""
        if place.kind == "outside" or place.path in self.facts:
            return
        self.facts[place.path] = PathFact(place.path, "named", written, place.forms, required=False)
        pattern = self._survey.restriction_of(place)
        self.leave(place, f"restricted by `{pattern}`" if pattern else "the words say not to touch it")

    def add_diff(self, parts: Iterable[JudgedDiff], evidence: str) -> None:
        for part in {part.part.forms: part for part in parts}.values():  # one name can have a thousand parts
            for place in part.places:
                self.add(place._replace(forms=tuple(dict.fromkeys((*place.forms, *part.forms)))), "diff", evidence)


def _short(path: str) -> str:
    """A path for an answer: whole, unless it is longer than any real one."""
    text = printable(path)
    return text if len(text) <= 400 else f"{text[:400]}…"
