"""Earlier turns of a session as context: which of them go along, and which one a phase cannot do without."""

import hashlib
import re
from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from smista_mcp.core.facts import ContextItem, LeftOut, PhaseContext
from smista_mcp.core.origins import Chain
from smista_mcp.core.task import Phase
from smista_mcp.core.tokens import count_tokens
from smista_mcp.core.values import Label

NEW = "new"
"""What a call writes for a session that is yet to begin."""
SESSION_DAYS = 30
"""Days after its last use for which a session is kept."""
BODY_DAYS = 7
"""Days for which words and answers of a turn are kept; its labels stay for as long as the session."""
MAX_TURNS = 50
"""Turns that a later call looks at, the newest ones."""


class Turn(NamedTuple):
    """One completed phase of an earlier call.

    Attributes:
        number: from 1.
        words: those of the phase; None once they are no longer kept, as is `answer` then.
        label: of the answer.
        origin: where the label comes from.
        forms: every form of the paths that the answer was made from, directly or through earlier turns.
        model: which one answered, as resolved.
        at: when, in seconds since the epoch.
        opening: with what the request began that it answers.
    """

    number: int
    words: str | None
    answer: str | None
    label: Label | None = None
    origin: Chain = ()
    forms: tuple[str, ...] = ()
    model: str | None = None
    at: float | None = None
    opening: str | None = None


class Recalled(NamedTuple):
    """What turns add to the context of one phase: items with the text of each, and what is named only."""

    items: tuple[tuple[ContextItem, str], ...] = ()
    left_out: tuple[LeftOut, ...] = ()


def name_of(number: int) -> str:
    """How decisions, receipts and explanations name a turn."""
    return f"turn {number} of the session"


def recalled(
    turns: Sequence[Turn], phase: Phase, context: PhaseContext, repeated: Collection[int] = frozenset()
) -> Recalled:
    """The turns as context of a phase, the newest first, so that the oldest are the first that do not fit.

    Required are the turn before, where the words point back, those that they name, and those that the call repeats.

    Args:
        turns: those of the session, in any order.
        phase: the phase.
        context: all else that it has; what its words point at may be there.
        repeated: numbers of turns, from `repetitions`.
    """
    newest = sorted(turns, key=lambda turn: -turn.number)
    needed = set(repeated) | {int(number) for number in _NUMBERED.findall(phase.text[: 2 * _READ])}
    if newest and refers_back(phase, context):
        needed.add(newest[0].number)
    items: list[tuple[ContextItem, str]] = []
    left_out: list[LeftOut] = []
    for turn in newest[:MAX_TURNS]:
        if turn.words is None or turn.answer is None:
            left_out.append(LeftOut(name_of(turn.number), "answer", f"its text was kept for {BODY_DAYS} days"))
            continue
        text = f"Asked: {turn.words}\nAnswered: {turn.answer}"
        items.append((_item(turn, text, required=turn.number in needed), text))
    if len(newest) > MAX_TURNS:
        older = len(newest) - MAX_TURNS
        left_out.append(LeftOut(f"{older} more", "answer", f"older than the last {MAX_TURNS} turns"))
    return Recalled(tuple(items), tuple(left_out))


_WORD = re.compile(r"\w+")
_WINDOW = 8
"""Words in a row that tell that a text is repeated."""
_LEAST = 4
"""Words of the shortest answer that is looked for."""


def repetitions(
    turns: Sequence[Turn], text: str, phases: Sequence[Phase], given: Sequence[str] = ()
) -> list[frozenset[int]]:
    """For each phase the labelled turns whose answers the call repeats in it.

    What was shown to the host with a label keeps it when the host hands it on in the same session. Where a repetition
    is lost between the phases, each of them has it.

    This finds honest repetition, and no more: an answer of fewer than four words, one that was said with other words,
    what stands behind the first 256 kB of one, one that is no longer kept, and turns before the last 51 are not known
    again. What a host has been shown, nobody can hold it to.

    Args:
        turns: those of the session.
        text: all words of the task.
        phases: how they were read.
        given: what the call brings along besides: a diff, attachments.
    """
    labelled = [turn for turn in turns if turn.label is not None]
    if not labelled:
        return [frozenset()] * len(phases)
    everywhere = _repeated(labelled, given)
    parts = [_repeated(labelled, (phase.text,)) for phase in phases]
    lost = _repeated(labelled, (text,)).difference(*parts)
    return [frozenset(part | everywhere | lost) for part in parts]


