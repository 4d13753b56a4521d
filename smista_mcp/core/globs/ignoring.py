"""Ignore files: gitignore's lines as rules, of which the last one that meets an entry decides.

Unlike the patterns of a policy they may begin with `!` and `/`, and each is asked about one entry, not about all that
lies below it: whoever asks goes from folder to folder.
"""

import re
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from smista_mcp.core.globs.dialect import DOUBLE, Glob, meanings
from smista_mcp.core.globs.expression import Writer, as_written, segment_expression, without_case
from smista_mcp.core.globs.refusals import brace_refusal
from smista_mcp.core.globs.sets import folded

_LONGEST = 4096
_BROKEN = re.compile(r"[\[{\\\x00-\x1f\x7f]|(?<![^/])\.\.(?![^/])")
"""Where what nobody understands may begin."""


class Fault(NamedTuple):
    """A line that is not understood.

    Attributes:
        line: from 1.
        instead: the pattern that is applied in its place; None where the line is dropped, for it would have let in.
    """

    line: int
    why: str
    instead: str | None


class _Matcher(NamedTuple):
    """A pattern: its segments in groups that `**` stands between."""

    groups: tuple[tuple[re.Pattern[str], ...], ...]
    directories: bool


class _Rule(NamedTuple):
    matchers: tuple[_Matcher, ...]
    ignores: bool
    folds: bool


class IgnoreRules(NamedTuple):
    """The rules of one file, in its order."""

    rules: tuple[_Rule, ...]
    faults: tuple[Fault, ...] = ()

    def verdict(self, path: str, *, directory: bool) -> bool | None:
        """Whether an entry is ignored; None where no rule meets it.

        Args:
            path: from the folder of the file, without `/` at its end.
            directory: whether it is one.
        """
        parts = path.split("/")
        bent = folded(path).split("/")
        for rule in reversed(self.rules):
            if any(_meets(one, bent if rule.folds else parts, directory=directory) for one in rule.matchers):
                return rule.ignores
        return None


def ignore_rules(text: str, *, forbidding: bool) -> IgnoreRules:
    """Reads an ignore file.

    Args:
        text: its content.
        forbidding: a line that ignores then holds without case and in every way in which it may be meant, and one
            that is not understood ignores whatever begins like it. Without this, such a line says nothing, as to git.
    """
    rules: list[_Rule] = []
    faults: list[Fault] = []
    for number, raw in enumerate(text.removeprefix("\ufeff").split("\n"), 1):
        line = _trimmed(raw.removesuffix("\r"))
        if not line or line.startswith("#"):
            continue
        ignores = not line.startswith("!")
        body = line if ignores else line[1:]
        matchers = _matchers(body, folds=forbidding and ignores)
        why = _wrong(body, matchers) if forbidding or not matchers else None
        if why is not None:
            instead = _closed(body) if ignores and forbidding else None
            faults.append(Fault(number, why, instead))
            matchers = _matchers(instead, folds=True) if instead else ()
        if matchers:
            rules.append(_Rule(matchers, ignores, forbidding and ignores))
    return IgnoreRules(tuple(rules), tuple(faults))


def _wrong(body: str, matchers: Sequence[_Matcher]) -> str | None:
    if len(body) > _LONGEST:
        return "it is too long"
    if re.search(r"[\x00-\x1f\x7f]", body):
        return "it holds a control character"
    if re.search(r"(?<![^/])\.\.(?![^/])", body):
        return "it climbs out with `..`"
    if brace_refusal(body):
        return "it has braces, which git's patterns do not know"
    return None if matchers else "it is no pattern"


def _closed(body: str) -> str:
    """The pattern of whatever begins like one that is not understood."""
    found = _BROKEN.search(body[:_LONGEST])
    before = body[: found.start()] if found else ""
    return f"{before}*"


def _matchers(body: str, *, folds: bool) -> tuple[_Matcher, ...]:
    if len(body) > _LONGEST:
        return ()
    anchored = body.startswith("/")
    globs = meanings(body[1:] if anchored else body, forbidding=folds) if body.strip("/") else ()
    write = without_case if folds else as_written
    return tuple(_matcher(glob._replace(floating=glob.floating and not anchored), write) for glob in globs)


def _matcher(glob: Glob, write: Writer) -> _Matcher:
    groups: list[list[re.Pattern[str]]] = [[], []] if glob.floating else [[]]
    for segment in glob.segments:
        if segment == DOUBLE:
            groups.append([])
        else:
            groups[-1].append(re.compile(segment_expression(segment, write), re.DOTALL))
    return _Matcher(tuple(map(tuple, groups)), glob.directories)


def _meets(one: _Matcher, parts: Sequence[str], *, directory: bool) -> bool:
    """Whether a pattern meets the entry itself: its first group at the start, its last at the end."""
    if one.directories and not directory:
        return False
    first, *rest = one.groups
    if not _stands(first, parts, 0):
        return False
    if not rest:
        return len(parts) == len(first)
    *middle, last = rest
    at = len(first)
    for group in middle:
        found = next((i for i in range(at, len(parts) - len(group) + 1) if _stands(group, parts, i)), None)
        if found is None:
            return False
        at = found + len(group)
    end = len(parts) - max(len(last), 1)  # what `**` at the end stands for is at least one name
    return end >= at and (not last or _stands(last, parts, end))


def _stands(group: Iterable[re.Pattern[str]], parts: Sequence[str], at: int) -> bool:
    names = parts[at:]
    return all(i < len(names) and pattern.fullmatch(names[i]) for i, pattern in enumerate(group))


def _trimmed(line: str) -> str:
    """Without spaces at the end, unless a backslash keeps the first of them."""
    kept = line.rstrip(" ")
    escapes = len(kept) - len(kept.rstrip("\\"))
    return line[: len(kept) + (escapes % 2 if len(kept) < len(line) else 0)]
