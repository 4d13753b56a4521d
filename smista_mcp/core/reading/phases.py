"""From readings of clauses to phases: which clauses count, in which order, and which words belong to which phase."""

from collections.abc import Sequence
from typing import Final, NamedTuple

from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import GO_ON, STATEMENT, Act, Reading
from smista_mcp.core.reading.clauses import Clause, clauses
from smista_mcp.core.reading.joined import read
from smista_mcp.core.reading.kinds import (
    ANALYZE,
    CHAT,
    COMMIT,
    DOCUMENT,
    EDIT,
    FORMAT,
    HIGH,
    LOW,
    MEDIUM,
    PLAN,
    PROMPT,
    REFACTOR,
    REVIEW,
    SUMMARIZE,
    TEST,
)
from smista_mcp.core.reading.objects import RUNNERS_UP
from smista_mcp.core.reading.prompt import Prompt
from smista_mcp.core.reading.spelling import corrected
from smista_mcp.core.reading.unspaced import is_japanese
from smista_mcp.core.reading.vocabulary import UNKNOWN, UNKNOWN_WORD, WORDS
from smista_mcp.core.values import Confidence, Intent

MOST: Final = 20
"""Phases of one task; what comes after is added to an earlier phase of the same intent."""

MOST_EVIDENCE: Final = 6
"""Words that are enough to show why; further ones are not collected."""


class Draft(NamedTuple):
    """A phase before it has its words.

    Attributes:
        own: the clauses that ask for it, ascending.
        evidence: indexes of the tokens that decided.
        verb: the class of the head verb; empty where a noun alone asks.
        ordered: whether a word of order ("then") sets it after the one before.
        deictic: whether it speaks of what the phase before named ("it").
        binding: intents that the built-in reader saw, where something else says what the intent is.
        parts: of a phase united from several, these.
    """

    intent: Intent
    confidence: Confidence
    own: tuple[int, ...]
    source: str = "reader"
    evidence: tuple[int, ...] = ()
    runner_up: Intent | None = None
    verb: str = ""
    implied: bool = False
    ordered: bool = False
    deictic: bool = False
    binding: tuple[Intent, ...] = ()
    parts: tuple["Draft", ...] = ()

    @property
    def readings(self) -> tuple[Intent, ...]:
        """All that its words may mean: a rule that binds one of these binds it."""
        unsure = () if self.confidence is HIGH or self.runner_up is None else (self.runner_up,)
        return tuple(dict.fromkeys((self.intent, *unsure, *self.binding)))


class Outline(NamedTuple):
    """A prompt with its clauses, their readings and the phases they ask for, in order."""

    clauses: list[Clause]
    readings: list[Reading]
    drafts: list[Draft]


_BEFORE_IT: Final = (["before", "that", ","], ["before", "this", ","])
_RANKS: Final = (LOW, MEDIUM, HIGH)
_CHANGING: Final = frozenset((EDIT, REFACTOR, TEST, DOCUMENT, FORMAT))
_WORKING: Final = _CHANGING | {COMMIT}
_FOUNDING: Final = frozenset(
    ("build", "create", "make", "develop", "code", "write", "scaffold", "implement", "program")
)
_WHOLE: Final = frozenset(("scratch", "full", "complete", "entire", "whole", "full-stack", "fullstack"))
_WEAK: Final = frozenset(("read", "use", "ensure", "aside", "idiom", GO_ON))
_DETAILING: Final = frozenset(("make", "use", "reshape", "leave", "begin"))
_SPECIFIC: Final = frozenset((DOCUMENT, TEST, PLAN, PROMPT, FORMAT, REFACTOR))


def outline(prompt: Prompt) -> Outline:
    """The phases that the built-in reader sees; one of chat with low confidence where it sees none."""
    found = _outline(prompt)
    if is_japanese(prompt.shown, prompt.words, prompt.lows):
        return _unread(found._replace(readings=[STATEMENT] * len(found.clauses)))
    if found.drafts:
        return found
    respelled = _respelled(prompt)
    if respelled is not None:
        found = _outline(respelled)
        if found.drafts:
            return found
    return _unread(found)


