"""The facts of one workspace, each found at first need and at most once in a call."""

import os
from collections.abc import Iterable, Mapping, Sequence
from functools import cached_property
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

from smista_mcp.context.caps import Caps
from smista_mcp.context.ignorefiles import Ignores
from smista_mcp.context.inference import Endings
from smista_mcp.context.judgeddiff import JudgedDiff
from smista_mcp.context.labels import UNPLACED, elsewhere, label
from smista_mcp.context.paths import Place, Tree
from smista_mcp.context.reading import Octets, Reading, Unread, read_file
from smista_mcp.context.repository import GitFailed, Repository, open_repository
from smista_mcp.context.skillfiles import SkillFile
from smista_mcp.context.spelling import Lines, composed, printable
from smista_mcp.context.walking import entries_of, is_directory, is_file, walk
from smista_mcp.context.wholes import Ground, blobs_of, said_of, whole_of
from smista_mcp.context.workspace import git_top
from smista_mcp.core.globs import GlobSet, folded
from smista_mcp.core.redaction import shown

if TYPE_CHECKING:
    from smista_mcp.context.diff import FileDiff

INSTRUCTIONS = (".smista/SMISTA.md", "SMISTA.md", "AGENTS.md", "CLAUDE.md")
UNJUDGED = "(cannot be judged)"
"""Stands in place of a pattern where a part of a diff was not understood: what cannot be judged is restricted."""

_MOST_ENDINGS = 100
_OTHER_NAMES = "(a hard link whose other names are not known)"
_WILD = frozenset("*?[\\")


class Listing(NamedTuple):
    """The files of a directory, relative to the root.

    Attributes:
        ignored: what git ignores in it.
        failure: why the files cannot be listed.
    """

    files: tuple[str, ...] = ()
    ignored: tuple[str, ...] = ()
    failure: str = ""


