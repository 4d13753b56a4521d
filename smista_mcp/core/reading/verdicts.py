"""From a verb and its object to the kind of work: the table first, then the verbs that more words decide."""

from typing import Final

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.kinds import (
    ANALYZE,
    CHAT,
    COMMIT,
    DOCUMENT,
    EDIT,
    FORMAT,
    HIGH,
    MEDIUM,
    PLAN,
    REFACTOR,
    REVIEW,
    TEST,
)
from smista_mcp.core.reading.objects import CREATED, DOCUMENTS, PROSE, RUNNERS_UP, TABLE, Object, Sentence
from smista_mcp.core.reading.vocabulary import CAUSING, CODE, FAULTY, JUDGING, PEOPLE, SURFACES, WORKING
from smista_mcp.core.values import Confidence, Intent


def _any(s: Sentence, i: int, of: frozenset[str]) -> int:
    lows = s.lows
    return next((k for k in range(i, s.end) if lows[k] in of), -1)


Verdict = tuple[Intent, Confidence, Intent | None, int]
"""Intent, confidence, runner-up, index of the word besides the verb that decided (-1: none)."""


_SUBMITTED: Final = frozenset("code changes diff implementation pr patch solution work commit commits branch".split())


def _checked(s: Sentence, i: int, thing: Object) -> Verdict:
    if thing.noun == "style":
        return FORMAT, MEDIUM, REVIEW, thing.at
    judged = _any(s, i, JUDGING)
    if judged >= 0:
        return REVIEW, MEDIUM, ANALYZE, judged
    if thing.noun == "test":
        return TEST, MEDIUM, ANALYZE, thing.at
    if not _SUBMITTED.isdisjoint(s.lows[i : thing.end]) and FAULTY.isdisjoint(s.lows):
        return REVIEW, MEDIUM, ANALYZE, -1
    works = _any(s, i, WORKING)
    if works >= 0 and not any(s.words[k].role in (v.WH, v.AUXNEG, v.NEG) for k in range(i, s.end)):
        return TEST, MEDIUM, ANALYZE, works
    return ANALYZE, MEDIUM, REVIEW, -1


_INSIGHT: Final = frozenset(
    ("understand", "learn", "see", "find", "get", "deduce", "determine", "identify", "familiarize")
)


def _reviewed(s: Sentence, i: int, thing: Object) -> Verdict:
    """A review, unless its purpose is to understand, or its object is a failure or a question."""
    words, lows = s.words, s.lows
    named = thing.noun or thing.deictic or any(words[k].role in (v.PATH, v.MASK) for k in range(i + 1, thing.end))
    if lows[i] == "validate" and not named:  # "validate the input" is a thing to build
        return EDIT, MEDIUM, REVIEW, -1
    for k in range(i + 1, s.end):
        if words[k].role == v.WH or (words[k].role == v.TO and k + 1 < s.end and lows[k + 1] in _INSIGHT):
            return ANALYZE, MEDIUM, REVIEW, k
    return REVIEW, HIGH, ANALYZE, -1


def _explained(s: Sentence, i: int, thing: Object) -> Verdict:
    if thing.noun in ("doc", "paper") and s.words[i + 1].role == v.INTO:
        return DOCUMENT, HIGH, CHAT, thing.at  # "explain in the README how"
    if "findings" in s.lows[i : s.end]:
        return ANALYZE, MEDIUM, CHAT, s.lows.index("findings", i)
    for k in range(i + 1, s.end):
        if s.lows[k] == "why" and (not FAULTY.isdisjoint(s.lows) or any(w.role == v.AUXNEG for w in s.words)):
            return ANALYZE, MEDIUM, CHAT, k
        if s.lows[k] == "what" and not CAUSING.isdisjoint(s.lows[k + 1 : k + 3]):
            return ANALYZE, MEDIUM, CHAT, k
        said = s.lows[k : s.end] if s.lows[k] in ("if", "whether") else []
        if said and not (_FINDINGS.isdisjoint(said) and JUDGING.isdisjoint(said)):
            return REVIEW, MEDIUM, CHAT, k
    return CHAT, HIGH, ANALYZE, -1


