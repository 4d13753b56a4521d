"""Finds secrets in a text. Linear in its length: every pattern is tried where a literal stands, and each is bounded."""

import base64
import binascii
import hashlib
import re
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Iterator, Sequence
from functools import cache

from smista_mcp.core.secretscan.assignments import assigned
from smista_mcp.core.secretscan.blocks import Span, commands, driver_logins, headers, key_blocks, logins
from smista_mcp.core.secretscan.placeholders import is_example, is_placeholder, is_random, is_wordy
from smista_mcp.core.secretscan.prose import told_in_words
from smista_mcp.core.secretscan.rules import Hit, Lazy, Nearby, Rule
from smista_mcp.core.secretscan.services import SERVICES, SERVICES_NEARBY
from smista_mcp.core.secretscan.vendors import NEARBY, VENDORS

RULES: tuple[Rule, ...] = (*VENDORS, *SERVICES)
NEARBY_RULES: tuple[Nearby, ...] = (*NEARBY, *SERVICES_NEARBY)
BOUNDARY = r"(?:(?<![A-Za-z0-9])|(?<=\\[nrtbf])|(?<=%[0-9A-Fa-f]{2})|(?<=\\u00[0-9a-fA-F]{2}))"
"""Before a key stands no letter and no digit but of an escape: texts are also searched as they are sent."""

_SEPARATORS = "_-."
_SEPARATOR = Lazy(r"[_.-]")
_KEY_CHARACTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+/%~"
_ENCODED = (
    *(
        "Z2hwX",
        "Z2hvX",
        "Z2hzX",
        "Z2l0aHViX3Bh",
        "Z2xwYXQt",
        "QUtJQ",
        "QVNJQ",
        "c2stY",
        "c2tfbGl2ZV",
        "c2tfdGVzdF",
        "eG94",
    ),
    *("QUl6Y", "LS0tLS1CRUdJTi", "cG9zdGdyZX", "bXlzcWw6Ly", "bW9uZ29kYi", "cmVkaXM6Ly", "bnBtX"),
)
"""How base64 begins of a text that begins with the anchor of a well-known key, a key block or a database's address."""
_ENCODED_RUN = Lazy(r"(?<![A-Za-z0-9+/])[A-Za-z0-9+/_-]{16,8000}+={0,2}")
_ESCAPED_ADDRESS = ("%3A%2F%2F", "%3a%2f%2f")
_ESCAPED_RUN = Lazy(r"[A-Za-z0-9%._~+*:@!$&()=-]{8,600}+")
_SHORT = 4000
_DIGIT = Lazy(r"[0-9]")
_LONG_RUN = Lazy(r"[A-Za-z0-9_-]{24}")
"""A short text without a digit and without this holds no key; in long ones that is not worth a look."""
_WRAP = Lazy(
    r"(?<=[A-Za-z0-9_/+=.-])(?:"
    r"[\"'`][ \t]{0,20}+(?:[+.&][ \t]{0,20}+)?\\?(?:\r?\n[ \t]{0,80}+(?:[+.&][ \t]{0,20}+)?)?[\"'`]"
    r"|(?:\\|=)?\r?\n(?:[+>|#*][ \t]|[ \t]{0,80}+)"
    r")(?=[A-Za-z0-9_/+=.-])"
)
"""The end of a line, or of a quotation that is joined to the next, in the middle of a key."""


_Anchor = tuple[str, Rule]


def _by_ending() -> tuple[dict[str, list[_Anchor]], list[_Anchor]]:
    """Anchors that end with a separator by their last three characters, and those that do not."""
    ending: dict[str, list[_Anchor]] = {}
    others: list[_Anchor] = []
    for rule in RULES:
        for anchor in rule.anchors:
            into = ending.setdefault(anchor[-3:], []) if anchor[-1] in _SEPARATORS else others
            into.append((anchor, rule))
    return ending, others


_ENDING, _OTHERS = _by_ending()


