"""Where one phase is led: by a rule, by the default route, or by the call that names a model. Pure."""

from collections.abc import Sequence
from typing import NamedTuple

from smista_mcp.core.effective import PlacedRule, Policy
from smista_mcp.core.matching import MatchRequest, request_for
from smista_mcp.core.policy import Rule
from smista_mcp.core.snapshot import Rulebook, Snapshot
from smista_mcp.core.task import Phase, Task
from smista_mcp.core.values import Effort, Layer
from smista_mcp.errors import Code


class Led(NamedTuple):
    """Where one phase is led: by a rule, the default route, or the call."""

    placed: PlacedRule | None
    written: tuple[str, ...]
    effort: Effort
    override: bool
    refusal: tuple[Code, str] | None = None


def lead(task: Task, phase: Phase, paths: Sequence[str], world: Snapshot, tokens: int) -> Led:
    """The rule that wins, the default route, or the model that the call names where it may.

    Args:
        task: what the host delegates.
        phase: the phase.
        paths: those that conditions of rules see.
        world: policy, catalog and availability.
        tokens: of words and required context.
    """
    book, policy = world.rulebook, world.rulebook.policy
    request = request_for(phase.intent.name, phase.skill, paths, tokens)
    position = book.ranking.first(request)
    placed = None if position is None else book.rules[position]
    route_of = placed.rule if placed else policy.default
    stated = route_of.effort if route_of else None
    fixed = placed is not None and placed.origin.layer is Layer.ORGANISATION and not placed.overridable
    effort = (stated if fixed else None) or task.effort or stated or Effort.MEDIUM
    if task.model is not None:
        return _override(task.model, placed, _held(book, request), policy, effort)
    if route_of is None:
        return Led(None, (), effort, override=False, refusal=(Code.NO_ROUTE, NO_ROUTE))
    return Led(placed, (route_of.model, *route_of.fallbacks), effort, override=False)


def is_of_organisation(led: Led, policy: Policy) -> bool:
    """Whether the organisation leads the phase."""
    origin = led.placed.origin if led.placed else policy.default_origin
    return origin is not None and origin.layer is Layer.ORGANISATION


NO_ROUTE = "no rule matches and there is no `[routing.default]`"


def _held(book: Rulebook, request: MatchRequest) -> Rule | None:
    """A rule of the organisation that matches and that no call may override, whether or not it is the one that wins."""
    for position in book.ranking.matches(request):
        placed = book.rules[position]
        if placed.origin.layer is not Layer.ORGANISATION:
            return None  # its rules come before all others
        if not placed.overridable:
            return placed.rule
    return None


def _override(model: str, placed: PlacedRule | None, held: Rule | None, policy: Policy, effort: Effort) -> Led:
    refused: str | None = None
    route_of = placed.rule if placed else policy.default
    within = (route_of.model, *route_of.fallbacks) if route_of else ()
    named = {m for target in within for m in _spread(target, policy)} | set(within)
    if policy.overrides == "deny":
        refused = 'the policy says `[routing] overrides = "deny"`; leave `model` out'
    elif policy.overrides == "within_route" and model not in named:
        refused = (
            f"the policy lets a call choose only within the route: {', '.join(f'`{name}`' for name in sorted(named))}"
        )
    elif held is not None:
        refused = f"the organisation's rule `{held.name}` is not overridable; leave `model` out"
    refusal = (Code.OVERRIDE_NOT_ALLOWED, refused) if refused else None
    return Led(placed, (model,), effort, override=refused is None, refusal=refusal)


def _spread(target: str, policy: Policy) -> tuple[str, ...]:
    definition = policy.classes.get(target.removeprefix("class:")) if target.startswith("class:") else None
    return definition.models if definition else ()
