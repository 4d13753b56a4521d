"""Which patterns are not accepted, and what to write instead."""

import re


def refusal(pattern: str) -> str | None:
    """Why a pattern is not accepted, with what to write instead; None where it is."""
    if not pattern:
        return "is empty; write a path or a pattern such as `src/**`"
    if "\0" in pattern:
        return "holds a NUL character"
    if pattern.startswith("!"):
        return (
            f"`{pattern}` negates, and patterns here only add; leave it out, or write `\\{pattern}` for a name with `!`"
        )
    return _place_refusal(pattern) or _brace_refusal(pattern)


def _place_refusal(pattern: str) -> str | None:
    if pattern.startswith(("/", "\\/")):
        inside = pattern.lstrip("\\/")
        return f"`{pattern}` is absolute; patterns are relative to the workspace: write `{inside}`"
    if re.match(r"[A-Za-z]:[\\/]", pattern) or pattern.startswith("~"):
        return f"`{pattern}` is outside the workspace; patterns are relative to it, for example `src/**`"
    if ".." in pattern.split("/"):
        return f"`{pattern}` climbs out with `..`; patterns are relative to the workspace, for example `src/**`"
    return None


def _brace_refusal(pattern: str) -> str | None:
    found = re.search(r"(?<!\\)\{([^{}]*)\}", pattern)
    if not found:
        return None
    before, after = pattern[: found.start()], pattern[found.end() :]
    each = ", ".join(f"`{before}{option}{after}`" for option in found[1].split(",")[:8])
    return f"`{pattern}` has braces, which git's patterns do not know; write one pattern each: {each}"