_FINDINGS: Final = frozenset(("anything", "something", "any", "missing", "wrong"))


def _moved(s: Sentence, i: int, thing: Object) -> Verdict:
    """Code that is moved is refactoring; a thing on a screen that is moved is an edit."""
    intent = PROSE.get(thing.noun)
    if intent is not None:
        return intent, HIGH, REFACTOR, thing.at
    words, lows = s.words, s.lows
    if any(words[k].noun == "fault" for k in range(i, thing.end)):  # "clean those warnings"
        return EDIT, MEDIUM, REFACTOR, -1
    if s.lows[i] != "move" or any(lows[k] in CODE or words[k].role in (v.PATH, v.MASK) for k in range(i, s.end)):
        return REFACTOR, HIGH, EDIT, -1
    return EDIT, MEDIUM, REFACTOR, -1


def _ensured(s: Sentence, i: int, thing: Object) -> Verdict:
    works = _any(s, i, WORKING)
    if works >= 0 and s.lows[works + 1 : works + 2] not in (["on"], ["in"]):
        return TEST, MEDIUM, EDIT, works
    alone, by_noun = TABLE["ensure"]
    return by_noun.get(thing.noun, alone), MEDIUM, TEST, thing.at if thing.noun in by_noun else -1


def _shown(s: Sentence, i: int, thing: Object) -> Verdict:
    """Looking at something or having it shown; a how-to where "how" follows."""
    for k in range(i + 1, min(i + 4, s.end)):
        if s.lows[k] == "how":
            return CHAT, MEDIUM, ANALYZE, k
    verb = "show" if s.words[i].verb == "show" else "read"
    shown_to_us = i + 1 < s.end and s.words[i + 1].role in (v.ME, v.WE)
    if s.lows[i] == "show" and not thing.noun and not shown_to_us:
        return EDIT, MEDIUM, ANALYZE, -1  # "show the total in the header"
    alone, by_noun = TABLE[verb]
    intent = by_noun.get(thing.noun, alone)
    return intent, MEDIUM, CHAT, thing.at if intent is not alone else -1


_CREATING: Final = frozenset(("create", "write", "draft", "make", "generate", "produce", "prepare", "compose"))


_READABLE: Final = frozenset(("readable", "easier", "cleaner", "simpler", "maintainable", "reusable", "modular"))


def _made(s: Sentence, i: int, thing: Object) -> Verdict:
    if thing.noun == "roadmap" and s.lows[i] in _CREATING:
        return PLAN, HIGH, DOCUMENT, thing.at
    noun, at = (thing.noun, thing.at) if thing.noun else _target(s, thing.end)
    if not noun and s.lows[thing.end - 1 : thing.end] == ["section"] and s.lows[thing.end : thing.end + 1] in _TOPICS:
        noun, at = "doc", thing.end - 1  # "add a section about …"
    intent = DOCUMENTS.get(noun)
    if intent is None:
        clause = s.lows[i : s.end]
        if not _READABLE.isdisjoint(clause) and not CODE.isdisjoint(clause):
            return REFACTOR, MEDIUM, EDIT, -1
        return EDIT, HIGH, REFACTOR, -1
    return intent, HIGH, EDIT, at


_PLACING: Final = frozenset(
    "put save store copy paste add append write record insert move list dump incorporate integrate merge fold"
    " build".split()
)
_CONSTRUCTING: Final = frozenset(("build", "develop", "construct", "assemble"))
_ARTICLES: Final = frozenset(("a", "an"))
_TOPICS: Final = (["about"], ["explaining"], ["describing"], ["regarding"], ["covering"])
_SENDING: Final = frozenset(("publish", "upload", "send", "submit", "sync"))
_FORGES: Final = frozenset(("github", "gitlab", "bitbucket", "remote", "origin"))
_PORTIONS: Final = frozenset("tickets tasks subtasks issues stories milestones".split())
"""What work is broken into."""
_CONTAINERS: Final = frozenset(("doc", "roadmap", "prompt"))


