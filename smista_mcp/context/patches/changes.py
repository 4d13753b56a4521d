"""What a model wrote as a change, as it was read: files and stretches of lines, no place in them settled yet."""

from typing import Literal, NamedTuple

Mark = Literal[" ", "-", "+"]


class HunkLine(NamedTuple):
    """A line of a hunk.

    Attributes:
        mark: context, removed or added.
        text: without its mark and without its end.
        raw: as it stood, mark included: models forget the mark of a context line.
        bare: whether the file ends behind it without a line end, as the hunk says.
    """

    mark: Mark
    text: str
    raw: str
    bare: bool = False


class Hunk(NamedTuple):
    """A stretch of a file with what becomes of it.

    Attributes:
        start: the first line that its header names, in the old file, from 1; None where it names none.
        heading: what stands behind its header: most often a line before it.
    """

    lines: tuple[HunkLine, ...]
    start: int | None = None
    heading: str = ""


class Change(NamedTuple):
    """What is to become of one file.

    Attributes:
        old: its name, as it stood; None where it is new, or where the answer names no file.
        new: the name that it has afterwards; None where it is deleted, or where the answer names no file.
        moved: whether the answer says in words that it is renamed.
        content: the whole of what it holds afterwards; None where hunks say what changes.
        head: a first line that gave the name of the file, and may be a part of it all the same.
        sure: whether the name of a whole file was clearly given.
        aside: whether other changes stand beside this whole file: then it may be an excerpt, unless the file is new.
        fault: why this cannot be taken, in words that repeat nothing of the answer; empty where it can.
    """

    old: str | None
    new: str | None
    hunks: tuple[Hunk, ...] = ()
    moved: bool = False
    content: str | None = None
    head: str = ""
    sure: bool = True
    aside: bool = False
    fault: str = ""

    @property
    def unnamed(self) -> bool:
        """Whether nothing says which file it is about."""
        return self.old is None and self.new is None


class Cut(NamedTuple):
    """An answer, cut.

    Attributes:
        words: all of it that is no change.
        changes: in the order in which they stood.
    """

    words: str
    changes: tuple[Change, ...]
