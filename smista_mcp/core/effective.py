"""The policy in force: all layers joined into one value, each part with the layer, file and line that it comes from."""

from collections.abc import Mapping
from types import MappingProxyType
from typing import NamedTuple

from smista_mcp.core.policy import (
    Budget,
    CatalogEntry,
    ClassDefinition,
    ClassificationRule,
    DefaultRoute,
    PolicyTest,
    Rule,
)
from smista_mcp.core.values import Grant, Layer, Locality


class Origin(NamedTuple):
    """Where a value stands.

    Attributes:
        file: as shown to people; None for a value of the call or a built-in one.
        key: the dotted key in the file.
        lines: dotted key to line, for this file; asked only when somebody wants to see the line.
    """

    layer: Layer
    file: str | None = None
    key: str = ""
    lines: Mapping[str, int] = MappingProxyType({})

    @property
    def line(self) -> int | None:
        """The line in the file, from 1; None where it is not known."""
        return self.lines.get(self.key)


class PlacedRule(NamedTuple):
    """A routing rule with its place.

    Attributes:
        order: counts rules over all layers, in file order within a layer.
        trusted: false for a rule that only binds, because nobody has confirmed its file.
    """

    rule: Rule
    origin: Origin
    order: int
    overridable: bool = False
    trusted: bool = True


class PlacedTest(NamedTuple):
    test: PolicyTest
    origin: Origin


class ProviderSpec(NamedTuple):
    """A provider as the policy declares it, or as it is built in.

    Attributes:
        kind: the wire protocol's word: `anthropic`, `openai`, `gemini`, `ollama`, `llamacpp`, `openai-compat`,
            `protocol`, `cli`.
        base_url: None for `llamacpp`, whose server we start, and for a CLI.
        locality: where the request ends up, as far as the declaration can know it.
        key_variable: the environment variable or secret that holds its key; None where it needs none.
        declared: whether user or organisation wrote `locality = "local"`, and nobody with the right said otherwise.
        plain_lan: whether they allowed plain http to another machine of theirs.
        command: of a CLI, the file to run; None: the one on the search path.
        variables: of a CLI, names of environment variables that it gets besides those that it always gets.
        unmediated: of a CLI, whether it may be asked although nothing keeps its own tools from reading.
        caches: whether it may be asked to keep prompts in its cache.
        protocol: of the kind `protocol`, the entry point that speaks it.
    """

    name: str
    kind: str
    base_url: str | None
    locality: Locality
    key_variable: str | None = None
    key_required: bool = False
    models_dir: str | None = None
    declared: bool = False
    plain_lan: bool = False
    command: str | None = None
    variables: tuple[str, ...] = ()
    unmediated: bool = False
    caches: bool = True
    protocol: str | None = None


class DispatchLimits(NamedTuple):
    deadline_s: float = 600.0
    first_byte_s: float = 60.0
    idle_s: float = 60.0
    max_retries: int = 1
    on_uncertain: str = "continue"


class Adaptive(NamedTuple):
    """Whether evidence may put a weak model behind a better one, and when it is enough.

    Attributes:
        min_attempts: so many judged attempts speak against a model, and so many good ones for another.
        window_days: how many days before today count.
    """

    enabled: bool = False
    min_attempts: int = 20
    window_days: int = 30


class Confirmed(NamedTuple):
    """What limits the choice of models without the layers that nobody has confirmed; as in `Policy`."""

    allowed: tuple[tuple[str, ...], ...]
    denied: tuple[str, ...]
    budgets: tuple[Budget, ...]


KEEP_DAYS = 400
"""For how long the record is kept where nobody says: a year, and a month to look back at it."""


class Policy(NamedTuple):
    """Every effective value.

    Attributes:
        revision: SHA-256 (hex) of all documents, layers and trust that made it.
        rules: rules that may win, in no particular order.
        bindings: rules with `local_only` or `only_models`, untrusted layers included: these bind, whoever wins.
        allowed: one tuple per layer that states `[models] allowed`; a model must match each of them.
        restricted: patterns of `restricted_paths` after `free_paths`, each with its origin.
        blocked: patterns of `privacy.remote.blocked_paths`.
        call_limits: host -> seconds that it waits for a call, where somebody says so.
        host_models: host -> the model that it runs on, where somebody says so: what savings are counted against.
        notices: what a person should know: files that wait for trust, keys that were skipped.
        provenance: dotted key -> origin, for `policy show`.
        confirmed: None where every layer is trusted.
        unconfirmed: names of the files that are not.
        plugin: the function that may reorder or drop accepted candidates, `package.module:function`.
        locked: patterns of keys that the organisation has frozen, each with its origin.
        organisation: SHA-256 (hex) of the organisation's file, or over those of several; None where it has none.
        secrets_allowed: fingerprints of what the scan takes for a secret and is none.
        keep_days: UTC days for which the record is kept.
        mask: rules on what an export of it does not say, as `core.masking` has them.
    """

    revision: str
    rules: tuple[PlacedRule, ...]
    bindings: tuple[PlacedRule, ...]
    default: DefaultRoute | None
    default_origin: Origin | None
    classification_rules: tuple[ClassificationRule, ...]
    overrides: str
    handoff: str
    classes: Mapping[str, ClassDefinition]
    allowed: tuple[tuple[str, ...], ...]
    denied: tuple[str, ...]
    restricted: tuple[tuple[str, Origin], ...]
    blocked: tuple[tuple[str, Origin], ...]
    remote_mode: Grant
    host_answers: str
    permissions: Mapping[str, Grant]
    budgets: tuple[Budget, ...]
    dispatch: DispatchLimits
    providers: Mapping[str, ProviderSpec]
    host_localities: Mapping[str, Locality]
    call_limits: Mapping[str, float]
    catalog: Mapping[str, CatalogEntry]
    tests: tuple[PlacedTest, ...]
    notices: tuple[str, ...]
    provenance: Mapping[str, Origin]
    confirmed: Confirmed | None = None
    unconfirmed: tuple[str, ...] = ()
    plugin: str | None = None
    locked: tuple[tuple[str, Origin], ...] = ()
    organisation: str | None = None
    secrets_allowed: frozenset[str] = frozenset()
    adaptive: Adaptive = Adaptive()
    host_models: Mapping[str, str] = MappingProxyType({})
    keep_days: int = KEEP_DAYS
    mask: tuple[str, ...] = ()
