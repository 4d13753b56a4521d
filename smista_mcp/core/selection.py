"""From a route to candidates: each model considered is accepted, or rejected with a code and a reason."""

import math
from collections.abc import Iterator, Sequence
from decimal import Decimal
from typing import NamedTuple

from smista_mcp.core.candidates import Ask, Candidate, Market
from smista_mcp.core.capabilities import has
from smista_mcp.core.catalog import LOCAL_KINDS, ModelFacts
from smista_mcp.core.clis import behind_cli, open_because
from smista_mcp.core.costing import expected_output_tokens, price_range
from smista_mcp.core.decision import UNDECLARED, CostRange, Rejected
from smista_mcp.core.estimating import afforded
from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.fitting import Fitted, fit, for_host
from smista_mcp.core.headless import CLI_KIND
from smista_mcp.core.livemodels import LiveAnswer, live_model, locality_of
from smista_mcp.core.modelref import (
    CURRENT,
    HOST,
    LOCAL_CLASS,
    ClassRef,
    ModelRef,
    is_forwarded_name,
    is_listed_name,
    parse_target,
)
from smista_mcp.core.permitted import Permits
from smista_mcp.core.readtools import TOOLS_TOKENS
from smista_mcp.core.values import Grant, Locality
from smista_mcp.errors import Code

CAUTIOUS_WINDOW = 8192
"""Tokens assumed to fit where nobody says how large a model's window is."""
OUTPUT_ROOM = 256
"""Tokens that must be left for an answer."""


class Selection(NamedTuple):
    """All verdicts.

    Attributes:
        over_limit: candidates that only the rule's cost limit stands against.
        fell_back: whether a target before the first accepted one was rejected.
    """

    accepted: tuple[Candidate, ...]
    rejected: tuple[Rejected, ...]
    over_limit: tuple[Candidate, ...] = ()
    fell_back: bool = False


class _No(Exception):
    def __init__(self, code: Code, detail: str) -> None:
        super().__init__(detail)
        self.code = code
        self.detail = detail


def select(ask: Ask, market: Market) -> Selection:
    """Judges every target in order. Pure; the first reason found is the one told."""
    accepted: list[Candidate] = []
    rejected: list[Rejected] = []
    over_limit: list[Candidate] = []
    fell_back = False
    seen: set[str] = set()
    pinned = ask.written if ask.of_organisation else ()
    permits = Permits(market.policy, market.catalog, ask.floor.only_models, pinned)
    for written in _expanded(ask, market, rejected):
        if written in seen:
            continue
        seen.add(written)
        try:
            candidate = _judged(written, ask, market, permits)
        except _No as no:
            rejected.append(Rejected(model=written, code=no.code, detail=no.detail))
            continue
        candidate, refused = afforded(candidate, ask, market)
        if refused is None:
            fell_back = fell_back or (not accepted and bool(rejected))
            accepted.append(candidate)
            continue
        rejected.append(refused)
        if refused.code is Code.COST_LIMIT_EXCEEDED:
            over_limit.append(candidate)
    return Selection(tuple(accepted), tuple(rejected), tuple(over_limit), fell_back)


def select_confirmed(ask: Ask, market: Market) -> Selection | None:
    """The verdicts as they were without the files that nobody has confirmed; None where there are no such files."""
    confirmed = market.policy.confirmed
    if confirmed is None:
        return None
    known = {(budget.scope, budget.period, budget.limit) for budget in confirmed.budgets}
    budgets = tuple(b for b in ask.budgets if (b.scope, b.period, Decimal(b.limit)) in known)
    policy = market.policy._replace(allowed=confirmed.allowed, denied=confirmed.denied)
    own = ask._replace(floor=ask.floor._replace(only_models=ask.floor.own_models), budgets=budgets)
    return select(own, market._replace(policy=policy))


def _expanded(ask: Ask, market: Market, rejected: list[Rejected]) -> Iterator[str]:
    """The targets with every class replaced by its models, in its order."""
    for written in ask.written:
        target = parse_target(written)
        if isinstance(target, ModelRef):
            yield written
            continue
        definition = market.policy.classes.get(target.name)
        if definition is not None:
            yield from definition.models if definition.order == "listed" else _cheapest(definition.models, ask, market)
        elif target.name == LOCAL_CLASS:
            yield from _local_models(ask, market, rejected)
        else:
            rejected.append(
                Rejected(model=written, code=Code.UNKNOWN_MODEL, detail=f"no layer defines `[classes.{target.name}]`")
            )


