"""`models`: what the policy's routes and classes name, and what the servers of this machine have."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from smista_mcp.app import App
from smista_mcp.app.availability import named_models
from smista_mcp.cli.failures import DONE
from smista_mcp.cli.inputs import opened
from smista_mcp.cli.parser import Options
from smista_mcp.cli.printing import one_line, put, put_json, put_notices, put_table
from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.costing import plain
from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.facts import LiveModel, ProviderFacts
from smista_mcp.core.livemodels import LiveAnswer, live_model, locality_of
from smista_mcp.core.modelref import ModelRef
from smista_mcp.core.values import Locality


@dataclass(frozen=True, slots=True)
class Listed:
    """One model: what the policy calls it, what the catalog and its server say."""

    written: ModelRef
    spec: ProviderSpec
    provider: ProviderFacts
    facts: ModelFacts
    live: LiveModel | None
    refusal: str | None

    @property
    def locality(self) -> Locality:
        return locality_of(
            self.written, self.spec.kind, LiveAnswer(self.facts.ref.model, self.live), self.spec.locality
        )

    @property
    def window(self) -> int | None:
        return (self.live and self.live.context_window) or self.facts.context_window

    @property
    def capabilities(self) -> dict[str, bool]:
        if self.live is not None and self.live.capabilities is not None:
            return dict.fromkeys(sorted(self.live.capabilities), True)
        return dict(self.facts.capabilities)

    @property
    def problem(self) -> str | None:
        """Why it cannot serve now; None where nothing is known against it."""
        if not self.provider.credentials:
            return f"no key: set {self.spec.key_variable}" if self.spec.key_variable else "it asks for a key"
        if self.provider.reachable is False:
            return self.provider.detail or "does not answer"
        return self.refusal


def models(options: Options) -> int:
    """Prints the models, and where the state lies."""
    app = opened(options)
    policy = app.world.book().policy
    found = tuple(listed(app))
    writable = app.world.ledger() is not None
    if options.json:
        state = {"folder": str(app.world.state), "writable": writable}
        put_json({"models": [_json(one) for one in found], "state": state, "notices": list(policy.notices)})
        return DONE
    header = ("model", "stands for", "runs", "window", "USD in", "USD out", "can", "now")
    put_table([header, *map(_row, found)])
    put("", "prices are USD a million tokens")
    put(f"state: {one_line(str(app.world.state))} ({'writable' if writable else 'cannot be used'})")
    put_notices(policy.notices)
    return DONE


def listed(app: App) -> Iterator[Listed]:
    """The models by provider; local servers are asked, remote ones are not."""
    world = app.world
    policy = world.book().policy
    named = named_models(policy, None)
    for name, spec in policy.providers.items():
        if spec.locality is Locality.LOCAL:
            named.setdefault(name, set())
    there = world.available(policy, named)
    catalog = world.catalog(policy)
    for name in sorted(named):
        spec, provider = policy.providers[name], there[name]
        for model in sorted(_with_live(named[name], spec, provider)):
            written = ModelRef(name, model)
            answer = live_model(written, spec.kind, provider)
            facts = catalog.facts(ModelRef(name, answer.name), spec.kind, spec.locality)
            yield Listed(written, spec, provider, facts, answer.model, answer.refusal)


def _with_live(named: set[str], spec: ProviderSpec, provider: ProviderFacts) -> set[str]:
    """The named models and those that a server has besides."""
    meant = {live_model(ModelRef(spec.name, model), spec.kind, provider).name for model in named}
    there: Mapping[str, LiveModel] = provider.models or {}
    return named | (set(there) - meant)


def _prices(facts: ModelFacts) -> tuple[str | None, str | None]:
    """USD a million tokens, input and output; None where they are unknown."""
    if facts.price is None:
        return None, None
    return plain(facts.price.input.base), plain(facts.price.output.base)


def _row(one: Listed) -> tuple[str, ...]:
    given, output = _prices(one.facts)
    able = [name for name, has in one.capabilities.items() if has]
    return (
        str(one.written),
        "=" if str(one.facts.ref) == str(one.written) else str(one.facts.ref),
        one.locality,
        str(one.window or "unknown"),
        given or "unknown",
        output or "unknown",
        ", ".join(able) or "unknown",
        one.problem or ("ready" if one.provider.reachable else "has its key"),
    )


def _json(one: Listed) -> dict[str, object]:
    given, output = _prices(one.facts)
    return {
        "name": str(one.written),
        "resolved": str(one.facts.ref),
        "provider": one.spec.name,
        "known": one.facts.known,
        "nearest": list(one.facts.nearest),
        "locality": one.locality.value,
        "context_window": one.window,
        "input_price": given,
        "output_price": output,
        "price_kind": one.facts.price_kind,
        "price_source": one.facts.source,
        "capabilities": one.capabilities,
        "reachable": one.provider.reachable,
        "credentials": one.provider.credentials,
        "problem": one.problem,
    }