def _unread(found: Outline) -> Outline:
    """Chat with low confidence: nothing recognised."""
    last = max(len(found.clauses) - 1, 0)
    return found._replace(drafts=[Draft(CHAT, LOW, (last,), "default", (), EDIT)])


def _respelled(prompt: Prompt) -> Prompt | None:
    words, changed = prompt.words, False
    for i, word in enumerate(words):
        if word is UNKNOWN_WORD and prompt.lows[i].isascii() and prompt.lows[i].isalpha():
            meant = corrected(prompt.lows[i])
            if meant is not None and prompt.lows[i] != meant + "s":  # "it prints" is no slip
                words = words if changed else list(words)
                words[i], changed = WORDS[meant], True
    return prompt._replace(words=words) if changed else None


def _outline(prompt: Prompt) -> Outline:
    parts = clauses(prompt.words, prompt.raw)
    readings: list[Reading] = []
    before: Reading | None = None
    for part in parts:
        before = read(part, prompt.words, prompt.lows, before)
        readings.append(before)
    found = merged(_drafts(prompt, parts, readings, _chosen(parts, readings)))
    return Outline(parts, readings, _planned(prompt, parts, _arranged(prompt, parts, found)))


def _chosen(parts: list[Clause], readings: list[Reading]) -> list[int]:
    """The clauses that ask for something: requests, else questions, else symptoms, else bare nouns."""
    requests = [i for i, r in enumerate(readings) if r.act <= Act.DESIRE and r.intent is not None]
    if any(r.barring for r in readings):
        requests = [i for i in requests if readings[i].intent is not EDIT] or requests
    if requests:
        last = requests[-1]
        questions = [i for i, r in enumerate(readings) if r.act == Act.QUESTION]
        if questions and questions[-1] > requests[-1] and all(readings[i].act == Act.DESIRE for i in requests):
            return _best(questions, readings, Act.QUESTION)
        strong = [i for i in requests if _asks(readings[i]) and not (readings[i].passing and i < last)]
        ended = [
            i for i in requests if readings[i].verb == GO_ON and i + 1 < last and readings[i + 1].act == Act.CONDITION
        ]
        if strong and ended:
            strong = sorted({*ended, *strong})  # "continue. when done, give me a summary"
        if not strong:
            return _weak(readings, requests)
        looking = [i for i in requests if readings[i].verb == "read"]
        if looking and all(readings[i].intent is CHAT for i in strong):
            return looking  # "look at this and tell me what you see"
        asked = [readings[i].intent for i in strong if readings[i].act == Act.REQUEST]
        if asked and not _WORKING.issuperset(asked):
            strong = [i for i in strong if readings[i].act == Act.REQUEST or readings[i].intent in asked]
        fragments = [i for i, r in enumerate(readings) if r.act == Act.FRAGMENT and parts[i].join != v.STOP]
        return sorted({*strong, *(i for i in fragments if i > strong[0])})
    for act in (Act.QUESTION, Act.SYMPTOM, Act.FRAGMENT, Act.PERMISSION, Act.CONDITION, Act.PREFERENCE):
        found = [i for i, r in enumerate(readings) if r.act == act and r.intent is not None]
        if found:
            return _best(found, readings, act)
    return [i for i, r in enumerate(readings) if r.act == Act.NEGATION][-1:]


def _asks(r: Reading) -> bool:
    """Whether a request counts beside others ("make sure it is documented" does, "make sure it works" does not)."""
    return r.verb not in _WEAK or (r.verb == "ensure" and r.intent is DOCUMENT)


def _weak(readings: list[Reading], requests: list[int]) -> list[int]:
    """Of requests that only lead on ("look at this", "continue"), the last; a question or a symptom says more."""
    last = requests[-1]
    if readings[last].verb in ("read", "use", GO_ON):
        for act in (Act.QUESTION, Act.SYMPTOM):
            found = [i for i, r in enumerate(readings) if r.act == act]
            if found:
                return _best(found, readings, act)
    return [last]


