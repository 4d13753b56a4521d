"""Verb and object: the kind of work that a verb class asks for with what it is applied to."""

from typing import Final, NamedTuple

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.vocabulary import CODE, FAULTY, JUDGING, NOUN_PAIRS, WORKING, Word
from smista_mcp.core.values import Confidence, Intent


class Sentence(NamedTuple):
    """A clause, with the tokens of the whole text.

    Attributes:
        words: what each token of the text is; `lows` are the tokens in lower case.
        start: index of the first token; `end` is exclusive.
        question: whether it ends as a question.
        joined: whether it is joined to a clause before it.
        contrast: whether "but" joins it.
    """

    words: list[Word]
    lows: list[str]
    start: int
    end: int
    question: bool
    joined: bool = False
    contrast: bool = False


class Object(NamedTuple):
    """The object of a verb: its noun class, where that noun stands (-1: nowhere), where the phrase ends."""

    noun: str
    at: int
    end: int
    deictic: bool


DOCUMENTS: Final = {
    "test": Intent.TEST,
    "doc": Intent.DOCUMENT,
    "paper": Intent.DOCUMENT,
    "plan": Intent.PLAN,
    "prompt": Intent.PROMPT,
    "commit": Intent.COMMIT,
    "summary": Intent.SUMMARIZE,
    "review": Intent.REVIEW,
    "analysis": Intent.ANALYZE,
    "style": Intent.FORMAT,
    "roadmap": Intent.DOCUMENT,
    "question": Intent.CHAT,
    "waste": Intent.REFACTOR,
}
"""Noun class to the work of changing such a thing."""
CREATED: Final = {**DOCUMENTS, "roadmap": Intent.PLAN}
"""Noun class to the work of bringing such a thing about."""
_PROSE: Final = {k: DOCUMENTS[k] for k in ("doc", "paper", "plan", "prompt", "style", "roadmap")}
_ACTIVITIES: Final = {k: DOCUMENTS[k] for k in ("test", "review", "analysis", "style")}
TABLE: Final[dict[str, tuple[Intent, dict[str, Intent]]]] = {
    "": (Intent.EDIT, DOCUMENTS),
    "make": (Intent.EDIT, DOCUMENTS),
    "build": (Intent.EDIT, {"test": Intent.TEST, "style": Intent.FORMAT}),
    "fix": (Intent.EDIT, {**_PROSE, "test": Intent.TEST, "commit": Intent.COMMIT}),
    "run": (
        Intent.EDIT,
        {
            **_ACTIVITIES,
            "commit": Intent.COMMIT,
            "summary": Intent.SUMMARIZE,
            "doc": Intent.DOCUMENT,
            "prompt": Intent.SKILL,
        },
    ),
    "begin": (Intent.EDIT, {**_ACTIVITIES, "doc": Intent.DOCUMENT, "paper": Intent.DOCUMENT}),
    "give": (Intent.CHAT, {**DOCUMENTS, "doc": Intent.CHAT, "options": Intent.PLAN}),
    "show": (
        Intent.ANALYZE,
        {**DOCUMENTS, **dict.fromkeys(("test", "doc", "style", "prompt", "commit"), Intent.ANALYZE)},
    ),
    "plan": (Intent.PLAN, {}),
    "analyze": (Intent.ANALYZE, {}),
    "check": (Intent.ANALYZE, {}),
    "review": (Intent.REVIEW, {}),
    "read": (Intent.ANALYZE, {"review": Intent.REVIEW}),
    "explain": (Intent.CHAT, {"summary": Intent.SUMMARIZE}),
    "suggest": (Intent.CHAT, {"plan": Intent.PLAN, "options": Intent.PLAN}),
    "test": (Intent.TEST, {}),
    "refactor": (Intent.REFACTOR, _PROSE),
    "reshape": (Intent.REFACTOR, _PROSE),
    "format": (Intent.FORMAT, {"commit": Intent.COMMIT}),
    "document": (Intent.DOCUMENT, {}),
    "write": (Intent.DOCUMENT, DOCUMENTS),
    "summarize": (Intent.SUMMARIZE, {}),
    "commit": (Intent.COMMIT, {}),
    "prompt": (Intent.PROMPT, {}),
    "ensure": (Intent.EDIT, {"test": Intent.TEST, "style": Intent.FORMAT, "doc": Intent.DOCUMENT}),
    "use": (Intent.EDIT, {"prompt": Intent.SKILL}),
    "try": (Intent.EDIT, {}),
    "idiom": (Intent.EDIT, DOCUMENTS),
    "go": (Intent.EDIT, {}),
    "help": (Intent.EDIT, DOCUMENTS),
    "leave": (Intent.EDIT, {"doc": Intent.DOCUMENT}),
}
"""Verb class to its intent by itself, and by the noun class of its object."""
RUNNERS_UP: Final = {
    Intent.ANALYZE: Intent.CHAT,
    Intent.CHAT: Intent.ANALYZE,
    Intent.REVIEW: Intent.ANALYZE,
    Intent.EDIT: Intent.REFACTOR,
    Intent.PLAN: Intent.EDIT,
    Intent.SUMMARIZE: Intent.CHAT,
    Intent.SKILL: Intent.EDIT,
    Intent.COMMIT: Intent.SUMMARIZE,
    **dict.fromkeys((Intent.TEST, Intent.REFACTOR, Intent.DOCUMENT, Intent.FORMAT, Intent.PROMPT), Intent.EDIT),
}
"""What else it may be, where the words do not say."""
_SPREADING: Final = frozenset(("make", "build", "fix", "run", "begin", "give", "show", "help", ""))
_PASSED: Final = frozenset((v.DET, v.OPENER, v.NUM, v.ORDER, v.PLEASE, v.ME, v.OPENING))
_PLAIN: Final = frozenset((v.UNKNOWN, v.VERB, v.GERUND, v.PAST, v.BEARER, v.MASK, v.PATH, v.NOUN, v.CJK))
_CROSSED: Final = frozenset((v.OF, v.INTO, v.TO, v.AND, v.COMMA))
_JOINING: Final = frozenset((v.AND, v.COMMA))
_JOINED: Final = _PASSED | _JOINING | {v.UNKNOWN, v.BEARER, v.MASK, v.NOUN}
_INCLUDING: Final = frozenset(("make", "build"))
_ADDED: Final = frozenset(("test", "doc", "commit"))
_CARRIED: Final = frozenset(("run", "update", "report", "check", "fix", "change", "draft"))
_PARTICLES: Final = frozenset(("up", "down", "out", "off"))
_NEUTRAL: Final = frozenset(("fault", "app"))


