"""What can be wrong in a policy, as values: the entries of `policy check`."""

from enum import StrEnum

from smista_mcp.core.policy import TestTask, dotted
from smista_mcp.core.sources import LayerDocument
from smista_mcp.core.values import Layer, Value

Path = tuple[str | int, ...]


class FindingCode(StrEnum):
    """Stable codes of findings. Texts may change, codes do not."""

    PARSE_ERROR = "parse_error"
    UNKNOWN_KEY = "unknown_key"
    INVALID_TYPE = "invalid_type"
    INVALID_ENUM = "invalid_enum"
    INVALID_PRIORITY = "invalid_priority"
    INVALID_COST_LIMIT = "invalid_cost_limit"
    INVALID_GLOB = "invalid_glob"
    INVALID_MODEL_REF = "invalid_model_ref"
    INVALID_SECRET_REF = "invalid_secret_ref"  # noqa: S105  the name of a finding
    SUSPICIOUS_GLOB = "suspicious_glob"
    UNKNOWN_PROVIDER = "unknown_provider"
    UNKNOWN_INTENT = "unknown_intent"
    DUPLICATE_NAME = "duplicate_name"
    DEFAULT_MISSING = "default_missing"
    INLINE_SECRET = "inline_secret"  # noqa: S105  the name of a finding
    INSECURE_BASE_URL = "insecure_base_url"
    AMBIGUOUS_PAIR = "ambiguous_pair"
    AMBIGUOUS_REQUEST = "ambiguous_request"
    AMBIGUOUS_CLASSIFICATION = "ambiguous_classification"
    SHADOWED_RULE = "shadowed_rule"
    DEAD_RULE = "dead_rule"
    UNREACHABLE_FALLBACK = "unreachable_fallback"
    UNREACHABLE_DEFAULT = "unreachable_default"
    NO_VIABLE_TARGET = "no_viable_target"
    REMOTE_MODEL_OF_LOCAL_ONLY = "remote_model_of_local_only"
    REMOTE_FALLBACK_OF_LOCAL_ONLY = "remote_fallback_of_local_only"
    LOCAL_ONLY_OVERLAP = "local_only_overlap"
    NOT_COMPARED = "not_compared"
    PLUGIN_UNUSABLE = "plugin_unusable"
    PERMISSION_WIDENING = "permission_widening"
    ORG_LOCK_VIOLATION = "org_lock_violation"
    ORG_POLICY_EMPTY = "org_policy_empty"
    SECRET_REUSE_UNTRUSTED_LAYER = "secret_reuse_untrusted_layer"  # noqa: S105  the name of a finding


WHATEVER_ELSE_HOLDS = frozenset(
    {
        FindingCode.SUSPICIOUS_GLOB,
        FindingCode.DUPLICATE_NAME,
        FindingCode.INLINE_SECRET,
        FindingCode.AMBIGUOUS_PAIR,
        FindingCode.AMBIGUOUS_REQUEST,
        FindingCode.AMBIGUOUS_CLASSIFICATION,
        FindingCode.SHADOWED_RULE,
        FindingCode.DEAD_RULE,
        FindingCode.UNREACHABLE_DEFAULT,
        FindingCode.NOT_COMPARED,
        FindingCode.ORG_LOCK_VIOLATION,
        FindingCode.SECRET_REUSE_UNTRUSTED_LAYER,
    }
)
"""What stays true whatever a file that cannot be used says: which models, classes, providers and defaults there are."""


class Severity(StrEnum):
    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


class Finding(Value):
    """One thing that is wrong in a policy.

    Attributes:
        rules: names of the rules that it concerns.
        at: dotted key, for example `routing.rules[2].priority`; empty where the whole file is meant.
        layer: where it stands; None where no single layer is to blame.
        line: from 1; None where the file has no such line (a missing key, an unreadable file).
        message: what is wrong, with the key; never a secret value.
        fix: what to write or do instead.
        witness: a task that shows it, in the form of a `[[test]]`.
    """

    code: FindingCode
    severity: Severity = Severity.ERROR
    rules: tuple[str, ...] = ()
    at: str = ""
    layer: Layer | None = None
    file: str | None = None
    line: int | None = None
    message: str
    fix: str = ""
    witness: TestTask | None = None


def finding_in(
    source: LayerDocument,
    path: Path,
    code: FindingCode,
    words: tuple[str, str],
    *,
    severity: Severity = Severity.ERROR,
    rules: tuple[str, ...] = (),
) -> Finding:
    """A finding about a key of a document, with the line of the key or of the nearest known one around it.

    Args:
        source: the document.
        path: the key.
        code: what kind of finding.
        words: what is wrong, and what to write instead.
        severity: how bad it is.
        rules: names of the rules that it concerns.
    """
    above = (path[:length] for length in range(len(path), 0, -1))
    return Finding(
        code=code,
        severity=severity,
        rules=rules,
        at=dotted(path),
        layer=source.layer,
        file=source.file,
        line=next((line for key in above if (line := source.lines.get(dotted(key))) is not None), None),
        message=words[0],
        fix=words[1],
    )
