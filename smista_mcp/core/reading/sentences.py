"""The reading of a clause: its opening words (politeness, subject, modal) lead to its head.

Nothing here knows the order of phases or the policy.
"""

from collections.abc import Callable
from typing import Final

from smista_mcp.core.reading import tongues
from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import DEEP, STATEMENT, TOLD, Act, Reading, is_faulty
from smista_mcp.core.reading.acts import question as question_reading
from smista_mcp.core.reading.clauses import acts
from smista_mcp.core.reading.kinds import ANALYZE, CHAT, EDIT, LOW, MEDIUM
from smista_mcp.core.reading.objects import DOCUMENTS, Sentence
from smista_mcp.core.reading.questions import ASKING_ABROAD, asked, asks_abroad, symptom
from smista_mcp.core.reading.reports import verbless
from smista_mcp.core.reading.requests import by_noun, desire, forbidden, imperative, is_idiom, requested, wish
from smista_mcp.core.reading.unspaced import unspaced
from smista_mcp.core.reading.vocabulary import PEOPLE

_SKIPPED: Final = frozenset(
    (v.OPENER, v.ORDER, v.PLEASE, v.NUM, v.AND, v.BUT, v.THEN, v.COMMA, v.BREAK, v.OPENING, v.CLOSING)
)
_SUBJECTS: Final = frozenset((v.SUBJECT, v.DEIXIS, v.WE, v.YOU, v.UNKNOWN, v.NOUN, v.BEARER, v.PATH, v.MASK))
_AFTER_VERB: Final = frozenset((v.DET, v.DEIXIS, v.PATH, v.MASK, v.COND))
_PLACE: Final = frozenset((v.DET, v.UNKNOWN, v.NOUN, v.BEARER, v.PATH, v.MASK, v.OF, v.DEIXIS, v.COMMA))
_FINITE: Final = frozenset((v.AUX, v.AUXNEG, v.MODAL))
_AFTER_NO: Final = frozenset((v.COMMA, v.NEG, v.ME, v.WE, v.YOU, v.SUBJECT, v.DEIXIS, v.WH))
_REASONS: Final = frozenset(("given", "based", "considering", "according"))
_URGES: Final = frozenset(("can", "could", "should", "must", "shall", "cna", "shoudl", "shoud", "shuold"))
_WISHES: Final = frozenset(("should", "must", "ought", "shall"))
_NEEDS: Final = frozenset(("needs", "need"))
_ABLE: Final = frozenset(("access", "hear", "remember", "recall"))
"""Verbs after "can you" that ask for an ability."""
_JUDGED: Final = frozenset(("use", "recommend", "suggest", "choose", "prefer", "say", "rather", "advise", "go"))
"""Verbs after "would you" that ask for an opinion."""
_THAT: Final = (["that"], ["this"])
_HAVING: Final = frozenset(("have", "has", "had"))
_CLUELESS: Final = (["any", "idea"], ["any", "ideas"], ["any", "clue"])
_IGNORANCE: Final = frozenset(("understand", "know", "get", "think"))


def opened(s: Sentence, i: int) -> Reading:
    """The reading of what is left of a clause from `i` on."""
    words, end = s.words, s.end
    while i < end and (words[i].role in _SKIPPED or (words[i].role == v.INTO and i and words[i - 1].role == v.ORDER)):
        i += 1
    if i >= end or i - s.start > DEEP:
        return STATEMENT
    if s.lows[i] in ASKING_ABROAD and asks_abroad(s, i):
        return asked(s, i)
    return _OPENINGS.get(words[i].role, _declaration)(s, i)


def _determiner(s: Sentence, i: int) -> Reading:
    each_time = s.lows[i] in ("every", "each") and s.lows[i + 1 : i + 2] == ["time"]
    if s.lows[i : i + 2] in _CLUELESS and i + 2 < s.end and s.words[i + 2].role == v.WH:
        return asked(s, i + 2)
    return _condition(s, i) if each_time else _declaration(s, i)


def _preposition(s: Sentence, i: int) -> Reading:
    """A clause that opens with a preposition, which may be half of "por favor" or of "por qué"."""
    if s.words[i].foreign and i + 1 < s.end and s.words[i + 1].role == v.PLEASE:
        return opened(s, i + 1)
    return asked(s, i) if s.lows[i : i + 2] in tongues.CAUSE_PAIRS else _declaration(s, i)


