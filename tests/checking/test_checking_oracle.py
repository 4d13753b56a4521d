"""The checker against brute force: every task of a small world is decided, and what is so must be what it says.

The world has a path for every combination of pattern and language that any path can have. A path may stand several
times in a task: that is a task of several files that are alike.
"""

from collections.abc import Iterator, Sequence
from functools import cache
from itertools import chain, combinations, combinations_with_replacement, product
from typing import NamedTuple

from deciding import layer
from drawn_rules import GLOBS, LANGUAGES, MOST_PATHS, rule_texts
from hypothesis import given, settings
from hypothesis import strategies as st

from smista_mcp.core.checking import check
from smista_mcp.core.findings import Finding, FindingCode, Severity
from smista_mcp.core.globs import compile_glob
from smista_mcp.core.globs.search import PathSet, find_path
from smista_mcp.core.languages import language_of
from smista_mcp.core.layering import merge
from smista_mcp.core.matching import MatchRequest, index_of, request_for
from smista_mcp.core.policy import Rule
from smista_mcp.core.values import FAMILY, Intent

INTENTS = (Intent.EDIT, Intent.TEST, Intent.REVIEW)
SKILLS = (None, "s")
TOKENS = (1, 50)


@cache
def paths() -> tuple[str, ...]:
    """One path of each kind: for each choice of sets it lies in, a path, where there is one."""
    sets = [PathSet([glob]) for glob in GLOBS] + [PathSet.of_extensions(some) for some in LANGUAGES.values()]
    found: list[str | None] = []
    for chosen in product((True, False), repeat=len(sets)):
        inside = [one for one, is_in in zip(sets, chosen, strict=True) if is_in]
        outside = [one for one, is_in in zip(sets, chosen, strict=True) if not is_in]
        found.append(find_path(inside or [PathSet(["*"])], outside))
    return tuple(path for path in found if path is not None)


@cache
def tasks() -> tuple[MatchRequest, ...]:
    some = chain.from_iterable(combinations_with_replacement(paths(), size) for size in range(MOST_PATHS + 1))
    return tuple(
        request_for(intent, skill, together, tokens)
        for together, intent, skill, tokens in product(tuple(some), INTENTS, SKILLS, TOKENS)
    )


class Checked(NamedTuple):
    rules: list[Rule]
    findings: tuple[Finding, ...]
    matched: list[set[int]]
    won: list[set[int]]

    def told(self, *codes: FindingCode) -> set[tuple[str, ...]]:
        return {finding.rules for finding in self.findings if finding.code in codes}


def checked(texts: Sequence[str]) -> Checked:
    """What is found in rules `r0`, `r1`, ..., and which tasks of the world each of them matches and wins."""
    text = "".join(f'[[routing.rules]]\nname = "r{number}"\n{one}\n' for number, one in enumerate(texts))
    document = layer(f'{text}[routing.default]\nmodel = "ollama/x"\n')
    policy = merge([document])
    ranked = sorted(policy.rules, key=lambda placed: placed.order)
    alone = [index_of([placed]) for placed in ranked]
    matched = [{i for i, task in enumerate(tasks()) if one.first(task) is not None} for one in alone]
    together = index_of(ranked)
    winners = [together.first(task) for task in tasks()]
    won = [{i for i, winner in enumerate(winners) if winner == position} for position in range(len(ranked))]
    return Checked([placed.rule for placed in ranked], check([document], policy), matched, won)


def rules_that_win_nothing(found: Checked) -> None:
    """Just those are dead or shadowed that win no task."""
    dead = {f"r{n}" for n, matched in enumerate(found.matched) if not matched}
    shadowed = {f"r{n}" for n, won in enumerate(found.won) if not won} - dead
    assert {rules[-1] for rules in found.told(FindingCode.DEAD_RULE)} == dead
    assert {rules[-1] for rules in found.told(FindingCode.SHADOWED_RULE)} == shadowed


def rules_named_as_winners(found: Checked) -> None:
    """The named rules win every task together, and none can be left out."""
    for *names, last in found.told(FindingCode.SHADOWED_RULE):
        before = [int(name[1:]) for name in names]
        mine = found.matched[int(last[1:])]
        for left_out in (None, *before):
            rest = [found.rules[n] for n in sorted({*before, int(last[1:])} - {left_out})]
            document = layer("".join(_again(rule) for rule in rest))
            ranking = index_of(sorted(merge([document]).rules, key=lambda placed: placed.order))
            place = [rule.name for rule in rest].index(last)
            wins = any(ranking.first(tasks()[task]) == place for task in mine)
            assert wins == (left_out is not None)


