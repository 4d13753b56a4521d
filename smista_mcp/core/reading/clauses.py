"""Clauses of a prompt: where one thing asked for ends and the next begins.

Sentence ends, list marks and line breaks always part; "and", commas and "then" part only where a new verb, or a new
subject with its verb, follows, so that "docs and tests" stays one object.
"""

from typing import Final, NamedTuple

from smista_mcp.core.reading.vocabulary import (
    AND,
    AUX,
    AUXNEG,
    BEARER,
    BREAK,
    BUT,
    CLOSING,
    COMMA,
    COND,
    DEIXIS,
    DET,
    GERUND,
    INTO,
    LAST_BOUNDARY,
    LET,
    MASK,
    ME,
    MODAL,
    NEG,
    NOUN,
    NUM,
    OF,
    OPENER,
    OPENING,
    ORDER,
    PAST,
    PATH,
    PEOPLE,
    PHRASES,
    PLEASE,
    PREP,
    STOP,
    SUBJECT,
    THEN,
    TO,
    UNKNOWN,
    VERB,
    WANT,
    WE,
    WH,
    WHEN,
    WITH,
    WORKING,
    YOU,
    Word,
)

_REWORK: Final = frozenset(("change", "changes", "fix", "fixes", "edits", "adjustments"))
_FINAL: Final = frozenset(("build", "fix"))
_BRACKETS: Final = frozenset((OPENING, CLOSING))
_NEAR: Final = 10
_SKIPPED: Final = frozenset((OPENER, PLEASE, ORDER, THEN, AND, BUT, NUM, COMMA, BREAK))
_FINITE: Final = frozenset((AUX, AUXNEG, MODAL))
_SPEAKERS: Final = frozenset((ME, WE, YOU))
_ASKED: Final = frozenset((SUBJECT, DEIXIS, YOU, WE))
"""What stands behind "is", "do" in a question ("…, is there a way")."""
_MODIFIERS: Final = frozenset(("test", "commit", "prompt", "plan"))
_CONDITIONS: Final = frozenset((COND, WHEN))
_DEEP: Final = 60
"""Tokens into a condition beyond which it is not followed."""
_LEADING: Final = frozenset("after before once if when while until till unless whenever".split())
_TIMES: Final = frozenset(("after", "before"))
_ENDS: Final = frozenset((STOP, BREAK, COMMA, BUT, THEN))
_THINGS: Final = frozenset((UNKNOWN, NOUN, BEARER, PATH, MASK, NUM))
_SUBJECTS: Final = frozenset((DET, ME, WE, YOU, SUBJECT))
_HELD: Final = frozenset((AUX, AUXNEG, MODAL, VERB, GERUND, PAST))
"""Words that a condition may have for its verb, besides those of state."""
_REACHED: Final = WORKING | {"ready", "green", "possible", "needed", "necessary", "so"}
_STATES: Final = _REACHED | {"it's", "that's", "they're", "everything's", "all's", "you're"}
_LEADS: Final = _CONDITIONS | {OPENER, ORDER, NUM}
_WHOLE: Final = frozenset(("it", "them", "everything"))
_DONE: Final = frozenset((PAST, DEIXIS, OPENER))
_BEHIND: Final = _THINGS | _DONE | {VERB, GERUND}
_GOVERNED: Final = frozenset((DET, DEIXIS, PATH, MASK, ME, NOUN, COND))
_LABELLED: Final = frozenset(
    "click clicks clicking press presses pressing hit hits hitting tap taps tapping call calls calling".split()
)
"""Verbs whose object is the name of an action ("when I click delete the row stays")."""


class Clause(NamedTuple):
    """Tokens `start` to `end` (exclusive).

    `join` is the role of what parts it from the clause before: STOP for a sentence or list item of its own; AND, COMMA,
    BUT or THEN within a sentence. `sign` is the index of the token that ends it, or `end`.
    """

    start: int
    end: int
    join: int
    sign: int


def _is_counted(words: list[Word], i: int) -> bool:
    """Whether the word at `i` is one of several with numbers ("slice 4 of", "stage 2 is")."""
    if i + 2 >= len(words) or words[i + 1].role != NUM:
        return False
    return words[i + 2].role == OF or words[i + 2].role in _FINITE


def acts(words: list[Word], i: int) -> bool:
    """Whether the base form at `i` is meant as a verb where a clause may begin ("test the parser", "test plan")."""
    word = words[i]
    if _is_counted(words, i):
        return False
    if not word.noun:
        following = words[i + 1].role if i + 1 < len(words) else STOP
        return following not in _FINITE
    if i + 1 >= len(words):
        return True
    following = words[i + 1]
    role = following.role
    if role in _FINITE or role == OF:
        return False
    if role in (UNKNOWN, PAST):
        return i + 2 >= len(words) or words[i + 2].role not in _FINITE
    if following.noun and role != VERB:
        return word.noun not in _MODIFIERS
    return not (role == VERB and not following.noun)


