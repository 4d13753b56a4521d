"""Every way in which smista-mcp says no, as stable codes and one small tree of exceptions.

    SmistaError                 has a `code`, says what to write instead
    ├── InvalidTask             the call itself is wrong
    ├── PolicyInvalid           a policy file is wrong: file, key, line
    │   └── OrgPolicyInvalid    the organisation's file cannot be applied: everything is refused
    ├── UnknownModel            a model name that nothing stands behind
    ├── NotFound                no such job, trace or decision
    ├── ProviderError           one attempt at a provider failed
    ├── ScopeNotAllowed         the token of the call opens less
    └── StateUnavailable        our own folder cannot be written

A refusal of a task by policy is not an exception: it is a `Decision` with a code.
"""

from collections.abc import Sequence
from enum import StrEnum
from typing import Protocol


class Code(StrEnum):
    """Stable codes of tool errors, refusals and failed attempts. Texts may change, codes do not."""

    INVALID_TASK = "invalid_task"
    POLICY_INVALID = "policy_invalid"
    ORG_POLICY_INVALID = "org_policy_invalid"
    NO_ROUTE = "no_route"
    OVERRIDE_NOT_ALLOWED = "override_not_allowed"
    MODEL_NOT_ALLOWED = "model_not_allowed"
    UNKNOWN_MODEL = "unknown_model"
    UNKNOWN_SKILL = "unknown_skill"
    MISSING_CAPABILITY = "missing_capability"
    CONTEXT_WINDOW_EXCEEDED = "context_window_exceeded"
    MISSING_PROVIDER_CREDENTIALS = "missing_provider_credentials"
    RESTRICTED_CONTENT = "restricted_content"
    SECRET_DETECTED = "secret_detected"  # noqa: S105  a code
    ANSWER_WITHHELD = "answer_withheld"
    PATH_OUTSIDE_WORKSPACE = "path_outside_workspace"
    APPROVAL_REQUIRED = "approval_required"
    COST_LIMIT_EXCEEDED = "cost_limit_exceeded"
    BUDGET_EXCEEDED = "budget_exceeded"
    PRICE_UNKNOWN = "price_unknown"
    PROVIDER_UNAVAILABLE = "provider_unavailable"
    PROVIDER_TIMEOUT = "provider_timeout"
    PROVIDER_RATE_LIMITED = "provider_rate_limited"
    PROVIDER_AUTH = "provider_auth"
    PROVIDER_INVALID_REQUEST = "provider_invalid_request"
    PROVIDER_PROTOCOL = "provider_protocol"
    PROVIDER_COOLDOWN = "provider_cooldown"
    CONTEXT_TRUNCATED = "context_truncated"
    EMPTY_COMPLETION = "empty_completion"
    PATCH_DOES_NOT_APPLY = "patch_does_not_apply"
    FALLBACK_EXHAUSTED = "fallback_exhausted"
    JOB_NOT_FOUND = "job_not_found"
    TRACE_NOT_FOUND = "trace_not_found"
    CANCELLED = "cancelled"
    SCOPE_NOT_ALLOWED = "scope_not_allowed"


class Cause(StrEnum):
    """What went wrong in an attempt, finer than its code: `dispatch.reactions` has the law for each."""

    REFUSED = "refused"  # nothing listens at the address
    DNS = "dns"
    TLS = "tls"
    NOT_CONNECTED = "not_connected"  # nobody took the connection in time
    BROKEN = "broken"  # the connection broke before the request was sent
    REQUEST_TIMEOUT = "request_timeout"  # 408
    RATE_LIMITED = "rate_limited"  # 429
    QUOTA = "quota"  # 402, or 429 that says that nothing is left
    AUTH = "auth"  # 401, 403
    BAD_REQUEST = "bad_request"  # other 4xx
    NO_SUCH_MODEL = "no_such_model"
    CONTEXT_TOO_LONG = "context_too_long"  # 413, or a 400 that says so
    SERVER_ERROR = "server_error"  # 5xx
    OVERLOADED = "overloaded"  # 503, 529
    GATEWAY_TIMEOUT = "gateway_timeout"  # 504, 524: the model behind may have worked on it
    REDIRECT = "redirect"  # 1xx, 3xx: never followed
    SILENT = "silent"  # no first byte, or none for too long
    DEADLINE = "deadline"  # ours
    CUT = "cut"  # the answer has no end
    MALFORMED = "malformed"  # no answer of its protocol
    TOO_LONG = "too_long"  # longer than any answer has reason to be
    COMPRESSED = "compressed"
    STREAM_ERROR = "stream_error"  # an error inside an answer that began well
    STREAM_REFUSAL = "stream_refusal"  # the same, where it says that the request is wrong
    EMPTY = "empty"
    ONLY_THOUGHT = "only_thought"  # hidden reasoning, and no answer
    LENGTH = "length"  # cut at its length limit
    REFUSAL = "refusal"  # the model, or its filter, declines
    PROMPT_CUT = "prompt_cut"  # the server took less than was sent
    PATCH = "patch"  # a change that does not apply
    UNUSABLE = "unusable"  # ours: an address, a key, an authority, a child that cannot be used
    OURS = "ours"  # our own refusal


