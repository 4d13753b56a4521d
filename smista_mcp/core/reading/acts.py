"""What a clause can do, and the clause understood."""

from typing import Final, NamedTuple

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.kinds import LOW, MEDIUM
from smista_mcp.core.reading.objects import Sentence
from smista_mcp.core.reading.vocabulary import FAULTY
from smista_mcp.core.values import Confidence, Intent


class Act:
    """What a clause does; the lower, the more it weighs. Plain numbers, as every clause is compared by them."""

    REQUEST: Final = 1
    DESIRE: Final = 2
    QUESTION: Final = 3
    SYMPTOM: Final = 4
    FRAGMENT: Final = 5
    CONDITION: Final = 6
    PERMISSION: Final = 7
    PREFERENCE: Final = 8
    NEGATION: Final = 9
    STATEMENT: Final = 10


Work = tuple[Intent, int]
"""What a clause asks for besides, with the index of the word that says so."""


class Reading(NamedTuple):
    """A clause understood.

    Attributes:
        act: one of `Act`.
        verb: the class of its head verb, empty where it has none.
        evidence: indexes of the tokens that decided.
        further: what it asks for besides ("with tests").
        deictic: whether it speaks of what was named before ("it").
        passing: whether it only names something to look at, so that a request after it is the real one.
        noun: the class of the object, which a later "it" takes up.
        detail: whether it says how something is to be that was asked for before ("it should", "include").
        barring: whether it forbids work on the code as such ("don't implement it yet").
        earlier: the work that comes before it ("… after fixing the bug").
    """

    act: int
    intent: Intent | None = None
    confidence: Confidence = LOW
    evidence: tuple[int, ...] = ()
    runner_up: Intent | None = None
    verb: str = ""
    further: tuple[Work, ...] = ()
    deictic: bool = False
    passing: bool = False
    noun: str = ""
    detail: bool = False
    barring: bool = False
    earlier: tuple[Work, ...] = ()


STATEMENT: Final = Reading(Act.STATEMENT)
WISH: Final = "wish"
"""In place of a verb class: the clause says how something should be."""
TOLD: Final = "told"
"""In place of a verb class: the clause tells what somebody does ("here we run the linter")."""
GO_ON: Final = "go on"
"""In place of a verb class: "continue", with nothing after it."""
_TROUBLING: Final = frozenset((v.AUXNEG, v.NEG, v.MASK))
DEEP: Final = 60
"""Tokens into a clause beyond which its opening is not followed ("no, no, no, …")."""


def question(intent: Intent, at: tuple[int, ...], other: Intent, confidence: Confidence = MEDIUM) -> Reading:
    """A question, with the words that show its kind, and what it may be instead."""
    return Reading(Act.QUESTION, intent, confidence, at, other)


def is_faulty(s: Sentence, i: int) -> bool:
    """Whether the words from `i` on tell of something that does not work."""
    if not FAULTY.isdisjoint(s.lows[i : s.end]):
        return True
    return any(s.words[k].role in _TROUBLING and _troubles(s, k) for k in range(i, s.end))


def _troubles(s: Sentence, k: int) -> bool:
    """Whether a contraction ("doesn't"), a negated verb ("is not") or a quoted error stands at `k`."""
    role, low = s.words[k].role, s.lows[k]
    if role == v.NEG:
        return k > s.start and s.words[k - 1].role in (v.AUX, v.MODAL)
    return role == v.AUXNEG or "error" in low or "exception" in low
