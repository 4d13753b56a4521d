"""Findings about rules that were compared."""

from smista_mcp.core.checking.conditions import Contender
from smista_mcp.core.findings import Finding, FindingCode, Severity, finding_in
from smista_mcp.core.policy import TestTask


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
    return told(rules, FindingCode.NOT_COMPARED, words, severity=Severity.INFO)