def _content(words: list[Word], i: int, end: int) -> int:
    """Index of the first word at or after `i` that says something; `end` where none is near."""
    near = min(i + _NEAR, end)
    while i < near and (words[i].role in _SKIPPED or (words[i].role == INTO and words[i - 1].role == ORDER)):
        i += 1  # "later on"
    return i if i < near else end


def opens(words: list[Word], i: int, end: int) -> bool:
    """Whether a new request, or a new sentence without a sign, begins at `i`."""
    i = _content(words, i, end)
    if i >= end:
        return False
    role = words[i].role
    if role == VERB:
        return acts(words, i)
    following = words[i + 1].role if i + 1 < end else STOP
    if role in (LET, WANT):
        return True
    if role == MODAL:
        return following in _SPEAKERS
    if role in _SPEAKERS:
        return following not in (AND, OF, WITH, PREP)
    if role == WH:
        return following in _FINITE
    if role == NEG:
        return following in (VERB, TO)
    return role == AUX and (following == NEG or following in _ASKED)


def _parts(words: list[Word], raw: list[str], i: int, start: int, end: int) -> bool:
    """Whether the boundary word at `i` ends the clause that began at `start`."""
    role = words[i].role
    if role in (THEN, BUT):
        return i > start
    first = words[start].role
    if role == COMMA and _lists(words, i, end):
        return False
    if role == COMMA:
        return first in _CONDITIONS or opens(words, i + 1, end) or _clausal(words, i + 1, end)
    if role == AND:
        return _goes_on(words, raw, i, end) or (opens(words, i + 1, end) and not _parallel(words, raw, i, start))
    if role == BREAK:
        return True
    k = i - 1
    while k > max(start, i - _NEAR) and words[k].role in _SKIPPED:
        k -= 1
    before = words[k].role
    opening = k <= start and (before in _SKIPPED or (before == PREP and words[k].foreign))  # "por favor"
    if opening or before in _SPEAKERS or before == MODAL or before in _CONDITIONS:
        return False
    if role in (PLEASE, LET):
        return opens(words, i, end)
    if role == MODAL:
        return before not in (WH, PREP, TO, OF) and i + 1 < end and words[i + 1].role == YOU
    return False


def _led(words: list[Word], raw: list[str], i: int, end: int) -> int:
    """Index of the request that the condition at `i` leads to without a comma ("once I agree implement it"), or -1."""
    if raw[i].lower() not in _LEADING and raw[i + 1 : i + 2] != ["soon"]:
        return -1
    held = False
    for k in range(i + 1, min(i + _DEEP, end)):
        role = words[k].role
        if role in _ENDS or (held and has_subject(words, k)):
            return -1
        if role == VERB and (held or _agrees_not(words, raw, i, k, end)) and _governs(words, raw, k, end):
            return k
        held = held or role in _HELD or raw[k].lower() in _STATES
    return -1


def _goes_on(words: list[Word], raw: list[str], i: int, end: int) -> bool:
    """Whether a condition with a request of its own follows the "and" at `i` ("… and once it works commit it")."""
    if i + 1 >= end or words[i + 1].role not in _CONDITIONS or words[i - 1].role in (COND, WHEN, WH):
        return False
    return _led(words, raw, i + 1, end) >= 0


def has_subject(words: list[Word], k: int) -> bool:
    """Whether a new subject begins at `k`, right behind a thing ("after adding the flag the tests fail")."""
    return words[k].role in _SUBJECTS and words[k - 1].role in _THINGS


def _agrees_not(words: list[Word], raw: list[str], i: int, k: int, end: int) -> bool:
    """Whether the word before the base form at `k` cannot be its subject ("after login show", "when it ends show")."""
    low = raw[k - 1].lower()
    if words[k - 1].role not in (UNKNOWN, NOUN) or low in PEOPLE:
        return False
    if not low.endswith("s"):
        return raw[i].lower() in _TIMES
    finite = words[k - 2].role in _THINGS and not raw[k - 2].endswith("s") and words[k - 1].role == UNKNOWN
    return finite and k - 2 > i and (end >= len(words) or words[end].role != COMMA)


def _governs(words: list[Word], raw: list[str], k: int, end: int) -> bool:
    """Whether the base form at `k`, behind the verb of a condition, is the head of a request of its own."""
    before, low = words[k - 1].role, raw[k - 1].lower()
    reached = low in _REACHED
    if words[k].foreign or low in _LABELLED or (before not in _BEHIND and not reached):
        return False
    noun = words[k].noun
    if noun and before == DEIXIS and low not in _WHOLE:
        return False  # "when I run this program"
    if k + 1 >= end or words[k + 1].role <= LAST_BOUNDARY:
        return reached or before in _DONE or not (noun or low.endswith("s"))
    following = words[k + 1].role
    if noun:
        return following in (DET, DEIXIS) and before != VERB and acts(words, k)
    if following == TO:
        return not low.endswith("s")
    return reached or following in _GOVERNED or raw[k + 1].lower() in PHRASES.get(raw[k].lower(), ())


