"""From an answer to a patch: the change read, laid on the files, written as a diff, and proved."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import NamedTuple

from smista_mcp.context.diffnames import prefixed
from smista_mcp.context.patches.answers import cut
from smista_mcp.context.patches.applying import Broken, applied
from smista_mcp.context.patches.changes import Change
from smista_mcp.context.patches.grounds import Ground, Grounds, Refused
from smista_mcp.context.patches.sheets import Sheet, Unfit
from smista_mcp.context.patches.writing import Side, file_diff
from smista_mcp.context.repository import GitFailed, Repository

MOST_FILES = 100
MOST_CHARACTERS = 1_000_000
"""Of a patch."""
NO_CHANGE = "holds no change of a file: no diff was found in it"
NOTHING = "changes nothing"
_NO_NAME = "does not say which file it changes"
_TWO_NAMES = "names a file in a way that fits none, or more than one"
_EXISTS = "makes a file that is there already"
_MISSING = "changes a file that is not there"
_NOT_EMPTY = "deletes a file, but leaves lines of it"
_TOO_MANY = f"changes more than {MOST_FILES} files"
_TOO_LARGE = "is too large for a patch"
_NO_TEXT = "holds what is no text"
_BY_GIT = "is refused by git"
_UNPROVED = "could not be proved"


class NotMade(NamedTuple):
    """Why there is no patch.

    Attributes:
        why: goes on from "the change ..."; repeats nothing of the answer.
        name: of the file, as the answer names it; empty where none is meant.
        hunk: its number in the file, from 1; 0 where none is meant.
        line: of the file, from 1, about where it would belong; 0 where that is no question of lines.
    """

    why: str
    name: str = ""
    hunk: int = 0
    line: int = 0


class Made(NamedTuple):
    """A patch that applies.

    Attributes:
        words: the answer without its change.
        patch: the diff.
        files: that it touches, as they were.
        after: what it makes of them; None where it deletes one.
        by_git: whether git itself has proved it.
    """

    words: str
    patch: str
    files: tuple[Ground, ...]
    after: Mapping[str, str | None]
    by_git: bool


class Workshop(NamedTuple):
    """What patches are made with.

    Attributes:
        git: proves them; None where there is none.
        above: the name of the root from the top of its repository, with `/` at the end; empty where it is the top.
        earlier: patches that come before, in order.
        shown: texts that the model was shown; a whole file is taken only of one that stands in them.
        single: the one file that the task is about; None where it is about more, or none.
    """

    grounds: Grounds
    git: Repository | None
    above: str = ""
    earlier: Sequence[str] = ()
    shown: Sequence[str] = ()
    single: str | None = None


class _Fault(Exception):
    def __init__(self, why: str, name: str = "", hunk: int = 0, line: int = 0) -> None:
        super().__init__(why)
        self.told = NotMade(why, name, hunk, line)


@dataclass(slots=True)
class _File:
    """A file under way.

    Attributes:
        ground: as it was; without text where it is new.
        name: as it is called now; None once it is deleted.
    """

    ground: Ground
    sheet: Sheet
    name: str | None


def make(answer: str, workshop: Workshop) -> Made | NotMade:
    """Makes a patch of an answer. Reads files and runs git, so keep it off an event loop; writes nothing."""
    found = cut(answer)
    if not found.changes:
        return NotMade(NO_CHANGE)
    try:
        parts = _parts(_Laying(workshop).all(found.changes), workshop.above)
        patch = _proved(parts, workshop)
    except _Fault as fault:
        return fault.told
    files = tuple(part.file.ground for part in parts)
    return Made(found.words, patch, files, _after(parts), workshop.git is not None)


class _Laying:
    """Lays the changes of one answer on files."""

    def __init__(self, workshop: Workshop) -> None:
        self._workshop = workshop
        self._grounds = workshop.grounds
        self._files: list[_File] = []

    def all(self, changes: Sequence[Change]) -> list[_File]:
        for change in changes:
            name = change.new or change.old or ""
            try:
                self._one(change)
            except (Refused, Unfit) as fault:
                hunk, line = (fault.hunk, max(1, fault.line)) if isinstance(fault, Unfit) else (0, 0)
                raise _Fault(str(fault), name, hunk, line) from None
            if len(self._files) > MOST_FILES:
                raise _Fault(_TOO_MANY)
        return self._files

    def _one(self, change: Change) -> None:
        if change.fault:
            raise Refused(change.fault)
        old, new = self._names(change)
        there = self._there(old) if old else None
        if change.aside and there is not None:
            return  # an excerpt that goes with the diff
        if new is None:
            self._delete(there, change)
        elif there is None:
            self._create(new, change, sure=change.old is None or not change.hunks)
        else:
            if new != there.name:
                self._rename(there, new)
            if change.content is None:
                there.sheet.lay(change.hunks)
            else:
                self._rewrite(there, change)

    def _names(self, change: Change) -> tuple[str | None, str | None]:
        """The names as the workspace has them."""
        if change.unnamed:
            if self._workshop.single is None:
                raise Refused(_NO_NAME)
            return self._workshop.single, self._workshop.single
        old = self._known(change.old) if change.old else None
        new = self._known(change.new) if change.new else None
        if change.old and change.new and old != new and not change.moved:
            there = (old and self._is_there(old), new and self._is_there(new))
            if there[0] and not there[1] and new and ("/" in new or "." in new):
                return old, new
            if there[0] == there[1]:
                raise Refused(_TWO_NAMES)
            return (old, old) if there[0] else (new, new)
        return old, new

    def _known(self, raw: str) -> str:
        """A name without the prefix that it may have; the reading that is there, else the likelier one."""
        raw = raw.removeprefix("./")
        bare = raw[2:] if prefixed(raw) else raw
        below = [name.removeprefix(self._workshop.above) for name in (bare, raw) if self._workshop.above]
        return next((name for name in (bare, raw, *below) if self._is_there(name)), bare)

    def _is_there(self, name: str) -> bool:
        if any(name in (file.name, file.ground.name) for file in self._files):
            return any(file.name == name for file in self._files)
        return self._grounds.exists(name)

    def _there(self, name: str) -> _File | None:
        known = next((file for file in self._files if file.name == name), None)
        if known is not None:
            return known
        if any(file.ground.name == name and file.ground.text is not None for file in self._files):
            return None
        ground = self._grounds.at(name)
        if ground.text is None:
            return None
        self._files.append(_File(ground, Sheet(ground.text), name))
        return self._files[-1]

    def _create(self, name: str, change: Change, *, sure: bool) -> None:
        ground = self._grounds.at(name)._replace(
            text=None
        )  # judged first: nobody learns what is there behind a refusal
        if self._is_there(name):
            raise Refused(_EXISTS)
        if any(line.mark != "+" for hunk in change.hunks for line in hunk.lines) or change.moved:
            raise Refused(_MISSING)
        if not sure and any(hunk.start for hunk in change.hunks):
            raise Refused(_MISSING)
        if change.content is not None and not (change.sure and name):
            raise Refused(_MISSING)
        sheet = Sheet(None)
        if change.content is not None:
            sheet.rewrite(change.content, shown=True)
        else:
            sheet.lay(change.hunks)
        self._files.append(_File(ground, sheet, name))

    def _delete(self, there: _File | None, change: Change) -> None:
        if there is None:
            raise Refused(_MISSING)
        there.sheet.lay(change.hunks)
        if not change.hunks:
            there.sheet.empty()
        if there.sheet.text():
            raise Refused(_NOT_EMPTY)
        there.name = None

    def _rename(self, there: _File, new: str) -> None:
        self._grounds.at(new)
        if self._is_there(new):
            raise Refused(_EXISTS)
        there.name = new

    def _rewrite(self, there: _File, change: Change) -> None:
        old = there.ground.text or ""
        shown = any(old.strip("\n") in text for text in self._workshop.shown)
        content = change.content or ""
        if change.head and old.startswith(change.head.strip()):
            content = f"{change.head}\n{content}"
        there.sheet.rewrite(content, shown=shown)


class _Part(NamedTuple):
    """The diff of one file."""

    file: _File
    diff: str


def _parts(files: Sequence[_File], above: str) -> list[_Part]:
    found: list[_Part] = []
    for file in files:
        ground = file.ground
        before = None if ground.text is None else Side(above + ground.name, ground.executable)
        behind = None if file.name is None else Side(above + file.name, ground.executable)
        if before or behind:
            diff = file_diff(before, behind, file.sheet.old, file.sheet.new)
            found += [_Part(file, diff)] if diff else []
    return found


def _proved(parts: Sequence[_Part], workshop: Workshop) -> str:
    """The patch, proved: by applying it strictly to what was read, and by git to what is there.

    Raises:
        _Fault: there is none, or it is not proved.
    """
    patch = "".join(part.diff for part in parts)
    if not patch:
        raise _Fault(NOTHING)
    if len(patch) > MOST_CHARACTERS:
        raise _Fault(_TOO_LARGE)
    if "\0" in patch:
        raise _Fault(_NO_TEXT)
    for part in parts:
        try:
            holds = applied(part.file.ground.text or "", part.diff) == part.file.sheet.text()
        except Broken:
            holds = False
        if not holds:
            raise _Fault(_UNPROVED, part.file.ground.name)
    if workshop.git is None:
        return patch
    whole = "\n".join(("", *workshop.earlier, patch)) if workshop.earlier else f"\n{patch}"
    try:
        changed = workshop.git.check_patch(whole.encode())
    except (GitFailed, UnicodeEncodeError):
        raise _Fault(_BY_GIT) from None
    if changed != whole.count("\ndiff --git "):
        raise _Fault(_BY_GIT)
    return patch


def _after(parts: Sequence[_Part]) -> dict[str, str | None]:
    """What a patch makes of each file."""
    found: dict[str, str | None] = {}
    for file, _ in parts:
        if file.ground.text is not None and file.name != file.ground.name:
            found[file.ground.name] = None
        if file.name is not None:
            found[file.name] = file.sheet.text()
    return found
