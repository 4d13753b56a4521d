"""What a decision makes of a headless CLI: whether it may be asked at all, and what is known of a model behind it."""

from smista_mcp.core.catalog import ModelFacts
from smista_mcp.core.effective import ProviderSpec
from smista_mcp.core.facts import ProviderFacts
from smista_mcp.core.headless import headless_of, why_open


def open_because(provider: ProviderFacts, spec: ProviderSpec) -> str | None:
    """Why a CLI is no candidate: nothing keeps its own tools from reading. None where something does, or need not.

    The search for secrets is never off, so there is always something that must not leave: without `unmediated = true`
    a CLI that may look around by itself is never a candidate.
    """
    row = headless_of(spec.name)
    if row is None or spec.unmediated or provider.assumed or provider.reachable is False:
        return None  # what is not there is refused for that
    why = why_open(row, provider.cli.version if provider.cli else None)
    if why is None:
        return None
    return f'{why}; `unmediated = true` under `[providers."{spec.name}"]` would let it read whatever it likes'


def behind_cli(facts: ModelFacts, provider: ProviderFacts, spec: ProviderSpec) -> ModelFacts:
    """The facts of a model as its CLI offers it: how hard it can be told to work, and who pays."""
    row = headless_of(spec.name)
    facts = facts._replace(effort=row.efforts if row else {}, cache=None, bounded=False)
    if facts.price_kind == "unknown" and provider.cli is not None and provider.cli.plan:
        facts = facts._replace(price_kind="plan", source="the login of the CLI: a subscription pays")
    return facts
