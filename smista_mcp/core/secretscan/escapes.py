"""What a text says behind the escapes of JSON."""

import re

from smista_mcp.core.secretscan.rules import Lazy

_PLAIN = {'\\"': '"', "\\/": "/", "\\n": "\n", "\\r": "\r", "\\t": "\t", "\\b": "\b", "\\f": "\f"}
_NUMBERED = Lazy(r"(?>(?:\\u[0-9A-Fa-f]{4}){1,2000})")
_ANY = Lazy(r"\\(?:[\"\\/nrtbf]|(?:u[0-9A-Fa-f]{4}(?>(?:\\u[0-9A-Fa-f]{4}){0,2000})))")
_UNUSED = "\0"
"""No JSON holds it, so that it can stand for a backslash for a while."""


def unescaped(text: str) -> str:
    """The text with each escape of JSON undone once; what is none stays. It need not be JSON, nor be whole."""
    if "\\" not in text:
        return text
    if _UNUSED in text or "\\u0000" in text:
        return _ANY().sub(_one, text)
    text = text.replace("\\\\", _UNUSED)
    if "\\u" in text:
        text = _NUMBERED().sub(lambda run: _numbered(run).replace("\\", _UNUSED), text)
    for escape, char in _PLAIN.items():
        text = text.replace(escape, char)
    return text.replace(_UNUSED, "\\")


def _one(escape: re.Match[str]) -> str:
    if escape[0][1] == "u":
        return _numbered(escape)
    return _PLAIN.get(escape[0], "\\")


def _numbered(run: re.Match[str]) -> str:
    return bytes.fromhex(run[0].replace("\\u", "")).decode("utf-16-be", "surrogatepass")
