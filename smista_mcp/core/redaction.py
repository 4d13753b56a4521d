"""Keys and passwords by their look, so that no text that people read ever repeats one."""

import re

_MARKS = ("sk-", "AIza", "AKIA", "ASIA", "gh", "glpat-", "xox", "hf_", "PRIVATE KEY", "://")
REDACTED = "[secret]"
SECRET = re.compile(
    r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,}"  # Anthropic, OpenAI and those that follow them
    r"|(?<![A-Za-z0-9])AIza[A-Za-z0-9_-]{30,}"
    r"|(?<![A-Za-z0-9])(?:AKIA|ASIA)[A-Z0-9]{16}"
    r"|(?<![A-Za-z0-9])(?:gh[oprsu]_[A-Za-z0-9]{30,}|github_pat_[A-Za-z0-9_]{22,})"
    r"|(?<![A-Za-z0-9])(?:glpat-[A-Za-z0-9_-]{20,}|xox[abeprs]-[A-Za-z0-9-]{10,}|hf_[A-Za-z0-9]{30,})"
    r"|-----BEGIN [A-Z ]*PRIVATE KEY-----"
    r"|(?<=://)[^\s/@:\"']*:[^\s/@\"']+@",
)
"""A key of a well-known kind, the head of a private key, or a user and a password inside an address."""


def may_hold_secret(text: str) -> bool:
    """Whether a search for `SECRET` is worth its time on a long text."""
    return any(mark in text for mark in _MARKS)


_BY_LOOK_ALONE = re.compile(
    r"(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?"  # a JSON web token
    r"|(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?!/?[A-Za-z0-9+=]|\.[a-z])"  # as long as a secret key of AWS; no file's name
    r"|(?<!:)//[^\s/@:\"'\\]+:[^\s/@\"'\\]+@"  # a user and a password whose scheme was cut off
    r"|(?<=[a-z]:/)[^\s/@:\"'\\]+:[^\s/@\"'\\]+@"  # or one slash of it
)
"""What is taken for a secret where a text is shown or kept, and nowhere else: a mistake costs a few characters."""


def redacted(text: str) -> str:
    """The text with every such key replaced, and with what else looks like one."""
    return _BY_LOOK_ALONE.sub(_covered, SECRET.sub(REDACTED, text))


def _covered(found: re.Match[str]) -> str:
    """Of forty characters in a row those are a key that mix letters of both cases with digits."""
    piece = found[0]
    if len(piece) != 40 or "." in piece or "@" in piece:
        return REDACTED
    upper, lower, digits = (sum(map(test, piece)) for test in (str.isupper, str.islower, str.isdigit))
    return REDACTED if upper >= 5 and lower >= 5 and digits else piece


def shown(text: str, most: int = 80) -> str:
    """A text of somebody else's as it may stand in a sentence of ours: on one line, cut, without our quotation mark.

    Args:
        text: a pattern, a name: whatever a file of a repository or a server is free to choose.
        most: characters.
    """
    if len(text) <= most and text.isprintable() and "`" not in text:
        return text
    line = "".join(char if char.isprintable() else "?" for char in text[:most]).replace("`", "'")
    return f"{line}…" if len(text) > most else line