def _verb(s: Sentence, i: int) -> Reading:
    if s.lows[i] == "forget" and any(s.words[k].role in _FINITE for k in range(i + 1, s.end)):
        return _declaration(s, i)  # "forget password is broken"
    return imperative(s, i) if acts(s.words, i) else _declaration(s, i)


def _gerund(s: Sentence, i: int) -> Reading:
    if any(s.words[k].role in _FINITE for k in range(i + 1, s.end)):
        return _declaration(s, i)
    found = imperative(s, i)
    return found if found.act == Act.NEGATION else found._replace(act=Act.FRAGMENT, confidence=MEDIUM)


def _modal(s: Sentence, i: int) -> Reading:
    """A clause that opens with a modal: "can you …", "should we …", "could it …"."""
    k = i + 1
    while k < s.end and s.words[k].role == v.OPENER:
        k += 1
    if k >= s.end:
        return STATEMENT
    role, low = s.words[k].role, s.lows[i]
    if (
        role == v.YOU
        and s.question
        and s.lows[k + 1 : k + 2]
        and s.lows[k + 1] in (_JUDGED if low == "would" else _ABLE)
    ):
        return asked(s, i)  # "can you access the repository?", "would you use a queue here?"
    if role == v.YOU or (role == v.WE and low in ("can", "could", "cna", "coud", "would")):
        return requested(s, k + 1)
    if role == v.DEIXIS and low in ("can", "could") and not (s.question and s.lows[k + 1 : k + 2] == ["be"]):
        return requested(s, k + 1, Act.DESIRE)
    if low == "would" and s.lows[k] == "be" and not s.question:
        return wish(s, k, k + 1)
    if role in (v.VERB, v.PLEASE):  # "could please fix", "can add"
        return requested(s, k)
    return asked(s, i)


def _let(s: Sentence, i: int) -> Reading:
    if i + 1 < s.end and s.words[i + 1].role == v.ME:
        if i + 2 < s.end and s.lows[i + 2] == "know":
            return Reading(Act.PREFERENCE, CHAT, evidence=(i + 2,), verb="aside")
        return requested(s, i + 2, Act.DESIRE)
    if not PEOPLE.isdisjoint(s.lows[i + 1 : i + 3]):  # "let users review their orders"
        return Reading(Act.REQUEST, EDIT, MEDIUM, (i,), CHAT, "build")
    return requested(s, i + 1)


def _negation(s: Sentence, i: int) -> Reading:
    if s.lows[i] == "no" and (i + 1 >= s.end or s.words[i + 1].role in _AFTER_NO):
        return opened(s, i + 1)
    if s.question and i + 1 < s.end and s.words[i + 1].role in (v.ME, v.YOU, v.WE, v.SUBJECT):
        return asked(s, i)
    if s.lows[i] == "not" and s.lows[i + 1 : i + 2] and s.lows[i + 1] in ("all", "every", "everything"):
        return symptom(s, i + 1)
    return forbidden(s, i)


def _auxiliary(s: Sentence, i: int) -> Reading:
    """A clause that opens with a form of be, do or have."""
    if is_idiom(s, i):
        return imperative(s, i)
    following = s.words[i + 1].role if i + 1 < s.end else v.STOP
    if s.lows[i] in ("do", "have", "had"):
        if following == v.NEG:
            return forbidden(s, i + 1)
        if following in (v.DET, v.DEIXIS, v.NOUN, v.UNKNOWN, v.NUM, v.BEARER) and not s.question:
            return by_noun(s, i)
    if following == v.NEG or (following == v.OPENER and not s.question):
        return symptom(s, i)
    return asked(s, i)


def _auxiliary_negated(s: Sentence, i: int) -> Reading:
    following = s.words[i + 1].role if i + 1 < s.end else v.STOP
    if s.lows[i] in ("can't", "cant", "couldn't") and following in (v.YOU, v.WE, v.DEIXIS):
        return requested(s, i + 2, Act.DESIRE)
    if s.question or following in (v.YOU, v.DEIXIS, v.SUBJECT, v.DET, v.WE):
        return asked(s, i)
    return symptom(s, i)


def _want(s: Sentence, i: int) -> Reading:
    """A clause that opens with "want", "need"; one that opens with "like" gives an example."""
    return STATEMENT if s.lows[i] in ("like", "love") else desire(s, i)


