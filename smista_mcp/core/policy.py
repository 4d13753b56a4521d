"""The policy file as a value: one `PolicyDocument` per TOML file, its shape and its own words for what is wrong.

Field names are the TOML keys. Nothing here reads a file or knows a second layer: `layering` joins documents.
Errors of our own carry the code of a finding (`invalid_glob`, `invalid_priority`, ...) as pydantic's error type.
"""

import json
import re
from collections.abc import Iterable
from decimal import Decimal
from typing import Annotated, Literal

from pydantic import AfterValidator, BeforeValidator, Field, StrictBool, StrictInt, StrictStr
from pydantic_core import PydanticCustomError

from smista_mcp.core.endpoints import Address, CommandPath, SecretRef, VariableNames
from smista_mcp.core.globs import refusal
from smista_mcp.core.modelref import HOST, ClassRef, parse_target
from smista_mcp.core.secretscan import FINGERPRINT
from smista_mcp.core.values import ContextKind, Effort, Grant, Intent, Locality, Value

DEFAULT_PRIORITY = 1000
MAX_PRIORITY = 1_000_000
MAX_SECONDS = 86_400
MAX_ENTRIES = 10_000
"""Rules, patterns of paths, words, cases of one file or list."""
MAX_MODELS = 1_000
"""Models, or patterns on their names, of one list."""
MAX_BUDGETS = 100
"""Each one is a question to the ledger, for every decision."""
_MONEY = r"[0-9]{1,12}(\.[0-9]{1,12})?\Z"
_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,99}\Z", re.ASCII)
_FUNCTION = re.compile(r"[A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*:[A-Za-z_]\w*\Z", re.ASCII)
_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+\Z", re.ASCII)
_ODD = r"\x00-\x1f\x7f-\x9f\u2028-\u202e\u2066-\u2069"
"""Control characters, line breaks, and what turns the direction of a text around."""
_ONE_LINE = rf"^[^{_ODD}]*[^\s{_ODD}][^{_ODD}]*$"
_ODD_CHARACTER = rf"[{_ODD}]"


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


def _many(value: object) -> object:
    return [value] if isinstance(value, str) else value


def _priority(value: object) -> int:
    if type(value) is not int or not 0 <= value <= MAX_PRIORITY:
        raise PydanticCustomError(
            "invalid_priority", "is not a whole number from 0 to 1000000; lower wins, for example `priority = 30`"
        )
    return value


def _money(value: object) -> Decimal:
    if isinstance(value, str) and re.match(_MONEY, value):
        return Decimal(value)
    raise PydanticCustomError(
        "invalid_cost_limit", 'is not an amount in USD; write a decimal string of at least 0, for example "0.50"'
    )


def _seconds(value: object) -> float:
    if type(value) in (int, float) and isinstance(value, int | float) and 0 < value <= MAX_SECONDS:
        return float(value)
    raise PydanticCustomError("invalid_type", "is not a time in seconds above 0 and up to 86400; write for example 60")


def _glob(value: str) -> str:
    if re.search(_ODD_CHARACTER, value):
        raise PydanticCustomError("invalid_glob", "holds a line break or a control character; write it on one line")
    wrong = refusal(value)
    if wrong:
        raise PydanticCustomError("invalid_glob", "{wrong}", {"wrong": wrong})
    return value


def _target(value: str) -> str:
    try:
        parse_target(value)
    except ValueError as error:
        raise PydanticCustomError("invalid_model_ref", "{wrong}", {"wrong": str(error)}) from None
    return value


def _model(value: str) -> str:
    target = parse_target(_target(value))
    if isinstance(target, ClassRef) or target.provider == HOST:
        raise PydanticCustomError("invalid_model_ref", "is not the model of a provider; write `provider/model`")
    return value


def _said(value: str) -> str:
    if value.isspace():
        raise PydanticCustomError("invalid_type", "is blank; say in words what is to be done")
    return value


def _scope(value: str) -> str:
    kind, colon, name = value.partition(":")
    if kind == "intent" and colon and name not in set(Intent):
        raise PydanticCustomError("unknown_intent", "names no intent; write for example `intent:edit`")
    named = bool(colon and name.strip()) and kind in ("intent", "model", "token")
    if not named and value not in ("all", "project"):
        raise PydanticCustomError(
            "invalid_enum", "is not a scope; write `all`, `project`, `intent:NAME`, `model:GLOB` or `token:NAME`"
        )
    return value


def _fingerprint(value: str) -> str:
    if re.match(FINGERPRINT, value):
        return value
    raise PydanticCustomError(
        "invalid_type", "is not a fingerprint; copy it from the finding, for example `github_token-0123456789abcdef`"
    )


def _class_name(value: str) -> str:
    if not _NAME.match(value):
        raise PydanticCustomError("invalid_model_ref", "is not a name; use letters, digits, `_`, `-` and `.`")
    return value


def _function(value: str) -> str:
    if not _FUNCTION.match(value):
        raise PydanticCustomError("invalid_type", "names no function; write `package.module:function`")
    return value


