"""Patterns on the names of models."""

import re


def name_matches(pattern: str, name: str) -> bool:
    """Whether a pattern on model names (`*` matches anything, case does not count) matches a name."""
    pieces = [re.escape(piece) for piece in pattern.casefold().split("*")]
    if len(pieces) == 1:
        return name.casefold() == pattern.casefold()
    head, *middle, tail = pieces
    regex = head + "".join(f"(?>.*?{piece})" for piece in middle) + ".*" + tail
    return re.fullmatch(regex, name.casefold(), re.DOTALL) is not None
