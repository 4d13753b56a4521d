"""Files of hosts as they may be shown: without what their users gave other servers to keep."""

import re
from typing import Final

from smista_mcp.hostfiles import jsontext, tomltext
from smista_mcp.hostfiles.places import NAME, Shape

_TABLES: Final = frozenset({"env", "environment", "headers", "http_headers"})
"""Tables of an entry that hold keys and passwords; no rule knows their shapes."""
_HIDDEN: Final = "[secret]"
_KEPT_BY_AIDER = re.compile(r"[\"']?(?:[\w-]*(?:key|token|password|secret)[\w-]*|set-env)[\"']?[ \t]*:", re.IGNORECASE)


def without_values(text: str, shape: Shape) -> str:
    """A text that was read, each value in such a table of another server than ours replaced; it has the same lines.

    Args:
        text: of a host's file.
        shape: what it is written in; a text of words stays as it is.
    """
    if shape == "words" or not text.strip():
        return text
    if shape == "yaml":
        return _of_aider(text)
    if shape == "toml":
        return tomltext.hidden(text, _TABLES, NAME, f'"{_HIDDEN}"')
    return jsontext.hidden(text, _TABLES, NAME, f'"{_HIDDEN}"', comments=shape == "jsonc")


def _of_aider(text: str) -> str:
    lines: list[str] = []
    hides = False
    for line in text.splitlines(keepends=True):
        goes_on = line[:1] in (" ", "\t", "-") or not line.strip()
        key = _KEPT_BY_AIDER.match(line)
        hides = key is not None or (hides and goes_on)
        end = line[len(line.rstrip("\r\n")) :]
        lines.append(f"{key[0] if key else ''} {_HIDDEN}{end}" if hides and line.strip() else line)
    return "".join(lines)