Priority = Annotated[int, BeforeValidator(_priority)]
Money = Annotated[Decimal, BeforeValidator(_money)]
Glob = Annotated[StrictStr, Field(min_length=1, max_length=4096), AfterValidator(_glob)]
Target = Annotated[StrictStr, Field(min_length=1, max_length=400), AfterValidator(_target)]
"""`provider/model`, `class:NAME` or `host/MODEL`."""
Model = Annotated[StrictStr, Field(min_length=1, max_length=400), AfterValidator(_model)]
"""`provider/model` alone."""
Function = Annotated[StrictStr, Field(min_length=1, max_length=400), AfterValidator(_function)]
"""`package.module:function`."""
Text = Annotated[StrictStr, Field(min_length=1, max_length=400, pattern=_ONE_LINE)]
"""One line that says something."""
Prose = Annotated[StrictStr, Field(min_length=1, max_length=20_000), AfterValidator(_said)]
"""Any number of lines that say something."""
Patterns = Annotated[tuple[Text, ...], Field(max_length=MAX_MODELS)]
Targets = Annotated[tuple[Target, ...], Field(max_length=MAX_MODELS)]
Seconds = Annotated[float, BeforeValidator(_seconds)]
Count = Annotated[StrictInt, Field(ge=0, le=100_000_000)]
Globs = Annotated[tuple[Glob, ...], Field(max_length=MAX_ENTRIES)]
Intents = Annotated[tuple[Intent, ...], BeforeValidator(_many), Field(min_length=1, max_length=100)]
Names = Annotated[tuple[Text, ...], BeforeValidator(_many), Field(min_length=1, max_length=MAX_ENTRIES)]

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
    permissions: Permissions = Permissions()


class ClassificationRule(Value):
    """Tried before the built-in reader: every condition given must hold, any value of a list suffices."""

    intent: Intent
    priority: Priority = DEFAULT_PRIORITY
    keywords: Annotated[tuple[Text, ...], BeforeValidator(_many), Field(max_length=MAX_ENTRIES)] = ()
    requires_any_context: Annotated[tuple[ContextKind, ...], Field(max_length=100)] = ()


class ClassificationSection(Value):
    rules: Annotated[tuple[ClassificationRule, ...], Field(max_length=MAX_ENTRIES)] = ()


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
    required_permissions: ToolsSection = ToolsSection()
    cost_limit: Money | None = None
    deadline_s: Seconds | None = None
    overridable: StrictBool = False
    """In the organisation's file alone: whether a call's own model may win over this rule."""


class DefaultRoute(Value):
    model: Target
    fallbacks: Targets = ()
    effort: Effort | None = None


class RoutingSection(Value):
    rules: Annotated[tuple[Rule, ...], Field(max_length=MAX_ENTRIES)] = ()
    default: DefaultRoute | None = None
    overrides: Literal["allow", "within_route", "deny"] | None = None
    handoff: Literal["when_unavailable", "never"] | None = None


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
    remote: RemoteSection = RemoteSection()


class SecretsSection(Value):
    """What the scan takes for a secret and is none, by the fingerprint that a finding names."""

    allow: Annotated[tuple[Annotated[StrictStr, AfterValidator(_fingerprint)], ...], Field(max_length=MAX_ENTRIES)] = ()


class Budget(Value):
    scope: Annotated[Text, AfterValidator(_scope)]
    period: Literal["task", "day", "month"]
    limit: Money


class DispatchSection(Value):
    deadline_s: Seconds | None = None
    first_byte_s: Seconds | None = None
    idle_s: Seconds | None = None
    max_retries: Annotated[StrictInt, Field(ge=0, le=5)] | None = None
    on_uncertain: Literal["continue", "stop"] | None = None


class ProviderDocument(Value):
    """`[providers.NAME]`; NAME is a built-in one, `openai-compat:ANYTHING`, or `cli:` and a headless CLI's name."""

    base_url: Address | None = None
    locality: Locality | None = None
    api_key: SecretRef | None = None
    allow_plain_lan: StrictBool = False
    models_dir: Annotated[StrictStr, Field(min_length=1, max_length=4096)] | None = None
    type: Literal["cli"] | None = None
    command: CommandPath | None = None
    variables: VariableNames = ()
    unmediated: StrictBool = False


class HostDocument(Value):
    locality: Locality


class CatalogEntry(Value):
    """`[catalog."provider/model"]`: facts that replace what the built-in catalog says. Prices: USD a million tokens."""

    same_as: Model | None = None
    context_window: Annotated[StrictInt, Field(ge=256, le=100_000_000)] | None = None
    max_output_tokens: Annotated[StrictInt, Field(ge=1, le=100_000_000)] | None = None
    input_price: Money | None = None
    cached_input_price: Money | None = None
    output_price: Money | None = None
    price_kind: Literal["list", "plan"] | None = None
    capabilities: dict[Capability, StrictBool] = {}


class PluginsSection(Value):
    """Functions of installed packages that a decision asks; `core.plugin` has what they are told and may answer."""

    select: Function | None = None


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
    classification: ClassificationSection = ClassificationSection()
    routing: RoutingSection = RoutingSection()
    classes: dict[Annotated[str, AfterValidator(_class_name)], ClassDefinition] = {}
    models: ModelsSection = ModelsSection()
    privacy: PrivacySection = PrivacySection()
    secrets: SecretsSection = SecretsSection()
    tools: ToolsSection = ToolsSection()
    budgets: Annotated[tuple[Budget, ...], Field(max_length=MAX_BUDGETS)] = ()
    dispatch: DispatchSection = DispatchSection()
    providers: dict[str, ProviderDocument] = {}
    hosts: dict[str, HostDocument] = {}
    catalog: dict[Model, CatalogEntry] = {}
    plugins: PluginsSection = PluginsSection()
    test: Annotated[tuple[PolicyTest, ...], Field(max_length=MAX_ENTRIES)] = ()
