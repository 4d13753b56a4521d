"""Cuts a unified diff into the parts of its files, so that each can be judged by the names it is about.

Understood are the shapes that git writes (prefixes or none, renames, copies, quoted names, binary files, combined
diffs, mode changes, commits and mails around them) and plain `diff -u`. Hunks are followed by their line counts, so
that no line inside one is taken for a header. Whatever is not understood becomes a part that cannot be judged.
"""

import re
from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.context.diffnames import NOWHERE, Names, joined, name_of_line, named, pair_of_header, paired, undated

_HUNK = re.compile(r"(?P<mark>@@+)(?P<ranges>(?: [-+][0-9]{1,9}(?:,[0-9]{1,9})?){2,64}) (?P=mark)")
_COUNT = re.compile(r" [-+][0-9]+(?:,([0-9]+))?")
_GIT = ("diff --git ", "diff --cc ", "diff --combined ")
_NAMING = ("copy from ", "copy to ", "rename from ", "rename to ", "rename old ", "rename new ")
_PLAIN = ("old mode ", "new mode ", "deleted file mode ", "new file mode ", "mode ", "similarity index ", "index ")
_EXTENDED = (*_NAMING, *_PLAIN, "dissimilarity index ")
_UNMERGED = "* Unmerged path "
_BLOCK = re.compile(r"(?:literal|delta) [0-9]+\Z")
_BASE85 = re.compile(r"[A-Za-z][0-9A-Za-z!#$%&()*+;<=>?@^_`{|}~-]+\Z")
_COMMIT = re.compile(r"commit [0-9a-f]{7,64}(?: \(.*\))?\Z")
_COMMIT_LINE = re.compile(
    r"\Z| {4}|(?:Author|AuthorDate|Commit|CommitDate|Date|Merge): |---\Z"
    r"| .+\| +| [0-9]+ files? changed| (?:create|delete|rename|copy|mode change) "
)
_MAIL = re.compile(r"From [0-9a-f]{40,64} Mon Sep 17 00:00:00 2001\Z")
_VERSION = re.compile(r"[0-9]+(?:\.[\w()-]+)+(?: \(.*\))?\Z")
_OPENS_PLAIN = ("--- ", "Index: ", "diff ")
_OF_A_FILE = ("@@", "+++")
"""Lines that text around the files does not have, unless it hides one."""


class FileDiff(NamedTuple):
    """A part of a diff.

    Attributes:
        names: old and new name of its file (one where they are equal; a byte that is no UTF-8 is a lone surrogate);
            empty for text around the files, such as a commit message; None where it cannot be judged.
        text: the part as it stood; all parts joined give the diff.
        forms: every way to read the names.
    """

    names: tuple[str, ...] | None
    text: str
    forms: tuple[str, ...] = ()


class _Part(NamedTuple):
    """Where a part ends and what it is about; None: not understood."""

    end: int
    names: Names | None


_TEXT = Names((), ())


def split(diff: str) -> tuple[FileDiff, ...]:
    """Cuts a diff. Never raises; linear in its length."""
    lines = _lines(diff)
    found: list[FileDiff] = []
    at = 0
    while at < len(lines):
        part = _part(lines, at)
        text = "".join(lines[at : part.end])
        names = None if _has_bare_return(lines, at, part.end) else part.names
        found.append(FileDiff(None, text) if names is None else FileDiff(names.best, text, names.forms))
        at = part.end
    return tuple(found)


def _has_bare_return(lines: Sequence[str], at: int, end: int) -> bool:
    """Whether a line before the hunks has a carriage return inside: who ends a line there reads other names."""
    while at < end and not lines[at].startswith("@@"):
        if "\r" in _head(lines, at):
            return True
        at += 1
    return False


def _lines(text: str) -> list[str]:
    """Lines as git ends them: with a line feed and nothing else."""
    pieces = text.split("\n")
    lines = [piece + "\n" for piece in pieces[:-1]]
    return [*lines, pieces[-1]] if pieces[-1] else lines