def object_from(s: Sentence, i: int) -> Object:
    """The object that begins at `i`: the last classed noun of the first phrase that has one.

    "to", "in" and "of" are crossed while nothing is found ("add it to the README"); a noun before an unknown one only
    describes it ("test button"), unless it is a plural.
    """
    words, end = s.words, s.end
    noun, at, deictic, first = "", -1, False, i
    while i < end:
        role = words[i].role
        if role in _PLAIN:
            kind, last = _kind(s, i)
            if kind and (not noun or (kind not in ("paper", "question") and role != v.PATH)):
                noun, at = kind, last
            elif not kind and noun and at == i - 1 and _describes(s, at, i):
                noun, at = "", -1
            i = last
        elif s.lows[i] == "following" and i > first and i + 1 < end and words[i + 1].role in (v.DET, v.DEIXIS):
            break  # "… following the plan"
        elif role == v.DEIXIS:
            if s.lows[i] == "that" and i > first and words[i - 1].role in _PLAIN:
                break
            deictic = True
        elif role not in _PASSED and s.lows[i] not in _PARTICLES and (noun or not _crosses(s, i, role)):
            break
        i += 1
    if not noun and i > first and s.lows[i - 1] in _SOME:
        deictic = True  # "let's add some"
    return Object(noun, at, i, deictic)


