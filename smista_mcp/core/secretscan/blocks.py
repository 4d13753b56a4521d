"""Secrets that are more than a run of characters: key blocks, passwords in addresses, headers, cookies, commands."""

import re
from collections.abc import Iterator

from smista_mcp.core.secretscan.assignments import login_of
from smista_mcp.core.secretscan.placeholders import is_placeholder, is_random
from smista_mcp.core.secretscan.rules import Lazy

Span = tuple[str, int, int]

_LONGEST_BLOCK = 40_000
_FENCE = Lazy(r"-{4,5} ?(?P<side>BEGIN|END) (?P<what>[A-Z0-9 ]{0,40}?)PRIVATE KEY(?: BLOCK)? ?-{4,5}")
_BODY = Lazy(r"[A-Za-z0-9+/=]{20,}+")
_BODY_END = Lazy(r"[A-Za-z0-9+/=\s\\\"'`,;:.()>|+-]{0,8000}+")


def key_blocks(text: str) -> Iterator[Span]:
    """Private keys in armour, from the first line to the last, or as far as they are there."""
    at, done = text.find("PRIVATE KEY"), 0
    while at >= 0:
        fence = _FENCE().search(text, max(done, at - 60), at + 30)
        if fence is not None and fence["side"] == "BEGIN":
            end = _end_of_block(text, fence.end())
            if _has_body(text, fence.end(), end):
                yield "private_key", fence.start(), end
                done = end
        elif fence is not None and fence.start() >= done:
            start = _start_of_block(text, done, fence.start())
            if start < fence.start():
                yield "private_key", start, fence.end()
            done = fence.end()
        at = text.find("PRIVATE KEY", max(done, at + 11))
    yield from _putty(text)


def _end_of_block(text: str, start: int) -> int:
    closing = text.find("-----END", start, start + _LONGEST_BLOCK)
    opening = text.find("-----BEGIN", start, start + _LONGEST_BLOCK)
    if closing >= 0 and not 0 <= opening < closing:
        fence = _FENCE().match(text, closing)
        return fence.end() if fence else closing
    body = _BODY_END().match(text, start)
    return body.end() if body else start


def _has_body(text: str, start: int, end: int) -> bool:
    """Whether there is a key between the fences, and not only dots."""
    letters = "".join(found[0] for found in _BODY().finditer(text, start, min(end, start + 700)))
    return len(letters) >= 32 and len(set(letters)) >= 12


def _start_of_block(text: str, done: int, end: int) -> int:
    """Where the lines of a key begin whose first line is not there."""
    start = end
    for found in _BODY().finditer(text, max(done, end - 4000), end):
        if len(found[0]) >= 40 and len(set(found[0])) >= 12:
            start = min(start, found.start())
    return start


def _putty(text: str) -> Iterator[Span]:
    at = text.find("Private-Lines:")
    while at >= 0:
        end = text.find("Private-MAC:", at, at + _LONGEST_BLOCK)
        end = end if end >= 0 else min(len(text), at + 4000)
        if _has_body(text, at, end):
            yield "private_key", at, end
        at = text.find("Private-Lines:", at + 14)


_LOGIN = Lazy(
    r"://(?P<user>[^\s/@:\"'`<>\\,]{0,200}+):(?P<value>[^\s@\"'`<>\\/]{1,300}+)@(?P<host>[A-Za-z0-9_.\[$<{%-]?)"
)
_SLASHED = Lazy(r"://[^\s/@:\"'`<>\\,]{1,100}+:(?P<value>[^\s@\"'`<>\\:]{3,100}+)@[A-Za-z0-9-]{1,80}+[.:/]")
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


def logins(text: str) -> Iterator[Span]:
    """Passwords, and tokens in place of a user, inside addresses."""
    at = text.find("://")
    while at >= 0:
        found = _LOGIN().match(text, at)
        if found is None and text.endswith(_DATABASES, max(0, at - 12), at):
            found = _SLASHED().match(text, at)
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
            start = max(text.rfind(sign, max(0, at - 170), at) for sign in "\"'` \n=") + 1
            found = (
                _DRIVER_LOGIN().match(text[start:at]) if start else _DRIVER_LOGIN().match(text[max(0, at - 170) : at])
            )
            if found and not is_placeholder(found["value"]):
                yield "url_password", at - len(found["value"]), at
            at = text.find(mark, at + len(mark))


