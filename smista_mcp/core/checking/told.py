"""Findings about rules that were compared."""

from collections.abc import Iterable, Iterator

from smista_mcp.core.checking.conditions import Contender
from smista_mcp.core.findings import Finding, FindingCode, Severity, finding_in
from smista_mcp.core.policy import TestTask

_MOST_NOT_COMPARED = 20
"""Comparisons that were given up and are told one by one."""


def told(
    rules: tuple[Contender, ...],
    code: FindingCode,
    words: tuple[str, str],
    *,
    severity: Severity = Severity.WARNING,
    witness: TestTask | None = None,
    at: tuple[str | int, ...] = (),
) -> Finding:
    """A finding about rules.

    Args:
        rules: those that it concerns; it stands at the last of them.
        code: what kind of finding.
        words: what is wrong, and what to write instead.
        severity: how bad it is.
        witness: a task that shows it.
        at: the key within that rule.
    """
    last = rules[-1]
    path = ("routing", "rules", last.place, *at)
    names = tuple(rule.name for rule in rules)
    found = finding_in(last.source, path, code, words, severity=severity, rules=names)
    return found if witness is None else found.model_copy(update={"witness": witness})


def not_compared(rules: tuple[Contender, ...], error: Exception) -> Finding:
    """Says of rules, the one that is examined last, that nothing is said of them."""
    names = [f"`{rule.name}`" for rule in rules]
    what = f"{names[0]} and {names[1]}" if len(names) > 1 else f"{names[0]} and the rules before it"
    words = f"{what} could not be compared: {error}", "write fewer or simpler patterns, if you want it checked"
    return told(rules, FindingCode.NOT_COMPARED, words)


def in_few(found: Iterable[Finding]) -> Iterator[Finding]:
    """Of rules that could not be compared each set once, and no more than a few; one more says how many others."""
    told_of: set[tuple[str | None, str | None, frozenset[str]]] = set()
    others: list[Finding] = []
    for one in found:
        if one.code is not FindingCode.NOT_COMPARED:
            yield one
            continue
        key = (one.layer, one.file, frozenset(one.rules))
        if key in told_of:
            continue
        told_of.add(key)
        if len(told_of) <= _MOST_NOT_COMPARED:
            yield one
        else:
            others.append(one)
    if others:
        message = f"{len(others)} more comparisons of rules were given up: the patterns are too many or too entangled"
        names = dict.fromkeys(name for one in others for name in one.rules)
        yield others[0].model_copy(update={"message": message, "at": "routing.rules", "rules": tuple(names)})
