"""Passwords that are arguments of commands."""

import re
from collections.abc import Iterator

from smista_mcp.core.secretscan.chosen import is_chosen
from smista_mcp.core.secretscan.findings import Span
from smista_mcp.core.secretscan.placeholders import is_placeholder
from smista_mcp.core.secretscan.rules import Lazy

_CURL = Lazy(
    r"[ \t](?:-u|--user|--proxy-user|-U)[ \t=]{0,3}\\?[\"']?(?P<user>[^\s:\"']{0,100}+):(?P<value>[^\s\"'\\]{3,200}+)"
)
_SHORT = Lazy(r"[ \t]-p[ \t]{0,1}[\"']?(?P<value>[^\s\"'\\-][^\s\"'\\]{4,100}+)")
_LARGE = Lazy(r"[ \t]-P[ \t]{0,1}[\"']?(?P<value>[^\s\"'\\-][^\s\"'\\]{5,100}+)")
_PERCENT = Lazy(r"[ \t](?:-U|--user)[ \t=]?[\"']?[^\s%\"']{1,60}+%(?P<value>[^\s\"']{6,100}+)")
_STROKE = Lazy(r"[ \t][\"']?[A-Za-z_][A-Za-z0-9_]{0,30}+/(?P<value>[^\s@/\"']{5,60}+)@")
COMMANDS = (
    ("curl", _CURL),
    ("wget", _CURL),
    ("http ", Lazy(r"[ \t](?:-a|--auth)[ \t=]{1,2}[\"']?[^\s:\"']{0,100}+:(?P<value>[^\s\"'\\]{3,200}+)")),
    ("mysql", _SHORT),
    ("sshpass", _SHORT),
    ("docker login", _SHORT),
    ("mongo", _SHORT),
)
_STDIN = r"(?:sudo (?:-[A-Za-z]{1,2} )?(?:-S|chpasswd)|chpasswd|docker login|helm registry login|passwd|su )"
CHOSEN = (
    ("redis-cli", Lazy(r"[ \t]-a[ \t][\"']?(?P<value>[^\s\"'\\]{6,100}+)")),
    ("ldap", Lazy(r"[ \t]-w[ \t][\"']?(?P<value>[^\s\"'\\]{6,100}+)")),
    ("sqlcmd", _LARGE),
    ("bcp ", _LARGE),
    ("zip ", _LARGE),
    ("7z ", _SHORT),
    ("az login", _SHORT),
    ("ncftp", _SHORT),
    ("rdesktop", _SHORT),
    ("psexec", _SHORT),
    ("lftp", Lazy(r"[ \t]-u[ \t][^\s,\"']{1,60}+,(?P<value>[^\s\"']{6,100}+)")),
    ("smbclient", _PERCENT),
    ("winexe", _PERCENT),
    ("rpcclient", _PERCENT),
    ("openssl ", Lazy(r"[ \t]-k[ \t][\"']?(?P<value>[^\s\"'\\]{6,100}+)")),
    (
        "net use",
        Lazy(
            r"net user?[ \t](?:[^\s\"']{1,80}+[ \t]){1,4}[\"']?(?P<value>[^\s\"'/]{6,60}+)(?![^\s\"'])", re.IGNORECASE
        ),
    ),
    ("signtool", Lazy(r"[ \t]/p[ \t][\"']?(?P<value>[^\s\"'\\]{6,100}+)")),
    ("freerdp", Lazy(r"[ \t]/p:[\"']?(?P<value>[^\s\"'\\]{6,100}+)")),
    ("vault login", Lazy(r"vault login[ \t](?:-[a-z=-]{2,30}+[ \t]){0,3}(?P<value>[^\s\"'=]{12,100}+)", re.IGNORECASE)),
    ("sqlplus", _STROKE),
    ("impdp", _STROKE),
    ("expdp", _STROKE),
    (
        "rabbitmqctl",
        Lazy(
            r"(?:add_user|change_password|authenticate_user)"
            r"[ \t][^\s\"']{1,60}+[ \t][\"']?(?P<value>[^\s\"'\\]{6,100}+)"
        ),
    ),
    ("wpa_passphrase", Lazy(r"wpa_passphrase[ \t][^\s=]{1,40}+[ \t][\"']?(?P<value>[^\s\"'\\]{8,63}+)")),
    (
        "echo ",
        Lazy(
            r"echo[ \t](?:-[en]{1,2}[ \t])?[\"']?(?:[a-z_][a-z0-9_-]{0,31}+:)?(?P<value>[^\s\"'\\|:]{6,100}+)"
            rf"(?:\\n[^\s\"'|]{{1,100}}+)?[\"']?[ \t]{{0,2}}\|[ \t]{{0,2}}{_STDIN}",
            re.IGNORECASE,
        ),
    ),
)
"""As `COMMANDS`, for flags that others use too: only what has the look of a password counts."""
_NETRC = Lazy(r"login\s{1,8}\S{1,100}+\s{1,8}password\s{1,8}(?P<value>\S{3,200}+)")


def commands(text: str, lowered: str, *, loose: bool) -> Iterator[Span]:
    """Passwords that are arguments of a command, or a line of `.netrc`.

    Args:
        text: to be searched.
        lowered: the same in lower case, of the same length.
        loose: whether anything is in it that could be a password by its look alone.
    """
    for word, pattern in COMMANDS:
        if word not in lowered:
            continue
        for start, end in _values(text, lowered, word, pattern):
            value = text[start:end]
            if not is_placeholder(value) and not value.isalpha():
                yield "command_password", start, end
    for word, pattern in CHOSEN if loose else ():
        if word not in lowered:
            continue
        for start, end in _values(text, lowered, word, pattern):
            if is_chosen(text[start:end]):
                yield "command_password", start, end
    if "machine " in lowered:
        yield from _netrc(text, lowered)


def _netrc(text: str, lowered: str) -> Iterator[Span]:
    at = lowered.find("machine ")
    while at >= 0:
        found = _NETRC().search(text, at, at + 400)
        if found and not is_placeholder(found["value"]):
            yield "netrc_password", *found.span("value")
        done = found.start() if found and found.end() < at + 400 else 0
        at = lowered.find("machine ", max(at + 8, done))


def _values(text: str, lowered: str, word: str, pattern: Lazy) -> Iterator[tuple[int, int]]:
    """Where a pattern's values stand in the rest of each line behind a word."""
    at, done = lowered.find(word), 0
    while at >= 0:
        line = text.find("\n", at, at + 600)
        for found in pattern().finditer(text, max(at, done), line if line >= 0 else at + 600):
            yield found.span("value")
        done = max(done, line if line >= 0 else at + 600)
        at = lowered.find(word, at + len(word))
