"""Clauses that ask for work: an imperative, what follows "can you" or "we should", a wish."""

from typing import Final

from smista_mcp.core.reading import tongues
from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import DEEP, GO_ON, STATEMENT, WISH, Act, Reading, question
from smista_mcp.core.reading.clauses import acts
from smista_mcp.core.reading.kinds import ANALYZE, CHAT, DOCUMENT, EDIT, HIGH, LOW, MEDIUM
from smista_mcp.core.reading.objects import CREATED, Object, Sentence, further, object_from
from smista_mcp.core.reading.verdicts import intent_of
from smista_mcp.core.reading.vocabulary import CODE, PHRASES

_LEADING: Final = frozenset(("begin", "try", "help", "go"))
_LOOKING: Final = frozenset(("read", "analyze"))
_BETWEEN: Final = frozenset((v.OPENER, v.ME, v.WE, v.TO, v.AND, v.PREP, v.PLEASE))
_DETAILING: Final = frozenset(("include", "mention", "cover", "highlight", "specify", "keep", "use", "note"))
_WORKS: Final = frozenset(
    "implement code change edit modify touch make do write apply execute build start fix begin create".split()
)
_STARTING: Final = frozenset(("implement", "code", "apply", "execute", "start", "begin"))
_ANYTHING: Final = "anything"
_UNNAMED: Final = frozenset((v.DET, v.DEIXIS, v.OPENER, v.STOP, v.COND, v.BUT, v.NEG, v.TO))
_ANY_WORK: Final = frozenset("code changes change yet anything file files implementation implementing coding".split())
_DROPPING: Final = frozenset(
    "skip skipping ignore ignoring omit omitting postpone postponing defer deferring forget stop pause leave".split()
)
"""Verbs by which work is left out, where what follows is work and nothing more."""
_DOING: Final = frozenset(("writing", "running", "doing", "making", "adding"))
_LEFT: Final = (["the"], ["out"], ["all"])
_HALTING: Final = frozenset(("stop", "pause"))
_TASKS: Final = frozenset("coding implementing programming editing refactoring testing planning reviewing".split())
_AROUND: Final = frozenset((v.DET, v.OPENER, v.ORDER, v.AND, v.COMMA, v.PLEASE, v.OPENING, v.CLOSING))
_FOR_NOW: Final = frozenset("about for now out yet this time part step phase writing running doing until later".split())
_NAMED: Final = frozenset((v.DET, v.UNKNOWN, v.NOUN, v.BEARER, v.PATH, v.MASK, v.VERB, v.GERUND))
_PARTICLES: Final = frozenset(("up", "out", "off", "down"))
_GOTTEN: Final = frozenset((v.DEIXIS, v.DET, v.OPENER, v.UNKNOWN, v.NOUN, v.BEARER, v.PATH, v.MASK))
_UNTOUCHED: Final = frozenset(("alone", "as", "untouched", "unchanged", "intact", "touch"))
_SEEN: Final = frozenset("shown displayed visible hidden rendered clickable aligned centered sorted".split())
"""Participles by which a wish is about what a screen shows."""
_PASSED_BEFORE_VERB: Final = frozenset((v.OPENER, v.DET, v.TO, v.WANT, v.YOU))


def imperative(s: Sentence, i: int, act: int = Act.REQUEST) -> Reading:
    """The reading of a clause whose head verb stands at `i`."""
    verb, after = _verb_at(s, i)
    if verb == "give" and _bestows(s, after):
        verb = "make"  # "give it a border"
    if verb == "read" and after < s.end and s.words[after].role == v.WH and s.lows[after] != "how":
        verb = "analyze"  # "see why it fails"
    inner = _inner(s, verb, after) if s.lows[i] != "get" else _participle(s, after)
    if inner >= 0 and inner - s.start < DEEP:
        return imperative(s, inner, act)
    if verb in _LEADING and after >= s.end:
        return Reading(act, EDIT, LOW, (i,), CHAT, GO_ON)
    if verb == "leave" and not _UNTOUCHED.isdisjoint(s.lows[i : s.end]):
        return Reading(Act.NEGATION, verb=verb, evidence=(i,))
    dropped = _dropped(s, i) if s.lows[i] in _DROPPING else -1
    if dropped >= 0:
        barring = s.lows[dropped] in _ANY_WORK
        return Reading(Act.NEGATION, verb=verb, evidence=(i, dropped), barring=barring)
    if verb == "aside" or s.lows[i] == "consider":  # "consider the following", unless "consider using"
        return _beside(s, i, act)
    thing = object_from(s, after)
    intent, confidence, runner_up, at = intent_of(s, verb, i, thing)
    if act != Act.REQUEST and confidence is HIGH:
        confidence = MEDIUM
    evidence = (i,) if at < 0 else (i, at)
    more = further(s, verb, intent, thing)
    passing = verb == "check" and intent is ANALYZE and _names_something(s, after, thing)
    passing = passing or (s.lows[i] == "understand" and thing.deictic)
    detail = s.lows[i] in _DETAILING or _details(s, i, after)
    return Reading(act, intent, confidence, evidence, runner_up, verb, more, thing.deictic, passing, thing.noun, detail)


