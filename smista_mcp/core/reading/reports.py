"""Clauses without a request in their words: an unknown verb, a complaint, a bare noun, a plain report."""

import itertools
from typing import Final

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import STATEMENT, Act, Reading, is_faulty
from smista_mcp.core.reading.kinds import CHAT, EDIT, LOW, MEDIUM
from smista_mcp.core.reading.objects import DOCUMENTS, Sentence, further, object_from
from smista_mcp.core.reading.questions import symptom
from smista_mcp.core.reading.requests import by_noun, imperative
from smista_mcp.core.reading.spelling import corrected
from smista_mcp.core.reading.vocabulary import JUDGING, WORDS, WORKING

_THINGS: Final = frozenset((v.DET, v.DEIXIS, v.SUBJECT))
_PRAISE: Final = (
    WORKING
    | JUDGING
    | frozenset(
        "good great nice perfect better best fine ok okay well cool awesome excellent done ready true clear enough"
        " sense agree agreed solved fixed resolved love like same that's".split()
    )
)
"""Words by which a report is no complaint."""
_COMPLAINING: Final = frozenset(("too", "still", "again"))
_ALIKE: Final = (["for"], ["in"], ["with"], ["to"])
_SEEMING: Final = frozenset(("seems", "appears"))
_FOLLOWERS: Final = frozenset((v.DET, v.DEIXIS, v.PATH, v.MASK, v.NUM, v.NOUN))
_FOLLOWERS_ASKED: Final = _FOLLOWERS | {v.INTO, v.WITH, v.TO, v.PREP, v.UNKNOWN}
_FINITE: Final = frozenset((v.AUX, v.AUXNEG, v.MODAL))


def verbless(s: Sentence, i: int) -> Reading:
    """A clause without a request in its words: an unknown verb, a symptom, a bare noun, a statement."""
    words, end = s.words, s.end
    finite = any(words[k].role in _FINITE for k in range(i, end))
    asked_for = i > s.start and words[i - 1].role == v.PLEASE
    followers = _FOLLOWERS_ASKED if asked_for else _FOLLOWERS
    if words[i].role == v.UNKNOWN and i + 1 < end and words[i + 1].role in followers and not finite:
        return _unknown_verb(s, i)
    if is_faulty(s, i):
        return symptom(s, i)
    thing = object_from(s, i)
    if _complains(s, i, finite=finite):
        return symptom(s, i)
    if finite:
        return _told(s, i, thing.noun)
    if words[i].role in (v.DEIXIS, v.SUBJECT) and i + 1 < end and _is_third_person(s, i + 1):
        return _told(s, i, thing.noun)
    if s.lows[i] == "same" or (
        s.lows[i : i + 2] == ["the", "same"] and s.lows[i + 2 : i + 3] in _ALIKE
    ):  # "same for the other page"
        return Reading(Act.REQUEST, EDIT, MEDIUM, (i,), CHAT)
    for k in range(i, end - 1):
        if words[k].role == v.VERB and not words[k].noun and words[k + 1].role in _FOLLOWERS and _may_ask(s, k):
            return imperative(s, k)._replace(confidence=MEDIUM)
    intent = DOCUMENTS.get(thing.noun)
    if intent is None:
        return STATEMENT
    more = further(s, "make", intent, thing)
    return Reading(Act.FRAGMENT, intent, LOW, (thing.at,), EDIT, further=more, noun=thing.noun)


def _complains(s: Sentence, i: int, *, finite: bool) -> bool:
    """Whether a report tells of what should be otherwise ("…, but now it is too wide", "it looks like it jumps")."""
    if (_is_observed(s, i) or _recurs(s, i)) and not s.question:
        return True
    return finite and (s.contrast or not _COMPLAINING.isdisjoint(s.lows[i : s.end - 1]) or s.lows[s.end - 1] == "again")


def _recurs(s: Sentence, i: int) -> bool:
    """Whether a report tells of something that happens over and over ("users keep getting logged out")."""
    near = range(i + 1, min(i + 6, s.end - 1))
    return any(s.lows[k] in ("keep", "keeps") and s.lows[k + 1].endswith("ing") for k in near)


def _is_third_person(s: Sentence, k: int) -> bool:
    """Whether the word at `k` has the form of "it logs"."""
    return s.words[k].role == v.UNKNOWN and s.lows[k].isalpha() and s.lows[k].endswith("s")


def _told(s: Sentence, i: int, noun: str) -> Reading:
    """A plain report. What is told of a thing and is no praise is most likely to be changed ("it logs me out")."""
    if s.words[i].role not in _THINGS or not _PRAISE.isdisjoint(s.lows[i : s.end]) or s.joined:
        return STATEMENT._replace(noun=noun)
    return Reading(Act.SYMPTOM, EDIT, LOW, (i,), CHAT, noun=noun)


def _is_observed(s: Sentence, i: int) -> bool:
    """Whether a clause tells how something looks ("it looks like the button is gone", "the list seems to jump")."""
    lows = s.lows[i : min(i + 5, s.end)]
    return not _SEEMING.isdisjoint(lows) or any(pair == ("looks", "like") for pair in itertools.pairwise(lows))


def _may_ask(s: Sentence, k: int) -> bool:
    """Whether a base form amid a clause may be its head: not after "to", nor after a plural that it is the verb of."""
    return s.words[k - 1].role != v.TO and not s.lows[k - 1].endswith("s")


def _unknown_verb(s: Sentence, i: int) -> Reading:
    """An unknown word before an object: a slip of the pen, else a verb that the noun explains."""
    meant = corrected(s.lows[i])
    if meant is not None and WORDS[meant].role == v.VERB:
        return imperative(s._replace(words=[*s.words[:i], WORDS[meant], *s.words[i + 1 :]]), i)
    found = by_noun(s, i)
    return found if found.noun else found._replace(confidence=LOW)
