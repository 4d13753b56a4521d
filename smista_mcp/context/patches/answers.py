"""Cuts an answer into its words and the change that it holds, in whatever shape the model wrote that."""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from smista_mcp.context.patches.blocks import opens_listed, opens_search, read_listed, read_search
from smista_mcp.context.patches.changes import Change, Cut
from smista_mcp.context.patches.diffs import opens_file, opens_hunk, read_file_diff, read_hunks

_FENCE = re.compile(r"(?P<indent> {0,9})(?P<fence>`{3,}|~{3,})[ \t]*(?P<info>[^`]*)\Z")
_DIFFS = frozenset(("diff", "patch", "udiff"))
_TEXTS = frozenset(("md", "markdown", "mdx"))
_NAME = r"[\w@+.,~()\[\]-]+(?:/[\w@+.,~()\[\]-]+)*"
_PATH = re.compile(rf"{_NAME}\Z")
_ENDING = re.compile(r"[^.]\.\w{1,12}\Z|/|\A(?:Makefile|Dockerfile|Justfile|Procfile|\.\w+)\Z")
_QUOTED = re.compile(r"[`*\"']{1,3}([^`*\"']+)[`*\"']{1,3}")
_AROUND = " \t#*`\"':>-"
_SAID = re.compile(r"(?:new |updated |modified )?(?:file|path|filename)(?: ?name)?\s*[:=]?\s+", re.IGNORECASE)
_COMMENT = re.compile(r"(?:#|//|--|;|/\*|<!--)\s*(?P<name>[^\s*]+)\s*(?:\*/|-->)?\Z")
_UNENDED = "breaks off inside a block"
_MOST_LABEL = 300


class _Label(NamedTuple):
    """A name that may be meant. `sure` where it stands alone."""

    name: str
    sure: bool


class _Block(NamedTuple):
    lines: tuple[str, ...]
    info: str
    label: _Label | None
    ended: bool
    shown: tuple[str, ...]


@dataclass(slots=True)
class _Cutting:
    words: list[str] = field(default_factory=list[str])
    changes: list[Change] = field(default_factory=list[Change])
    blocks: list[_Block] = field(default_factory=list[_Block])

    def label(self) -> _Label | None:
        """What the last words say of a name."""
        return _label_of(next((line for line in reversed(self.words[-3:]) if line.strip()), ""))


def cut(answer: str) -> Cut:
    """Cuts an answer. Never raises; blocks of code that stand beside a diff are words."""
    lines = [line.removesuffix("\r") for line in answer.split("\n")]
    cutting = _Cutting()
    at = 0
    while at < len(lines):
        end = _bare(cutting, lines, at)
        if end is None:
            end = _fenced(cutting, lines, at)
        if end is None:
            cutting.words.append(lines[at])
            end = at + 1
        at = end
    if not cutting.changes:
        return _whole_files(cutting, answer)
    named = {name for change in cutting.changes for name in (change.old, change.new)}
    beside = [block for block in cutting.blocks if block.label and block.label.sure and block.label.name not in named]
    files = (_whole(block, block.label, "")._replace(aside=True) for block in beside)
    return Cut(_tidy(cutting.words), (*cutting.changes, *files))


def _bare(cutting: _Cutting, lines: Sequence[str], at: int, *, fenced: bool = False) -> int | None:
    """Takes the change that begins at a line; the line behind it, or None where none does."""
    if opens_file(lines, at):
        read = read_file_diff(lines, at, fenced=fenced)
        cutting.changes.append(read.change)
        return max(read.end, at + 1)
    if opens_listed(lines[at]):
        changes, end = read_listed(lines, at)
        cutting.changes += changes
        return max(end, at + 1)
    if opens_search(lines[at]):
        label = cutting.label()
        read = read_search(lines, at, label.name if label else None)
        cutting.changes.append(read.change)
        return read.end
    return None


def _fenced(cutting: _Cutting, lines: Sequence[str], at: int) -> int | None:
    match = _FENCE.match(lines[at])
    if match is None:
        return None
    indent, fence, info = match["indent"], match["fence"], match["info"].strip()
    label = _label_in_info(info) or cutting.label()
    texts = info.casefold().partition(" ")[0] in _TEXTS or (label is not None and label.name.endswith(".md"))
    end = _closing(lines, at, indent, fence, nested=texts)
    inner = tuple(line.removeprefix(indent) for line in lines[at + 1 : end])
    if not _changes_in(cutting, inner, info, label):
        block = _Block(inner, info, label, end < len(lines), tuple(lines[at : end + 1]))
        cutting.blocks.append(block)
        cutting.words += block.shown
    return end + 1


