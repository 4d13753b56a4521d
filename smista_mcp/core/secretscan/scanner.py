"""Finds secrets in a text. Linear in its length: every pattern is tried where a literal stands, and each is bounded."""

import base64
import binascii
import hashlib
import re
from collections.abc import Callable, Iterator, Sequence
from functools import cache

from smista_mcp.core.secretscan.assignments import NAMES, assigned
from smista_mcp.core.secretscan.blocks import driver_logins, headers, key_blocks, logins
from smista_mcp.core.secretscan.calls import call_passwords
from smista_mcp.core.secretscan.chosen import is_chosen
from smista_mcp.core.secretscan.commands import COMMANDS, commands
from smista_mcp.core.secretscan.findings import Found, Span
from smista_mcp.core.secretscan.joints import ESCAPE, WRAP, Joined, char_of
from smista_mcp.core.secretscan.placeholders import is_example, is_placeholder, is_random, is_wordy
from smista_mcp.core.secretscan.prose import PASSWORD_WORDS, told_in_words
from smista_mcp.core.secretscan.rules import Hit, Lazy, Nearby, Rule
from smista_mcp.core.secretscan.services import SERVICES, SERVICES_NEARBY
from smista_mcp.core.secretscan.vendors import NEARBY, VENDORS
from smista_mcp.core.secretscan.written import WRITTEN

RULES: tuple[Rule, ...] = (*VENDORS, *SERVICES, *WRITTEN)
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
_LONGEST_HALF = 2003
_LONGEST_LOGIN = 220
"""More characters than stand between the beginning of an address and that of the password in it."""
_HALVES = Lazy(r"[A-Za-z0-9_-]*+(?P<second>\.[A-Za-z0-9_-]{12})?")
_SHORT = 4000
_DIGIT = Lazy(r"[0-9]")
_LONG_RUN = Lazy(r"[A-Za-z0-9_-]{24}")
"""A short text without a digit and without this holds no key; in long ones that is not worth a look."""


_RUN = Lazy(r"[!-~]{12}|[^ -~\t]|[\"'`]")
_MIXED_RUN = Lazy(r"[!-~]{6,}+")
_JOINT = Lazy(r"[A-Za-z]{3}[!#%&*+~^$][A-Za-z]{3}")
"""Where a password without a digit may join two words."""
_TELLING_WORDS = (
    *(
        "://",
        "@tcp(",
        "@unix(",
        "authorization",
        "bearer ",
        "basic ",
        "cookie",
        "machine ",
        "phrase",
        "nemonic",
        *NAMES,
    ),
    *(word for word, _ in COMMANDS),
    *(word for word in PASSWORD_WORDS if word.isascii() and "pass" not in word),
)
"""A line of a prompt without one of them, without twelve characters in a row and without quotation holds no secret."""
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


_SHAPED = frozenset({"json_web_token", "discord_bot_token", "private_key", "openvpn_static_key", "seed_phrase"})
"""Kinds whose parts are text in base64, in which words and counted rows are found."""
_PASSWORDS = frozenset(rule.kind for rule in WRITTEN)
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
    if len(text) <= _SHORT and not _RUN().search(text) and not _has_mixed_run(text):
        lowered = text.lower()
        if not any(map(lowered.__contains__, _TELLING_WORDS)):
            return ()
    found = Found(text)
    for spans in _passes(text, found, examples=examples):
        found.take(spans)
        if found.is_full:
            break
    return found.hits()


def _has_mixed_run(text: str) -> bool:
    """Whether six characters stand in a row with a digit among them."""
    return _DIGIT().search(text) is not None and any(_DIGIT().search(run[0]) for run in _MIXED_RUN().finditer(text))


def _passes(text: str, found: Found, *, examples: bool) -> Iterator[Iterator[Span]]:
    """The searches that a text needs, in the order in which they may take a place."""
    lowered = text.lower() if text.isascii() else text.replace("\u0130", "i").lower()
    if "PRIVATE KEY" in text or "Private-Lines:" in text:
        yield key_blocks(text)
    mixed = len(text) > _SHORT or _has_mixed_run(text) or _LONG_RUN().search(text) is not None
    mixed = mixed or "nemonic" in lowered or "phrase" in lowered
    loose = mixed or _JOINT().search(text) is not None
    present = _present(text) if mixed else []
    if present:
        yield _prefixed(text, present, found, examples=examples)
        yield _wrapped(text, present, found, examples=examples)
    if "\\/" in text or "\\u00" in text:
        yield _escaped(text, found, examples=examples)
    if "://" in text:
        yield logins(text)
    if "@tcp(" in text or "@unix(" in text:
        yield driver_logins(text)
    yield headers(text, lowered, found)
    if mixed:
        yield _nearby(text, lowered)
        yield _encoded(text)
    yield commands(text, lowered, loose=loose)
    yield assigned(text, lowered, found)
    if loose:
        yield call_passwords(text, lowered, found)
        yield told_in_words(text, lowered, found)