def _kind(s: Sentence, i: int) -> tuple[str, int]:
    """The noun class of the word, or the pair of words, at `i`, and where that ends."""
    kind = s.words[i].noun
    pairs = NOUN_PAIRS.get(s.lows[i])
    if pairs is not None and i + 1 < s.end and s.lows[i + 1] in pairs:
        name = pairs[s.lows[i + 1]]
        return "" if name == "other" else name, i + 1
    if kind in _NEUTRAL or (kind == "style" and s.lows[i] == "format" and i and s.words[i - 1].role == v.UNKNOWN):
        return "", i  # "the JSON format" is no layout of code
    return kind, i


def _describes(s: Sentence, at: int, i: int) -> bool:
    """Whether the noun at `at` only describes the one at `i` ("test button"); a plural does not."""
    word = s.words[i]
    unclassed = (
        word.role == v.UNKNOWN
        or word.noun == "app"
        or (word.role == v.VERB and not word.noun and s.lows[i] not in _CARRIED)
    )
    return unclassed and not s.lows[at].endswith("s") and not s.words[at].foreign


def _crosses(s: Sentence, i: int, role: int) -> bool:
    """Whether the search for an object goes on behind a small word."""
    if role == v.TO and i + 1 < s.end and s.words[i + 1].role == v.VERB and not s.words[i + 1].noun:
        return False
    return role in _CROSSED or s.lows[i] == "as"


def further(s: Sentence, verb: str, intent: Intent, thing: Object) -> tuple[tuple[Intent, int], ...]:
    """What else is asked for: objects joined to the first ("docs and tests"), and "with tests"."""
    i = _spread(s, verb, thing) if verb in _SPREADING else -1
    if i < 0:
        return ()
    words, found, open_ = s.words, dict[Intent, int](), True
    for k in range(i + 1, s.end):
        word = words[k]
        if word.role == v.WITH and verb in _INCLUDING:
            open_ = True
        elif open_ and word.noun in _ADDED and word.role in (v.NOUN, v.GERUND, v.PATH):
            if DOCUMENTS[word.noun] is not intent:
                found.setdefault(DOCUMENTS[word.noun], k)
        elif word.role not in _JOINED:
            open_ = False
    return tuple(found.items())


def _spread(s: Sentence, verb: str, thing: Object) -> int:
    """Where a further object begins: at a join right after the first, or at "with"; -1 where none does."""
    words = s.words
    if thing.noun and thing.end < s.end and words[thing.end].role in _JOINING:
        return thing.end
    if verb in _INCLUDING:
        for k in range(thing.end, s.end):
            if words[k].role == v.WITH:
                return k
            if words[k].role in (v.NEG, v.COND, v.WH):
                break
    return -1


def _any(s: Sentence, i: int, of: frozenset[str]) -> int:
    lows = s.lows
    return next((k for k in range(i, s.end) if lows[k] in of), -1)


Verdict = tuple[Intent, Confidence, Intent | None, int]
"""Intent, confidence, runner-up, index of the word besides the verb that decided (-1: none)."""


_SUBMITTED: Final = frozenset(("code", "changes", "diff", "implementation", "pr", "patch", "solution", "work"))


def _checked(s: Sentence, i: int, thing: Object) -> Verdict:
    if thing.noun == "style":
        return Intent.FORMAT, Confidence.MEDIUM, Intent.REVIEW, thing.at
    judged = _any(s, i, JUDGING)
    if judged >= 0:
        return Intent.REVIEW, Confidence.MEDIUM, Intent.ANALYZE, judged
    if thing.noun == "test":
        return Intent.TEST, Confidence.MEDIUM, Intent.ANALYZE, thing.at
    if not _SUBMITTED.isdisjoint(s.lows[i : thing.end]) and FAULTY.isdisjoint(s.lows):
        return Intent.REVIEW, Confidence.MEDIUM, Intent.ANALYZE, -1
    works = _any(s, i, WORKING)
    if works >= 0 and not any(s.words[k].role in (v.WH, v.AUXNEG, v.NEG) for k in range(i, s.end)):
        return Intent.TEST, Confidence.MEDIUM, Intent.ANALYZE, works
    return Intent.ANALYZE, Confidence.MEDIUM, Intent.REVIEW, -1