class Survey:
    """Looks at a workspace; nothing is looked at before it is asked for.

    Args:
        root: a real path, or None: then nothing is ever read.
        restricted: patterns on paths that must not go to a remote model, compiled without case.
        environ: what git may know of the environment.
    """

    def __init__(self, root: Path | None, restricted: GlobSet, caps: Caps, environ: Mapping[str, str]) -> None:
        self.tree = Tree(root)
        self.caps = caps
        self._root = root
        self._restricted = restricted
        self.environ = environ
        self._readings: dict[tuple[str, ...], Reading | Unread] = {}

    @cached_property
    def repository(self) -> Repository | None:
        return open_repository(self._root, self.environ, self.caps.git_s) if self._root else None

    @cached_property
    def files(self) -> tuple[str, ...]:
        """All files that words may mean: the tracked ones, without git those of a walk; none if not all are known."""
        if self._root is None:
            return ()
        if self.repository is not None:
            try:
                return self.repository.tracked()
            except GitFailed:
                return ()
        found = self._walked(())
        return () if found is None else found

    @cached_property
    def endings(self) -> Endings:
        return Endings(self.files)

    def place(self, written: str) -> Place:
        """Understands a path as a person or a host writes it, with all names that its file has."""
        return self._with_other_names(self.tree.place(written))

    def locate(self, name: str, lines: Lines | None = None) -> Place:
        """Understands a path literally, with all names that its file has."""
        return self._with_other_names(self.tree.locate(name, lines))

    def label(self, written: str) -> Place:
        """Understands the name of an attachment, in every way that it can be read."""
        home = self.environ.get("HOME") or self.environ.get("USERPROFILE", "")
        place = self._with_other_names(label(self.tree, written, home))
        ends, doubt = self._ends_of_files(place)
        return place._replace(forms=tuple(dict.fromkeys((*place.forms, *ends))), unjudged=place.unjudged or doubt)

    def judged(self, diff: str, *, given: bool) -> tuple[JudgedDiff, ...]:
        """Cuts a diff per file and judges each part.

        Args:
            diff: unified, as git or `diff -u` writes it.
            given: whether it came with the call, so that its names may be relative to any folder.
        """
        from smista_mcp.context.diff import split  # noqa: PLC0415  most calls see no diff

        found: list[JudgedDiff] = []
        known: dict[tuple[object, ...], JudgedDiff] = {}
        for part in split(diff):
            names = (part.names, part.forms)
            if names not in known:
                known[names] = self._judged(part, given=given)
            found.append(known[names]._replace(part=part))
        return tuple(found)

    def _judged(self, part: "FileDiff", *, given: bool) -> JudgedDiff:
        forms: dict[str, None] = {}
        unjudged = UNJUDGED if part.names is None else ""
        places: dict[str, Place] = {}
        for name in part.forms:
            places[name] = self.locate(name)
        for name, place in places.items():
            forms.update(dict.fromkeys(place.forms))
            unjudged = unjudged or place.unjudged
            bare = places.get(name[2:]) if name[1:2] == "/" else None  # without a prefix such as `a/`
            if given and (bare is None or bare.kind != "file"):
                further, doubt = elsewhere(self.tree, name, place, self.above)
                ends, many = self._ends_of_files(place)
                forms.update(dict.fromkeys((*further, *ends)))
                unjudged = unjudged or doubt or many
        found = tuple(forms)
        named = tuple(places.get(name) or self.locate(name) for name in part.names or ())
        return JudgedDiff(part, named, found, self.restriction(found) or unjudged or None)

    def _ends_of_files(self, place: Place) -> tuple[tuple[str, ...], str]:
        """Known files that a name of nothing at the root may mean: it may be relative to a folder below.

        Returns:
            Their forms, and what stands in place of a pattern where they are too many.
        """
        if place.kind != "missing":
            return (), ""
        found = list(islice(self.endings.of(place.path), _MOST_ENDINGS + 1))
        forms = [form for path in found[:_MOST_ENDINGS] for form in self.locate(path).forms]
        restricted, known = self._restricted_end(place.path)
        return (*forms, *restricted), "" if known and len(found) <= _MOST_ENDINGS else UNPLACED

    def _restricted_end(self, path: str) -> tuple[tuple[str, ...], bool]:
        """A restricted file whose path ends so, in any case; whether it is sure that there is no other.

        Most of them are ignored, so that git does not name them.
        """
        names, all_seen = self._names_by_last
        wanted = folded(composed(path.rstrip("/")))
        likely = (name for name in names.get(wanted.rpartition("/")[2], ()) if self._restricted.hits(name))
        found = next((name for name in likely if folded(composed(name)).endswith(f"/{wanted}")), None)
        return (() if found is None else (found,)), found is not None or all_seen

    @cached_property
    def _names_by_last(self) -> tuple[Mapping[str, Sequence[str]], bool]:
        """What is no directory below the root, by its last segment without case; whether that is all there is."""
        found: dict[str, list[str]] = {}
        if self._root is None or not self._restricted.patterns:
            return found, True
        for count, (entry, name) in enumerate(walk(self._root, ())):
            if count >= self.caps.named:
                return found, False
            if entry is not None:
                found.setdefault(folded(composed(printable(entry.name))), []).append(printable(name))
        return found, True

    @cached_property
    def above(self) -> str:
        """The root's own name from the top of its repository, with `/` at the end; empty where it is the top."""
        top = git_top(self._root) if self._root is not None else None
        if top is None or self._root is None or top == self._root:
            return ""
        return f"{self._root.relative_to(top).as_posix()}/"

    @cached_property
    def changes(self) -> tuple[JudgedDiff, ...] | str:
        """The working tree's difference to the last commit, cut per file; why there is none to see.

        Where there is none, what is staged.
        """
        return self._changed("all")

    @cached_property
    def changes_staged(self) -> tuple[JudgedDiff, ...] | str:
        """What is staged, likewise."""
        return self._changed("staged")

    @cached_property
    def changes_unstaged(self) -> tuple[JudgedDiff, ...] | str:
        """How the working tree differs from what is staged, likewise."""
        return self._changed("unstaged")

    def _changed(self, which: Literal["all", "staged", "unstaged"]) -> tuple[JudgedDiff, ...] | str:
        git, staged = self.repository, which == "staged"
        if git is None:
            return "no git repository to ask"
        ask = {"all": git.diff, "staged": git.staged, "unstaged": git.unstaged}[which]
        try:
            parts = self.judged(ask(self.caps.diff_bytes), given=False)
            if not parts and which == "all":
                parts, staged = self.judged(git.staged(self.caps.diff_bytes), given=False), True
        except GitFailed as failure:
            return str(failure)
        blobs = self._blobs([part for part in parts if not part.restricted])
        return tuple(self._with_whole(part, blobs, staged=staged) for part in parts)

    def _with_whole(self, part: JudgedDiff, blobs: Mapping[str, bytes], *, staged: bool) -> JudgedDiff:
        if part.restricted:
            return part._replace(wholes=())
        ground = Ground(self.tree, self.caps.compared_bytes, self.restriction_by_other_name)
        whole = whole_of(part, blobs, None if staged else ground)
        return part._replace(wholes=whole.texts, restricted=whole.doubt)

    def wholes_of(self, parts: Sequence[JudgedDiff]) -> tuple[str, ...]:
        """What parts of a diff were cut from: of a given one what may be it, as far as that is there to be read."""
        known = [text for part in parts for text in part.wholes or ()]
        given = [part for part in parts if part.wholes is None]
        stored = said_of(given, self._blobs(given))
        return (*known, *stored, *self.texts_of(place for part in given for place in part.places))

    def _blobs(self, parts: Sequence[JudgedDiff]) -> Mapping[str, bytes]:
        names = blobs_of(parts)
        try:
            return self.repository.blobs(names, self.caps.whole_bytes) if self.repository and names else {}
        except GitFailed:
            return {}

    def texts_of(self, places: Iterable[Place]) -> tuple[str, ...]:
        """The texts of files at some places, or of those that the name of nothing at the root may mean."""
        found: dict[tuple[str, ...], Place] = {}
        for place in places:
            ends = islice(self.endings.of(place.path), _MOST_ENDINGS) if place.kind == "missing" else ()
            for one in (place, *map(self.locate, ends)):
                if one.kind == "file":
                    found[one.parts] = one
        readings = (self.read(place) for place in islice(found.values(), _MOST_ENDINGS))
        return tuple(reading.text for reading in readings if isinstance(reading, Reading))

    @cached_property
    def untracked(self) -> tuple[str, ...]:
        """Files that git neither tracks nor ignores."""
        try:
            return self.repository.untracked() if self.repository is not None else ()
        except GitFailed:
            return ()

    def listing(self, place: Place) -> Listing:
        """The files below a directory that git does not ignore."""
        below = "/".join(place.parts)
        if self.repository is not None:
            try:
                return Listing(self.repository.unignored(below), self.repository.ignored(below))
            except GitFailed as failure:
                return Listing(failure=str(failure))
        found = self._walked(place.parts)
        if found is None:
            return Listing(failure=f"over {self.caps.walked} entries; name files or smaller directories")
        return Listing(found)

    @cached_property
    def ignores(self) -> Ignores:
        """What ignore files leave out that nobody else applies: git is the judge of its own where it can be asked."""
        return Ignores(self.tree, without_git=self.repository is None)

    @cached_property
    def instructions(self) -> tuple[tuple[Place, str], ...]:
        """The project's instructions by preference, up to the first that is not ignored; and why, where it is."""
        found: list[tuple[Place, str]] = []
        for name in INSTRUCTIONS if self._root is not None else ():
            place = self.locate(name)
            if place.kind == "file":
                reason = self._ignored_in_any_way(place)
                found.append((place, reason))
                if not reason:
                    break
        return tuple(found)

    def _ignored_in_any_way(self, place: Place) -> str:
        name = "/".join(place.parts)
        ours = self.ignores.reason(name)
        if ours is not None:
            return ours[1]
        if self.repository is None:
            return ""
        try:
            return "" if self.repository.unignored(name) else "ignored by git"
        except GitFailed as failure:
            return f"may be ignored: {failure}"

    def restriction(self, forms: Iterable[str]) -> str | None:
        """The first pattern that one of the forms of a path meets, as it may be shown."""
        return next((shown(found) for form in forms if (found := self._restricted.first(form))), None)

    def restriction_of(self, place: Place) -> str | None:
        """What restricts a place: a pattern, or that not every name of it is known."""
        return self.restriction(place.forms) or place.unjudged or None

    def read(self, place: Place) -> Reading | Unread:
        """Reads a file, once in a call, so that all phases see the same content."""
        if self._root is None:
            return Unread("no workspace, so no file is read")
        known = self._readings.get(place.parts)
        if known is None:
            known = self._readings[place.parts] = read_file(
                self._root, place.parts, self.caps.file_bytes, place.identity
            )
        return known

    def restriction_by_other_name(self, reading: Reading | Octets) -> str | None:
        """What restricts a file that was read under another of its names, or that one of them is not found."""
        if reading.names < 2:
            return None
        others = self._names_of(reading.identity)
        return self.restriction(others) or (_OTHER_NAMES if len(others) < reading.names else None)

    def judged_skill(self, file: SkillFile, reading: Reading) -> tuple[tuple[str, ...], str | None]:
        """Every form of the path of a skill's file as it was read, and what restricts it."""
        place = None if file.place.of_home else self.locate(file.place.relative)
        forms = file.forms if place is None else tuple(dict.fromkeys((*place.forms, *file.forms)))
        restricted = self.restriction(forms) or self.restriction_by_other_name(reading)
        if place is not None and restricted is None:
            restricted = place.unjudged or (None if place.parts == file.parts else UNJUDGED)
        return forms, restricted

    def _with_other_names(self, place: Place) -> Place:
        """A file with hard links under all of its names: they are forms of its path like any other."""
        if self._root is None or place.kind != "file":
            return place
        try:
            facts = self._root.joinpath(*place.parts).lstat()
        except (OSError, ValueError):
            return place  # gone since; what is read is looked at again
        if facts.st_nlink < 2:
            return place
        others = self._names_of((facts.st_dev, facts.st_ino))
        forms = tuple(dict.fromkeys((*place.forms, *others, *map(composed, others))))
        return place._replace(
            forms=forms, unjudged=place.unjudged or (_OTHER_NAMES if len(others) < facts.st_nlink else "")
        )

    def _names_of(self, identity: tuple[int, int]) -> tuple[str, ...]:
        """The names below the root of one file, known by device and number."""
        known = self._entries_by_number.get(identity[1], ())
        return tuple(printable(name) for entry, name in known if is_file(entry, identity))

    @cached_property
    def _entries_by_number(self) -> Mapping[int, Sequence[tuple[os.DirEntry[str], str]]]:
        """What is no directory below the root, by its number on the device; of the first entries of a walk."""
        found: dict[int, list[tuple[os.DirEntry[str], str]]] = {}
        if self._root is None:
            return found
        for entry, name in islice(walk(self._root, ()), self.caps.walked):
            if entry is not None:
                found.setdefault(entry.inode(), []).append((entry, name))
        return found

    @cached_property
    def existing_restricted(self) -> tuple[tuple[str, str], ...]:
        """Paths that exist and that a literal or root-level pattern restricts, with the pattern. None is opened."""
        if self._root is None or not self._restricted.patterns:
            return ()
        found: dict[str, str] = {}
        for entry in entries_of(self._root):
            name = printable(entry.name) + ("/" if is_directory(entry) else "")
            pattern = self._restricted.first(name)
            if pattern:
                found[name] = shown(pattern)
        for pattern in self._restricted.patterns:
            if "/" in pattern.rstrip("/") and _WILD.isdisjoint(pattern):
                place = self.tree.locate(pattern.rstrip("/"))
                if place.kind not in ("missing", "outside", "unknown"):
                    found.setdefault(place.path, shown(pattern))
        return tuple(sorted(found.items()))

    def _walked(self, below: Sequence[str]) -> tuple[str, ...] | None:
        """All files below a directory without following links; None where there are too many to look at."""
        if self._root is None:
            return ()
        found: list[str] = []
        for count, (entry, name) in enumerate(walk(self._root, below)):
            if count >= self.caps.walked:
                return None
            if entry is not None:
                found.append(name)
        return tuple(sorted(found))
