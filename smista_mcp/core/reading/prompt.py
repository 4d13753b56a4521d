"""A prompt taken apart: its tokens, what each is, and the paths among them."""

import re
from itertools import chain, repeat
from typing import Final, NamedTuple

from smista_mcp.core.reading.masking import FIRST_UNSPACED, paths, plain, token, tokens, without_output
from smista_mcp.core.reading.vocabulary import UNKNOWN_WORD, WORDS, Word

LONGEST_READ: Final = 8_000
"""Characters of a prompt that are read as language. Of a longer one the first and the last half of that are: what is
asked stands at an end, and what lies between is material. Paths are noted in all of it."""
_COMMAND: Final = re.compile(r"\s*+[/$]([a-z][A-Za-z0-9_.:-]{0,100})(?=\s|\Z)")
_FOLDERS: Final = frozenset(
    f"/{name}" for name in "bin boot dev etc home lib media mnt opt proc root sbin srv sys tmp usr var".split()
)
FENCE: Final = "```"


class Prompt(NamedTuple):
    """A text with its tokens.

    Attributes:
        shown: the text as it is read, as long as it is: ASCII signs for typographic ones, pasted output blanked.
        seen: the tokens of `shown`.
        raw: the tokens as typed; `lows` are the same in lower case, `words` say what each is.
        paths: index of a token to the path that it names, ascending.
        gap: index of the first token after the part that was not read, and where that part ends; (0, 0) without one.
        passed: paths in the part that was not read.
        begins: where each token begins in the text, where that was already looked for.
    """

    text: str
    shown: str
    seen: list[str]
    raw: list[str]
    lows: list[str]
    words: list[Word]
    paths: dict[int, str]
    gap: tuple[int, int] = (0, 0)
    passed: tuple[str, ...] = ()
    begins: list[int] | None = None

    def offsets(self, count: int) -> list[int]:
        """Where each of the first `count` tokens begins in the text."""
        if self.begins is not None:
            return self.begins[:count]
        find, found, at = self.shown.find, list[int](), 0
        first, end = self.gap
        for i, word in enumerate(self.seen[:count]):
            if i == first:
                at = max(at, end)
            at = find(word, at)
            found.append(at)
            at += len(word)
        return found


def command(text: str) -> str:
    """The name of the command that a text begins with (`/name`, `$name`); empty without one."""
    found = _COMMAND.match(text)
    if found is None or found.group(0).strip() in _FOLDERS:
        return ""
    return found.group(1).rstrip(".:")


def parsed(text: str) -> Prompt:
    """The tokens of a text."""
    if len(text) > LONGEST_READ:
        return _ends(text)
    shown = without_output(plain(text))
    return _prompt(text, shown, tokens(shown))


def _prompt(
    text: str, shown: str, raw: list[str], gap: tuple[int, int] = (0, 0), passed: tuple[str, ...] = ()
) -> Prompt:
    lows = list(map(str.lower, raw))
    words = list(map(WORDS.get, lows, repeat(UNKNOWN_WORD)))
    named: dict[int, str] = {}
    plain_words = text.isascii()
    for i, word in enumerate(words):
        if word is not UNKNOWN_WORD or (raw[i].isalpha() and (plain_words or raw[i] < FIRST_UNSPACED)):
            continue  # letters alone name nothing
        words[i], path = token(raw[i])
        if path:
            named[i] = path
    prompt = Prompt(text, shown, raw, raw, lows, words, named, gap, passed)
    return prompt if shown is text else _as_typed(prompt)


def _as_typed(prompt: Prompt) -> Prompt:
    """The prompt with tokens and paths as they stand in the text, typographic signs and all."""
    text, raw = prompt.text, prompt.raw
    starts = prompt.offsets(len(raw))
    paths = dict[int, str]()
    for i, path in prompt.paths.items():
        begin = starts[i] + raw[i].find(path)
        paths[i] = text[begin : begin + len(path)]
    typed = [text[at : at + len(token)] for at, token in zip(starts, raw, strict=True)]
    return prompt._replace(raw=typed, paths=paths, begins=starts)


def _ends(text: str) -> Prompt:
    """A long text: both ends read, the middle only searched for paths."""
    head = _blank_before(text, LONGEST_READ // 2)
    tail = _blank_before(text, len(text) - LONGEST_READ // 2)
    shown = without_output(plain(text))
    line = shown.find("\n", tail, tail + 500)
    start = tail if line < 0 else line
    if shown.count(FENCE, 0, start) % 2:
        closing = shown.find(FENCE, start)
        start = len(text) if closing < 0 else closing + len(FENCE)
    first, last = tokens(shown[:head]), tokens(shown[start:])
    outside = (FENCE + shown[head:start] if shown.count(FENCE, 0, head) % 2 else shown[head:start]).split(FENCE)[::2]
    chunks = dict.fromkeys(chain.from_iterable(map(str.split, outside)))
    marked = [c for c in chunks if "/" in c or "." in c[:-1] or "@" in c or "\\" in c]
    passed = tuple(dict.fromkeys(path for chunk in marked for path in paths(tokens(chunk))))
    return _prompt(text, shown, [*first, *last], (len(first), start), passed)


def _blank_before(text: str, at: int) -> int:
    """The end of the word before `at`, or `at` where there is no blank for long."""
    found = max(text.rfind(" ", at - 500, at), text.rfind("\n", at - 500, at))
    return found if found >= 0 else at