def _absorbed(r: Reading, join: int, last: Intent) -> bool:
    """Whether a clause only says more about the phase before it: "…, and put it there", "… and tell me"."""
    if r.detail and r.intent is EDIT and not r.further:  # "It should be short. Include a diagram."
        return last is not COMMIT or (r.verb == "begin" and r.deictic)
    if r.intent is EDIT and r.verb in _DETAILING:
        return last in _SPECIFIC and (r.deictic or join == v.COMMA)
    if r.verb == "reshape" and r.intent is REFACTOR:
        return last is EDIT
    if r.intent in (CHAT, SUMMARIZE) and last in (DOCUMENT, PLAN):
        return join in (v.COMMA, v.AND) or last is DOCUMENT
    if r.intent is ANALYZE and r.deictic and r.verb == "analyze":
        return last in _CHANGING
    if r.intent is ANALYZE and (r.verb, last) in (("check", TEST), ("show", PLAN)):
        return True
    if r.intent is ANALYZE and last is REVIEW:
        return join in (v.COMMA, v.AND)
    return r.intent is CHAT and last in (ANALYZE, REVIEW, TEST, SUMMARIZE)


def _seeks(prompt: Prompt, part: Clause, r: Reading, last: Draft) -> bool:
    """Whether what is told after a review shows that it was only reading ("review it and tell me what it is about")."""
    if last.intent is not REVIEW or r.intent is not CHAT or "think" in prompt.lows[part.start : part.end]:
        return False
    return any(prompt.words[k].role == v.WH for k in range(part.start, part.end))


def _leads_to(last: Draft, r: Reading, join: int) -> bool:
    """Whether the phase before only brought up what is judged ("examine the plan and tell me if you see problems")."""
    return last.intent is ANALYZE and r.intent is REVIEW and join in (v.COMMA, v.AND)


def _best(found: list[int], readings: list[Reading], act: int) -> list[int]:
    if act == Act.QUESTION:
        causes = [i for i in found if readings[i].intent is ANALYZE]
        return causes[:1] or found[:1]
    return found[-1:] if act != Act.FRAGMENT else found


def _drafts(prompt: Prompt, parts: list[Clause], readings: list[Reading], chosen: list[int]) -> list[Draft]:
    found: list[Draft] = []
    for i in chosen:
        r = readings[i]
        intent = r.intent or EDIT
        other = r.runner_up if r.runner_up not in (None, intent) else RUNNERS_UP[intent]
        ordered = parts[i].join == v.THEN or _says_next(prompt, parts[i])
        if found and _absorbed(r, parts[i].join, found[-1].intent):
            intent = ANALYZE if _seeks(prompt, parts[i], r, found[-1]) else found[-1].intent
            found[-1] = found[-1]._replace(own=(*found[-1].own, i), intent=intent)
            continue
        if found and _leads_to(found[-1], r, parts[i].join):
            own = found.pop().own
            found.append(Draft(intent, r.confidence, (*own, i), "reader", r.evidence, other, r.verb))
            continue
        for work, at in r.earlier:
            own = i if at >= parts[i].start else i - 1
            found.append(Draft(work, MEDIUM, (own,), "reader", (at,), RUNNERS_UP[work], ordered=ordered))
            ordered = True
        draft = Draft(
            intent, r.confidence, (i,), "reader", r.evidence, other, r.verb, ordered=ordered, deictic=r.deictic
        )
        found.append(draft)
        for besides, at in r.further:
            found.append(Draft(besides, HIGH, (i,), "reader", (at,), RUNNERS_UP[besides], deictic=True))
    return found


def merged(found: list[Draft]) -> list[Draft]:
    """One phase of each intent, unless a word of order sets a later one apart."""
    phases: list[list[Draft]] = []
    latest: dict[Intent, int] = {}
    for draft in found:
        same = latest.get(draft.intent, -1)
        if same >= 0 and (same == len(phases) - 1 or not draft.ordered or len(phases) >= MOST):
            phases[same].append(draft)
        else:
            latest[draft.intent] = len(phases)
            phases.append([draft])
    return [united(drafts) for drafts in phases]