def _again(rule: Rule) -> str:
    said = rule.model_dump(mode="json", exclude_defaults=True)
    plain = {key: str(value).lower() if isinstance(value, bool) else repr(value) for key, value in said.items()}
    return "[[routing.rules]]\n" + "".join(f"{key} = {value}\n" for key, value in plain.items())


def _tied(one: Rule, other: Rule, intent: str) -> bool:
    """The order of the design once more, for rules of one layer: is nothing left but the place in the file?"""

    def rank(rule: Rule) -> tuple[object, ...]:
        kinds = (rule.skill is None, rule.paths is None, rule.intent is None)
        by_family = rule.intent is not None and (intent not in rule.intent or FAMILY[Intent(intent)] == intent)
        further = sum(value is not None for value in (rule.languages, rule.min_paths, rule.min_context_tokens))
        return (rule.priority, kinds, by_family, further)

    return rank(one) == rank(other)


def _single(task: MatchRequest) -> bool:
    return len(task.paths) <= 1


def pairs_tied_by_one_path(found: Checked) -> None:
    """Just those are ambiguous that some task with one path ties."""
    expected: set[tuple[str, ...]] = set()
    for one, other in combinations(range(len(found.rules)), 2):
        both = found.matched[one] & found.matched[other]
        if any(_single(tasks()[i]) and _tied(found.rules[one], found.rules[other], tasks()[i].intent) for i in both):
            expected.add((f"r{one}", f"r{other}"))
    assert found.told(FindingCode.AMBIGUOUS_PAIR) == expected


def _meets(rule: Rule, path: str, *, key: str) -> bool:
    if key == "paths":
        return any(compile_glob(glob).fullmatch(path) for glob in rule.paths or ())
    return language_of(path) in (rule.languages or ())


def _conditions(rule: Rule) -> Iterator[list[bool]]:
    """For each condition on paths, which paths of the world meet it."""
    for key in ("paths", "languages"):
        if getattr(rule, key) is not None:
            yield [_meets(rule, path, key=key) for path in paths()]


def pairs_tied_by_several_paths(found: Checked) -> None:
    """Ties that take several paths are information."""
    pairs = found.told(FindingCode.AMBIGUOUS_PAIR)
    expected: set[tuple[str, str]] = set()
    for one, other in combinations(range(len(found.rules)), 2):
        left, right = found.rules[one], found.rules[other]
        # a task has as many paths as it takes: one for each condition
        possible = all(any(met) for rule in (left, right) for met in _conditions(rule))
        skills = not (left.skill and right.skill) or bool({*left.skill} & {*right.skill})
        tied = any(
            _tied(left, right, intent)
            for intent in Intent
            if all(rule.intent is None or {intent, FAMILY[intent]} & {*rule.intent} for rule in (left, right))
        )
        if possible and skills and tied and left.model != right.model and (f"r{one}", f"r{other}") not in pairs:
            expected.add((f"r{one}", f"r{other}"))
    requests = found.told(FindingCode.AMBIGUOUS_REQUEST)
    assert {(earlier, rules[-1]) for rules in requests for earlier in rules[:-1]} == expected


def overlaps_with_local_rules(found: Checked) -> None:
    """Just those overlap that win a task of alike paths which a local rule matches."""
    expected: set[tuple[str, ...]] = set()
    for keeper, leaving in product(range(len(found.rules)), repeat=2):
        rules = found.rules[keeper], found.rules[leaving]
        if not rules[0].local_only or rules[1].local_only or not rules[1].model.startswith("anthropic"):
            continue
        both = found.won[leaving] & found.matched[keeper]
        if any(len(set(tasks()[i].paths)) <= 1 for i in both):
            expected.add((f"r{keeper}", f"r{leaving}"))
    assert found.told(FindingCode.LOCAL_ONLY_OVERLAP) == expected


@settings(max_examples=150, deadline=None)
@given(st.lists(rule_texts(), min_size=1, max_size=5))
def test_the_checker_says_just_what_brute_force_finds(texts: list[str]) -> None:
    found = checked(texts)
    rules_that_win_nothing(found)
    rules_named_as_winners(found)
    pairs_tied_by_one_path(found)
    pairs_tied_by_several_paths(found)
    overlaps_with_local_rules(found)


def test_ties_of_one_route_are_information() -> None:
    alike, other = 'paths = ["src/**"]\nmodel = "ollama/a"', 'paths = ["**/b"]\nmodel = "ollama/a"'
    found = checked([alike, other])
    assert [(f.code, f.severity) for f in found.findings] == [(FindingCode.AMBIGUOUS_PAIR, Severity.INFO)]