def _dropped(s: Sentence, i: int) -> int:
    """Index of the work that the verb at `i` leaves out ("skip the tests for now", "stop coding"), or -1.

    What is said more closely is a thing of the program ("skip the tests that need a network", "stop showing it").
    """
    if s.lows[i] == "leave" and s.lows[i + 1 : i + 2] not in _LEFT:
        return -1  # "leave a comment"
    halts, found = s.lows[i] in _HALTING, -1
    for k in range(i + 1, min(i + DEEP, s.end)):
        word = s.words[k]
        halts = halts and s.lows[k] not in _DOING
        if s.lows[k] in _TASKS or (not halts and word.noun in CREATED):
            found = k
        elif word.role not in _AROUND and s.lows[k] not in _FOR_NOW:
            return -1
    return found


def _beside(s: Sentence, i: int, act: int) -> Reading:
    """A verb that says how to go on ("note that"), unless it brings up a request or a question after all."""
    low = s.lows[i]
    following = s.words[i + 1].role if i + 1 < s.end else v.STOP
    if low == "remember" and following == v.TO:
        return requested(s, i + 2, act)
    if low == "note" and following == v.DET:
        return Reading(act, DOCUMENT, MEDIUM, (i,), CHAT, "make")
    if low == "know" and i > s.start and s.words[i - 1].role == v.TO:
        of_code = not CODE.isdisjoint(s.lows[i : s.end])
        return question(ANALYZE, (i,), CHAT) if of_code else question(CHAT, (i,), ANALYZE)
    return Reading(Act.PREFERENCE, CHAT, LOW, (i,), verb="aside")


def _verb_at(s: Sentence, i: int) -> tuple[str, int]:
    """The class of the verb at `i`, alone or with the word after it, and where what it governs begins."""
    words, lows = s.words, s.lows
    verb, after = words[i].verb, i + 1
    if lows[i] in tongues.SHARED and after < s.end and words[after].foreign:
        return tongues.SHARED[lows[i]], after
    pairs = PHRASES.get(lows[i])
    if pairs is None or after >= s.end:
        return verb, after
    name = pairs.get(lows[after])
    if name is not None:
        return name, after + 1
    if words[after].role == v.DEIXIS and after + 1 < s.end:
        return pairs.get(lows[after + 1], verb), after  # "clean it up"
    if words[after].role == v.DET:
        k = after + 1
        while k < min(after + 6, s.end) and words[k].role in _NAMED:
            k += 1
        if k < s.end and lows[k] in _PARTICLES:
            return pairs.get(lows[k], verb), after  # "pull the parser out"
    return verb, after


def _inner(s: Sentence, verb: str, after: int) -> int:
    """Index of the verb that "try to", "start by", "help me", "look into" lead to, or -1."""
    words = s.words
    if verb == "ensure" and after + 1 < s.end and words[after].role == v.TO and words[after + 1].role == v.VERB:
        return after + 1  # "make sure to test it"
    if verb in _LEADING:
        for k in range(after, min(after + 5, s.end)):
            role = words[k].role
            if role == v.GERUND or (role == v.VERB and acts(words, k)):
                return k
            if role not in _BETWEEN:
                return -1
    elif verb in _LOOKING and after < s.end:
        k = after + 1 if words[after].role in (v.INTO, v.PREP) else after
        if k < s.end and words[k].role == v.GERUND and words[k].verb:
            return k
    return -1


def _details(s: Sentence, i: int, after: int) -> bool:
    """Whether the verb at `i` only says how: "do this with care", "call it x", "add which role may do what"."""
    if after >= s.end:
        return False
    if s.words[after].role == v.WH:
        return s.words[i].verb == "make"
    if s.lows[i] not in ("do", "call") or s.words[after].role != v.DEIXIS or after + 1 >= s.end:
        return False
    return s.words[after + 1].role not in (v.VERB, v.AND, v.INTO)


def _bestows(s: Sentence, i: int) -> bool:
    """Whether what follows "give" is a thing that gets another ("give the button a border")."""
    if i >= s.end or s.words[i].role in (v.ME, v.WE, v.YOU):
        return False
    near = range(i + 1, min(i + 4, s.end))
    return any(s.words[k].role == v.NUM or s.lows[k] in ("a", "an", "more", "some", "two", "three") for k in near)


