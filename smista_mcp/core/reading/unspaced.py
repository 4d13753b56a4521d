"""Chinese clauses, and Japanese ones told apart: their words are not parted, so cues are looked for inside."""

import re
from functools import cache
from typing import Final

from smista_mcp.core.reading import tongues
from smista_mcp.core.reading import vocabulary as v
from smista_mcp.core.reading.acts import STATEMENT, Act, Reading, question
from smista_mcp.core.reading.objects import CREATED, Object, Sentence
from smista_mcp.core.reading.verdicts import intent_of
from smista_mcp.core.values import Confidence, Intent

_VERBS: Final = {cue: name for name, text in sorted(tongues.ASIAN.items(), reverse=True) for cue in text.split()}
_NOUNS: Final = tuple((cue, name) for name, text in tongues.ASIAN_NOUNS.items() for cue in text.split())


_KANA: Final = re.compile(r"[\u3041-\u3096\u30a1-\u30fa]")
_KANA_SHARE: Final = 10
"""One sign in so many: a Chinese text may hold a single one, a Japanese text holds far more."""
_FRONTING: Final = frozenset("把将將")


def is_japanese(words: list[v.Word], lows: list[str]) -> bool:
    """Whether a text is Japanese, whose signs would pass for Chinese words: kana, and more signs than other words."""
    signs = "".join(low for word, low in zip(words, lows, strict=True) if word.role == v.CJK)
    if not signs or len(_KANA.findall(signs)) * _KANA_SHARE < len(signs):
        return False
    return len(signs) > sum(
        word.role > v.LAST_BOUNDARY and low.isalpha() for word, low in zip(words, lows, strict=True)
    )


def unspaced(s: Sentence, i: int) -> Reading:
    """A clause with Chinese words from `i` on: the earliest cue of each part is its head, unless the clause asks."""
    text = "".join(s.lows[i : s.end])
    at = (next((k for k in range(i, s.end) if s.words[k].role == v.CJK), i),)
    heads = [head for part in _parts(text) if (head := _head(part)) is not None]
    if not (heads and _asks(text)):
        if any(cue in text for cue in tongues.ASIAN_CAUSES):
            return question(Intent.ANALYZE, at, Intent.CHAT)
        if any(cue in text for cue in tongues.ASIAN_QUESTIONS):
            return question(Intent.CHAT, at, Intent.ANALYZE)
    if not heads:
        wanted = any(cue in text for cue in (*tongues.ASIAN_WISHES, *tongues.ASIAN_ASKING))
        if not wanted:
            return STATEMENT
        noun = next((name for cue, name in _NOUNS if cue in text), "")
        return Reading(Act.DESIRE, CREATED.get(noun, Intent.EDIT), Confidence.LOW, at, Intent.CHAT)
    asked = [
        intent_of(s, verb, at[0], Object(noun, at[0] if noun else -1, s.end, deictic=False))
        for verb, noun, negated in heads
        if not negated
    ]
    if not asked:
        return Reading(Act.NEGATION, verb=heads[0][0], evidence=at)
    intent, _, runner_up, _ = asked[0]
    others = dict.fromkeys(other for other, *_ in asked[1:] if other is not intent)
    return Reading(
        Act.REQUEST, intent, Confidence.MEDIUM, at, runner_up, heads[0][0], tuple((other, at[0]) for other in others)
    )


def _asks(text: str) -> bool:
    """Whether a word that asks for work stands in a clause ("help me …"), and none that inquires."""
    return any(cue in text for cue in tongues.ASIAN_ASKING) and not any(cue in text for cue in tongues.ASIAN_INQUIRIES)


@cache
def _verb() -> re.Pattern[str]:
    """The cues of verbs, none of which repeats anything."""
    return re.compile("|".join(sorted(_VERBS, key=lambda cue: (_VERBS[cue], cue))))


def _parts(text: str) -> list[str]:
    for joint in tongues.ASIAN_JOINTS:
        text = text.replace(joint, "\n")
    return text.split("\n")


def _head(text: str) -> tuple[str, str, bool] | None:
    """Verb class, noun class of what follows, and whether it is negated, of the earliest cue in a part of a clause."""
    found = _verb().search(text)
    if found is None:
        return None
    at, verb = found.start(), _VERBS[found.group()]
    noun = next((name for cue, name in _NOUNS if cue in text[at + 2 :]), "")
    if not noun and verb == "make" and not _FRONTING.isdisjoint(text[:at]):  # the object stands before the verb
        noun = next((name for cue, name in _NOUNS if cue in text[:at]), "")
    return verb, noun, any(cue in text[:at] for cue in tongues.ASIAN_NEGATIONS)