def hunks(text: str) -> tuple[str, tuple[str, ...]]:
    """Cuts the part of one file, as `split` gives it, into what stands before its hunks and each of them.

    Joined they give the part. What has no hunks (a binary file, a change of mode) is all head; what follows the last
    hunk belongs to it.
    """
    lines = _lines(text)
    start = next((at for at, line in enumerate(lines) if line.startswith("@@")), len(lines))
    cuts: list[int] = []
    at: int | None = start
    while at is not None and _head(lines, at).startswith("@@"):
        cuts.append(at)
        at = _hunk(lines, at)
    found = ("".join(lines[a:b]) for a, b in zip(cuts, [*cuts[1:], len(lines)], strict=True))
    return "".join(lines[:start]), tuple(found)


def _head(lines: Sequence[str], at: int) -> str:
    """A line without its end; empty behind the last one."""
    return lines[at].removesuffix("\n").removesuffix("\r") if at < len(lines) else ""


def _part(lines: Sequence[str], at: int) -> _Part:
    line = _head(lines, at)
    if line.startswith(_GIT):
        return _git_file(lines, at, line)
    text = _text(lines, at)
    if text is not None:
        hides = any(_head(lines, inner).lstrip().startswith(_OF_A_FILE) for inner in range(at, text))
        return _Part(_next_file(lines, text), None) if hides else _Part(text, _TEXT)
    if line.startswith(_UNMERGED):
        return _Part(_blank(lines, at + 1), named((line.removeprefix(_UNMERGED),)))
    if line.startswith(_OPENS_PLAIN):
        part = _plain_file(lines, at)
        if part.names is not None and part.names.best:
            return part
    return _Part(_next_file(lines, at + 1), None)


