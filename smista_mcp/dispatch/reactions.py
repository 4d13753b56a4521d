"""What a failed attempt leads to: one table, the law of dispatch."""

from dataclasses import dataclass

from smista_mcp.errors import Code, ProviderError


@dataclass(frozen=True, slots=True)
class Reaction:
    """What may follow a failed attempt.

    Attributes:
        go_on: whether the next candidate may be tried.
        again: whether the same model may be tried once more, where the provider says when.
        ours: whether it is our own refusal: no request left.
    """

    go_on: bool = True
    again: bool = False
    ours: bool = False


_NEXT = Reaction()
_STOP = Reaction(go_on=False)
_REFUSED = Reaction(ours=True)
REACTIONS: dict[Code, Reaction] = {
    # the provider, or the way to it
    Code.PROVIDER_UNAVAILABLE: _NEXT,  # refused connection, TLS, DNS, 5xx, 529; no adapter; no ledger to record it
    Code.PROVIDER_TIMEOUT: _NEXT,  # ours, 408, 504
    Code.PROVIDER_RATE_LIMITED: Reaction(again=True),  # 429, quota
    Code.PROVIDER_PROTOCOL: _NEXT,  # malformed, cut
    Code.UNKNOWN_MODEL: _NEXT,
    Code.CONTEXT_TRUNCATED: _NEXT,
    Code.EMPTY_COMPLETION: _NEXT,
    Code.PROVIDER_AUTH: _STOP,  # 401, 403
    Code.PROVIDER_INVALID_REQUEST: _STOP,  # other 4xx; a model that declines
    # ourselves; also said by a provider: a context that is too long
    Code.CONTEXT_WINDOW_EXCEEDED: _NEXT,
    Code.RESTRICTED_CONTENT: _REFUSED,
    Code.MODEL_NOT_ALLOWED: _REFUSED,
    Code.APPROVAL_REQUIRED: _REFUSED,
    Code.COST_LIMIT_EXCEEDED: _REFUSED,
    Code.BUDGET_EXCEEDED: _REFUSED,
    Code.PRICE_UNKNOWN: _REFUSED,
    Code.SECRET_DETECTED: Reaction(go_on=False, ours=True),
}


def reaction(error: ProviderError) -> Reaction:
    """The law for a failure; what the table does not know stops."""
    return REACTIONS.get(error.code, _STOP)


def may_be_charged(error: ProviderError) -> bool:
    """Whether a failed request may have been charged: it was sent, and no answer of the 4xx kind refused it."""
    refused = error.status is not None and 400 <= error.status < 500
    return error.sent and not refused