def _repeated(turns: Sequence[Turn], given: Sequence[str]) -> set[int]:
    """The numbers of the turns of which a text repeats some words in a row, whatever stands around and between them."""
    answers = {turn.number: _WORD.findall(turn.answer.casefold()) for turn in turns if turn.answer}
    sizes = {min(_WINDOW, len(words)) for words in answers.values()} - set(range(_LEAST))
    if not sizes:
        return set()
    texts = [_WORD.findall(text.casefold()) for text in given]
    known = {size: set[str]().union(*(_windows(words, size) for words in texts)) for size in sizes}
    return {
        number
        for number, words in answers.items()
        if (size := min(_WINDOW, len(words))) in sizes and not known[size].isdisjoint(_windows(words, size))
    }


def _windows(words: Sequence[str], size: int) -> Iterator[str]:
    return (" ".join(words[start : start + size]) for start in range(len(words) - size + 1))


def _item(turn: Turn, text: str, *, required: bool) -> ContextItem:
    return ContextItem(
        path=name_of(turn.number),
        kind="answer",
        tokens=count_tokens(text),
        required=required,
        digest=hashlib.sha256(text.encode()).hexdigest(),
        forms=turn.forms,
        derived=turn.label,
        origin=turn.origin,
    )


_THINGS = (
    r"answers?|repl(?:y|ies)|responses?|plans?|reviews?|summar(?:y|ies)|explanations?|texts?|drafts?|versions?|lists?"
    r"|tables?|steps?|points?|findings?|suggestions?|proposals?|patch(?:es)?|diffs?|changes?|code|functions?|class(?:es)?"
    r"|scripts?|quer(?:y|ies)|tests?|messages?|results?|outputs?|conclusions?|analys[ei]s|notes?|turns?"
)
_ALWAYS = re.compile(
    rf"\b(?:your|previous|earlier|preceding|prior|last|former|above)\s+(?:\w+\s+)?(?:{_THINGS})\b"
    r"|\bthe\s+(?:above|former|latter)\b|\babove\s*$|\bas\s+(?:above|before|you)\b"
    r"|\byou(?:\s+\w+)?\s+(?:said|say|wrote|proposed|suggested|listed|mentioned|named|found|gave|did|planned|described)\b"
    r"|\bwe(?:\s+\w+)?\s+(?:said|found|learned|learnt|discussed|agreed|decided|concluded|find\s+out)\b"
    r"|\bthis\s+session\b|\b(?:go\s+on|carry\s+on|keep\s+going)\b|^\W*continue\b",
    re.IGNORECASE,
)
"""Points back at an earlier answer whatever else there is."""
_UNLESS_HERE = re.compile(
    r"\b(?:it|its|they|them|their|these|those|itself|themselves)\b"
    r"|\b(?:that|this)\b(?=\s*(?:$|[^\w\s]|(?:in|into|to|for|as|with|by|from|and|or|but|again|instead|more|less|a|an|so|is"
    r"|was|does|means?|work|works|shorter|longer|simpler|better|faster|mean|please|now|then|too|first|up|out|down)\b))"
    rf"|\b(?:that|this)\s+(?:\w+\s+)?(?:{_THINGS})\b"
    r"|\bthe\s+same\b|\b(?:the\s+)?(?:first|second|third|fourth|fifth|last|other|next)\s+(?:one|point|step|item|part|option)\b"
    r"|\b(?:shorter|longer|simpler|more\s+detail(?:s|ed)?|less\s+detail(?:s|ed)?|in\s+other\s+words|once\s+more)\b"
    r"|^\W*(?:and|but|so|also|now|again|instead|why|how\s+so|what\s+about|what\s+else|more|less|try\s+again|redo|undo)\b",
    re.IGNORECASE,
)
"""Points back where nothing that the call brings along can be meant."""
_NUMBERED = re.compile(r"\bturn\s+(\d{1,9})\b", re.IGNORECASE)
_READ = 4000
"""Characters of the words that are looked at, from each end: who points back says so early or late."""


def refers_back(phase: Phase, context: PhaseContext) -> bool:
    """Whether a phase builds on the answer before it, as its words say.

    In doubt it does: then a labelled answer keeps the phase on this machine. Where it does not, such an answer stays
    here all the same, and a remote model does the phase without it. A phase that waits for another of the same task
    means that one by `it`.
    """
    text = phase.text if len(phase.text) <= 2 * _READ else f"{phase.text[:_READ]}\n{phase.text[-_READ:]}"
    if _ALWAYS.search(text):
        return True
    here = phase.depends_on or any(path.required for path in context.paths)
    here = here or any(item.required for item in context.items)
    return not here and _UNLESS_HERE.search(text) is not None
