"""Collects the context of every phase of a call: what there is, labelled, with its text for whoever may send it.

Labels say what policy has to know: required or only helpful, restricted or free, how many tokens, which bytes.
Nothing here decides where anything goes.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from smista_mcp.context.helpfuldiff import helpful_diff, named_by
from smista_mcp.context.paths import Place, lines_of
from smista_mcp.context.phasepaths import (
    GIT_DIFF,
    HELPFUL,
    NONE_CHANGED,
    REQUIRED,
    SELF_CONTAINED,
    UNWANTED,
    Call,
    Cover,
    PhasePaths,
    changes_of,
    paths_of,
    read_call,
)
from smista_mcp.context.reading import Reading, Unread
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.skillfiles import TakenSkill
from smista_mcp.context.spelling import printable
from smista_mcp.context.survey import Caps, JudgedDiff, Survey
from smista_mcp.context.wholes import of_files, told_of, without_hashes
from smista_mcp.core.digests import digest_of
from smista_mcp.core.facts import ContextItem, ItemKind, LeftOut, PhaseContext
from smista_mcp.core.fitting import UNNAMED
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.secretscan import SecretFact, secrets_of_phases
from smista_mcp.core.secretscan.memory import Scans
from smista_mcp.core.subject import UNTRACKED
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import ContextKind, Intent

_TOGETHER = "too large together with the files before it"


class CollectRequest(NamedTuple):
    """What a collection works on.

    Attributes:
        root: the real path of the workspace (`find_root`), or None: then no file is read.
        restricted: patterns on paths that must not go to a remote model, compiled without case.
        environ: the environment; git gets of it what it needs to find itself and the user's settings.
        allowed: fingerprints of what the secret scan finds and the policy says is none.
        scans: remembers what was searched, for those who judge after us; with the same `allowed`.
        skills: those that phases run, by name.
    """

    task: Task
    phases: tuple[Phase, ...]
    root: Path | None
    restricted: GlobSet
    environ: Mapping[str, str]
    caps: Caps = Caps()
    allowed: frozenset[str] = frozenset()
    scans: Scans | None = None
    skills: Mapping[str, TakenSkill] = MappingProxyType({})


class Content(NamedTuple):
    """An item with its text: exactly the text that `item.digest` is of."""

    item: ContextItem
    text: str


class Collected(NamedTuple):
    """The context of one phase; `contents` has the text of each of its items, in the same order.

    Attributes:
        notices: what a person should know of the files that say what is ignored.
    """

    context: PhaseContext
    contents: tuple[Content, ...]
    notices: tuple[str, ...] = ()


def collect(request: CollectRequest) -> tuple[Collected, ...]:
    """Collects the context of all phases, one result for each, in their order.

    Reads files and runs git, so call it off the event loop. The order of items: the skill, files in order of naming,
    the diff, attachments, instructions.

    Raises:
        SmistaError: `path_outside_workspace` for a path of the call that leads out of the workspace.
        InvalidTask: a path of the call that can be no file.
    """
    survey = Survey(request.root, request.restricted, request.caps, request.environ)
    call = read_call(request.task, request.phases, survey)
    scans = request.scans or Scans(request.allowed)
    labels = SecretLabels(scans)
    words = secrets_of_phases(request.task.text, [phase.text for phase in request.phases], request.allowed)
    for phase, found in zip(request.phases, words, strict=True):
        scans.note(digest_of(phase.text), found)
    return tuple(
        _phase(phase, call, request, _Means(survey, labels), secrets)
        for phase, secrets in zip(request.phases, words, strict=True)
    )


class _Means(NamedTuple):
    survey: Survey
    labels: SecretLabels


def _phase(
    phase: Phase, call: Call, request: CollectRequest, means: _Means, words: tuple[SecretFact, ...]
) -> Collected:
    survey, labels = means
    task = request.task
    paths = paths_of(phase, call, survey)
    basket = _Basket(survey, paths, labels)
    skill = request.skills.get(phase.skill) if phase.skill else None
    if skill is not None:
        basket.add_skill(skill)
    for place in paths.read:
        basket.add_place(place)
    if paths.diff is not None:
        basket.add_required_diff(paths.diff)
    elif paths.changes != UNWANTED:
        basket.add_changes(paths.changes)
    for attachment, place in zip(task.attachments, call.attachments, strict=True):
        restricted = survey.restriction_of(place)
        basket.add_attachment(attachment.content, place, restricted)
    basket.add_instructions(phase.intent.name)
    basket.name_restricted()
    context = PhaseContext(
        paths.facts,
        _kinds(phase, task, paths, basket.contents),
        tuple(content.item for content in basket.contents),
        tuple(basket.left_out),
        secrets=tuple(dict.fromkeys((*words, *labels.of_names(fact.path for fact in paths.facts if fact.required)))),
        tools=skill.tools if skill is not None else None,
    )
    return Collected(context, tuple(basket.contents), survey.ignores.notices)


def _kinds(phase: Phase, task: Task, paths: PhasePaths, contents: Sequence[Content]) -> frozenset[ContextKind]:
    kinds = set(task.context)
    if any(content.item.kind == "git_diff" for content in contents):
        kinds.add(ContextKind.GIT_DIFF)
    if any(fact.required for fact in paths.facts):
        kinds.add(ContextKind.PATHS)
    if phase.skill or task.skill:
        kinds.add(ContextKind.SKILL)
    if task.attachments:
        kinds.add(ContextKind.ATTACHMENT)
    return frozenset(kinds)


class _Label(NamedTuple):
    path: str
    kind: ItemKind
    forms: tuple[str, ...]
    restricted: str | None
    required: bool = True
    first_line: int = 1


class _Basket:
    """The items of one phase while they are gathered."""

    def __init__(self, survey: Survey, paths: PhasePaths, labels: SecretLabels) -> None:
        self.contents: list[Content] = []
        self.left_out: dict[LeftOut, None] = dict.fromkeys(paths.left_out)
        self._survey = survey
        self._labels = labels
        self._caps = survey.caps
        self._paths = paths
        self._avoided = Cover(paths.avoided)
        self._spent = 0
        self._taken: set[tuple[tuple[str, ...], object]] = set()

    def add(self, text: str, label: _Label, whole: Reading | Sequence[SecretFact] = ()) -> None:
        """Adds an item, with what it was cut from or the secrets of that which it may show."""
        digest = hashlib.sha256(text.encode()).hexdigest()
        if isinstance(whole, Reading):
            secrets = self._labels.of_range(text, digest, label.first_line, whole)
        else:
            secrets = self._labels.of_cut(text, digest, whole)
        item = ContextItem(
            path=label.path,
            kind=label.kind,
            tokens=count_tokens(text),
            required=label.required,
            digest=digest,
            forms=label.forms,
            restricted=label.restricted,
            secrets=(*self._labels.of_names((label.path,)), *secrets),
        )
        self.contents.append(Content(item, text))

    def leave(self, path: str, kind: ItemKind, reason: str, *, part: bool = True) -> None:
        self.left_out[LeftOut(path, kind, reason, part=part)] = None

    def leave_all(self, entries: Sequence[tuple[str, str]], kind: ItemKind, *, part: bool = True) -> None:
        """Names what is left out, the first few; then how many more there are."""
        for path, reason in entries[: self._caps.listed]:
            self.leave(path, kind, reason, part=part)
        more = len(entries) - self._caps.listed
        if more > 0:
            self.leave(f"{more} more", kind, UNNAMED, part=part)

    def add_attachment(self, text: str, place: Place, restricted: str | None) -> None:
        """Adds what came with the call; it may be a part of a file that is there."""
        wholes = self._survey.texts_of((place,))
        told = [fact for whole in wholes for fact, _, _ in self._labels.of_whole(whole)]
        self.add(text, _Label(place.path, "attachment", place.forms, restricted), told)

    def add_skill(self, skill: TakenSkill) -> None:
        """Adds the text of the skill that the phase runs: nobody can do without it."""
        file = skill.file
        if file is None or skill.text is None or skill.refusal or isinstance(file.reading, Unread):
            self.leave(file.place.shown if file else printable(skill.name), "skill", skill.refusal)
            return
        forms, restricted = self._survey.judged_skill(file, file.reading)
        label = _Label(file.place.shown, "skill", forms, restricted, first_line=skill.text.first_line)
        self._spent += file.reading.size
        self.add(skill.text.body, label, file.reading)

    def add_place(self, place: Place) -> None:
        if place.kind == "directory":
            self._add_directory(place)
            return
        reason = self._add_file(place)
        if reason:
            self.leave(place.path, "file", reason)

    def _add_file(self, place: Place, *, required: bool = True, most: int | None = None) -> str | None:
        """Reads and adds a file; returns why not. A restricted one is added only if it is required."""
        if (place.parts, place.lines) in self._taken or (place.parts, None) in self._taken:
            return None
        restricted = self._survey.restriction_of(place)
        reading = None if restricted and not required else self._survey.read(place)
        if isinstance(reading, Unread):
            return reading.reason
        if reading is not None:
            restricted = restricted or self._survey.restriction_by_other_name(reading)
        if reading is None or (restricted and not required):
            return f"restricted by `{restricted}`"
        text, path = lines_of(place, reading.text)
        if reading.text and not text:
            return "has no such lines"
        if self._spent + reading.size > (self._caps.total_bytes if most is None else most):
            return _TOGETHER
        self._spent += reading.size
        self._taken.add((place.parts, place.lines))
        first_line = place.lines.first if place.lines else 1
        self.add(text, _Label(path, "file", place.forms, restricted, required, first_line), reading)
        return None

    def _add_directory(self, place: Place) -> None:
        restricted = self._survey.restriction_of(place)
        if restricted:
            self.leave(place.path, "file", f"restricted by `{restricted}`")
            return
        listing = self._survey.listing(place)
        if not listing.files:
            self.leave(place.path, "file", listing.failure or "has no file that may be read")
        most = min(self._spent + self._caps.directory_bytes, self._caps.total_bytes)
        withheld: list[tuple[str, str]] = []
        folders: set[tuple[str, str]] = set()
        taken = 0
        full = ""
        for position, name in enumerate(listing.files):
            if full and len(withheld) >= self._caps.listed:
                withheld.extend((rest, full) for rest in listing.files[position:])  # only their number will be said
                break
            folder = self._survey.ignores.folder(name)
            if folder is not None:
                withheld += [] if folder in folders else [folder]
                folders.add(folder)
                continue
            inner = self._inner(place, name)
            reason = self._wrong_inside(inner) or full or self._add_file(inner, most=most)
            if reason:
                withheld.append((inner.path, reason))
            taken += reason is None
            if taken == self._caps.directory_files:
                full = f"over {taken} files"
            elif reason == _TOGETHER:
                full = reason
        self.leave_all(withheld, "file")
        self.leave_all([(self._inner(place, name).path, "ignored by git") for name in listing.ignored], "file")

    def _inner(self, directory: Place, name: str) -> Place:
        """A file of a directory, also under the names that the directory has through links."""
        place = self._survey.locate(name)
        rest = printable(name[len("/".join(directory.parts)) :].lstrip("/"))
        names = ["" if form == "./" else form for form in directory.forms]
        forms = dict.fromkeys((*(f"{form}{rest}" for form in names), *place.forms))
        return place._replace(path=f"{names[0]}{rest}", forms=tuple(forms))

    def _wrong_inside(self, place: Place) -> str | None:
        if self._avoided.holds(place):
            return "the words say not to touch it"
        restricted = self._survey.restriction_of(place)
        if restricted:
            return f"restricted by `{restricted}`"
        if place.kind == "missing":
            return "deleted in the working tree"
        if place.kind != "file":
            return place.why or "not a regular file"
        ignored = self._survey.ignores.reason("/".join(place.parts))
        return ignored[1] if ignored else None

    def add_required_diff(self, parts: Iterable[JudgedDiff]) -> None:
        """Adds a whole diff; one restricted part restricts it."""
        parts = tuple(parts)
        text: list[str] = []
        named: dict[tuple[str, ...], tuple[str, ...]] = {}
        restricted: str | None = None
        for part in parts:
            named[part.part.forms] = part.forms
            restricted = restricted or part.restricted
            hashed = part.wholes and told_of(part.wholes, self._labels).known
            text.append(without_hashes(part.part.text) if hashed else part.part.text)
        forms = dict.fromkeys(form for known in named.values() for form in known)
        if text:
            names = [named_by(part) for part in parts]
            texts = [printable(one) for one in text]
            diff = "".join(texts)
            told = told_of(self._survey.wholes_of(parts), self._labels).shown_in(diff)
            told = of_files(told, zip(names, parts, strict=True), self._labels)
            self._labels.of_diff(list(zip(names, texts, strict=True)), told)
            self.add(diff, _Label(GIT_DIFF, "git_diff", tuple(forms), restricted))

    def add_changes(self, want: str) -> None:
        """Adds the working tree's difference: whole where the phase is about it, else without what is restricted."""
        if self._survey.repository is None and want == HELPFUL:
            return
        changes = changes_of(self._survey, self._paths.which)
        if isinstance(changes, str):
            self.leave(GIT_DIFF, "git_diff", changes)
        elif want == REQUIRED:
            self._add_whole_changes(changes)
        else:
            helpful = helpful_diff(changes, self._labels, self._caps.file_bytes, self._ignored_part)
            if helpful.text:
                self.add(printable(helpful.text), _Label(GIT_DIFF, "git_diff", helpful.forms, None, required=False))
            self.leave_all(helpful.withheld, "git_diff")

    def _add_whole_changes(self, changes: Sequence[JudgedDiff]) -> None:
        """Adds what the phase is about; what is ignored of it stays, and its names bind all the same."""
        ignored = [(part, self._ignored_part(part)) for part in changes]
        self.add_required_diff(part for part, reason in ignored if reason is None)
        self.leave_all(list(dict.fromkeys((named_by(part), why) for part, why in ignored if why)), "git_diff")
        if not changes:
            self.leave(GIT_DIFF, "git_diff", NONE_CHANGED[self._paths.which])
        ignores = self._survey.ignores
        untracked = [self._survey.locate(name) for name in self._survey.untracked if ignores.reason(name) is None]
        found = [(place.path, self._survey.restriction_of(place)) for place in untracked]
        reasons = [(path, f"restricted by `{why}`" if why else UNTRACKED) for path, why in found]
        self.leave_all(reasons, "file", part=False)

    def _ignored_part(self, judged: JudgedDiff) -> str | None:
        """Why an ignore file leaves a part of the working tree's difference out."""
        found = (self._survey.ignores.reason(name) for name in judged.part.names or ())
        return next((why for _, why in filter(None, found)), None)

    def add_instructions(self, intent: Intent) -> None:
        """Adds the project's instructions, unless the phase is about them."""
        read = Cover(self._paths.read)
        for place, ignored in self._survey.instructions:
            if read.holds(place) or self._avoided.holds(place):
                continue
            if intent in SELF_CONTAINED:
                self.leave(place.path, "instructions", f"not needed for `{intent}`")
                continue
            reason = ignored or self._instructions(place)
            if reason:
                self.leave(place.path, "instructions", reason)

    def _instructions(self, place: Place) -> str | None:
        count = len(self.contents)
        reason = self._add_file(place, required=False)
        if len(self.contents) > count:
            content = self.contents[-1]
            self.contents[-1] = content._replace(item=content.item._replace(kind="instructions"))
        return reason

    def name_restricted(self) -> None:
        """Names restricted files that exist and are no part of the phase. None of them is opened."""
        known = {fact.path for fact in self._paths.facts} | {gone.path for gone in self.left_out}
        found = [(p, f"restricted by `{why}`") for p, why in self._survey.existing_restricted if p not in known]
        self.leave_all(found, "file", part=False)
