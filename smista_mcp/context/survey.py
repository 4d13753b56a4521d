"""The facts of one workspace, each found at first need and at most once in a call."""

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

from smista_mcp.context.diff import FileDiff, split
from smista_mcp.context.paths import Place, Tree
from smista_mcp.context.reading import Reading, Unread, read_file
from smista_mcp.context.repository import GitFailed, Repository, open_repository
from smista_mcp.context.spelling import printable
from smista_mcp.core.globs import GlobSet

INSTRUCTIONS = (".smista/SMISTA.md", "SMISTA.md", "AGENTS.md", "CLAUDE.md")
_WILD = frozenset("*?[\\")


class Caps(NamedTuple):
    """The bounds of a collection.

    Attributes:
        file_bytes: of one file, and of a diff that is only helpful.
        total_bytes: of all files of a phase.
        directory_files: files that stand for one directory; `directory_bytes` likewise.
        diff_bytes: the most that is taken from `git diff`.
        listed: names of one kind of thing left out, before only their number is given.
        walked: entries that are looked at where there is no git.
        git_s: seconds that git may take for one answer.
    """

    file_bytes: int = 1_000_000
    total_bytes: int = 4_000_000
    directory_files: int = 200
    directory_bytes: int = 2_000_000
    diff_bytes: int = 4_000_000
    listed: int = 20
    walked: int = 20_000
    git_s: float = 10.0


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
        self._environ = environ
        self._readings: dict[tuple[str, ...], Reading | Unread] = {}

    @cached_property
    def repository(self) -> Repository | None:
        return open_repository(self._root, self._environ, self.caps.git_s) if self._root else None

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
    def changes(self) -> tuple[FileDiff, ...] | str:
        """The working tree's difference to the last commit, cut per file; why there is none to see."""
        if self.repository is None:
            return "no git repository to ask"
        try:
            return split(self.repository.diff(self.caps.diff_bytes))
        except GitFailed as failure:
            return str(failure)

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
    def ignores_unread(self) -> bool:
        """Whether there is a `.gitignore` at the root that nobody applies, because there is no git to ask."""
        return self.repository is None and self.tree.locate(".gitignore").kind == "file"

    @cached_property
    def instructions(self) -> tuple[tuple[Place, bool], ...]:
        """The project's instructions by preference, up to the first that git does not ignore; and whether it does."""
        found: list[tuple[Place, bool]] = []
        for name in INSTRUCTIONS if self._root is not None else ():
            place = self.tree.locate(name)
            if place.kind == "file":
                ignored = self._is_ignored(place)
                found.append((place, ignored))
                if not ignored:
                    break
        return tuple(found)

    def _is_ignored(self, place: Place) -> bool:
        if self.repository is None:
            return False
        try:
            return not self.repository.unignored("/".join(place.parts))
        except GitFailed:
            return False

    def restriction(self, forms: Iterable[str]) -> str | None:
        """The first pattern that one of the forms of a path meets."""
        return next((found for form in forms if (found := self._restricted.first(form))), None)

    def read(self, place: Place) -> Reading | Unread:
        """Reads a file, once in a call, so that all phases see the same content."""
        if self._root is None:
            return Unread("no workspace, so no file is read")
        known = self._readings.get(place.parts)
        if known is None:
            known = self._readings[place.parts] = read_file(self._root, place.parts, self.caps.file_bytes)
        return known

    def restriction_by_other_name(self, reading: Reading) -> str | None:
        """What restricts a file with several names (hard links): a pattern on another one, or that one is not found."""
        if reading.names < 2 or not self._restricted.patterns or self._root is None:
            return None
        others: list[str] = []
        for count, (entry, name) in enumerate(_walk(self._root, ())):
            if count >= self.caps.walked:
                break
            if entry is not None and _is_file(entry, reading.identity):
                others.append(printable(name))
            if len(others) == reading.names:
                return self.restriction(others)
        return self.restriction(others) or "(a hard link whose other names are not known)"

    @cached_property
    def existing_restricted(self) -> tuple[tuple[str, str], ...]:
        """Paths that exist and that a literal or root-level pattern restricts, with the pattern. None is opened."""
        if self._root is None or not self._restricted.patterns:
            return ()
        found: dict[str, str] = {}
        for entry in _entries(self._root):
            name = printable(entry.name) + ("/" if _is_directory(entry) else "")
            pattern = self._restricted.first(name)
            if pattern:
                found[name] = pattern
        for pattern in self._restricted.patterns:
            if "/" in pattern.rstrip("/") and _WILD.isdisjoint(pattern):
                place = self.tree.locate(pattern.rstrip("/"))
                if place.kind not in ("missing", "outside", "unknown"):
                    found.setdefault(place.path, pattern)
        return tuple(sorted(found.items()))

    def _walked(self, below: Sequence[str]) -> tuple[str, ...] | None:
        """All files below a directory without following links; None where there are too many to look at."""
        if self._root is None:
            return ()
        found: list[str] = []
        for count, (entry, name) in enumerate(_walk(self._root, below)):
            if count >= self.caps.walked:
                return None
            if entry is not None:
                found.append(name)
        return tuple(sorted(found))


def _walk(root: Path, below: Sequence[str]) -> Iterator[tuple[os.DirEntry[str] | None, str]]:
    """Every entry below a directory and its path: what is no directory with its entry, a directory with None."""
    pending = ["/".join(below)]
    while pending:
        folder = pending.pop()
        for entry in _entries(root / folder):
            name = f"{folder}/{entry.name}" if folder else entry.name
            if not _is_directory(entry):
                yield entry, name
            elif entry.name != ".git":
                pending.append(name)
                yield None, name


def _is_directory(entry: os.DirEntry[str]) -> bool:
    try:
        return entry.is_dir(follow_symlinks=False)
    except OSError:
        return False


def _is_file(entry: os.DirEntry[str], identity: tuple[int, int]) -> bool:
    if entry.inode() != identity[1]:
        return False
    try:
        facts = entry.stat(follow_symlinks=False)
    except OSError:
        return False
    return (facts.st_dev, facts.st_ino) == identity


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as entries:
            return sorted(entries, key=lambda entry: entry.name)
    except OSError:
        return []  # unreadable: what is in it cannot be read either
