"""The least privacy that every attempt must satisfy. It joins only upward: nothing here ever loosens."""

from collections.abc import Iterator, Sequence
from typing import NamedTuple

from smista_mcp.core.effective import PlacedRule
from smista_mcp.core.facts import ContextItem, PhaseContext
from smista_mcp.core.globs import GlobSet
from smista_mcp.core.matching import RuleIndex, request_for
from smista_mcp.core.origins import Chain, Link
from smista_mcp.core.origins import told as told_origin
from smista_mcp.core.redaction import redacted, shown
from smista_mcp.core.secretscan import told
from smista_mcp.core.task import Phase
from smista_mcp.core.values import Confidence, Grant, Intent, Label
from smista_mcp.errors import Code

ANY_SIZE = 10**9
"""Tokens: a rule that binds from some size on counts as one that binds."""


class Guard(NamedTuple):
    """The parts of a policy that make a floor, compiled.

    Attributes:
        unsendable: both of these, for whoever only needs to know that a path must not leave.
        bindings: rules with `local_only` or `only_models`; `ranking` finds those that hold, paths without case.
    """

    restricted: GlobSet
    blocked: GlobSet
    unsendable: GlobSet
    remote_mode: Grant
    bindings: Sequence[PlacedRule]
    ranking: RuleIndex


class Cause(NamedTuple):
    """Something that labels an answer, and the way to it."""

    label: Label
    chain: Chain


class Floor(NamedTuple):
    """What every candidate of a phase must satisfy.

    Attributes:
        local: only a local model may serve.
        remote_denied: no remote model may serve whatever the content, because the policy says `mode = "deny"`.
        restricted: the content is restricted, so the answer is too and never goes to a remote host as it is.
        only_models: each entry is a list of targets of which the model must be one.
        own_models: those of them that stand in files that are trusted.
        secret: secrets restrict the content, and no path does.
        reasons: why, in plain words, in the order found.
        withheld: per context item that a remote model must not get, by its place: the reason.
        bound: a local_only rule binds the whole phase.
        kept: those of the withheld items that nothing but a rule keeps local: what is made from them may be shown.
    """

    local: bool
    remote_denied: bool
    restricted: bool
    only_models: tuple[tuple[str, ...], ...]
    reasons: tuple[str, ...]
    withheld: dict[int, str]
    bound: bool = False
    kept: frozenset[int] = frozenset()
    own_models: tuple[tuple[str, ...], ...] = ()
    secret: bool = False
    causes: tuple[Cause, ...] = ()

    @property
    def code(self) -> Code:
        """Why a model that is not local may not serve."""
        if self.remote_denied and not self.restricted:
            return Code.MODEL_NOT_ALLOWED
        return Code.SECRET_DETECTED if self.secret else Code.RESTRICTED_CONTENT


_OPEN = Floor(local=False, remote_denied=False, restricted=False, only_models=(), reasons=(), withheld={})


def floor(guard: Guard, phase: Phase, context: PhaseContext, context_tokens: int) -> Floor:
    """Joins what policy, paths, content and binding rules demand of one phase."""
    reasons: list[str] = []
    withheld: dict[int, str] = {}
    causes: list[Cause] = []
    restricted = False
    for path in context.paths:
        if path.required and (why := judge(guard, path.forms or (path.path,))):
            reasons.append(f"`{path.path}` is {why}")
            causes.append(caused(path.path, why))
            restricted = True
    for place, item in enumerate(context.items):
        why = _why_restricted(guard, item)
        if why and item.required:
            restricted = True
            reasons.append(f"`{item.path}` is {why}")
            causes.append(cause_of(item, why))
        if why:
            withheld[place] = why
    secret = _secret(context, reasons, withheld, causes)
    bound, kept = _kept_turns(context, reasons, withheld, causes)
    local_rules: tuple[str, ...] = ()
    only: tuple[PlacedRule, ...] = ()
    if guard.bindings:
        local_rules, only = _bind(guard, phase, context, context_tokens)
        reasons.extend(f"rule `{shown(name)}` is local_only" for name in local_rules)
        causes.extend(caused(f"rule `{shown(name)}`", "local_only", "local") for name in local_rules)
        by_rules = _withheld_by_rules(guard, phase, context, context_tokens, withheld)
        withheld.update(by_rules)
        kept |= by_rules.keys()
    denied = guard.remote_mode is Grant.DENY
    if denied:
        reasons.append('the policy says `[privacy.remote] mode = "deny"`')
    if not reasons and not withheld and not only:
        return _OPEN
    return Floor(
        local=restricted or secret or bound or bool(local_rules) or denied,
        remote_denied=denied,
        restricted=restricted or secret,
        only_models=_targets(only),
        reasons=tuple(dict.fromkeys(reasons)),
        withheld=withheld,
        bound=bound or bool(local_rules),
        kept=frozenset(kept),
        own_models=_targets([placed for placed in only if placed.trusted]),
        secret=secret and not restricted,
        causes=tuple(dict.fromkeys(causes)),
    )


def caused(name: str, why: str, label: Label = "restricted") -> Cause:
    """A first cause: what it is called and why it labels what is made from it."""
    return Cause(label, (Link(name=redacted(name), reason=why),))


def cause_of(item: ContextItem, why: str, label: Label = "restricted") -> Cause:
    """An item as a cause. Of an earlier answer the way goes on to where its own label comes from.

    Args:
        item: the item.
        why: that labels it by itself.
        label: that of what is made from it.
    """
    if item.derived == label:
        return Cause(label, (Link(name=item.path), *item.origin))
    return caused(item.path, why, label)


