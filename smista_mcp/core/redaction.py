"""The one redactor: no text that is shown, logged or kept ever repeats a secret that the scan knows."""

import json
import re
from typing import cast

from smista_mcp.core.secretscan import scan
from smista_mcp.core.secretscan.rules import Lazy

REDACTED = "[secret]"

_LIKELY = Lazy(
    r"(?<![A-Za-z0-9])sk-[A-Za-z0-9_-]{16,400}+"
    r"|(?<![A-Za-z0-9_-])eyJ[A-Za-z0-9_-]{8,4000}+\.[A-Za-z0-9_-]{8,4000}+(?:\.[A-Za-z0-9_-]{0,4000}+)?"
    r"|(?<![A-Za-z0-9/+])[A-Za-z0-9/+]{40}(?!/?[A-Za-z0-9+=]|\.[a-z])"  # as long as a secret key of AWS; no file's name
    r"|(?<!:)//[^\s/@:\"'\\]{1,200}+:[^\s/@\"'\\]{1,200}+@"  # a user and a password whose scheme was cut off
    r"|(?<=[a-z]:/)[^\s/@:\"'\\]{1,200}+:[^\s/@\"'\\]{1,200}+@"  # or one slash of it
    r"|(?<=://)[^\s/@:\"'\\]{0,200}+:[^\s/@\"'\\]{1,200}+@"  # or that are an example
    r"|-{4,5} ?BEGIN [A-Z0-9 ]{0,40}PRIVATE KEY(?: BLOCK)? ?-{4,5}"
)
"""What is taken for a secret where a text is shown or kept, and nowhere else: a mistake costs a few characters."""


def redacted(text: str) -> str:
    """The text with every secret replaced, examples of vendors included, and with what else looks like one."""
    hits = scan(text, examples=True)
    if hits:
        pieces: list[str] = []
        at = 0
        for hit in hits:
            pieces += (text[at : hit.start], REDACTED)
            at = hit.end
        text = "".join((*pieces, text[at:]))
    return _LIKELY().sub(_covered, text)


def redacted_json(text: str) -> str:
    """JSON with every secret in a string of it replaced; it stays JSON of the same shape."""
    if redacted(text) == text:
        return text
    return json.dumps(_redacted_value(json.loads(text)), ensure_ascii=False, separators=(",", ":"))


def _redacted_value(value: object) -> object:
    if isinstance(value, str):
        return redacted(value)
    if isinstance(value, list):
        return [_redacted_value(inner) for inner in cast("list[object]", value)]
    if isinstance(value, dict):
        return {redacted(key): _redacted_value(inner) for key, inner in cast("dict[str, object]", value).items()}
    return value


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
