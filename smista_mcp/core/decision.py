"""The answer of `route`, as it is printed, recorded and replayed."""

from typing import Annotated, Literal

from pydantic import AliasChoices, Field

from smista_mcp.core.task import IntentReading
from smista_mcp.core.values import Effort, Grant, Layer, Locality, Status, Value
from smista_mcp.errors import Code

ClassName = Annotated[
    str, Field(serialization_alias="class", validation_alias=AliasChoices("class", "capability_class"))
]
"""A capability class; `class` in JSON, where Python has a keyword."""
PriceKind = Literal["list", "plan", "local"]


class MatchedRule(Value):
    name: str
    layer: Layer


UNDECLARED = "no provider "
"""How the detail begins where nobody declares the provider of a model."""


class Rejected(Value):
    """A candidate that may not serve, with the first reason found."""

    model: str
    code: Code
    detail: str

    @property
    def undeclared(self) -> bool:
        """Whether nobody declares its provider; the detail says what to write."""
        return self.code is Code.UNKNOWN_MODEL and self.detail.startswith(UNDECLARED)


class ContextEntry(Value):
    path: str
    kind: str
    tokens: int | None
    reason: str


def context_entry(path: str, kind: str, tokens: int | None, reason: str) -> ContextEntry:
    """An entry whose names can be printed: bytes of a file name that are not UTF-8 are shown escaped."""
    if not (path.isascii() and reason.isascii()):
        path, reason = (text.encode("utf-8", "backslashreplace").decode() for text in (path, reason))
    return ContextEntry.model_construct(path=path, kind=kind, tokens=tokens, reason=reason)


class ContextReport(Value):
    included: tuple[ContextEntry, ...] = ()
    excluded: tuple[ContextEntry, ...] = ()


class CostRange(Value):
    """What the phase will cost: USD as decimal strings.

    Attributes:
        kind: `list` price, `plan` (a subscription pays: marginal 0) or `local` (0). An unknown price has no range.
        source: where the price comes from, with its version.
    """

    min: str
    max: str
    currency: Literal["USD"] = "USD"
    kind: PriceKind
    source: str


class EscalationReport(Value):
    """Who is asked if the model provably fails, apart from the decision's own candidates and cost.

    Attributes:
        on: what counts as such a failure.
        models: in order; none where each of them is rejected, or is asked anyway.
        cost: of the first, beside what the failed model will have cost; None where the price is unknown.
    """

    on: tuple[str, ...]
    models: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    cost: CostRange | None


class Handoff(Value):
    """What the host does itself. `step` is None where this host cannot switch models."""

    prompt: str
    capability_class: ClassName
    intent: str
    effort: Effort
    context: tuple[str, ...]
    step: str | None
    detail: str


class Decision(Value):
    """The whole answer for one phase, refusal included. Field names are stable; see the tool reference.

    `tokens` is the estimated input; `cost` is None where the price is unknown; `inputs` holds one hash for each input
    of the decision, and `decision_id` is the SHA-256 over them. `tools` are those that the model may look around with.
    `away` are the models on other machines that may be asked without a person's yes, the one selected, fallbacks and
    those escalated to; it is for whoever asks before that, and is printed nowhere.
    """

    decision_id: str
    revision: str
    phase: int
    depends_on: tuple[int, ...]
    intent: IntentReading
    capability_class: ClassName
    status: Status
    code: Code | None
    model: str | None
    resolved_model: str | None
    effort: Effort
    locality: Locality | None
    matched_rule: MatchedRule | None
    reason: str
    fallbacks: tuple[str, ...]
    rejected: tuple[Rejected, ...]
    context: ContextReport
    tokens: int
    cost: CostRange | None
    permissions: dict[str, Grant]
    host: str
    fallback_used: bool
    override_used: bool
    recorded: bool
    inputs: dict[str, str]
    tools: tuple[str, ...] = ()
    escalation: EscalationReport | None = None
    handoff: Handoff | None = None
    away: tuple[str, ...] = Field(default=(), exclude=True)