def _why_restricted(guard: Guard, item: ContextItem) -> str | None:
    if item.restricted:
        return f"restricted by `{item.restricted}`"
    if item.derived == "restricted":
        return f"restricted <- {told_origin(item.origin)}"
    return judge(guard, item.forms)


def _kept_turns(
    context: PhaseContext, reasons: list[str], withheld: dict[int, str], causes: list[Cause]
) -> tuple[bool, set[int]]:
    """Whether an earlier answer that a rule keeps here is required, and the places of those that only a rule keeps."""
    kept: set[int] = set()
    bound = False
    for place, item in enumerate(context.items):
        if item.derived != "local" or place in withheld:
            continue
        kept.add(place)
        withheld[place] = f"kept local <- {told_origin(item.origin)}"
        if item.required:
            bound = True
            reasons.append(f"`{item.path}` is {withheld[place]}")
            causes.append(cause_of(item, withheld[place], "local"))
    return bound, kept


def _secret(context: PhaseContext, reasons: list[str], withheld: dict[int, str], causes: list[Cause]) -> bool:
    """Whether words, names or required items hold a secret; each item that does is withheld."""
    if context.secrets:
        reasons.append(f"the task {told(context.secrets)}")
        causes.append(caused("the words of the task", told(context.secrets)))
    found = bool(context.secrets)
    for place, item in enumerate(context.items):
        if not item.secrets:
            continue
        withheld.setdefault(place, told(item.secrets))
        if item.required:
            found = True
            reasons.append(f"`{redacted(item.path)}` {told(item.secrets)}")
            causes.append(caused(item.path, told(item.secrets)))
    return found


def _targets(rules: Sequence[PlacedRule]) -> tuple[tuple[str, ...], ...]:
    return tuple(placed.rule.only_models for placed in rules if placed.rule.only_models is not None)


def judge(guard: Guard, forms: Sequence[str]) -> str | None:
    """Why a path in any of its forms may not leave the machine; None where it may."""
    for form in forms:
        if guard.restricted.hits(form):
            return f"restricted by `{shown(guard.restricted.first(form) or '')}`"
        if guard.blocked.hits(form):
            return f"blocked for remote models by `{shown(guard.blocked.first(form) or '')}`"
    return None


def _intents(phase: Phase) -> list[Intent]:
    """The intents that hold for binding.

    A guess never opens a door, so an unsure reading counts twice; nor does a word of the call or a policy's rule about
    words, so that what the built-in reader sees counts beside them.
    """
    reading = phase.intent
    unsure = [] if reading.confidence is Confidence.HIGH or reading.runner_up is None else [reading.runner_up]
    return [reading.name, *unsure, *phase.binding]


def _holding(guard: Guard, phase: Phase, paths: Sequence[str], tokens: int) -> Iterator[PlacedRule]:
    seen: set[int] = set()
    for name in _intents(phase):
        request = request_for(name, phase.skill, paths, tokens)
        for position in guard.ranking.matches(request):
            if position not in seen:
                seen.add(position)
                yield guard.bindings[position]


def _bind(
    guard: Guard, phase: Phase, context: PhaseContext, tokens: int
) -> tuple[tuple[str, ...], tuple[PlacedRule, ...]]:
    """Names of local_only rules, and rules with only_models, that bind the whole phase."""
    forms = [form for path in context.paths if path.required for form in path.forms or (path.path,)]
    forms += [form for item in context.items if item.required for form in item.forms]
    local: list[str] = []
    only: list[PlacedRule] = []
    for placed in _holding(guard, phase, forms, tokens):
        if placed.rule.local_only:
            local.append(placed.rule.name)
        if placed.rule.only_models is not None:
            only.append(placed)
    return tuple(local), tuple(only)


def _withheld_by_rules(
    guard: Guard, phase: Phase, context: PhaseContext, tokens: int, known: dict[int, str]
) -> dict[int, str]:
    found: dict[int, str] = {}
    for place, item in enumerate(context.items):
        if item.required or place in known or not item.forms:
            continue
        rule = _dropping(guard, phase, item.forms, tokens)
        if rule:
            found[place] = f"kept local by rule `{shown(rule)}`"
    return found


def bound_by(
    guard: Guard, phase: Phase, forms: Sequence[str], tokens: int
) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...]]:
    """Names of local_only rules, and lists of only_models, that bind a phase because of paths it is made from."""
    holding = tuple(_holding(guard, phase, forms, tokens)) if guard.bindings and forms else ()
    return tuple(placed.rule.name for placed in holding if placed.rule.local_only), _targets(holding)


def _dropping(guard: Guard, phase: Phase, forms: Sequence[str], tokens: int) -> str | None:
    for placed in _holding(guard, phase, forms, tokens):
        if placed.rule.paths is not None or placed.rule.languages is not None:
            return placed.rule.name
    return None


class Sight(NamedTuple):
    """Why a file that a delegate asks to see is not for a remote one.

    Attributes:
        kept: nothing but a rule keeps it here: what is made from it may be shown to the host.
    """

    reason: str
    kept: bool = False


def sight(guard: Guard, phase: Phase, forms: Sequence[str], tokens: int) -> Sight | None:
    """Judges a path in all of its forms as an item that the phase could do without; None where it is free."""
    why = judge(guard, forms)
    if why:
        return Sight(why)
    rule = _dropping(guard, phase, forms, tokens) if guard.bindings else None
    return Sight(f"kept local by rule `{shown(rule)}`", kept=True) if rule else None
