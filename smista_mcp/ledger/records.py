"""What the ledger takes and what it gives back. Times are aware `datetime`s; amounts are USD as `Decimal`."""

from collections.abc import Callable
from datetime import datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Literal, NamedTuple

from pydantic import ConfigDict, ValidationError

from smista_mcp.core.decision import Decision
from smista_mcp.core.facts import ItemKind, PathSource
from smista_mcp.core.origins import Chain
from smista_mcp.core.values import ContextKind, Effort, Intent, Label, Locality, Value
from smista_mcp.errors import Cause, Code, SmistaError, StateUnavailable

if TYPE_CHECKING:
    from smista_mcp.core.receipt import Receipt

Followup = Literal["again", "repair", "fallback", "escalated", "yes_awaited"]
"""What was done about an attempt that was no good: the same model asked again, or shown why its change does not apply;
the next candidate; a stronger model; a person first."""
AttemptStatus = Literal["running", "completed", "failed", "uncertain", "cancelled"]
"""`uncertain`: it may have been charged, and nobody knows how much (a time-out, a cut stream, a dead server)."""

CostKind = Literal["list", "plan", "local", "unknown"]
"""Who pays: by the list price, a subscription (marginal 0), nobody (local), or a price that nobody knows."""


class BudgetExceeded(SmistaError):
    """An attempt that could cost more than a budget has left; nothing was reserved.

    Attributes:
        scope: the budget's scope, as written.
    """

    code = Code.BUDGET_EXCEEDED

    def __init__(self, message: str, *, scope: str, fix: str = "", code: Code | None = None) -> None:
        super().__init__(message, fix=fix, code=code)
        self.scope = scope


class PathLabel(Value):
    """A path of a phase; no `forms` stand for the path alone, unless it is `formless`."""

    path: str
    required: bool = True
    forms: tuple[str, ...] = ()
    formless: bool = False
    source: PathSource = "call"
    evidence: str = ""


class SecretLabel(Value):
    """What was found of a secret, as `core.secretscan.SecretFact` has it."""

    kind: str
    line: int
    fingerprint: str | None = None
    file: str | None = None


class ItemLabel(Value):
    """A piece of context, as `core.facts.ContextItem` has it; `digest` is a keyed hash of that of its content."""

    path: str
    kind: ItemKind
    tokens: int
    required: bool
    forms: tuple[str, ...] = ()
    restricted: str | None = None
    derived: Label | None = None
    secrets: tuple[SecretLabel, ...] = ()
    origin: Chain = ()
    formless: bool = False
    digest: str = ""


class LeftLabel(Value):
    """What was not read at all, as `core.facts.LeftOut` has it."""

    path: str
    kind: ItemKind
    reason: str
    tokens: int | None = None
    part: bool = True


class PhaseFacts(Value):
    """What a phase brought to its decision, so that it can be judged again. Labels, no text.

    Rows of earlier versions lack the later fields, and rows of later ones may have more.

    Attributes:
        binding: further intents for which rules bind it.
        paths: as matched by the conditions of rules, relative to the workspace.
        tokens: of the words and the required context.
        text_tokens: of the words alone; None in a row of a version that recorded nothing from here on.
        model: the target that the call named.
        effort: the effort that the call named.
        named: the paths of the phase.
        items: its context.
        withheld: what of the context was not read, because it is restricted; the first of each kind.
        secrets: those that were found in its words and in names, without what the policy allowed then.
        host_believed: whether what the policy says of the host by its name held: not for any name given over HTTP.
        owner: keyed hash of whoever called; None in a row of a version that did not record it.
        token: name of the access token that the call came with; None where it came without one.
        spoken: what its words say, as `core.facts.Spoken` has it; None in a row of a version that recorded nothing from
            here on, which cannot be decided again.
        kinds: of context.
        left_out: what was not read.
        tools: those that its skill leaves a delegate; None where it says nothing of tools.
        guarded: patterns that restrict our own state, where it lies in the workspace.
        hashed_by: marks the key that its context was hashed with; None where the hash cannot be had again, because a
            name is not kept as it was.
    """

    model_config = ConfigDict(extra="ignore")

    skill: str | None = None
    binding: tuple[Intent, ...] = ()
    paths: tuple[str, ...] = ()
    tokens: int = 0
    text_tokens: int | None = None
    model: str | None = None
    effort: Effort | None = None
    named: tuple[PathLabel, ...] = ()
    items: tuple[ItemLabel, ...] = ()
    withheld: tuple[str, ...] = ()
    secrets: tuple[SecretLabel, ...] = ()
    host_believed: bool = True
    owner: str | None = None
    token: str | None = None
    spoken: tuple[bool, bool, bool] | None = None
    kinds: tuple[ContextKind, ...] = ()
    left_out: tuple[LeftLabel, ...] = ()
    tools: tuple[str, ...] | None = None
    guarded: tuple[str, ...] = ()
    hashed_by: str | None = None


class Scope(NamedTuple):
    """Of whom something is looked up.

    Attributes:
        workspace: keyed hash of the root; None for what was recorded without one.
        owner: keyed hash of the caller; None for every caller's.
    """

    workspace: str | None
    owner: str | None = None


class RouteRecord(NamedTuple):
    """The answer of one call of `route`: all its decisions.

    Attributes:
        text_digest: keyed hash of the task's text, in hex; the text itself is never recorded.
        workspace: keyed hash of the workspace root, in hex; None where there is no root.
        facts: one for each decision, or none at all.
        job: the one that goes by these decisions; None where nothing is done with them.
        kept: inputs of these decisions, of which each is kept once.
    """

    decisions: tuple[Decision, ...]
    at: datetime
    text_digest: str
    workspace: str | None = None
    facts: tuple[PhaseFacts, ...] = ()
    job: "JobStart | None" = None
    kept: "tuple[Kept, ...]" = ()


