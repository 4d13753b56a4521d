"""The conditions of rules as sets of tasks: which task meets all of these rules and none of those.

A task is an intent, perhaps a skill, paths of files, and tokens. Further paths and further tokens only ever let more
rules match, so that the smallest tasks are the hardest to win: as many paths as the conditions ask for and no more, and
only as many different ones. Where a task shall meet several rules, one path meets all their conditions on paths, and
further paths that a `min_paths` asks for are like it.

Which rule comes first is asked of `matching` itself, never worked out a second time.
"""

from collections.abc import Callable, Iterable, Sequence
from itertools import product
from typing import NamedTuple

from smista_mcp.core.checking.pathsets import PathKey, Paths, TooLarge
from smista_mcp.core.effective import PlacedRule, Policy
from smista_mcp.core.matching import Conditions, MatchRequest, RuleIndex, conditions_of, rank_of, request_for
from smista_mcp.core.policy import Rule
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import FAMILY, Intent

CONDITIONS = ("intent", "skill", "paths", "languages", "min_paths", "min_context_tokens")
"""The keys of a rule that say which tasks it matches."""
ONE_TOKEN = 1
"""What the shortest text has: no task has less."""
_Search = Callable[[Sequence[PathKey]], tuple[str, ...] | None]
_MOST_CHOICES = 8
"""Rules with both `paths` and `languages` that one search steers clear of; each doubles the work."""


class Contender(NamedTuple):
    """A rule with all that is needed to compare it with others.

    Attributes:
        source: the document that it stands in.
        place: its number there.
        position: its place among the rules in force; None where it cannot win, because nobody has confirmed its file.
        ranks: for each intent that it matches, what decides before the place in the file does; lower wins.
        skills: None where it asks for none.
        paths: patterns and languages of which a path each must be met.
        least: how many paths a task must have at least.
        tokens: how many tokens a task must have at least.
    """

    placed: PlacedRule
    source: LayerDocument
    place: int
    position: int | None
    ranks: dict[Intent, tuple[int, ...]]
    skills: frozenset[str] | None
    paths: tuple[PathKey, ...]
    least: int
    tokens: int

    @property
    def name(self) -> str:
        return self.placed.rule.name


class _Alike(tuple[str, ...]):
    """Paths that stand for more of their like: there are `size`, whether or not each is spelled out."""

    size = 0

    def __len__(self) -> int:
        return self.size


class Situation(NamedTuple):
    """The least that matching looks at in a task.

    Attributes:
        paths: different ones.
        size: how many paths there are; those besides `paths` are like the first of them.
    """

    intent: Intent
    skill: str | None
    paths: tuple[str, ...]
    size: int
    tokens: int

    @property
    def request(self) -> MatchRequest:
        paths = _Alike(self.paths)
        paths.size = self.size
        return request_for(self.intent, self.skill, paths, self.tokens)


class Field(NamedTuple):
    """All rules of all layers, and the index by which those in force are found.

    Attributes:
        contenders: every rule, by layer and place.
        winners: those in force, by position.
    """

    contenders: tuple[Contender, ...]
    winners: tuple[Contender, ...]
    ranking: RuleIndex
    paths: Paths


class Contest(NamedTuple):
    """Whether a rule can win.

    Attributes:
        won: a task that it wins; None where there is none.
        before: rules that win tasks in its place. Where it wins none, they win all together.
    """

    won: Situation | None
    before: tuple[Contender, ...]


def field_of(sources: Sequence[LayerDocument], policy: Policy, ranking: RuleIndex) -> Field:
    """Prepares the rules of a policy.

    Args:
        sources: the documents by precedence, without what is locked in the place that leads.
        policy: the same documents, merged.
        ranking: the index over its rules in force, by their order.
    """
    in_force = sorted(policy.rules, key=lambda placed: placed.order)
    positions = {placed.order: position for position, placed in enumerate(in_force)}
    contenders: list[Contender] = []
    for source in sources:
        for index, rule in enumerate(source.document.routing.rules):
            order = len(contenders)
            position = positions.get(order)
            origin = source.origin("routing", "rules", index)
            placed = PlacedRule(rule, origin, order, trusted=source.trusted)
            contenders.append(
                _contender(in_force[position] if position is not None else placed, source, index, position)
            )
    winners = tuple(contender for contender in contenders if contender.position is not None)
    return Field(tuple(contenders), winners, ranking, Paths(len(contenders)))


def _contender(placed: PlacedRule, source: LayerDocument, place: int, position: int | None) -> Contender:
    rule, needs = placed.rule, conditions_of(placed)
    asked = [PathKey(globs=rule.paths)] if rule.paths else []
    if rule.languages is not None:
        asked.append(PathKey(languages=frozenset(name.lower() for name in rule.languages)))
    ranks = {intent: rank for intent in Intent if (rank := _rank(needs, intent)) is not None}
    return Contender(
        placed=placed,
        source=source,
        place=place,
        position=position,
        ranks=ranks,
        skills=frozenset(rule.skill) if rule.skill else None,
        paths=tuple(asked),
        least=max(rule.min_paths or 0, 1 if asked else 0),
        tokens=max(rule.min_context_tokens or 0, ONE_TOKEN),
    )


