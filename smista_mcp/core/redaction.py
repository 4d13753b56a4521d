"""Keys and passwords by their look, so that no text that people read ever repeats one."""

import re

_MARKS = ("sk-", "AIza", "AKIA", "ASIA", "gh", "glpat-", "xox", "hf_", "PRIVATE KEY", "://")
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


def redacted(text: str) -> str:
    """The text with every such key replaced."""
    return SECRET.sub("[secret]", text)