def _present(text: str) -> list[_Anchor]:
    """The anchors in a text, the longest first. Most have a separator at their end, which most texts have seldom."""
    ends = {text[at - 2 : at + 1] for mark in _SEPARATOR().finditer(text) if (at := mark.start()) > 1}
    found = [pair for end in _ENDING.keys() & ends for pair in _ENDING[end] if pair[0] in text]
    found += [pair for pair in _OTHERS if pair[0] in text]
    return sorted(found, key=lambda pair: (-len(pair[0]), _RANK[id(pair[1])], pair[0]))


_SHAPED = frozenset({"json_web_token", "discord_bot_token", "private_key"})
"""Kinds whose parts are text in base64, in which words and counted rows are found."""
_RANK = {id(rule): place for place, rule in enumerate(RULES)}


@cache
def _compiled(pattern: str) -> re.Pattern[str]:
    return re.compile(pattern)


@cache
def rules_digest() -> str:
    """32 hex digits that change with every row of the table."""
    return hashlib.sha256(repr((RULES, NEARBY_RULES, BOUNDARY)).encode()).hexdigest()[:32]


def scan(text: str, *, examples: bool = False) -> tuple[Hit, ...]:
    """The secrets in a text, in their order, none inside another.

    Args:
        text: prose, code, a file, a diff, a name, or any of them inside JSON or an address.
        examples: whether keys in a known format count that say of themselves that they are none.
    """
    found = _Found(text)
    lowered = text.lower() if text.isascii() else text.replace("\u0130", "i").lower()
    if "PRIVATE KEY" in text or "Private-Lines:" in text:
        found.take(key_blocks(text))
    mixed = len(text) > _SHORT or bool(_DIGIT().search(text) or _LONG_RUN().search(text))
    present = _present(text) if mixed else []
    if present:
        found.take(_prefixed(text, present, examples=examples))
        found.take(_wrapped(text, present, examples=examples))
    if "://" in text:
        found.take(logins(text))
    found.take(driver_logins(text))
    found.take(headers(text, lowered))
    if mixed:
        found.take(_nearby(text, lowered))
        found.take(_encoded(text))
    found.take(commands(text, lowered))
    found.take(assigned(text, lowered))
    if mixed:
        found.take(told_in_words(text, lowered))
    return found.hits()


class _Found:
    """The places found so far; the first that takes a place keeps it."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._spans: list[tuple[int, int, str]] = []

    def take(self, spans: Iterable[Span]) -> None:
        for kind, start, end in spans:
            place = bisect_left(self._spans, (start, end, kind))
            before = place > 0 and self._spans[place - 1][1] > start
            behind = place < len(self._spans) and self._spans[place][0] < end
            if not before and not behind and end > start:
                self._spans.insert(place, (start, end, kind))

    def hits(self) -> tuple[Hit, ...]:
        if not self._spans:
            return ()
        hits: list[Hit] = []
        line, at = 1, 0
        for start, end, kind in self._spans:
            line += self._text.count("\n", at, start)
            at = start
            hits.append(Hit(kind, line, start, end))
        return tuple(hits)


def _prefixed(text: str, anchors: Sequence[_Anchor], *, examples: bool) -> Iterator[Span]:
    for anchor, rule in anchors:
        pattern = _compiled(rule.pattern if rule.glued else BOUNDARY + rule.pattern)
        at = text.find(anchor)
        while at >= 0:
            found = pattern.match(text, at)
            if found is None:
                at = text.find(anchor, at + len(anchor))
                continue
            start, end = found.span("value") if "value" in pattern.groupindex else found.span()
            start = _back(text, start, rule.back) if rule.back else start
            while text[end - 1] in ".-_" and end > start + 8:
                end -= 1
            if (start < at or rule.back == 0) and (examples or not is_example(text[start:end])):
                body = text[max(start, at + len(anchor)) : end] if rule.back == 0 else text[start:end]
                if _may_be_key(body, rule, examples=examples):
                    yield rule.kind, start, end
            at = text.find(anchor, max(found.end(), at + len(anchor)))


def _back(text: str, start: int, most: int) -> int:
    """Where the key characters before a place begin; the place itself where they are not as many as half of `most`."""
    piece = text[max(0, start - most) : start]
    run = len(piece) - len(piece.rstrip(_KEY_CHARACTERS))
    return start - run if run >= min(most, max(3, most // 2)) else start


def _may_be_key(body: str, rule: Rule, *, examples: bool) -> bool:
    if rule.plain:
        return is_random(body) and not is_placeholder(body)
    if rule.kind in _SHAPED:
        return len(set(body)) >= 10
    return examples or (len(set(body)) >= 5 and not is_placeholder(body) and not is_wordy(body))


def _wrapped(text: str, anchors: Sequence[_Anchor], *, examples: bool) -> Iterator[Span]:
    """Keys that go on behind a line's end or a closing quotation mark."""
    kept = [pair for pair in anchors if not pair[1].back and (len(pair[0]) > 3 or not pair[0].isalnum())]
    if not kept:
        return
    cuts: list[tuple[int, int]] = []
    pieces: list[str] = []
    at = size = 0
    for wrap in _WRAP().finditer(text):
        pieces.append(text[at : wrap.start()])
        size += wrap.start() - at
        at = wrap.end()
        cuts.append((size, at))
    if not cuts:
        return
    joined = "".join((*pieces, text[at:]))
    places = [place for place, _ in cuts]
    for kind, start, end in _prefixed(joined, kept, examples=examples):
        first, last = bisect_right(places, start), bisect_left(places, end)
        if first < last:
            yield kind, _origin(cuts, first, start), _origin(cuts, last, end)