def _when(s: Sentence, i: int) -> Reading:
    following = s.words[i + 1].role if i + 1 < s.end else v.STOP
    return asked(s, i) if s.question and following in _FINITE else _condition(s, i)


def _condition(s: Sentence, i: int) -> Reading:
    """A condition, unless it is no more than "before that", or a wish follows in it without a comma."""
    words, end = s.words, s.end
    if s.lows[i] in ("before", "after") and s.lows[i + 1 : i + 2] in _THAT and i + 2 < end:
        following = opened(s, i + 2)
        if following.act <= Act.DESIRE:
            return following
    for k in range(i + 2, end - 1):
        role, before = words[k].role, words[k - 1].role
        if role == v.MODAL and s.lows[k] in _WISHES and before in _SUBJECTS:
            return requested(s, k + 1) if before in (v.WE, v.YOU) else wish(s, k, k + 1)
        governs = role == v.VERB and not words[k].noun and words[k + 1].role in _AFTER_VERB
        if governs and s.lows[i] in _REASONS and before in (v.UNKNOWN, v.NOUN, v.PATH):
            return imperative(s, k)
    return Reading(Act.CONDITION, EDIT if is_faulty(s, i) else None, evidence=(i,))


def _me(s: Sentence, i: int) -> Reading:
    if s.lows[i] == "me" and i + 1 < s.end and s.words[i + 1].role == v.VERB and s.words[i + 1].foreign:
        return imperative(s, i + 1)._replace(confidence=MEDIUM)  # "me explique este erro"
    return _speaker(s, i)


def _speaker(s: Sentence, i: int) -> Reading:
    """A clause whose subject is "I" or "we"."""
    words, lows = s.words, s.lows
    would = lows[i].endswith(("'d", "id"))
    if lows[i : i + 2] == ["i", "mean"]:
        return opened(s, i + 2)
    for k in range(i + 1, s.end):
        role, low = words[k].role, lows[k]
        if role == v.WANT:
            return desire(s, k) if would or low not in ("like", "love") else STATEMENT
        if low == "would":
            would = True
        elif role == v.MODAL:
            return requested(s, k + 1) if words[i].role == v.WE and low in _URGES else _own(s, i)
        elif role == v.VERB:
            return _opinion(s, k) if words[k].verb == "aside" else _own(s, i, TOLD)
        elif role in (v.AUXNEG, v.NEG):
            return _denial(s, k)
        elif _must(s, k):
            return requested(s, k + 2, Act.DESIRE)
        elif role not in (v.OPENER, v.AUX, v.TO) and low != "going":
            break
    return _own(s, i)


def _must(s: Sentence, k: int) -> bool:
    """Whether "have to" stands at `k`."""
    return s.lows[k] in _HAVING and k + 1 < s.end and s.words[k + 1].role == v.TO


def _opinion(s: Sentence, k: int) -> Reading:
    """After "I think" or "I hope", what follows is meant."""
    following = opened(s, k + 1)
    unsure = following.act == Act.SYMPTOM and following.confidence is LOW
    return following if following.intent is not None and not unsure else _own(s, k)


def _denial(s: Sentence, k: int) -> Reading:
    """What follows "I don't": not wanted, not understood, not working."""
    for n in range(k + 1, min(k + 4, s.end)):
        if s.words[n].role == v.WANT:
            return Reading(Act.NEGATION, evidence=(k, n))
        if s.lows[n] in _IGNORANCE:
            return question_reading(CHAT, (k, n), ANALYZE)
    return symptom(s, k)


def _own(s: Sentence, i: int, verb: str = "") -> Reading:
    """A report in the first person."""
    if is_faulty(s, i) or (s.contrast and not s.question):
        return symptom(s, i)
    if s.question or any(s.words[k].noun == "question" for k in range(i, s.end)):
        return question_reading(CHAT, (i,), ANALYZE)
    return STATEMENT._replace(verb=verb)


def _addressed(s: Sentence, i: int) -> Reading:
    """A clause whose subject is "you"."""
    for k in range(i + 1, min(i + 4, s.end)):
        role = s.words[k].role
        if role == v.MODAL and s.lows[k] in ("can", "could", "may"):
            return requested(s, k + 1)._replace(act=Act.PERMISSION, confidence=LOW)
        if role == v.MODAL and k + 1 < s.end and s.words[k + 1].role == v.AUX and not _must(s, k + 1):
            wanted = requested(s, k + 1)  # "you should have tests", but not "you should have access"
            return wanted if wanted.intent is not EDIT else symptom(s, i) if is_faulty(s, i) else STATEMENT
        if role in (v.MODAL, v.WANT) or _must(s, k):
            return requested(s, k + 1)
        if role != v.OPENER:
            break
    if s.question:
        return asked(s, i)
    return symptom(s, i) if is_faulty(s, i) else STATEMENT


