"""Which patterns are not accepted, and what to write instead."""

import re

_SHOWN = 8
_UNIT = r"\\.|\[[!^]?\]?(?:\[:[a-z]*:\]|\\.|[^\]\\])*\]|."
"""An escaped character, a class, or a character."""


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
    return _place_refusal(pattern) or brace_refusal(pattern)


def _place_refusal(pattern: str) -> str | None:
    if pattern.startswith(("/", "\\/")):
        inside = pattern.lstrip("\\/") or "**"
        more = "" if "/" in inside or inside == "**" else f" (at any depth) or `{inside}/**` (what is below it)"
        return f"`{pattern}` is absolute; patterns are relative to the workspace: write `{inside}`{more}"
    if pattern.startswith("~"):
        return f"`{pattern}` is outside the workspace, unless it means a name with `~`: then write `\\{pattern}`"
    if re.match(r"[A-Za-z]:[\\/]|\\\\[^\\/]+\\", pattern):
        return f"`{pattern}` is outside the workspace; patterns are relative to it, for example `src/**`"
    if ".." in (*re.split(r"[\\/]", pattern), *re.sub(r"\\(.)", r"\1", pattern).split("/")):
        return f"`{pattern}` climbs out with `..`; patterns are relative to the workspace, for example `src/**`"
    return None


def brace_refusal(pattern: str) -> str | None:
    """Why braces in a pattern are not accepted; None where it has none that a shell would take for such."""
    found = _expanded(re.findall(_UNIT, pattern, re.DOTALL))
    if not found:
        return None
    each = ", ".join(f"`{one}`" for one in found[:_SHOWN])
    more = f" and {len(found) - _SHOWN} more" if len(found) > _SHOWN else ""
    return (
        f"`{pattern}` has braces, which git's patterns do not know; write one pattern each: {each}{more}, "
        "or `\\{` for a name with a brace"
    )


def _expanded(units: list[str]) -> list[str]:
    """The patterns without braces that a shell would make of one; none where it has no pair of braces."""
    waiting, found = [units], list[str]()
    while waiting:
        one = waiting.pop(0)
        close = next((i for i, unit in enumerate(one) if unit == "}" and "{" in one[:i]), None)
        if close is None:
            found.append("".join(one))
            continue
        start = close - 1 - one[:close][::-1].index("{")
        options: list[list[str]] = [[]]
        for unit in one[start + 1 : close]:
            if unit == ",":
                options.append([])
            else:
                options[-1].append(unit)
        if len(waiting) + len(found) + len(options) > _MOST:
            return ["".join(part) for part in (one[:start] + option + one[close + 1 :] for option in options)]
        waiting += [one[:start] + option + one[close + 1 :] for option in options]
    return [] if found == ["".join(units)] else list(dict.fromkeys(found))


_MOST = 64
"""Patterns are written out up to here; more braces than that are written out in part."""
