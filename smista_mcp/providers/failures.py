"""What a provider's refusal means: statuses, error objects and waiting times, as our codes.

The same table serves an HTTP status and an error object inside a stream that began well.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime

from smista_mcp.core.redaction import redacted
from smista_mcp.errors import Cause, Code, ProviderError
from smista_mcp.providers import wirejson
from smista_mcp.providers.wirejson import member

MAX_QUOTE = 300
"""Characters of a provider's own words that an error may repeat."""

_STATUS_OF_WORD = {
    "authentication_error": 401,
    "invalid_api_key": 401,
    "permission_error": 403,
    "permission_denied": 403,
    "not_found_error": 404,
    "model_not_found": 404,
    "timeout": 504,
    "timeout_error": 504,
    "request_too_large": 413,
    "rate_limit_exceeded": 429,
    "rate_limit_error": 429,
    "insufficient_quota": 429,
    "tokens": 429,
    "requests": 429,
    "invalid_request_error": 400,
    "badrequesterror": 400,
    "overloaded_error": 529,
    "server_error": 500,
    "internal_server_error": 500,
    "api_error": 500,
    "service_unavailable": 503,
    "unavailable_error": 503,
}
_CONTEXT_WORDS = {"exceed_context_size_error", "context_length_exceeded", "string_above_max_length"}
_CONTEXT_TEXT = re.compile(
    r"context (?:length|window|size)|maximum context|prompt is too long|input (?:is too long|length exceeds)"
    r"|exceeds? the (?:available|maximum|model'?s?) (?:context|input)",
    re.IGNORECASE,
)
_MODEL_WORDS = {"model_not_found", "invalid_model", "model_not_supported"}
_MODEL_TEXT = re.compile(
    r"\bmodel\b.{0,200}(?:not found|not exist|does ?n.t exist|no such|unknown|not available)"
    r"|(?:no such|unknown|unable to find|not find|no) model\b"
    r"|\Amodel: \S+\Z",  # Anthropic
    re.IGNORECASE | re.DOTALL,
)
_MALFORMED_WORDS = {"tool_use_failed"}
"""A 400 of Groq: its model wrote what it could not read."""
_KEY_WORDS = {"api_key_invalid", "invalid_api_key"}
"""A 400 of Google means the key as well."""
_REFUSAL_WORDS = {"content_filter", "content_policy_violation", "moderation"}
"""A 400 of Azure and OpenAI, a 403 of OpenRouter: not the key is wrong but what was asked."""
_EMPTY_ACCOUNT = re.compile(
    r"credit balance|insufficient (?:balance|credits?|funds|quota)|(?:spend(?:ing)?|usage) limit|out of credits",
    re.IGNORECASE,
)
"""What a 400 or 403 says where the account has nothing left, as Anthropic has it."""
_CREDENTIAL = re.compile(r"\b(bearer|basic)\s+[a-z0-9+/=._~-]{8,}", re.IGNORECASE)
_UNSEEN = re.compile(r"[\s\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]+")


@dataclass(frozen=True, slots=True)
class ErrorObject:
    """What a provider says of a failure; empty where it says nothing.

    Attributes:
        words: its machine-readable names (`code`, `type`), in lower case.
        status: the HTTP status that it names, if it names one.
    """

    message: str = ""
    words: frozenset[str] = frozenset()
    status: int | None = None


def error_object(body: Mapping[str, object]) -> ErrorObject:
    """What an error body says: `{"error": {...}}`, `{"error": "..."}`, `{"detail": "..."}` or `{"message": "..."}`."""
    error = body.get("error")
    if error is None:
        error = body.get("detail") if isinstance(body.get("detail"), str) else body
    if isinstance(error, str):
        return ErrorObject(message=error)
    code, kind = member(error, "code"), member(error, "type")
    words = {word.lower() for word in (code, kind) if isinstance(word, str)}
    words |= {reason.lower() for detail in wirejson.items(member(error, "details")) if (reason := _reason(detail))}
    if member(member(error, "metadata"), "flagged_input") is not None:
        words.add("moderation")
    status = code if isinstance(code, int) and not isinstance(code, bool) else None
    if isinstance(code, str) and code.isascii() and code.isdigit() and len(code) == 3:
        status = int(code)
    # gateways wrap what the provider behind them said
    inner = wirejson.text(member(member(error, "metadata"), "raw"))
    message = wirejson.text(member(error, "message")) or ""
    return ErrorObject(f"{message}: {inner}" if inner else message, frozenset(words), status)


def _reason(detail: object) -> str:
    """What Google calls the reason of a failure."""
    return wirejson.text(member(detail, "reason")) or ""