def _closing(lines: Sequence[str], at: int, indent: str, fence: str, *, nested: bool) -> int:
    """The line that closes a fence; behind the last where none does. Fences with a language open inner blocks."""
    depth = 0
    for place in range(at + 1, len(lines)):
        inner = _FENCE.match(lines[place])
        if inner is None or inner["indent"] != indent or inner["fence"][0] != fence[0]:
            continue
        if inner["info"].strip():
            depth += nested and len(inner["fence"]) == len(fence)
        elif len(inner["fence"]) >= len(fence):
            if not depth:
                return place
            depth -= 1
    return len(lines)


def _changes_in(cutting: _Cutting, inner: Sequence[str], info: str, label: _Label | None) -> bool:
    """Takes the changes in a block; whether there are any."""
    count = len(cutting.changes)
    first = next((line for line in inner if line.strip()), "")
    kind = info.casefold().partition(" ")[0]
    if (kind in _DIFFS or opens_hunk(first)) and not any(_opens(inner, at) for at in range(len(inner))):
        start = next((at for at, line in enumerate(inner) if opens_hunk(line)), 0)
        hunks, _ = read_hunks(inner, start, fenced=True)
        name = label.name if label else None
        if hunks:
            cutting.changes.append(Change(name, name, hunks))
        return bool(hunks)
    inside = _Cutting(words=[label.name] if label else [], changes=cutting.changes)
    at = 0
    while at < len(inner):
        end = _bare(inside, inner, at, fenced=True)
        if end is None:
            inside.words.append(inner[at])
            end = at + 1
        at = end
    return len(cutting.changes) > count


def _opens(lines: Sequence[str], at: int) -> bool:
    return opens_file(lines, at) or opens_listed(lines[at]) or opens_search(lines[at])


# -------------------------------------------------------------------------------------------------------- whole files


def _whole_files(cutting: _Cutting, answer: str) -> Cut:
    """Blocks that are named after files; a single block without a name stands for the single file there is."""
    found: dict[int, Change] = {}
    for place, block in enumerate(cutting.blocks):
        label, head = block.label, ""
        if label is None and block.lines:
            comment = _COMMENT.match(block.lines[0].strip())
            label = _Label(comment["name"], sure=True) if comment and _is_path(comment["name"]) else None
            head = block.lines[0] if label else ""
        if label is None:
            continue
        found[place] = _whole(block, label, head)
    if not found and len(cutting.blocks) == 1:
        found[0] = _whole(cutting.blocks[0], None, "")
    words = answer
    for place in found:
        words = words.replace("\n".join(cutting.blocks[place].shown), "", 1)
    return Cut(_tidy(words.split("\n")), tuple(found.values()))


def _whole(block: _Block, label: _Label | None, head: str) -> Change:
    lines = block.lines[1:] if head else block.lines
    name = label.name if label else None
    content = "\n".join(lines) + ("\n" if lines else "")
    fault = "" if block.ended else _UNENDED
    return Change(name, name, (), content=content, head=head, sure=bool(label and label.sure), fault=fault)


def _label_in_info(info: str) -> _Label | None:
    """The name in what stands behind a fence: `python src/a.py`, `python:src/a.py`, `title="src/a.py"`."""
    words = [part.strip("\"'{}") for word in info.split() for part in re.split(r"[:=]", word)]
    named = [word for word in words if _is_path(word)]
    return _Label(named[0], sure=True) if len(named) == 1 else None


def _label_of(line: str) -> _Label | None:
    """The one name of a file that a line of words gives."""
    if len(line) > _MOST_LABEL:
        return None
    plain = _SAID.sub("", line.strip(_AROUND), count=1).strip(_AROUND)
    if _is_path(plain):
        return _Label(plain, sure=True)
    quoted = [name for name in _QUOTED.findall(line) if _is_path(name)]
    named = quoted or [word for word in (w.strip("()[],;:.!?") for w in line.split()) if _is_path(word)]
    return _Label(named[0], sure=False) if len(set(named)) == 1 else None


def _is_path(text: str) -> bool:
    return _PATH.match(text) is not None and _ENDING.search(text) is not None


def _tidy(words: Sequence[str]) -> str:
    """Words without the gaps that a change left."""
    return re.sub(r"\n{3,}", "\n\n", "\n".join(words)).strip()
