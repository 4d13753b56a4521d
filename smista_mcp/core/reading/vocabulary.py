"""The lexicon compiled for lookup: every word form the reader knows, with its role, verb class and noun class."""

from collections.abc import Iterator
from typing import Final, NamedTuple

from smista_mcp.core.reading import lexicon, tongues

# Roles up to LAST_BOUNDARY may begin a clause; `clauses` decides.
STOP, BREAK, COMMA, AND, BUT, THEN, PLEASE, LET, MODAL, ME, YOU, WE, OPENING, CLOSING = range(14)
LAST_BOUNDARY: Final = CLOSING
UNKNOWN, OPENER, ORDER, DET, DEIXIS, SUBJECT, AUX, AUXNEG, NEG, WH, WHEN, COND = range(20, 32)
WANT, TO, OF, WITH, INTO, PREP, EXCEPT, NUM, VERB, GERUND, PAST, NOUN, BEARER, PATH, MASK, CJK = range(40, 56)


class Word(NamedTuple):
    """What a token is: its role in a clause, and its verb and noun class where it has one.

    `foreign` marks words of other languages than English, whose word order the reader does not rely on.
    """

    role: int
    verb: str = ""
    noun: str = ""
    foreign: bool = False


_ROLE_NUMBERS: Final = {
    "opener": OPENER,
    "please": PLEASE,
    "order": ORDER,
    "det": DET,
    "deixis": DEIXIS,
    "i": ME,
    "you": YOU,
    "we": WE,
    "subject": SUBJECT,
    "modal": MODAL,
    "aux": AUX,
    "auxneg": AUXNEG,
    "neg": NEG,
    "wh": WH,
    "when": WHEN,
    "cond": COND,
    "want": WANT,
    "let": LET,
    "to": TO,
    "of": OF,
    "with": WITH,
    "into": INTO,
    "prep": PREP,
    "except": EXCEPT,
    "and": AND,
    "but": BUT,
    "then": THEN,
}
_SIGNS: Final = {
    ",": COMMA, "、": COMMA, "，": COMMA, ".": STOP, "!": STOP, "?": STOP, ";": STOP, ":": STOP, "…": STOP,
    "。": STOP, "！": STOP, "？": STOP, "；": STOP, "：": STOP, "¿": STOP, "¡": STOP, "—": COMMA, "–": COMMA,
    "(": OPENING, "（": OPENING, ")": CLOSING, "）": CLOSING, "-": COMMA, "->": COMMA, "→": COMMA, "=>": COMMA,
}  # fmt: skip
_PAST: Final = {
    "written": "write", "made": "make", "built": "build", "found": "find", "done": "do", "ran": "run", "told": "tell",
    "rewritten": "rewrite", "shown": "show", "given": "give", "set": "set", "wrote": "write", "gave": "give",
    "redone": "redo", "kept": "keep", "sent": "send", "hidden": "hide", "left": "leave", "drawn": "draw",
    "rebuilt": "rebuild", "split": "split", "read": "read", "put": "put", "understood": "understand",
    "forgot": "forget",
}  # fmt: skip
_VOWELS: Final = frozenset("aeiou")


def inflections(base: str) -> Iterator[tuple[str, str, str]]:
    """(third person or plural, gerund, past) of a base form; two rows where English might double the last consonant."""
    last, before = base[-1:], base[-2:-1]
    if last == "e":
        yield base + "s", (base if before in ("e", "o") else base[:-1]) + "ing", base + "d"
    elif last == "y" and before not in _VOWELS:
        yield base[:-1] + "ies", base + "ing", base[:-1] + "ied"
    elif last in ("s", "x", "z") or base.endswith(("ch", "sh")):
        yield base + "es", base + "ing", base + "ed"
    else:
        yield base + "s", base + "ing", base + "ed"
        if last not in _VOWELS and last not in "wxy" and before in _VOWELS and base[-3:-2] not in _VOWELS:
            yield base + "s", base + last + "ing", base + last + "ed"


def _verbs(words: dict[str, Word], nouns: dict[str, str]) -> None:
    bases = {verb for text in lexicon.VERBS.values() for verb in text.split()}
    for name, text in lexicon.VERBS.items():
        base, gerund, past = Word(VERB, name), Word(GERUND, name), Word(PAST, name)
        for verb in text.split():
            noun = nouns.get(verb)
            words[verb] = Word(VERB, name, noun) if noun else base
            for _, ing, ed in inflections(verb):
                words[ing] = Word(GERUND, name, nouns[ing]) if ing in nouns else gerund
                if ed not in bases:  # "seed" is no form of "see"
                    words[ed] = past
    for form, verb in _PAST.items():
        if words[verb].role == VERB and form not in words:
            words[form] = Word(PAST, words[verb].verb)


def _foreign(words: dict[str, Word]) -> None:
    for name, text in tongues.NOUNS.items():
        entry = Word(NOUN, "", name, foreign=True)
        for noun in text.split():
            words.setdefault(noun, entry)
    for name, text in tongues.VERBS.items():
        entry = Word(VERB, name, "", foreign=True)
        for verb in text.split():
            words.setdefault(verb, entry)
    for name, text in tongues.ROLES.items():
        entry = Word(_ROLE_NUMBERS[name], foreign=True)
        for word in text.split():
            words.setdefault(word, entry)


def _compiled() -> dict[str, Word]:
    nouns = {noun: name for name, text in lexicon.NOUNS.items() for noun in text.split()}
    words = {noun: Word(NOUN, "", name) for noun, name in nouns.items()}
    words.update(dict.fromkeys(lexicon.BEARERS.split(), Word(BEARER)))
    _verbs(words, nouns)
    for name, text in lexicon.ROLES.items():
        words.update(dict.fromkeys(text.split(), Word(_ROLE_NUMBERS[name])))
    _foreign(words)
    for sign, role in _SIGNS.items():
        words[sign] = Word(role)
    return words


WORDS: Final = _compiled()
"""Every known form, in lower case."""
UNKNOWN_WORD: Final = Word(UNKNOWN)


def _pairs(phrases: dict[str, str]) -> dict[str, dict[str, str]]:
    table: dict[str, dict[str, str]] = {}
    for name, text in phrases.items():
        for phrase in text.split(", "):
            first, second = phrase.split()
            table.setdefault(first, {})[second] = name
    return table


def _phrases() -> dict[str, dict[str, str]]:
    table = _pairs(lexicon.PHRASES)
    for first, seconds in [*table.items()]:
        for _, gerund, _ in inflections(first):
            table.setdefault(gerund, seconds)
    return table


PHRASES: Final = _phrases()
"""First word (as a verb: also "-ing"), second word to verb class."""
NOUN_PAIRS: Final = _pairs(lexicon.NOUN_PAIRS)
"""First word, second word to noun class."""
FAULTY: Final = frozenset((lexicon.FAULTY + " " + tongues.FAULTY).split())
JUDGING: Final = frozenset((lexicon.JUDGING + " " + tongues.JUDGING).split())
CAUSING: Final = frozenset(lexicon.CAUSING.split())
WORKING: Final = frozenset(lexicon.WORKING.split())
CODE: Final = frozenset(lexicon.CODE.split())
SURFACES: Final = frozenset(lexicon.SURFACES.split())
CONTROLS: Final = frozenset(lexicon.CONTROLS.split())
PEOPLE: Final = frozenset(lexicon.PEOPLE.split())
