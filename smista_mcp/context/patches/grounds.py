"""The files that a patch may touch: each name judged, each file read as everywhere."""

import os
import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

from smista_mcp.context.paths import Place
from smista_mcp.context.reading import Unread
from smista_mcp.context.repository import GitFailed
from smista_mcp.context.secretlabels import SecretLabels
from smista_mcp.context.survey import Survey
from smista_mcp.core.floor import Sight
from smista_mcp.core.secretscan import told

_MOST_NAME = 1_000
_GITS = re.compile(r"\.git|git~[0-9]+")
_OURS = frozenset((".smista",))
OUTSIDE = "names a path that is none of the workspace"
OF_GIT = "reaches into what belongs to git or to smista-mcp"
LINKED = "names a path that leads through a link, or is spelled in another way than on disk"
IGNORED = "touches a file that is ignored here and was not named in the task"
KEPT = "touches a file that this model may not see"
UNREADABLE = "touches a file that cannot be read as text"
FOREIGN = "reaches into another repository"


class Refused(Exception):
    """A name that a patch may not hold. The text repeats nothing of the answer."""


class Ground(NamedTuple):
    """A file of the workspace, or a place for one.

    Attributes:
        text: None where there is no file.
        sight: why it is not for a remote model; None where it is free.
        forms: every form of its path.
    """

    name: str
    text: str | None
    executable: bool = False
    sight: Sight | None = None
    forms: tuple[str, ...] = ()


class Grounds:
    """The workspace as the patches of one attempt see it.

    Args:
        survey: of the workspace as it is now.
        judge: why a path, in all of its forms, is not for a remote model.
        secrets: what the secret scan says.
        remote: whether the model is on another machine: then what it may not see it may not change.
        given: files that the task names, so that it does not matter whether they are ignored.
        before: what the patches of earlier steps make of files, None where they delete one.
    """

    def __init__(
        self,
        survey: Survey,
        judge: Callable[[Sequence[str]], Sight | None],
        secrets: SecretLabels,
        *,
        remote: bool,
        given: frozenset[str],
        before: Mapping[str, str | None],
    ) -> None:
        self._survey = survey
        self._judge = judge
        self._secrets = secrets
        self._remote = remote
        self._given = given
        self.before = before
        self._known: dict[str, Ground] = {}

    def at(self, name: str) -> Ground:
        """The file of a name, or the place where there is none.

        Raises:
            Refused: no patch may hold this name.
        """
        known = self._known.get(name)
        if known is None:
            known = self._known[name] = self._looked(name)
        return known

    def exists(self, name: str) -> bool:
        """Whether a name can be one of a file that is there."""
        if name in self.before:
            return self.before[name] is not None
        return is_plain(name) and self._survey.locate(name).kind == "file"

    def _looked(self, name: str) -> Ground:
        if not is_plain(name):
            raise Refused(OUTSIDE)
        if any(_is_reserved(segment) for segment in name.split("/")):
            raise Refused(OF_GIT)
        place = self._survey.locate(name)
        if place.kind not in ("file", "missing"):
            raise Refused(LINKED if place.kind in ("outside", "unknown") else UNREADABLE)
        self._check_way(name, place)
        sight = self._sight(place)
        if sight is not None and self._remote:
            raise Refused(KEPT)
        if self._is_ignored(name, place):
            raise Refused(IGNORED)
        text, executable = None, False
        if place.kind == "file":
            reading = self._survey.read(place)
            if isinstance(reading, Unread):
                raise Refused(f"{UNREADABLE}: {reading.reason}")
            sight = sight or self._sight_of(
                reading.text, reading.digest, self._survey.restriction_by_other_name(reading)
            )
            if sight is not None and self._remote:
                raise Refused(KEPT)
            text = reading.text
            executable = self._is_executable(place)
        if name in self.before:
            text = self.before[name]
        return Ground(name, text, executable, sight, place.forms)

    def _check_way(self, name: str, place: Place) -> None:
        """Refuses what is reached through a link, or lies in a repository of its own."""
        folders = name.split("/")
        for depth in range(1, len(folders) + 1):
            part = "/".join(folders[:depth])
            if self._survey.tree.target(part):
                raise Refused(LINKED)
            if depth < len(folders):
                inner = self._survey.locate(part)
                if inner.kind not in ("directory", "missing"):
                    raise Refused(OUTSIDE)
                if inner.kind == "directory" and self._survey.tree.locate(f"{part}/.git").kind != "missing":
                    raise Refused(FOREIGN)
        if place.kind == "file" and "/".join(place.parts) != name:
            raise Refused(LINKED)

    def _is_executable(self, place: Place) -> bool:
        root = self._survey.tree.root
        try:
            return root is not None and os.name == "posix" and bool(root.joinpath(*place.parts).lstat().st_mode & 0o100)
        except OSError:
            return False

    def _sight(self, place: Place) -> Sight | None:
        found = self._judge(place.forms)
        if found is None and place.unjudged:
            found = Sight(f"restricted by `{place.unjudged}`")
        if found is None and (secrets := self._secrets.of_names((place.path,))):
            found = Sight(told(secrets))
        return found

    def _sight_of(self, text: str, digest: str, other: str | None) -> Sight | None:
        if other:
            return Sight(f"restricted by `{other}`")
        secrets = self._secrets.of_content(text, digest)
        return Sight(told(secrets)) if secrets else None

    def _is_ignored(self, name: str, place: Place) -> bool:
        if place.path in self._given or name in self._given or name in self.before:
            return False
        if self._survey.ignores.reason(name) is not None:
            return True
        repository = self._survey.repository
        try:
            return repository is not None and repository.ignores(name)
        except GitFailed:
            return True


def is_plain(name: str) -> bool:
    """Whether a name is one below the root, written in the one way that every system reads alike."""
    if not name or len(name) > _MOST_NAME or name[0] in "/~" or "\\" in name or re.match("[A-Za-z]:", name):
        return False
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in name):
        return False
    return all(part not in ("", ".", "..") and part == part.strip(" ") for part in name.split("/"))


def _is_reserved(segment: str) -> bool:
    """Whether a system may take a segment for the folder of git, or ours."""
    plain = unicodedata.normalize("NFKC", segment).casefold().rstrip(" .").partition(":")[0]
    return _GITS.fullmatch(plain) is not None or plain in _OURS