def _target(s: Sentence, i: int) -> tuple[str, int]:
    """The document that something is put into, where it stands behind more words ("a section about that to x.md")."""
    words = s.words
    for k in range(i, s.end - 1):
        if words[k].role not in (v.TO, v.INTO):
            continue
        n = k + 1
        while n < s.end - 1 and words[n].role == v.DET:
            n += 1
        if words[n].noun and (words[n].role == v.PATH or words[n].noun in _CONTAINERS):
            return words[n].noun, n
    return "", -1


_SPECIAL: Final = {
    "show": _shown,
    "read": _shown,
    "make": _made,
    "reshape": _moved,
    "check": _checked,
    "review": _reviewed,
    "explain": _explained,
    "ensure": _ensured,
}


def _placed(s: Sentence, i: int, thing: Object) -> Verdict | None:
    """Work on the document that something is put into ("put the results into notes.md"), or its sending to a forge."""
    low = s.lows[i]
    if low in ("break", "split") and (at := _any(s, i, _PORTIONS)) >= 0:
        return PLAN, MEDIUM, REFACTOR, at
    if low in _PLACING:
        noun, at = _target(s, i + 1)
        if noun in PROSE:
            kind = "plan" if thing.noun == "plan" else noun
            return DOCUMENTS[kind], HIGH, EDIT, at
    elif low in _SENDING:
        at = _any(s, i, _FORGES)
        if at >= 0 and "pages" not in s.lows[at : s.end]:
            return COMMIT, MEDIUM, EDIT, at
    return None


_SHOWABLE: Final = frozenset(("plan", "review", "summary", "paper", "doc", "test"))
_DISPLAYING: Final = frozenset(("show", "read", "build"))
_GENERAL: Final = _DISPLAYING | {"make", "fix", "give"}
_WHERE: Final = frozenset((v.INTO, v.TO))
_WHENEVER: Final = frozenset((v.WHEN, v.COND))


def _is_of_product(s: Sentence, verb: str, i: int, thing: Object) -> bool:
    """Whether a plan, a review, a note is a thing of the program: on its pages, or when its users do something."""
    known = verb in (_DISPLAYING if thing.noun in ("doc", "test") else _GENERAL)
    if not known or any(s.words[k].role in (v.ME, v.WE) for k in range(i + 1, thing.at)):
        return False
    for k in range(thing.at + 1, s.end - 1):
        role = s.words[k].role
        if role in _WHERE:
            at = _any(s._replace(end=min(k + 5, s.end)), k + 1, SURFACES)
            if at >= 0 and not s.words[at - 1].noun:  # but "on the wiki page"
                return True
        if role in _WHENEVER:
            return _any(s._replace(end=min(k + 4, s.end)), k + 1, PEOPLE) >= 0
        if role == v.PREP:
            return False
    return False


def intent_of(s: Sentence, verb: str, i: int, thing: Object) -> Verdict:
    """The kind of work that the verb at `i`, of class `verb`, asks for with its object."""
    alone, by_noun = TABLE[verb]
    if verb == "run" and thing.at >= 0 and s.lows[thing.at] in ("spec", "specs"):
        return TEST, HIGH, EDIT, thing.at
    if s.lows[i] in _CONSTRUCTING and thing.noun in ("plan", "doc") and not _ARTICLES.isdisjoint(s.lows[i : thing.at]):
        return CREATED[thing.noun], HIGH, EDIT, thing.at  # "build a plan"
    placed = _placed(s, i, thing)
    if placed is not None:
        return placed
    if thing.noun in _SHOWABLE and _is_of_product(s, verb, i, thing):
        return EDIT, MEDIUM, DOCUMENTS[thing.noun], -1
    special = _SPECIAL.get(verb)
    if special is not None and (verb != "explain" or thing.noun != "summary"):
        return special(s, i, thing)
    intent = by_noun.get(thing.noun)
    if intent is not None:
        return intent, HIGH, alone if alone is not intent else RUNNERS_UP[intent], thing.at
    confidence = MEDIUM if verb in ("read", "give", "use", "try", "go", "help", "idiom") else HIGH
    return alone, confidence, RUNNERS_UP[alone], -1