def _is_example_login(user: str, value: str) -> bool:
    ordinary = ("password", "pass", "pwd", "secret", "passwd", "p", "pw", "token")
    return is_placeholder(value) or value.lower() in (*ordinary, user.lower()) or (value.isdigit() and len(value) < 6)


_HEADER = Lazy(
    r"authorization\\{0,2}+[\"']?\]?[ \t]{0,8}+[:=,(][ \t]{0,8}+\\{0,2}+[\"'`]?"
    r"(?:[A-Za-z0-9-]{2,16}+[ \t]{1,4}+)?(?P<value>[A-Za-z0-9._~+/=:-]{8,4000}+)",
    re.IGNORECASE,
)
_BEARER = Lazy(r"bearer[ \t]{1,4}(?:token[ \t]{1,2})?[\"'`]?(?P<value>[A-Za-z0-9._~+/=-]{16,4000}+)", re.IGNORECASE)
_BASIC = Lazy(r"basic[ \t]{1,4}[\"'`]?(?P<value>[A-Za-z0-9+/]{8,400}+={0,2})", re.IGNORECASE)


def headers(text: str, lowered: str) -> Iterator[Span]:
    """Credentials of HTTP: authorization in every scheme, cookies of sessions."""
    for word, pattern in (("authorization", _HEADER), ("bearer ", _BEARER), ("basic ", _BASIC)):
        at = lowered.find(word)
        while at >= 0:
            found = pattern().match(text, at)
            if found and _is_credential(found["value"], basic=word == "basic "):
                yield "authorization_header", *found.span("value")
            at = lowered.find(word, at + len(word))
    yield from _cookies(text, lowered)


def _is_credential(value: str, *, basic: bool) -> bool:
    if is_placeholder(value):
        return False
    password = login_of(value)
    if password is not None:
        return not is_placeholder(password)
    return not basic and (is_random(value) or is_random(value.replace(".", "").replace("-", ""), 12))


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


_CURL = Lazy(
    r"[ \t](?:-u|--user|--proxy-user|-U)[ \t=]{0,3}\\?[\"']?(?P<user>[^\s:\"']{0,100}+):(?P<value>[^\s\"'\\]{3,200}+)"
)
_SHORT = Lazy(r"[ \t]-p[ \t]{0,1}[\"']?(?P<value>[^\s\"'\\-][^\s\"'\\]{4,100}+)")
COMMANDS = (
    ("curl", _CURL),
    ("wget", _CURL),
    ("http ", Lazy(r"[ \t](?:-a|--auth)[ \t=]{1,2}[\"']?[^\s:\"']{0,100}+:(?P<value>[^\s\"'\\]{3,200}+)")),
    ("mysql", _SHORT),
    ("sshpass", _SHORT),
    ("docker login", _SHORT),
    ("mongo", _SHORT),
)
_NETRC = Lazy(r"login\s{1,8}\S{1,100}+\s{1,8}password\s{1,8}(?P<value>\S{3,200}+)")


def commands(text: str, lowered: str) -> Iterator[Span]:
    """Passwords that are arguments of a command, or a line of `.netrc`."""
    for word, pattern in COMMANDS:
        at, done = lowered.find(word), 0
        while at >= 0:
            line = text.find("\n", at, at + 600)
            for found in pattern().finditer(text, max(at, done), line if line >= 0 else at + 600):
                if not is_placeholder(found["value"]) and not found["value"].isalpha():
                    yield "command_password", *found.span("value")
            done = max(done, line if line >= 0 else at + 600)
            at = lowered.find(word, at + len(word))
    at = lowered.find("machine ")
    while at >= 0:
        found = _NETRC().search(text, at, at + 400)
        if found and not is_placeholder(found["value"]):
            yield "netrc_password", *found.span("value")
        at = lowered.find("machine ", at + 8)
