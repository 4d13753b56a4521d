"""The policy file as a value: one `PolicyDocument` per TOML file, its shape and its own words for what is wrong.

Field names are the TOML keys. Nothing here reads a file or knows a second layer: `layering` joins documents.
"""

import json
import re
from collections.abc import Iterable
from typing import Annotated, Literal

from pydantic import Field, StrictBool, StrictInt, StrictStr

from smista_mcp.core.endpoints import Address, CommandPath, ProviderType, SecretRef, VariableNames
from smista_mcp.core.policywords import (
    MAX_BUDGETS,
    MAX_ENTRIES,
    ClassName,
    Count,
    EffortTokens,
    EffortWord,
    Fingerprint,
    Function,
    Globs,
    Intents,
    MaskRules,
    Model,
    Money,
    Names,
    Patterns,
    Priority,
    Prose,
    Scope,
    Seconds,
    Target,
    Targets,
    Text,
    Words,
)
from smista_mcp.core.values import ContextKind, Effort, Grant, Intent, Locality, Value

DEFAULT_PRIORITY = 1000
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)


def dotted(path: Iterable[str | int]) -> str:
    """The dotted key of a path, as findings write it: `routing.rules[2].priority`, `catalog."ollama/x".same_as`."""
    text = ""
    for part in path:
        if isinstance(part, int):
            text += f"[{part}]"
            continue
        name = part if _BARE_KEY.match(part) else json.dumps(part, ensure_ascii=False)
        text += f".{name}" if text else name
    return text


PERMISSIONS = ("file_read", "git", "file_write", "shell", "network")
Capability = Literal["tools", "vision", "reasoning", "json"]


class Permissions(Value):
    """What the delegate may do. `shell` and `network` are denied whatever stands here."""

    file_read: Grant | None = None
    git: Grant | None = None
    file_write: Grant | None = None
    shell: Grant | None = None
    network: Grant | None = None


class ToolsSection(Value):
    permissions: Permissions = Permissions.model_construct()


class ClassificationRule(Value):
    """Tried before the built-in reader: every condition given must hold, any value of a list suffices."""

    intent: Intent
    priority: Priority = DEFAULT_PRIORITY
    keywords: Words = ()
    requires_any_context: Annotated[tuple[ContextKind, ...], Field(max_length=100)] = ()


class ClassificationSection(Value):
    rules: Annotated[tuple[ClassificationRule, ...], Field(max_length=MAX_ENTRIES)] = ()


EscalationCause = Literal["empty_completion", "patch_does_not_apply", "length", "refusal"]
"""What proves that a model was not able to do it."""


class Escalation(Value):
    """Who is asked after a model that provably failed."""

    on: Annotated[tuple[EscalationCause, ...], Field(min_length=1, max_length=10)]
    to: Target


class Rule(Value):
    """One routing rule: conditions (all must hold) and the route that they lead to."""

    name: Text
    priority: Priority = DEFAULT_PRIORITY
    # conditions
    intent: Intents | None = None
    skill: Names | None = None
    paths: Annotated[Globs, Field(min_length=1)] | None = None
    languages: Names | None = None
    min_paths: Annotated[Count, Field(ge=1)] | None = None
    min_context_tokens: Annotated[Count, Field(ge=1)] | None = None
    # what binds every phase that the conditions match, whether or not the rule wins
    local_only: StrictBool = False
    only_models: Annotated[Targets, Field(min_length=1)] | None = None
    # the route
    model: Target
    fallbacks: Targets = ()
    effort: Effort | None = None
    requires_capabilities: dict[Capability, StrictBool] = {}
    required_permissions: ToolsSection = ToolsSection.model_construct()
    cost_limit: Money | None = None
    deadline_s: Seconds | None = None
    escalate: Escalation | None = None
    overridable: StrictBool = False
    """In the organisation's file alone: whether a call's own model may win over this rule."""

    @property
    def targets(self) -> tuple[str, ...]:
        """Everything that it may lead to."""
        return (self.model, *self.fallbacks, *((self.escalate.to,) if self.escalate else ()))


class DefaultRoute(Value):
    model: Target
    fallbacks: Targets = ()
    effort: Effort | None = None


class AdaptiveSection(Value):
    """Whether evidence may put a weak model of a route behind a better one of the same route."""

    enabled: StrictBool | None = None
    min_attempts: Annotated[StrictInt, Field(ge=1, le=100_000)] | None = None
    window_days: Annotated[StrictInt, Field(ge=1, le=3650)] | None = None


class RoutingSection(Value):
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_ENTRIES)] = ()
    default: DefaultRoute | None = None
    overrides: Literal["allow", "within_route", "deny"] | None = None
    handoff: Literal["when_unavailable", "never"] | None = None
    adaptive: AdaptiveSection = AdaptiveSection()


class ClassDefinition(Value):
    models: Annotated[Targets, Field(min_length=1)]
    order: Literal["listed", "cheapest"] = "listed"


class ModelsSection(Value):
    """Patterns on model names: `*` crosses `/`, case does not count."""

    allowed: Patterns | None = None
    denied: Patterns = ()


class RemoteSection(Value):
    mode: Grant | None = None
    blocked_paths: Globs = ()


