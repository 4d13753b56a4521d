"""Which skills there are, and which of them a person has confirmed: those of the home folder are the user's own."""

import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import NamedTuple

from smista_mcp.context.reading import Reading
from smista_mcp.context.skillfiles import (
    FOLDERS,
    SkillFile,
    SkillPlace,
    TakenSkill,
    read_skill_file,
    skill_places,
    taken,
)
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.nearness import closest
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.task import Phase
from smista_mcp.core.values import Intent
from smista_mcp.errors import Code, SmistaError
from smista_mcp.loading.files import MAX_FOREIGN_BYTES
from smista_mcp.loading.layers import Settings, confirmed_digests

_LISTED = 5
_NAMED = 20
_UNCONFIRMED = "nobody has confirmed it: see `smista-mcp trust`"


class Shelf(NamedTuple):
    """The skills on disk at one moment.

    Attributes:
        known: those that count, by name.
        waiting: those of the workspace that nobody has confirmed, and those of the home folder that lie in one.
        hidden: places that have a name which an earlier folder has.
        flagged: whether those of the workspace count unseen.
        confirmed: what a person has confirmed in the workspace: file as it is shown -> SHA-256 of its bytes.
    """

    known: Mapping[str, SkillPlace]
    waiting: tuple[SkillPlace, ...]
    hidden: tuple[SkillPlace, ...] = ()
    flagged: bool = False
    confirmed: Mapping[str, str] = MappingProxyType({})

    @property
    def notices(self) -> tuple[str, ...]:
        """What a person should know before any skill is run."""
        return tuple(self._notices())

    def _notices(self) -> Iterator[str]:
        theirs = [place.shown for place in self.waiting if not place.of_home]
        if theirs:
            yield (
                f"skills that came with the workspace wait until somebody confirms them with `smista-mcp trust`:"
                f" {_few(theirs)}"
            )
        linked = [place.shown for place in self.waiting if place.of_home]
        if linked:
            yield f"skills of the home folder that lie in the workspace or a repository around it wait: {_few(linked)}"
        seen = [place.shown for place in self.known.values() if not place.of_home]
        if self.flagged and seen:
            yield f"--trust-workspace: skills count as confirmed that no person was shown: {_few(seen)}"

    def take(self, name: str, cap: int) -> TakenSkill:
        """The skill of a name with its text, read now.

        Args:
            name: as a phase has it.
            cap: the most bytes of its file.
        """
        place = self.known.get(name)
        if place is not None:
            file = read_skill_file(place, cap if place.of_home else MAX_FOREIGN_BYTES)
            seen = place.of_home or self.flagged or has_digest(file, self.confirmed.get(place.shown))
            return taken(name, file, "" if seen else _UNCONFIRMED)
        waiting = next((place for place in self.waiting if place.name == name), None)
        if waiting is not None:
            return taken(name, read_skill_file(waiting, MAX_FOREIGN_BYTES), _UNCONFIRMED)
        return TakenSkill(name, refusal="no folder of skills has it")

    def remarks(self, skill: TakenSkill, restricted: GlobSet) -> Iterator[str]:
        """What a person should know of a skill that is run.

        Nothing is quoted from a file that does not go along, is restricted, or is reached through another name.
        """
        if skill.file is None:
            return
        where = f"the skill `{skill.name}` ({skill.file.place.shown})"
        if skill.refusal:
            yield f"{where} does not go along: {skill.refusal}"
        if skill.text is not None and not skill.refusal and _is_quotable(skill.file, restricted):
            yield from (f"{where}: {remark}" for remark in skill.text.remarks)
            if skill.text.name not in ("", skill.name):
                yield f"{where} calls itself `{shown(skill.text.name)}`; it is known by the name of its folder"
        hidden = [place.shown for place in self.hidden if place.name == skill.name]
        if hidden and not skill.refusal:
            yield f"{where} comes before {_few(hidden)}"


def _is_quotable(file: SkillFile, restricted: GlobSet) -> bool:
    alone = isinstance(file.reading, Reading) and file.reading.names == 1
    return alone and "/".join(file.parts) == file.place.relative and not any(map(restricted.hits, file.forms))


