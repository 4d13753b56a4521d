"""Typing slips in the words that decide: the one known word that is one edit away."""

from functools import cache
from typing import Final

from smista_mcp.core.reading.vocabulary import NOUN, VERB, WORDS

SHORTEST: Final = 5
"""Letters below which a slip is not told from another word."""


@cache
def _cues() -> dict[str, tuple[str, ...]]:
    found: dict[str, list[str]] = {}
    for word, entry in WORDS.items():
        telling = entry.role == VERB or (entry.role == NOUN and entry.noun)
        if telling and not entry.foreign and len(word) >= SHORTEST and word.isalpha():
            found.setdefault(word[0], []).append(word)
    return {letter: tuple(words) for letter, words in found.items()}


def _near(a: str, b: str) -> bool:
    """Whether one insertion, deletion, substitution or swap of neighbours makes `b` of `a`."""
    shorter, longer = (a, b) if len(a) <= len(b) else (b, a)
    if len(longer) - len(shorter) > 1:
        return False
    i = 0
    while i < len(shorter) and shorter[i] == longer[i]:
        i += 1
    if len(shorter) < len(longer):
        return shorter[i:] == longer[i + 1 :]
    if shorter[i + 1 :] == longer[i + 1 :]:
        return True
    return shorter[i : i + 2] == longer[i : i + 2][::-1] and shorter[i + 2 :] == longer[i + 2 :]


def corrected(word: str) -> str | None:
    """The cue word meant by an unknown `word` in lower case, if there is exactly one kind of word it can be."""
    if len(word) < SHORTEST:
        return None
    if word.startswith("re") and (again := WORDS.get(word[2:])) is not None and again.role == VERB:
        return word[2:]  # "resort" is to sort again
    found = [cue for cue in _cues().get(word[0], ()) if _near(word, cue)]
    kinds = {(WORDS[cue].verb, WORDS[cue].noun) for cue in found}
    return found[0] if len(kinds) == 1 else None
