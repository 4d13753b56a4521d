"""What one phase asks for, what there is to choose from, and a model that may serve."""

from collections.abc import Mapping
from decimal import Decimal
from typing import NamedTuple

from smista_mcp.core.catalog import Catalog, ModelFacts
from smista_mcp.core.decision import ContextReport, CostRange
from smista_mcp.core.effective import Policy
from smista_mcp.core.facts import BudgetLeft, HostFacts, PhaseContext, ProviderFacts
from smista_mcp.core.floor import Floor
from smista_mcp.core.policy import Capability
from smista_mcp.core.values import Effort, Intent, Locality


class Ask(NamedTuple):
    """What one phase asks of a candidate.

    Attributes:
        written: targets in order, as the rule, the default route or the call names them.
        text_tokens: tokens of the words themselves, counted with factor 1.
        cost_limit: USD; None where the rule sets none.
        of_organisation: whether the organisation's own rule or default route names the targets.
        tools: those that the phase offers to a model that can call any.
        follows: how many earlier phases it waits for, whose answers go along.
        patches: whether a change is asked for as a patch.
        named: whether the call names the target itself.
    """

    intent: Intent
    effort: Effort
    written: tuple[str, ...]
    capabilities: Mapping[Capability, bool]
    text_tokens: int
    context: PhaseContext
    floor: Floor
    cost_limit: Decimal | None
    budgets: tuple[BudgetLeft, ...]
    of_organisation: bool = False
    tools: tuple[str, ...] = ()
    follows: int = 0
    patches: bool = False
    named: bool = False


class Market(NamedTuple):
    """What there is to choose from. `readable`: there is a workspace whose files may be read."""

    policy: Policy
    catalog: Catalog
    providers: Mapping[str, ProviderFacts]
    host: HostFacts
    readable: bool = False


class Candidate(NamedTuple):
    """An accepted model. `tools` are those that it may look around with."""

    written: str
    resolved: str
    provider: str
    locality: Locality
    facts: ModelFacts
    window: int
    cost: CostRange | None
    tokens: int
    context: ContextReport
    included: tuple[int, ...]
    needs_approval: bool
    tools: tuple[str, ...] = ()
