"""What a failed attempt leads to: one table, the law of dispatch."""

from dataclasses import dataclass
from typing import Literal

from smista_mcp.core.policy import EscalationCause
from smista_mcp.errors import Cause, Code, ProviderError

Charge = Literal["none", "maybe"]
"""`none`: nobody can have charged it. `maybe`: what the provider counted, and where it counted nothing `uncertain`."""
Health = Literal["down", "up"] | None
"""What a failure says of its provider: that it cannot serve, that it is there; None: nothing, the failure is ours."""


@dataclass(frozen=True, slots=True)
class Reaction:
    """What may follow a failed attempt.

    Attributes:
        code: what the failure is called; None where the error says it.
        go_on: whether the next candidate may be tried.
        again: whether the same model may be asked once more after a moment, or when the provider says.
        charge: whether it may have been charged.
        health: what it says of its provider.
        ours: whether it is our own refusal: no request left.
    """

    code: Code | None = None
    go_on: bool = True
    again: bool = False
    charge: Charge = "none"
    health: Health = None
    ours: bool = False


_DOWN = Reaction(Code.PROVIDER_UNAVAILABLE, health="down")
_BUSY = Reaction(Code.PROVIDER_UNAVAILABLE, again=True, health="down")
_BROKEN = Reaction(Code.PROVIDER_PROTOCOL, charge="maybe", health="down")
_ANSWERED = Reaction(Code.EMPTY_COMPLETION, charge="maybe", health="up")
_OURS = Reaction(ours=True)
LAW: dict[Cause, Reaction] = {
    # no request arrived: another model costs nothing more
    Cause.REFUSED: _DOWN,
    Cause.DNS: _DOWN,
    Cause.TLS: _DOWN,
    Cause.NOT_CONNECTED: Reaction(Code.PROVIDER_TIMEOUT, health="down"),
    Cause.BROKEN: _DOWN,
    Cause.UNUSABLE: Reaction(Code.PROVIDER_UNAVAILABLE),
    # refused by the provider
    Cause.REQUEST_TIMEOUT: Reaction(Code.PROVIDER_TIMEOUT, again=True, health="down"),
    Cause.RATE_LIMITED: Reaction(Code.PROVIDER_RATE_LIMITED, again=True, health="down"),
    Cause.QUOTA: Reaction(Code.PROVIDER_RATE_LIMITED, health="down"),
    Cause.AUTH: Reaction(Code.PROVIDER_AUTH, go_on=False, health="up"),
    Cause.BAD_REQUEST: Reaction(Code.PROVIDER_INVALID_REQUEST, go_on=False, health="up"),
    Cause.NO_SUCH_MODEL: Reaction(Code.UNKNOWN_MODEL, health="up"),
    Cause.CONTEXT_TOO_LONG: Reaction(Code.CONTEXT_WINDOW_EXCEEDED, health="up"),
    Cause.SERVER_ERROR: _BUSY,
    Cause.OVERLOADED: _BUSY,
    Cause.REDIRECT: Reaction(Code.PROVIDER_PROTOCOL, health="down"),
    # sent, and no whole answer: the same request again could be charged again
    Cause.GATEWAY_TIMEOUT: Reaction(Code.PROVIDER_TIMEOUT, charge="maybe", health="down"),
    Cause.SILENT: Reaction(Code.PROVIDER_TIMEOUT, charge="maybe", health="down"),
    Cause.DEADLINE: Reaction(Code.PROVIDER_TIMEOUT, charge="maybe"),
    Cause.CUT: _BROKEN,
    Cause.MALFORMED: _BROKEN,
    Cause.TOO_LONG: _BROKEN,
    Cause.COMPRESSED: _BROKEN,
    Cause.STREAM_ERROR: Reaction(charge="maybe", health="down"),
    Cause.STREAM_REFUSAL: Reaction(go_on=False, charge="maybe", health="up"),
    # answered, and not with an answer
    Cause.EMPTY: _ANSWERED,
    Cause.ONLY_THOUGHT: _ANSWERED,
    Cause.LENGTH: _ANSWERED,
    Cause.PROMPT_CUT: Reaction(Code.CONTEXT_TRUNCATED, charge="maybe", health="up"),
    Cause.REFUSAL: Reaction(Code.PROVIDER_INVALID_REQUEST, go_on=False, charge="maybe", health="up"),
    Cause.PATCH: Reaction(Code.PATCH_DOES_NOT_APPLY, charge="maybe", health="up"),
    Cause.OURS: _OURS,
}
"""Whatever may go wrong. `sent` and the status of the one failure can make `maybe` to `none`, never the reverse."""

