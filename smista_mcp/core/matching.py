"""Which rule wins: an index over rules that finds the first match without looking at most of them.

Order of rules, first wins: organisation, ascending `priority`, specificity, number of further conditions, layer by
precedence, place in the file. A rule with several intents or skills stands in the index once for each of them, because
its specificity depends on which one a phase meets.
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from heapq import merge
from operator import attrgetter
from typing import NamedTuple

from smista_mcp.core.effective import PlacedRule
from smista_mcp.core.globs import NEAR, Compiled, folded, folded_octets, literal_segments
from smista_mcp.core.languages import language_of
from smista_mcp.core.policy import Rule
from smista_mcp.core.values import FAMILY, Intent, Layer

_SPECIFICITY = {
    (True, True, True): 0,
    (True, True, False): 1,
    (False, True, True): 2,
    (True, False, True): 3,
    (True, False, False): 4,
    (False, True, False): 5,
    (False, False, True): 6,
    (False, False, False): 7,
}
"""By (skill, paths, intent): the lower, the more specific."""
_PRECEDENCE = (Layer.CALL, Layer.LOCAL, Layer.WORKSPACE, Layer.USER, Layer.PRESET, Layer.BUILTIN)
_FEW = 64
"""Candidates up to here are sorted at once; more are merged lazily."""


class MatchRequest(NamedTuple):
    """What a phase brings to the conditions. Paths are relative; a directory ends with `/`."""

    intent: str
    family: str
    skill: str | None
    paths: Sequence[str]
    context_tokens: int = 0


Condition = Callable[[MatchRequest], bool]


class Conditions(NamedTuple):
    """The conditions of one rule, as the index needs them."""

    intents: tuple[str, ...] = ()
    skills: tuple[str, ...] = ()
    paths: tuple[str, ...] = ()
    further: tuple[Condition, ...] = ()
    before: bool = False
    priority: int = 0
    layer: int = 0


class _Entry:
    """One rule under one intent and one skill."""

    __slots__ = ("_compiled", "_fold", "_globs", "further", "literals", "position", "rank")

    def __init__(self, position: int, rank: tuple[int, ...], conditions: Conditions, *, ignore_case: bool) -> None:
        self.position = position
        self.rank = rank
        self.further = conditions.further
        self._globs = conditions.paths
        self._fold = ignore_case
        self._compiled: Compiled | None = None
        self.literals = literal_segments(conditions.paths, ignore_case=ignore_case) if conditions.paths else None

    def holds(self, request: MatchRequest, paths: Sequence[str], octets: Sequence[str], *, far: bool) -> bool:
        """Whether paths and further conditions hold; intent and skill hold by its place in the index.

        Paths as they are compared, and their bytes unless all are ASCII; `far` where one is too long for an expression.
        """
        if self._globs:
            compiled = self._compiled
            if compiled is None:
                compiled = self._compiled = Compiled(self._globs, ignore_case=self._fold)
            blunt = octets or (paths if compiled.odd else ())
            if not any(map(compiled.far if far else compiled.text, paths)) and not (
                blunt and any(map(compiled.octets, blunt))
            ):
                return False
        return all(condition(request) for condition in self.further)


_rank = attrgetter("rank")


class _Bucket:
    """The rules of one (intent, skill): those found through a path segment, and the rest in order."""

    __slots__ = ("by_segment", "rest")

    def __init__(self) -> None:
        self.by_segment: dict[str, list[_Entry]] = {}
        self.rest: list[_Entry] = []

    def add(self, entry: _Entry) -> None:
        if entry.literals is None:
            self.rest.append(entry)
            return
        for segment in entry.literals:
            self.by_segment.setdefault(segment, []).append(entry)


class RuleIndex:
    """All rules, asked which hold for a request, best first."""

    __slots__ = ("_buckets", "_fold")

    def __init__(self, conditions: Sequence[Conditions], *, ignore_case: bool = False) -> None:
        self._fold = ignore_case  # rules that bind: their paths forbid
        self._buckets: dict[tuple[str | None, str | None], _Bucket] = {}
        entries: list[tuple[tuple[str | None, str | None], _Entry]] = []
        for position, one in enumerate(conditions):
            for intent in one.intents or (None,):
                entry = _Entry(position, rank_of(one, intent, position), one, ignore_case=ignore_case)
                entries.extend(((intent, skill), entry) for skill in one.skills or (None,))
        entries.sort(key=lambda pair: pair[1].rank)
        for key, entry in entries:
            self._buckets.setdefault(key, _Bucket()).add(entry)

    def matches(self, request: MatchRequest) -> Iterator[int]:
        """Positions of the rules that hold, best first; a rule can come twice (as a refinement and as its family)."""
        paths: Sequence[str] = request.paths
        octets: list[str] = []
        if self._fold:
            if not all(map(str.isascii, paths)):
                octets = list(map(folded_octets, paths))
            paths = list(map(folded, paths))
        far = len("".join(paths)) > NEAR and max(map(len, paths)) > NEAR  # to join one or two costs next to nothing
        for entry in self._candidates(request, paths):
            if entry.holds(request, paths, octets, far=far):
                yield entry.position

    def first(self, request: MatchRequest) -> int | None:
        """The position of the winning rule."""
        return next(self.matches(request), None)

    def _candidates(self, request: MatchRequest, paths: Sequence[str]) -> Iterable[_Entry]:
        buckets = self._buckets
        intents = (request.intent, None) if request.family == request.intent else (request.intent, request.family, None)
        skills = (None,) if request.skill is None else (request.skill, None)
        segments: set[str] | None = None
        lists: list[list[_Entry]] = []
        for intent in intents:
            for skill in skills:
                bucket = buckets.get((intent, skill))
                if bucket is None:
                    continue
                if bucket.rest:
                    lists.append(bucket.rest)
                if bucket.by_segment and paths:
                    if segments is None:
                        segments = set("/".join(paths).split("/"))
                    lists.extend(_found(bucket.by_segment, segments))
        if len(lists) == 1:
            return lists[0]
        if sum(map(len, lists)) <= _FEW:
            return sorted([entry for part in lists for entry in part], key=_rank)
        return merge(*lists, key=_rank)


def _found(by_segment: dict[str, list[_Entry]], segments: set[str]) -> list[list[_Entry]]:
    if len(segments) < len(by_segment):
        return [by_segment[s] for s in segments if s in by_segment]
    return [entries for s, entries in by_segment.items() if s in segments]


def rank_of(conditions: Conditions, intent: str | None, position: int) -> tuple[int, ...]:
    """The sort key of a rule met through one of its intents (None where it names none)."""
    key = (bool(conditions.skills), bool(conditions.paths), bool(conditions.intents))
    through_family = intent is not None and intent in _FAMILIES
    return (
        0 if conditions.before else 1,
        conditions.priority,
        _SPECIFICITY[key],
        1 if through_family else 0,
        -len(conditions.further),
        conditions.layer,
        position,
    )


_FAMILIES = frozenset(str(family) for family in FAMILY.values())


def conditions_of(placed: PlacedRule) -> Conditions:
    """What the index needs of a policy's rule."""
    rule, layer = placed.rule, placed.origin.layer
    return Conditions(
        intents=tuple(map(str, rule.intent or ())),
        skills=rule.skill or (),
        paths=rule.paths or (),
        further=further_conditions(rule),
        before=layer is Layer.ORGANISATION,
        priority=rule.priority,
        layer=_PRECEDENCE.index(layer) if layer in _PRECEDENCE else 0,
    )


def further_conditions(rule: Rule) -> tuple[Condition, ...]:
    """Conditions besides intent, skill and paths."""
    found: list[Condition] = []
    if rule.languages is not None:
        wanted = frozenset(name.lower() for name in rule.languages)
        found.append(lambda request: any(language_of(path) in wanted for path in request.paths))
    if rule.min_paths is not None:
        least = rule.min_paths
        found.append(lambda request: len(request.paths) >= least)
    if rule.min_context_tokens is not None:
        tokens = rule.min_context_tokens
        found.append(lambda request: request.context_tokens >= tokens)
    return tuple(found)


def index_of(rules: Sequence[PlacedRule], *, ignore_case: bool = False) -> RuleIndex:
    """Indexes a policy's rules; positions are places in `rules`."""
    return RuleIndex([conditions_of(placed) for placed in rules], ignore_case=ignore_case)


def request_for(intent: Intent, skill: str | None, paths: Sequence[str], context_tokens: int = 0) -> MatchRequest:
    """What a phase of that intent asks of the index."""
    return MatchRequest(str(intent), str(FAMILY[intent]), skill, paths, context_tokens)