def _local_models(ask: Ask, market: Market, rejected: list[Rejected]) -> Iterator[str]:
    found = False
    for name, provider in sorted(market.providers.items()):
        spec = market.policy.providers.get(name)
        if spec is not None and spec.locality is Locality.LOCAL and provider.reachable and name != "llamacpp":
            for model, facts in sorted((provider.models or {}).items()):
                if is_listed_name(model) and not facts.forwards and not is_forwarded_name(model):
                    found = True
                    yield f"{name}/{model}"
    if not found:
        rejected.append(
            Rejected(
                model=f"class:{LOCAL_CLASS}",
                code=Code.PROVIDER_UNAVAILABLE,
                detail="no local model server answers on this machine",
            )
        )


def _cheapest(models: Sequence[str], ask: Ask, market: Market) -> list[str]:
    """By the upper end of the price range; unknown prices last, ties as listed."""

    def price(written: str) -> tuple[bool, Decimal]:
        target = parse_target(written)
        if isinstance(target, ClassRef) or target.provider == HOST or target.provider not in market.policy.providers:
            return True, Decimal(0)
        spec = market.policy.providers[target.provider]
        facts = market.catalog.facts(target, spec.kind, spec.locality)
        cost = _cost(facts, ask, _needed(ask.text_tokens, facts))
        return cost is None, Decimal(cost.max) if cost else Decimal(0)

    return sorted(models, key=price)


def _needed(tokens: int, facts: ModelFacts) -> int:
    return math.ceil(tokens * facts.token_factor)


def _cost(facts: ModelFacts, ask: Ask, tokens: int) -> CostRange | None:
    """By what classes that are tried `cheapest` first are ordered: the words once, and an answer."""
    expected = expected_output_tokens(ask.intent, ask.effort)
    return price_range(facts, input_tokens=tokens, expected_output=expected, attempts=1)


def _tools(facts: ModelFacts, live: LiveAnswer, ask: Ask, market: Market, *, asks: bool) -> tuple[str, ...]:
    """The tools of a candidate. Who is asked whether these files may leave is not asked about others: then none."""
    return ask.tools if ask.tools and market.readable and not asks and has(facts, live, "tools") else ()


def _judged(written: str, ask: Ask, market: Market, permits: Permits) -> Candidate:
    target = parse_target(written)
    if isinstance(target, ClassRef):
        raise _No(Code.UNKNOWN_MODEL, "a class cannot stand inside a class; name its models")
    if target.provider == HOST:
        return _host_candidate(written, target, ask, market, permits)
    spec = market.policy.providers.get(target.provider)
    if spec is None:
        raise _No(
            Code.UNKNOWN_MODEL,
            f"{UNDECLARED}`{target.provider}` is declared; add `[providers.{_key(target.provider)}]`",
        )
    provider = market.providers.get(target.provider) or ProviderFacts(locality=spec.locality)
    live = live_model(target, spec.kind, provider)
    named = ModelRef(target.provider, live.name)
    locality = locality_of(target, spec.kind, live, spec.locality)
    facts = market.catalog.facts(named, spec.kind, locality)
    if facts.ref != named:  # what goes to the wire decides where it runs, whatever stands for it
        at_wire = live_model(facts.ref, spec.kind, provider)
        if locality is Locality.LOCAL:
            locality = locality_of(facts.ref, spec.kind, at_wire, spec.locality)
            facts = market.catalog.facts(named, spec.kind, locality)
        live = at_wire if spec.kind in LOCAL_KINDS else live
    _check_names(permits.refusal(written, named, spec.kind))
    _check_floor(locality, ask)
    if spec.kind == CLI_KIND:
        if (why := open_because(provider, spec)) is not None:
            raise _No(Code.RESTRICTED_CONTENT, why)
        facts = behind_cli(facts, provider, spec)
    if live.refusal is not None:
        raise _No(Code.UNKNOWN_MODEL, live.refusal)
    _check_capabilities(facts, live, ask)
    window = (live.model and live.model.context_window) or facts.context_window or CAUTIOUS_WINDOW
    fitted = _fitted(ask, locality, facts, window)
    _check_provider(provider, spec.key_variable, target.provider)
    if spec.kind == "ollama" and locality is Locality.LOCAL:
        _check_listed(live, provider, target.provider)
    asks = locality is Locality.REMOTE and market.policy.remote_mode is Grant.ASK
    calls = spec.kind != CLI_KIND and fitted.spare >= _needed(TOOLS_TOKENS, facts)  # a CLI cannot call ours
    tools = _tools(facts, live, ask, market, asks=asks) if calls else ()
    return Candidate(
        written=written,
        resolved=str(facts.ref),
        provider=target.provider,
        locality=locality,
        facts=facts if spec.caches else facts._replace(cache=None),
        window=window,
        cost=None,
        tokens=fitted.tokens,
        context=fitted.report,
        included=fitted.included,
        needs_approval=asks,
        tools=tools,
    )