class PrivacySection(Value):
    restricted_paths: Globs | None = None
    free_paths: Globs = ()
    host_answers: Literal["file", "ask", "return"] | None = None
    remote: RemoteSection = RemoteSection.model_construct()


class SecretsSection(Value):
    """What the scan takes for a secret and is none, by the fingerprint that a finding names."""

    allow: Annotated[tuple[Fingerprint, ...], Field(max_length=MAX_ENTRIES)] = ()


class Budget(Value):
    scope: Scope
    period: Literal["task", "day", "month"]
    limit: Money


class DispatchSection(Value):
    deadline_s: Seconds | None = None
    first_byte_s: Seconds | None = None
    idle_s: Seconds | None = None
    max_retries: Annotated[StrictInt, Field(ge=0, le=5)] | None = None
    on_uncertain: Literal["continue", "stop"] | None = None


class ProviderDocument(Value):
    """`[providers.NAME]`; NAME is a built-in one, `openai-compat:ANY`, `protocol:ANY`, or `cli:` and a CLI's name."""

    base_url: Address | None = None
    locality: Locality | None = None
    api_key: SecretRef | None = None
    allow_plain_lan: StrictBool = False
    models_dir: Annotated[StrictStr, Field(min_length=1, max_length=4096)] | None = None
    type: ProviderType | None = None
    command: CommandPath | None = None
    variables: VariableNames = ()
    unmediated: StrictBool = False
    prompt_caching: StrictBool | None = None


class HostDocument(Value):
    """`[hosts.NAME]`; NAME as decisions have it, `unknown` for any other host."""

    locality: Locality | None = None
    call_limit_s: Seconds | None = None
    model: Model | None = None


class CatalogEntry(Value):
    """`[catalog."provider/model"]`: facts that replace what the built-in catalog says. Prices: USD a million tokens."""

    same_as: Model | None = None
    context_window: Annotated[StrictInt, Field(ge=256, le=100_000_000)] | None = None
    max_output_tokens: Annotated[StrictInt, Field(ge=1, le=100_000_000)] | None = None
    input_price: Money | None = None
    cached_input_price: Money | None = None
    cache_write_price: Money | None = None
    output_price: Money | None = None
    price_kind: Literal["list", "plan"] | None = None
    capabilities: dict[Capability, StrictBool] = {}
    effort: dict[Effort, EffortWord | EffortTokens] = {}


class PluginsSection(Value):
    """Functions of installed packages that a decision asks; `core.plugin` has what they are told and may answer."""

    select: Function | None = None


class LedgerSection(Value):
    """How long the record is kept, totals by day apart, and what an export of it does not say."""

    keep_days: Annotated[StrictInt, Field(ge=1, le=36_500)] | None = None
    mask: MaskRules = ()


class TestTask(Value):
    """The task of a `[[test]]`: that of a call, with what it finds in place of a workspace.

    `context_tokens` is how much context must go along, besides the text.
    """

    __test__ = False

    text: Prose
    intent: Intent | None = None
    skill: Text | None = None
    paths: Annotated[tuple[Text, ...], Field(max_length=MAX_ENTRIES)] = ()
    model: Text | None = None
    effort: Effort | None = None
    context: tuple[ContextKind, ...] = ()
    context_tokens: Count = 0


class Expectation(Value):
    """What must come out. `phase` is which phase is asked, from 0; `rule = "default"` means the default route.

    `max_cost` is met by an estimate whose upper end is at most so much, USD; `excluded` lists every path that stays.
    """

    phase: Annotated[StrictInt, Field(ge=0)] = 0
    intent: Intent | None = None
    rule: Text | None = None
    model: Text | None = None
    resolved_model: Text | None = None
    locality: Locality | None = None
    effort: Effort | None = None
    status: Literal["routed", "refused", "approval_required", "handoff"] | None = None
    code: Text | None = None
    max_cost: Money | None = None
    excluded: tuple[Text, ...] | None = None


class PolicyTest(Value):
    __test__ = False

    name: Text
    task: TestTask
    expect: Expectation


class PolicyDocument(Value):
    """One policy file. `locked` stands in the organisation's file alone: dotted keys, `*` for one part of them."""

    preset: Text | None = None
    locked: Patterns = ()
    classification: ClassificationSection = ClassificationSection.model_construct()
    routing: RoutingSection = RoutingSection.model_construct()
    classes: dict[ClassName, ClassDefinition] = {}
    models: ModelsSection = ModelsSection.model_construct()
    privacy: PrivacySection = PrivacySection.model_construct()
    secrets: SecretsSection = SecretsSection.model_construct()
    tools: ToolsSection = ToolsSection.model_construct()
    budgets: Annotated[tuple[Budget, ...], Field(max_length=MAX_BUDGETS)] = ()
    dispatch: DispatchSection = DispatchSection.model_construct()
    providers: dict[str, ProviderDocument] = {}
    hosts: dict[str, HostDocument] = {}
    catalog: dict[Model, CatalogEntry] = {}
    plugins: PluginsSection = PluginsSection.model_construct()
    ledger: LedgerSection = LedgerSection.model_construct()
    test: Annotated[tuple[PolicyTest, ...], Field(max_length=MAX_ENTRIES)] = ()