def _participle(s: Sentence, i: int) -> int:
    """Index of the participle that "get … done" leads to, or -1."""
    words = s.words
    for k in range(i, min(i + 6, s.end)):
        if words[k].role == v.PAST and k > i and words[k].verb:
            return k
        if words[k].role not in _GOTTEN:
            return -1
    return -1


def _names_something(s: Sentence, i: int, thing: Object) -> bool:
    return any(s.words[k].role in (v.PATH, v.MASK) for k in range(i, thing.end))


def requested(s: Sentence, i: int, act: int = Act.REQUEST) -> Reading:
    """What follows "can you", "we should", "let's": the first verb."""
    words = s.words
    for k in range(i, min(i + 6, s.end)):
        role = words[k].role
        if role == v.VERB:
            return imperative(s, k, act)
        if role == v.NEG:
            return forbidden(s, k)
        if role == v.AUX:
            return by_noun(s, k, act) if s.lows[k] == "do" else wish(s, k, k + 1)
        if role == v.UNKNOWN:
            return imperative(s, k, act) if is_idiom(s, k) else by_noun(s, k, act)
    return STATEMENT


def is_idiom(s: Sentence, i: int) -> bool:
    """Whether two words at `i` are together a verb that the first is not ("double check")."""
    pairs = PHRASES.get(s.lows[i])
    return pairs is not None and i + 1 < s.end and s.lows[i + 1] in pairs


def by_noun(s: Sentence, i: int, act: int = Act.REQUEST) -> Reading:
    """A request whose verb at `i` says nothing, so that the noun decides ("do a review", "whip up some tests")."""
    thing = object_from(s, i + 1)
    intent = CREATED.get(thing.noun)
    if intent is None:
        return Reading(act, EDIT, MEDIUM, (i,), CHAT, deictic=thing.deictic)
    return Reading(act, intent, MEDIUM, (i, thing.at), EDIT, deictic=thing.deictic, noun=thing.noun)


def forbidden(s: Sentence, i: int) -> Reading:
    """What follows a negation at `i`; "don't forget to" asks."""
    k = i + 1
    while k < s.end and s.words[k].role in _PASSED_BEFORE_VERB:
        k += 1
    if k >= s.end:
        return Reading(Act.NEGATION, evidence=(i,))
    if s.lows[k] == "forget":
        wanted = requested(s, k + 1)
        return wanted if wanted.intent is not None or k + 1 >= s.end else by_noun(s, k)
    return Reading(Act.NEGATION, verb=s.words[k].verb, evidence=(i, k), barring=_bars(s, k))


def _bars(s: Sentence, k: int) -> bool:
    """Whether what is forbidden at `k` is to work on the code at all ("implement it yet", "make any changes")."""
    if s.lows[k] not in _WORKS:
        return False
    if s.lows[k] not in _STARTING and any(s.words[n].role == v.DEIXIS for n in range(k + 1, s.end)):
        return _ANYTHING in s.lows[k + 1 : s.end]
    objects = [n for n in range(k + 1, s.end) if s.words[n].role not in _UNNAMED]
    return all(s.lows[n] in _ANY_WORK for n in objects)


def desire(s: Sentence, i: int) -> Reading:
    """What follows "want", "need", "would like" at `i`: of oneself, of the reader, or of a thing."""
    words = s.words
    subject = -1
    for k in range(i + 1, min(i + 9, s.end)):
        role = words[k].role
        if role == v.TO and k + 1 < s.end and words[k + 1].role in (v.VERB, v.OPENER, v.AUX, v.UNKNOWN):
            if subject >= 0 and words[subject].role not in (v.YOU, v.WE):
                return wish(s, i, i + 1)._replace(detail=True)
            return requested(s, k + 1, Act.DESIRE if subject < 0 else Act.REQUEST)
        if role == v.GERUND and subject >= 0 and words[subject].verb == "help":
            return imperative(s, k, Act.DESIRE)
        if role in (v.COND, v.WH, v.MODAL, v.AUX, v.STOP):
            break
        if subject < 0 and role not in (v.OPENER, v.DET, v.TO):
            subject = k
    return wish(s, i, i + 1)


def wish(s: Sentence, i: int, start: int) -> Reading:
    """Something that should be so: an edit, unless what it is about says otherwise."""
    thing = object_from(s, start)
    intent = EDIT if not _SEEN.isdisjoint(s.lows[i : s.end]) else CREATED.get(thing.noun, EDIT)
    evidence = (i, thing.at) if thing.noun else (i,)
    runner_up = EDIT if intent is not EDIT else CHAT
    more = further(s, "make", intent, thing)
    detail = start < s.end and s.words[start].role in (v.SUBJECT, v.DEIXIS)
    return Reading(Act.DESIRE, intent, MEDIUM, evidence, runner_up, WISH, more, thing.deictic, detail=detail)