def _blank(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not _head(lines, at):
        at += 1
    return at


def _next_file(lines: Sequence[str], at: int) -> int:
    while at < len(lines) and not lines[at].startswith(_GIT):
        at += 1
    return at


def _text(lines: Sequence[str], at: int) -> int | None:
    """The end of blank lines, of a commit's head as `git show` writes it, or of a mail's; None where this is none."""
    line = _head(lines, at)
    if not line:
        return _blank(lines, at)
    if _MAIL.match(line):
        at += 1
        while at < len(lines) and not lines[at].startswith(_OPENS_PLAIN):
            at += 1
        return at
    if not _COMMIT.match(line):
        return None
    at += 1
    while at < len(lines) and _COMMIT_LINE.match(_head(lines, at)):
        at += 1
    return at


def _git_file(lines: Sequence[str], at: int, header: str) -> _Part:
    said: list[Names] = []
    broken = False
    at += 1
    while _head(lines, at).startswith(_EXTENDED):
        line = _head(lines, at)
        if line.startswith(_NAMING):
            name = name_of_line(line.split(" ", 2)[2])
            broken = broken or name is None
            said.append(named((name or "",)))
        at += 1
    broken = broken or _is_broken(header)
    titled = _titles(lines, at, git=True)
    end = _body(lines, titled.end) if titled else None
    if broken or titled is None or end is None:
        return _Part(_next_file(lines, at), None)
    moved = named([form for names in said for form in names.forms])
    names = joined((moved, *_of_header(header, titled)))
    return _Part(end, names) if names.best else _Part(_next_file(lines, at), None)


def _is_broken(header: str) -> bool:
    """Whether quotation marks in the first line do not hold together."""
    rest = header.split(" ", 2)[2]
    if header.startswith("diff --git "):
        return '"' in rest and pair_of_header(rest) is None
    return name_of_line(rest) is None


def _of_header(header: str, titled: "_Titles") -> tuple[Names, ...]:
    """What the first line and the `---` and `+++` lines say, the surer one first."""
    if not header.startswith("diff --git "):
        whole = name_of_line(header.split(" ", 2)[2])
        return (named((whole,)), titled.names) if whole else ()
    pair = pair_of_header(header.removeprefix("diff --git "), titled.raw)
    if pair is None:
        return (titled.names,)
    names = paired(*pair, git=True)
    if set(titled.names.best) <= set(names.best):
        return (names,)  # the lines below say the same, less surely
    return (titled.names, names) if len(titled.raw) > 1 else (names, titled.names)


class _Titles(NamedTuple):
    """The names of the `---` and `+++` lines, also as they stood; those on no side but `/dev/null` are left out."""

    names: Names
    raw: tuple[str, ...]
    end: int


def _titles(lines: Sequence[str], at: int, *, git: bool) -> _Titles | None:
    """Reads the `---` and `+++` lines; None where a name in them cannot be read."""
    old: list[str] = []
    start = at
    while _head(lines, at).startswith("--- "):  # several in a combined diff with all paths
        name = name_of_line(_head(lines, at)[4:])
        if name is None:
            return None
        old.append(name)
        at += 1
    if not old:
        return _Titles(_TEXT, (), start)
    new = name_of_line(_head(lines, at)[4:]) if _head(lines, at).startswith("+++ ") else None
    if new is None:
        return None
    raw = tuple(name for name in (*old, new) if name != NOWHERE)
    read = [paired(name, new, git=git) for name in old]
    if not git:
        read[:0] = [paired(undated(name), undated(new), git=git) for name in old]
    return _Titles(joined(read), raw, at + 1)


def _body(lines: Sequence[str], at: int) -> int | None:
    """The end of hunks or binary data; None where they break off in a way that hides what they belong to."""
    line = _head(lines, at)
    if line == "GIT binary patch":
        return _closing(lines, _binary(lines, at + 1))
    if line.startswith("Binary files ") and line.endswith("differ"):
        return _closing(lines, at + 1)
    position: int | None = at
    while position is not None and _head(lines, position).startswith("@@"):
        position = _hunk(lines, position)
    return None if position is None else _closing(lines, position)


def _binary(lines: Sequence[str], at: int) -> int:
    while _BLOCK.match(_head(lines, at)):
        at += 1
        while _BASE85.match(_head(lines, at)):
            at += 1
        at = _blank(lines, at)
    return at


def _closing(lines: Sequence[str], at: int) -> int:
    """Takes along blank lines and the signature that ends a mail."""
    at = _blank(lines, at)
    if _head(lines, at).rstrip() == "--" and _VERSION.match(_head(lines, at + 1)):
        at = _blank(lines, at + 2)
    return at


def _hunk(lines: Sequence[str], at: int) -> int | None:
    """The end of one hunk, by its counts. One that is cut short by the next file of git or the end is still its own."""
    match = _HUNK.match(_head(lines, at))
    if not match or match["ranges"].count("+") != 1 or match["ranges"].count(" ") != len(match["mark"]):
        return None
    left = [int(count) if count else 1 for count in _COUNT.findall(match["ranges"])]
    at += 1
    while at < len(lines):
        line = lines[at]
        if line.startswith("\\"):
            at += 1
            continue
        if not any(left):
            return at
        if not _count(line, left):
            return at if line.startswith(_GIT) else None
        at += 1
    return at


def _count(line: str, left: list[int]) -> bool:
    """Takes a line of a hunk off the counts (old sides, then the new one); false where it cannot belong to it."""
    sides = len(left) - 1
    columns = line[:sides] if line not in ("\n", "\r\n") else " " * sides
    if len(columns) < sides or columns.strip(" +-"):
        return False
    removed = "-" in columns
    if removed and "+" in columns:
        return False
    for side, mark in enumerate(columns):
        if mark == "-" or (mark == " " and not removed):
            left[side] -= 1
    if not removed:
        left[-1] -= 1
    return min(left) >= 0


def _plain_file(lines: Sequence[str], at: int) -> _Part:
    said: list[Names] = []
    start = at
    if _head(lines, at).startswith("Index: "):
        said.append(named((_head(lines, at)[7:],)))
        at += 1
        if _head(lines, at) and not _head(lines, at).strip("="):
            at += 1
    elif _head(lines, at).startswith("diff "):
        at += 1
    titled = _titles(lines, at, git=False)
    if titled is None or titled.end == at or not _head(lines, titled.end).startswith("@@"):
        return _Part(start, None)
    end = _body(lines, titled.end)
    return _Part(start, None) if end is None else _Part(end, joined([titled.names, *said]))
