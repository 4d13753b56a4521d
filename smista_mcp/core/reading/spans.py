"""A prompt told span by span: which words decided a phase, and which were set aside and why."""

from collections.abc import Sequence
from operator import itemgetter
from typing import Final, NamedTuple

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import Act
from smista_mcp.core.reading.phases import Draft, Outline
from smista_mcp.core.reading.prompt import Prompt

MOST_SPANS: Final = 200
"""Spans of one text that are told; a longer text is cut here."""
SAID: Final = {
    Act.REQUEST: "request",
    Act.DESIRE: "wish",
    Act.QUESTION: "question",
    Act.SYMPTOM: "trouble",
    Act.FRAGMENT: "noun",
    Act.CONDITION: "condition",
    Act.PERMISSION: "permission",
    Act.PREFERENCE: "manner",
    Act.NEGATION: "negation",
    Act.STATEMENT: "report",
}
"""What a clause does, in a word; beside these stand `output` (pasted output of a program) and `unread`."""
_ASIDE: Final = {
    "request": "leads to another request",
    "wish": "a request says more",
    "question": "a request or another question says more",
    "trouble": "a request or a question says more",
    "noun": "a request says more",
    "condition": "says when, not what",
    "permission": "only allows",
    "manner": "says how to go on, not what to do",
    "negation": "negated",
    "report": "tells, and asks for nothing",
}
"""Why a clause of a kind counts for no phase."""
OUTPUT: Final = "looks like pasted output of a program"
UNREAD: Final = "the middle of a long text is searched for paths alone"


class Span(NamedTuple):
    """A stretch of a text, and what was made of it.

    Attributes:
        start: where it begins, in characters of the text; `end` is exclusive.
        said: what it does, a value of `SAID`, `output` or `unread`.
        phase: the index of the phase that it counts for; None where it was set aside.
        decided: the words in it that decided the intent of the phase, as typed.
        masked: what in it was not read as language: paths, code, quotes, addresses.
        aside: why it counts for no phase; empty where it does.
    """

    start: int
    end: int
    said: str
    phase: int | None
    decided: tuple[str, ...]
    masked: tuple[str, ...]
    aside: str


def spans(prompt: Prompt, found: Outline) -> list[Span]:
    """The spans of a prompt in order; blanks and signs between clauses belong to none."""
    offsets = prompt.offsets(len(prompt.raw))
    owner = {k: number for number, draft in reversed([*enumerate(found.drafts)]) for k in draft.own}
    told = [_clause(prompt, found, k, owner.get(k), offsets) for k in range(len(found.clauses))]
    last = prompt.gap[0] - 1
    unread = offsets[last] + len(prompt.raw[last]) if prompt.gap[0] else 0
    told += [Span(start, end, "output", None, (), (), OUTPUT) for start, end in _output(prompt, told, unread)]
    if prompt.gap[0]:
        told.append(Span(unread, prompt.gap[1], "unread", None, (), (), UNREAD))
    return sorted(told, key=itemgetter(0))[:MOST_SPANS]


def _clause(prompt: Prompt, found: Outline, k: int, phase: int | None, offsets: Sequence[int]) -> Span:
    part = found.clauses[k]
    said = SAID[found.readings[k].act]
    until = prompt.gap[0] if part.start < prompt.gap[0] < part.end else part.end
    inside = range(part.start, until)
    masked = tuple(prompt.raw[i] for i in inside if prompt.words[i].role in (v.MASK, v.PATH))
    last = until - 1
    end = offsets[last] + len(prompt.raw[last])
    if phase is None or _is_beside(found.drafts[phase], said, k):
        return Span(offsets[part.start], end, said, None, (), masked, _ASIDE[said])
    decided = tuple(prompt.raw[i] for i in found.drafts[phase].evidence if i in inside)
    return Span(offsets[part.start], end, said, phase, decided, masked, "")


def _is_beside(draft: Draft, said: str, k: int) -> bool:
    """Whether a clause only belongs to a phase because all of the text does (a declared intent, a command)."""
    return draft.source in ("declared", "command") and said == "negation" and k in draft.own


def _output(prompt: Prompt, told: Sequence[Span], begins: int) -> list[tuple[int, int]]:
    """The stretches of whole lines that were taken for output, outside of clauses and of what `begins` unread."""
    if prompt.shown is prompt.text:
        return []
    taken = iter(told)
    clause = next(taken, None)
    found: list[tuple[int, int]] = []
    at, joined = 0, False
    for shown in prompt.shown.split("\n"):
        end = at + len(shown)
        while clause is not None and clause.end <= at:
            clause, joined = next(taken, None), False
        within = clause is not None and end > clause.start
        if not shown.strip() and prompt.text[at:end].strip() and not within and not begins <= at < prompt.gap[1]:
            begin = found.pop()[0] if joined else at
            found.append((begin, end))
            joined = True
        else:
            joined = False
        at = end + 1
    return found
