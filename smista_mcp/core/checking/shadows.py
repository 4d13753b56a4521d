"""Rules that win no task: `dead_rule` where none can match them, `shadowed_rule` where others come first on all.

Both are proved: a rule is said to be shadowed once no task is left that it could win. Only rules in force are asked.
Named are rules that come before it on every task that it matches, none of which could be left out; still others may
win some of these tasks. A rule of a preset that the user's own rules replace is
no finding: that is what a preset is for.
"""

from collections.abc import Iterator, Sequence

from smista_mcp.core.checking.conditions import Contender, Contest, Field, contest, meeting
from smista_mcp.core.checking.pathsets import TooLarge
from smista_mcp.core.checking.patterns import doubt
from smista_mcp.core.checking.told import not_compared, told
from smista_mcp.core.checking.witnesses import witness
from smista_mcp.core.findings import Finding, FindingCode
from smista_mcp.core.languages import LANGUAGES
from smista_mcp.core.nearness import closest
from smista_mcp.core.values import Layer

_FEW = 12
"""Up to here it is tried whether one of the rules that win could be left out."""


def shadows(field: Field) -> Iterator[Finding]:
    """All rules that win nothing."""
    for rule in field.contenders:
        try:
            if (at := _unmet(field, rule)) is not None:
                yield _dead(field, rule, at)
            elif rule.position is not None:
                yield from _shadowed(field, rule)
        except TooLarge as error:
            yield not_compared((rule,), error)


def _unmet(field: Field, rule: Contender) -> tuple[str, ...] | None:
    """The key of a condition that no task meets; None where the rule can be met."""
    for asked in rule.paths:
        if field.paths.find((asked,)) is None:
            return ("paths",) if asked.globs else ("languages",)
    return None


def _dead(field: Field, rule: Contender, at: tuple[str, ...]) -> Finding:
    message = f"no task can match `{rule.name}`: no file meets its `{at[0]}`"
    doubts = [doubt(pattern, field.paths) for pattern in rule.placed.rule.paths or ()]
    fix = "; ".join(dict.fromkeys(words[1] for words in doubts if words)) or "write patterns that a file can meet"
    if at == ("languages",):
        close = [closest(name.lower(), sorted(LANGUAGES), cutoff=0.6) for name in rule.placed.rule.languages or ()]
        meant = ", ".join(f"`{name}`" for name in close if name)
        fix = f"did you mean {meant}?" if meant else f"known are {', '.join(sorted(LANGUAGES))}"
    return told((rule,), FindingCode.DEAD_RULE, (message, fix), at=at)


def _shadowed(field: Field, rule: Contender) -> Iterator[Finding]:
    found = contest(field, rule)
    if found.won is not None or _replaced(rule, found):
        return
    before = _needed(field, rule, found.before)
    names = ", ".join(f"`{one.name}`" for one in before)
    by = names if len(before) == 1 else f"one of {names}"
    message = f"`{rule.name}` never wins: whatever it matches, {by} matches too and comes before it"
    met = meeting(field.paths, (rule,))
    yield told(
        (*before, rule),
        FindingCode.SHADOWED_RULE,
        (message, "give it a lower `priority`, narrow the others, or remove it"),
        witness=witness(field, met) if met else None,
    )


def _replaced(rule: Contender, found: Contest) -> bool:
    return rule.source.layer is Layer.PRESET and any(one.source.layer is not Layer.PRESET for one in found.before)


def _needed(field: Field, rule: Contender, before: Sequence[Contender]) -> tuple[Contender, ...]:
    """Those of the rules without which `rule` would win a task that the others do not match."""
    kept = list(before)
    if len(kept) <= _FEW:
        for one in before:
            rest = [other for other in kept if other is not one]
            if meeting(field.paths, (rule,), rest) is None:
                kept = rest
    return tuple(sorted(kept, key=lambda one: one.placed.order))