def shelf(settings: Settings) -> Shelf:
    """Looks which skills there are. Only files that a person has confirmed are opened, to see whether they changed."""
    theirs = skill_places(settings.workspace)
    home = settings.environment.home
    top = Path(os.path.realpath(home)) if home is not None else None
    own = skill_places(top, of_home=True) if top != settings.workspace else ()
    if not theirs and not own:
        return _EMPTY
    confirmed: Mapping[str, str] = confirmed_digests(settings) if theirs and not settings.trust_workspace else {}
    foreign: dict[str, bool] = {}
    known: dict[str, SkillPlace] = {}
    waiting: list[SkillPlace] = []
    hidden: list[SkillPlace] = []
    for place in (*theirs, *own):
        if not (_is_own(place, settings, foreign) if place.of_home else _is_confirmed(place, settings, confirmed)):
            waiting.append(place)
        elif place.name in known:
            hidden.append(place)
        else:
            known[place.name] = place
    return Shelf(known, tuple(waiting), tuple(hidden), settings.trust_workspace, confirmed)


_EMPTY = Shelf({}, ())


def _is_confirmed(place: SkillPlace, settings: Settings, confirmed: Mapping[str, str]) -> bool:
    if settings.trust_workspace:
        return True
    digest = confirmed.get(place.shown)
    return digest is not None and has_digest(read_skill_file(place, MAX_FOREIGN_BYTES), digest)


def has_digest(file: SkillFile, digest: str | None) -> bool:
    """Whether a file was read and has these bytes."""
    return isinstance(file.reading, Reading) and file.reading.digest == digest


def _is_own(place: SkillPlace, settings: Settings, foreign: dict[str, bool]) -> bool:
    """Whether a skill of the home folder cannot have come with a repository: `HOME` can be set, and links lead.

    `foreign` remembers this of folders, in which most files are no links.
    """
    path = str(place.path)
    if os.path.realpath(path) != path:
        return not settings.came_along(place.path)
    folder = path.rsplit("/", 2)[0]
    if folder not in foreign:
        foreign[folder] = settings.came_along(Path(folder))
    return not foreign[folder]


def check_named(phases: Sequence[Phase], names: frozenset[str], there: Shelf) -> None:
    """Refuses a skill that the words of a phase run, by a command or its name, and that there is not.

    Where the call says that it wants something else, words that look like a command are none. A skill that waits to be
    confirmed is there: the phase goes without its text, and that is told.

    Args:
        phases: of the task.
        names: as for `check_skill`, which raises the same.
        there: likewise.
    """
    known = names | {place.name for place in there.waiting}
    for phase in phases:
        if phase.intent.source != "declared" or phase.intent.name is Intent.SKILL:
            check_skill(phase.skill, known, there, of_words=True)


def check_skill(name: str | None, names: frozenset[str], there: Shelf, *, of_words: bool = False) -> None:
    """Refuses a skill that a call names and that there is not.

    Args:
        name: the call's word.
        names: those on disk and in rules.
        there: the skills on disk.
        of_words: whether it stands in the words alone.

    Raises:
        SmistaError: `unknown_skill`, with those that there are.
    """
    if name is None or name in names:
        return
    waiting = next((place for place in there.waiting if place.name == name), None)
    if waiting is not None:
        raise SmistaError(
            f"the skill `{shown(name)}` is `{waiting.shown}`, and nobody has confirmed that file",
            fix="look at it and confirm it with `smista-mcp trust` in a terminal",
            code=Code.UNKNOWN_SKILL,
        )
    word = shown(redacted(name))
    fix = _instead(name, names)
    if of_words:
        fix = f"{fix}; where no skill is meant, say with `intent` what is"
    raise SmistaError(f"there is no skill `{word}`", fix=fix, code=Code.UNKNOWN_SKILL)


def _instead(name: str, names: frozenset[str]) -> str:
    if not names:
        folders = ", ".join(f"`{folder}/NAME/SKILL.md`" for folder in FOLDERS)
        return f"leave it out; there are no skills: they stand in {folders} of the workspace or the home folder"
    near = closest(name, sorted(names), cutoff=0.6)
    rest = sorted(names - {near} if near else names)
    listed = [f"`{shown(one)}`" for one in ([near, *rest] if near else rest)]
    more = f" and {len(listed) - _NAMED} more" if len(listed) > _NAMED else ""
    return f"leave it out, or name one of {', '.join(listed[:_NAMED])}{more}"


def _few(names: list[str]) -> str:
    more = len(names) - _LISTED
    listed = names if more <= 0 else [*names[:_LISTED], f"{more} more"]
    return listed[0] if len(listed) == 1 else f"{', '.join(listed[:-1])} and {listed[-1]}"
