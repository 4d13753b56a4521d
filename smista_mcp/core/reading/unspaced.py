"""Chinese clauses, and Japanese ones told apart: their words are not parted, so cues are looked for inside."""

import re
from collections.abc import Iterable
from functools import cache
from typing import Final, NamedTuple

from smista_mcp.core.reading import tongues
from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import STATEMENT, Act, Reading, question
from smista_mcp.core.reading.kinds import ANALYZE, CHAT, EDIT, LOW, MEDIUM
from smista_mcp.core.reading.objects import CREATED, Object, Sentence
from smista_mcp.core.reading.verdicts import intent_of


class _Cues(NamedTuple):
    """Where cues stand in a text; none of the patterns repeats anything."""

    verb: re.Pattern[str]
    noun: re.Pattern[str]
    joint: re.Pattern[str]
    negation: re.Pattern[str]
    asking: re.Pattern[str]
    inquiry: re.Pattern[str]
    cause: re.Pattern[str]
    question: re.Pattern[str]
    wish: re.Pattern[str]


_VERBS: Final = {cue: name for name, text in sorted(tongues.ASIAN.items(), reverse=True) for cue in text.split()}
_NOUNS: Final = {
    cue: (place, name) for place, (name, text) in enumerate(tongues.ASIAN_NOUNS.items()) for cue in text.split()
}
_KANA: Final = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
_KANA_SHARE: Final = 10
"""One sign in so many: a Chinese text may hold a single one, a Japanese text holds far more."""
_FRONTING: Final = frozenset("把将將")


def is_japanese(text: str, words: list[v.Word], lows: list[str]) -> bool:
    """Whether a text is Japanese, whose signs would pass for Chinese words: kana, and more signs than other words."""
    if not _KANA.search(text):
        return False
    signs = "".join(low for word, low in zip(words, lows, strict=True) if word.role == v.CJK)
    if len(_KANA.findall(signs)) * _KANA_SHARE < len(signs):
        return False
    return len(signs) > sum(
        word.role > v.LAST_BOUNDARY and low.isalpha() for word, low in zip(words, lows, strict=True)
    )


def unspaced(s: Sentence, i: int) -> Reading:
    """A clause with Chinese words from `i` on: the earliest cue of each part is its head, unless the clause asks."""
    text = "".join(s.lows[i : s.end])
    at = (next((k for k in range(i, s.end) if s.words[k].role == v.CJK), i),)
    cues = _cues()
    heads = [head for part in cues.joint.split(text) if (head := _head(cues, part)) is not None]
    asks = bool(heads) and cues.asking.search(text) is not None and not cues.inquiry.search(text)
    if not asks and cues.cause.search(text):
        return question(ANALYZE, at, CHAT)
    if not asks and cues.question.search(text):
        return question(CHAT, at, ANALYZE)
    if not heads:
        if not (cues.wish.search(text) or cues.asking.search(text)):
            return STATEMENT
        noun = _noun(text)
        return Reading(Act.DESIRE, CREATED.get(noun, EDIT), LOW, at, CHAT)
    asked = [
        intent_of(s, verb, at[0], Object(noun, at[0] if noun else -1, s.end, deictic=False))
        for verb, noun, negated in heads
        if not negated
    ]
    if not asked:
        return Reading(Act.NEGATION, verb=heads[0][0], evidence=at)
    intent, _, runner_up, _ = asked[0]
    others = dict.fromkeys(other for other, *_ in asked[1:] if other is not intent)
    return Reading(Act.REQUEST, intent, MEDIUM, at, runner_up, heads[0][0], tuple((other, at[0]) for other in others))


@cache
def _cues() -> _Cues:
    """The patterns, compiled when a text with Chinese words is first read."""
    return _Cues(
        _any(sorted(_VERBS, key=lambda cue: (_VERBS[cue], cue))),
        _any(_NOUNS),
        _any((*tongues.ASIAN_JOINTS, "\n")),
        _any(tongues.ASIAN_NEGATIONS),
        _any(tongues.ASIAN_ASKING),
        _any(tongues.ASIAN_INQUIRIES),
        _any(tongues.ASIAN_CAUSES),
        _any(tongues.ASIAN_QUESTIONS),
        _any(tongues.ASIAN_WISHES),
    )


def _any(cues: Iterable[str]) -> re.Pattern[str]:
    return re.compile("|".join(map(re.escape, cues)))


def _head(cues: _Cues, text: str) -> tuple[str, str, bool] | None:
    """Verb class, noun class of what follows, and whether it is negated, of the earliest cue in a part of a clause."""
    found = cues.verb.search(text)
    if found is None:
        return None
    at, verb = found.start(), _VERBS[found.group()]
    noun = _noun(text[at + 2 :])
    if not noun and verb == "make" and not _FRONTING.isdisjoint(text[:at]):  # the object stands before the verb
        noun = _noun(text[:at])
    return verb, noun, cues.negation.search(text, 0, at) is not None


def _noun(text: str) -> str:
    """The noun class in a text; of several, the one that stands first in the table."""
    return min((_NOUNS[cue] for cue in _cues().noun.findall(text)), default=(0, ""))[1]
