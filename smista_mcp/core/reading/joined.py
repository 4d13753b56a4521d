"""A clause among others: what it takes from the one before, and the work that its "after fixing it" names besides."""

from typing import Final

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import STATEMENT, TOLD, WISH, Act, Reading, Work
from smista_mcp.core.reading.clauses import Clause, has_subject
from smista_mcp.core.reading.kinds import (
    ANALYZE,
    CHAT,
    COMMIT,
    DOCUMENT,
    EDIT,
    FORMAT,
    MEDIUM,
    PLAN,
    REFACTOR,
    REVIEW,
    TEST,
)
from smista_mcp.core.reading.objects import DOCUMENTS, TABLE, Sentence
from smista_mcp.core.reading.requests import imperative
from smista_mcp.core.reading.sentences import opened

_PLURAL: Final = frozenset(("them", "some"))
_NAMING: Final = frozenset((v.NOUN, v.GERUND, v.PATH))
_ORDERING: Final = frozenset(("after", "once", "before"))
_VERBAL: Final = frozenset((v.GERUND, v.VERB, v.PAST))
_FINITE: Final = frozenset((v.AUX, v.AUXNEG, v.MODAL))
_HELPING: Final = frozenset((v.AUX, v.OPENER))
_BREAKING: Final = _VERBAL | {v.WH, v.COND, v.WHEN, v.MODAL, v.AUX, v.AUXNEG}
_WORK: Final = frozenset((EDIT, TEST, DOCUMENT, FORMAT, REFACTOR, COMMIT, PLAN, ANALYZE, REVIEW))
_PRECEDING: Final = frozenset((EDIT, TEST, DOCUMENT, FORMAT, REFACTOR))
_ENDED: Final = frozenset(("done", "finished", "ready"))
_VAGUE: Final = frozenset(("any", "anything", "else", "everything"))
_IDLE: Final = frozenset(("read", "use", "aside", "leave", "begin", "try", "go", "help", "show", "give", "explain"))
_STEPS: Final = frozenset(("make", "fix", "run", "format", "commit", "refactor", "reshape"))
_BUILDING: Final = frozenset(("implement", "build", "code"))
_POINTING: Final = frozenset(("test", "document", "check", "review"))
"""Verbs whose object may be what the program does "after saving it"; with a mere "it" they are steps."""
_NEXT: Final = frozenset("implementing coding refactoring fixing committing pushing documenting".split())
"""Work that "before" puts off, and that is meant all the same."""


def read(clause: Clause, words: list[v.Word], lows: list[str], before: Reading | None) -> Reading:
    """The reading of one clause; `before` is that of the clause before it in the same text."""
    sign = lows[clause.sign] if clause.sign < len(lows) else ""
    joined, contrast = clause.join != v.STOP, clause.join == v.BUT
    s = Sentence(words, lows, clause.start, clause.end, "?" in sign, joined, contrast)
    found = opened(s, clause.start)
    if found.act == Act.QUESTION and not found.noun:
        named = (words[k].noun for k in range(clause.start, clause.end) if words[k].role in _NAMING)
        found = found._replace(noun=next((noun for noun in named if noun in DOCUMENTS), ""))
    if before is None or before.act == Act.CONDITION or not _ORDERING.isdisjoint(lows[clause.start : clause.end]):
        found = _ordered(s, found, before)
    if before is None:
        return found
    if clause.join == v.THEN and found.act == Act.STATEMENT and before.act == Act.REQUEST:
        return _elliptic(words, clause, before)
    if before.noun and not found.noun:
        found = _taking_up(found, before.noun, plural=not _PLURAL.isdisjoint(lows[clause.start : clause.end]))
    if found.act != Act.REQUEST or clause.join not in (v.AND, v.COMMA, v.THEN):
        return found
    series = clause.join == v.AND or before.detail or before.verb == TOLD
    if before.verb in (WISH, TOLD) and series and words[clause.start].role == v.VERB:
        return before._replace(further=())  # "it should render the page, track the points and calculate …"
    if clause.join == v.THEN:
        return found
    asking = before.act == Act.QUESTION and (clause.join == v.AND or "?" in sign)
    if asking or (clause.join == v.AND and before.act == Act.CONDITION):
        return found._replace(act=before.act, intent=before.intent, further=())
    return found


def _elliptic(words: list[v.Word], clause: Clause, before: Reading) -> Reading:
    """The verb of the clause before goes on ("first the schema, then the code")."""
    if words[clause.start].role != v.DET or before.verb not in TABLE:
        return STATEMENT
    at = next((k for k in range(clause.start, clause.end) if words[k].role != v.DET), clause.start)
    return Reading(Act.REQUEST, TABLE[before.verb][0], MEDIUM, (at,), CHAT, before.verb)


