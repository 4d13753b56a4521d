"""The closed vocabularies of the product and the base of every value that crosses a border."""

from enum import StrEnum
from typing import Literal

from pydantic import BaseModel, ConfigDict


class Value(BaseModel):
    """A frozen value that refuses unknown fields: what is read from, or printed as, JSON and TOML."""

    model_config = ConfigDict(frozen=True, extra="forbid", ser_json_inf_nan="constants", defer_build=True)


class Intent(StrEnum):
    """The kind of work: seven families and, below two of them, refinements."""

    CHAT = "chat"
    ANALYZE = "analyze"
    PLAN = "plan"
    EDIT = "edit"
    REFACTOR = "refactor"
    TEST = "test"
    DOCUMENT = "document"
    FORMAT = "format"
    REVIEW = "review"
    SUMMARIZE = "summarize"
    COMMIT = "commit"
    PROMPT = "prompt"
    SKILL = "skill"


FAMILY: dict[Intent, Intent] = {
    **{intent: intent for intent in Intent},
    Intent.ANALYZE: Intent.CHAT,
    Intent.REFACTOR: Intent.EDIT,
    Intent.TEST: Intent.EDIT,
    Intent.DOCUMENT: Intent.EDIT,
    Intent.FORMAT: Intent.EDIT,
    Intent.COMMIT: Intent.SUMMARIZE,
}
"""Each intent's family; a family is its own."""

CAPABILITY_CLASS: dict[Intent, str] = {
    Intent.PLAN: "deep_reasoning",
    Intent.ANALYZE: "deep_reasoning",
    Intent.REVIEW: "deep_reasoning",
    Intent.EDIT: "coding",
    Intent.REFACTOR: "coding",
    Intent.TEST: "coding",
    Intent.SKILL: "coding",
    Intent.CHAT: "balanced",
    Intent.DOCUMENT: "balanced",
    Intent.PROMPT: "balanced",
    Intent.SUMMARIZE: "fast",
    Intent.FORMAT: "fast",
    Intent.COMMIT: "fast",
}
"""The class of model that an intent asks for by itself: a hint for the host, never a route."""


class Effort(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"
    XHIGH = "xhigh"


DELEGATE_TOOLS = ("read_file", "list_files", "search", "git_diff")
"""What a delegate may read with."""
Label = Literal["restricted", "local"]
"""Of what models wrote. `restricted`: made from what must not leave this machine. `local`: only a rule kept it here."""


class Confidence(StrEnum):
    LOW = "low"
    MEDIUM = "medium"
    HIGH = "high"


class Locality(StrEnum):
    LOCAL = "local"
    REMOTE = "remote"


class Layer(StrEnum):
    """Where a piece of policy comes from. `BUILTIN` marks a value that no layer states."""

    BUILTIN = "builtin"
    PRESET = "preset"
    USER = "user"
    WORKSPACE = "workspace"
    LOCAL = "local"
    CALL = "call"
    ORGANISATION = "organisation"


class ContextKind(StrEnum):
    GIT_DIFF = "git_diff"
    PATHS = "paths"
    SKILL = "skill"
    ATTACHMENT = "attachment"
    PULL_REQUEST = "pull_request"


class Grant(StrEnum):
    """What a permission says, from loosest to strictest."""

    ALLOW = "allow"
    ASK = "ask"
    DENY = "deny"


class Status(StrEnum):
    ROUTED = "routed"
    REFUSED = "refused"
    APPROVAL_REQUIRED = "approval_required"
    HANDOFF = "handoff"


JobStatus = Literal["failed", "refused", "approval_required", "running", "handoff", "completed"]
JOB_STATUSES: tuple[JobStatus, ...] = ("failed", "refused", "approval_required", "running", "handoff", "completed")
"""Most telling first: a job's status is the first of these that one of its phases has."""