def _prefixed(
    text: str,
    anchors: Sequence[_Anchor],
    found: Found,
    *,
    examples: bool,
    wanted: Callable[[int, int], bool] | None = None,
) -> Iterator[Span]:
    """Keys that begin with an anchor; only such as are `wanted`, told by their start and end, are judged."""
    wanted = wanted or found.is_free
    for anchor, rule in anchors:
        pattern = _compiled(rule.pattern if rule.glued else BOUNDARY + rule.pattern)
        group = "value" if "value" in pattern.groupindex else 0
        size, back = len(anchor), rule.back
        weight = 3 if rule.kind in _PASSWORDS else 1  # by its look alone a short one is more work to judge
        at, past = text.find(anchor), 0
        while at >= 0:
            match = pattern.match(text, at)
            if match is None:
                at += size
                if rule.halves and at > past:
                    at, past = _next_half(text, at)
                at = text.find(anchor, at)
                continue
            start, end = match.span(group)
            start = _back(text, start, back) if back else start
            while text[end - 1] in ".-_" and end > start + 8:
                end -= 1
            if (start < at or back == 0) and wanted(start, end):
                body = text[start if back else max(start, at + size) : end]
                if found.is_worn_out(weight * (end - start)) or _may_be_key(
                    text[start:end], body, rule, examples=examples
                ):
                    yield rule.kind, start, end
            at = text.find(anchor, max(match.end(), at + size))


def _next_half(text: str, at: int) -> tuple[int, int]:
    """Where a key of two halves may begin, and the end of the run there: in a run that no half follows begins none."""
    run = _HALVES().match(text, at)
    if run is None or run["second"] is None:
        end = run.end() if run else at
        return end, end
    end = run.start("second")
    return max(at, end - _LONGEST_HALF), end


def _back(text: str, start: int, most: int) -> int:
    """Where the key characters before a place begin; the place itself where they are not as many as half of `most`."""
    piece = text[max(0, start - most) : start]
    run = len(piece) - len(piece.rstrip(_KEY_CHARACTERS))
    return start - run if run >= min(most, max(3, most // 2)) else start


def _may_be_key(whole: str, body: str, rule: Rule, *, examples: bool) -> bool:
    """Whether a row in a key's format is one.

    Args:
        whole: the row.
        body: without the anchor.
        rule: of the format.
        examples: as for `scan`.
    """
    if not examples and rule.kind not in _PASSWORDS and is_example(whole):
        return False
    if rule.plain:
        return is_random(body) and not is_placeholder(body)
    if rule.kind in _SHAPED:
        return len(set(body)) >= 10
    if examples:
        return True
    wordy = is_wordy(body) and not (rule.kind in _PASSWORDS and is_chosen(body))
    return len(set(body)) >= 5 and not is_placeholder(body) and not wordy


def _wrapped(text: str, anchors: Sequence[_Anchor], found: Found, *, examples: bool) -> Iterator[Span]:
    """Keys that go on behind a line's end or a closing quotation mark."""
    kept = [pair for pair in anchors if not pair[1].back and (len(pair[0]) > 3 or not pair[0].isalnum())]
    if kept and WRAP().search(text):
        yield from _joined(Joined(text, WRAP), kept, found, examples=examples)


def _escaped(text: str, found: Found, *, examples: bool) -> Iterator[Span]:
    """Keys and addresses with escapes of JSON in them."""
    joined = Joined(text, ESCAPE, char_of)
    yield from _joined(joined, _present(joined.text), found, examples=examples)
    for kind, start, end in logins(joined.text):
        if joined.origin(max(0, start - _LONGEST_LOGIN), end):
            yield kind, joined.place(start), joined.place(end)


def _joined(joined: Joined, anchors: Sequence[_Anchor], found: Found, *, examples: bool) -> Iterator[Span]:
    def wanted(start: int, end: int) -> bool:
        at = joined.origin(start, end)
        return at is not None and found.is_free(*at)

    for kind, start, end in _prefixed(joined.text, anchors, found, examples=examples, wanted=wanted):
        if at := joined.origin(start, end):
            yield kind, *at


def _nearby(text: str, lowered: str) -> Iterator[Span]:
    for rule in NEARBY_RULES:
        for word in rule.words:
            at = lowered.find(word)
            while at >= 0:
                start, stop = at, at + len(word) + rule.reach
                at = lowered.find(word, at + len(word))
                while 0 <= at < stop:  # reaches that meet are one
                    stop = at + len(word) + rule.reach
                    at = lowered.find(word, at + len(word))
                for found in _compiled(rule.pattern).finditer(text, start, stop):
                    if is_random(found[0]) and not is_placeholder(found[0]):
                        yield rule.kind, found.start(), found.end()


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
    found = Found(text)
    found.take(key_blocks(text))
    found.take(_prefixed(text, _present(text), found, examples=False))
    found.take(logins(text))
    hits = found.hits()
    return hits[0].kind if hits else None