_INSIGHT: Final = frozenset(
    ("understand", "learn", "see", "find", "get", "deduce", "determine", "identify", "familiarize")
)


def _reviewed(s: Sentence, i: int, thing: Object) -> Verdict:
    """A review, unless its purpose is to understand, or its object is a failure or a question."""
    words, lows = s.words, s.lows
    named = thing.noun or thing.deictic or any(words[k].role in (v.PATH, v.MASK) for k in range(i + 1, thing.end))
    if lows[i] == "validate" and not named:  # "validate the input" is a thing to build
        return Intent.EDIT, Confidence.MEDIUM, Intent.REVIEW, -1
    for k in range(i + 1, s.end):
        if words[k].role == v.WH or (words[k].role == v.TO and k + 1 < s.end and lows[k + 1] in _INSIGHT):
            return Intent.ANALYZE, Confidence.MEDIUM, Intent.REVIEW, k
    return Intent.REVIEW, Confidence.HIGH, Intent.ANALYZE, -1


def _explained(s: Sentence, i: int, thing: Object) -> Verdict:
    if thing.noun in ("doc", "paper") and s.words[i + 1].role == v.INTO:
        return Intent.DOCUMENT, Confidence.HIGH, Intent.CHAT, thing.at  # "explain in the README how"
    for k in range(i + 1, s.end):
        if s.lows[k] == "why" and (not FAULTY.isdisjoint(s.lows) or any(w.role == v.AUXNEG for w in s.words)):
            return Intent.ANALYZE, Confidence.MEDIUM, Intent.CHAT, k
        said = s.lows[k : s.end] if s.lows[k] in ("if", "whether") else []
        if said and not (_FINDINGS.isdisjoint(said) and JUDGING.isdisjoint(said)):
            return Intent.REVIEW, Confidence.MEDIUM, Intent.CHAT, k
    return Intent.CHAT, Confidence.HIGH, Intent.ANALYZE, -1


_FINDINGS: Final = frozenset(("anything", "something", "any", "missing", "wrong"))


def _moved(s: Sentence, i: int, thing: Object) -> Verdict:
    """Code that is moved is refactoring; a thing on a screen that is moved is an edit."""
    intent = _PROSE.get(thing.noun)
    if intent is not None:
        return intent, Confidence.HIGH, Intent.REFACTOR, thing.at
    words, lows = s.words, s.lows
    if any(words[k].noun == "fault" for k in range(i, thing.end)):  # "clean those warnings"
        return Intent.EDIT, Confidence.MEDIUM, Intent.REFACTOR, -1
    if s.lows[i] != "move" or any(lows[k] in CODE or words[k].role in (v.PATH, v.MASK) for k in range(i, s.end)):
        return Intent.REFACTOR, Confidence.HIGH, Intent.EDIT, -1
    return Intent.EDIT, Confidence.MEDIUM, Intent.REFACTOR, -1


def _ensured(s: Sentence, i: int, thing: Object) -> Verdict:
    works = _any(s, i, WORKING)
    if works >= 0 and s.lows[works + 1 : works + 2] not in (["on"], ["in"]):
        return Intent.TEST, Confidence.MEDIUM, Intent.EDIT, works
    alone, by_noun = TABLE["ensure"]
    return by_noun.get(thing.noun, alone), Confidence.MEDIUM, Intent.TEST, thing.at if thing.noun in by_noun else -1


def _shown(s: Sentence, i: int, thing: Object) -> Verdict:
    """Looking at something or having it shown; a how-to where "how" follows."""
    for k in range(i + 1, min(i + 4, s.end)):
        if s.lows[k] == "how":
            return Intent.CHAT, Confidence.MEDIUM, Intent.ANALYZE, k
    verb = "show" if s.words[i].verb == "show" else "read"
    shown_to_us = i + 1 < s.end and s.words[i + 1].role in (v.ME, v.WE)
    if s.lows[i] == "show" and not thing.noun and not shown_to_us:
        return Intent.EDIT, Confidence.MEDIUM, Intent.ANALYZE, -1  # "show the total in the header"
    alone, by_noun = TABLE[verb]
    intent = by_noun.get(thing.noun, alone)
    return intent, Confidence.MEDIUM, Intent.CHAT, thing.at if intent is not alone else -1