_CAUSES: dict[Code, Cause] = {
    Code.PROVIDER_UNAVAILABLE: Cause.UNUSABLE,
    Code.PROVIDER_TIMEOUT: Cause.DEADLINE,
    Code.PROVIDER_RATE_LIMITED: Cause.QUOTA,
    Code.PROVIDER_PROTOCOL: Cause.MALFORMED,
    Code.UNKNOWN_MODEL: Cause.NO_SUCH_MODEL,
    Code.CONTEXT_TRUNCATED: Cause.PROMPT_CUT,
    Code.EMPTY_COMPLETION: Cause.EMPTY,
    Code.PROVIDER_AUTH: Cause.AUTH,
    Code.PROVIDER_INVALID_REQUEST: Cause.BAD_REQUEST,
    Code.PATCH_DOES_NOT_APPLY: Cause.PATCH,
    Code.RESTRICTED_CONTENT: Cause.OURS,
    Code.MODEL_NOT_ALLOWED: Cause.OURS,
    Code.APPROVAL_REQUIRED: Cause.OURS,
    Code.COST_LIMIT_EXCEEDED: Cause.OURS,
    Code.BUDGET_EXCEEDED: Cause.OURS,
    Code.PRICE_UNKNOWN: Cause.OURS,
    Code.PROVIDER_COOLDOWN: Cause.OURS,
    Code.SECRET_DETECTED: Cause.OURS,
}
"""What a code stands for where an error names no cause."""
_OWN: dict[Code, Reaction] = {
    Code.SECRET_DETECTED: Reaction(go_on=False, ours=True),
    Code.CONTEXT_WINDOW_EXCEEDED: Reaction(),  # found by ourselves, before anything is sent
}
_UNKNOWN = Reaction(go_on=False)


def cause_of(error: ProviderError) -> Cause | None:
    """What went wrong; None for what the law does not know."""
    return error.cause or _CAUSES.get(error.code)


def reaction(error: ProviderError) -> Reaction:
    """The law for a failure; what the table does not know stops."""
    if error.cause is None and error.code in _OWN:
        return _OWN[error.code]
    cause = cause_of(error)
    found = LAW[cause] if cause is not None else _UNKNOWN
    if error.cause is None and not error.sent and found.health is not None:
        return Reaction(found.code, found.go_on, charge=found.charge)  # nobody else has said so
    return found


def may_be_charged(error: ProviderError) -> bool:
    """Whether a failed request may have been charged: it was sent, and no answer of the 4xx kind refused it."""
    refused = error.status is not None and 400 <= error.status < 500
    return error.sent and not refused


def triggers(error: ProviderError) -> frozenset[EscalationCause]:
    """The words of `escalate.on` that a failure answers to; none where a stronger model would not help."""
    cause = cause_of(error)
    return _TRIGGERS.get(cause, frozenset()) if cause is not None else frozenset()


_TRIGGERS: dict[Cause, frozenset[EscalationCause]] = {
    Cause.EMPTY: frozenset({"empty_completion"}),
    Cause.ONLY_THOUGHT: frozenset({"empty_completion"}),
    Cause.LENGTH: frozenset({"empty_completion", "length"}),  # nothing was written before the limit
    Cause.REFUSAL: frozenset({"refusal"}),
    Cause.PATCH: frozenset({"patch_does_not_apply"}),
}
