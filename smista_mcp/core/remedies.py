"""What to write or do instead, for every code with which a phase is refused or an attempt fails."""

from smista_mcp.errors import Cause, Code

REMEDIES: dict[Code, str] = {
    Code.MISSING_PROVIDER_CREDENTIALS: "set the provider's key in the environment of smista-mcp",
    Code.PROVIDER_UNAVAILABLE: "start the model server and look into its log, or check its address under `[providers]`",
    Code.PROVIDER_AUTH: "set a key that the provider accepts in the environment of smista-mcp",
    Code.PROVIDER_TIMEOUT: "raise `deadline_s`, or name a faster model",
    Code.PROVIDER_RATE_LIMITED: "try again later, or name a fallback in the route",
    Code.PROVIDER_INVALID_REQUEST: "look at what the provider says of the request, or name another model",
    Code.PROVIDER_PROTOCOL: "check that the address under `[providers]` is that of a model server of this kind",
    Code.CONTEXT_TRUNCATED: "raise the context window in the model server, or name fewer files",
    Code.EMPTY_COMPLETION: "try again, or name another model",
    Code.PATCH_DOES_NOT_APPLY: "try again, or name a stronger model",
    Code.UNKNOWN_MODEL: "name a model that a declared provider has, or fetch it there",
    Code.RESTRICTED_CONTENT: "name a local model in the route, or leave the restricted file out of the task",
    Code.SECRET_DETECTED: (
        "take the secret out or name a local model in the route; where it is none and a fingerprint is told, write that"
        " into `[secrets] allow` of your own policy"
    ),
    Code.MODEL_NOT_ALLOWED: "choose a model that the policy allows, or change the policy",
    Code.MISSING_CAPABILITY: "name a model with that capability, or state the capability under `[catalog]`",
    Code.CONTEXT_WINDOW_EXCEEDED: "name fewer files or a line range, or a model with a larger window",
    Code.COST_LIMIT_EXCEEDED: "raise the rule's `cost_limit`, or name a cheaper model",
    Code.BUDGET_EXCEEDED: "wait for the next period (days and months begin at 00:00 UTC), or raise the budget",
    Code.PRICE_UNKNOWN: "write the model's prices under `[catalog]`",
    Code.NO_ROUTE: "add a rule, or a `[routing.default]`",
    Code.OVERRIDE_NOT_ALLOWED: "leave `model` out of the call",
    Code.APPROVAL_REQUIRED: 'name a local model, or write `[privacy.remote] mode = "allow"` in your own policy',
    Code.POLICY_INVALID: "mend the function that `[plugins] select` names, or take the key out",
    Code.PROVIDER_COOLDOWN: "try again in half a minute",
}
_BY_CAUSE: dict[Cause, str] = {
    Cause.CUT: "try again; if it stays so, look into the log of the server, which ended its answer in the middle",
    Cause.BROKEN: "try again; if it stays so, look into the log of the server, which broke the connection",
    Cause.DNS: "check the name in the provider's address under `[providers]`, and the network",
    Cause.TLS: "check the provider's address and its certificate",
    Cause.SERVER_ERROR: "try again later; the server says that it has failed itself",
    Cause.OVERLOADED: "try again later, or name a fallback in the route: the server has too much to do",
    Cause.STREAM_ERROR: "try again; if it stays so, look into the log of the server, which failed in mid-answer",
}
"""As the same, where more is known than the code."""
_BY_PROVIDER: dict[tuple[Code, str], str] = {
    (Code.PROVIDER_UNAVAILABLE, "cli"): "install that CLI and log in to it, or name its `command` under `[providers]`",
    (Code.PROVIDER_UNAVAILABLE, "llamacpp"): "run `smista-mcp local install`, or name another model",
}
"""As the same, by the kind of provider that the model's name begins with."""
TO_LET_SERVE: dict[Code, str] = {
    Code.RESTRICTED_CONTENT: "leave the restricted file out of the task",
    Code.SECRET_DETECTED: REMEDIES[Code.SECRET_DETECTED].replace(" or name a local model in the route", ""),
}
"""As the same, for a candidate that was passed over while another serves."""
ASKED_BY_ORGANISATION = "name a local model, or ask whoever keeps your organisation's policy: only that one can say so"


def remedy(code: Code | None, *, fixed: bool = False, cause: Cause | None = None, model: str | None = None) -> str:
    """What to write or do instead; empty where nothing can be said.

    Args:
        code: of the refusal or the failure.
        fixed: whether the organisation has settled how remote models are asked.
        cause: why an attempt failed, where that is known.
        model: that is refused or failed, as written.
    """
    if code is None:
        return ""
    kind = (model or "").partition("/")[0].partition(":")[0]
    own = (_BY_CAUSE.get(cause, "") if cause else "") or _BY_PROVIDER.get((code, kind), "")
    if own:
        return own
    return ASKED_BY_ORGANISATION if fixed and code is Code.APPROVAL_REQUIRED else REMEDIES.get(code, "")
