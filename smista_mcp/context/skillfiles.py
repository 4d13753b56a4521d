"""Skills on disk: `NAME/SKILL.md` in the customary folders of the workspace and of the home folder.

Names are listed without opening anything; a file is read when its skill is run, or when somebody has confirmed it.
"""

import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from smista_mcp.context.labels import endings
from smista_mcp.context.paths import Tree
from smista_mcp.context.reading import Reading, Unread, read_file

if TYPE_CHECKING:
    from smista_mcp.core.skills import SkillText

FOLDERS = (".smista/skills", ".agents/skills", ".claude/skills")
"""In this order, first those of the workspace: of skills with one name the first that counts is meant."""
SKILL_NAME = r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}\Z"
"""Names of folders that can be skills: what can be typed behind a `/`."""
_FILE = "SKILL.md"
_MOST = 1_000
"""Skills that are taken from one folder, by name."""


class SkillPlace(NamedTuple):
    """Where a skill stands.

    Attributes:
        top: the real path of the workspace or of the home folder; nothing outside of it is opened.
        relative: its file from there.
        of_home: whether that is the home folder.
    """

    name: str
    top: Path
    relative: str
    of_home: bool

    @property
    def path(self) -> Path:
        return self.top / self.relative

    @property
    def shown(self) -> str:
        return f"~/{self.relative}" if self.of_home else self.relative


class SkillFile(NamedTuple):
    """A skill's file as it was read, once.

    Attributes:
        forms: every form of its path that policy has to judge.
        parts: its real names from `place.top`.
    """

    place: SkillPlace
    forms: tuple[str, ...]
    parts: tuple[str, ...]
    reading: Reading | Unread


class TakenSkill(NamedTuple):
    """The skill that a phase runs.

    Attributes:
        file: None where no folder has it.
        text: None where it cannot be read, or no folder has it.
        refusal: why its text does not go along; empty where it does.
        tools: those that it leaves a delegate, whether or not its text goes along; None where it says nothing of them.
    """

    name: str
    file: SkillFile | None = None
    text: "SkillText | None" = None
    refusal: str = ""
    tools: frozenset[str] | None = None


def skill_places(top: Path | None, *, of_home: bool = False) -> tuple[SkillPlace, ...]:
    """The skills below a folder, sorted by name within each of `FOLDERS`. Nothing is opened but these folders."""
    if top is None:
        return ()
    return tuple(
        SkillPlace(name, top, f"{folder}/{name}/{_FILE}", of_home)
        for folder in FOLDERS
        for name in _names(f"{top}/{folder}")
    )


def _names(folder: str) -> list[str]:
    try:
        names = os.listdir(folder)  # noqa: PTH208  a Path for each name would cost more than the listing
    except OSError:
        return []
    found = (name for name in sorted(names) if re.match(SKILL_NAME, name))
    return [name for name in found if os.path.lexists(f"{folder}/{name}/{_FILE}")][:_MOST]


def read_skill_file(place: SkillPlace, cap: int) -> SkillFile:
    """Reads a skill's file, or says why not. `cap` is the most bytes that are taken."""
    found = Tree(place.top).locate(place.relative)
    if found.kind != "file":
        reading: Reading | Unread = Unread(found.why or "is not there")
    else:
        reading = read_file(place.top, found.parts, cap)
    return SkillFile(place, _homely(found.forms) if place.of_home else found.forms, found.parts, reading)


def _homely(forms: tuple[str, ...]) -> tuple[str, ...]:
    """Names from the home folder as policy judges them, whose patterns are written for a workspace."""
    return tuple(dict.fromkeys(name for form in forms for name in (f"~/{form}", *endings(form))))


def taken(name: str, file: SkillFile, refusal: str = "") -> TakenSkill:
    """A skill from its file.

    Args:
        name: of the skill.
        file: as it was read.
        refusal: why its text must not go along; it narrows all the same.
    """
    from smista_mcp.core.skills import BrokenSkill, read_skill  # noqa: PLC0415  few calls run a skill

    if isinstance(file.reading, Unread):
        return TakenSkill(name, file, None, refusal or file.reading.reason, frozenset())
    try:
        text = read_skill(file.reading.text)
    except BrokenSkill as error:
        return TakenSkill(name, file, None, refusal or str(error), frozenset())
    return TakenSkill(name, file, text, refusal, text.tools)