def _origin(cuts: Sequence[tuple[int, int]], count: int, place: int) -> int:
    """The place in the text of a place in what was joined, behind so many cuts."""
    if not count:
        return place
    joined, origin = cuts[count - 1]
    return origin + place - joined


def _nearby(text: str, lowered: str) -> Iterator[Span]:
    for rule in NEARBY_RULES:
        done = 0
        for word in rule.words:
            at = lowered.find(word)
            while at >= 0:
                stop = at + len(word) + rule.reach
                for found in _compiled(rule.pattern).finditer(text, max(done, at), stop):
                    if is_random(found[0]) and not is_placeholder(found[0]):
                        yield rule.kind, found.start(), found.end()
                at = lowered.find(word, max(stop, at + len(word)))


def _encoded(text: str) -> Iterator[Span]:
    """Well-known keys inside base64, and passwords inside addresses with escapes."""
    for anchor in _ENCODED:
        at = text.find(anchor)
        while at >= 0:
            found = _ENCODED_RUN().match(text, at)
            kind = _kind_inside(_decoded(found[0])) if found else None
            if found and kind:
                yield kind, found.start(), found.end()
            at = text.find(anchor, found.end() if found else at + len(anchor))
    for mark in _ESCAPED_ADDRESS:
        at = text.find(mark)
        while at >= 0:
            found = _ESCAPED_RUN().match(text, at)
            end = found.end() if found else at + len(mark)
            if any(logins(_unescaped(text[at:end]))):
                yield "url_password", at + len(mark), end
            at = text.find(mark, end)


def _decoded(run: str) -> str:
    run = run.rstrip("=").replace("-", "+").replace("_", "/")
    run = run[: len(run) - (len(run) % 4 == 1)]
    try:
        return base64.b64decode(run + "=" * (-len(run) % 4)).decode("ascii")
    except (binascii.Error, UnicodeDecodeError):
        return ""


def _unescaped(text: str) -> str:
    return re.sub(r"%([0-9A-Fa-f]{2})", lambda escape: chr(int(escape[1], 16)), text)


def _kind_inside(text: str) -> str | None:
    found = _Found(text)
    found.take(key_blocks(text))
    found.take(_prefixed(text, _present(text), examples=False))
    found.take(logins(text))
    hits = found.hits()
    return hits[0].kind if hits else None
