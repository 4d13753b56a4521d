"""Secrets that are more than a run of characters: key blocks, passwords in addresses, headers, cookies, commands."""

import re
from collections.abc import Iterator

from smista_mcp.core.secretscan.assignments import login_of
from smista_mcp.core.secretscan.findings import Found, Span
from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

_LONGEST_BLOCK = 40_000
_FENCE = Lazy(r"-{4,5} ?(?P<side>BEGIN|END) (?P<what>[A-Z0-9 ]{0,40}?)PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_BODY = Lazy(r"[A-Za-z0-9+/=]{20,}+")
_BODY_END = Lazy(r"[A-Za-z0-9+/=\s\\\"'`,;:.()>|+-]*+")
_LONGEST_END = 8000


class _Armour:
    """Where things stand in a text that is searched from its beginning to its end: each is looked for once."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._marks: dict[str, int] = {}
        self._body = (0, -1)
        self._end = (0, -1)

    def next_of(self, mark: str, start: int, stop: int) -> int:
        """The first place of a mark from one place to another; -1 where there is none."""
        at = self._marks.get(mark, -1)
        if at < start:
            at = self._text.find(mark, start)
            self._marks[mark] = at = at if at >= 0 else len(self._text)
        return at if at + len(mark) <= min(stop, len(self._text)) else -1

    def end_of_body(self, start: int) -> int:
        """How far what may be a key goes on."""
        first, last = self._end
        if not first <= start < last:
            body = _BODY_END().match(self._text, start)
            last = body.end() if body else start
            self._end = (start, last)
        return min(last, start + _LONGEST_END)

    def has_body(self, start: int, end: int) -> bool:
        """Whether there is a key between two places, and not only dots."""
        end = min(end, start + 700)
        first, run = self._body
        if not first <= start <= run:
            found = _BODY().search(self._text, start)
            run = found.start() if found else len(self._text)
            self._body = (start, run)
        if run >= end:
            return False
        letters = "".join(found[0] for found in _BODY().finditer(self._text, start, end))
        return len(letters) >= 32 and len(set(letters)) >= 12


def key_blocks(text: str) -> Iterator[Span]:
    """Private keys in armour, from the first line to the last, or as far as they are there."""
    armour = _Armour(text)
    at, done = text.find("PRIVATE KEY"), 0
    while at >= 0:
        fence = _FENCE().search(text, max(done, at - 60), at + 30)
        if fence is not None and fence["side"] == "BEGIN":
            end = _end_of_block(text, fence.end(), armour)
            if armour.has_body(fence.end(), end):
                yield "private_key", fence.start(), end
                done = end
        elif fence is not None and fence.start() >= done:
            start = _start_of_block(text, done, fence.start())
            if start < fence.start():
                yield "private_key", start, fence.end()
            done = fence.end()
        at = text.find("PRIVATE KEY", max(done, at + 11))
    yield from _putty(text, _Armour(text))


def _end_of_block(text: str, start: int, armour: _Armour) -> int:
    closing = armour.next_of("-----END", start, start + _LONGEST_BLOCK)
    opening = armour.next_of("-----BEGIN", start, start + _LONGEST_BLOCK)
    if closing >= 0 and not 0 <= opening < closing:
        fence = _FENCE().match(text, closing)
        return fence.end() if fence else closing
    return armour.end_of_body(start)


def _start_of_block(text: str, done: int, end: int) -> int:
    """Where the lines of a key begin whose first line is not there."""
    start = end
    for found in _BODY().finditer(text, max(done, end - 4000), end):
        if len(found[0]) >= 40 and len(set(found[0])) >= 12:
            start = min(start, found.start())
    return start


def _putty(text: str, armour: _Armour) -> Iterator[Span]:
    at = text.find("Private-Lines:")
    while at >= 0:
        end = armour.next_of("Private-MAC:", at, at + _LONGEST_BLOCK)
        end = end if end >= 0 else min(len(text), at + 4000)
        if armour.has_body(at, end):
            yield "private_key", at, end
        at = text.find("Private-Lines:", at + 14)


_LOGIN = Lazy(
    r"://(?P<user>[^\s/@:\"'`<>\\,]{0,200}+):(?P<value>[^\s@\"'`<>\\/]{1,300}+)@(?P<host>[A-Za-z0-9_.\[$<{%-]?)"
)
_SLASHED = Lazy(r"://[^\s/@:\"'`<>\\,]{1,100}+:(?P<value>[^\s@\"'`<>\\:]{3,100}+)@[A-Za-z0-9-]{1,80}+[.:/]")
_TOKEN = Lazy(r"://(?P<value>(?![0-9a-f]{32}@)[A-Za-z0-9_-]{24,200}+)@[A-Za-z0-9]")
"""In place of a user; 32 digits are what a service for reports of errors has as its public key."""
_DATABASES = (
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "mongodb",
    "mongodb+srv",
    "redis",
    "rediss",
    "amqp",
    "amqps",
    "mssql",
    "sqlserver",
)


_ORDINARY = frozenset(("password", "pass", "pwd", "secret", "passwd", "p", "pw", "token"))


def logins(text: str) -> Iterator[Span]:
    """Passwords, and tokens in place of a user, inside addresses."""
    at = text.find("://")
    while at >= 0:
        found = _LOGIN().match(text, at)
        if found is None and text.endswith(_DATABASES, max(0, at - 12), at):
            found = _SLASHED().match(text, at)
        token = _TOKEN().match(text, at) if found is None else None
        if token is not None and is_random(token["value"], 24) and not is_placeholder(token["value"]):
            yield "url_password", *token.span("value")
        if found is not None:
            user, value = found.groupdict().get("user") or "", found["value"]
            if value in ("x-oauth-basic", "x-token-auth", "") and is_random(user, 12):
                yield "url_password", found.start("user"), found.end("user")
            elif not _is_example_login(user, value):
                yield "url_password", *found.span("value")
        at = text.find("://", at + 3)


_DRIVER_LOGIN = Lazy(r"[A-Za-z0-9_.-]{1,60}+:(?P<value>[^\s@\"'`:]{3,100}+)\Z")


def driver_logins(text: str) -> Iterator[Span]:
    """Passwords as drivers of databases write them: `user:password@tcp(host)/name`."""
    for mark in ("@tcp(", "@unix("):
        at = text.find(mark)
        while at >= 0:
            if text.rfind(":", max(0, at - 101), at) >= 0:
                start = max(text.rfind(sign, max(0, at - 170), at) for sign in "\"'` \n=") + 1
                found = _DRIVER_LOGIN().match(text[start or max(0, at - 170) : at])
                if found and not is_placeholder(found["value"]):
                    yield "url_password", at - len(found["value"]), at
            at = text.find(mark, at + len(mark))


def _is_example_login(user: str, value: str) -> bool:
    low = value.lower()
    return low in _ORDINARY or low == user.lower() or (value.isdigit() and len(value) < 6) or is_placeholder(value)


_HEADER = Lazy(
    r"authorization\\{0,2}+[\"']?\]?[ \t]{0,8}+[:=,(][ \t]{0,8}+\\{0,2}+[\"'`]?"
    r"(?:[A-Za-z0-9-]{2,16}+[ \t]{1,4}+)?(?P<value>[A-Za-z0-9._~+/=:-]{8,4000}+)",
    re.IGNORECASE,
)
_BEARER = Lazy(r"bearer[ \t]{1,4}(?:token[ \t]{1,2})?[\"'`]?(?P<value>[A-Za-z0-9._~+/=-]{16,4000}+)", re.IGNORECASE)
_BASIC = Lazy(r"basic[ \t]{1,4}[\"'`]?(?P<value>[A-Za-z0-9+/]{8,400}+={0,2})", re.IGNORECASE)


_LONGEST_SCHEME = 80
"""More characters than can stand between the beginning of a header and that of its value."""


def headers(text: str, lowered: str, found: Found) -> Iterator[Span]:
    """Credentials of HTTP: authorization in every scheme, cookies of sessions."""
    for word, pattern in (("authorization", _HEADER), ("bearer ", _BEARER), ("basic ", _BASIC)):
        at = lowered.find(word)
        while at >= 0:
            match = pattern().match(text, at)
            done = at + len(word)
            if match is not None and found.is_free(*match.span("value")):
                start, end = match.span("value")
                if found.is_worn_out(end - start) or _is_credential(match["value"], basic=word == "basic "):
                    yield "authorization_header", start, end
                    done = max(done, end - _LONGEST_SCHEME)
            at = lowered.find(word, done)
    yield from _cookies(text, lowered)


def _is_credential(value: str, *, basic: bool) -> bool:
    password = login_of(value)
    if password is not None:
        return not is_placeholder(password) and not is_placeholder(value)
    if basic or is_placeholder(value):
        return False
    plain = value.replace(".", "").replace("-", "")
    return is_random(plain, 12) or (plain != value and is_random(value))


_COOKIE = Lazy(
    r"(?:sess|sid|auth|token|jwt|remember|login|csrf|identity|aspx|cookie)[A-Za-z0-9_.-]{0,30}+=(?P<value>[A-Za-z0-9%._~+/:|-]{16,2000}+)",
    re.IGNORECASE,
)


def _cookies(text: str, lowered: str) -> Iterator[Span]:
    at, done = lowered.find("cookie"), 0
    while at >= 0:
        stop = at + 4000
        line = text.find("\n", at, stop)
        stop = line if line >= 0 else stop
        for found in _COOKIE().finditer(text, max(at + 6, done), stop):
            if is_random(found["value"]) and not is_placeholder(found["value"]):
                yield "session_cookie", *found.span("value")
        done = max(done, stop)
        at = lowered.find("cookie", at + 6)
