"""Rules of one layer that nothing but their place in the file ranks: `ambiguous_pair` and `ambiguous_request`.

A pair is ambiguous where one task with at most one path meets both rules at the same rank. Whether a third rule wins
that task does not count: a change elsewhere would bring the tie back. Where it takes several paths to meet both, that
is information, told once for each rule; where both lead to the same route, the tie changes nothing.
"""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import suppress
from typing import NamedTuple

from smista_mcp.core.capabilities import READ
from smista_mcp.core.checking.conditions import CONDITIONS, Contender, Field, Situation, each, meeting
from smista_mcp.core.checking.pathsets import TooLarge
from smista_mcp.core.checking.told import not_compared, told
from smista_mcp.core.checking.witnesses import witness
from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.values import Intent

_WITHOUT_EFFECT_ON_THE_ROUTE = {*CONDITIONS, "name", "priority", "local_only", "only_models"}
"""What binds does so whether or not the rule wins."""

_MOST_EXAMPLES = 2
_MOST_PAIRS = 10
"""Pairs that are told one by one for the later of their rules; the others are told together."""


class _Tie(NamedTuple):
    """Two rules, the earlier first, and a task that meets both."""

    earlier: Contender
    later: Contender
    found: Situation

    @property
    def single(self) -> bool:
        return self.found.size <= 1


def ties(field: Field) -> Iterator[Finding]:
    """All ties, by layer."""
    for rules in _comparable(field.contenders):
        for number, later in enumerate(rules):
            several: list[_Tie] = []
            pairs: list[_Tie] = []
            for earlier in rules[:number]:
                try:
                    tie = _tie(field, earlier, later)
                except TooLarge as error:
                    yield not_compared((earlier, later), error)
                    continue
                if tie is not None and tie.single:
                    pairs.append(tie)
                elif tie is not None and not _same_route(earlier, later):
                    several.append(tie)
            yield from (_pair(field, tie) for tie in pairs[:_MOST_PAIRS])
            if len(pairs) > _MOST_PAIRS:
                yield _further(field, pairs[_MOST_PAIRS:])
            if several:
                yield _request(field, several)


def _comparable(contenders: Sequence[Contender]) -> list[list[Contender]]:
    """Rules of which each two may have the same rank: same file, priority and kinds of conditions."""
    found: dict[tuple[object, ...], list[Contender]] = defaultdict(list)
    for one in contenders:
        if one.source.trusted and not one.source.leads:
            continue  # it only binds, and that in no order
        rule = one.placed.rule
        kinds = (rule.intent is None, rule.skill is None, rule.paths is None)
        further = sum(value is not None for value in (rule.languages, rule.min_paths, rule.min_context_tokens))
        found[one.source.layer, one.source.file, rule.priority, *kinds, further].append(one)
    return [rules for rules in found.values() if len(rules) > 1]


def _tie(field: Field, earlier: Contender, later: Contender) -> _Tie | None:
    intents = _alike_intents(earlier, later)
    if not intents:
        return None
    found = meeting(field.paths, (earlier, later), (), intents)
    if found is None:
        return _spread(field, earlier, later, intents)
    return _Tie(earlier, later, found)


def _alike_intents(one: Contender, other: Contender) -> list[Intent]:
    """Intents for which both rules have one rank."""
    return [intent for intent, rank in other.ranks.items() if intent in one.ranks and one.ranks[intent] == rank]


def _decided(field: Field, tie: _Tie) -> Situation | None:
    """A task that no third rule wins, if one is soon found: the better example."""
    both = (tie.earlier, tie.later)
    intents = _alike_intents(*both)
    avoided: list[Contender] = []
    for _ in range(_MOST_EXAMPLES):
        found = meeting(field.paths, both, avoided, intents)
        position = None if found is None else field.ranking.first(found.request)
        if position is None:
            return None
        if position == both[0].position:
            return found
        avoided.append(field.winners[position])
    return None


def _spread(field: Field, earlier: Contender, later: Contender, intents: Sequence[Intent]) -> _Tie | None:
    """The tie that a task with paths for each condition makes."""
    asked = tuple(dict.fromkeys((*earlier.paths, *later.paths)))
    bare = (earlier._replace(paths=(), least=0), later._replace(paths=(), least=0))
    found = meeting(field.paths, bare, (), intents)
    paths = each(field.paths, asked) if found is not None else None
    if found is None or paths is None:
        return None
    size = max(len(paths), earlier.least, later.least)
    return _Tie(earlier, later, found._replace(paths=paths, size=size))


def _same_route(one: Contender, other: Contender) -> bool:
    left, right = (rule.placed.rule.model_dump(exclude=_WITHOUT_EFFECT_ON_THE_ROUTE) for rule in (one, other))
    for route in (left, right):
        wanted = route["requires_capabilities"]
        route["requires_capabilities"] = {(name, wanted[name]) for name in wanted if wanted[name] or name in READ}
    return left == right


def _pair(field: Field, tie: _Tie) -> Finding:
    with suppress(TooLarge):  # the first example does as well
        tie = tie._replace(found=_decided(field, tie) or tie.found)
    earlier, later = tie.earlier, tie.later
    alike = _same_route(earlier, later)
    message = f"nothing but its place in the file puts `{earlier.name}` before `{later.name}` where a task meets both"
    decided = field.ranking.first(tie.found.request) if later.position is not None else earlier.position
    if decided != earlier.position and decided is not None:
        message += f"; at present `{field.winners[decided].name}` wins such tasks"
    if alike:
        message += "; both lead to the same route"
    fix = "make one rule of them" if alike else "give the one that shall win a lower `priority`"
    return told(
        (earlier, later),
        FindingCode.AMBIGUOUS_PAIR,
        (message, fix),
        severity=Severity.INFO if alike else Severity.ERROR,
        witness=witness(field, tie.found),
    )


def _further(field: Field, pairs: Sequence[_Tie]) -> Finding:
    """Pairs of one rule beyond those that are told one by one."""
    later = pairs[0].later
    count = f"{len(pairs)} more rules that a task meets with it"
    message = f"nothing but its place in the file ranks `{later.name}` behind {count}"
    alike = all(_same_route(tie.earlier, later) for tie in pairs)
    return told(
        (*(tie.earlier for tie in pairs), later),
        FindingCode.AMBIGUOUS_PAIR,
        (message, "give those that shall win a lower `priority`, or narrow the patterns"),
        severity=Severity.INFO if alike else Severity.ERROR,
        witness=witness(field, pairs[0].found),
    )


def _request(field: Field, several: Sequence[_Tie]) -> Finding:
    later = several[0].later
    earlier = tuple(tie.earlier for tie in several)
    names = ", ".join(f"`{rule.name}`" for rule in earlier[:8]) + (", …" if len(earlier) > 8 else "")
    message = f"a task with paths for each of them meets {names} and `{later.name}`; the first in the file wins it"
    return told(
        (*earlier, later),
        FindingCode.AMBIGUOUS_REQUEST,
        (message, "give the one that shall win a lower `priority`, if that matters"),
        severity=Severity.INFO,
        witness=witness(field, several[0].found),
    )
