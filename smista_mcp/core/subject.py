"""Whether there is anything that a phase could work on: a model that is given nothing makes it up."""

import re
from collections.abc import Sequence

from smista_mcp.core.facts import LeftOut, PhaseContext
from smista_mcp.core.redaction import shown
from smista_mcp.core.task import Phase
from smista_mcp.core.values import Intent

_READING = frozenset({Intent.CHAT, Intent.ANALYZE, Intent.REVIEW, Intent.SUMMARIZE})
"""Work on what is there already; a change may create its file."""
OF_CHANGES = frozenset({Intent.REVIEW, Intent.SUMMARIZE, Intent.COMMIT})
"""Work that takes what has changed where its words name nothing."""
UNTRACKED = "not in the difference: git does not track it yet"
"""Why a new file is left out of what has changed."""
_NOTHING = "nothing that it is about can be read"
_INSTEAD = "name files or folders, hand a diff over as `diff`, or write the text itself into the task"
_NAMED = 5
_MANY_WORDS = 40
"""A request has fewer words: with more of them, what it is about stands in it."""
_WORD = re.compile(r"[^\W\d_]+(?:'[^\W\d_]+)?")
_HELD = re.compile(r"```|\n[^\n]*\w|[\"“«][^\"”»]{12,}|:\s*\S+\s+\S+\s+\S")
"""Marks of a text that stands in the words: a fence, further lines, a longer quotation, a sentence behind a colon."""
_OF_THE_TREE = frozenset(
    "diff diffs patch change changes changed staged unstaged uncommitted modified modifications edits edited working"
    " workspace worktree tree commit commits pr changelog".split()
)
_BARE = frozenset(
    "a an all any and as be can could code codes description do does done everything file files for from full give help"
    " here i in is it its last latest look make me message messages my now of on one our over please pr project pull"
    " quick quickly request requests review reviewed reviewing reviews short sum summaries summarise summarize summary"
    " team text that the them these things this those title to up us we well what whole with work write would you your"
    " recent current new".split()
)
"""Words that name nothing: with none but these, a phase is about what lies there."""

_WIDE = frozenset(("code", "codes", "project", "files", "everything", "all", "whole"))
"""Of these the words that mean all that lies there, for who can look at it."""


def nothing_to_work_on(phase: Phase, context: PhaseContext, *, looks: bool = False) -> str:
    """Why a phase has nothing to work on, and what to write instead; empty where it has something, or needs nothing.

    It has nothing where none of the files that it should read can be read, and where it is about what has changed in a
    working tree without changes.

    Args:
        phase: the phase.
        context: what there is for it.
        looks: whether its model looks around by itself, so that it may be about the whole code.
    """
    if any(item.required and item.kind != "answer" for item in context.items):
        return ""
    files = [left for left in context.left_out if left.kind == "file" and left.part and not left.restricted]
    if files and phase.intent.name in _READING:
        return f"{_NOTHING}: {_told(files)} (name a file of the workspace, or attach its content)"
    return _without_changes(phase, context, looks=looks)


def _without_changes(phase: Phase, context: PhaseContext, *, looks: bool) -> str:
    """Why a phase that is about what has changed has nothing to work on; empty where it has."""
    if phase.intent.name not in OF_CHANGES or phase.depends_on or phase.skill:
        return ""
    if any(path.required for path in context.paths) or any(item.kind == "answer" for item in context.items):
        return ""
    gone = [left for left in context.left_out if left.kind == "git_diff"]
    if not gone or _is_said(phase, context, looks=looks):
        return ""
    new = [left.path for left in context.left_out if left.reason == UNTRACKED]
    named = f"; git does not track {', '.join(f'`{shown(path)}`' for path in new[:_NAMED])} yet" if new else ""
    return f"{_NOTHING}: {_told(gone)}{named} ({_INSTEAD})"


def _is_said(phase: Phase, context: PhaseContext, *, looks: bool) -> bool:
    spoken = context.spoken
    if spoken is None:
        return says_what(phase.text, looks=looks)
    return spoken.subject_looking if looks else spoken.subject


def says_what(words: str, *, looks: bool) -> bool:
    """Whether the words say what it is about, or hold it, and speak of no changes."""
    if _HELD.search(words.strip()):
        return True
    found = [word.lower() for word in _WORD.findall(words)]
    if len(found) > _MANY_WORDS:
        return True
    return _OF_THE_TREE.isdisjoint(found) and not (_BARE - _WIDE if looks else _BARE).issuperset(found)


def _told(gone: Sequence[LeftOut]) -> str:
    return "; ".join(f"`{shown(left.path)}`: {left.reason}" for left in gone[:_NAMED])