def _rank(needs: Conditions, intent: Intent) -> tuple[int, ...] | None:
    """The best rank by which a rule is met, without its place; None where it is not met."""
    named = [name for name in (str(intent), str(FAMILY[intent])) if name in needs.intents]
    if needs.intents and not named:
        return None
    return min(rank_of(needs, name, 0)[:-1] for name in named or [None])


def contest(field: Field, rule: Contender, others: Sequence[Contender] = (), intents: Iterable[Intent] = ()) -> Contest:
    """Looks for a task that `rule` wins, that is met by `others` too, and has one of the intents (or any).

    Each task that is found is given to the index; the rule that wins it instead is avoided from then on.

    Raises:
        TooLarge: the patterns are too large to be searched through.
    """
    before: list[Contender] = []
    while True:
        found = meeting(field.paths, (rule, *others), before, intents)
        if found is None:
            return Contest(None, tuple(before))
        position = field.ranking.first(found.request)
        if position is not None and position == rule.position:
            return Contest(found, tuple(before))
        winner = None if position is None else field.winners[position]
        if winner is None or winner in before:  # rather than to go round for ever
            raise TooLarge("what was found is matched otherwise than it was proved")
        before.append(winner)


def meeting(
    paths: Paths, rules: Sequence[Contender], avoided: Sequence[Contender] = (), intents: Iterable[Intent] = ()
) -> Situation | None:
    """The smallest kind of task that all `rules` match, and none of the `avoided` ones that come before the first.

    Raises:
        TooLarge: the patterns are too large to be searched through.
    """
    first = rules[0]
    wanted = tuple(intents) or tuple(Intent)
    tokens = max(rule.tokens for rule in rules)
    for intent in wanted:
        if any(intent not in rule.ranks for rule in rules):
            continue
        for skill in _skills(rules):
            rivals = [
                rule
                for rule in avoided
                if rule.tokens <= tokens and _holds(rule, intent, skill) and _before(rule, first, intent)
            ]
            found = _paths(paths, rules, rivals)
            if found is not None:
                size = max(len(found), *(rule.least for rule in rules))
                return Situation(intent, skill, found, size, tokens)
    return None


def _skills(rules: Sequence[Contender]) -> Iterable[str | None]:
    """Skills with which all rules can be met; where none asks for one, a task without one meets the fewest others."""
    asked: frozenset[str] | None = None
    for rule in rules:
        if rule.skills is not None:
            asked = rule.skills if asked is None else asked & rule.skills
    return (None,) if asked is None else sorted(asked)


def _holds(rule: Contender, intent: Intent, skill: str | None) -> bool:
    return intent in rule.ranks and (rule.skills is None or skill in rule.skills)


def _before(rule: Contender, other: Contender, intent: Intent) -> bool:
    return (rule.ranks[intent], rule.placed.order) < (other.ranks[intent], other.placed.order)


def _paths(paths: Paths, rules: Sequence[Contender], rivals: Sequence[Contender]) -> tuple[str, ...] | None:
    """Different paths with which `rules` are met and no rival is; where more are needed, they are like the first."""
    asked = tuple(dict.fromkeys(key for rule in rules for key in rule.paths))
    least = max(rule.least for rule in rules)
    found = _clear(lambda clear_of: _one(paths, asked, clear_of), asked, rivals, least)
    if found is None and len(rules) == 1 and len(asked) > 1:  # a file for the patterns and another for the language
        found = _clear(lambda clear_of: each(paths, asked, clear_of), asked, rivals, max(least, len(asked)))
    return found


def _clear(find: _Search, asked: Sequence[PathKey], rivals: Sequence[Contender], size: int) -> tuple[str, ...] | None:
    """Calls `find` with every choice of path sets to keep clear of, so that no rival is met by `size` paths."""
    met = [[key for key in rival.paths if key not in asked] for rival in rivals if rival.least <= size]
    if not all(met):
        return None  # what is asked for meets a rival by itself
    if size == 0:
        return ()
    single = tuple(dict.fromkeys(keys[0] for keys in met if len(keys) == 1))
    double = dict.fromkeys(tuple(keys) for keys in met if len(keys) > 1 and not {*keys} & {*single})
    if len(double) > _MOST_CHOICES:
        raise TooLarge(f"{len(double)} rules before it ask for both patterns and languages")
    for choice in product(*double):
        found = find((*single, *dict.fromkeys(choice)))
        if found is not None:
            return found
    return None


def _one(paths: Paths, asked: Sequence[PathKey], clear_of: Sequence[PathKey]) -> tuple[str, ...] | None:
    path = paths.find(asked, clear_of)
    return None if path is None else (path,)


def each(paths: Paths, asked: Sequence[PathKey], clear_of: Sequence[PathKey] = ()) -> tuple[str, ...] | None:
    """A path for each set; None where one of them has none.

    Raises:
        TooLarge: the patterns are too large to be searched through.
    """
    found: dict[str, None] = {}
    for key in asked:
        path = paths.find((key,), clear_of)
        if path is None:
            return None
        found[path] = None
    return tuple(found)


def unconditional(rule: Rule) -> bool:
    """Whether a rule matches every task."""
    return all(getattr(rule, name) is None for name in CONDITIONS)
