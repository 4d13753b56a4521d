"""Questions and reports of trouble: what is to be explained, looked into, judged or repaired."""

from typing import Final

from smista_mcp.core.reading import tongues
from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import STATEMENT, Act, Reading, is_faulty, question
from smista_mcp.core.reading.kinds import ANALYZE, CHAT, DOCUMENT, EDIT, FORMAT, HIGH, MEDIUM, PROMPT, REVIEW, TEST
from smista_mcp.core.reading.objects import Sentence, object_from
from smista_mcp.core.reading.requests import by_noun, requested
from smista_mcp.core.reading.vocabulary import CAUSING, CODE, FAULTY, WORKING

_FINITE: Final = frozenset((v.AUX, v.AUXNEG, v.MODAL))
_REPAIRED: Final = {"doc": DOCUMENT, "test": TEST, "style": FORMAT, "prompt": PROMPT}
_DOUBTS: Final = frozenset(("is", "are", "does", "do", "did", "have", "has"))
_VERDICTS: Final = frozenset(
    "correct correctly properly consistent complete valid accurate aligned conform conforms compliant sound done"
    " finished ready sufficient".split()
)
_SAFE: Final = frozenset(("safe", "secure"))
_LACKING: Final = frozenset(
    "missing missed miss forget forgot forgetting forgotten overlook overlooked overlooking".split()
)
_APPEARANCES: Final = frozenset(("right", "good", "ok", "okay", "fine", "correct"))
_CAUSE_PAIRS: Final = (["how", "come"], *tongues.CAUSE_PAIRS)
_CAUSES: Final = frozenset(("why", "why's", *tongues.CAUSES.split()))
_PLACES: Final = frozenset(("where", "which", "where's", "wheres"))
_WHATS: Final = frozenset(("what", "what's", "whats"))
_HOWS: Final = frozenset(tongues.HOWS.split())
_HOW_FOLLOWERS: Final = frozenset(tongues.HOW_FOLLOWERS.split())
_DIFFERENCES: Final = frozenset(tongues.DIFFERENCES.split())
ASKING_ABROAD: Final = _HOWS | {"che", "que", "quelle"}
"""Words that English has too, or that join clauses, and that may open a question of another language."""


def asks_abroad(s: Sentence, i: int) -> bool:
    """Whether a word of `ASKING_ABROAD` opens a question of another language."""
    if i + 1 >= s.end:
        return False
    following = s.lows[i + 1]
    if s.lows[i] not in _HOWS:
        return following in _DIFFERENCES
    if following == "on":  # "comment on fait ça ?", but "comment on the pull request"
        return s.question and i + 2 < s.end and s.words[i + 2].role not in (v.DET, v.DEIXIS, v.PATH, v.MASK)
    return s.words[i + 1].foreign or following in _HOW_FOLLOWERS


def symptom(s: Sentence, i: int) -> Reading:
    """A report of something that does not work is a request to repair it."""
    at = next((k for k in range(i, s.end) if s.lows[k] in FAULTY or s.words[k].role == v.AUXNEG), i)
    thing = object_from(s, i)
    intent = EDIT
    failing = thing.noun == "test" and not WORKING.isdisjoint(s.lows[i : s.end])
    if failing or (thing.at >= 0 and thing.at + 1 < s.end and s.words[thing.at + 1].role in _FINITE):
        intent = _REPAIRED.get(thing.noun, intent)  # "the README is outdated"
    return Reading(Act.SYMPTOM, intent, MEDIUM, (at,), ANALYZE, noun=thing.noun)


def asked(s: Sentence, i: int) -> Reading:
    """A question that begins at `i`: explanation is chat, a cause or a place analysis, a verdict review."""
    low = s.lows[i]
    following = s.words[i + 1] if i + 1 < s.end else v.UNKNOWN_WORD
    faulty = is_faulty(s, i)
    relative = s.joined and not s.question and low not in _CAUSES and following.role not in (v.AUX, v.MODAL)
    if relative and s.lows[i : i + 2] != ["how", "to"]:  # ", where …"
        return symptom(s, i) if faulty else STATEMENT
    if low in ("what", "how") and i + 1 < s.end and s.lows[i + 1] == "about":
        return by_noun(s, i + 1, Act.DESIRE)
    if low == "why" and following.role == v.NEG:
        return requested(s, i + 2, Act.DESIRE)
    supposed = s.lows[i : i + 2] == ["what", "happens"] and _role_at(s, i + 2) in (v.COND, v.WHEN)
    if supposed or s.lows[i : i + 2] == ["where", "did"]:  # "what happens if …", "where did we land"
        return question(CHAT, (i, i + 1), ANALYZE)
    if low in _CAUSES or s.lows[i : i + 2] in _CAUSE_PAIRS:
        near = range(i + 1, min(i + 5, s.end))
        known = faulty or not FAULTY.isdisjoint(s.lows) or any(s.words[k].role == v.NEG for k in near)
        return question(ANALYZE, (i,), CHAT) if known else question(CHAT, (i,), ANALYZE)
    if low in _WHATS and s.lows[i + 1 : i + 2] == ["if"] and i + 2 < s.end and s.words[i + 2].role == v.WE:
        return requested(s, i + 3, Act.DESIRE)  # "what if we …"
    caused = low in _WHATS and not CAUSING.isdisjoint(s.lows[i + 1 : i + 3])
    if (
        caused
        or (low in _WHATS and faulty)
        or (low in _PLACES and following.role not in (v.MODAL, v.ME, v.TO) and _of_code(s, i))
    ):
        return question(ANALYZE, (i,), CHAT)
    if low in _DOUBTS and following.role == v.SUBJECT and not {"place", "places"}.isdisjoint(s.lows[i : s.end]):
        return question(ANALYZE, (i,), CHAT)
    judged = _verdict(s, i) if low in _DOUBTS else i if low == "anything" and faulty else -1
    if judged >= 0:
        return question(REVIEW, (i, judged), CHAT)
    return question(CHAT, (i,), ANALYZE, HIGH if low == "how" else MEDIUM)


def _role_at(s: Sentence, i: int) -> int:
    """The role of the word at `i`; STOP behind the clause."""
    return s.words[i].role if i < s.end else v.STOP


def _of_code(s: Sentence, i: int) -> bool:
    """Whether a question for a place or a choice is about the program, not about what one should do."""
    words, lows = s.words, s.lows
    near = range(i + 1, min(i + 5, s.end))
    if any(words[k].role == v.MODAL or lows[k] == "i" for k in near):
        return False
    return lows[i] != "which" or any(lows[k] in CODE for k in near)


def _verdict(s: Sentence, i: int) -> int:
    """Where a yes-or-no question asks for a judgement ("is it complete", "are there any bugs"), or -1."""
    lows = s.lows
    open_ = "any" in lows[i : s.end]
    if "look" in lows[i : s.end]:
        return next((k for k in range(i, s.end) if lows[k] in _APPEARANCES), -1)
    if "anything" in lows[i : s.end]:
        return next((k for k in range(i, s.end) if lows[k] in _LACKING), -1)
    safe = next((k for k in range(i, s.end) if lows[k] in _SAFE), -1)
    if safe >= 0:
        return safe if _role_at(s, safe + 1) != v.TO else -1  # "is it safe to delete it" asks for advice
    return next((k for k in range(i, s.end) if lows[k] in _VERDICTS or (open_ and s.words[k].noun == "fault")), -1)