def _taking_up(found: Reading, noun: str, *, plural: bool) -> Reading:
    """A reading whose "it" or "them" is what a clause before spoke of."""
    found = found._replace(noun=noun)
    meant = found.verb in ("make", "fix") and (noun != "test" or plural)
    if found.deictic and found.intent is EDIT and (meant or (found.verb == "run" and noun == "test")):
        intent = TABLE[found.verb][1].get(noun)
        if intent is not None:
            return found._replace(intent=intent, confidence=MEDIUM, runner_up=EDIT)
    return found


def _ordered(s: Sentence, found: Reading, before: Reading | None) -> Reading:
    """A reading with the work that its "after …" or "before …" names.

    A condition keeps it for the request that it leads to; to a request belongs what its author does, not what the
    program does for its users ("show a toast after saving the form").
    """
    if found.act == Act.CONDITION and s.lows[s.start] in _ORDERING:
        earlier, later = _named(s, s.start)
        noun = "test" if earlier and earlier[-1][0] is TEST else found.noun  # "after writing tests, run them"
        return found._replace(earlier=earlier, further=later, noun=noun)
    if found.act != Act.REQUEST:
        return found
    head = min(found.evidence, default=s.end)
    if before is not None and before.act == Act.CONDITION:
        mending = found.verb == "fix" or found.deictic
        found = _with(s, found, before.earlier, before.further, mending=mending)
    for k in range(head + 1, s.end - 1):
        if s.lows[k] in _ORDERING:
            return _with(s, found, *_named(s, k), mending=found.verb == "fix" and found.deictic)
        acting = s.words[k].role in _BREAKING and not s.words[k].noun and s.words[k - 1].role != v.DET
        if acting or s.lows[k] == "that":
            break
    return found


def _named(s: Sentence, k: int) -> tuple[tuple[Work, ...], tuple[Work, ...]]:
    """The work before, and the work after, that the conjunction at `k` names, if it does."""
    words, i = s.words, k + 1
    if i < s.end and words[i].role == v.YOU:
        i += 1
        while i < s.end and words[i].role in _HELPING:
            i += 1
    elif i < s.end and words[i].role != v.GERUND:
        return (), ()
    if _tells(s, i):
        return (), ()
    found: list[Work] = []
    later = s.lows[k] == "before"
    while i < s.end and words[i].role in _VERBAL and words[i].verb and words[i].verb not in _IDLE:
        if s.lows[i] in _ENDED or not _VAGUE.isdisjoint(s.lows[i : i + 3]):
            break
        joints = (n for n in range(i + 1, s.end - 1) if words[n].role == v.AND and words[n + 1].role == v.GERUND)
        end = next(joints, s.end)
        work = imperative(s._replace(end=end), i)
        if work.act != Act.REQUEST or work.intent is None or work.intent not in _WORK:
            break
        if not later or work.intent in (COMMIT, DOCUMENT) or s.lows[i] in _NEXT:
            found.append((work.intent, i))
        i = end + 1
    return ((), tuple(found)) if later else (tuple(found), ())


def _tells(s: Sentence, i: int) -> bool:
    """Whether what begins at `i` goes on with a subject of its own ("after adding the flag | the tests fail")."""
    for k in range(i + 1, s.end):
        word, before = s.words[k], s.words[k - 1]
        if word.role in _FINITE or has_subject(s.words, k):
            return True
        breaks = s.lows[k] in v.FAULTY or (word.role == v.VERB and not word.noun)
        if breaks and before.role in (v.UNKNOWN, v.NOUN) and s.lows[k - 1].endswith("s"):
            return True  # "after renaming the module imports break"
    return False


def _with(s: Sentence, found: Reading, earlier: tuple[Work, ...], later: tuple[Work, ...], *, mending: bool) -> Reading:
    """A request with other work before and after it, where it is a step of work itself.

    A plain edit comes after other work where it builds something or is `mending` what the work showed; else the program
    does it ("clear the form after committing"), or the work has been done ("fix the crash after adding a test").
    """
    low = s.lows[found.evidence[0]] if found.evidence else ""
    building = low in _BUILDING
    step = found.verb in _STEPS or building
    pointing = found.verb in _POINTING
    follows = (step or (pointing and found.deictic)) and (
        building or mending or (found.intent is not EDIT and found.verb != "fix")
    )
    before = tuple(work for work in earlier if follows and work[0] is not found.intent)
    after = tuple(work for work in later if work[0] is not found.intent and found.intent in _PRECEDING)
    if not step:
        after = tuple(work for work in after if work[0] is COMMIT and found.verb == "build")
    return found._replace(earlier=before, further=found.further + after)
