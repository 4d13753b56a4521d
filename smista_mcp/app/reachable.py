"""Every provider that there is, declared or built in: where it is, whether it can serve now, and how it did lately."""

from collections.abc import Iterator
from datetime import datetime

from smista_mcp.app.availability import named_models
from smista_mcp.app.diagnosing.providers import providers_seen
from smista_mcp.app.world import World, utc_now
from smista_mcp.core.diagnosis.servers import ProviderSeen
from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.modelref import BUILTIN_PROVIDERS
from smista_mcp.core.policy import dotted
from smista_mcp.core.redaction import redacted
from smista_mcp.core.standing import CooldownReport, ProviderReport
from smista_mcp.core.values import Layer
from smista_mcp.dispatch.cooldown import FAILURES, REST_S
from smista_mcp.dispatch.reactions import LAW
from smista_mcp.errors import Cause
from smista_mcp.ledger import StoredAttempt

_LOOKED_AT = 50
"""Decisions, the newest, in which failures in a row are looked for."""
_CAUSES = {cause.value: cause for cause in Cause}


def standing(world: World) -> tuple[ProviderReport, ...]:
    """Every provider, by name. Local servers are asked what they have, remote ones are knocked at. Blocks.

    Raises:
        PolicyInvalid: the policy cannot be read.
    """
    policy = world.book().policy
    named = named_models(policy, None)
    lately = _failing(world)
    return tuple(
        _report(
            one,
            policy.providers[one.name],
            len(named.get(one.name, ())) if one.name in named else None,
            layer=origin.layer if (origin := policy.provenance.get(dotted(("providers", one.name)))) else Layer.BUILTIN,
            lately=lately.get(one.name),
        )
        for one in providers_seen(world, policy, every=True)
    )


def _report(
    one: ProviderSeen, spec: ProviderSpec, named: int | None, *, layer: Layer, lately: CooldownReport | None
) -> ProviderReport:
    return ProviderReport(
        name=one.name,
        protocol=spec.protocol or spec.kind,
        builtin=one.name in BUILTIN_PROVIDERS,
        layer=layer,
        address=None if one.address is None else redacted(one.address),
        locality=spec.locality,
        key_variable=one.key_variable,
        key_present=one.key_there if one.key_variable else None,
        reachable=one.reachable,
        problem=_problem(one),
        models=one.models,
        named_models=named,
        version=one.version,
        cooldown=lately,
    )


def _problem(one: ProviderSeen) -> str | None:
    if not one.key_there:
        return f"no key: set {one.key_variable}" if one.key_variable else "it asks for a key"
    if one.reachable is False:
        return redacted(one.detail) or "does not answer"
    return "; ".join(map(redacted, one.missing)) or None


def _failing(world: World) -> dict[str, CooldownReport]:
    """The providers whose newest attempts on record failed, each with how many did in a row."""
    ledger = world.ledger()
    if ledger is None:
        return {}
    counted: dict[str, int] = {}
    newest: dict[str, StoredAttempt] = {}
    closed: set[str] = set()
    for stored in ledger.history.decisions(None, _LOOKED_AT):
        for trace in reversed(ledger.traces_of(stored)):
            for attempt in _ended(trace.attempts):
                health = _health(attempt)
                if health == "up":
                    closed.add(attempt.provider)
                elif health == "down" and attempt.provider not in closed:
                    counted[attempt.provider] = counted.get(attempt.provider, 0) + 1
                    newest.setdefault(attempt.provider, attempt)
    now = utc_now()
    return {name: _cooldown(counted[name], attempt, now) for name, attempt in newest.items()}


def _ended(attempts: tuple[StoredAttempt, ...]) -> Iterator[StoredAttempt]:
    """Newest first."""
    return (one for one in reversed(attempts) if one.ended_at is not None)


def _health(attempt: StoredAttempt) -> str | None:
    if attempt.status == "completed":
        return "up"
    cause = _CAUSES.get(attempt.cause or "")
    return None if cause is None else LAW[cause].health


def _cooldown(failures: int, last: StoredAttempt, now: datetime) -> CooldownReport:
    ended = datetime.fromisoformat(last.ended_at or last.started_at)
    left = REST_S - (now - ended).total_seconds()
    return CooldownReport(
        failures=failures,
        last_at=last.ended_at or last.started_at,
        code=last.code,
        rests_s=round(left, 1) if failures >= FAILURES and left > 0 else 0.0,
    )
