"""Verb and object: the kind of work that a verb class asks for with what it is applied to."""

from typing import Final, NamedTuple

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.kinds import (
    ANALYZE,
    CHAT,
    COMMIT,
    DOCUMENT,
    EDIT,
    FORMAT,
    PLAN,
    PROMPT,
    REFACTOR,
    REVIEW,
    SKILL,
    SUMMARIZE,
    TEST,
)
from smista_mcp.core.reading.vocabulary import CONTROLS, NOUN_PAIRS, Word
from smista_mcp.core.values import Intent


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
    "test": TEST,
    "doc": DOCUMENT,
    "paper": DOCUMENT,
    "plan": PLAN,
    "prompt": PROMPT,
    "commit": COMMIT,
    "summary": SUMMARIZE,
    "review": REVIEW,
    "analysis": ANALYZE,
    "style": FORMAT,
    "roadmap": DOCUMENT,
    "question": CHAT,
    "waste": REFACTOR,
}
"""Noun class to the work of changing such a thing."""
CREATED: Final = {**DOCUMENTS, "roadmap": PLAN}
"""Noun class to the work of bringing such a thing about."""
PROSE: Final = {k: DOCUMENTS[k] for k in ("doc", "paper", "plan", "prompt", "style", "roadmap")}
"""The classes of things that are text."""
_ACTIVITIES: Final = {k: DOCUMENTS[k] for k in ("test", "review", "analysis", "style")}
TABLE: Final[dict[str, tuple[Intent, dict[str, Intent]]]] = {
    "": (EDIT, DOCUMENTS),
    "make": (EDIT, DOCUMENTS),
    "build": (EDIT, {"test": TEST, "style": FORMAT}),
    "fix": (EDIT, {**PROSE, "test": TEST, "commit": COMMIT}),
    "run": (
        EDIT,
        {
            **_ACTIVITIES,
            "commit": COMMIT,
            "summary": SUMMARIZE,
            "doc": DOCUMENT,
            "prompt": SKILL,
        },
    ),
    "begin": (EDIT, {**_ACTIVITIES, "doc": DOCUMENT, "paper": DOCUMENT}),
    "give": (CHAT, {**DOCUMENTS, "doc": CHAT, "options": PLAN}),
    "show": (
        ANALYZE,
        {**DOCUMENTS, **dict.fromkeys(("test", "doc", "style", "prompt", "commit"), ANALYZE)},
    ),
    "plan": (PLAN, {}),
    "analyze": (ANALYZE, {}),
    "check": (ANALYZE, {}),
    "review": (REVIEW, {}),
    "read": (ANALYZE, {"review": REVIEW}),
    "explain": (CHAT, {"summary": SUMMARIZE}),
    "suggest": (CHAT, {"plan": PLAN, "options": PLAN}),
    "test": (TEST, {}),
    "refactor": (REFACTOR, PROSE),
    "reshape": (REFACTOR, PROSE),
    "format": (FORMAT, {"commit": COMMIT}),
    "document": (DOCUMENT, {}),
    "write": (DOCUMENT, DOCUMENTS),
    "summarize": (SUMMARIZE, {}),
    "commit": (COMMIT, {}),
    "prompt": (PROMPT, {}),
    "ensure": (EDIT, {"test": TEST, "style": FORMAT, "doc": DOCUMENT}),
    "use": (EDIT, {"prompt": SKILL}),
    "try": (EDIT, {}),
    "idiom": (EDIT, DOCUMENTS),
    "go": (EDIT, {}),
    "help": (EDIT, DOCUMENTS),
    "leave": (EDIT, {"doc": DOCUMENT}),
}
"""Verb class to its intent by itself, and by the noun class of its object."""
RUNNERS_UP: Final = {
    ANALYZE: CHAT,
    CHAT: ANALYZE,
    REVIEW: ANALYZE,
    EDIT: REFACTOR,
    PLAN: EDIT,
    SUMMARIZE: CHAT,
    SKILL: EDIT,
    COMMIT: SUMMARIZE,
    **dict.fromkeys((TEST, REFACTOR, DOCUMENT, FORMAT, PROMPT), EDIT),
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
_ITEMS: Final = frozenset("task tasks step steps item items issue issues point points requirement requirements".split())
_PARTICLES: Final = frozenset(("up", "down", "out", "off"))
_TITLES: Final = frozenset(("docs", "tests"))
_NEUTRAL: Final = frozenset(("fault", "app"))
_ENDING: Final = {"following": (v.DET, v.DEIXIS), "instead": (v.OF,)}
"""Words behind which an object is another one, where a word of these roles follows."""
_DECIDING: Final = frozenset((v.MODAL, v.AUX, v.AUXNEG, v.NEG))
_PURPOSEFUL: Final = frozenset("ability option button way possibility feature permission link command".split())
"""Things whose purpose "to" tells, whatever verb follows."""
_ACTED_ON: Final = frozenset((v.DET, v.DEIXIS, v.PATH, v.ME, v.WE))
_SOME: Final = frozenset(("some", "one", "another"))


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
        elif s.lows[i] in _ENDING and i > first and i + 1 < end and words[i + 1].role in _ENDING[s.lows[i]]:
            break  # "… following the plan", "… instead of a test"
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
    named = s.lows[at]
    if not unclassed or s.words[at].foreign:
        return False
    return not named.endswith("s") or (s.lows[i] in CONTROLS and named not in _TITLES)


def _crosses(s: Sentence, i: int, role: int) -> bool:
    """Whether the search for an object goes on behind a small word."""
    if role == v.TO and i + 1 < s.end and s.words[i + 1].role == v.VERB and _acts(s, i + 1):
        return False
    if role == v.COMMA and i + 2 < s.end and (s.words[i + 2].role in _DECIDING or s.lows[i + 2] == "later"):
        return False  # "…, tests can wait"
    if s.lows[i] == "from" and s.lows[i - 1] in _ITEMS:
        return False  # "the tasks from PLAN.md"
    return (role in _CROSSED and s.lows[i] != "+") or s.lows[i] == "as"


def _acts(s: Sentence, i: int) -> bool:
    """Whether the base form at `i`, behind "to", is meant as a verb ("a button to commit the form")."""
    if not s.words[i].noun or s.lows[i - 2] in _PURPOSEFUL:
        return True
    return s.lows[i] != "test" and i + 1 < s.end and s.words[i + 1].role in _ACTED_ON  # but "a script to test it"


def further(s: Sentence, verb: str, intent: Intent, thing: Object) -> tuple[tuple[Intent, int], ...]:
    """What else is asked for: objects joined to the first ("docs and tests"), and "with tests"."""
    i = _spread(s, verb, thing) if verb in _SPREADING else -1
    if i < 0:
        return ()
    words, found, open_ = s.words, dict[Intent, int](), True
    for k in range(i + 1, s.end):
        word = words[k]
        if verb in _INCLUDING and (word.role == v.WITH or s.lows[k] == "+"):
            open_ = True
        elif open_ and word.noun in _ADDED and _is_thing(s, k):
            if DOCUMENTS[word.noun] is not intent:
                found.setdefault(DOCUMENTS[word.noun], k)
        elif word.role not in _JOINED:
            open_ = False
    return tuple(found.items())


def _is_thing(s: Sentence, k: int) -> bool:
    """Whether the word at `k` is a noun, also where it may be a verb ("with a test")."""
    role = s.words[k].role
    return role in (v.NOUN, v.GERUND, v.PATH) or (role == v.VERB and s.words[k - 1].role == v.DET)


def _spread(s: Sentence, verb: str, thing: Object) -> int:
    """Where a further object begins: at a join right after the first, or at "with"; -1 where none does."""
    words = s.words
    if thing.noun and thing.end < s.end and words[thing.end].role in _JOINING:
        return thing.end
    if verb in _INCLUDING:
        for k in range(thing.end, s.end):
            if words[k].role == v.WITH or s.lows[k] == "+":
                return k
            if words[k].role in (v.NEG, v.COND, v.WH):
                break
    return -1