def error_of(body: bytes) -> ErrorObject:
    """What the body of a failed answer says; nothing where it is no JSON object."""
    try:
        return error_object(wirejson.parse_object(body))
    except ValueError:
        return ErrorObject()


def quoted(text: str) -> str:
    """A provider's words on one line, capped, without control characters and whatever looks like a key."""
    line = redacted(_UNSEEN.sub(" ", text[: MAX_QUOTE * 8]))
    line = _CREDENTIAL.sub(r"\1 [secret]", line).strip()
    return line if len(line) <= MAX_QUOTE else f"{line[: MAX_QUOTE - 1]}…"


def status_error(status: int, headers: Mapping[str, str], error: ErrorObject, *, now: float) -> ProviderError:
    """The error of an answer that began with `status`. `sent` is true for a time-out behind the server alone."""
    code, wait = _code(status, error), retry_after_s(headers, now=now)
    cause = _cause(status, code, error)
    if cause is Cause.QUOTA and status == 402 and wait is not None:
        cause = Cause.RATE_LIMITED  # OpenRouter: what is under way uses up the account, and may end soon
    return ProviderError(
        f"the provider answered {status}",
        code=code,
        fix=_FIXES.get(code, "") if status >= 400 else "redirects are not followed: write the final address",
        status=status,
        retry_after_s=wait,
        sent=code is Code.PROVIDER_TIMEOUT,
        cause=cause,
    ).saying(quoted(error.message))


def stream_error(error: ErrorObject) -> ProviderError:
    """The error of an object inside an answer that began well; the request counts as sent."""
    statuses = [error.status, *(_STATUS_OF_WORD.get(word) for word in sorted(error.words))]
    status = next((status for status in statuses if status is not None and 400 <= status < 600), 500)
    code = _code(status, error)
    return ProviderError(
        "the provider broke off its answer",
        code=code,
        fix=_FIXES.get(code, ""),
        status=error.status,
        sent=True,
        cause=_CAUSE_IN_STREAM.get(code, Cause.STREAM_ERROR),
    ).saying(quoted(error.message))


def not_of_protocol(what: str, said: str = "", cause: Cause = Cause.MALFORMED) -> ProviderError:
    """`provider_protocol` for an answer that cannot be read, or that ends before its end.

    Args:
        what: our words.
        said: words that may be the provider's.
        cause: what is wrong with it.
    """
    text = f"the provider's answer {what}"
    return ProviderError(text, code=Code.PROVIDER_PROTOCOL, sent=True, cause=cause).saying(said)


def cut_short(*, begun: bool) -> ProviderError:
    """`provider_protocol` for a body that ended before the answer did."""
    return not_of_protocol("ended before it was complete" if begun else "is empty", cause=Cause.CUT)


def timed_out(what: str, *, sent: bool = False, cause: Cause = Cause.NOT_CONNECTED) -> ProviderError:
    """`provider_timeout`."""
    fix = "allow it more time, or choose another"
    return ProviderError(what, code=Code.PROVIDER_TIMEOUT, fix=fix, sent=sent, cause=cause)


def untrusted() -> ProviderError:
    """`provider_unavailable` for a certificate that nobody vouches for."""
    return ProviderError(
        "the certificate of the provider's address is not to be trusted",
        code=Code.PROVIDER_UNAVAILABLE,
        fix="check `base_url`; where a company's own authority stands behind it, name its file in SSL_CERT_FILE",
        cause=Cause.TLS,
    )


def without_key(error: ProviderError, key: str | None) -> ProviderError:
    """The same failure, with the key in no word of it."""
    if not key or key not in f"{error.message}{error.fix}":
        return error
    plain = error.without_words()
    return ProviderError(
        plain.message.replace(key, "***"),
        code=error.code,
        fix=error.fix.replace(key, "***"),
        status=error.status,
        retry_after_s=error.retry_after_s,
        sent=error.sent,
        cause=error.cause,
    ).saying(error.said.replace(key, "***"))


def retry_after_s(headers: Mapping[str, str], *, now: float) -> float | None:
    """Seconds that the provider asks to wait (`retry-after-ms`, `retry-after`); None where it says nothing usable.

    A date counts from the provider's own `date`: whose clock is right does not matter then.
    """
    milliseconds = headers.get("retry-after-ms", "").strip()
    if _is_figure(milliseconds):
        return float(milliseconds) / 1000
    wait = headers.get("retry-after", "").strip()
    if _is_figure(wait):
        return float(wait)
    until, theirs = _seconds(wait), _seconds(headers.get("date", ""))
    return None if until is None else max(0.0, until - (now if theirs is None else theirs))


def _seconds(date: str) -> float | None:
    """A date of HTTP in seconds since the epoch; None for what is none."""
    try:
        return parsedate_to_datetime(date).timestamp()
    except (ValueError, OverflowError):
        return None