_CREATING: Final = frozenset(("create", "write", "draft", "make", "generate", "produce", "prepare", "compose"))


_READABLE: Final = frozenset(("readable", "easier", "cleaner", "simpler", "maintainable", "reusable", "modular"))


def _made(s: Sentence, i: int, thing: Object) -> Verdict:
    if thing.noun == "roadmap" and s.lows[i] in _CREATING:
        return Intent.PLAN, Confidence.HIGH, Intent.DOCUMENT, thing.at
    noun, at = (thing.noun, thing.at) if thing.noun else _target(s, thing.end)
    if not noun and s.lows[thing.end - 1 : thing.end] == ["section"] and s.lows[thing.end : thing.end + 1] in _TOPICS:
        noun, at = "doc", thing.end - 1  # "add a section about …"
    intent = DOCUMENTS.get(noun)
    if intent is None:
        clause = s.lows[i : s.end]
        if not _READABLE.isdisjoint(clause) and not CODE.isdisjoint(clause):
            return Intent.REFACTOR, Confidence.MEDIUM, Intent.EDIT, -1
        return Intent.EDIT, Confidence.HIGH, Intent.REFACTOR, -1
    return intent, Confidence.HIGH, Intent.EDIT, at


_PLACING: Final = frozenset(
    "put save store copy paste add append write record insert move list dump incorporate integrate merge fold build".split()
)
_CONSTRUCTING: Final = frozenset(("build", "develop", "construct", "assemble"))
_ARTICLES: Final = frozenset(("a", "an"))
_TOPICS: Final = (["about"], ["explaining"], ["describing"], ["regarding"], ["covering"])
_SENDING: Final = frozenset(("publish", "upload", "send", "submit", "sync"))
_FORGES: Final = frozenset(("github", "gitlab", "bitbucket", "remote", "origin"))
_SOME: Final = frozenset(("some", "one", "another"))
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
    if low in _PLACING:
        noun, at = _target(s, i + 1)
        if noun in _PROSE:
            kind = "plan" if thing.noun == "plan" else noun
            return DOCUMENTS[kind], Confidence.HIGH, Intent.EDIT, at
    elif low in _SENDING:
        at = _any(s, i, _FORGES)
        if at >= 0 and "pages" not in s.lows[at : s.end]:
            return Intent.COMMIT, Confidence.MEDIUM, Intent.EDIT, at
    return None


def intent_of(s: Sentence, verb: str, i: int, thing: Object) -> Verdict:
    """The kind of work that the verb at `i`, of class `verb`, asks for with its object."""
    alone, by_noun = TABLE[verb]
    if verb == "run" and thing.at >= 0 and s.lows[thing.at] in ("spec", "specs"):
        return Intent.TEST, Confidence.HIGH, Intent.EDIT, thing.at
    if s.lows[i] in _CONSTRUCTING and thing.noun in ("plan", "doc") and not _ARTICLES.isdisjoint(s.lows[i : thing.at]):
        return CREATED[thing.noun], Confidence.HIGH, Intent.EDIT, thing.at  # "build a plan"
    placed = _placed(s, i, thing)
    if placed is not None:
        return placed
    special = _SPECIAL.get(verb)
    if special is not None and (verb != "explain" or thing.noun != "summary"):
        return special(s, i, thing)
    intent = by_noun.get(thing.noun)
    if intent is not None:
        return intent, Confidence.HIGH, alone if alone is not intent else RUNNERS_UP[intent], thing.at
    confidence = Confidence.MEDIUM if verb in ("read", "give", "use", "try", "go", "help", "idiom") else Confidence.HIGH
    return alone, confidence, RUNNERS_UP[alone], -1