def _declaration(s: Sentence, i: int) -> Reading:
    """A clause that opens with anything else: a subject, a noun, an unknown word."""
    words = s.words
    if words[i].role == v.UNKNOWN and is_idiom(s, i):
        return imperative(s, i)
    if words[i].role == v.INTO:
        return _located(s, i)
    if words[i].role in (v.PATH, v.MASK) and _after_mention(s, i + 1):
        return _framed(opened(s, i + 1), words[i].noun)
    for k in range(i, s.end):
        role = words[k].role
        if role == v.CJK:
            return unspaced(s, i)
        if role == v.VERB and words[k].foreign and (k == i or not words[k].noun):
            return imperative(s, k)._replace(confidence=MEDIUM)
        if s.lows[i] == "your" and s.lows[k] == "is" and _leads_to_verb(s, k + 1):
            return asked(s, i) if s.question else requested(s, k + 2)  # "your job is to …"
        if _is_wished(s, k):
            return asked(s, i) if s.question else wish(s, k, i)
    return asked(s, i) if s.question else verbless(s, i)


def _located(s: Sentence, i: int) -> Reading:
    """A clause that opens with a place ("in the readme add …"): what is asked for there, or a fragment."""
    noun, words = "", s.words
    for k in range(i + 1, min(i + 8, s.end)):
        role = words[k].role
        if role == v.VERB and acts(words, k) and (not words[k].noun or _after_mention(s, k)):
            return _framed(imperative(s, k), noun)
        if role not in _PLACE:
            return opened(s, k) if role in (v.PLEASE, v.MODAL, v.WE, v.ME, v.LET) else verbless(s, i)
        noun = words[k].noun or noun
    return verbless(s, i)


def _after_mention(s: Sentence, i: int) -> bool:
    """Whether a request or a question begins at `i`, behind a file that is only named ("@app.py can you …")."""
    if i >= s.end:
        return False
    role, following = s.words[i].role, s.words[i + 1].role if i + 1 < s.end else v.STOP
    if role == v.VERB:
        return acts(s.words, i) and following in (v.DET, v.DEIXIS, v.TO, v.INTO, v.UNKNOWN, v.PATH)
    if role == v.MODAL:
        return following in (v.YOU, v.WE)
    return role in (v.PLEASE, v.LET) or (role == v.WH and following in _FINITE) or (role == v.ME and following != v.AND)


def _framed(found: Reading, noun: str) -> Reading:
    """A reading whose object is the document named before it, where it names none itself."""
    intent = DOCUMENTS.get(noun)
    if intent is None or found.noun or found.intent is not EDIT or found.verb not in ("make", "fix", "build"):
        return found
    return found._replace(intent=intent, confidence=MEDIUM, runner_up=EDIT, noun=noun)


def _leads_to_verb(s: Sentence, k: int) -> bool:
    """Whether "to" and a verb stand at `k`."""
    return k + 1 < s.end and s.words[k].role == v.TO and s.words[k + 1].role == v.VERB


def _is_wished(s: Sentence, k: int) -> bool:
    """Whether the words at `k` say that something should be so."""
    role, low = s.words[k].role, s.lows[k]
    if role == v.MODAL:
        return low in _WISHES or (low == "would" and not s.question and s.lows[k + 1 : k + 2] == ["be"])
    return (role == v.WANT and low in _NEEDS) or (role == v.AUX and _must(s, k))


_OPENINGS: Final[dict[int, Callable[[Sentence, int], Reading]]] = {
    v.VERB: _verb,
    v.DET: _determiner,
    v.PREP: _preposition,
    v.GERUND: _gerund,
    v.LET: _let,
    v.MODAL: _modal,
    v.AUX: _auxiliary,
    v.AUXNEG: _auxiliary_negated,
    v.NEG: _negation,
    v.EXCEPT: forbidden,
    v.WH: asked,
    v.WHEN: _when,
    v.COND: _condition,
    v.WANT: _want,
    v.ME: _me,
    v.WE: _speaker,
    v.YOU: _addressed,
    v.CJK: unspaced,
}