def _lists(words: list[Word], i: int, end: int) -> bool:
    """Whether the comma at `i` stands in a list of bare words behind a verb ("run typecheck, format and tests")."""
    if i < 2 or i + 2 >= end or not words[i + 1].noun or words[i + 1].role != VERB:
        return False
    return words[i - 1].role == UNKNOWN and words[i - 2].role in (VERB, COMMA) and words[i + 2].role in (AND, COMMA)


def _parallel(words: list[Word], raw: list[str], i: int, start: int) -> bool:
    """Whether the verb after "and" at `i` goes on with a subordinate one ("jobs that build and test")."""
    if raw[i] == "or" and i + 1 < len(words) and words[i + 1].role == VERB:
        return True  # "open or close": one request
    for k in range(i - 1, start, -1):
        if words[k].role == VERB and not words[k].noun:
            marker = words[k - 1].role
            if marker == TO:
                if words[i + 1].verb in _FINAL and (i + 2 >= len(words) or words[i + 2].role <= BREAK):
                    return False  # "…, and implement."
                if raw[i + 1].lower() == "make" and not _REWORK.isdisjoint(map(str.lower, raw[i + 2 : i + 4])):
                    return False  # "… to see where it is lost and make the changes"
                return any(words[n].role == VERB for n in range(start, k - 1))
            return marker in (DEIXIS, WH) or (marker == MODAL and k - 2 >= start and words[k - 2].role not in _SPEAKERS)
    return False


def _clausal(words: list[Word], i: int, end: int) -> bool:
    """Whether a subject and its verb follow: "…, it should", "…, the table is"."""
    i = _content(words, i, end)
    if i + 1 >= end:
        return False
    role = words[i].role
    if role in (SUBJECT, COND, WHEN):
        return True
    return role in (DEIXIS, DET) and any(words[k].role in _FINITE for k in range(i + 1, min(i + 4, end)))


def _soft(words: list[Word], raw: list[str], i: int, end: int) -> bool:
    """Whether a line break is only where the line was full."""
    if i == 0 or i + 1 >= end or raw[i].strip(" \n") or raw[i].count("\n") > 1:
        return False
    following = raw[i + 1]
    return following[:1].islower() and words[i - 1].role > LAST_BOUNDARY and not opens(words, i + 1, end)


def _bounded(words: list[Word], raw: list[str]) -> list[Clause]:
    """The stretches between boundaries."""
    found: list[Clause] = []
    end, start, join, inside = len(words), 0, STOP, False
    for i, word in enumerate(words):
        role = word.role
        if role > LAST_BOUNDARY:
            continue
        if role <= BREAK:
            if role == BREAK and _soft(words, raw, i, end):
                continue
            inside = False
        elif role in _BRACKETS:
            inside = role == OPENING
            continue
        elif i == start and role <= THEN:
            start, join = i + 1, _closer(join, role)
            continue
        elif inside or i < start or not _parts(words, raw, i, start, end):
            continue
        if i > start:
            found.append(Clause(start, i, join, i))
        join = STOP if role == BREAK else role
        start = i if role > THEN else i + 1
    if start < end:
        found.append(Clause(start, end, join, end))
    return found


def clauses(words: list[Word], raw: list[str]) -> list[Clause]:
    """The clauses of a text, in order, none of them empty."""
    found = _bounded(words, raw)
    if _LEADS.isdisjoint([words[clause.start].role for clause in found]):
        return found
    parts: list[Clause] = []
    for clause in found:
        if clause.join == COMMA and parts[-1].join == THEN and words[parts[-1].start].role in _CONDITIONS:
            parts.append(clause._replace(join=THEN))  # "then once I agree, write the code"
        elif words[clause.start].role in _LEADS:
            parts += _parted(words, raw, clause)
        else:
            parts.append(clause)
    return parts


def _parted(words: list[Word], raw: list[str], clause: Clause) -> list[Clause]:
    """A clause, or the condition that it is and the request that this leads to without a comma."""
    first = clause.start
    while first < clause.end and words[first].role in _SKIPPED:
        first += 1
    k = _led(words, raw, first, clause.end) if first < clause.end and words[first].role in _CONDITIONS else -1
    if k < 0:
        return [clause]
    join = STOP if clause.join == STOP else THEN
    return [clause._replace(end=k, sign=k), clause._replace(start=k, join=join)]


def _closer(join: int, role: int) -> int:
    """How a clause is joined where two boundaries meet (", and then"): "then" always shows."""
    if THEN in (join, role):
        return THEN
    return join if join == STOP else role