class Kept(NamedTuple):
    """An input that decisions name by a hash, as it is kept so that they can be made again.

    Attributes:
        digest: as in `inputs`.
        name: of the input.
        body: what it was, as JSON, or gives that: it is asked for where it is not kept yet. Never a text of a task.
    """

    digest: str
    name: str
    body: str | Callable[[], str]


class JobStart(NamedTuple):
    """A job that begins, or goes on after a person's yes.

    Attributes:
        owner: keyed hash of the caller.
        revision: of the policy that it goes by.
    """

    job_id: str
    owner: str
    revision: str


class StoredDecision(NamedTuple):
    """One recording of a decision.

    Attributes:
        sequence: position in the ledger; grows with time, whatever the clock does.
        call_id: the same for all decisions that were recorded together.
        at: UTC, ISO 8601.
        body: the Decision as JSON, without the prompt of a handoff.
    """

    sequence: int
    call_id: str
    decision_id: str
    phase: int
    at: str
    host: str
    workspace: str | None
    text_digest: str
    facts_body: str
    body: str

    @property
    def facts(self) -> PhaseFacts:
        """What the phase brought to the conditions of rules."""
        return PhaseFacts.model_validate_json(self.facts_body)

    @property
    def decision(self) -> Decision:
        """The decision itself.

        Raises:
            StateUnavailable: it was recorded by a version whose decisions this one cannot read; `body` still holds it.
        """
        try:
            return Decision.model_validate_json(self.body)
        except ValidationError as error:
            message = f"decision `{self.decision_id}` was recorded by another version, with fields that differ"
            raise StateUnavailable(message, fix="read it with that version, or with --json") from error


class TokenCounts(NamedTuple):
    """Tokens as the provider counted them; None where it did not say."""

    input_tokens: int | None = None
    cached_input_tokens: int | None = None
    output_tokens: int | None = None
    reasoning_tokens: int | None = None
    cache_write_tokens: int | None = None


class NewTrace(NamedTuple):
    """A trace that is not written yet.

    Attributes:
        decision: the place of the decision in the ledger, as `Ledger.record_route` gave it: the same decision may stand
            there for other callers too. None where it could not be recorded.
    """

    trace_id: str
    decision_id: str
    at: datetime
    decision: int | None = None


class AttemptStart(NamedTuple):
    """One try at a provider, as it is known before the request leaves.

    Attributes:
        model: the name as the decision writes it; `resolved_model` is the one it stands for.
        reserved: the most that it can cost; 0 where nobody pays, None where the price is unknown.
        workspace: keyed hash of the root, as in `RouteRecord`.
        token: name of the access token that the call came with; None over stdio.
    """

    phase: int
    intent: Intent
    model: str
    provider: str
    locality: Locality
    started_at: datetime
    receipt: "Receipt"
    resolved_model: str | None = None
    cost_kind: CostKind = "unknown"
    reserved: Decimal | None = None
    workspace: str | None = None
    token: str | None = None


class Partial(NamedTuple):
    """What there was of an answer that never became whole: its size, and a keyed hash of it. Never its text."""

    bytes: int
    sha256: str


class Settlement(NamedTuple):
    """How an attempt ended.

    Attributes:
        cost: what it cost; None where that is not known.
        resolved_model: the name that the server says it used, where it said one.
        unsent: whether not a byte of the request was written; the receipt then says so.
        partial: what was heard of an answer that is not one; None where nothing was, or all of it.
        cause: why it failed, finer than the code.
        http_status: with which the server refused it.
        cut: what ended an answer before it was whole, where it was given all the same: its length, or that the provider
            declined to go on. None where it was whole, and where there is none.
    """

    status: Literal["completed", "failed", "uncertain", "cancelled"]
    ended_at: datetime
    code: Code | None = None
    usage: TokenCounts = TokenCounts()
    cost: Decimal | None = None
    resolved_model: str | None = None
    unsent: bool = False
    partial: Partial | None = None
    cause: Cause | None = None
    http_status: int | None = None
    cut: Literal["length", "content_filter"] | None = None


class SpendingLimit(NamedTuple):
    """A budget that applies to an attempt: what may be spent in `scope` since the start of its period.

    Attributes:
        scope: `all`, `project`, `intent:NAME`, `model:GLOB` or `token:NAME`.
    """

    scope: str
    since: datetime
    limit: Decimal


class StoredAttempt(NamedTuple):
    """An attempt as recorded. Times are UTC, ISO 8601; amounts are decimal strings."""

    attempt_id: str
    trace_id: str
    phase: int
    intent: str
    model: str
    resolved_model: str | None
    provider: str
    locality: str
    workspace: str | None
    token: str | None
    started_at: str
    ended_at: str | None
    status: AttemptStatus
    code: str | None
    reserved: str | None
    cost: str | None
    cost_kind: CostKind
    usage: TokenCounts
    receipt: "Receipt"
    partial: Partial | None = None
    cause: str | None = None
    http_status: int | None = None
    followup: Followup | None = None
    wait_s: float | None = None


class StoredTrace(NamedTuple):
    """The record of one decision and its attempts, oldest first.

    Attributes:
        decision: None where the decision itself could not be recorded.
    """

    trace_id: str
    decision_id: str
    at: str
    decision: StoredDecision | None
    attempts: tuple[StoredAttempt, ...]