def _key(provider: str) -> str:
    return f'"{provider}"' if ":" in provider else provider


def _host_candidate(written: str, target: ModelRef, ask: Ask, market: Market, permits: Permits) -> Candidate:
    """`host/MODEL`: the host does it itself; we send nothing and know no price."""
    facts = ModelFacts(
        ref=target,
        known=False,
        context_window=None,
        max_output_tokens=None,
        capabilities={},
        price=None,
        price_kind="unknown",
        source="the host",
        nearest=(),
        token_factor=1.0,
    )
    _check_names(permits.refusal_of_host(written))
    _check_floor(market.host.locality, ask)
    offered = set(market.host.models.values())
    if offered and target.model not in offered | {CURRENT}:
        known = ", ".join(f"`host/{name}`" for name in sorted(offered | {CURRENT}))
        raise _No(Code.UNKNOWN_MODEL, f"{market.host.name} has no model `{target.model}`; it has {known}")
    context = for_host(ask.context, ask.floor.withheld if market.host.locality is Locality.REMOTE else {})
    return Candidate(
        written, written, HOST, market.host.locality, facts, 0, None, ask.text_tokens, context, (), needs_approval=False
    )


def _check_names(refusal: str | None) -> None:
    if refusal is not None:
        raise _No(Code.MODEL_NOT_ALLOWED, refusal)


def _check_floor(locality: Locality, ask: Ask) -> None:
    if locality is Locality.LOCAL or not ask.floor.local:
        return
    raise _No(
        ask.floor.code, f"not local, and this phase must stay on this machine: {'; '.join(ask.floor.reasons[:3])}"
    )


def _check_capabilities(facts: ModelFacts, live: LiveAnswer, ask: Ask) -> None:
    for name, wanted in ask.capabilities.items():
        able = has(facts, live, name)
        if wanted and not able:
            said = "does not have" if able is False else "is not known to have"
            entry = f'`capabilities = {{ {name} = true }}` under `[catalog."{facts.ref}"]`'
            raise _No(Code.MISSING_CAPABILITY, f"{said} `{name}`; if it does, write {entry}")


def _fitted(ask: Ask, locality: Locality, facts: ModelFacts, window: int) -> Fitted:
    withheld = ask.floor.withheld if locality is Locality.REMOTE else {}
    fitted = fit(ask.context, withheld, ask.text_tokens, facts.token_factor, window - OUTPUT_ROOM)
    if not fitted.fits:
        raise _No(
            Code.CONTEXT_WINDOW_EXCEEDED,
            f"needs {fitted.tokens} tokens, {OUTPUT_ROOM} for the answer and some for names; its window is {window}",
        )
    return fitted


def _check_provider(provider: ProviderFacts, variable: str | None, name: str) -> None:
    if not provider.credentials:
        where = f"set the variable {variable}" if variable else f"declare `api_key` under `[providers.{_key(name)}]`"
        raise _No(Code.MISSING_PROVIDER_CREDENTIALS, f"no key for `{name}`; {where}")
    if provider.cooldown:
        raise _No(Code.PROVIDER_COOLDOWN, f"`{name}` failed repeatedly and is left alone for a moment")
    if provider.reachable is False:
        raise _No(Code.PROVIDER_UNAVAILABLE, provider.detail or f"`{name}` does not answer")


def _check_listed(live: LiveAnswer, provider: ProviderFacts, name: str) -> None:
    """Refuses a model of which its server says nothing: Ollama passes some on to another machine."""
    if live.model is None and not provider.assumed:
        why = provider.detail or "was not asked for its models"
        raise _No(Code.PROVIDER_UNAVAILABLE, f"`{name}` {why}, so nobody knows whether this one runs here")