def _arranged(prompt: Prompt, parts: list[Clause], found: list[Draft]) -> list[Draft]:
    """In order of execution: as written, but what is asked for "first" leads, and a changelog or request comes last.

    A word of order after it ("then") keeps it where it stands. "Commit" and "push" stand where they were said: who
    says them first means what is there already.
    """
    if len(found) < 2:
        return found
    leading = [d for d in found[1:] if not d.ordered and _says_first(prompt, parts[d.own[0]])]
    if leading:
        found = leading + [d for d in found if d not in leading]
    last = next((k for k, d in enumerate(found) if _closes(d) and d not in leading), len(found))
    if not any(d.ordered or d.intent is PLAN for d in found[last + 1 :]):
        found = [*found[:last], *found[last + 1 :], *found[last : last + 1]]
    return found


def _closes(draft: Draft) -> bool:
    return draft.intent is COMMIT and draft.verb != "commit"


def _says_next(prompt: Prompt, part: Clause) -> bool:
    return prompt.words[part.start].role == v.ORDER and not prompt.lows[part.start].startswith("first")


def _says_first(prompt: Prompt, part: Clause) -> bool:
    lows = prompt.lows
    at = part.start
    near = (lows[at : at + 2], lows[at + 1 : at + 3])
    if lows[max(at - 3, 0) : at] in _BEFORE_IT or any([*pair, ","] in _BEFORE_IT for pair in near):
        return True
    return lows[part.end - 1] == "first" or "first" in lows[part.start : min(part.start + 2, part.end)]


def _planned(prompt: Prompt, parts: list[Clause], found: list[Draft]) -> list[Draft]:
    """With a plan set before the making of a whole program, which nobody asked for and the work needs."""
    if not found or found[0].intent is not EDIT or not found[0].evidence:
        return found
    words, lows = prompt.words, prompt.lows
    verb = found[0].evidence[0]
    end = parts[found[0].own[0]].end
    if lows[verb] not in _FOUNDING or any(d.intent is PLAN for d in found):
        return found
    new = False
    for i in range(verb + 1, min(verb + 12, end)):
        role, noun = words[i].role, words[i].noun
        new = new or lows[i] in ("a", "an")
        if noun == "app" and new and (i + 1 >= end or words[i + 1].role not in (UNKNOWN, v.NOUN, v.BEARER)):
            large = (
                len(found) > 1 or (i + 1 < end and words[i + 1].role == v.WITH) or not _WHOLE.isdisjoint(lows[verb:end])
            )
            if not large:
                return found
            own, seen = found[0].own[:1], (verb, i)
            plan = Draft(PLAN, MEDIUM, own, "implied", seen, EDIT, "build", implied=True)
            return [plan, *found]
        if role not in (v.DET, v.OPENER, v.ME, v.WE, UNKNOWN, v.NOUN, v.BEARER):
            return found
    return found


def united(drafts: Sequence[Draft]) -> Draft:
    """One phase of several, with what makes the surest of them sure."""
    first = drafts[0]
    if len(drafts) == 1:
        return first
    best = max(drafts, key=_rank)
    evidence = best.evidence
    for draft in drafts:
        if draft.confidence is best.confidence and draft is not best and len(evidence) < MOST_EVIDENCE:
            evidence = tuple(dict.fromkeys(evidence + draft.evidence))
    own = tuple(sorted({k for draft in drafts for k in draft.own}))
    binding = tuple(dict.fromkeys(intent for draft in drafts for intent in draft.binding))
    parts = tuple(part for draft in drafts for part in draft.parts or (draft,))
    best = best._replace(own=own, evidence=evidence, binding=binding, parts=parts)
    return best._replace(ordered=first.ordered, deictic=first.deictic)


def _rank(draft: Draft) -> int:
    return _RANKS.index(draft.confidence)