class SmistaError(Exception):
    """An expected failure.

    Attributes:
        code: the stable code.
        message: what was wrong and where.
        fix: what to write or do instead; empty where nothing can be done.
    """

    code: Code

    def __init__(self, message: str, *, fix: str = "", code: Code | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        if code is not None:
            self.code = code

    def __str__(self) -> str:
        text = f"{self.code.value}: {self.message}"
        return f"{text} ({self.fix})" if self.fix else text


class InvalidTask(SmistaError):
    code = Code.INVALID_TASK


class Problem(Protocol):
    """One thing that is wrong in a policy, as far as an error text needs it: the shape of a finding."""

    @property
    def message(self) -> str: ...
    @property
    def fix(self) -> str: ...
    @property
    def file(self) -> str | None: ...
    @property
    def line(self) -> int | None: ...


class PolicyInvalid(SmistaError):
    """A policy cannot be applied. `problems` holds every finding; the text shows the first and counts the others."""

    code = Code.POLICY_INVALID

    def __init__(
        self, message: str, *, fix: str = "", code: Code | None = None, problems: Sequence[Problem] = ()
    ) -> None:
        super().__init__(message, fix=fix, code=code)
        self.problems = tuple(problems)

    @classmethod
    def of(cls, problems: Sequence[Problem]) -> "PolicyInvalid":
        """The error for one or more problems, with `file:line` of the first."""
        first, others = problems[0], len(problems) - 1
        line = f":{first.line}" if first.line else ""
        place = f"{first.file}{line}: " if first.file else ""
        more = f" (and {others} more, see `smista-mcp policy check`)" if others else ""
        return cls(f"{place}{first.message}{more}", fix=first.fix, problems=problems)


class OrgPolicyInvalid(PolicyInvalid):
    code = Code.ORG_POLICY_INVALID


class UnknownModel(SmistaError):
    code = Code.UNKNOWN_MODEL


class NotFound(SmistaError):
    code = Code.TRACE_NOT_FOUND


class ProviderError(SmistaError):
    """One attempt failed.

    `code` says how; `retry_after_s` is what the provider asked for, if it did; `sent` is true once the
    request may have reached a model, so that it may have been charged. `said` are the provider's own words, which may
    repeat what it was sent; `message` ends with them. `cause` says more than the code; None where nobody said.
    `unsent` is true where not a byte of the request was written.
    """

    code = Code.PROVIDER_PROTOCOL

    def __init__(  # noqa: PLR0913  facts that dispatch acts on
        self,
        message: str,
        *,
        code: Code,
        fix: str = "",
        status: int | None = None,
        retry_after_s: float | None = None,
        sent: bool = False,
        cause: Cause | None = None,
    ) -> None:
        super().__init__(message, fix=fix, code=code)
        self.said = ""
        self.unsent = False
        self.cause = cause
        self.status = status
        self.retry_after_s = retry_after_s
        self.sent = sent

    def saying(self, words: str) -> "ProviderError":
        """This error, with the provider's own words behind the message; where there are none, as it is."""
        if words:
            self.said = words
            self.message = f"{self.message}: {words}"
        return self

    def without_words(self) -> "ProviderError":
        """The same without the provider's own words."""
        plain = ProviderError(
            self.message.removesuffix(f": {self.said}") if self.said else self.message,
            code=self.code,
            fix=self.fix,
            status=self.status,
            retry_after_s=self.retry_after_s,
            sent=self.sent,
            cause=self.cause,
        )
        plain.unsent = self.unsent
        return plain


class ScopeNotAllowed(SmistaError):
    code = Code.SCOPE_NOT_ALLOWED


class StateUnavailable(SmistaError):
    code = Code.PROVIDER_UNAVAILABLE