def _is_figure(text: str) -> bool:
    return re.fullmatch(r"[0-9]{1,12}(?:\.[0-9]{1,6})?", text) is not None


def _code(status: int, error: ErrorObject) -> Code:
    if status in (400, 403):
        if _EMPTY_ACCOUNT.search(error.message):
            return Code.PROVIDER_RATE_LIMITED
        if _REFUSAL_WORDS & error.words:
            return Code.PROVIDER_INVALID_REQUEST
        if _KEY_WORDS & error.words:
            return Code.PROVIDER_AUTH
    for known, code in _BEFORE_WORDS:
        if status in known:
            return code
    if _CONTEXT_WORDS & error.words or _CONTEXT_TEXT.search(error.message):
        return Code.CONTEXT_WINDOW_EXCEEDED
    if _MALFORMED_WORDS & error.words:
        return Code.PROVIDER_PROTOCOL
    if _MODEL_WORDS & error.words or (status == 404 and _MODEL_TEXT.search(error.message)):
        return Code.UNKNOWN_MODEL
    return next(code for known, code in _AFTER_WORDS if status in known)


def _cause(status: int, code: Code, error: ErrorObject) -> Cause:
    """What a status with its words stands for."""
    if code is Code.PROVIDER_RATE_LIMITED:
        spent = status in (400, 402, 403) or _QUOTA_WORDS & error.words
        return Cause.QUOTA if spent else Cause.RATE_LIMITED
    if code is Code.PROVIDER_TIMEOUT:
        return Cause.REQUEST_TIMEOUT if status == 408 else Cause.GATEWAY_TIMEOUT
    if code is Code.PROVIDER_UNAVAILABLE and status in (498, 503, 529):
        return Cause.OVERLOADED
    if code is Code.PROVIDER_INVALID_REQUEST and _REFUSAL_WORDS & error.words:
        return Cause.REFUSAL
    if code is Code.PROVIDER_PROTOCOL and status < 400:
        return Cause.REDIRECT
    return _CAUSES[code]


_QUOTA_WORDS = {
    *("insufficient_quota", "billing_error", "billing_hard_limit_reached", "usage_limit_reached"),
    *("credit_balance_exhausted", "organization_spend_limit_exceeded", "project_spend_limit_exceeded"),
    *("organization_usage_limit_exceeded", "enforced_spend_limit_reached"),
}
"""Words of a 429 that no waiting of seconds helps against."""
_CAUSES = {
    Code.PROVIDER_AUTH: Cause.AUTH,
    Code.PROVIDER_INVALID_REQUEST: Cause.BAD_REQUEST,
    Code.PROVIDER_UNAVAILABLE: Cause.SERVER_ERROR,
    Code.PROVIDER_PROTOCOL: Cause.MALFORMED,
    Code.CONTEXT_WINDOW_EXCEEDED: Cause.CONTEXT_TOO_LONG,
    Code.UNKNOWN_MODEL: Cause.NO_SUCH_MODEL,
}
_CAUSE_IN_STREAM = {
    Code.PROVIDER_AUTH: Cause.STREAM_REFUSAL,
    Code.PROVIDER_INVALID_REQUEST: Cause.STREAM_REFUSAL,
    Code.CONTEXT_WINDOW_EXCEEDED: Cause.CONTEXT_TOO_LONG,
    Code.UNKNOWN_MODEL: Cause.NO_SUCH_MODEL,
}
_BEFORE_WORDS = (
    ((401, 403), Code.PROVIDER_AUTH),
    ((402, 429), Code.PROVIDER_RATE_LIMITED),  # 402: the account is empty
    ((413,), Code.CONTEXT_WINDOW_EXCEEDED),
)
"""Statuses that need no words beside them."""
_AFTER_WORDS = (
    ((408, 504, 524), Code.PROVIDER_TIMEOUT),
    ((498,), Code.PROVIDER_UNAVAILABLE),  # Groq: no capacity left
    (range(500, 1000), Code.PROVIDER_UNAVAILABLE),
    (range(400, 500), Code.PROVIDER_INVALID_REQUEST),
    (range(1000), Code.PROVIDER_PROTOCOL),
)
"""What a status means where the words say nothing more."""
_FIXES = {
    Code.PROVIDER_AUTH: "check the provider's key and what it may use",
    Code.PROVIDER_RATE_LIMITED: "wait, or raise the quota at the provider",
    Code.CONTEXT_WINDOW_EXCEEDED: "send less context, or choose a model with a larger window",
    Code.UNKNOWN_MODEL: "name a model that the provider has; `smista-mcp models` lists them",
    Code.PROVIDER_INVALID_REQUEST: "check `base_url` and what this server can do",
}
